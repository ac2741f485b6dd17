#include "planner/bind.h"

#include "base/mem.h"
#include "base/text.h"
#include "planner/derived.h"
#include "planner/semijoin.h"
#include "planner/temporal.h"

#include <string.h>

typedef PgQuery__Node Node;

struct expr *expr_make(const struct binder *b, enum expr_kind kind, enum sql_type type, int location, size_t n_args)
{
	struct arena *a = b->rel->planning->arena;
	struct expr *x = arena_new(a, struct expr);

	if (!x)
		return NULL;
	*x = (struct expr){ .kind = kind, .type = type, .location = location, .n_args = n_args };
	x->args = arena_array(a, n_args ? n_args : 1, struct expr *);
	return x->args ? x : NULL;
}

static bool refuse(const struct binder *b, int location, struct error *e, const char *rule, const char *message, const char *hint)
{
	fail(e, ERR_SYNTAX, "%s", message);
	error_rule(e, rule);
	error_hint(e, "%s", hint);
	return planning_at(b->rel->planning, location, e);
}

static bool bind_column(const struct binder *b, const PgQuery__ColumnRef *c, struct expr **out, struct error *e)
{
	const char *parts[3] = { NULL, NULL, NULL };
	size_t n = c->n_fields;

	if (n > 3)
		return refuse(b, c->location, e, "names", "column references have at most schema, table and column", "Write table.column.");
	for (size_t i = 0; i < n; i++) {
		if (c->fields[i]->node_case != PG_QUERY__NODE__NODE_STRING)
			return refuse(b, c->location, e, "row-level output", "\"*\" is not allowed over protected rows",
				      "Name the columns, inside an aggregate or in GROUP BY.");
		parts[3 - n + i] = c->fields[i]->string->sval;
	}
	return names_find(b->rel, b->names, parts[0], parts[1], parts[2], c->location, out, e);
}

static bool bind_const(const struct binder *b, const PgQuery__AConst *c, struct expr **out, struct error *e)
{
	struct arena *a = b->rel->planning->arena;
	struct expr *x = expr_make(b, EXPR_CONST, TYPE_TEXT, c->location, 0);
	int64_t i;

	if (!x)
		return fail_memory(e);
	*out = x;
	if (c->isnull || c->val_case == PG_QUERY__A__CONST__VAL__NOT_SET) {
		x->untyped = true;
		return true;
	}
	switch (c->val_case) {
	case PG_QUERY__A__CONST__VAL_IVAL:
		x->type = TYPE_INT4;
		x->text = arena_printf(a, "%d", c->ival->ival);
		break;
	case PG_QUERY__A__CONST__VAL_FVAL:
		x->text = c->fval->fval;
		x->type = number_i64(x->text, INT64_MIN, INT64_MAX, &i) ? TYPE_INT8 : TYPE_NUMERIC;
		break;
	case PG_QUERY__A__CONST__VAL_BOOLVAL:
		x->type = TYPE_BOOL;
		x->text = c->boolval->boolval ? "true" : "false";
		return true;
	case PG_QUERY__A__CONST__VAL_SVAL:
		x->untyped = true;
		x->text = c->sval->sval;
		return true;
	default:
		return refuse(b, c->location, e, "literal", "bit strings are not supported", "Use an integer or text.");
	}
	if (!x->text)
		return fail_memory(e);
	enum sql_type t = x->type;
	x->untyped = true; /* to read it in its canonical form and give it its range */
	return bind_as(b, x, t, e);
}

