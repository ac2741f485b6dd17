#include "planner/bind.h"

#include "base/mem.h"
#include "base/text.h"
#include "planner/facts.h"
#include "planner/post.h"

typedef PgQuery__Node Node;

enum { SCANS_MAX = 64, UNFOLDED_MAX = 10000 };

static bool refuse(const struct rel *r, int location, struct error *e, const char *rule, const char *message, const char *hint)
{
	fail(e, ERR_RULE, "%s", message);
	error_rule(e, rule);
	error_hint(e, "%s", hint);
	return planning_at(r->planning, location, e);
}

static bool add_conjunct(struct rel *r, struct expr *x, struct error *e)
{
	struct expr **grown = arena_grow(r->planning->arena, r->conjuncts, r->n_conjuncts, &r->cap_conjuncts, sizeof(*grown));

	if (!grown)
		return fail_memory(e);
	r->conjuncts = grown;
	r->conjuncts[r->n_conjuncts++] = x;
	return true;
}

bool rel_add_condition(struct rel *r, struct expr *condition, struct error *e)
{
	if (condition->kind != EXPR_AND)
		return add_conjunct(r, condition, e);
	for (size_t i = 0; i < condition->n_args; i++) {
		if (!rel_add_condition(r, condition->args[i], e))
			return false;
	}
	return true;
}

static bool add_visible(struct rel *r, struct names *n, const struct visible *v, int location, struct error *e)
{
	for (size_t i = 0; i < n->n; i++) {
		if (text_eq(n->tables[i].alias, v->alias)) {
			fail(e, ERR_DUPLICATE, "table name \"%s\" specified more than once", v->alias);
			error_hint(e, "Give one of them another alias.");
			return planning_at(r->planning, location, e);
		}
	}
	struct visible *grown = arena_grow(r->planning->arena, n->tables, n->n, &n->cap, sizeof(*grown));
	if (!grown)
		return fail_memory(e);
	n->tables = grown;
	n->tables[n->n++] = *v;
	return true;
}

/* Column aliases: AS t(a, b) renames the first ones. */
static bool rename_columns(struct rel *r, const char **names, size_t n, size_t n_aliases, Node *const *aliases, int location,
			   struct error *e)
{
	if (n_aliases > n)
		return refuse(r, location, e, "names", "more column aliases than columns", "Name at most as many as there are.");
	for (size_t i = 0; i < n_aliases; i++)
		names[i] = aliases[i]->string->sval;
	return true;
}

static struct expr *column_expr(struct rel *r, struct scan *s, size_t i)
{
	const struct policy_column *c = &s->table->columns[i];
	struct expr *x = arena_new(r->planning->arena, struct expr);

	if (!x)
		return NULL;
	*x = (struct expr){ .kind = EXPR_COLUMN, .type = c->type, .form = FORM_NATIVE, .location = -1, .scan = s, .column = i };
	if (sql_type_is_number(c->type)) {
		x->range = (struct range){ .known = c->has_bounds, .lo = c->lo, .hi = c->hi, .grid = c->grid };
		x->magnitude = MAGNITUDE_GUARD;
	}
	return x;
}

static bool bind_scan(struct rel *r, const struct policy_table *t, const PgQuery__RangeVar *v, struct names *names, struct error *e)
{
	struct arena *a = r->planning->arena;
	struct scan *s = arena_new(a, struct scan);
	const char **column_names = arena_array(a, t->n_columns, const char *);
	struct expr **exprs = arena_array(a, t->n_columns, struct expr *);
	struct scan **grown = arena_grow(a, r->scans, r->n_scans, &r->cap_scans, sizeof(*grown));

	if (!s || !column_names || !exprs || !grown)
		return fail_memory(e);
	if (r->n_scans == SCANS_MAX) {
		fail(e, ERR_TOO_COMPLEX, "one query may read at most %d tables", SCANS_MAX);
		error_rule(e, "limits");
		error_hint(e, "A CTE or sub-select counts each time that it is used.");
		return planning_at(r->planning, v->location, e);
	}
	if (t->via)
		return refuse(r, v->location, e, "joins: unit path", "a table whose privacy unit is reached through another one cannot be asked yet",
			      "Join it upstream into a view that holds the unit.");
	*s = (struct scan){ .table = t, .number = r->n_scans + 1 };
	r->scans = grown;
	r->scans[r->n_scans++] = s;
	for (size_t i = 0; i < t->n_columns; i++) {
		column_names[i] = t->columns[i].name;
		exprs[i] = column_expr(r, s, i);
		if (!exprs[i])
			return fail_memory(e);
	}
	if (v->alias && !rename_columns(r, column_names, t->n_columns, v->alias->n_colnames, v->alias->colnames, v->location, e))
		return false;
	struct visible vis = { .alias = v->alias ? v->alias->aliasname : t->name, .names = column_names, .exprs = exprs,
			       .n = t->n_columns };
	return add_visible(r, names, &vis, v->location, e);
}

