/* Splits a query string and says what each statement is.  Whatever is not named here is refused. */
#include "planner/ast.h"
#include "planner/plan.h"

#include "base/text.h"

#include <string.h>

typedef PgQuery__Node Node;

struct refusal {
	PgQuery__Node__NodeCase kind;
	const char *rule, *what, *hint;
};

static const struct refusal refusals[] = {
	{ PG_QUERY__NODE__NODE_INSERT_STMT, "statement: DML", "INSERT", "Noisegate only reads." },
	{ PG_QUERY__NODE__NODE_UPDATE_STMT, "statement: DML", "UPDATE", "Noisegate only reads." },
	{ PG_QUERY__NODE__NODE_DELETE_STMT, "statement: DML", "DELETE", "Noisegate only reads." },
	{ PG_QUERY__NODE__NODE_MERGE_STMT, "statement: DML", "MERGE", "Noisegate only reads." },
	{ PG_QUERY__NODE__NODE_COPY_STMT, "statement: COPY", "COPY", "Use SELECT; psql's \\copy (SELECT ...) needs COPY too, \\o and \\pset format csv do not." },
	{ PG_QUERY__NODE__NODE_DO_STMT, "statement: DO", "DO", "Send plain SELECT statements." },
	{ PG_QUERY__NODE__NODE_PREPARE_STMT, "statement: PREPARE", "PREPARE", "Use your driver's prepared statements (extended protocol)." },
	{ PG_QUERY__NODE__NODE_EXECUTE_STMT, "statement: PREPARE", "EXECUTE", "Use your driver's prepared statements (extended protocol)." },
	{ PG_QUERY__NODE__NODE_LISTEN_STMT, "statement: LISTEN", "LISTEN", "There are no notifications here." },
	{ PG_QUERY__NODE__NODE_NOTIFY_STMT, "statement: LISTEN", "NOTIFY", "There are no notifications here." },
	{ PG_QUERY__NODE__NODE_LOCK_STMT, "statement: LOCK", "LOCK", "Noisegate only reads." },
	{ PG_QUERY__NODE__NODE_VACUUM_STMT, "statement: maintenance", "VACUUM and ANALYZE", "The data owner does that on the upstream." },
	{ PG_QUERY__NODE__NODE_CREATE_TABLE_AS_STMT, "statement: DDL", "CREATE TABLE AS and CREATE MATERIALIZED VIEW", "Keep results in your own database." },
};

static bool refuse(const char *sql, const PgQuery__RawStmt *raw, const char *rule, const char *what, const char *hint, struct error *e)
{
	fail(e, ERR_RULE, "%s is not allowed", what);
	error_rule(e, rule);
	error_detail(e, "Allowed are SELECT, EXPLAIN, SET, SHOW, transactions and cursors.");
	error_hint(e, "%s", hint);
	int at = raw->stmt_location;
	while (sql[at] && strchr(" \t\r\n\f", sql[at]))
		at++;
	return error_at(e, ast_position(sql, at));
}

static const char *value_of(struct arena *a, Node *const *args, size_t n)
{
	struct wr w;

	wr_init(&w, a, 65536);
	for (size_t i = 0; i < n; i++) {
		const Node *arg = args[i]->node_case == PG_QUERY__NODE__NODE_TYPE_CAST ? args[i]->type_cast->arg : args[i];
		if (i > 0)
			wr_str(&w, ", ");
		if (arg->node_case != PG_QUERY__NODE__NODE_A_CONST)
			return NULL;
		switch (arg->a_const->val_case) {
		case PG_QUERY__A__CONST__VAL_SVAL:
			wr_str(&w, arg->a_const->sval->sval);
			break;
		case PG_QUERY__A__CONST__VAL_IVAL:
			wr_fmt(&w, "%d", arg->a_const->ival->ival);
			break;
		case PG_QUERY__A__CONST__VAL_FVAL:
			wr_str(&w, arg->a_const->fval->fval);
			break;
		case PG_QUERY__A__CONST__VAL_BOOLVAL:
			wr_str(&w, arg->a_const->boolval->boolval ? "on" : "off");
			break;
		default:
			return NULL;
		}
	}
	return wr_ok(&w) ? wr_text(&w) : NULL;
}

