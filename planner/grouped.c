/* GROUP BY inside the protected part: groups of rows of one unit each. */
#include "planner/derived.h"

#include "base/text.h"
#include "planner/facts.h"
#include "planner/post.h"

typedef PgQuery__Node Node;

static bool is_integer(const Node *n, int *value)
{
	if (n->node_case != PG_QUERY__NODE__NODE_A_CONST || n->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL)
		return false;
	*value = n->a_const->ival->ival;
	return true;
}

static bool names_has(const struct names *names, const char *column)
{
	for (size_t t = 0; t < names->n; t++) {
		for (size_t i = 0; i < names->tables[t].n; i++) {
			if (text_eq(names->tables[t].names[i], column))
				return true;
		}
	}
	return false;
}

/* What a GROUP BY item stands for: ordinals and, where no input column has the name, output aliases. */
static const Node *key_node(const PgQuery__SelectStmt *s, const struct names *names, const Node *n)
{
	int ordinal;

	if (is_integer(n, &ordinal) && ordinal >= 1 && (size_t)ordinal <= s->n_target_list)
		return s->target_list[ordinal - 1]->res_target->val;
	if (n->node_case != PG_QUERY__NODE__NODE_COLUMN_REF || n->column_ref->n_fields != 1 ||
	    n->column_ref->fields[0]->node_case != PG_QUERY__NODE__NODE_STRING)
		return n;
	const char *name = n->column_ref->fields[0]->string->sval;
	for (size_t i = 0; i < s->n_target_list && !names_has(names, name); i++) {
		const PgQuery__ResTarget *t = s->target_list[i]->res_target;
		if (t->name && text_eq(t->name, name))
			return t->val;
	}
	return n;
}

static bool add_key(struct derived *d, const struct planning *p, struct expr *x, const char *name, struct error *e)
{
	for (size_t i = 0; i < d->n_outputs; i++) {
		if (expr_equal(d->outputs[i], x))
			return true;
	}
	if (d->n_outputs >= INNER_AGGREGATES_MAX) {
		fail(e, ERR_TOO_COMPLEX, "at most %d group keys are supported", INNER_AGGREGATES_MAX);
		return error_rule(e, "limits");
	}
	d->outputs[d->n_outputs++] = x;
	return derived_add_column(d, p, name, x, e);
}

static const char *key_name(const Node *n)
{
	const char *name = post_column_name(n);

	return name ? name : "key";
}

static bool bind_key(struct grouped *g, const PgQuery__SelectStmt *s, const Node *n, struct error *e)
{
	const struct binder b = { .rel = g->derived->rel, .names = g->names, .scope = g->derived->rel->scope };
	struct expr *x;

	if (n->node_case == PG_QUERY__NODE__NODE_GROUPING_SET)
		return rel_refuse(b.rel, n->grouping_set->location, e, "protected part: GROUP BY", "grouping sets are not allowed inside a sub-select",
				  "Use them in the outer query.");
	n = key_node(s, g->names, n);
	if (!bind_expr(&b, n, &x, e) || !bind_comparable(&b, x, e) || !bind_as(&b, x, TYPE_TEXT, e))
		return false;
	g->expression_keys = g->expression_keys || x->kind != EXPR_COLUMN;
	return add_key(g->derived, b.rel->planning, x, key_name(n), e);
}

/* DISTINCT: every target is a key. */
static bool bind_distinct(struct grouped *g, const PgQuery__SelectStmt *s, struct error *e)
{
	if (s->n_distinct_clause > 1 || s->distinct_clause[0]->node_case != PG_QUERY__NODE__NODE__NOT_SET)
		return rel_refuse(g->derived->rel, -1, e, "protected part: DISTINCT ON", "DISTINCT ON is not allowed over protected rows",
				  "Aggregate with min, max or sum for each unit.");
	if (post_aggregates(s))
		return rel_refuse(g->derived->rel, -1, e, "protected part: DISTINCT", "DISTINCT beside aggregates is not allowed over protected rows",
				  "Drop DISTINCT: each group appears once.");
	for (size_t i = 0; i < s->n_target_list; i++) {
		if (!bind_key(g, s, s->target_list[i]->res_target->val, e))
			return false;
	}
	return true;
}

