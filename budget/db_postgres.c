#include "budget/db.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "budget/pg.h"

#include <libpq-fe.h>

enum { STATEMENTS_MAX = 32, VALUES_MAX = 24, SEARCH_MAX = 400 };

struct postgres_db {
	struct db base;
	PGconn *conn;
	size_t n;
	bool prepared[STATEMENTS_MAX];
	bool ready; /* search path and durability are set on this connection */
	char settings[SEARCH_MAX];
};

static struct postgres_db *of(struct db *d)
{
	return (struct postgres_db *)(void *)d; /* base is its first member */
}

static bool failed(struct postgres_db *p, const PGresult *r, struct error *e)
{
	const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;

	p->base.again = state && (text_eq(state, "40001") || text_eq(state, "40P01"));
	if (state && text_eq(state, "53100"))
		fail(e, ERR_DISK_FULL, "the ledger could not be written: the disk is full");
	else if (state && text_eq(state, "55P03"))
		fail(e, ERR_LEDGER, "the ledger is locked by another process");
	else if (state && text_eq(state, "25006"))
		fail(e, ERR_LEDGER, "the ledger could not be written: its database is read-only");
	else if (state)
		fail(e, ERR_LEDGER, "the ledger's database refused (SQLSTATE %s)", state);
	else
		fail(e, ERR_LEDGER, "the ledger's database does not answer");
	return error_detail(e, "Nothing was run.");
}

static bool finish(struct postgres_db *p, PGresult *r, struct error *e)
{
	ExecStatusType st = PQresultStatus(r);
	bool ok = st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK || st == PGRES_EMPTY_QUERY ? true : failed(p, r, e);

	PQclear(r);
	return ok;
}

static bool run(struct db *d, const char *sql, struct error *e)
{
	return finish(of(d), PQexec(of(d)->conn, sql), e);
}

/* A broken connection is opened anew, only here: a transaction never spans two. */
static bool ready(struct postgres_db *p, struct error *e)
{
	if (PQstatus(p->conn) != CONNECTION_OK) {
		PQreset(p->conn);
		p->ready = false;
		for (size_t i = 0; i < p->n; i++)
			p->prepared[i] = false;
	}
	if (!p->ready && !run(&p->base, p->settings, e))
		return false;
	p->ready = true;
	return true;
}

/*
 * Writers queue at the lock, which is taken before the transaction's snapshot: so each sees all that was committed before it, and serializable
 * transactions have no reason to fail.
 */
static bool begin(struct db *d, bool write, struct error *e)
{
	const char *sql = write ? "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE; LOCK TABLE ledger IN SHARE ROW EXCLUSIVE MODE"
				: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

	d->again = false;
	for (int i = 0; i < 2; i++) { /* a server that was started again shows only when it is spoken to; nothing has been done yet */
		if (!ready(of(d), e))
			return false;
		if (run(d, sql, e))
			return true;
		if (PQstatus(of(d)->conn) == CONNECTION_OK)
			return false;
	}
	return false;
}

static bool commit(struct db *d, struct error *e)
{
	PGresult *r = PQexec(of(d)->conn, "COMMIT");

	/* the server says ROLLBACK when an earlier statement of the transaction had failed */
	if (PQresultStatus(r) == PGRES_COMMAND_OK && !text_eq(PQcmdStatus(r), "COMMIT")) {
		PQclear(r);
		return fail(e, ERR_LEDGER, "the ledger's database did not commit");
	}
	return finish(of(d), r, e);
}

static void rollback(struct db *d)
{
	if (PQtransactionStatus(of(d)->conn) != PQTRANS_IDLE)
		PQclear(PQexec(of(d)->conn, "ROLLBACK"));
}

static int64_t row_integer(const struct db_row *r, int column)
{
	int64_t v = 0;

	return number_i64(PQgetvalue(r->handle, r->at, column), INT64_MIN, INT64_MAX, &v) ? v : 0;
}

