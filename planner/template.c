#include "planner/template.h"

#include "base/bytes.h"
#include "base/text.h"

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

/* A constant argument as a literal of the declared type. */
static bool put_argument(struct wr *w, const Node *n, enum sql_type type)
{
	if (n->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
		n = n->type_cast->arg;
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
		if ((*s == '\'' || *s == '"') && (!quote || quote == *s))
			quote = quote ? '\0' : *s;
		if (i == t->n_parameters) {
			wr_u8(&w, (uint8_t)*s);
			continue;
		}
		if (!put_argument(&w, f->args[i], t->types[i])) {
			fail(e, ERR_RULE, "argument \"%s\" of template %s must be a constant", t->parameters[i], t->name);
			error_rule(e, "custom: templates");
			error_hint(e, "Write it as a literal of type %s.", sql_type_name(t->types[i]));
			return planning_at(p, f->location, e);
		}
		s += n;
	}
	if (!wr_ok(&w))
		return fail_memory(e);
	*out = wr_text(&w);
	return true;
}

bool template_expand(const struct planning *p, const Node *statement, const struct policy_template **out, const char **sql, struct error *e)
{
	const PgQuery__FuncCall *f = called(statement);
	const Node *last = f && f->n_funcname == 1 ? f->funcname[0] : NULL;
	const struct policy_template *t = last && last->node_case == PG_QUERY__NODE__NODE_STRING ? policy_find_template(p->policy, last->string->sval) : NULL;

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
