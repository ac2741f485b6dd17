/*
 * The upstream statement of a block.  Under differential privacy it has three levels: per (unit, keys) partials, each clamped to what max_rows rows
 * within bounds can give; at most max_groups groups a unit, chosen by a keyed hash under a fresh secret seed; exact integer sums per key.
 */
#include "planner/block_parts.h"

#include "base/text.h"

static void emit_filter(struct emit *m, const struct aggregate *g, const char *not_null_of)
{
	bool arg = not_null_of != NULL;

	if (!g->filter && !arg)
		return;
	wr_str(&m->w, " FILTER (WHERE ");
	if (arg)
		wr_fmt(&m->w, "%s IS NOT NULL", not_null_of);
	if (arg && g->filter)
		wr_str(&m->w, " AND ");
	if (g->filter)
		emit_expr(m, g->filter);
	wr_str(&m->w, ")");
}

/* Runs an emitter into text of its own. */
static const char *aside(struct emit *m, void (*write)(struct emit *, const struct aggregate *), const struct aggregate *g)
{
	struct wr outer = m->w;

	wr_init(&m->w, m->arena, EMIT_MAX);
	write(m, g);
	const char *text = wr_text(&m->w);
	outer.bad = outer.bad || !wr_ok(&m->w);
	m->w = outer;
	return text;
}

static void write_arg(struct emit *m, const struct aggregate *g)
{
	emit_expr(m, g->arg);
}

static void write_number(struct emit *m, const struct aggregate *g)
{
	emit_number(m, g->arg);
}

/*
 * The value of a row in grid units, an integer clamped to [lo, hi]; NULL stays NULL (LEAST and GREATEST would turn it into a bound), NaN and
 * infinities were turned into NULL by emit_number.
 */
static void write_clamped(struct emit *m, const struct aggregate *g)
{
	const char *x = aside(m, write_number, g);

	wr_fmt(&m->w, "(CASE WHEN %s IS NOT NULL THEN LEAST(GREATEST(pg_catalog.round(%s", x, x);
	if (g->grid.scale > 0 && g->grid.digits == 1) {
		wr_str(&m->w, " OPERATOR(pg_catalog.*) ");
		i128 factor = 1;
		for (int i = 0; i < g->grid.scale; i++)
			factor *= 10;
		emit_param_i128(m, factor, "numeric");
	} else if (g->grid.digits != 1 || g->grid.scale != 0) {
		struct wr w;
		wr_init(&w, m->arena, 64);
		decimal_put(&w, g->grid);
		wr_str(&m->w, " OPERATOR(pg_catalog./) ");
		emit_param(m, wr_text(&w), "numeric");
	}
	wr_str(&m->w, "), ");
	emit_param_i128(m, g->lo, "numeric");
	wr_str(&m->w, "), ");
	emit_param_i128(m, g->hi, "numeric");
	wr_str(&m->w, ") END)");
}

static void emit_capped_count(struct emit *m, const struct block *b, const struct aggregate *g, const char *not_null_of)
{
	wr_str(&m->w, "LEAST(pg_catalog.count(*)");
	emit_filter(m, g, not_null_of);
	wr_str(&m->w, ", ");
	emit_param_i128(m, b->max_rows, "int8");
	wr_str(&m->w, ")");
}

/* sum(row) of one unit in one group, clamped to [lo, hi]. */
static void emit_capped_sum(struct emit *m, const struct aggregate *g, const char *row, i128 lo, i128 hi)
{
	wr_fmt(&m->w, "LEAST(GREATEST(COALESCE(pg_catalog.sum(%s)", row);
	emit_filter(m, g, NULL);
	wr_str(&m->w, ", 0), ");
	emit_param_i128(m, lo, "numeric");
	wr_str(&m->w, "), ");
	emit_param_i128(m, hi, "numeric");
	wr_str(&m->w, ")");
}

