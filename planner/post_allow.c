/* What the sidecar may be asked: functions by list, operators and types of pg_catalog, catalog relations but for those that tell about other sessions. */
#include "planner/post.h"

#include "base/text.h"

#include <string.h>

typedef PgQuery__Node Node;

static const char *const functions[] = {
#define F(name) #name,
#include "planner/post_functions.inc"
#undef F
};

/* Other analysts' activity, secrets' hashes, host facts, statistics that are data elsewhere. */
static const char *const relations_denied[] = {
	"pg_authid", "pg_shadow", "pg_locks", "pg_prepared_xacts", "pg_prepared_statements", "pg_cursors", "pg_file_settings",
	"pg_hba_file_rules", "pg_ident_file_mappings", "pg_config", "pg_statistic", "pg_statistic_ext_data", "pg_stats", "pg_stats_ext",
	"pg_stats_ext_exprs", "pg_largeobject", "pg_largeobject_metadata", "pg_user_mapping", "pg_user_mappings", "pg_subscription",
	"pg_subscription_rel", "pg_replication_slots", "pg_replication_origin", "pg_replication_origin_status", "pg_shmem_allocations",
	"pg_backend_memory_contexts", "pg_db_role_setting", "pg_shdepend", "pg_available_extensions", "pg_available_extension_versions",
};

/* Of the pg_stat_ views only these, which clients ask for and which stay zero: pg_stat_activity and the like tell about others. */
static const char *const statistics_shown[] = { "pg_stat_all_tables", "pg_stat_sys_tables", "pg_stat_user_tables", "pg_stat_all_indexes",
						"pg_stat_sys_indexes", "pg_stat_user_indexes" };

/* Settings that current_setting may show. */
static const char *const settings_shown[] = { "server_version", "server_version_num", "search_path", "timezone", "datestyle", "intervalstyle",
					      "client_encoding", "standard_conforming_strings", "transaction_isolation", "max_identifier_length",
					      "default_transaction_isolation", "application_name", "server_encoding", "is_superuser",
					      "integer_datetimes", "lc_collate", "lc_ctype", "max_index_keys", "extra_float_digits", "block_size" };

static bool listed(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text_eq_nocase(list[i], name))
			return true;
	}
	return false;
}

static bool refuse(const struct planning *p, int location, struct error *e, const char *kind, const char *name)
{
	fail(e, ERR_RULE, "%s %s is not allowed", kind, name);
	error_rule(e, "sidecar allowlist");
	error_detail(e, "Only listed functions and catalog tables may be used around aggregated results and in catalog queries.");
	error_hint(e, "docs/sql.md lists them.");
	return planning_at(p, location, e);
}

static bool catalog_qualified(size_t n, Node *const *parts)
{
	if (n < 2)
		return true;
	for (size_t i = 0; i < n; i++) {
		if (parts[i]->node_case != PG_QUERY__NODE__NODE_STRING)
			return false;
	}
	return n == 2 && (text_eq(parts[0]->string->sval, "pg_catalog") || text_eq(parts[0]->string->sval, "information_schema"));
}

