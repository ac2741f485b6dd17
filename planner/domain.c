/*
 * Public domains of group keys: from the policy (values, bounds of integers), from the kind of expression (booleans, months, CASE over constants),
 * and from conditions on constants (region IN (...), day BETWEEN ...).  Never from data: with a public domain every group appears and no delta is spent.
 */
#include "planner/block_parts.h"

#include "base/text.h"
#include "planner/calendar.h"
#include "planner/facts.h"

enum { DECLARED_MAX = 1000, /* values of an integer that only the policy bounds */
       INFERRED_MAX = 10000 /* values that the query asks for */ };

struct domain {
	struct arena *arena;
	const char **values;
	size_t n, cap;
	bool failed;
};

static void add(struct domain *d, const char *value)
{
	const char **grown = arena_grow(d->arena, d->values, d->n, &d->cap, sizeof(*grown));

	if (!grown) {
		d->failed = true;
		return;
	}
	d->values = grown;
	d->values[d->n++] = value;
}

static void add_once(struct domain *d, const char *value)
{
	for (size_t i = 0; i < d->n; i++) {
		if (text_eq(d->values[i], value))
			return;
	}
	add(d, value);
}

static void add_number(struct domain *d, i128 v)
{
	const char *text = arena_printf(d->arena, "%lld", (long long)v);

	d->failed = d->failed || !text;
	add(d, text);
}

static bool finish(struct key *k, const struct domain *d, bool closed, struct error *e)
{
	if (d->failed)
		return fail_memory(e);
	k->domain = d->values;
	k->n_domain = d->n;
	k->closed = closed;
	return true;
}

/* A key that is a policy's column, not made NULL by an outer join. */
static const struct policy_column *declared(const struct expr *x)
{
	return x->kind == EXPR_COLUMN && !x->scan->nullable ? expr_policy_column(x) : NULL;
}

static bool is_in(const struct facts *f, const char *value)
{
	bool found = !f->values;

	for (size_t i = 0; i < f->n_values && !found; i++)
		found = text_eq(f->values[i], value);
	return found;
}

static bool from_values(struct domain *d, struct key *k, const struct facts *f, struct error *e)
{
	const struct policy_column *c = declared(k->expr);

	for (size_t i = 0; i < c->n_values; i++) {
		if (is_in(f, c->values[i]))
			add(d, c->values[i]);
	}
	add_number(d, 0); /* memory for an empty domain too */
	d->n--;
	return finish(k, d, false, e);
}

static bool integer_range(const struct expr *x, const struct facts *f, i128 *lo, i128 *hi, bool *inferred)
{
	const struct policy_column *c = declared(x);
	bool bounded = c && c->has_bounds;
	int order;

	*inferred = f->has_lo && f->has_hi;
	if (!*inferred && !bounded)
		return false;
	struct decimal low = f->has_lo ? f->lo : c->lo, high = f->has_hi ? f->hi : c->hi;
	if (!*inferred && f->has_lo && decimal_compare(c->lo, low, &order) && order > 0)
		low = c->lo;
	if (!*inferred && f->has_hi && decimal_compare(c->hi, high, &order) && order < 0)
		high = c->hi;
	return decimal_ceil_div(low, (struct decimal){ 1, 0 }, lo) && decimal_floor_div(high, (struct decimal){ 1, 0 }, hi);
}

static bool from_integers(struct domain *d, struct key *k, const struct facts *f, struct error *e)
{
	i128 lo, hi;
	bool inferred;

	if (!integer_range(k->expr, f, &lo, &hi, &inferred) || hi < lo || hi - lo >= (inferred ? INFERRED_MAX : DECLARED_MAX))
		return true;
	for (i128 v = lo; v <= hi; v++)
		add_number(d, v);
	if (!f->not_null)
		add(d, NULL);
	return finish(k, d, inferred, e);
}

static int64_t floor_days(int64_t micros)
{
	return micros / MICROS_PER_DAY - (micros % MICROS_PER_DAY < 0);
}