/* A group has one unit when a key is the unit, or a column that leads to it. */
static bool names_unit(const struct derived *d, bool *alone)
{
	bool found = false;

	for (size_t i = 0; i < d->n_outputs; i++)
		found = found || d->is_unit[i] || d->links[i].table;
	*alone = d->n_outputs == 1 && d->is_unit[0];
	return found;
}

static bool take_unit(struct grouped *g, const char *alias, struct error *e)
{
	struct derived *d = g->derived;
	struct unit_flow flow;
	bool alone;

	if (!unit_follow(d->rel, &flow, e))
		return false;
	d->unit = flow.unit;
	d->owner_moves = flow.owner_moves;
	d->table.schema = "";
	d->table.name = alias ? alias : "sub-select";
	d->table.unit_name = flow.name;
	d->table.rule = flow.unit ? RULE_DIFFERENTIAL_PRIVACY : RULE_PUBLIC;
	d->table.owner = "";
	for (size_t i = 0; i < d->rel->n_scans; i++) {
		const struct policy_table *t = d->rel->scans[i]->table;
		if (t->rule == RULE_DIFFERENTIAL_PRIVACY && !*d->table.owner)
			d->table.owner = t->owner;
		if (t->rule != RULE_DIFFERENTIAL_PRIVACY && t->rule != RULE_PUBLIC)
			return rel_refuse(d->rel, -1, e, table_rule_name(t->rule), "tables of this rule may not be grouped in a sub-select",
					  "Aggregate at the top of the query.");
	}
	if (flow.unit && !names_unit(d, &alone)) {
		fail(e, ERR_RULE, "a sub-select over protected rows must group by their privacy unit");
		error_rule(e, "protected part: GROUP BY");
		error_detail(e, "Its groups would mix several people before noise is added.");
		return error_hint(e, "Add the unit (%s) to GROUP BY, or let the sub-select be the whole question.", flow.name);
	}
	d->table.max_rows = flow.unit && alone ? 1 : flow.max_rows;
	d->table.max_groups = flow.unit && alone ? 1 : flow.max_groups;
	return true;
}

bool grouped_open(struct rel *r, const PgQuery__SelectStmt *s, const struct cte *scope, const char *alias, struct grouped *out,
		  struct names *inner_names, struct error *e)
{
	struct arena *a = r->planning->arena;
	struct derived *d = arena_new(a, struct derived);

	*out = (struct grouped){ .derived = d, .names = inner_names };
	if (!d)
		return fail_memory(e);
	*d = (struct derived){ .kind = DERIVED_GROUPS, .rel = rel_inside(r, scope) };
	d->outputs = arena_array(a, INNER_AGGREGATES_MAX, struct expr *);
	d->as_number = arena_array(a, INNER_AGGREGATES_MAX, bool);
	d->aggregates = arena_array(a, INNER_AGGREGATES_MAX, struct inner_aggregate);
	if (!d->rel || !d->outputs || !d->as_number || !d->aggregates)
		return fail_memory(e);
	if (!rel_bind_from(d->rel, s, scope, inner_names, e))
		return false;
	if (s->n_distinct_clause > 0 && !bind_distinct(out, s, e))
		return false;
	for (size_t i = 0; i < s->n_group_clause; i++) {
		if (!bind_key(out, s, s->group_clause[i], e))
			return false;
	}
	return take_unit(out, alias, e) && rel_add_scan(r, &d->table, d, -1, &out->scan, e);
}

/* --- aggregates of one unit's rows ------------------------------------------------------------------------------------------------ */

enum { ROWS_MAGNITUDE = 12 /* a sum has fewer than 10^12 rows */ };

static bool refuse_inner(const struct binder *b, const PgQuery__FuncCall *f, struct error *e)
{
	return rel_refuse(b->rel, f->location, e, "protected part: aggregates", "this aggregate is not supported inside a sub-select",
			  "Supported for each unit: count, sum, avg, min, max, bool_and, bool_or, with FILTER; DISTINCT in count.");
}