/* 2x - (lo + hi) of a row, in grid units; NULL where x is. */
static void write_centred(struct emit *m, const struct aggregate *g)
{
	wr_fmt(&m->w, "(2 OPERATOR(pg_catalog.*) %s OPERATOR(pg_catalog.-) ", aside(m, write_clamped, g));
	emit_param_i128(m, g->lo + g->hi, "numeric");
	wr_str(&m->w, ")");
}

static const char *product(struct emit *m, const char *x, const char *y)
{
	const char *text = arena_printf(m->arena, "(%s OPERATOR(pg_catalog.*) %s)", x, y);

	m->no_memory = m->no_memory || !text;
	return text ? text : "";
}

static void emit_average(struct emit *m, const struct block *b, const struct aggregate *g, size_t number)
{
	const i128 rows = b->max_rows, width = g->hi - g->lo;
	const char *row = aside(m, write_centred, g);

	emit_capped_count(m, b, g, row);
	wr_fmt(&m->w, " AS p%zu, ", number);
	emit_capped_sum(m, g, row, -rows * width, rows * width);
	wr_fmt(&m->w, " AS p%zu_2", number);
}

/* n, sum X, sum X^2, sum Y, sum Y^2, sum XY over rows where both are there: mechanisms/moments.h. */
static void emit_moments(struct emit *m, const struct block *b, const struct aggregate *g, size_t number)
{
	const struct aggregate second = { .arg = g->arg_y, .grid = g->grid_y, .lo = g->lo_y, .hi = g->hi_y };
	const i128 rows = b->max_rows, wx = g->hi - g->lo, wy = g->hi_y - g->lo_y;
	const char *x = aside(m, write_centred, g), *y = g->arg_y ? aside(m, write_centred, &second) : NULL;

	/* a row counts only with both; their product says so */
	emit_capped_count(m, b, g, y ? product(m, x, y) : x);
	wr_fmt(&m->w, " AS p%zu", number);
	if (y) { /* X and Y of rows without the other are left out */
		const char *both = arena_printf(m->arena, "(CASE WHEN %s IS NOT NULL THEN %s END)", y, x);
		const char *both_y = arena_printf(m->arena, "(CASE WHEN %s IS NOT NULL THEN %s END)", x, y);
		m->no_memory = m->no_memory || !both || !both_y;
		x = both ? both : "";
		y = both_y ? both_y : "";
	}
	const char *squares = product(m, x, x);
	const struct {
		const char *row;
		i128 lo, hi;
	} parts[] = { { x, -rows * wx, rows * wx },
		      { squares, 0, rows * wx * wx },
		      { y, -rows * wy, rows * wy },
		      { y ? product(m, y, y) : NULL, 0, rows * wy * wy },
		      { y ? product(m, x, y) : NULL, -rows * wx * wy, rows * wx * wy } };
	for (size_t i = 0; i + 1 < g->n_parts; i++) {
		wr_str(&m->w, ", ");
		emit_capped_sum(m, g, parts[i].row, parts[i].lo, parts[i].hi);
		wr_fmt(&m->w, " AS p%zu_%zu", number, i + 2);
	}
}

static int seed(struct emit *m)
{
	if (m->seed_param == 0)
		m->seed_param = emit_add_param(m, NULL);
	return m->seed_param;
}

static const char *hash_of(struct emit *m, const char *what)
{
	const char *text = arena_printf(m->arena, "pg_catalog.lpad(pg_catalog.to_hex(pg_catalog.hash_record_extended(ROW(%s), $%d::pg_catalog.int8)), 16, '0')",
					what, seed(m));

	m->no_memory = m->no_memory || !text;
	return text ? text : "";
}

static void write_unit(struct emit *m, const struct aggregate *g)
{
	emit_expr(m, g->arg);
}

/*
 * Of one unit in one group, at most max_rows items as text, chosen by a hash of unit and item under the fresh secret seed: a choice that depends on no
 * other unit.  Each item is 16 digits of that hash, then the item.
 */
