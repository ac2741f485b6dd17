/* The anchor as a row of a table on the upstream: the row lock is the lock, one short transaction holds it. */
#include "budget/anchor.h"

#include "base/mem.h"
#include "base/text.h"
#include "budget/pg.h"

struct upstream_anchor {
	struct anchor base;
	char *dsn, *password_env, *password_file, *collaboration; /* copies: the ledger outlives the policy that it was opened with */
	char *create, *insert, *lock, *update; /* statements with the table's quoted name in them */
	PGconn *conn;
};

static struct upstream_anchor *of(struct anchor *a)
{
	return (struct upstream_anchor *)(void *)a; /* base is its first member */
}

static bool refused(struct upstream_anchor *u, struct error *e)
{
	fail(e, ERR_LEDGER, "the ledger's anchor, table %s on the upstream, cannot be read or written", u->base.name);
	error_detail(e, "Nothing was run.");
	return error_hint(e, "Make it once: CREATE TABLE %s (collaboration text PRIMARY KEY, note text NOT NULL), and let the proxy's role SELECT, INSERT and UPDATE it.",
			  u->base.name);
}

static bool done(PGresult *r)
{
	bool ok = PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK;

	PQclear(r);
	return ok;
}

static bool connect_anchor(struct upstream_anchor *u, struct error *e)
{
	if (u->conn && PQstatus(u->conn) == CONNECTION_OK)
		return true;
	PQfinish(u->conn);
	u->conn = NULL;
	if (!pg_open(u->dsn, u->password_env, u->password_file, "the upstream, for the ledger's anchor", &u->conn, e))
		return false;
	(void)done(PQexec(u->conn, "SET client_min_messages = error; SET synchronous_commit = on; SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'"));
	(void)done(PQexec(u->conn, u->create)); /* may lack the right: then the table must be there */
	return true;
}

static void leave(struct anchor *a)
{
	struct upstream_anchor *u = of(a);

	if (u->conn && PQtransactionStatus(u->conn) != PQTRANS_IDLE)
		(void)done(PQexec(u->conn, "ROLLBACK"));
}

static bool enter(struct anchor *a, struct anchored *out, struct error *e)
{
	struct upstream_anchor *u = of(a);
	const char *const values[] = { u->collaboration };

	bool ok = false;
	for (int i = 0; !ok && i < 2; i++) { /* a connection that has died shows only when it is used */
		if (!connect_anchor(u, e))
			return false;
		ok = done(PQexec(u->conn, "BEGIN ISOLATION LEVEL READ COMMITTED"));
	}
	/* an empty note stands for none: so there is always a row to lock */
	ok = ok && done(PQexecParams(u->conn, u->insert, 1, NULL, values, NULL, NULL, 0));
	PGresult *r = ok ? PQexecParams(u->conn, u->lock, 1, NULL, values, NULL, NULL, 0) : NULL;
	ok = r && PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) == 1;
	if (!ok) {
		(void)refused(u, e);
	} else if (PQgetvalue(r, 0, 0)[0] && !anchor_parse(PQgetvalue(r, 0, 0), out)) {
		fail(e, ERR_LEDGER, "the ledger's anchor in %s on the upstream has been damaged", a->name);
		ok = error_hint(e, "docs/budgets.md, \"When the ledger is refused\", says how to go on without losing what was spent.");
	}
	PQclear(r);
	if (!ok)
		leave(a);
	return ok;
}

static bool write_note(struct anchor *a, const struct head *h, struct error *e)
{
	struct upstream_anchor *u = of(a);
	char line[ANCHOR_LINE];
	const char *const values[] = { u->collaboration, line };

	if (!anchor_print(h, line))
		return fail_memory(e);
	if (done(PQexecParams(u->conn, u->update, 2, NULL, values, NULL, NULL, 0)) && done(PQexec(u->conn, "COMMIT")))
		return true;
	(void)refused(u, e);
	return error_detail(e, "The charge stands, and nothing was run.");
}

static void close_upstream(struct anchor *a)
{
	struct upstream_anchor *u = of(a);

	leave(a);
	PQfinish(u->conn);
	mem_free(u->dsn);
	mem_free(u->password_env);
	mem_free(u->password_file);
	mem_free(u->collaboration);
	mem_free(u->create);
	mem_free(u->insert);
	mem_free(u->lock);
	mem_free(u->update);
	mem_free(u);
}

static const struct anchor_ops ops = { enter, write_note, leave, close_upstream };

static char *statement(const char *before, const char *table, const char *after)
{
	struct wr w;

	wr_init_heap(&w, 2048);
	wr_str(&w, before);
	wr_str(&w, table);
	wr_str(&w, after);
	char *s = wr_ok(&w) ? mem_strdup(wr_text(&w)) : NULL;
	wr_free(&w);
	return s;
}

bool anchor_upstream_open(const struct policy *p, struct anchor **out, struct error *e)
{
	struct upstream_anchor *u = mem_alloc(1, sizeof(*u));
	struct wr w;

	if (!u)
		return fail_memory(e);
	u->base.ops = &ops;
	wr_init_heap(&w, sizeof(u->base.name));
	wr_sql_name(&w, p->ledger.anchor_schema);
	wr_str(&w, ".");
	wr_sql_name(&w, p->ledger.anchor_table);
	(void)snprintf(u->base.name, sizeof(u->base.name), "%s", wr_text(&w));
	wr_free(&w);
	const struct policy_upstream *up = &p->upstream;
	u->dsn = mem_strdup(up->dsn);
	u->password_env = up->password_env ? mem_strdup(up->password_env) : NULL;
	u->password_file = up->password_file ? mem_strdup(up->password_file) : NULL;
	u->collaboration = mem_strdup(p->collaboration);
	bool whole = u->dsn && (u->password_env || !up->password_env) && (u->password_file || !up->password_file) && u->collaboration;
	u->create = statement("CREATE TABLE IF NOT EXISTS ", u->base.name, " (collaboration text PRIMARY KEY, note text NOT NULL)");
	u->insert = statement("INSERT INTO ", u->base.name, " VALUES ($1, '') ON CONFLICT DO NOTHING");
	u->lock = statement("SELECT note FROM ", u->base.name, " WHERE collaboration = $1 FOR UPDATE");
	u->update = statement("UPDATE ", u->base.name, " SET note = $2 WHERE collaboration = $1");
	if (!whole || !u->create || !u->insert || !u->lock || !u->update) {
		close_upstream(&u->base);
		return fail_memory(e);
	}
	*out = &u->base;
	return true;
}