static const char *row_text(const struct db_row *r, int column)
{
	return PQgetvalue(r->handle, r->at, column);
}

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool row_blob(const struct db_row *r, int column, uint8_t *out, size_t n)
{
	const char *text = PQgetvalue(r->handle, r->at, column);

	if (!text_starts(text, "\\x") || strlen(text) != 2 + 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int hi = nibble(text[2 + 2 * i]), lo = nibble(text[3 + 2 * i]);
		if (hi < 0 || lo < 0)
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

static void put_value(struct wr *w, const struct db_value *v)
{
	const uint8_t *bytes = v->p;

	if (v->type == DB_INT)
		wr_fmt(w, "%lld", (long long)v->i);
	if (v->type == DB_BLOB) {
		wr_str(w, "\\x");
		for (size_t i = 0; i < v->n; i++)
			wr_fmt(w, "%02x", bytes[i]);
	}
	wr_u8(w, 0);
}

static bool prepare(struct postgres_db *p, int statement, const char *name, struct error *e)
{
	if (p->prepared[statement])
		return true;
	if (!finish(p, PQprepare(p->conn, name, p->base.statements[statement], 0, NULL), e))
		return false;
	p->prepared[statement] = true;
	return true;
}

/* For a statement outside of a transaction: asks once whether the server is still there. */
static bool alive(struct postgres_db *p, struct error *e)
{
	struct error ignored;

	return ready(p, e) && (run(&p->base, "", &ignored) || ready(p, e));
}

static bool query(struct db *d, int statement, const struct db_value *values, size_t n, db_each *each, void *ctx, struct error *e)
{
	struct postgres_db *p = of(d);
	const char *texts[VALUES_MAX];
	size_t at[VALUES_MAX];
	char name[16];
	struct wr w;

	BUG_IF(n > VALUES_MAX);
	(void)snprintf(name, sizeof(name), "s%d", statement);
	if (PQtransactionStatus(p->conn) != PQTRANS_INTRANS && !alive(p, e)) /* a lone reading statement */
		return false;
	if (!prepare(p, statement, name, e))
		return false;
	wr_init_heap(&w, 1 << 16);
	for (size_t i = 0; i < n; i++) {
		at[i] = w.n;
		if (values[i].type != DB_TEXT)
			put_value(&w, &values[i]);
	}
	for (size_t i = 0; i < n; i++)
		texts[i] = values[i].type == DB_TEXT ? values[i].p : (const char *)w.p + at[i];
	bool ok = wr_ok(&w) || fail_memory(e);
	PGresult *r = ok ? PQexecPrepared(p->conn, name, (int)n, texts, NULL, NULL, 0) : NULL;
	wr_free(&w);
	if (!ok)
		return false;
	if (PQresultStatus(r) == PGRES_TUPLES_OK) {
		struct db_row row = { row_integer, row_text, row_blob, r, 0 };
		for (; each && row.at < PQntuples(r) && each(ctx, &row); row.at++)
			;
	}
	return finish(p, r, e);
}

static bool sound(struct db *d UNUSED, struct error *e UNUSED)
{
	return true; /* PostgreSQL checks its pages itself; the chain is checked above it */
}

static void close_db(struct db *d)
{
	PQfinish(of(d)->conn);
	mem_free(d);
}

static const struct db_ops ops = { begin, commit, rollback, run, query, sound, close_db };

bool db_postgres_open(const struct policy_ledger *where, const char *const *statements, size_t n, struct db **out, struct error *e)
{
	struct postgres_db *p = mem_alloc(1, sizeof(*p));
	struct wr w;

	BUG_IF(n > STATEMENTS_MAX);
	if (!p)
		return fail_memory(e);
	p->base = (struct db){ .ops = &ops, .statements = statements };
	p->n = n;
	wr_init_heap(&w, sizeof(p->settings));
	/* who holds the lock and says nothing more (its machine may be gone) must not stop the others for good, and who waits must not wait for ever */
	wr_str(&w, "SET client_min_messages = error; SET synchronous_commit = on; SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'; SET search_path = ");
	wr_sql_name(&w, where->schema);
	wr_str(&w, ", pg_catalog");
	bool fits = wr_ok(&w);
	(void)snprintf(p->settings, sizeof(p->settings), "%s", wr_text(&w));
	wr_free(&w);
	if (!fits)
		fail(e, ERR_LEDGER, "the ledger's schema has too long a name");
	if (!fits || !pg_open(where->postgres, where->password_env, where->password_file, "the ledger's database", &p->conn, e) || !ready(p, e)) {
		close_db(&p->base);
		return false;
	}
	*out = &p->base;
	return true;
}