/* sum of rows within a range: of at most max_rows of them. */
static void sum_range(struct expr *x, const struct expr *arg, int64_t rows)
{
	x->range = arg->range;
	if (!x->range.known)
		return;
	if (x->range.lo.digits > 0)
		x->range.lo = (struct decimal){ 0, x->range.lo.scale };
	if (x->range.hi.digits < 0)
		x->range.hi = (struct decimal){ 0, x->range.hi.scale };
	if (__builtin_mul_overflow(x->range.lo.digits, (i128)rows, &x->range.lo.digits) ||
	    __builtin_mul_overflow(x->range.hi.digits, (i128)rows, &x->range.hi.digits))
		x->range.known = false;
}

/* The shape of the aggregate's value: type, form, range. */
static bool shape(const struct binder *b, const PgQuery__FuncCall *f, const struct inner_aggregate *g, int64_t max_rows, struct expr *x,
		  struct error *e)
{
	const struct expr *arg = g->arg;
	bool number = arg && sql_type_is_number(arg->type);

	*x = (struct expr){ .kind = EXPR_CONST, .location = f->location };
	if (text_eq(g->function, "count")) {
		x->type = TYPE_INT8;
		x->magnitude = 20;
		x->range = (struct range){ .known = true, .lo = { 0, 0 }, .hi = { max_rows, 0 }, .grid = { 1, 0 } };
		return true;
	}
	if (!arg)
		return refuse_inner(b, f, e);
	if (text_eq(g->function, "bool_and") || text_eq(g->function, "bool_or")) {
		x->type = TYPE_BOOL;
		return arg->type == TYPE_BOOL || refuse_inner(b, f, e);
	}
	if (text_eq(g->function, "min") || text_eq(g->function, "max")) {
		if (arg->type == TYPE_BOOL || arg->type == TYPE_UUID)
			return refuse_inner(b, f, e);
		x->type = arg->type;
		x->form = arg->form;
		x->range = arg->range;
		x->magnitude = arg->magnitude;
		return true;
	}
	if (!number)
		return refuse_inner(b, f, e);
	x->form = FORM_NUMERIC;
	if (text_eq(g->function, "sum")) {
		x->type = arg->type == TYPE_FLOAT8 ? TYPE_FLOAT8 : arg->type == TYPE_INT2 || arg->type == TYPE_INT4 ? TYPE_INT8 : TYPE_NUMERIC;
		sum_range(x, arg, max_rows);
		x->magnitude = arg->magnitude + ROWS_MAGNITUDE;
	} else {
		x->type = arg->type == TYPE_FLOAT8 ? TYPE_FLOAT8 : TYPE_NUMERIC;
		x->range = arg->range;
		x->magnitude = arg->magnitude;
		if (x->range.known && x->range.grid.scale < 6)
			x->range.grid = (struct decimal){ 1, x->range.grid.scale < 2 ? 2 : x->range.grid.scale };
	}
	if (x->magnitude <= MAGNITUDE_MAX)
		return true;
	fail(e, ERR_TOO_COMPLEX, "this sum could overflow");
	return error_rule(e, "total expressions");
}

static bool read_inner(const struct binder *inner, const PgQuery__FuncCall *f, struct inner_aggregate *g, struct error *e)
{
	static const char *const known[] = { "count", "sum", "avg", "min", "max", "bool_and", "bool_or" };
	const char *name = f->funcname[f->n_funcname - 1]->string->sval;

	*g = (struct inner_aggregate){ .distinct = f->agg_distinct };
	name = text_eq(name, "every") ? "bool_and" : name;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (text_eq(name, known[i]))
			g->function = known[i];
	}
	bool count = text_eq(name, "count");
	bool qualified = f->n_funcname == 2 && text_eq(f->funcname[0]->string->sval, "pg_catalog");
	if (!g->function || (f->n_funcname > 1 && !qualified) || f->n_agg_order || f->agg_within_group || f->func_variadic ||
	    (f->agg_distinct && !count) || f->n_args > 1 || (!count && f->n_args != 1))
		return refuse_inner(inner, f, e);
	if (f->agg_filter && !bind_condition(inner, f->agg_filter, "FILTER", &g->filter, e))
		return false;
	if (f->n_args == 0)
		return true;
	if (!bind_under(inner, g->filter, f->args[0], &g->arg, e) || !bind_as(inner, g->arg, TYPE_TEXT, e))
		return false;
	return count ? !g->distinct || bind_comparable(inner, g->arg, e) : bind_usable(inner, g->arg, e);
}

