#include "planner/facts.h"

#include "base/text.h"
#include "planner/calendar.h"
#include "planner/functions.h"

static bool is_time(enum sql_type t)
{
	return t == TYPE_DATE || t == TYPE_TIMESTAMP;
}

/* A date compared with a timestamp stands inside a cast that keeps the order. */
static const struct expr *inside_cast(const struct expr *x)
{
	bool widened = x->kind == EXPR_CALL && x->n_args == 1 && x->function->args[0] == ARG_NONE && x->type == TYPE_TIMESTAMP &&
		       x->args[0]->type == TYPE_DATE;

	return widened ? x->args[0] : x;
}

/* x on one side and a constant on the other: the constant and the operator as if x stood left. */
static const struct expr *compared_with(const struct expr *c, const struct expr *x, const char **op)
{
	static const char *const mirrored[][2] = { { "=", "=" }, { "<", ">" }, { ">", "<" }, { "<=", ">=" }, { ">=", "<=" } };

	if (c->kind != EXPR_COMPARE)
		return NULL;
	for (size_t i = 0; i < 2; i++) {
		const struct expr *k = c->args[1 - i];
		bool told = (k->kind == EXPR_CONST && k->text) || k->kind == EXPR_UNKNOWN_PARAM;
		if (!told || !expr_equal(inside_cast(c->args[i]), x))
			continue;
		for (size_t j = 0; j < ARRAY_LEN(mirrored); j++) {
			if (text_eq(c->op, mirrored[j][0])) {
				*op = mirrored[j][i];
				return k;
			}
		}
	}
	return NULL;
}

static void bound_number(struct facts *f, const struct expr *x, const char *op, struct decimal d)
{
	const struct decimal one = { 1, 0 };
	int order;

	if (type_is_integer(x->type)) { /* x > 3.5 is x >= 4; x > 3 too */
		i128 q;
		bool lower = op[0] == '>' || op[0] == '=', upper = op[0] == '<' || op[0] == '=';
		bool open = op[0] != '=' && op[1] != '=';
		if (lower && decimal_ceil_div(d, one, &q)) {
			struct decimal lo = { q, 0 };
			if (open && decimal_compare(lo, d, &order) && order == 0)
				lo.digits++;
			if (!f->has_lo || (decimal_compare(lo, f->lo, &order) && order > 0))
				f->lo = lo;
			f->has_lo = true;
		}
		if (upper && decimal_floor_div(d, one, &q)) {
			struct decimal hi = { q, 0 };
			if (open && decimal_compare(hi, d, &order) && order == 0)
				hi.digits--;
			if (!f->has_hi || (decimal_compare(hi, f->hi, &order) && order < 0))
				f->hi = hi;
			f->has_hi = true;
		}
		return;
	}
	if (op[0] == '>' || op[0] == '=') {
		if (!f->has_lo || (decimal_compare(d, f->lo, &order) && order > 0))
			f->lo = d;
		f->has_lo = true;
	}
	if (op[0] == '<' || op[0] == '=') {
		if (!f->has_hi || (decimal_compare(d, f->hi, &order) && order < 0))
			f->hi = d;
		f->has_hi = true;
	}
}

static void bound_time(struct facts *f, const char *op, int64_t micros)
{
	bool open = op[0] != '=' && op[1] != '=';

	if (op[0] == '>' || op[0] == '=') {
		int64_t lo = micros + open;
		f->lo_micros = !f->has_lo || lo > f->lo_micros ? lo : f->lo_micros;
		f->has_lo = true;
	}
	if (op[0] == '<' || op[0] == '=') {
		int64_t hi = micros - open;
		f->hi_micros = !f->has_hi || hi < f->hi_micros ? hi : f->hi_micros;
		f->has_hi = true;
	}
}

static void note_compare(struct facts *f, const struct expr *x, const struct expr *k, const char *op)
{
	struct decimal d;
	int64_t micros;

	f->not_null = true;
	if (k->kind == EXPR_UNKNOWN_PARAM) { /* only describing: any bounds will do */
		if (sql_type_is_number(x->type) && sql_type_is_number(k->type))
			bound_number(f, x, op, (struct decimal){ 0 });
		return;
	}
	if (sql_type_is_number(x->type) && sql_type_is_number(k->type) && decimal_parse(k->text, &d))
		bound_number(f, x, op, d);
	else if (is_time(x->type) && is_time(k->type) && calendar_read(k->text, &micros))
		bound_time(f, op, micros);
}