static bool from_days(struct domain *d, struct key *k, const struct facts *f, struct error *e)
{
	if (!f->has_lo || !f->has_hi)
		return true;
	int64_t lo = -floor_days(-f->lo_micros), hi = floor_days(f->hi_micros);
	if (hi < lo || hi - lo >= INFERRED_MAX)
		return true;
	for (int64_t day = lo; day <= hi; day++)
		add(d, calendar_date(d->arena, day));
	return finish(k, d, true, e);
}

static bool is_utc(const struct planning *p)
{
	static const char *const names[] = { "UTC", "Etc/UTC", "GMT", "Z", "UCT", "Zulu" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (text_eq_nocase(p->settings->timezone, names[i]))
			return true;
	}
	return false;
}

/* date_trunc over a bounded range.  Over dates the result has a time zone; its text is known only where the zone has no offset. */
static bool from_trunc(struct domain *d, struct key *k, const struct block *b, struct error *e)
{
	const struct expr *unit = k->expr->args[0], *x = k->expr->args[1];
	bool zoned = k->expr->type == TYPE_TIMESTAMPTZ;
	struct facts f;
	int64_t at;

	if ((x->type != TYPE_DATE && x->type != TYPE_TIMESTAMP) || (zoned && !is_utc(b->planning)))
		return true;
	facts_bounds(&b->rel, x, &f);
	if (!f.has_lo || !f.has_hi || f.hi_micros < f.lo_micros || !calendar_trunc(unit->text, f.lo_micros, &at))
		return true;
	for (bool more = true; more && at <= f.hi_micros; more = calendar_next(unit->text, at, &at)) {
		const char *text = calendar_timestamp(d->arena, at);
		if (!text || d->n == INFERRED_MAX)
			return true;
		add(d, zoned ? arena_printf(d->arena, "%s+00", text) : text);
	}
	return finish(k, d, true, e);
}

/* extract(month from ...) and its like have few values whatever the rows are. */
static bool from_field(struct domain *d, struct key *k, const struct block *b, struct error *e)
{
	static const struct {
		const char *field;
		int lo, hi;
	} fields[] = { { "month", 1, 12 }, { "quarter", 1, 4 }, { "dow", 0, 6 },   { "isodow", 1, 7 }, { "day", 1, 31 },
		       { "doy", 1, 366 },  { "week", 1, 53 },	{ "hour", 0, 23 }, { "minute", 0, 59 } };
	const struct expr *field = k->expr->args[0], *x = k->expr->args[1];
	struct facts f;

	facts_bounds(&b->rel, x, &f);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (!text_eq_nocase(field->text, fields[i].field))
			continue;
		for (int v = fields[i].lo; v <= fields[i].hi; v++)
			add_number(d, v);
		add(d, NULL);
		return finish(k, d, true, e);
	}
	if (!text_eq_nocase(field->text, "year") || x->type == TYPE_TIMESTAMPTZ || !f.has_lo || !f.has_hi || f.hi_micros < f.lo_micros)
		return true;
	int first = calendar_civil(floor_days(f.lo_micros)).year, last = calendar_civil(floor_days(f.hi_micros)).year;
	for (int year = first; year <= last; year++)
		add_number(d, year);
	return finish(k, d, true, e);
}

/* CASE whose results are constants. */
static bool from_case(struct domain *d, struct key *k, struct error *e)
{
	const struct expr *x = k->expr;
	bool plain = type_is_integer(x->type) || x->type == TYPE_TEXT;

	for (size_t i = 1; plain && i <= x->n_args; i += 2) {
		const struct expr *result = x->args[i < x->n_args ? i : x->n_args - 1];
		if (result->kind != EXPR_CONST)
			return true;
		add_once(d, result->text);
	}
	return plain ? finish(k, d, true, e) : true;
}

static bool is_call(const struct expr *x, const char *name, const char *other)
{
	return x->kind == EXPR_CALL && x->n_args == 2 && (text_eq(x->function->name, name) || text_eq(x->function->name, other)) &&
	       x->args[0]->kind == EXPR_CONST && x->args[0]->text;
}

