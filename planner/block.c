#include "planner/block_parts.h"

#include "base/mem.h"
#include "base/text.h"
#include "planner/derived.h"
#include "planner/post.h"

typedef PgQuery__Node Node;

enum { KEYS_MAX = 16 };

static bool refuse(const struct block *b, int location, struct error *e, const char *rule, const char *message, const char *hint)
{
	fail(e, ERR_RULE, "%s", message);
	error_rule(e, rule);
	error_hint(e, "%s", hint);
	return planning_at(b->planning, location, e);
}

/* For people: a column's name, or what kind of expression it is. */
static const char *label_of(const struct expr *x)
{
	if (x->kind == EXPR_COLUMN)
		return expr_policy_column(x)->name;
	if (x->kind == EXPR_CALL && x->function->total && x->n_args > 0 && x->args[x->n_args - 1]->kind == EXPR_COLUMN)
		return expr_policy_column(x->args[x->n_args - 1])->name;
	return "expression";
}

static bool open_key(struct block *b, const Node *n, struct key *k, size_t number, struct error *e)
{
	const struct binder binder = { .rel = &b->rel, .names = &b->names };
	struct arena *a = b->planning->arena;

	if (n->node_case == PG_QUERY__NODE__NODE_GROUPING_SET)
		return refuse(b, n->grouping_set->location, e, "GROUP BY: sets", "ROLLUP, CUBE and GROUPING SETS are not supported yet",
			      "Ask one query for each grouping.");
	if (!bind_expr(&binder, n, &k->expr, e) || !bind_usable(&binder, k->expr, e) || !bind_as(&binder, k->expr, TYPE_TEXT, e))
		return false;
	if (!block_check_key(b, k->expr, e))
		return false;
	if (k->expr->type == TYPE_FLOAT8 && b->dp)
		return refuse(b, k->expr->location, e, "GROUP BY: float", "double precision values cannot be group keys",
			      "Cast or round to a number of digits: round(x::numeric, 2), x::integer.");
	k->name = arena_printf(a, "k%zu", number);
	k->label = label_of(k->expr);
	return k->name ? true : fail_memory(e);
}

static bool list_tables(struct block *b, struct error *e)
{
	size_t cap = 0;

	return derived_tables(&b->rel, &b->tables, &b->n_tables, &cap, e);
}

bool block_open(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s, struct block **out, struct error *e)
{
	struct block *b = arena_new(p->arena, struct block);

	if (!b)
		return fail_memory(e);
	*b = (struct block){ .planning = p, .rel = { .planning = p, .scope = scope } };
	b->keys = arena_array(p->arena, KEYS_MAX, struct key);
	if (!b->keys)
		return fail_memory(e);
	if (!rel_bind_from(&b->rel, s, scope, &b->names, e) || !list_tables(b, e) || !block_check_tables(b, e))
		return false;
	*out = b;
	return true;
}

bool block_group(struct block *b, const Node *n, struct error *e)
{
	struct key k = { 0 };

	if (b->n_keys == KEYS_MAX)
		return refuse(b, -1, e, "GROUP BY", "at most 16 group keys are supported", "Group by fewer columns.");
	if (!open_key(b, n, &k, b->n_keys + 1, e))
		return false;
	for (size_t i = 0; i < b->n_keys; i++) {
		if (expr_equal(b->keys[i].expr, k.expr))
			return true;
	}
	b->expression_keys = b->expression_keys || k.expr->kind != EXPR_COLUMN;
	b->keys[b->n_keys++] = k;
	return true;
}

bool block_has_column(const struct block *b, const char *name)
{
	for (size_t t = 0; t < b->names.n; t++) {
		for (size_t i = 0; i < b->names.tables[t].n; i++) {
			if (text_eq(b->names.tables[t].names[i], name))
				return true;
		}
	}
	return false;
}

/* --- aggregates --------------------------------------------------------------------------------------------------------- */