static bool same_inner(const struct inner_aggregate *x, const struct inner_aggregate *y)
{
	if (!text_eq(x->function, y->function) || x->distinct != y->distinct || !x->arg != !y->arg || !x->filter != !y->filter)
		return false;
	return (!x->arg || expr_equal(x->arg, y->arg)) && (!x->filter || expr_equal(x->filter, y->filter));
}

static bool inner_column(const struct binder *b, const struct binder *inner, const PgQuery__FuncCall *f, size_t *column, struct error *e)
{
	struct derived *d = b->groups->derived;
	struct inner_aggregate g;
	struct unit_flow flow;
	struct expr x;

	if (!read_inner(inner, f, &g, e))
		return false;
	for (size_t i = 0; i < d->n_aggregates; i++) {
		if (same_inner(&d->aggregates[i], &g)) {
			*column = d->n_outputs + i;
			return true;
		}
	}
	if (d->n_aggregates == INNER_AGGREGATES_MAX) {
		fail(e, ERR_TOO_COMPLEX, "at most %d aggregates are supported in one sub-select", INNER_AGGREGATES_MAX);
		return error_rule(e, "limits");
	}
	if (!unit_follow(d->rel, &flow, e) || !shape(b, f, &g, flow.max_rows, &x, e))
		return false;
	const char *name = g.function;
	*column = d->n_outputs + d->n_aggregates;
	d->aggregates[d->n_aggregates++] = g;
	return derived_add_column(d, b->rel->planning, name, &x, e);
}

static bool give_column(const struct binder *b, size_t column, int location, struct expr **out, struct error *e)
{
	struct expr *x = rel_column(b->rel, b->groups->scan, column);

	if (!x)
		return fail_memory(e);
	x->location = location;
	facts_narrow(b->rel, x);
	*out = x;
	return true;
}

bool grouped_find(const struct binder *b, const Node *n, struct expr **out, struct error *e)
{
	const struct grouped *g = b->groups;
	const struct binder inner = { .rel = g->derived->rel, .names = g->names, .scope = g->derived->rel->scope };
	struct error own = ERROR_INIT;
	struct expr *x;
	size_t column = 0;

	*out = NULL;
	if (n->node_case == PG_QUERY__NODE__NODE_FUNC_CALL && post_is_aggregate(n->func_call))
		return inner_column(b, &inner, n->func_call, &column, e) && give_column(b, column, n->func_call->location, out, e);
	bool is_column = n->node_case == PG_QUERY__NODE__NODE_COLUMN_REF;
	if (n->node_case == PG_QUERY__NODE__NODE_A_CONST || n->node_case == PG_QUERY__NODE__NODE_PARAM_REF || (!is_column && !g->expression_keys))
		return true;
	if (!bind_expr(&inner, n, &x, &own)) {
		if (is_column)
			*e = own;
		return !is_column;
	}
	for (size_t i = 0; i < g->derived->n_outputs; i++) {
		if (expr_equal(g->derived->outputs[i], x))
			return give_column(b, i, x->location, out, e);
	}
	if (!is_column)
		return true;
	const char *name = x->kind == EXPR_COLUMN ? expr_policy_column(x)->name : "expression";
	fail(e, ERR_GROUPING, "column \"%s\" must appear in the GROUP BY clause or be used in an aggregate function", name);
	error_rule(e, "protected part: GROUP BY");
	error_hint(e, "Group by it, or aggregate it.");
	return planning_at(b->rel->planning, x->location, e);
}

/* Opens it in a relation of its own, only to see whose rows its groups are. */
static bool try_grouped(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s, struct grouped *g)
{
	struct rel r = { .planning = p, .scope = scope };
	struct names names = { 0 };
	struct error ignored = ERROR_INIT;

	if (s->n_group_clause == 0 && s->n_distinct_clause == 0)
		return false;
	return grouped_open(&r, s, scope, NULL, g, &names, &ignored);
}

bool derived_per_unit(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s)
{
	struct grouped g;

	return try_grouped(p, scope, s, &g) && g.derived->unit;
}

bool derived_public(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s)
{
	struct grouped g;

	return try_grouped(p, scope, s, &g) && !g.derived->unit;
}
