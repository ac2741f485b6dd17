#include "planner/template.h"

#include "base/bytes.h"
#include "base/text.h"
#include "planner/ast.h"

#include <string.h>

typedef PgQuery__Node Node;

/* template(...) as the only item of FROM, below a bare SELECT *; or CALL template(...). */
static const PgQuery__FuncCall *called(const Node *n)
{
	if (n->node_case == PG_QUERY__NODE__NODE_CALL_STMT)
		return n->call_stmt->funccall;
	if (n->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
		return NULL;
	const PgQuery__SelectStmt *s = n->select_stmt;
	if (s->n_from_clause != 1 || s->from_clause[0]->node_case != PG_QUERY__NODE__NODE_RANGE_FUNCTION || s->n_target_list != 1 || s->where_clause ||
	    s->n_group_clause || s->having_clause || s->n_sort_clause || s->limit_count || s->limit_offset || s->n_distinct_clause || s->with_clause)
		return NULL;
	const Node *target = s->target_list[0]->res_target->val;
	const PgQuery__RangeFunction *f = s->from_clause[0]->range_function;
	if (target->node_case != PG_QUERY__NODE__NODE_COLUMN_REF || target->column_ref->n_fields != 1 ||
	    target->column_ref->fields[0]->node_case != PG_QUERY__NODE__NODE_A_STAR || f->n_functions != 1 || f->ordinality || f->lateral)
		return NULL;
	const Node *list = f->functions[0];
	if (list->node_case != PG_QUERY__NODE__NODE_LIST || list->list->n_items == 0 || list->list->items[0]->node_case != PG_QUERY__NODE__NODE_FUNC_CALL)
		return NULL;
	return list->list->items[0]->func_call;
}

/* n of an argument $n, cast or not; 0 for another. */
static size_t parameter_number(const Node *n)
{
	if (n->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
		n = n->type_cast->arg;
	if (n->node_case != PG_QUERY__NODE__NODE_PARAM_REF || n->param_ref->number < 1 || n->param_ref->number > UINT16_MAX)
		return 0;
	return (size_t)n->param_ref->number;
}

/* A constant argument as a literal of the declared type; a statement's parameter as itself. */
static bool put_argument(struct wr *w, const Node *n, enum sql_type type)
{
	if (n->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
		n = n->type_cast->arg;
	if (parameter_number(n) > 0) {
		wr_fmt(w, "CAST($%zu AS pg_catalog.%s)", parameter_number(n), sql_type_name(type));
		return true;
	}
	if (n->node_case != PG_QUERY__NODE__NODE_A_CONST)
		return false;
	const PgQuery__AConst *c = n->a_const;
	wr_str(w, "CAST(");
	if (c->isnull) {
		wr_str(w, "NULL");
	} else {
		switch (c->val_case) {
		case PG_QUERY__A__CONST__VAL_IVAL:
			wr_fmt(w, "%d", c->ival->ival);
			break;
		case PG_QUERY__A__CONST__VAL_FVAL:
			wr_str(w, c->fval->fval);
			break;
		case PG_QUERY__A__CONST__VAL_BOOLVAL:
			wr_str(w, c->boolval->boolval ? "true" : "false");
			break;
		case PG_QUERY__A__CONST__VAL_SVAL:
			wr_sql_literal(w, c->sval->sval);
			break;
		default:
			return false;
		}
	}
	wr_fmt(w, " AS pg_catalog.%s)", sql_type_name(type));
	return true;
}

static size_t name_length(const char *s)
{
	size_t n = 0;

	while ((s[n] >= 'a' && s[n] <= 'z') || (s[n] >= 'A' && s[n] <= 'Z') || s[n] == '_' || (n > 0 && s[n] >= '0' && s[n] <= '9'))
		n++;
	return n;
}

static size_t parameter_named(const struct policy_template *t, const char *name, size_t n)
{
	size_t i = 0;

	while (i < t->n_parameters && (strlen(t->parameters[i]) != n || strncmp(t->parameters[i], name, n) != 0))
		i++;
	return i;
}

/* The template's text with its :names replaced; text in quotes and casts (::) are left alone. */
static bool substitute(const struct planning *p, const struct policy_template *t, const PgQuery__FuncCall *f, const char **out, struct error *e)
{
	struct wr w;
	char quote = '\0';

	wr_init(&w, p->arena, 1 << 20);
	for (const char *s = t->sql; *s; s++) {
		size_t n = !quote && s[0] == ':' && s[1] != ':' && (s == t->sql || s[-1] != ':') ? name_length(s + 1) : 0;
		size_t i = n ? parameter_named(t, s + 1, n) : t->n_parameters;
		if (!quote && s[0] == '$' && s[1] >= '0' && s[1] <= '9' && (s == t->sql || strchr(" \t\n(,=<>+-*/", s[-1]))) {
			/* the analyst's parameters have no place in the owner's text but that of an argument */
			fail(e, ERR_RULE, "template %s holds a parameter without a name", t->name);
			error_rule(e, "custom: templates");
			return error_hint(e, "Its owner may declare it under parameters, and write :name.");
		}
		if ((*s == '\'' || *s == '"') && (!quote || quote == *s))
			quote = quote ? '\0' : *s;
		if (i == t->n_parameters) {
			wr_u8(&w, (uint8_t)*s);
			continue;
		}
		if (!put_argument(&w, f->args[i], t->types[i])) {
			fail(e, ERR_RULE, "argument \"%s\" of template %s must be a constant or a parameter", t->parameters[i], t->name);
			error_rule(e, "custom: templates");
			error_hint(e, "Write it as a literal of type %s, or as $1 with a value bound to it.", sql_type_name(t->types[i]));
			return planning_at(p, f->location, e);
		}
		s += n;
	}
	if (!wr_ok(&w))
		return fail_memory(e);
	*out = wr_text(&w);
	return true;
}

/* The template that is called, or NULL. */
static const struct policy_template *template_of(const struct policy *policy, const PgQuery__FuncCall *f)
{
	const Node *last = f && f->n_funcname == 1 ? f->funcname[0] : NULL;

	return last && last->node_case == PG_QUERY__NODE__NODE_STRING ? policy_find_template(policy, last->string->sval) : NULL;
}

bool template_parameters(struct arena *a, const struct policy *policy, const char *sql, const enum sql_type **types, size_t *n, struct error *e)
{
	const PgQuery__ParseResult *tree;
	struct error ignored = ERROR_INIT;
	size_t most = 0;

	*types = NULL;
	*n = 0;
	if (policy->n_templates == 0 || !ast_parse(a, sql, &tree, &ignored) || tree->n_stmts != 1)
		return true;
	const Node *statement = tree->stmts[0]->stmt;
	if (statement->node_case == PG_QUERY__NODE__NODE_EXPLAIN_STMT)
		statement = statement->explain_stmt->query;
	const PgQuery__FuncCall *f = called(statement);
	const struct policy_template *t = template_of(policy, f);
	if (!t)
		return true;
	for (size_t i = 0; i < f->n_args; i++)
		most = parameter_number(f->args[i]) > most ? parameter_number(f->args[i]) : most;
	enum sql_type *out = arena_array(a, most + 1, enum sql_type);
	if (!out)
		return fail_memory(e);
	for (size_t i = 0; i < most; i++)
		out[i] = TYPE_COUNT;
	for (size_t i = 0; i < f->n_args; i++) {
		size_t number = parameter_number(f->args[i]);
		if (number > 0 && i < t->n_parameters && out[number - 1] == TYPE_COUNT)
			out[number - 1] = t->types[i];
	}
	*types = out;
	*n = most;
	return true;
}

bool template_expand(const struct planning *p, const Node *statement, const struct policy_template **out, const char **sql, struct error *e)
{
	const PgQuery__FuncCall *f = called(statement);
	const struct policy_template *t = template_of(p->policy, f);

	if (!t)
		return true;
	if (f->n_args != t->n_parameters) {
		fail(e, ERR_NO_FUNCTION, "template %s takes %zu arguments", t->name, t->n_parameters);
		error_rule(e, "custom: templates");
		return planning_at(p, f->location, e);
	}
	*out = t;
	return substitute(p, t, f, sql, e);
}