/* Clauses that a row-level SELECT inside FROM must not have: they look at several rows at once. */
static bool check_plain(const struct rel *r, const PgQuery__SelectStmt *s, struct error *e)
{
	static const char hint[] = "Only projection, WHERE and joins may stand inside; sort, limit and deduplicate the aggregated result.";

	if (s->op != PG_QUERY__SET_OPERATION__SETOP_NONE)
		return refuse(r, -1, e, "set operations", "set operations over protected rows are not supported", hint);
	if (s->n_distinct_clause > 0)
		return refuse(r, -1, e, "protected part: DISTINCT", "DISTINCT is not allowed over protected rows", hint);
	if (s->n_sort_clause > 0)
		return refuse(r, -1, e, "protected part: ORDER BY", "ORDER BY is not allowed over protected rows", hint);
	if (s->limit_count || s->limit_offset)
		return refuse(r, -1, e, "protected part: LIMIT", "LIMIT and OFFSET are not allowed over protected rows", hint);
	if (s->n_window_clause > 0)
		return refuse(r, -1, e, "window functions", "WINDOW is not allowed over protected rows", hint);
	if (s->n_locking_clause > 0)
		return refuse(r, -1, e, "statement: locking", "row locks are not allowed over protected rows", "Drop FOR UPDATE.");
	if (s->n_values_lists > 0)
		return refuse(r, -1, e, "protected part: VALUES", "VALUES cannot be joined with protected rows", "Write constants in WHERE.");
	return true;
}

static const char *target_name(const PgQuery__ResTarget *t)
{
	const char *name = t->name && *t->name ? t->name : post_column_name(t->val);

	return name ? name : "?column?";
}

/* The columns of "*" or "t.*". */
static bool expand_star(struct rel *r, const struct names *inner, const PgQuery__ColumnRef *c, const char ***names, struct expr ***exprs,
			size_t *n, size_t *cap_names, size_t *cap_exprs, struct error *e)
{
	struct arena *a = r->planning->arena;
	const char *only = c->n_fields > 1 ? c->fields[c->n_fields - 2]->string->sval : NULL;
	bool found = false;

	for (size_t t = 0; t < inner->n; t++) {
		const struct visible *v = &inner->tables[t];
		if (only && !text_eq(only, v->alias))
			continue;
		found = true;
		for (size_t i = 0; i < v->n; i++) {
			*names = arena_grow(a, *names, *n, cap_names, sizeof(**names));
			*exprs = arena_grow(a, *exprs, *n, cap_exprs, sizeof(**exprs));
			if (!*names || !*exprs)
				return fail_memory(e);
			(*names)[*n] = v->names[i];
			(*exprs)[(*n)++] = v->exprs[i];
		}
	}
	if (!found) {
		fail(e, ERR_NO_TABLE, "missing FROM-clause entry for table \"%s\"", only ? only : "*");
		return planning_at(r->planning, c->location, e);
	}
	return true;
}

static bool is_star(const Node *n)
{
	return n->node_case == PG_QUERY__NODE__NODE_COLUMN_REF &&
	       n->column_ref->fields[n->column_ref->n_fields - 1]->node_case == PG_QUERY__NODE__NODE_A_STAR;
}

/*
 * Inlining makes expressions share sub-trees, so that forty nested "SELECT x || x AS x" would unfold to 2^40 nodes.  Everything later walks the unfolded
 * tree: its size is bounded here, where the sharing comes from.
 */
static bool count_nodes(const struct expr *x, size_t *left)
{
	if (*left == 0)
		return false;
	(*left)--;
	for (size_t i = 0; i < x->n_args; i++) {
		if (!count_nodes(x->args[i], left))
			return false;
	}
	return true;
}