/* Bounds of a summed expression in grid units, and the type that PostgreSQL gives the result. */
static bool sum_bounds(struct block *b, struct aggregate *g, int location, struct error *e)
{
	const struct range *r = &g->arg->range;
	const i128 most = (i128)1 << 53;

	if (!r->known) {
		const char *label = label_of(g->arg);
		fail(e, ERR_RULE, "%s needs bounds on \"%s\"", g->kind == AGGREGATE_SUM ? "sum" : "avg", label);
		error_rule(e, "bounds");
		error_detail(e, "Noise is scaled to the largest contribution that one person could make, and nothing in the policy or the query limits it.");
		error_hint(e, "Write bounds into the query, such as sum(least(greatest(%s, 0), 100)), or ask the owner to declare them.", label);
		return planning_at(b->planning, location, e);
	}
	g->grid = type_is_integer(g->arg->type) ? (struct decimal){ 1, 0 } : r->grid;
	if (g->grid.digits <= 0)
		g->grid.digits = 1;
	if (!decimal_ceil_div(r->lo, g->grid, &g->lo) || !decimal_floor_div(r->hi, g->grid, &g->hi) || g->lo > g->hi || g->lo < -most ||
	    g->hi > most) {
		fail(e, ERR_RULE, "the bounds of \"%s\" are too wide for its grid", label_of(g->arg));
		error_rule(e, "bounds");
		error_hint(e, "Clamp it: sum(least(greatest(x, 0), 100)).");
		return planning_at(b->planning, location, e);
	}
	return true;
}

static enum sql_type sum_type(enum aggregate_kind kind, enum sql_type arg)
{
	if (arg == TYPE_FLOAT8)
		return TYPE_FLOAT8;
	if (kind == AGGREGATE_SUM && (arg == TYPE_INT2 || arg == TYPE_INT4))
		return TYPE_INT8;
	return TYPE_NUMERIC;
}

static bool is_unit(const struct block *b, const struct expr *x)
{
	return b->dp && x && unit_is_column(x);
}

static bool classify_count(struct block *b, const PgQuery__FuncCall *f, struct aggregate *g, struct error *e)
{
	g->type = TYPE_INT8;
	if (f->agg_star || f->n_args == 0) {
		g->kind = AGGREGATE_ROWS;
		return true;
	}
	if (!f->agg_distinct) {
		g->kind = AGGREGATE_COUNT;
		return true;
	}
	g->kind = is_unit(b, g->arg) ? AGGREGATE_UNITS : AGGREGATE_DISTINCT;
	if (g->kind == AGGREGATE_DISTINCT && b->dp)
		return refuse(b, f->location, e, "aggregates", "COUNT(DISTINCT) is supported for the privacy unit only, in this version",
			      "Count units, or count rows grouped by the column.");
	return true;
}

static bool read_aggregate(struct block *b, const PgQuery__FuncCall *f, const char *name, struct aggregate *g, struct error *e)
{
	const struct binder binder = { .rel = &b->rel, .names = &b->names };
	bool count = text_eq(name, "count"), sum = text_eq(name, "sum"), avg = text_eq(name, "avg");

	*g = (struct aggregate){ .grid = { 1, 0 } };
	if (!count && !sum && !avg)
		return refuse(b, f->location, e, "aggregates", "this aggregate is not supported over protected rows in this version",
			      "Supported: COUNT(*), COUNT(x), COUNT(DISTINCT unit), SUM, AVG, each with FILTER.");
	if (f->n_agg_order || f->agg_within_group || f->func_variadic || (f->agg_distinct && !count) || f->n_args > 1 ||
	    (!count && f->n_args != 1))
		return refuse(b, f->location, e, "aggregates", "this form of aggregate is not supported over protected rows",
			      "Use it without DISTINCT, ORDER BY or several arguments.");
	if (f->agg_filter && !bind_condition(&binder, f->agg_filter, "FILTER", &g->filter, e))
		return false;
	if (f->n_args == 1 && !bind_under(&binder, g->filter, f->args[0], &g->arg, e))
		return false;
	if (count)
		return (!g->arg || bind_as(&binder, g->arg, TYPE_TEXT, e)) && classify_count(b, f, g, e);
	g->kind = sum ? AGGREGATE_SUM : AGGREGATE_AVG;
	if (!bind_usable(&binder, g->arg, e) || !bind_as(&binder, g->arg, TYPE_NUMERIC, e))
		return false;
	if (!sql_type_is_number(g->arg->type)) {
		fail(e, ERR_NO_FUNCTION, "function %s(%s) does not exist over protected rows", name, sql_type_name(g->arg->type));
		error_rule(e, "types");
		error_hint(e, "%s takes numbers.", name);
		return planning_at(b->planning, f->location, e);
	}
	g->type = sum_type(g->kind, g->arg->type);
	return !b->dp || sum_bounds(b, g, f->location, e);
}