static bool bind_param(const struct binder *b, const PgQuery__ParamRef *p, struct expr **out, struct error *e)
{
	const struct planning *pl = b->rel->planning;
	enum sql_type t;

	if (p->number < 1 || (size_t)p->number > pl->n_params) {
		fail(e, ERR_NO_PARAMETER, "there is no parameter $%d", p->number);
		return planning_at(pl, p->location, e);
	}
	const struct plan_param *v = &pl->params[p->number - 1];
	if (!type_from_oid(v->type_oid, &t)) {
		fail(e, ERR_TYPE, "parameter $%d has a type that is not supported over protected rows", p->number);
		error_rule(e, "types");
		error_hint(e, "Cast it: $%d::integer, $%d::text, $%d::date, ...", p->number, p->number, p->number);
		return planning_at(pl, p->location, e);
	}
	struct expr *x = expr_make(b, v->known ? EXPR_CONST : EXPR_UNKNOWN_PARAM, t, p->location, 0);
	if (!x)
		return fail_memory(e);
	x->column = (size_t)p->number;
	x->magnitude = 40;
	*out = x;
	if (!v->known && sql_type_is_number(t)) /* only describing: any bounds will do */
		x->range = (struct range){ .known = true, .grid = { 1, type_is_integer(t) ? 0 : 2 } };
	if (!v->known || !v->text)
		return true;
	x->text = v->text;
	x->untyped = true;
	if (!bind_as(b, x, t, e))
		return false;
	x->column = 0;
	return true;
}

/* The last part of a possibly pg_catalog-qualified name, or NULL when the qualifier is something else. */
static const char *catalog_name(size_t n, Node *const *parts)
{
	if (n == 0 || n > 2 || parts[n - 1]->node_case != PG_QUERY__NODE__NODE_STRING)
		return NULL;
	if (n == 2 && (parts[0]->node_case != PG_QUERY__NODE__NODE_STRING || !text_eq(parts[0]->string->sval, "pg_catalog")))
		return NULL;
	return parts[n - 1]->string->sval;
}

static bool bind_list(const struct binder *b, Node *const *nodes, size_t n, struct expr ***out, struct error *e)
{
	struct expr **args = arena_array(b->rel->planning->arena, n ? n : 1, struct expr *);

	if (!args)
		return fail_memory(e);
	for (size_t i = 0; i < n; i++) {
		if (!bind_expr(b, nodes[i], &args[i], e))
			return false;
	}
	*out = args;
	return true;
}

static const char *comparison(const char *op)
{
	static const char *const known[] = { "=", "<>", "<", "<=", ">", ">=" };

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (text_eq(op, known[i]))
			return known[i];
	}
	return text_eq(op, "!=") ? "<>" : NULL;
}

static bool bool_of(const struct binder *b, enum expr_kind kind, struct expr **args, size_t n, int location, struct expr **out,
		    struct error *e)
{
	struct expr *x = expr_make(b, kind, TYPE_BOOL, location, n);

	if (!x)
		return fail_memory(e);
	mem_copy(x->args, args, n * sizeof(*args));
	*out = x;
	return true;
}

static bool negate_if(const struct binder *b, bool negated, struct expr *x, struct expr **out, struct error *e)
{
	if (!negated) {
		*out = x;
		return true;
	}
	return bool_of(b, EXPR_NOT, &x, 1, x->location, out, e);
}

static bool bind_in(const struct binder *b, const PgQuery__AExpr *x, struct expr **out, struct error *e)
{
	const char *op = catalog_name(x->n_name, x->name);
	struct expr **tests = NULL, *left = NULL, *any = NULL;

	if (!op || x->rexpr->node_case != PG_QUERY__NODE__NODE_LIST)
		return refuse(b, x->location, e, "expressions", "this form of IN is not supported", "Write x IN (1, 2, 3).");
	const PgQuery__List *list = x->rexpr->list;
	if (!bind_expr(b, x->lexpr, &left, e) || !bind_list(b, list->items, list->n_items, &tests, e))
		return false;
	for (size_t i = 0; i < list->n_items; i++) {
		struct expr *l = expr_copy(b->rel->planning->arena, left);
		if (!l)
			return fail_memory(e);
		if (!bind_compare(b, "=", l, tests[i], x->location, &tests[i], e))
			return false;
	}
	if (!bool_of(b, EXPR_OR, tests, list->n_items, x->location, &any, e))
		return false;
	return negate_if(b, text_eq(op, "<>"), any, out, e);
}