static bool check_size(const struct rel *r, const struct expr *x, struct error *e)
{
	size_t left = UNFOLDED_MAX;

	if (count_nodes(x, &left))
		return true;
	fail(e, ERR_TOO_COMPLEX, "the expressions of nested sub-selects grow too large");
	error_rule(e, "limits");
	error_hint(e, "An inner column is used several times, level by level: compute it once, or with fewer levels.");
	return planning_at(r->planning, x->location, e);
}

/* A derived table or CTE of protected rows: its scans and conditions join ours, its targets become names. */
static bool bind_derived(struct rel *r, const PgQuery__SelectStmt *s, const struct cte *scope, const char *alias, size_t n_aliases,
			 Node *const *aliases, int location, struct names *names, struct error *e)
{
	struct arena *a = r->planning->arena;
	struct names inner = { 0 };
	const char **columns = NULL;
	struct expr **exprs = NULL;
	size_t n = 0, cap_names = 0, cap_exprs = 0;

	if (!check_plain(r, s, e) || !rel_bind_from(r, s, scope, &inner, e))
		return false;
	const struct binder b = { .rel = r, .names = &inner };
	for (size_t i = 0; i < s->n_target_list; i++) {
		const PgQuery__ResTarget *t = s->target_list[i]->res_target;
		if (is_star(t->val)) {
			if (!expand_star(r, &inner, t->val->column_ref, &columns, &exprs, &n, &cap_names, &cap_exprs, e))
				return false;
			continue;
		}
		columns = arena_grow(a, columns, n, &cap_names, sizeof(*columns));
		exprs = arena_grow(a, exprs, n, &cap_exprs, sizeof(*exprs));
		if (!columns || !exprs)
			return fail_memory(e);
		columns[n] = target_name(t);
		if (!bind_expr(&b, t->val, &exprs[n], e) || !bind_as(&b, exprs[n], TYPE_TEXT, e) || !check_size(r, exprs[n], e))
			return false;
		n++;
	}
	if (!rename_columns(r, columns, n, n_aliases, aliases, location, e))
		return false;
	const struct visible v = { .alias = alias, .names = columns, .exprs = exprs, .n = n };
	return add_visible(r, names, &v, location, e);
}

static bool bind_from_item(struct rel *r, const Node *n, const struct cte *scope, struct names *names, struct error *e);

static bool bind_range_var(struct rel *r, const PgQuery__RangeVar *v, const struct cte *scope, struct names *names, struct error *e)
{
	const struct cte *cte;
	const struct policy_table *table;

	if (!planning_table(r->planning, scope, v, &cte, &table, e))
		return false;
	if (table)
		return bind_scan(r, table, v, names, e);
	if (!cte)
		return refuse(r, v->location, e, "mixed sources", "catalog tables cannot be joined with protected tables",
			      "Ask two queries.");
	const PgQuery__Alias *al = v->alias;
	bool own = al && al->n_colnames > 0;
	return bind_derived(r, cte->query, cte->outer, al ? al->aliasname : cte->name, own ? al->n_colnames : cte->expr->n_aliascolnames,
			    own ? al->colnames : cte->expr->aliascolnames, v->location, names, e);
}

/* USING (a, b): equalities, and the unqualified names mean the left side. */
static bool bind_using(struct rel *r, const PgQuery__JoinExpr *j, const struct names *left, const struct names *right,
		       struct names *names, struct error *e)
{
	struct arena *a = r->planning->arena;
	const struct binder b = { .rel = r, .names = names };

	for (size_t i = 0; i < j->n_using_clause; i++) {
		const char *column = j->using_clause[i]->string->sval;
		struct expr *x, *y, *equal;
		if (!names_find(r, left, NULL, NULL, column, -1, &x, e) || !names_find(r, right, NULL, NULL, column, -1, &y, e) ||
		    !bind_compare(&b, "=", x, y, -1, &equal, e) || !add_conjunct(r, equal, e))
			return false;
		size_t cap = names->cap_merged;
		const char **merged = arena_grow(a, (void *)(uintptr_t)names->merged.names, names->merged.n, &cap, sizeof(*merged));
		struct expr **exprs = arena_grow(a, (void *)(uintptr_t)names->merged.exprs, names->merged.n, &names->cap_merged, sizeof(*exprs));
		if (!merged || !exprs)
			return fail_memory(e);
		merged[names->merged.n] = column;
		exprs[names->merged.n] = x;
		names->merged.names = merged;
		names->merged.exprs = exprs;
		names->merged.n++;
	}
	return true;
}