static bool same_aggregate(const struct aggregate *x, const struct aggregate *y)
{
	if (x->kind != y->kind || !x->arg != !y->arg || !x->filter != !y->filter)
		return false;
	return (!x->arg || expr_equal(x->arg, y->arg)) && (!x->filter || expr_equal(x->filter, y->filter));
}

static bool aggregate_column(struct block *b, const PgQuery__FuncCall *f, int *column, struct error *e)
{
	const char *name = f->funcname[f->n_funcname - 1]->string->sval;
	struct arena *a = b->planning->arena;
	struct aggregate g;

	if (!read_aggregate(b, f, name, &g, e) || !block_check_aggregate(b, &g, f->location, e))
		return false;
	for (size_t i = 0; i < b->n_aggregates; i++) {
		if (same_aggregate(&b->aggregates[i], &g)) {
			*column = (int)(b->n_keys + i);
			return true;
		}
	}
	g.name = arena_printf(a, "a%zu", b->n_aggregates + 1);
	g.label = arena_printf(a, "%s(%s%s)%s", name, f->agg_distinct ? "distinct " : "", g.arg ? label_of(g.arg) : "*", g.filter ? " filtered" : "");
	b->aggregates = arena_grow(a, b->aggregates, b->n_aggregates, &b->cap_aggregates, sizeof(*b->aggregates));
	if (!g.name || !g.label || !b->aggregates)
		return fail_memory(e);
	if (b->n_aggregates >= 64) {
		fail(e, ERR_TOO_COMPLEX, "at most 64 aggregates are supported in one query");
		error_rule(e, "limits");
		return error_hint(e, "Ask two queries.");
	}
	b->aggregates[b->n_aggregates] = g;
	*column = (int)(b->n_keys + b->n_aggregates++);
	return true;
}

bool block_column(struct block *b, const Node *expr, int *column, struct error *e)
{
	const struct binder binder = { .rel = &b->rel, .names = &b->names };
	struct error ignored = ERROR_INIT;
	struct expr *x;

	*column = -1;
	if (expr->node_case == PG_QUERY__NODE__NODE_FUNC_CALL && post_is_aggregate(expr->func_call))
		return aggregate_column(b, expr->func_call, column, e);
	if (expr->node_case == PG_QUERY__NODE__NODE_A_CONST || expr->node_case == PG_QUERY__NODE__NODE_PARAM_REF)
		return true;
	if (expr->node_case != PG_QUERY__NODE__NODE_COLUMN_REF && !b->expression_keys)
		return true; /* spares binding every level of a long expression again */
	bool column_ref = expr->node_case == PG_QUERY__NODE__NODE_COLUMN_REF;
	if (!bind_expr(&binder, expr, &x, &ignored)) {
		if (!column_ref)
			return true; /* no group key; the caller looks inside */
		*e = ignored;
		return false;
	}
	for (size_t i = 0; i < b->n_keys; i++) {
		if (expr_equal(b->keys[i].expr, x)) {
			*column = (int)i;
			return true;
		}
	}
	if (column_ref) {
		fail(e, ERR_GROUPING, "column \"%s\" must appear in the GROUP BY clause or be used in an aggregate function",
		     label_of(x));
		error_rule(e, "row-level output");
		error_hint(e, "Group by it, or aggregate it.");
		return planning_at(b->planning, x->location, e);
	}
	return true;
}

size_t block_columns(const struct block *b)
{
	return b->n_keys + b->n_aggregates;
}

const char *block_column_name(const struct block *b, int column)
{
	size_t i = (size_t)column;

	BUG_IF(column < 0 || i >= block_columns(b));
	return i < b->n_keys ? b->keys[i].name : b->aggregates[i - b->n_keys].name;
}

enum sql_type block_column_type(const struct block *b, int column)
{
	size_t i = (size_t)column;

	BUG_IF(column < 0 || i >= block_columns(b));
	return i < b->n_keys ? b->keys[i].expr->type : b->aggregates[i - b->n_keys].type;
}

size_t block_tables(const struct block *b, const struct policy_table *const **tables)
{
	*tables = b->tables;
	return b->n_tables;
}
