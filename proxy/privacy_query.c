#include "proxy/privacy_query.h"

#include "base/text.h"

enum { KEY_VALUES = 1000 /* of a column that the policy does not limit */ };

bool query_private_keys(enum probe_kind kind)
{
	return kind == PROBE_SELECTION || kind == PROBE_LONE;
}

/* --- columns ------------------------------------------------------------------------------------------------------------------------- */

static bool is_integer(enum sql_type t)
{
	return t == TYPE_INT2 || t == TYPE_INT4 || t == TYPE_INT8;
}

static bool usable(const struct policy_table *t, size_t i)
{
	const struct policy_column *c = &t->columns[i];

	return i != t->unit_column && !c->unique && c->encoding == ENCODING_CLEARTEXT;
}

/* How many public groups the column can give. */
static size_t key_values(const struct policy_column *c)
{
	i128 lo, hi;

	if (c->values)
		return c->n_values;
	if (is_integer(c->type) && c->has_bounds) {
		if (!decimal_ceil_div(c->lo, (struct decimal){ 1, 0 }, &lo) || !decimal_floor_div(c->hi, (struct decimal){ 1, 0 }, &hi) || hi < lo)
			return 0;
		return hi - lo >= KEY_VALUES ? KEY_VALUES : (size_t)(hi - lo) + 1;
	}
	return is_integer(c->type) || c->type == TYPE_TEXT || c->type == TYPE_DATE ? KEY_VALUES : 0;
}

size_t query_groups_available(const struct probe *p)
{
	if (p->key == p->table->n_columns)
		return 0;
	return query_private_keys(p->kind) ? KEY_VALUES : key_values(&p->table->columns[p->key]);
}

/* The column to group by: the most groups, and first those that are measured by nobody. */
static size_t pick_key(const struct policy_table *t, size_t not)
{
	size_t best = t->n_columns, most = 0;

	for (size_t i = 0; i < t->n_columns; i++) {
		const size_t n = i != not && usable(t, i) ? key_values(&t->columns[i]) : 0;
		if (n > most) {
			most = n;
			best = i;
		}
	}
	return best;
}

/* A bounded number with the widest range that is not the best key, if there is a choice. */
static size_t pick_measure(const struct policy_table *t)
{
	const size_t key = pick_key(t, t->n_columns);
	size_t best = t->n_columns;

	for (size_t i = 0; i < t->n_columns; i++) {
		if (usable(t, i) && t->columns[i].has_bounds && !t->columns[i].values && (best == t->n_columns || best == key))
			best = i;
	}
	return best;
}

/* A number without bounds. */
static size_t pick_wide(const struct policy_table *t)
{
	for (size_t i = 0; i < t->n_columns; i++) {
		const struct policy_column *c = &t->columns[i];
		if (usable(t, i) && !c->has_bounds && !c->values && (c->type == TYPE_INT4 || c->type == TYPE_INT8 || c->type == TYPE_NUMERIC || c->type == TYPE_FLOAT8))
			return i;
	}
	return t->n_columns;
}

/* A quantile's tree has the fewer levels to share its noise the narrower the bounds are. */
static size_t pick_narrow(const struct policy_table *t)
{
	size_t best = t->n_columns;
	double least = 0;

	for (size_t i = 0; i < t->n_columns; i++) {
		const struct policy_column *c = &t->columns[i];
		const double width = (decimal_double(c->hi) - decimal_double(c->lo)) / decimal_double(c->grid);
		if (usable(t, i) && c->has_bounds && !c->values && (best == t->n_columns || width < least)) {
			best = i;
			least = width;
		}
	}
	return best;
}

/* What is counted distinct, and what a private key is: a column with as many values as there are rows. */
static size_t pick_free(const struct policy_table *t, size_t not)
{
	static const enum sql_type types[] = { TYPE_TEXT, TYPE_INT4, TYPE_INT8, TYPE_DATE, TYPE_TIMESTAMP };

	for (size_t k = 0; k < ARRAY_LEN(types); k++) {
		for (size_t i = 0; i < t->n_columns; i++) {
			const struct policy_column *c = &t->columns[i];
			if (usable(t, i) && i != not && c->type == types[k] && !c->values && !c->has_bounds)
				return i;
		}
	}
	return t->n_columns;
}

