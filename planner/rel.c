#include "planner/bind.h"

#include "base/mem.h"
#include "base/text.h"
#include "planner/derived.h"
#include "planner/facts.h"
#include "planner/join.h"

typedef PgQuery__Node Node;

enum { SCANS_MAX = 64 };

bool rel_refuse(const struct rel *r, int location, struct error *e, const char *rule, const char *message, const char *hint)
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

bool rel_add_visible(const struct rel *r, struct names *n, const struct visible *v, int location, struct error *e)
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
		return rel_refuse(r, location, e, "names", "more column aliases than columns", "Name at most as many as there are.");
	for (size_t i = 0; i < n_aliases; i++)
		names[i] = aliases[i]->string->sval;
	return true;
}

struct expr *rel_column(const struct rel *r, struct scan *s, size_t column)
{
	const struct policy_column *c = &s->table->columns[column];
	struct expr *x = arena_new(r->planning->arena, struct expr);

	if (!x)
		return NULL;
	*x = (struct expr){ .kind = EXPR_COLUMN, .type = c->type, .form = FORM_NATIVE, .location = -1, .scan = s, .column = column };
	if (sql_type_is_number(c->type)) {
		x->range = (struct range){ .known = c->has_bounds, .lo = c->lo, .hi = c->hi, .grid = c->grid };
		x->magnitude = MAGNITUDE_GUARD;
	}
	if (s->derived) {
		x->form = s->derived->forms[column];
		x->magnitude = s->derived->magnitudes[column];
	}
	return x;
}

struct rel *rel_inside(const struct rel *r, const struct cte *scope)
{
	struct rel *inner = arena_new(r->planning->arena, struct rel);

	if (inner)
		*inner = (struct rel){ .planning = r->planning, .scope = scope };
	return inner;
}

bool rel_add_scan(struct rel *r, const struct policy_table *t, struct derived *d, int location, struct scan **out, struct error *e)
{
	struct arena *a = r->planning->arena;
	struct scan *s = arena_new(a, struct scan);
	struct scan **grown = arena_grow(a, r->scans, r->n_scans, &r->cap_scans, sizeof(*grown));

	if (!s || !grown)
		return fail_memory(e);
	if (r->n_scans == SCANS_MAX) {
		fail(e, ERR_TOO_COMPLEX, "one query may read at most %d tables", SCANS_MAX);
		error_rule(e, "limits");
		error_hint(e, "A CTE or sub-select counts each time that it is used.");
		return planning_at(r->planning, location, e);
	}
	*s = (struct scan){ .table = t, .derived = d, .number = r->n_scans + 1 };
	r->scans = grown;
	r->scans[r->n_scans++] = s;
	*out = s;
	return true;
}

static bool bind_table(struct rel *r, const struct policy_table *t, const PgQuery__RangeVar *v, struct names *names, struct error *e)
{
	struct arena *a = r->planning->arena;
	const char **column_names = arena_array(a, t->n_columns, const char *);
	struct expr **exprs = arena_array(a, t->n_columns, struct expr *);
	struct scan *s;

	if (!column_names || !exprs)
		return fail_memory(e);
	if (!rel_add_scan(r, t, NULL, v->location, &s, e))
		return false;
	for (size_t i = 0; i < t->n_columns; i++) {
		column_names[i] = t->columns[i].name;
		exprs[i] = rel_column(r, s, i);
		if (!exprs[i])
			return fail_memory(e);
	}
	if (v->alias && !rename_columns(r, column_names, t->n_columns, v->alias->n_colnames, v->alias->colnames, v->location, e))
		return false;
	struct visible vis = { .alias = v->alias ? v->alias->aliasname : t->name, .names = column_names, .exprs = exprs,
			       .n = t->n_columns };
	return rel_add_visible(r, names, &vis, v->location, e);
}

static bool bind_range_var(struct rel *r, const PgQuery__RangeVar *v, const struct cte *scope, struct names *names, struct error *e)
{
	const struct cte *cte;
	const struct policy_table *table;

	if (!planning_table(r->planning, scope, v, &cte, &table, e))
		return false;
	if (table)
		return bind_table(r, table, v, names, e);
	if (!cte)
		return rel_refuse(r, v->location, e, "mixed sources", "catalog tables cannot be joined with protected tables",
			      "Ask two queries.");
	const PgQuery__Alias *al = v->alias;
	bool own = al && al->n_colnames > 0;
	return derived_bind(r, cte->query, cte->outer, al ? al->aliasname : cte->name, own ? al->n_colnames : cte->expr->n_aliascolnames,
			    own ? al->colnames : cte->expr->aliascolnames, v->location, names, e);
}

bool rel_bind_item(struct rel *r, const Node *n, const struct cte *scope, struct names *names, struct error *e)
{
	switch (n->node_case) {
	case PG_QUERY__NODE__NODE_RANGE_VAR:
		return bind_range_var(r, n->range_var, scope, names, e);
	case PG_QUERY__NODE__NODE_JOIN_EXPR:
		return join_bind(r, n->join_expr, scope, names, e);
	case PG_QUERY__NODE__NODE_RANGE_SUBSELECT: {
		const PgQuery__RangeSubselect *s = n->range_subselect;
		if (s->lateral)
			return rel_refuse(r, -1, e, "joins: lateral", "LATERAL is not allowed over protected rows", "Use a plain join.");
		if (!s->alias)
			return rel_refuse(r, -1, e, "names", "subquery in FROM must have an alias", "For example, FROM (SELECT ...) AS foo.");
		return derived_bind(r, s->subquery->select_stmt, scope, s->alias->aliasname, s->alias->n_colnames, s->alias->colnames,
				    -1, names, e);
	}
	case PG_QUERY__NODE__NODE_RANGE_TABLE_SAMPLE:
		return rel_refuse(r, -1, e, "protected part: TABLESAMPLE", "TABLESAMPLE is not allowed over protected rows",
			      "Ask about all rows.");
	default:
		return rel_refuse(r, -1, e, "protected part: FROM", "this FROM item cannot be combined with protected tables",
			      "Join tables of the policy only.");
	}
}

bool rel_bind_tables(struct rel *r, const PgQuery__SelectStmt *s, const struct cte *scope, struct names *names, struct error *e)
{
	for (size_t i = 0; i < s->n_from_clause; i++) {
		if (!rel_bind_item(r, s->from_clause[i], scope, names, e))
			return false;
	}
	return true;
}

bool rel_bind_from(struct rel *r, const PgQuery__SelectStmt *s, const struct cte *scope, struct names *names, struct error *e)
{
	const struct binder b = { .rel = r, .names = names, .scope = scope };
	struct expr *where;

	if (!rel_bind_tables(r, s, scope, names, e))
		return false;
	return !s->where_clause || (bind_condition(&b, s->where_clause, "WHERE", &where, e) && rel_add_condition(r, where, e));
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