static void emit_items(struct emit *m, const struct block *b, const struct aggregate *g, const char *value, const char *item, bool distinct)
{
	const struct aggregate unit = { .arg = b->unit };
	const char *both = arena_printf(m->arena, "%s, %s", aside(m, write_unit, &unit), value);

	m->no_memory = m->no_memory || !both;
	const char *order = hash_of(m, both ? both : "");
	wr_fmt(&m->w, "pg_catalog.array_to_string((pg_catalog.array_agg(%s%s OPERATOR(pg_catalog.||) %s ORDER BY %s OPERATOR(pg_catalog.||) %s)",
	       distinct ? "DISTINCT " : "", order, item, order, item);
	emit_filter(m, g, value);
	wr_str(&m->w, ")[1:");
	emit_param_i128(m, b->max_rows, "int4");
	wr_str(&m->w, "], ',')");
}

static void write_bucket(struct emit *m, const struct aggregate *g)
{
	wr_fmt(&m->w, "(%s OPERATOR(pg_catalog.-) ", aside(m, write_clamped, g));
	emit_param_i128(m, g->lo, "numeric");
	wr_str(&m->w, ")");
}

static void emit_quantile(struct emit *m, const struct block *b, const struct aggregate *g)
{
	const char *bucket = aside(m, write_bucket, g);
	const char *item = arena_printf(m->arena, "(%s)::pg_catalog.int8::pg_catalog.text", bucket);

	m->no_memory = m->no_memory || !item;
	emit_items(m, b, g, bucket, item ? item : "", false);
}

static void emit_partial(struct emit *m, const struct block *b, const struct aggregate *g, size_t number)
{
	const i128 rows = b->max_rows;

	switch (g->kind) {
	case AGGREGATE_ROWS:
		emit_capped_count(m, b, g, NULL);
		break;
	case AGGREGATE_COUNT:
		emit_capped_count(m, b, g, aside(m, write_arg, g));
		break;
	case AGGREGATE_UNITS:
		wr_str(&m->w, "LEAST(pg_catalog.count(*)");
		emit_filter(m, g, g->arg->scan->nullable || g->arg->scan->derived ? aside(m, write_arg, g) : NULL);
		wr_str(&m->w, ", 1)");
		break;
	case AGGREGATE_SUM: {
		const i128 least = g->clipped ? -g->cap : rows * g->lo, most = g->clipped ? g->cap : rows * g->hi;
		emit_capped_sum(m, g, aside(m, write_clamped, g), g->lo < 0 ? least : 0, g->hi > 0 ? most : 0);
		break;
	}
	case AGGREGATE_AVG:
		emit_average(m, b, g, number);
		return;
	case AGGREGATE_MOMENT:
		emit_moments(m, b, g, number);
		return;
	case AGGREGATE_DISTINCT: {
		const char *value = aside(m, write_arg, g);
		emit_items(m, b, g, value, hash_of(m, value), true);
		break;
	}
	case AGGREGATE_QUANTILE:
		emit_quantile(m, b, g);
		break;
	case AGGREGATE_OTHER:
		BUG_IF(true); /* refused under differential privacy */
	}
	wr_fmt(&m->w, " AS p%zu", number);
}

/* Keys in a form that does not depend on which row supplies it: 1.0 and 1.00 are one group and look alike. */
static void emit_key(struct emit *m, const struct key *k)
{
	bool number = k->expr->type == TYPE_NUMERIC || k->expr->form == FORM_NUMERIC;

	if (number && sql_type_is_number(k->expr->type)) {
		wr_str(&m->w, "pg_catalog.trim_scale(");
		emit_number(m, k->expr);
		wr_str(&m->w, ")");
	} else {
		emit_expr(m, k->expr);
	}
}

static void emit_filter_end(struct emit *m, const struct key *k, bool has_null)
{
	wr_str(&m->w, has_null ? " OR " : "");
	if (has_null) {
		emit_key(m, k);
		wr_str(&m->w, " IS NULL");
	}
	wr_str(&m->w, ")");
}