static bool read_set(struct arena *a, const PgQuery__VariableSetStmt *v, struct statement *s, struct error *e)
{
	s->kind = STATEMENT_SET;
	s->name = v->name;
	s->local = v->is_local;
	switch (v->kind) {
	case PG_QUERY__VARIABLE_SET_KIND__VAR_SET_VALUE:
		s->value = value_of(a, v->args, v->n_args);
		if (!s->value)
			return fail(e, ERR_BAD_PARAMETER, "the value of \"%s\" cannot be read", v->name);
		return true;
	case PG_QUERY__VARIABLE_SET_KIND__VAR_SET_DEFAULT:
		return true;
	case PG_QUERY__VARIABLE_SET_KIND__VAR_RESET:
		s->kind = STATEMENT_RESET;
		return true;
	case PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL:
		s->kind = STATEMENT_RESET;
		s->name = NULL;
		return true;
	default: /* SET TRANSACTION ..., SET SESSION CHARACTERISTICS ...: isolation means nothing for released results */
		s->kind = STATEMENT_NOTHING;
		s->name = "SET";
		return true;
	}
}

/* False for what is refused: two-phase commit, and chains, which would have to open the next transaction. */
static bool read_transaction(const PgQuery__TransactionStmt *t, struct statement *s)
{
	s->name = *t->savepoint_name ? t->savepoint_name : NULL; /* unpacking gives "" for what is missing */
	if (t->chain)
		return false;
	switch (t->kind) {
	case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_BEGIN:
	case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_START:
		s->kind = STATEMENT_BEGIN;
		return true;
	case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT:
		s->kind = STATEMENT_COMMIT;
		return true;
	case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK:
		s->kind = STATEMENT_ROLLBACK;
		return true;
	case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_SAVEPOINT:
		s->kind = STATEMENT_SAVEPOINT;
		return true;
	case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_RELEASE:
		s->kind = STATEMENT_RELEASE;
		return true;
	case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK_TO:
		s->kind = STATEMENT_ROLLBACK_TO;
		return true;
	default:
		return false;
	}
}

static bool read_fetch(const PgQuery__FetchStmt *f, struct statement *s)
{
	s->kind = f->ismove ? STATEMENT_MOVE : STATEMENT_FETCH;
	s->name = f->portalname;
	s->count = f->how_many;
	return f->direction == PG_QUERY__FETCH_DIRECTION__FETCH_FORWARD && f->how_many >= 0;
}

static const char *discard_name(PgQuery__DiscardMode m)
{
	switch (m) {
	case PG_QUERY__DISCARD_MODE__DISCARD_PLANS:
		return "plans";
	case PG_QUERY__DISCARD_MODE__DISCARD_SEQUENCES:
		return "sequences";
	case PG_QUERY__DISCARD_MODE__DISCARD_TEMP:
		return "temp";
	default:
		return "all";
	}
}

enum { CURSOR_BINARY = 0x0001, CURSOR_SCROLL = 0x0002 };

