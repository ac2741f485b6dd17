/* Names of relations, and what kind of query a SELECT is. */
#include "planner/ast.h"
#include "planner/block.h"
#include "planner/derived.h"
#include "planner/post.h"

#include "base/text.h"

bool (planning_at)(const struct planning *p, int location, struct error *e)
{
	if (e->position == 0)
		e->position = ast_position(p->sql, location);
	return false;
}

static bool no_table(const struct planning *p, const PgQuery__RangeVar *v, struct error *e)
{
	const char *names[256];
	size_t n = 0;

	for (size_t i = 0; i < p->policy->n_tables && n < ARRAY_LEN(names); i++)
		names[n++] = p->policy->tables[i].name;
	const char *near = text_nearest(v->relname, names, n);
	if (v->schemaname && *v->schemaname)
		fail(e, ERR_NO_TABLE, "relation \"%s.%s\" does not exist", v->schemaname, v->relname);
	else
		fail(e, ERR_NO_TABLE, "relation \"%s\" does not exist", v->relname);
	for (size_t i = 0; near && i < p->policy->n_tables; i++) {
		if (text_eq(p->policy->tables[i].name, near)) {
			error_hint(e, "Perhaps you meant %s.%s.", p->policy->tables[i].schema, near);
			break;
		}
	}
	return planning_at(p, v->location, e);
}

/* own: free makes a table public to its owner. */
static const struct policy_table *as_asked(const struct planning *p, const struct policy_table *t)
{
	return t && t->own && text_eq(t->owner, p->settings->analyst) ? t->own : t;
}

/* A bare name along the search path that is one of the relations of proxy/introspect. */
static bool is_introspection(const char *name)
{
	static const char *const names[] = { "tables", "columns", "rules", "budget", "queries" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (text_eq(names[i], name))
			return true;
	}
	return false;
}

bool planning_table(const struct planning *p, const struct cte *scope, const PgQuery__RangeVar *v, const struct cte **cte,
		    const struct policy_table **table, struct error *e)
{
	bool bare = !v->schemaname || !*v->schemaname;

	*cte = NULL;
	*table = NULL;
	for (const struct cte *c = scope; bare && c; c = c->next) {
		if (text_eq(c->name, v->relname)) {
			*cte = c;
			return true;
		}
	}
	if (v->catalogname && *v->catalogname && !text_eq(v->catalogname, p->policy->collaboration)) {
		fail(e, ERR_NO_TABLE, "cross-database references are not possible: \"%s\"", v->catalogname);
		return planning_at(p, v->location, e);
	}
	if (!bare) {
		*table = as_asked(p, policy_find_table(p->policy, v->schemaname, v->relname));
		bool catalog = text_eq(v->schemaname, "pg_catalog") || text_eq(v->schemaname, "information_schema") || text_eq(v->schemaname, "noisegate");
		return *table || catalog ? true : no_table(p, v, e);
	}
	if (text_starts(v->relname, "pg_"))
		return true; /* pg_catalog is always first in the search path */
	for (size_t i = 0; i < p->settings->n_search_path && !*table; i++) {
		if (text_eq(p->settings->search_path[i], "information_schema"))
			return true;
		if (text_eq(p->settings->search_path[i], "noisegate") && is_introspection(v->relname))
			return true;
		*table = as_asked(p, policy_find_table(p->policy, p->settings->search_path[i], v->relname));
	}
	return *table ? true : no_table(p, v, e);
}

static bool item_shows_rows(const struct planning *p, const struct cte *scope, const PgQuery__Node *n, struct error *e)
{
	const struct policy_table *table;
	const struct cte *cte;

	switch (n->node_case) {
	case PG_QUERY__NODE__NODE_RANGE_VAR:
		if (!planning_table(p, scope, n->range_var, &cte, &table, e))
			return false;
		return cte ? planning_shows_rows(p, cte->outer, cte->query) : table && table->rule != RULE_DIFFERENTIAL_PRIVACY && table->rule != RULE_AGGREGATION;
	case PG_QUERY__NODE__NODE_JOIN_EXPR:
		return item_shows_rows(p, scope, n->join_expr->larg, e) && item_shows_rows(p, scope, n->join_expr->rarg, e);
	case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
		return planning_shows_rows(p, scope, n->range_subselect->subquery->select_stmt);
	default:
		return false;
	}
}

bool planning_shows_rows(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s)
{
	struct error ignored = ERROR_INIT;
	struct cte *opened;

	for (size_t i = 0; s->with_clause && i < s->with_clause->n_ctes; i++) {
		if (!post_open_cte(p, scope, s->with_clause->ctes[i]->common_table_expr, &opened, &ignored))
			return false;
		scope = opened;
	}
	for (size_t i = 0; i < s->n_from_clause; i++) {
		if (!item_shows_rows(p, scope, s->from_clause[i], &ignored))
			return false;
	}
	return s->op == PG_QUERY__SET_OPERATION__SETOP_NONE && s->n_from_clause > 0;
}

struct sources {
	bool raw, noised, free;
};

static bool kind_of(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s, bool source, enum query_kind *out,
		    struct error *e);

static void count(struct sources *f, enum query_kind k)
{
	f->raw = f->raw || k == QUERY_RAW;
	f->noised = f->noised || k == QUERY_NOISED;
	f->free = f->free || k == QUERY_FREE;
}

/* public_groups: a sub-select that groups public tables counts as rows, which it may be beside other rows. */
static bool item_kind(const struct planning *p, const struct cte *scope, const PgQuery__Node *n, bool public_groups, struct sources *f,
		      struct error *e)
{
	const struct policy_table *table;
	const struct cte *cte;
	enum query_kind k;