/* Only rows of a public domain are kept, so that no slot of max_groups is spent on a group that is never shown. */
static void emit_domains(struct emit *m, const struct block *b)
{
	for (size_t i = 0; i < b->n_keys; i++) {
		const struct key *k = &b->keys[i];
		if (!k->domain || k->closed)
			continue;
		bool has_null = k->n_domain > 0 && !k->domain[k->n_domain - 1];
		size_t n = k->n_domain - has_null;
		wr_str(&m->w, " AND (");
		if (type_is_integer(k->expr->type) && k->n_domain > 0 && !expr_policy_column(k->expr)->values) { /* an interval */
			emit_key(m, k);
			wr_str(&m->w, " OPERATOR(pg_catalog.>=) ");
			emit_param(m, k->domain[0], "int8");
			wr_str(&m->w, " AND ");
			emit_key(m, k);
			wr_str(&m->w, " OPERATOR(pg_catalog.<=) ");
			emit_param(m, k->domain[n - 1], "int8");
			emit_filter_end(m, k, has_null);
			continue;
		}
		wr_str(&m->w, "(");
		emit_key(m, k);
		wr_str(&m->w, ")::pg_catalog.text OPERATOR(pg_catalog.=) ANY (ARRAY[");
		for (size_t j = 0; j < n; j++) {
			wr_str(&m->w, j > 0 ? ", " : "");
			emit_param(m, k->domain[j], "text");
		}
		wr_str(&m->w, "]::pg_catalog.text[] COLLATE pg_catalog.\"C\")");
		emit_filter_end(m, k, has_null);
	}
}

static void emit_group_by(struct emit *m, size_t first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		wr_fmt(&m->w, "%s%zu", i == 0 ? " GROUP BY " : ", ", first + i);
}

static void emit_inner(struct emit *m, const struct block *b)
{
	wr_str(&m->w, "SELECT ");
	emit_expr(m, b->unit);
	wr_str(&m->w, " AS u");
	for (size_t i = 0; i < b->n_keys; i++) {
		wr_str(&m->w, ", ");
		emit_key(m, &b->keys[i]);
		wr_fmt(&m->w, " AS k%zu", i + 1);
	}
	for (size_t i = 0; i < b->n_aggregates; i++) {
		if (b->aggregates[i].shared > 0)
			continue;
		wr_str(&m->w, ", ");
		emit_partial(m, b, &b->aggregates[i], i + 1);
	}
	emit_from_where(m, &b->rel, "");
	emit_domains(m, b);
	wr_str(&m->w, " AND (");
	emit_expr(m, b->unit);
	wr_str(&m->w, ") IS NOT NULL");
	emit_group_by(m, 1, b->n_keys + 1);
}

static void emit_ranked(struct emit *m, const struct block *b)
{
	wr_str(&m->w, "SELECT q.*, pg_catalog.row_number() OVER (PARTITION BY q.u ORDER BY pg_catalog.hash_record_extended(ROW(q.u");
	for (size_t i = 0; i < b->n_keys; i++)
		wr_fmt(&m->w, ", q.k%zu", i + 1);
	wr_fmt(&m->w, "), $%d::pg_catalog.int8)", seed(m));
	for (size_t i = 0; i < b->n_keys; i++)
		wr_fmt(&m->w, ", q.k%zu", i + 1);
	wr_str(&m->w, ") AS r");
	emit_clip_buckets(m, b);
	wr_str(&m->w, " FROM (");
	emit_inner(m, b);
	wr_str(&m->w, ") AS q");
}