static const Node *first_constant(const PgQuery__FuncCall *f)
{
	const Node *a = f->n_args > 0 ? f->args[0] : NULL;

	if (a && a->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
		a = a->type_cast->arg;
	return a && a->node_case == PG_QUERY__NODE__NODE_A_CONST ? a : NULL;
}

static const char *first_text(const PgQuery__FuncCall *f)
{
	const Node *a = first_constant(f);

	return a && a->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL ? a->a_const->sval->sval : NULL;
}

/* format()'s widths: '%1000000000s' would fill the sidecar's memory, and '*' takes the width from anywhere. */
static bool format_is_narrow(const char *format)
{
	if (!format)
		return false;
	for (const char *c = strchr(format, '%'); c; c = strchr(c, '%')) {
		size_t width = strspn(c + 1, "-$0123456789");
		if (width > 4 || c[1 + width] == '*')
			return false;
		c += c[1 + width] == '%' ? width + 2 : width + 1;
	}
	return true;
}

/* Ends of a series that are written out must be near; computed ones are left to the sidecar's own limits on time and memory. */
static bool series_is_short(const PgQuery__FuncCall *f)
{
	for (size_t i = 0; i < f->n_args; i++) {
		const Node *a = f->args[i];
		if (a->node_case == PG_QUERY__NODE__NODE_A_CONST &&
		    (a->a_const->val_case == PG_QUERY__A__CONST__VAL_FVAL ||
		     (a->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL && a->a_const->ival->ival > 100000)))
			return false;
	}
	return true;
}

/* Amounts that would let one call fill the sidecar's memory or time, and settings that tell about the host. */
static bool check_arguments(const struct planning *p, const PgQuery__FuncCall *f, const char *name, struct error *e)
{
	if (text_eq(name, "current_setting") &&
	    (!first_text(f) || !listed(first_text(f), settings_shown, ARRAY_LEN(settings_shown))))
		return refuse(p, f->location, e, "function", "current_setting with this setting");
	if (text_eq(name, "format") && !format_is_narrow(first_text(f)))
		return refuse(p, f->location, e, "function", "format with a wide or computed format string");
	if (text_eq(name, "generate_series") && !series_is_short(f))
		return refuse(p, f->location, e, "function", "generate_series over so many values");
	return true;
}

static bool check_function(const struct planning *p, const PgQuery__FuncCall *f, struct error *e)
{
	const Node *last = f->n_funcname > 0 ? f->funcname[f->n_funcname - 1] : NULL;
	const char *name = last && last->node_case == PG_QUERY__NODE__NODE_STRING ? last->string->sval : "?";

	if (text_eq(name, "noise_low") || text_eq(name, "noise_high")) {
		fail(e, ERR_RULE, "%s takes an aggregate of protected rows", name);
		error_rule(e, "noise interval");
		error_hint(e, "Write it where the aggregate is called: WITH t AS (SELECT count(*) AS n, noise_low(count(*)) AS low ...) SELECT low FROM t.");
		return planning_at(p, f->location, e);
	}
	if (!catalog_qualified(f->n_funcname, f->funcname) || !listed(name, functions, ARRAY_LEN(functions)))
		return refuse(p, f->location, e, "function", name);
	return check_arguments(p, f, name, e);
}

static bool check_type(const struct planning *p, const PgQuery__TypeName *t, struct error *e)
{
	if (t && !catalog_qualified(t->n_names, t->names))
		return refuse(p, t->location, e, "type", "of another schema");
	return true;
}

/* Behind the client's parameters stand the released columns: they are not the client's to name. */
static bool check_parameter(const struct planning *p, const PgQuery__ParamRef *r, struct error *e)
{
	if (r->number >= 1 && (size_t)r->number <= p->n_params)
		return true;
	fail(e, ERR_NO_PARAMETER, "there is no parameter $%d", r->number);
	return planning_at(p, r->location, e);
}

bool post_check_node(const struct planning *p, const Node *n, struct error *e)
{
	switch (n->node_case) {
	case PG_QUERY__NODE__NODE_FUNC_CALL:
		return check_function(p, n->func_call, e);
	case PG_QUERY__NODE__NODE_A_EXPR:
		return catalog_qualified(n->a_expr->n_name, n->a_expr->name) ? true : refuse(p, n->a_expr->location, e, "operator", "of another schema");
	case PG_QUERY__NODE__NODE_TYPE_CAST:
		return check_type(p, n->type_cast->type_name, e);
	case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
		return catalog_qualified(n->collate_clause->n_collname, n->collate_clause->collname) ||
		       refuse(p, n->collate_clause->location, e, "collation", "of another schema");
	case PG_QUERY__NODE__NODE_SORT_BY:
		return catalog_qualified(n->sort_by->n_use_op, n->sort_by->use_op) || refuse(p, n->sort_by->location, e, "operator", "of another schema");
	case PG_QUERY__NODE__NODE_SUB_LINK:
		return catalog_qualified(n->sub_link->n_oper_name, n->sub_link->oper_name) ||
		       refuse(p, n->sub_link->location, e, "operator", "of another schema");
	case PG_QUERY__NODE__NODE_PARAM_REF:
		return check_parameter(p, n->param_ref, e);
	case PG_QUERY__NODE__NODE_XML_EXPR:
	case PG_QUERY__NODE__NODE_XML_SERIALIZE:
		return refuse(p, -1, e, "expression", "XML");
	case PG_QUERY__NODE__NODE_RANGE_TABLE_FUNC:
		return refuse(p, -1, e, "expression", "XMLTABLE");
	case PG_QUERY__NODE__NODE_INTO_CLAUSE:
		return refuse(p, -1, e, "clause", "SELECT INTO");
	case PG_QUERY__NODE__NODE_LOCKING_CLAUSE:
		return refuse(p, -1, e, "clause", "FOR UPDATE");
	default:
		return true;
	}
}

struct checking {
	const struct planning *p;
	const struct cte *scope;
	bool policy_tables;
};

static bool check_relation(const struct checking *c, const PgQuery__RangeVar *v, struct error *e)
{
	const struct policy_table *table;
	const struct cte *cte;

	if (!planning_table(c->p, c->scope, v, &cte, &table, e))
		return false;
	if (cte)
		return true;
	if (table && !c->policy_tables)
		return refuse(c->p, v->location, e, "table", v->relname);
	bool statistics = text_starts(v->relname, "pg_stat_") && !listed(v->relname, statistics_shown, ARRAY_LEN(statistics_shown));
	if (!table && (statistics || listed(v->relname, relations_denied, ARRAY_LEN(relations_denied))))
		return refuse(c->p, v->location, e, "table", v->relname);
	return true;
}

/* INTO and FOR UPDATE of a SELECT and of the arms of its set operations, which are no nodes of their own. */
static bool check_clauses(const struct planning *p, const PgQuery__SelectStmt *s, struct error *e)
{
	if (!s)
		return true;
	if (s->into_clause || s->n_locking_clause > 0)
		return refuse(p, -1, e, "clause", s->into_clause ? "SELECT INTO" : "FOR UPDATE");
	return check_clauses(p, s->larg, e) && check_clauses(p, s->rarg, e);
}

static bool check_visit(void *ctx, Node *n, struct error *e)
{
	struct checking *c = ctx;

	if (n->node_case == PG_QUERY__NODE__NODE_RANGE_VAR)
		return check_relation(c, n->range_var, e);
	if (n->node_case == PG_QUERY__NODE__NODE_SELECT_STMT)
		return check_clauses(c->p, n->select_stmt, e);
	if (n->node_case == PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR &&
	    n->common_table_expr->ctequery->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
		return refuse(c->p, n->common_table_expr->location, e, "statement", "that changes data inside WITH");
	return post_check_node(c->p, n, e);
}

struct cte_names {
	const struct planning *p;
	struct cte *scope;
};

/* Names of CTEs at any depth: inside a free query they are all harmless, so one flat scope serves. */
static bool collect_cte(void *ctx, Node *n, struct error *e)
{
	struct cte_names *names = ctx;

	if (n->node_case != PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR)
		return true;
	struct cte *c = arena_new(names->p->arena, struct cte);
	if (!c)
		return fail_memory(e);
	*c = (struct cte){ .next = names->scope, .name = n->common_table_expr->ctename, .expr = n->common_table_expr, .kind = QUERY_FREE };
	names->scope = c;
	return true;
}

bool post_check_free(const struct planning *p, const struct cte *scope, PgQuery__SelectStmt *s, bool policy_tables, struct error *e)
{
	struct cte_names names = { p, (struct cte *)(uintptr_t)scope };

	if (!check_clauses(p, s, e))
		return false;
	if (!ast_walk(&s->base, collect_cte, &names, e))
		return false;
	struct checking c = { p, names.scope, policy_tables };
	return ast_walk(&s->base, check_visit, &c, e);
}