	switch (n->node_case) {
	case PG_QUERY__NODE__NODE_RANGE_VAR:
		if (!planning_table(p, scope, n->range_var, &cte, &table, e))
			return false;
		count(f, cte ? cte->kind : table ? QUERY_RAW : QUERY_FREE);
		return true;
	case PG_QUERY__NODE__NODE_JOIN_EXPR:
		return item_kind(p, scope, n->join_expr->larg, public_groups, f, e) && item_kind(p, scope, n->join_expr->rarg, public_groups, f, e);
	case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
		if (!source_kind(p, scope, n->range_subselect->subquery->select_stmt, &k, e))
			return false;
		if (k == QUERY_NOISED && public_groups && derived_public(p, scope, n->range_subselect->subquery->select_stmt))
			k = QUERY_RAW;
		count(f, k);
		return true;
	case PG_QUERY__NODE__NODE_RANGE_TABLE_SAMPLE:
		return item_kind(p, scope, n->range_table_sample->relation, public_groups, f, e);
	default:
		count(f, QUERY_FREE);
		return true;
	}
}

static bool is_aggregate_call(void *found, PgQuery__Node *n, struct error *e UNUSED)
{
	if (n->node_case == PG_QUERY__NODE__NODE_SUB_LINK)
		return false;
	if (n->node_case == PG_QUERY__NODE__NODE_FUNC_CALL && post_is_aggregate(n->func_call))
		*(bool *)found = true;
	return true;
}

bool post_aggregates(const PgQuery__SelectStmt *s)
{
	struct error ignored = ERROR_INIT;
	bool found = s->n_group_clause > 0 || s->having_clause != NULL;

	for (size_t i = 0; i < s->n_target_list; i++)
		(void)!ast_walk_node(s->target_list[i], is_aggregate_call, &found, &ignored);
	for (size_t i = 0; i < s->n_sort_clause; i++)
		(void)!ast_walk_node(s->sort_clause[i], is_aggregate_call, &found, &ignored);
	return found;
}

struct sublinks {
	const struct planning *p;
	const struct cte *scope;
	struct sources found;
};

static bool sublink_kind(void *ctx, PgQuery__Node *n, struct error *e)
{
	struct sublinks *s = ctx;
	enum query_kind k;

	if (n->node_case == PG_QUERY__NODE__NODE_RANGE_SUBSELECT || n->node_case == PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR)
		return false; /* counted as FROM items, or when they are used */
	if (n->node_case != PG_QUERY__NODE__NODE_SUB_LINK)
		return true;
	if (query_kind(s->p, s->scope, n->sub_link->subselect->select_stmt, &k, e))
		count(&s->found, k);
	return false;
}

static bool select_kind(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s, bool source, enum query_kind *out,
			struct error *e)
{
	struct sources f = { 0 };
	struct sublinks links = { .p = p, .scope = scope };

	for (int again = 0; again < 2 && (again == 0 || (f.raw && f.noised)); again++) {
		f = (struct sources){ 0 };
		for (size_t i = 0; i < s->n_from_clause; i++) {
			if (!item_kind(p, scope, s->from_clause[i], again == 1, &f, e))
				return false;
		}
	}
	if (f.raw && (f.noised || f.free)) {
		fail(e, ERR_RULE, "protected rows cannot be combined with %s in one FROM", f.noised ? "aggregated results" : "catalogs or constants");
		error_rule(e, "mixed sources");
		return error_hint(e, "Aggregate the protected tables in a CTE first, then join the results.");
	}
	if (f.raw) {
		bool groups = post_aggregates(s);
		*out = groups && !(source && derived_per_unit(p, scope, s)) ? QUERY_NOISED : QUERY_RAW;
		return true;
	}
	if (!ast_walk((ProtobufCMessage *)(uintptr_t)&s->base, sublink_kind, &links, e))
		return false;
	*out = f.noised || links.found.noised || links.found.raw ? QUERY_NOISED : QUERY_FREE;
	return true;
}

static bool kind_of(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s, bool source, enum query_kind *out,
		    struct error *e)
{
	enum query_kind l, r;
	struct cte *grown;

	if (s->with_clause && s->with_clause->recursive) {
		fail(e, ERR_RULE, "recursive WITH is not allowed");
		error_rule(e, "recursive CTEs");
		error_hint(e, "Write it without RECURSIVE.");
		return planning_at(p, s->with_clause->location, e);
	}
	for (size_t i = 0; s->with_clause && i < s->with_clause->n_ctes; i++) {
		if (!post_open_cte(p, scope, s->with_clause->ctes[i]->common_table_expr, &grown, e))
			return false;
		scope = grown;
	}
	if (s->op == PG_QUERY__SET_OPERATION__SETOP_NONE || !s->larg)
		return select_kind(p, scope, s, source, out, e);
	if (!kind_of(p, scope, s->larg, source, &l, e) || !kind_of(p, scope, s->rarg, source, &r, e))
		return false;
	*out = l == QUERY_RAW || r == QUERY_RAW ? QUERY_RAW : l == QUERY_NOISED || r == QUERY_NOISED ? QUERY_NOISED : QUERY_FREE;
	return true;
}

bool query_kind(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s, enum query_kind *out, struct error *e)
{
	return kind_of(p, scope, s, false, out, e);
}

bool source_kind(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s, enum query_kind *out, struct error *e)
{
	return kind_of(p, scope, s, true, out, e);
}