/* The exact value of a group from the partials of its units. */
static void emit_total(struct emit *m, const struct aggregate *g, size_t number)
{
	static const char items[] = "pg_catalog.unnest(pg_catalog.string_to_array(pg_catalog.string_agg(g.p%zu, ','), ',')) AS w";

	if (g->kind == AGGREGATE_DISTINCT) {
		wr_str(&m->w, "(SELECT pg_catalog.count(DISTINCT pg_catalog.substr(w, 17)) FROM ");
		wr_fmt(&m->w, items, number);
		wr_str(&m->w, ")::pg_catalog.text");
		return;
	}
	if (g->kind == AGGREGATE_QUANTILE) { /* a histogram: index:count,index:count,... */
		wr_str(&m->w, "(SELECT pg_catalog.string_agg(h.i::pg_catalog.text OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||) h.n::pg_catalog.text, ',' ORDER BY h.i)"
			      " FROM (SELECT pg_catalog.substr(w, 17)::pg_catalog.int8 AS i, pg_catalog.count(*) AS n FROM ");
		wr_fmt(&m->w, items, number);
		wr_str(&m->w, " GROUP BY 1) AS h)");
		return;
	}
	if (g->clipped) {
		emit_clipped_total(m, g, number);
		return;
	}
	size_t parts = g->kind == AGGREGATE_AVG ? 2 : g->kind == AGGREGATE_MOMENT ? g->n_parts : 1;
	wr_fmt(&m->w, "COALESCE(pg_catalog.sum(g.p%zu), 0)::pg_catalog.text", number);
	for (size_t i = 1; i < parts; i++)
		wr_fmt(&m->w, ", COALESCE(pg_catalog.sum(g.p%zu_%zu), 0)::pg_catalog.text", number, i + 1);
}

static void emit_protected(struct emit *m, const struct block *b, bool ranked, bool count_units)
{
	const char *separator = "";

	wr_str(&m->w, "SELECT ");
	for (size_t i = 0; i < b->n_keys; i++, separator = ", ")
		wr_fmt(&m->w, "%s(g.k%zu)::pg_catalog.text", separator, i + 1);
	if (count_units) {
		wr_fmt(&m->w, "%spg_catalog.count(*)::pg_catalog.text", separator);
		separator = ", ";
	}
	for (size_t i = 0; i < b->n_aggregates; i++) {
		if (b->aggregates[i].shared > 0)
			continue;
		wr_str(&m->w, separator);
		emit_total(m, &b->aggregates[i], i + 1);
		separator = ", ";
	}
	wr_str(&m->w, " FROM (");
	if (ranked) {
		emit_ranked(m, b);
	} else if (block_has_clipped(b)) {
		wr_str(&m->w, "SELECT q.*");
		emit_clip_buckets(m, b);
		wr_str(&m->w, " FROM (");
		emit_inner(m, b);
		wr_str(&m->w, ") AS q OFFSET 0"); /* once a unit, not once an aggregate */
	} else {
		emit_inner(m, b);
	}
	wr_str(&m->w, ") AS g");
	if (ranked) {
		wr_str(&m->w, " WHERE g.r OPERATOR(pg_catalog.<=) ");
		emit_param_i128(m, b->max_groups, "int8");
	}
	for (size_t i = 0; i < b->n_keys; i++)
		wr_fmt(&m->w, "%sg.k%zu", i == 0 ? " GROUP BY " : ", ", i + 1);
	for (size_t i = 0; i < b->n_keys; i++)
		wr_fmt(&m->w, "%sg.k%zu", i == 0 ? " ORDER BY " : ", ", i + 1);
}

static void emit_exact_value(struct emit *m, const struct aggregate *g)
{
	const bool distinct = g->kind == AGGREGATE_DISTINCT || g->kind == AGGREGATE_UNITS || g->distinct;
	const bool number = g->arg && sql_type_is_number(g->arg->type) && g->kind != AGGREGATE_COUNT && (!distinct || g->distinct);
	const bool within = text_eq(g->function, "percentile_cont") || text_eq(g->function, "percentile_disc");

	wr_fmt(&m->w, "pg_catalog.%s(%s", g->function, distinct ? "DISTINCT " : "");
	if (within) {
		struct wr w;
		wr_init(&w, m->arena, 64);
		decimal_put(&w, g->rank);
		emit_param(m, wr_text(&w), "float8");
		wr_str(&m->w, ") WITHIN GROUP (ORDER BY ");
	}
	if (g->arg_y) {
		emit_number(m, g->arg_y);
		wr_str(&m->w, "::pg_catalog.float8, ");
	}
	if (!g->arg)
		wr_str(&m->w, "*");
	else
		(number ? emit_number : emit_expr)(m, g->arg);
	wr_str(&m->w, g->arg_y ? "::pg_catalog.float8)" : ")");
	emit_filter(m, g, NULL);
	wr_str(&m->w, "::pg_catalog.text");
}

