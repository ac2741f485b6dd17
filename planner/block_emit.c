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

/* sum(clamped) of one unit in one group, clamped to [lo, hi]. */
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
	case AGGREGATE_SUM:
		emit_capped_sum(m, g, aside(m, write_clamped, g), g->lo < 0 ? rows * g->lo : 0, g->hi > 0 ? rows * g->hi : 0);
		break;
	case AGGREGATE_AVG: {
		const char *row = aside(m, write_clamped, g);
		emit_capped_count(m, b, g, row);
		wr_fmt(&m->w, " AS p%zu, ", number);
		struct wr w;
		wr_init(&w, m->arena, EMIT_MAX);
		wr_fmt(&w, "2 OPERATOR(pg_catalog.*) %s OPERATOR(pg_catalog.-) ", row);
		struct wr outer = m->w;
		m->w = w;
		emit_param_i128(m, g->lo + g->hi, "numeric");
		w = m->w;
		m->w = outer;
		m->w.bad = m->w.bad || !wr_ok(&w);
		emit_capped_sum(m, g, wr_text(&w), -rows * (g->hi - g->lo), rows * (g->hi - g->lo));
		wr_fmt(&m->w, " AS s%zu", number);
		return;
	}
	case AGGREGATE_DISTINCT:
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

static void emit_ranked(struct emit *m, const struct block *b, struct plan_block *out)
{
	out->seed_param = emit_add_param(m, NULL);
	wr_str(&m->w, "SELECT q.*, pg_catalog.row_number() OVER (PARTITION BY q.u ORDER BY pg_catalog.hash_record_extended(ROW(q.u");
	for (size_t i = 0; i < b->n_keys; i++)
		wr_fmt(&m->w, ", q.k%zu", i + 1);
	wr_fmt(&m->w, "), $%d::pg_catalog.int8)", out->seed_param);
	for (size_t i = 0; i < b->n_keys; i++)
		wr_fmt(&m->w, ", q.k%zu", i + 1);
	wr_str(&m->w, ") AS r FROM (");
	emit_inner(m, b);
	wr_str(&m->w, ") AS q");
}

static void emit_protected(struct emit *m, const struct block *b, bool ranked, bool count_units, struct plan_block *out)
{
	const char *separator = "";

	wr_str(&m->w, "SELECT ");
	for (size_t i = 0; i < b->n_keys; i++, separator = ", ")
		wr_fmt(&m->w, "%s(g.k%zu)::pg_catalog.text", separator, i + 1);
	if (count_units) {
		wr_fmt(&m->w, "%spg_catalog.count(*)::pg_catalog.text", separator);
		separator = ", ";
	}
	for (size_t i = 0; i < b->n_aggregates; i++, separator = ", ") {
		wr_fmt(&m->w, "%sCOALESCE(pg_catalog.sum(g.p%zu), 0)::pg_catalog.text", separator, i + 1);
		if (b->aggregates[i].kind == AGGREGATE_AVG)
			wr_fmt(&m->w, ", COALESCE(pg_catalog.sum(g.s%zu), 0)::pg_catalog.text", i + 1);
	}
	wr_str(&m->w, " FROM (");
	if (ranked)
		emit_ranked(m, b, out);
	else
		emit_inner(m, b);
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
	static const char *const functions[] = { [AGGREGATE_ROWS] = "count", [AGGREGATE_COUNT] = "count", [AGGREGATE_UNITS] = "count",
						 [AGGREGATE_DISTINCT] = "count", [AGGREGATE_SUM] = "sum", [AGGREGATE_AVG] = "avg" };
	bool distinct = g->kind == AGGREGATE_DISTINCT || g->kind == AGGREGATE_UNITS;

	wr_fmt(&m->w, "pg_catalog.%s(%s", functions[g->kind], distinct ? "DISTINCT " : "");
	if (!g->arg)
		wr_str(&m->w, "*");
	else if (g->kind == AGGREGATE_SUM || g->kind == AGGREGATE_AVG)
		emit_number(m, g->arg);
	else
		emit_expr(m, g->arg);
	wr_str(&m->w, ")");
	emit_filter(m, g, NULL);
	wr_str(&m->w, "::pg_catalog.text");
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
		for (size_t j = 0; t->rule == RULE_AGGREGATION && j < t->aggregation.n_constraints; j++, separator = ", ")
			wr_fmt(&m->w, "%spg_catalog.count(DISTINCT t%zu.c%zu)::pg_catalog.text", separator, b->rel.scans[i]->number,
			       t->aggregation.constraints[j].column + 1);
	}
	emit_from_where(m, &b->rel, "");
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
		if (b->aggregates[i].filter)
			emit_mark(b->aggregates[i].filter);
	}
	if (b->unit)
		emit_mark(b->unit);
	for (size_t i = 0; i < b->rel.n_scans; i++) {
		struct scan *s = b->rel.scans[i];
		for (size_t j = 0; j < s->n_on; j++)
			emit_mark(s->on[j]);
		for (size_t j = 0; s->table->rule == RULE_AGGREGATION && j < s->table->aggregation.n_constraints; j++)
			s->used[s->table->aggregation.constraints[j].column] = true;
	}
}

bool block_emit(struct block *b, bool ranked, bool count_units, struct plan_block *out, struct error *e)
{
	struct emit m;

	emit_init(&m, b->planning);
	mark_columns(b);
	if (b->dp)
		emit_protected(&m, b, ranked, count_units, out);
	else
		emit_exact(&m, b);
	if (!emit_finish(&m, &out->sql, e))
		return false;
	out->params = m.params;
	out->n_params = m.n_params;
	return true;
}
