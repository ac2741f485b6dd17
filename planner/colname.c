/* Names of result columns without alias, as PostgreSQL chooses them. */
#include "planner/post.h"

#include "base/text.h"

typedef PgQuery__Node Node;

/* The name and how good it is: 2 from a column or function, 1 from a type or keyword, 0 none. */
static int figure(const Node *n, const char **name);

static int last_string(size_t n, Node *const *parts, const char **name)
{
	for (; n > 0; n--) {
		if (parts[n - 1]->node_case == PG_QUERY__NODE__NODE_STRING) {
			*name = parts[n - 1]->string->sval;
			return 2;
		}
	}
	return 0;
}

static int set(const char **name, const char *value, int strength)
{
	*name = value;
	return strength;
}

static int figure_cast(const PgQuery__TypeCast *c, const char **name)
{
	int strength = figure(c->arg, name);

	if (strength > 1 || !c->type_name)
		return strength;
	return last_string(c->type_name->n_names, c->type_name->names, name) ? 1 : strength;
}

static bool is_star(const Node *n)
{
	return n && n->node_case == PG_QUERY__NODE__NODE_COLUMN_REF &&
	       n->column_ref->fields[n->column_ref->n_fields - 1]->node_case == PG_QUERY__NODE__NODE_A_STAR;
}

/* The sub-select has been analysed before PostgreSQL asks: its column has a name, be it "?column?". */
static int figure_sublink(const PgQuery__SubLink *l, const char **name)
{
	switch (l->sub_link_type) {
	case PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK:
		return set(name, "exists", 2);
	case PG_QUERY__SUB_LINK_TYPE__ARRAY_SUBLINK:
		return set(name, "array", 2);
	case PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK: {
		const PgQuery__SelectStmt *s = l->subselect->select_stmt;
		while (s->larg)
			s = s->larg;
		const PgQuery__ResTarget *t = s->n_target_list > 0 ? s->target_list[0]->res_target : NULL;
		if (!t || is_star(t->val))
			return set(name, NULL, 2); /* of VALUES, or of a column that only PostgreSQL knows */
		return set(name, t->name && *t->name ? t->name : post_column_name(t->val), 2);
	}
	default:
		return 0;
	}
}

static int figure_value_function(PgQuery__SQLValueFunctionOp op, const char **name)
{
	static const char *const names[] = { "", "current_date", "current_time", "current_time", "current_timestamp", "current_timestamp",
					     "localtime", "localtime", "localtimestamp", "localtimestamp", "current_role", "current_user",
					     "user", "session_user", "current_catalog", "current_schema" };

	return (size_t)op < ARRAY_LEN(names) ? set(name, names[op], 2) : 0;
}

static int figure(const Node *n, const char **name)
{
	switch (n->node_case) {
	case PG_QUERY__NODE__NODE_COLUMN_REF:
		return last_string(n->column_ref->n_fields, n->column_ref->fields, name);
	case PG_QUERY__NODE__NODE_A_INDIRECTION: {
		int strength = last_string(n->a_indirection->n_indirection, n->a_indirection->indirection, name);
		return strength ? strength : figure(n->a_indirection->arg, name);
	}
	case PG_QUERY__NODE__NODE_FUNC_CALL:
		return last_string(n->func_call->n_funcname, n->func_call->funcname, name);
	case PG_QUERY__NODE__NODE_A_EXPR:
		return n->a_expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF ? set(name, "nullif", 2) : 0;
	case PG_QUERY__NODE__NODE_TYPE_CAST:
		return figure_cast(n->type_cast, name);
	case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
		return figure(n->collate_clause->arg, name);
	case PG_QUERY__NODE__NODE_GROUPING_FUNC:
		return set(name, "grouping", 2);
	case PG_QUERY__NODE__NODE_SUB_LINK:
		return figure_sublink(n->sub_link, name);
	case PG_QUERY__NODE__NODE_CASE_EXPR: {
		int strength = n->case_expr->defresult ? figure(n->case_expr->defresult, name) : 0;
		return strength > 1 ? strength : set(name, "case", 1);
	}
	case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
		return set(name, "array", 2);
	case PG_QUERY__NODE__NODE_ROW_EXPR:
		return set(name, "row", 2);
	case PG_QUERY__NODE__NODE_COALESCE_EXPR:
		return set(name, "coalesce", 2);
	case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
		return set(name, n->min_max_expr->op == PG_QUERY__MIN_MAX_OP__IS_LEAST ? "least" : "greatest", 2);
	case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
		return figure_value_function(n->sqlvalue_function->op, name);
	default:
		return 0;
	}
}

const char *post_column_name(const Node *n)
{
	const char *name = NULL;

	return n && figure(n, &name) > 0 ? name : "?column?";
}