static bool classify(struct arena *a, const char *sql, const PgQuery__RawStmt *raw, struct statement *s, struct error *e)
{
	Node *n = raw->stmt;

	switch (n->node_case) {
	case PG_QUERY__NODE__NODE_SELECT_STMT:
	case PG_QUERY__NODE__NODE_EXPLAIN_STMT:
	case PG_QUERY__NODE__NODE_CALL_STMT: /* of a template; the planner refuses others */
		s->kind = STATEMENT_QUERY;
		return true;
	case PG_QUERY__NODE__NODE_TRANSACTION_STMT:
		if (read_transaction(n->transaction_stmt, s))
			return true;
		return n->transaction_stmt->chain
			       ? refuse(sql, raw, "statement: AND CHAIN", "AND CHAIN", "Send COMMIT, then BEGIN.", e)
			       : refuse(sql, raw, "statement: two-phase commit", "PREPARE TRANSACTION", "Use BEGIN and COMMIT.", e);
	case PG_QUERY__NODE__NODE_VARIABLE_SET_STMT:
		return read_set(a, n->variable_set_stmt, s, e);
	case PG_QUERY__NODE__NODE_VARIABLE_SHOW_STMT:
		s->kind = STATEMENT_SHOW;
		s->name = n->variable_show_stmt->name;
		return true;
	case PG_QUERY__NODE__NODE_DISCARD_STMT:
		s->kind = STATEMENT_DISCARD;
		s->name = discard_name(n->discard_stmt->target);
		return true;
	case PG_QUERY__NODE__NODE_DEALLOCATE_STMT:
		s->kind = STATEMENT_DEALLOCATE;
		s->name = n->deallocate_stmt->name && *n->deallocate_stmt->name ? n->deallocate_stmt->name : NULL;
		return true;
	case PG_QUERY__NODE__NODE_DECLARE_CURSOR_STMT:
		s->kind = STATEMENT_DECLARE;
		s->name = n->declare_cursor_stmt->portalname;
		s->binary = (n->declare_cursor_stmt->options & CURSOR_BINARY) != 0;
		if (n->declare_cursor_stmt->options & CURSOR_SCROLL)
			return refuse(sql, raw, "cursors", "a SCROLL cursor", "Declare it without SCROLL; it reads forward.", e);
		return ast_deparse(a, n->declare_cursor_stmt->query, &s->value, e);
	case PG_QUERY__NODE__NODE_FETCH_STMT:
		if (read_fetch(n->fetch_stmt, s))
			return true;
		return refuse(sql, raw, "cursors", "fetching backward or by position", "Cursors read forward: FETCH n, FETCH ALL.", e);
	case PG_QUERY__NODE__NODE_CLOSE_PORTAL_STMT:
		s->kind = STATEMENT_CLOSE;
		s->name = n->close_portal_stmt->portalname && *n->close_portal_stmt->portalname ? n->close_portal_stmt->portalname : NULL;
		return true;
	case PG_QUERY__NODE__NODE_UNLISTEN_STMT:
		s->kind = STATEMENT_NOTHING;
		s->name = "UNLISTEN";
		return true;
	case PG_QUERY__NODE__NODE_CONSTRAINTS_SET_STMT:
		s->kind = STATEMENT_NOTHING;
		s->name = "SET CONSTRAINTS";
		return true;
	default:
		break;
	}
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		if (refusals[i].kind == n->node_case)
			return refuse(sql, raw, refusals[i].rule, refusals[i].what, refusals[i].hint, e);
	}
	return refuse(sql, raw, "statement: DDL", "this kind of statement", "Noisegate answers statistics; it changes nothing.", e);
}

/* The statement's own text: libpg_query gives an offset and a length (0: to the end), white space included. */
static bool cut(struct arena *a, const char *sql, const PgQuery__RawStmt *raw, struct statement *s, struct error *e)
{
	static const char blank[] = " \t\r\n\f;";
	size_t start = (size_t)raw->stmt_location;
	size_t end = raw->stmt_len > 0 ? start + (size_t)raw->stmt_len : strlen(sql);

	while (start < end && strchr(blank, sql[start]))
		start++;
	while (end > start && strchr(blank, sql[end - 1]))
		end--;
	s->offset = (int)text_chars(sql, start);
	s->text = arena_copy(a, sql + start, end - start);
	return s->text ? true : fail_memory(e);
}

bool statements_parse(struct arena *a, const char *sql, struct statements *out, struct error *e)
{
	const PgQuery__ParseResult *tree;

	if (!ast_parse(a, sql, &tree, e))
		return false;
	struct statement *items = arena_array(a, tree->n_stmts ? tree->n_stmts : 1, struct statement);
	if (!items)
		return fail_memory(e);
	for (size_t i = 0; i < tree->n_stmts; i++) {
		if (!cut(a, sql, tree->stmts[i], &items[i], e) || !classify(a, sql, tree->stmts[i], &items[i], e))
			return false;
	}
	*out = (struct statements){ items, tree->n_stmts };
	return true;
}