/* x = c, or an OR of such: the constants.  Numbers but integers have several spellings and are left to their bounds. */
static bool listed(const struct expr *c, const struct expr *x, const char **values, size_t *n, size_t cap)
{
	const char *op;

	if (c->kind == EXPR_OR && c->n_args > 0) {
		for (size_t i = 0; i < c->n_args; i++) {
			if (!listed(c->args[i], x, values, n, cap))
				return false;
		}
		return true;
	}
	const struct expr *k = compared_with(c, x, &op);
	bool same = k && k->text && (k->type == x->type || (type_is_integer(k->type) && type_is_integer(x->type)));
	if (!same || op[0] != '=' || *n == cap)
		return false;
	bool plain = type_is_integer(x->type) || x->type == TYPE_TEXT || x->type == TYPE_DATE;
	if (!plain)
		return false;
	for (size_t i = 0; i < *n; i++) {
		if (text_eq(values[i], k->text))
			return true;
	}
	values[(*n)++] = k->text;
	return true;
}

static size_t count_leaves(const struct expr *c)
{
	size_t n = 0;

	for (size_t i = 0; c->kind == EXPR_OR && i < c->n_args; i++)
		n += count_leaves(c->args[i]);
	return c->kind == EXPR_OR ? n : 1;
}

/* Keeps what both lists name, in the order of the first. */
static void intersect(struct facts *f, const char **values, size_t n)
{
	const char **kept = values;
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		bool both = !f->values;
		for (size_t j = 0; f->values && j < f->n_values && !both; j++)
			both = text_eq(f->values[j], values[i]);
		if (both)
			kept[count++] = values[i];
	}
	f->values = kept;
	f->n_values = count;
}

/* The tighter of what is known and what the query says; a range that no value fits is left as it was. */
void facts_narrow(const struct rel *r, struct expr *x)
{
	struct range *known = &x->range;
	struct range n = *known;
	struct facts f;
	int order;

	if (!sql_type_is_number(x->type))
		return;
	facts_bounds(r, x, &f);
	if (!f.has_lo && !f.has_hi)
		return;
	if (!known->known && !(f.has_lo && f.has_hi))
		return;
	if (f.has_lo && (!known->known || (decimal_compare(f.lo, n.lo, &order) && order > 0)))
		n.lo = f.lo;
	if (f.has_hi && (!known->known || (decimal_compare(f.hi, n.hi, &order) && order < 0)))
		n.hi = f.hi;
	if (!known->known) {
		int scale = f.lo.scale > f.hi.scale ? f.lo.scale : f.hi.scale;
		n.known = true;
		if (n.grid.digits <= 0)
			n.grid = (struct decimal){ 1, type_is_integer(x->type) ? 0 : scale > 2 ? scale : 2 };
	}
	if (decimal_compare(n.lo, n.hi, &order) && order <= 0)
		*known = n;
}

void facts_bounds(const struct rel *r, const struct expr *x, struct facts *out)
{
	const char *op;

	*out = (struct facts){ 0 };
	for (size_t i = 0; i < r->n_conjuncts; i++) {
		const struct expr *k = compared_with(r->conjuncts[i], x, &op);
		if (k)
			note_compare(out, x, k, op);
	}
}

bool facts_find(const struct rel *r, const struct expr *x, struct facts *out, struct error *e)
{
	facts_bounds(r, x, out);
	for (size_t i = 0; i < r->n_conjuncts; i++) {
		const struct expr *c = r->conjuncts[i];
		const char *op;
		size_t n = 0, cap = count_leaves(c);
		if (c->kind != EXPR_OR && !compared_with(c, x, &op))
			continue;
		const char **values = arena_array(r->planning->arena, cap ? cap : 1, const char *);
		if (!values)
			return fail_memory(e);
		if (!listed(c, x, values, &n, cap))
			continue;
		out->not_null = true;
		intersect(out, values, n);
	}
	return true;
}
