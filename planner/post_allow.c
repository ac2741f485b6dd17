/* What the sidecar may be asked: functions by list, operators and types of pg_catalog, catalog relations but for those that tell about other sessions. */
#include "planner/post.h"

#include "base/text.h"

#include <string.h>

static const char *const functions[] = {
#define F(name) #name,
#include "planner/post_functions.inc"
#undef F
};

/* Other analysts' activity, secrets' hashes, host facts, statistics that are data elsewhere. */
static const char *const relations_denied[] = {
	"pg_authid", "pg_shadow", "pg_stat_activity", "pg_stat_replication", "pg_stat_ssl", "pg_stat_gssapi", "pg_locks", "pg_prepared_xacts",
	"pg_prepared_statements", "pg_cursors", "pg_file_settings", "pg_hba_file_rules", "pg_ident_file_mappings", "pg_config", "pg_statistic",
	"pg_statistic_ext_data", "pg_stats", "pg_stats_ext", "pg_stats_ext_exprs", "pg_largeobject", "pg_largeobject_metadata",
	"pg_user_mapping", "pg_user_mappings", "pg_subscription", "pg_replication_slots", "pg_replication_origin_status", "pg_shmem_allocations",
	"pg_backend_memory_contexts", "pg_stat_wal", "pg_stat_wal_receiver", "pg_stat_bgwriter", "pg_stat_archiver", "pg_stat_slru",
	"pg_stat_database", "pg_stat_database_conflicts", "pg_stat_progress_copy", "pg_stat_progress_vacuum", "pg_stat_progress_analyze",
	"pg_stat_progress_basebackup", "pg_stat_progress_cluster", "pg_stat_progress_create_index", "pg_stat_subscription", "pg_stat_subscription_stats",
	"pg_stat_recovery_prefetch", "pg_stat_user_functions", "pg_stat_xact_all_tables", "pg_stat_xact_user_tables", "pg_stat_xact_sys_tables",
};

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

static bool catalog_qualified(size_t n, PgQuery__Node *const *parts)
{
	if (n < 2)
		return true;
	for (size_t i = 0; i < n; i++) {
		if (parts[i]->node_case != PG_QUERY__NODE__NODE_STRING)
			return false;
	}
	return n == 2 && (text_eq(parts[0]->string->sval, "pg_catalog") || text_eq(parts[0]->string->sval, "information_schema"));
}

/* Amounts that would let one call fill the sidecar's memory or time. */
static bool check_arguments(const struct planning *p, const PgQuery__FuncCall *f, const char *name, struct error *e)
{
	if (text_eq(name, "current_setting")) {
		const PgQuery__Node *a = f->n_args > 0 ? f->args[0] : NULL;
		if (a && a->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
			a = a->type_cast->arg;
		if (!a || a->node_case != PG_QUERY__NODE__NODE_A_CONST || a->a_const->val_case != PG_QUERY__A__CONST__VAL_SVAL ||
		    !listed(a->a_const->sval->sval, settings_shown, ARRAY_LEN(settings_shown)))
			return refuse(p, f->location, e, "function", "current_setting with this setting");
	}
	if (!text_eq(name, "generate_series"))
		return true;
	for (size_t i = 0; i < f->n_args; i++) {
		const PgQuery__Node *a = f->args[i];
		if (a->node_case == PG_QUERY__NODE__NODE_A_CONST &&
		    (a->a_const->val_case == PG_QUERY__A__CONST__VAL_FVAL ||
		     (a->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL && a->a_const->ival->ival > 100000)))
			return refuse(p, f->location, e, "function", "generate_series over so many values");
	}
	return true;
}

static bool check_function(const struct planning *p, const PgQuery__FuncCall *f, struct error *e)
{
	const PgQuery__Node *last = f->n_funcname > 0 ? f->funcname[f->n_funcname - 1] : NULL;
	const char *name = last && last->node_case == PG_QUERY__NODE__NODE_STRING ? last->string->sval : "?";

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

bool post_check_node(const struct planning *p, const PgQuery__Node *n, struct error *e)
{
	switch (n->node_case) {
	case PG_QUERY__NODE__NODE_FUNC_CALL:
		return check_function(p, n->func_call, e);
	case PG_QUERY__NODE__NODE_A_EXPR:
		return catalog_qualified(n->a_expr->n_name, n->a_expr->name) ? true : refuse(p, n->a_expr->location, e, "operator", "of another schema");
	case PG_QUERY__NODE__NODE_TYPE_CAST:
		return check_type(p, n->type_cast->type_name, e);
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
	if (!table && listed(v->relname, relations_denied, ARRAY_LEN(relations_denied)))
		return refuse(c->p, v->location, e, "table", v->relname);
	return true;
}

static bool check_visit(void *ctx, PgQuery__Node *n, struct error *e)
{
	struct checking *c = ctx;

	if (n->node_case == PG_QUERY__NODE__NODE_RANGE_VAR)
		return check_relation(c, n->range_var, e);
	if (n->node_case == PG_QUERY__NODE__NODE_SELECT_STMT && (n->select_stmt->into_clause || n->select_stmt->n_locking_clause > 0))
		return refuse(c->p, -1, e, "clause", n->select_stmt->into_clause ? "SELECT INTO" : "FOR UPDATE");
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
static bool collect_cte(void *ctx, PgQuery__Node *n, struct error *e)
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

	if (s->into_clause || s->n_locking_clause > 0)
		return refuse(p, -1, e, "clause", s->into_clause ? "SELECT INTO" : "FOR UPDATE");
	if (!ast_walk(&s->base, collect_cte, &names, e))
		return false;
	struct checking c = { p, names.scope, policy_tables };
	return ast_walk(&s->base, check_visit, &c, e);
}