static bool bind_between(const struct binder *b, const PgQuery__AExpr *x, struct expr **out, struct error *e)
{
	bool negated = x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN;
	struct expr *left = NULL, *again, **ends = NULL, *parts[2], *both = NULL;

	if (x->rexpr->node_case != PG_QUERY__NODE__NODE_LIST || x->rexpr->list->n_items != 2)
		return refuse(b, x->location, e, "expressions", "this form of BETWEEN is not supported", "Write x BETWEEN a AND b.");
	if (!bind_expr(b, x->lexpr, &left, e) || !bind_list(b, x->rexpr->list->items, 2, &ends, e))
		return false;
	again = expr_copy(b->rel->planning->arena, left);
	if (!again)
		return fail_memory(e);
	if (!bind_compare(b, ">=", left, ends[0], x->location, &parts[0], e) ||
	    !bind_compare(b, "<=", again, ends[1], x->location, &parts[1], e) ||
	    !bool_of(b, EXPR_AND, parts, 2, x->location, &both, e))
		return false;
	return negate_if(b, negated, both, out, e);
}

/* One of an array's elements: = ANY (ARRAY[1, 2]), or a literal '{1,2}' of plain elements. */
static bool any_elements(const struct binder *b, const Node *array, struct expr ***out, size_t *n, int location, struct error *e)
{
	struct arena *a = b->rel->planning->arena;

	if (array->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
		array = array->type_cast->arg;
	if (array->node_case == PG_QUERY__NODE__NODE_A_ARRAY_EXPR) {
		*n = array->a_array_expr->n_elements;
		return bind_list(b, array->a_array_expr->elements, *n, out, e);
	}
	const char *text = NULL;
	if (array->node_case == PG_QUERY__NODE__NODE_A_CONST && array->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL)
		text = array->a_const->sval->sval;
	size_t length = text ? strlen(text) : 0;
	if (length < 2 || text[0] != '{' || text[length - 1] != '}' || strpbrk(text + 1, "{\"\\"))
		return refuse(b, location, e, "arrays", "only constant arrays of plain elements may be compared over protected rows", "Write x IN (1, 2, 3).");
	*n = length == 2 ? 0 : 1;
	for (const char *c = text; *c; c++)
		*n += *c == ',';
	*out = arena_array(a, *n + 1, struct expr *);
	if (!*out)
		return fail_memory(e);
	const char *at = text + 1;
	for (size_t i = 0; i < *n; i++) {
		size_t size = strcspn(at, ",}");
		struct expr *x = expr_make(b, EXPR_CONST, TYPE_TEXT, location, 0);
		if (!x)
			return fail_memory(e);
		x->untyped = true;
		x->text = arena_printf(a, "%.*s", (int)size, at);
		if (!x->text)
			return fail_memory(e);
		(*out)[i] = x;
		at += size + 1;
	}
	return true;
}

static bool bind_any(const struct binder *b, const PgQuery__AExpr *x, struct expr **out, struct error *e)
{
	const char *op = catalog_name(x->n_name, x->name);
	struct expr **tests = NULL, *left, *copy;
	size_t n = 0;

	if (!op || !text_eq(op, "="))
		return refuse(b, x->location, e, "arrays", "only = ANY (array) is supported over protected rows", "Write x IN (1, 2, 3).");
	if (!bind_expr(b, x->lexpr, &left, e) || !any_elements(b, x->rexpr, &tests, &n, x->location, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		copy = expr_copy(b->rel->planning->arena, left);
		if (!copy)
			return fail_memory(e);
		if (!bind_compare(b, "=", copy, tests[i], x->location, &tests[i], e))
			return false;
	}
	return bool_of(b, EXPR_OR, tests, n, x->location, out, e);
}

/* BETWEEN SYMMETRIC: either order of the ends. */
static bool bind_symmetric(const struct binder *b, const PgQuery__AExpr *x, struct expr **out, struct error *e)
{
	bool negated = x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM;
	struct expr *either[2], *any = NULL;

	if (x->rexpr->node_case != PG_QUERY__NODE__NODE_LIST || x->rexpr->list->n_items != 2)
		return refuse(b, x->location, e, "expressions", "this form of BETWEEN is not supported", "Write x BETWEEN a AND b.");
	for (size_t i = 0; i < 2; i++) {
		struct expr *left, *again, *lo, *hi, *parts[2];
		if (!bind_expr(b, x->lexpr, &left, e) || !bind_expr(b, x->lexpr, &again, e) || !bind_expr(b, x->rexpr->list->items[i], &lo, e) ||
		    !bind_expr(b, x->rexpr->list->items[1 - i], &hi, e) || !bind_compare(b, ">=", left, lo, x->location, &parts[0], e) ||
		    !bind_compare(b, "<=", again, hi, x->location, &parts[1], e) || !bool_of(b, EXPR_AND, parts, 2, x->location, &either[i], e))
			return false;
	}
	return bool_of(b, EXPR_OR, either, 2, x->location, &any, e) && negate_if(b, negated, any, out, e);
}

/* x IS DISTINCT FROM y: never NULL. */
static bool bind_is_distinct(const struct binder *b, const PgQuery__AExpr *x, struct expr **out, struct error *e)
{
	bool negated = x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT;
	struct expr *l, *r, *equal = NULL, *nulls[2], *both = NULL, *parts[2], *same = NULL;

	if (!bind_expr(b, x->lexpr, &l, e) || !bind_expr(b, x->rexpr, &r, e) || !bind_compare(b, "=", l, r, x->location, &equal, e) ||
	    !bool_of(b, EXPR_IS_NULL, &equal->args[0], 1, x->location, &nulls[0], e) ||
	    !bool_of(b, EXPR_IS_NULL, &equal->args[1], 1, x->location, &nulls[1], e) || !bool_of(b, EXPR_AND, nulls, 2, x->location, &both, e) ||
	    !bool_of(b, EXPR_BOOL_TEST, &equal, 1, x->location, &parts[0], e))
		return false;
	parts[0]->op = "IS TRUE";
	parts[1] = both;
	return bool_of(b, EXPR_OR, parts, 2, x->location, &same, e) && negate_if(b, !negated, same, out, e);
}

static bool bind_nullif(const struct binder *b, const PgQuery__AExpr *x, struct expr **out, struct error *e)
{
	struct expr *args[2];
	enum sql_type t;

	if (!bind_expr(b, x->lexpr, &args[0], e) || !bind_expr(b, x->rexpr, &args[1], e) || !bind_usable(b, args[0], e) ||
	    !bind_usable(b, args[1], e) || !bind_common_type(b, args, 2, &t, x->location, e))
		return false;
	struct expr *n = expr_make(b, EXPR_NULLIF, args[0]->type, x->location, 2);
	if (!n)
		return fail_memory(e);
	mem_copy(n->args, args, sizeof(args));
	n->range = args[0]->range;
	n->magnitude = args[0]->magnitude > 20 ? args[0]->magnitude : 20;
	n->form = sql_type_is_number(n->type) ? FORM_NUMERIC : FORM_NATIVE;
	*out = n;
	return true;
}

static bool bind_a_expr(const struct binder *b, const PgQuery__AExpr *x, struct expr **out, struct error *e)
{
	const char *op = catalog_name(x->n_name, x->name);
	struct expr *args[2];

	switch (x->kind) {
	case PG_QUERY__A__EXPR__KIND__AEXPR_IN:
		return bind_in(b, x, out, e);
	case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN:
	case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN:
		return bind_between(b, x, out, e);
	case PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF:
		return bind_nullif(b, x, out, e);
	case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY:
		return bind_any(b, x, out, e);
	case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM:
	case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM:
		return bind_symmetric(b, x, out, e);
	case PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT:
	case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT:
		return bind_is_distinct(b, x, out, e);
	case PG_QUERY__A__EXPR__KIND__AEXPR_OP:
	case PG_QUERY__A__EXPR__KIND__AEXPR_LIKE:
	case PG_QUERY__A__EXPR__KIND__AEXPR_ILIKE:
		break;
	default:
		return refuse(b, x->location, e, "expressions", "this operator form is not supported over protected rows",
			      "Use comparisons, IN (list), BETWEEN, LIKE, IS NULL.");
	}
	if (!op)
		return refuse(b, x->location, e, "function allowlist", "only operators of pg_catalog may be used", "Drop the schema.");
	if (!x->lexpr) {
		if (!bind_expr(b, x->rexpr, &args[0], e))
			return false;
		return bind_call(b, op, args, 1, true, x->location, out, e);
	}
	if (!temporal_operator(b, op, x, out, e))
		return false;
	if (*out)
		return true;
	if (!bind_expr(b, x->lexpr, &args[0], e) || !bind_expr(b, x->rexpr, &args[1], e))
		return false;
	const char *compare = comparison(op);
	if (compare)
		return bind_compare(b, compare, args[0], args[1], x->location, out, e);
	return bind_call(b, op, args, 2, true, x->location, out, e);
}

static bool need_bool(const struct binder *b, struct expr *x, const char *what, struct error *e)
{
	if (!bind_usable(b, x, e) || !bind_as(b, x, TYPE_BOOL, e))
		return false;
	if (x->type == TYPE_BOOL)
		return true;
	fail(e, ERR_TYPE, "argument of %s must be type boolean, not type %s", what, sql_type_name(x->type));
	error_rule(e, "types");
	error_hint(e, "Compare it with something.");
	return planning_at(b->rel->planning, x->location, e);
}

static bool bind_bool(const struct binder *b, const PgQuery__BoolExpr *x, struct expr **out, struct error *e)
{
	struct expr **args;
	enum expr_kind kind = x->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR  ? EXPR_AND
			      : x->boolop == PG_QUERY__BOOL_EXPR_TYPE__OR_EXPR ? EXPR_OR
									       : EXPR_NOT;
	static const char *const words[] = { [EXPR_AND] = "AND", [EXPR_OR] = "OR", [EXPR_NOT] = "NOT" };

	if (!bind_list(b, x->args, x->n_args, &args, e))
		return false;
	for (size_t i = 0; i < x->n_args; i++) {
		if (!need_bool(b, args[i], words[kind], e))
			return false;
	}
	return bool_of(b, kind, args, x->n_args, x->location, out, e);
}

static bool bind_null_test(const struct binder *b, const PgQuery__NullTest *x, struct expr **out, struct error *e)
{
	struct expr *arg;

	if (!bind_expr(b, x->arg, &arg, e) || !bind_as(b, arg, TYPE_TEXT, e))
		return false;
	bool null = x->nulltesttype == PG_QUERY__NULL_TEST_TYPE__IS_NULL;
	return bool_of(b, null ? EXPR_IS_NULL : EXPR_IS_NOT_NULL, &arg, 1, x->location, out, e);
}

static bool bind_boolean_test(const struct binder *b, const PgQuery__BooleanTest *x, struct expr **out, struct error *e)
{
	static const char *const words[] = {
		[PG_QUERY__BOOL_TEST_TYPE__IS_TRUE] = "IS TRUE",	[PG_QUERY__BOOL_TEST_TYPE__IS_NOT_TRUE] = "IS NOT TRUE",
		[PG_QUERY__BOOL_TEST_TYPE__IS_FALSE] = "IS FALSE",	[PG_QUERY__BOOL_TEST_TYPE__IS_NOT_FALSE] = "IS NOT FALSE",
		[PG_QUERY__BOOL_TEST_TYPE__IS_UNKNOWN] = "IS UNKNOWN",	[PG_QUERY__BOOL_TEST_TYPE__IS_NOT_UNKNOWN] = "IS NOT UNKNOWN",
	};
	struct expr *arg;
	size_t test = (size_t)x->booltesttype;

	if (test >= ARRAY_LEN(words) || !words[test])
		return refuse(b, x->location, e, "expressions", "this boolean test is not supported", "Use IS TRUE, IS FALSE.");
	if (!bind_expr(b, x->arg, &arg, e) || !need_bool(b, arg, words[test], e) ||
	    !bool_of(b, EXPR_BOOL_TEST, &arg, 1, x->location, out, e))
		return false;
	(*out)->op = words[test];
	return true;
}

/* The range that covers all of several values. */
static void cover(struct expr *x, struct expr *const *values, size_t n, size_t step, size_t first)
{
	int order;

	x->form = sql_type_is_number(x->type) ? FORM_NUMERIC : FORM_NATIVE;
	for (size_t i = first; i < n; i += step) {
		const struct expr *v = values[i];
		if (v->magnitude > x->magnitude || x->magnitude < 20)
			x->magnitude = v->magnitude > 20 ? v->magnitude : 20;
		if (v->kind == EXPR_CONST && !v->text)
			continue; /* NULL widens nothing */
		if (i == first || (!x->range.known && x->range.grid.digits == 0)) {
			x->range = v->range;
			x->range.grid.digits = 1; /* seen one */
			continue;
		}
		x->range.known = x->range.known && v->range.known;
		if (!x->range.known)
			continue;
		if (decimal_compare(v->range.lo, x->range.lo, &order) && order < 0)
			x->range.lo = v->range.lo;
		if (decimal_compare(v->range.hi, x->range.hi, &order) && order > 0)
			x->range.hi = v->range.hi;
		if (v->range.grid.scale > x->range.grid.scale)
			x->range.grid = v->range.grid;
		x->range.grid.digits = 1;
	}
}

void bind_cover(struct expr *x)
{
	cover(x, x->args, x->n_args, 1, 0);
}

/* LEAST narrows from above, GREATEST from below: an explicit clamp gives an unbounded column its range. */
static void narrow(struct expr *x, bool least)
{
	const struct expr *constant = NULL, *other = NULL;
	int order;

	cover(x, x->args, x->n_args, 1, 0);
	if (x->range.known || x->n_args != 2)
		return;
	for (size_t i = 0; i < 2; i++) {
		if ((x->args[i]->kind == EXPR_CONST && x->args[i]->range.known) || x->args[i]->kind == EXPR_UNKNOWN_PARAM)
			constant = x->args[i];
		else
			other = x->args[i];
	}
	if (!constant || !other || other->kind == EXPR_COLUMN || other->n_args != 2)
		return;
	/* least(greatest(x, lo), hi) or greatest(least(x, hi), lo) */
	if (other->kind != (least ? EXPR_GREATEST : EXPR_LEAST))
		return;
	for (size_t i = 0; i < 2; i++) {
		const struct expr *inner = other->args[i];
		bool unknown = inner->kind == EXPR_UNKNOWN_PARAM || (constant->kind == EXPR_UNKNOWN_PARAM && inner->kind == EXPR_CONST);
		if (unknown) { /* only describing: any bounds will do */
			x->range = (struct range){ .known = true, .grid = { 1, 0 } };
			return;
		}
		if (inner->kind != EXPR_CONST || !inner->range.known)
			continue;
		struct range r = { .known = true };
		r.lo = least ? inner->range.lo : constant->range.lo;
		r.hi = least ? constant->range.hi : inner->range.hi;
		int scale = inner->range.grid.scale > constant->range.grid.scale ? inner->range.grid.scale
										  : constant->range.grid.scale;
		bool whole = type_is_integer(x->type);
		r.grid = (struct decimal){ 1, whole ? 0 : scale > 2 ? scale : 2 };
		if (decimal_compare(r.lo, r.hi, &order) && order <= 0)
			x->range = r;
	}
}

static bool bind_variadic(const struct binder *b, enum expr_kind kind, Node *const *nodes, size_t n, int location, struct expr **out,
			  struct error *e)
{
	struct expr **args;
	enum sql_type t;

	if (!bind_list(b, nodes, n, &args, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!bind_usable(b, args[i], e))
			return false;
	}
	if (!bind_common_type(b, args, n, &t, location, e))
		return false;
	struct expr *x = expr_make(b, kind, t, location, n);
	if (!x)
		return fail_memory(e);
	mem_copy(x->args, args, n * sizeof(*args));
	if (kind == EXPR_COALESCE)
		cover(x, args, n, 1, 0);
	else
		narrow(x, kind == EXPR_LEAST);
	*out = x;
	return true;
}

bool bind_under(const struct binder *b, struct expr *condition, const Node *n, struct expr **out, struct error *e)
{
	size_t before = b->rel->n_conjuncts;

	if (condition && !rel_add_condition(b->rel, condition, e))
		return false;
	bool ok = bind_expr(b, n, out, e);
	b->rel->n_conjuncts = before;
	return ok;
}

static bool bind_case(const struct binder *b, const PgQuery__CaseExpr *c, struct expr **out, struct error *e)
{
	size_t n = c->n_args * 2 + 1;
	struct expr *x = expr_make(b, EXPR_CASE, TYPE_TEXT, c->location, n);
	struct expr *operand = NULL;
	struct expr **results = x ? arena_array(b->rel->planning->arena, c->n_args + 1, struct expr *) : NULL;

	if (!results)
		return fail_memory(e);
	if (c->arg && !bind_expr(b, c->arg, &operand, e))
		return false;
	for (size_t i = 0; i < c->n_args; i++) {
		const PgQuery__CaseWhen *w = c->args[i]->case_when;
		if (!bind_expr(b, w->expr, &x->args[2 * i], e))
			return false;
		struct expr *again = operand ? expr_copy(b->rel->planning->arena, operand) : NULL;
		if (operand && (!again || !bind_compare(b, "=", again, x->args[2 * i], w->location, &x->args[2 * i], e)))
			return again ? false : fail_memory(e);
		if (!need_bool(b, x->args[2 * i], "CASE WHEN", e) || !bind_under(b, x->args[2 * i], w->result, &results[i], e))
			return false;
	}
	if (c->defresult) {
		if (!bind_expr(b, c->defresult, &results[c->n_args], e))
			return false;
	} else {
		results[c->n_args] = expr_make(b, EXPR_CONST, TYPE_TEXT, c->location, 0);
		if (!results[c->n_args])
			return fail_memory(e);
		results[c->n_args]->untyped = true;
	}
	for (size_t i = 0; i <= c->n_args; i++) {
		if (!bind_usable(b, results[i], e))
			return false;
	}
	if (!bind_common_type(b, results, c->n_args + 1, &x->type, c->location, e))
		return false;
	for (size_t i = 0; i < c->n_args; i++)
		x->args[2 * i + 1] = results[i];
	x->args[n - 1] = results[c->n_args];
	cover(x, results, c->n_args + 1, 1, 0);
	*out = x;
	return true;
}

static bool cast_type(const struct binder *b, const PgQuery__TypeName *t, enum sql_type *out, struct error *e)
{
	const char *name = catalog_name(t->n_names, t->names);

	if (!name || t->n_array_bounds > 0 || t->setof || t->pct_type || !sql_type_parse(name, out)) {
		fail(e, ERR_NO_CAST, "type \"%s\" is not supported over protected rows", name ? name : "?");
		error_rule(e, "casts");
		error_hint(e, "Supported: boolean, integer types, numeric, double precision, text, date, timestamp, timestamptz, uuid.");
		return planning_at(b->rel->planning, t->location, e);
	}
	if (t->n_typmods > 0)
		return refuse(b, t->location, e, "casts", "a length or precision in a cast can fail for some row",
			      "Use round(x, 2) or left(x, 10) instead.");
	return true;
}

/* t AT TIME ZONE 'zone': the zone is a constant that PostgreSQL knows; an unknown one fails for every row or none. */
static bool bind_zone(const struct binder *b, struct expr **args, int location, struct expr **out, struct error *e)
{
	struct expr *zone = args[0], *x = args[1];
	static const char *const utc[] = { "UTC", "Etc/UTC", "GMT", "Z" };

	if (!bind_as(b, zone, TYPE_TEXT, e))
		return false;
	for (size_t i = 0; zone->kind == EXPR_CONST && zone->text && i < ARRAY_LEN(utc); i++) {
		if (text_eq_nocase(zone->text, utc[i]) || text_eq(zone->text, b->rel->planning->settings->timezone))
			return bind_call(b, "timezone", args, 2, false, location, out, e);
	}
	(void)x;
	return refuse(b, location, e, "time zones", "only UTC and the session's own zone may follow AT TIME ZONE over protected rows",
		      "SET TimeZone to the zone first: an unknown zone would fail upstream.");
}

static bool bind_func(const struct binder *b, const PgQuery__FuncCall *f, struct expr **out, struct error *e)
{
	static const char *const aggregates[] = { "count", "sum", "avg", "min", "max" };
	const char *name = catalog_name(f->n_funcname, f->funcname);
	struct expr **args;

	for (size_t i = 0; i < ARRAY_LEN(aggregates); i++) {
		if (text_eq(name, aggregates[i]))
			return refuse(b, f->location, e, "aggregates", "aggregates cannot stand here",
				      "Aggregates belong in the select list, HAVING or ORDER BY, and do not nest.");
	}
	if (f->over)
		return refuse(b, f->location, e, "window functions", "window functions are not allowed over protected rows",
			      "Aggregate first; window functions over the aggregated result are allowed.");
	if (!name || f->agg_star || f->agg_distinct || f->agg_filter || f->n_agg_order || f->func_variadic || f->agg_within_group)
		return refuse(b, f->location, e, "function allowlist", "this form of function call is not allowed over protected rows",
			      "Call a listed function with plain arguments.");
	if ((text_eq(name, "now") || text_eq(name, "transaction_timestamp") || text_eq(name, "statement_timestamp")) && f->n_args == 0)
		return temporal_now(b, false, false, f->location, out, e);
	if (!temporal_epoch(b, name, f, out, e))
		return false;
	if (*out)
		return true;
	if (!bind_list(b, f->args, f->n_args, &args, e))
		return false;
	if (text_eq(name, "timezone") && f->n_args == 2)
		return bind_zone(b, args, f->location, out, e);
	return bind_call(b, name, args, f->n_args, false, f->location, out, e);
}

bool bind_expr(const struct binder *b, const Node *n, struct expr **out, struct error *e)
{
	enum sql_type t;
	struct expr *x;

	if (b->groups) {
		if (!grouped_find(b, n, out, e))
			return false;
		if (*out)
			return true;
	}
	switch (n->node_case) {
	case PG_QUERY__NODE__NODE_COLUMN_REF:
		return bind_column(b, n->column_ref, out, e);
	case PG_QUERY__NODE__NODE_A_CONST:
		return bind_const(b, n->a_const, out, e);
	case PG_QUERY__NODE__NODE_PARAM_REF:
		return bind_param(b, n->param_ref, out, e);
	case PG_QUERY__NODE__NODE_A_EXPR:
		return bind_a_expr(b, n->a_expr, out, e);
	case PG_QUERY__NODE__NODE_BOOL_EXPR:
		return bind_bool(b, n->bool_expr, out, e);
	case PG_QUERY__NODE__NODE_NULL_TEST:
		return bind_null_test(b, n->null_test, out, e);
	case PG_QUERY__NODE__NODE_BOOLEAN_TEST:
		return bind_boolean_test(b, n->boolean_test, out, e);
	case PG_QUERY__NODE__NODE_CASE_EXPR:
		return bind_case(b, n->case_expr, out, e);
	case PG_QUERY__NODE__NODE_COALESCE_EXPR:
		return bind_variadic(b, EXPR_COALESCE, n->coalesce_expr->args, n->coalesce_expr->n_args, n->coalesce_expr->location, out, e);
	case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
		return bind_variadic(b, n->min_max_expr->op == PG_QUERY__MIN_MAX_OP__IS_LEAST ? EXPR_LEAST : EXPR_GREATEST,
				     n->min_max_expr->args, n->min_max_expr->n_args, n->min_max_expr->location, out, e);
	case PG_QUERY__NODE__NODE_FUNC_CALL:
		return bind_func(b, n->func_call, out, e);
	case PG_QUERY__NODE__NODE_TYPE_CAST:
		if (!cast_type(b, n->type_cast->type_name, &t, e) || !bind_expr(b, n->type_cast->arg, &x, e))
			return false;
		return bind_cast(b, x, t, n->type_cast->location, out, e);
	case PG_QUERY__NODE__NODE_SUB_LINK:
		return semijoin_bind(b, n->sub_link, out, e);
	case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
		switch (n->sqlvalue_function->op) {
		case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE:
			return temporal_now(b, true, false, n->sqlvalue_function->location, out, e);
		case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP:
			return temporal_now(b, false, false, n->sqlvalue_function->location, out, e);
		case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP:
			return temporal_now(b, false, true, n->sqlvalue_function->location, out, e);
		default:
			return refuse(b, n->sqlvalue_function->location, e, "volatile functions", "the current user or time of day may not be used over protected rows",
				      "Write a constant, or pass a parameter.");
		}
	default:
		return refuse(b, -1, e, "expressions", "this kind of expression is not supported over protected rows",
			      "docs/sql.md lists what is.");
	}
}

bool bind_condition(const struct binder *b, const Node *n, const char *what, struct expr **out, struct error *e)
{
	return bind_expr(b, n, out, e) && need_bool(b, *out, what, e);
}