/* How many distinct values of a column a row covers, and each aggregate with a FILTER of its own: its value must not be about fewer. */
static void emit_covered(struct emit *m, const struct block *b, const struct scan *s, size_t column)
{
	wr_fmt(&m->w, "pg_catalog.count(DISTINCT t%zu.c%zu)::pg_catalog.text", s->number, column + 1);
	for (size_t i = 0; i < b->n_aggregates; i++) {
		if (!b->aggregates[i].filter)
			continue;
		wr_fmt(&m->w, ", pg_catalog.count(DISTINCT t%zu.c%zu)", s->number, column + 1);
		emit_filter(m, &b->aggregates[i], NULL);
		wr_str(&m->w, "::pg_catalog.text");
	}
}

/* keys, values, then the constraints' counts of distinct values, in the order of the tables. */
static void emit_exact(struct emit *m, const struct block *b)
{
	const char *separator = "";

	wr_str(&m->w, "SELECT ");
	for (size_t i = 0; i < b->n_keys; i++, separator = ", ") {
		wr_fmt(&m->w, "%s(", separator);
		emit_key(m, &b->keys[i]);
		wr_str(&m->w, ")::pg_catalog.text");
	}
	for (size_t i = 0; i < b->n_aggregates; i++, separator = ", ") {
		wr_str(&m->w, separator);
		emit_exact_value(m, &b->aggregates[i]);
	}
	for (size_t i = 0; i < b->rel.n_scans; i++) {
		const struct policy_table *t = b->rel.scans[i]->table;
		for (size_t j = 0; j < t->aggregation.n_constraints; j++, separator = ", ") {
			wr_str(&m->w, separator);
			emit_covered(m, b, b->rel.scans[i], t->aggregation.constraints[j].column);
		}
	}
	emit_from_where(m, &b->rel, "");
	if (!b->rows)
		emit_group_by(m, 1, b->n_keys);
	for (size_t i = 0; i < b->n_keys; i++)
		wr_fmt(&m->w, "%s%zu", i == 0 ? " ORDER BY " : ", ", i + 1);
}

static void mark_columns(const struct block *b)
{
	for (size_t i = 0; i < b->rel.n_conjuncts; i++)
		emit_mark(b->rel.conjuncts[i]);
	for (size_t i = 0; i < b->n_keys; i++)
		emit_mark(b->keys[i].expr);
	for (size_t i = 0; i < b->n_aggregates; i++) {
		if (b->aggregates[i].arg)
			emit_mark(b->aggregates[i].arg);
		if (b->aggregates[i].arg_y)
			emit_mark(b->aggregates[i].arg_y);
		if (b->aggregates[i].filter)
			emit_mark(b->aggregates[i].filter);
	}
	if (b->unit)
		emit_mark(b->unit);
	for (size_t i = 0; i < b->rel.n_scans; i++) {
		struct scan *s = b->rel.scans[i];
		for (size_t j = 0; j < s->n_on; j++)
			emit_mark(s->on[j]);
		for (size_t j = 0; j < s->table->aggregation.n_constraints; j++)
			s->used[s->table->aggregation.constraints[j].column] = true;
	}
}

bool block_emit(struct block *b, bool ranked, bool count_units, struct plan_block *out, struct error *e)
{
	struct emit m;

	emit_init(&m, b->planning);
	mark_columns(b);
	if (b->dp)
		emit_protected(&m, b, ranked, count_units);
	else
		emit_exact(&m, b);
	if (!emit_finish(&m, &out->sql, e))
		return false;
	out->seed_param = m.seed_param;
	out->params = m.params;
	out->n_params = m.n_params;
	return true;
}