static bool append_names(struct rel *r, struct names *to, const struct names *from, struct error *e)
{
	for (size_t i = 0; i < from->n; i++) {
		if (!add_visible(r, to, &from->tables[i], -1, e))
			return false;
	}
	if (from->merged.n > 0 && to->merged.n == 0) {
		to->merged = from->merged;
		to->cap_merged = from->merged.n;
	}
	return true;
}

/* LEFT JOIN: only a plain public table may be on the nullable side, so that each protected row keeps its own fate. */
static bool bind_left_join(struct rel *r, const PgQuery__JoinExpr *j, const struct cte *scope, struct names *names, struct error *e)
{
	static const char message[] = "an outer join may only add a public table";
	static const char hint[] = "Use INNER JOIN between protected tables, on their privacy unit.";
	size_t scans, conjuncts;
	struct expr *on;

	if (j->rarg->node_case != PG_QUERY__NODE__NODE_RANGE_VAR || !j->quals)
		return refuse(r, -1, e, "joins: outer", message, hint);
	if (!bind_from_item(r, j->larg, scope, names, e))
		return false;
	scans = r->n_scans;
	if (!bind_from_item(r, j->rarg, scope, names, e))
		return false;
	if (r->n_scans != scans + 1 || r->scans[scans]->table->rule != RULE_PUBLIC)
		return refuse(r, j->rarg->range_var->location, e, "joins: outer", message, hint);
	struct scan *s = r->scans[scans];
	s->nullable = true;
	const struct binder b = { .rel = r, .names = names };
	if (!bind_condition(&b, j->quals, "JOIN/ON", &on, e))
		return false;
	conjuncts = r->n_conjuncts;
	if (!rel_add_condition(r, on, e))
		return false;
	s->n_on = r->n_conjuncts - conjuncts;
	s->on = arena_array(r->planning->arena, s->n_on, struct expr *);
	if (!s->on)
		return fail_memory(e);
	mem_copy(s->on, r->conjuncts + conjuncts, s->n_on * sizeof(*s->on));
	r->n_conjuncts = conjuncts;
	return true;
}

static bool bind_join(struct rel *r, const PgQuery__JoinExpr *j, const struct cte *scope, struct names *names, struct error *e)
{
	struct names left = { 0 }, right = { 0 };
	struct expr *on;

	if (j->is_natural)
		return refuse(r, -1, e, "joins: natural", "NATURAL JOIN is not supported", "Write JOIN ... ON or USING.");
	if (j->alias || j->join_using_alias)
		return refuse(r, -1, e, "joins: alias", "an alias for a join is not supported", "Give the tables aliases instead.");
	if (j->jointype == PG_QUERY__JOIN_TYPE__JOIN_LEFT)
		return bind_left_join(r, j, scope, names, e);
	if (j->jointype != PG_QUERY__JOIN_TYPE__JOIN_INNER)
		return refuse(r, -1, e, "joins: outer", "RIGHT and FULL JOIN are not supported",
			      "Use INNER JOIN between protected tables, LEFT JOIN to add a public one.");
	if (!bind_from_item(r, j->larg, scope, &left, e) || !bind_from_item(r, j->rarg, scope, &right, e) ||
	    !append_names(r, names, &left, e) || !append_names(r, names, &right, e))
		return false;
	if (j->n_using_clause > 0)
		return bind_using(r, j, &left, &right, names, e);
	if (!j->quals)
		return true;
	const struct binder b = { .rel = r, .names = names };
	return bind_condition(&b, j->quals, "JOIN/ON", &on, e) && rel_add_condition(r, on, e);
}