bool block_key_domain(struct block *b, struct key *k, struct error *e)
{
	static const char *const booleans[] = { "false", "true", NULL };
	struct domain d = { .arena = b->planning->arena };
	const struct policy_column *c = declared(k->expr);
	struct facts f;

	k->domain = NULL;
	if (k->expr->kind == EXPR_CONST) {
		add(&d, k->expr->text);
		return finish(k, &d, true, e);
	}
	if (k->expr->type == TYPE_BOOL) {
		k->domain = booleans;
		k->n_domain = ARRAY_LEN(booleans);
		k->closed = true;
		return true;
	}
	if (!facts_find(&b->rel, k->expr, &f, e))
		return false;
	if (c && c->values)
		return from_values(&d, k, &f, e);
	if (f.values) {
		k->domain = f.values;
		k->n_domain = f.n_values;
		k->closed = true;
		return true;
	}
	if (k->expr->kind == EXPR_COLUMN && expr_policy_column(k->expr)->domain && k->expr->scan->table->rule == RULE_PUBLIC && !k->expr->scan->derived) {
		k->asked = true;
		return true;
	}
	if (k->expr->kind == EXPR_CASE)
		return from_case(&d, k, e);
	if (is_call(k->expr, "date_trunc", "date_trunc"))
		return from_trunc(&d, k, b, e);
	if (is_call(k->expr, "extract", "date_part"))
		return from_field(&d, k, b, e);
	if (type_is_integer(k->expr->type))
		return from_integers(&d, k, &f, e);
	return k->expr->type == TYPE_DATE ? from_days(&d, k, &f, e) : true;
}

bool block_all_public(const struct block *b, size_t *product, bool *asked)
{
	*product = 1;
	*asked = false;
	for (size_t i = 0; i < b->n_keys; i++) {
		const struct key *k = &b->keys[i];
		if (!k->domain && !k->asked)
			return false;
		*asked = *asked || k->asked;
		if (!k->asked && __builtin_mul_overflow(*product, k->n_domain, product))
			*product = SIZE_MAX;
	}
	return true;
}

/* Every column of x belongs to this scan. */
static bool only_of(const struct expr *x, const struct scan *s)
{
	bool own = x->kind != EXPR_UNIT && x->kind != EXPR_IN_SELECT && (x->kind != EXPR_COLUMN || x->scan == s);

	for (size_t i = 0; own && i < x->n_args; i++)
		own = only_of(x->args[i], s);
	return own;
}

/* The public table alone, with those conditions that concern it alone: nothing of a protected table is read. */
bool block_domain_sql(const struct block *b, const struct key *k, struct plan_domain *out, struct error *e)
{
	struct arena *a = b->planning->arena;
	struct scan *s = arena_new(a, struct scan);
	struct expr *x = expr_copy(a, k->expr);
	struct rel r = { .planning = b->planning, .n_scans = 1, .scans = &s };
	struct emit m;

	if (!s || !x)
		return fail_memory(e);
	*s = *k->expr->scan;
	s->nullable = false;
	r.conjuncts = arena_array(a, b->rel.n_conjuncts + s->n_on + 1, struct expr *);
	if (!r.conjuncts)
		return fail_memory(e);
	for (size_t i = 0; i < b->rel.n_conjuncts; i++) {
		if (only_of(b->rel.conjuncts[i], k->expr->scan))
			r.conjuncts[r.n_conjuncts++] = b->rel.conjuncts[i];
	}
	for (size_t i = 0; i < k->expr->scan->n_on; i++) {
		if (only_of(k->expr->scan->on[i], k->expr->scan))
			r.conjuncts[r.n_conjuncts++] = k->expr->scan->on[i];
	}
	x->scan = s;
	s->used[x->column] = true;
	emit_init(&m, b->planning);
	wr_str(&m.w, "SELECT DISTINCT (");
	if (x->type == TYPE_NUMERIC) {
		wr_str(&m.w, "pg_catalog.trim_scale(");
		emit_number(&m, x);
		wr_str(&m.w, ")");
	} else {
		emit_expr(&m, x);
	}
	wr_str(&m.w, ")::pg_catalog.text COLLATE pg_catalog.\"C\" AS v");
	emit_from_where(&m, &r, " ORDER BY v");
	if (!emit_finish(&m, &out->sql, e))
		return false;
	out->params = m.params;
	out->n_params = m.n_params;
	out->with_null = k->expr->scan->nullable;
	return true;
}