/* --- text ------------------------------------------------------------------------------------------------------------------------------ */

static void put_table(struct wr *w, const struct policy_table *t)
{
	wr_sql_name(w, t->schema);
	wr_str(w, ".");
	wr_sql_name(w, t->name);
}

/* The text of group g as an answer shows it. */
static const char *group_text(struct arena *a, const struct policy_column *c, size_t g)
{
	i128 lo = 1;

	if (c->values)
		return c->values[g];
	if (c->type == TYPE_TEXT)
		return arena_printf(a, "g%05zu", g);
	if (c->type == TYPE_DATE || c->type == TYPE_TIMESTAMP) { /* 28 days a month, 12 months a year: all exist */
		const char *clock = c->type == TYPE_TIMESTAMP ? " 00:00:00" : "";
		return arena_printf(a, "%04zu-%02zu-%02zu%s", 2000 + g / 336, 1 + g / 28 % 12, 1 + g % 28, clock);
	}
	if (c->has_bounds && !decimal_ceil_div(c->lo, (struct decimal){ 1, 0 }, &lo))
		return NULL;
	return arena_printf(a, "%lld", (long long)lo + (long long)g);
}

bool query_groups(struct arena *a, struct probe *p, size_t n, struct error *e)
{
	p->groups = arena_array(a, n + 1, const char *);
	for (size_t g = 0; p->groups && g < n; g++) {
		p->groups[g] = group_text(a, &p->table->columns[p->key], g);
		if (!p->groups[g])
			return fail_memory(e);
	}
	p->n_groups = n;
	return p->groups ? true : fail_memory(e);
}

/* WHERE that makes the key's domain public. */
static void put_condition(struct wr *w, const struct probe *p, const char *alias)
{
	const struct policy_column *c = &p->table->columns[p->key];

	if (query_private_keys(p->kind) || c->values)
		return;
	wr_fmt(w, " WHERE %s", alias);
	wr_sql_name(w, c->name);
	if (is_integer(c->type)) {
		wr_fmt(w, " BETWEEN %s AND %s", p->groups[0], p->groups[p->n_groups - 1]);
		return;
	}
	wr_str(w, " IN (");
	for (size_t g = 0; g < p->n_groups; g++) {
		wr_str(w, g > 0 ? ", " : "");
		wr_sql_literal(w, p->groups[g]);
	}
	wr_str(w, ")");
}

static void put_column(struct wr *w, const struct probe *p, const char *alias, size_t column)
{
	wr_str(w, alias);
	wr_sql_name(w, p->table->columns[column].name);
}

static void put_value(struct wr *w, const struct probe *p, const char *alias)
{
	switch (p->kind) {
	case PROBE_UNITS:
		wr_str(w, "count(DISTINCT ");
		put_column(w, p, alias, p->table->unit_column);
		break;
	case PROBE_DISTINCT:
		wr_str(w, "count(DISTINCT ");
		put_column(w, p, alias, p->measure);
		break;
	case PROBE_TWO:
	case PROBE_SUM:
	case PROBE_WIDE:
		wr_str(w, p->kind == PROBE_TWO ? "count(*), sum(" : "sum(");
		put_column(w, p, alias, p->measure);
		break;
	case PROBE_AVG:
		wr_str(w, "avg(");
		put_column(w, p, alias, p->measure);
		break;
	case PROBE_STDDEV:
		wr_str(w, "stddev_pop(");
		put_column(w, p, alias, p->measure);
		break;
	case PROBE_MEDIAN:
		wr_str(w, "percentile_disc(0.5) WITHIN GROUP (ORDER BY ");
		put_column(w, p, alias, p->measure);
		break;
	default:
		wr_str(w, "count(*");
	}
	wr_str(w, ")");
}