static bool bind_from_item(struct rel *r, const Node *n, const struct cte *scope, struct names *names, struct error *e)
{
	switch (n->node_case) {
	case PG_QUERY__NODE__NODE_RANGE_VAR:
		return bind_range_var(r, n->range_var, scope, names, e);
	case PG_QUERY__NODE__NODE_JOIN_EXPR:
		return bind_join(r, n->join_expr, scope, names, e);
	case PG_QUERY__NODE__NODE_RANGE_SUBSELECT: {
		const PgQuery__RangeSubselect *s = n->range_subselect;
		if (s->lateral)
			return refuse(r, -1, e, "joins: lateral", "LATERAL is not allowed over protected rows", "Use a plain join.");
		if (!s->alias)
			return refuse(r, -1, e, "names", "subquery in FROM must have an alias", "For example, FROM (SELECT ...) AS foo.");
		return bind_derived(r, s->subquery->select_stmt, scope, s->alias->aliasname, s->alias->n_colnames, s->alias->colnames,
				    -1, names, e);
	}
	case PG_QUERY__NODE__NODE_RANGE_TABLE_SAMPLE:
		return refuse(r, -1, e, "protected part: TABLESAMPLE", "TABLESAMPLE is not allowed over protected rows",
			      "Ask about all rows.");
	default:
		return refuse(r, -1, e, "protected part: FROM", "this FROM item cannot be combined with protected tables",
			      "Join tables of the policy only.");
	}
}

bool rel_bind_from(struct rel *r, const PgQuery__SelectStmt *s, const struct cte *scope, struct names *names, struct error *e)
{
	struct expr *where;

	if (s->with_clause)
		return refuse(r, -1, e, "protected part: WITH", "WITH inside a protected sub-select is not supported",
			      "Move it to the top of the statement.");
	for (size_t i = 0; i < s->n_from_clause; i++) {
		if (!bind_from_item(r, s->from_clause[i], scope, names, e))
			return false;
	}
	if (!s->where_clause)
		return true;
	const struct binder b = { .rel = r, .names = names };
	return bind_condition(&b, s->where_clause, "WHERE", &where, e) && rel_add_condition(r, where, e);
}

static bool no_column(const struct rel *r, const struct names *n, const char *table, const char *column, int location, struct error *e)
{
	const char *candidates[512];
	size_t count = 0;

	for (size_t t = 0; t < n->n; t++) {
		for (size_t i = 0; i < n->tables[t].n && count < ARRAY_LEN(candidates); i++)
			candidates[count++] = n->tables[t].names[i];
	}
	const char *near = text_nearest(column, candidates, count);
	if (table)
		fail(e, ERR_NO_COLUMN, "column %s.%s does not exist", table, column);
	else
		fail(e, ERR_NO_COLUMN, "column \"%s\" does not exist", column);
	if (near)
		error_hint(e, "Perhaps you meant \"%s\".", near);
	return planning_at(r->planning, location, e);
}

bool names_find(const struct rel *r, const struct names *n, const char *schema, const char *table, const char *column, int location,
		struct expr **out, struct error *e)
{
	struct expr *found = NULL;
	bool table_seen = !table;

	for (size_t i = 0; !table && i < n->merged.n && !found; i++) {
		if (text_eq(n->merged.names[i], column))
			found = n->merged.exprs[i];
	}
	bool merged = found != NULL;
	for (size_t t = 0; t < n->n && !merged; t++) {
		const struct visible *v = &n->tables[t];
		if (table && !text_eq(v->alias, table))
			continue;
		table_seen = true;
		for (size_t i = 0; i < v->n; i++) {
			if (!text_eq(v->names[i], column))
				continue;
			if (found) {
				fail(e, ERR_AMBIGUOUS_COLUMN, "column reference \"%s\" is ambiguous", column);
				error_hint(e, "Write the table's alias before it.");
				return planning_at(r->planning, location, e);
			}
			found = v->exprs[i];
		}
	}
	if (!table_seen) {
		fail(e, ERR_NO_TABLE, "missing FROM-clause entry for table \"%s\"", table);
		return planning_at(r->planning, location, e);
	}
	if (!found)
		return no_column(r, n, table, column, location, e);
	if (schema && found->kind == EXPR_COLUMN && !text_eq(schema, found->scan->table->schema))
		return no_column(r, n, table, column, location, e);
	struct expr *x = expr_copy(r->planning->arena, found);
	if (!x)
		return fail_memory(e);
	x->location = location;
	facts_narrow(r, x);
	*out = x;
	return true;
}