/*
 * A person's own rows are counted first, then these counts are added up.  Where there is a column to tell the rows of a person apart, a person has as many
 * large counts as the price allows for; else one, of which only a part of the price can be seen.
 */
static void put_subselect(struct wr *w, const struct probe *p)
{
	const bool keys = p->groups != NULL, apart = p->measure < p->table->n_columns;

	wr_str(w, "SELECT ");
	if (keys) {
		put_column(w, p, "x.", p->key);
		wr_str(w, ", ");
	}
	wr_fmt(w, "sum(least(x.n, %lld)) FROM (SELECT ", (long long)p->table->max_rows);
	put_column(w, p, "", p->table->unit_column);
	if (apart) {
		wr_str(w, ", ");
		put_column(w, p, "", p->measure);
	}
	if (keys) {
		wr_str(w, ", ");
		put_column(w, p, "", p->key);
	}
	wr_str(w, ", count(*) AS n FROM ");
	put_table(w, p->table);
	if (keys)
		put_condition(w, p, "");
	wr_str(w, " GROUP BY 1");
	wr_str(w, apart && keys ? ", 2, 3) x" : apart || keys ? ", 2) x" : ") x");
	if (keys) {
		put_condition(w, p, "x.");
		wr_str(w, " GROUP BY 1");
	}
}

const char *query_sql(struct arena *a, const struct probe *p)
{
	const char *alias = p->other ? "a." : "";
	struct wr w;

	wr_init(&w, a, 1 << 20);
	if (p->kind == PROBE_SUBSELECT) {
		put_subselect(&w, p);
		return wr_ok(&w) ? wr_text(&w) : NULL;
	}
	wr_str(&w, "SELECT ");
	if (p->groups) {
		put_column(&w, p, alias, p->key);
		wr_str(&w, ", ");
	}
	put_value(&w, p, alias);
	wr_str(&w, " FROM ");
	put_table(&w, p->table);
	if (p->other) {
		wr_str(&w, " a JOIN ");
		put_table(&w, p->other);
		wr_str(&w, " b ON ");
		put_column(&w, p, "a.", p->table->unit_column);
		wr_str(&w, " = b.");
		wr_sql_name(&w, p->other->columns[p->other->unit_column].name);
	}
	if (p->groups) {
		put_condition(&w, p, alias);
		wr_str(&w, " GROUP BY 1");
	}
	return wr_ok(&w) ? wr_text(&w) : NULL;
}

bool query_columns(struct probe *p)
{
	const struct policy_table *t = p->table;
	const bool direct = !t->via && t->columns[t->unit_column].encoding != ENCODING_SEALED;

	p->n_values = p->kind == PROBE_TWO ? 2 : 1;
	p->measure = t->n_columns;
	switch (p->kind) {
	case PROBE_SUM:
	case PROBE_AVG:
	case PROBE_TWO:
	case PROBE_STDDEV:
		p->measure = pick_measure(t);
		break;
	case PROBE_MEDIAN:
		p->measure = pick_narrow(t);
		break;
	case PROBE_WIDE:
		p->measure = pick_wide(t);
		break;
	case PROBE_DISTINCT:
		p->measure = pick_free(t, t->n_columns);
		break;
	case PROBE_SUBSELECT:
		if (t->max_rows > 1)
			p->measure = pick_free(t, pick_key(t, t->n_columns));
		if (!direct)
			return false;
		break;
	case PROBE_UNITS:
	case PROBE_JOIN:
		if (!direct)
			return false;
		break;
	default:
		break;
	}
	const bool private_keys = query_private_keys(p->kind);
	p->key = private_keys ? pick_free(t, t->n_columns) : pick_key(t, p->measure);
	const bool measures = p->kind != PROBE_COUNT && p->kind != PROBE_PLAIN && p->kind != PROBE_UNITS && p->kind != PROBE_SUBSELECT &&
			      p->kind != PROBE_JOIN && p->kind != PROBE_GROUPS && !private_keys;
	return (!measures || p->measure < t->n_columns) && (!private_keys || p->key < t->n_columns);
}
