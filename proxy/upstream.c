#include "proxy/upstream.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/pool.h"
#include "proxy/upstream_check.h"

enum {
	CONNECT_MS = 10000,
	QUEUE_MS = 60000,
	PING_AFTER_MS = 5000, /* an idle connection is asked before it is trusted: its end may be gone without a word */
	PING_MS = 3000,
	GRACE_MS = 5000, /* beyond the server's own statement_timeout */
	PASSWORD_MAX = 4096,
	ROWS_BYTES_MAX = 512 << 20
};

struct upstream {
	const struct policy_upstream *policy;
	char *password; /* NULL: none */
	struct pool *pool;
};

/* A lease is the pool's item with what is needed to run and to give it back. */
struct upstream_lease {
	struct pool_item *item;
	const struct policy_upstream *policy;
	bool healthy;
};

/* The session state that plans rely on: ISO texts in UTC, nothing found by search path, nothing written. */
static const char session_state[] =
	"SELECT pg_catalog.set_config('search_path', '', false), pg_catalog.set_config('TimeZone', 'UTC', false),"
	" pg_catalog.set_config('DateStyle', 'ISO, YMD', false), pg_catalog.set_config('IntervalStyle', 'postgres', false),"
	" pg_catalog.set_config('extra_float_digits', '1', false), pg_catalog.set_config('standard_conforming_strings', 'on', false),"
	" pg_catalog.set_config('bytea_output', 'hex', false), pg_catalog.set_config('default_transaction_read_only', 'on', false),"
	" pg_catalog.set_config('default_transaction_isolation', 'repeatable read', false), pg_catalog.set_config('jit', 'off', false),"
	" pg_catalog.set_config('lock_timeout', '10000', false), pg_catalog.set_config('statement_timeout', $1, false),"
	/* what may not be UTF-8 comes as it is: PostgreSQL would fail on the one row that is not */
	" CASE pg_catalog.current_setting('server_encoding') WHEN 'SQL_ASCII' THEN pg_catalog.set_config('client_encoding', 'SQL_ASCII', false) END";

bool upstream_failed(struct error *e)
{
	fail(e, ERR_UPSTREAM, "the upstream could not run the query");
	return error_detail(e, "What was charged stays charged.");
}

static bool fail_upstream(const struct talk_error *te, struct error *e)
{
	log_event(LOG_WARNING, "upstream failed", LOG_TEXT("sqlstate", te->sqlstate));
	return upstream_failed(e);
}

static bool fail_no_connection(const struct talk_error *te, struct error *e)
{
	log_event(LOG_WARNING, "upstream connection failed", LOG_TEXT("sqlstate", te->sqlstate));
	fail(e, ERR_UPSTREAM, "could not connect to the upstream");
	return error_detail(e, "Nothing was charged.") || error_hint(e, "Try again later, or tell the operator of the proxy.");
}

static bool fail_cancelled(struct error *e)
{
	return fail(e, ERR_CANCELLED, "canceling statement due to user request");
}

static bool set_state(struct upstream *u, PGconn *pg, const struct patience *p, struct talk_error *te)
{
	char timeout[16];
	const char *values[] = { timeout };
	struct talk_statement st = { .sql = session_state, .n_params = 1, .values = values, .max_bytes = 4096 };
	struct talk_rows ignored;
	struct arena a;

	snprintf(timeout, sizeof(timeout), "%d", u->policy->statement_timeout_ms);
	arena_init(&a, 1 << 16);
	bool ok = talk_query(pg, &st, p, &a, &ignored, te) == TALK_OK;
	arena_reset(&a);
	return ok;
}

static bool open_connection(void *ctx, const char *key, const struct patience *patience, PGconn **out, struct error *e)
{
	struct upstream *u = ctx;
	struct patience p = { .cancelled = patience->cancelled, .timeout_ms = CONNECT_MS };
	struct talk_error te = { .sqlstate = "08001" };
	/* those before dbname may be overridden by the connection string, those behind it may not */
	const char *const keywords[] = { "tcp_user_timeout", "keepalives_idle", "dbname", "password", "client_encoding", "application_name",
					 "options", NULL };
	const char *const values[] = { "10000", "30", u->policy->dsn, u->password, "UTF8", "noisegate", "", NULL };
	PGconn *pg;

	(void)key;
	enum talk t = talk_connect(keywords, values, true, &p, &pg, &te);
	if (t == TALK_CANCELLED)
		return fail_cancelled(e);
	if (t != TALK_OK)
		return fail_no_connection(&te, e);
	if (!upstream_check_encoding(pg, e)) {
		PQfinish(pg);
		return false;
	}
	if (!set_state(u, pg, &p, &te)) {
		PQfinish(pg);
		return fail_no_connection(&te, e);
	}
	*out = pg;
	return true;
}

static bool read_password(const struct policy_upstream *p, char **out, struct error *e)
{
	struct arena a;
	char *text = NULL;
	size_t n = 0;

	*out = NULL;
	if (p->password_env) {
		const char *value = getenv(p->password_env);
		if (!value) {
			fail(e, ERR_CONFIG, "environment variable \"%s\" with the upstream's password is not set", p->password_env);
			return error_hint(e, "upstream.password_env names it.");
		}
		*out = mem_strdup(value);
		return *out || fail_memory(e);
	}
	if (!p->password_file)
		return true;
	arena_init(&a, 4 * PASSWORD_MAX);
	bool ok = file_read_secret(&a, p->password_file, PASSWORD_MAX, &text, &n, e);
	if (ok) {
		text[strcspn(text, "\r\n")] = '\0';
		*out = mem_strdup(text);
		ok = *out || fail_memory(e);
	}
	arena_reset(&a);
	return ok;
}

bool upstream_open(const struct policy *p, struct upstream **out, struct error *e)
{
	struct upstream *u = mem_alloc(1, sizeof(*u));
	char *why = NULL;

	if (!u)
		return fail_memory(e);
	u->policy = &p->upstream;
	PQconninfoOption *parsed = PQconninfoParse(p->upstream.dsn, &why);
	PQfreemem(why); /* may quote the string, so it is not shown */
	if (!parsed) {
		fail(e, ERR_CONFIG, "upstream.dsn cannot be read as a connection string");
		goto undo;
	}
	PQconninfoFree(parsed);
	if (!read_password(u->policy, &u->password, e) ||
	    !pool_open((size_t)u->policy->connections, (struct pool_opener){ .open = open_connection, .ctx = u }, &u->pool, e))
		goto undo;
	*out = u;
	return true;
undo:
	upstream_close(u);
	return false;
}

void upstream_close(struct upstream *u)
{
	if (!u)
		return;
	pool_close(u->pool);
	if (u->password)
		mem_wipe(u->password, strlen(u->password));
	mem_free(u->password);
	mem_free(u);
}

PGconn *upstream_connect_once(const struct policy *p, struct error *e)
{
	struct upstream *u;
	struct patience patience = { .timeout_ms = CONNECT_MS };
	PGconn *pg = NULL;

	if (!upstream_open(p, &u, e))
		return NULL;
	(void)!open_connection(u, "", &patience, &pg, e);
	upstream_close(u);
	return pg;
}

/* A connection that has been idle for long is asked something. */
static bool trusted(struct pool_item *item, const struct patience *p)
{
	struct talk_error te;

	return item->fresh || clock_monotonic().nanos - item->used.nanos < (int64_t)PING_AFTER_MS * 1000000 ||
	       talk_exec(item->pg, "", p, &te) == TALK_OK;
}

bool upstream_take(struct upstream *u, const atomic_bool *cancelled, struct upstream_lease **out, struct error *e)
{
	struct patience wait = { .cancelled = cancelled, .timeout_ms = QUEUE_MS }, ping = { .cancelled = cancelled, .timeout_ms = PING_MS };
	struct upstream_lease *l = mem_alloc(1, sizeof(*l));

	if (!l)
		return fail_memory(e);
	*l = (struct upstream_lease){ .policy = u->policy, .healthy = true };
	for (;;) {
		if (!pool_take(u->pool, "", &wait, &l->item, e)) {
			mem_free(l);
			return false;
		}
		if (trusted(l->item, &ping))
			break;
		pool_give(u->pool, l->item, false);
		if (cancelled && atomic_load(cancelled)) {
			mem_free(l);
			return fail_cancelled(e);
		}
	}
	*out = l;
	return true;
}

void upstream_give(struct upstream *u, struct upstream_lease *l)
{
	if (!l)
		return;
	pool_give(u->pool, l->item, l->healthy);
	mem_free(l);
}

static struct patience patience_of(const struct upstream_lease *l, const atomic_bool *cancelled)
{
	const int limit = l->policy->statement_timeout_ms;

	return (struct patience){ .cancelled = cancelled, .timeout_ms = limit > 0 ? limit + GRACE_MS : 0 };
}

/* What became of a statement. */
static bool settled(struct upstream_lease *l, enum talk t, const struct talk_error *te, struct error *e)
{
	if (t > TALK_REFUSED)
		l->healthy = false;
	if (t == TALK_CANCELLED)
		return fail_cancelled(e);
	return t == TALK_OK || fail_upstream(te, e); /* rows that do not fit included: how many there are is nobody's business */
}

enum { FIELDS_MAX = 1664 /* of a PostgreSQL result */ };

struct handing_over {
	const struct upstream_reader *to;
	struct error *e;
	bool mend; /* the upstream does not know what its bytes are */
	bool refused;
};

static enum talk hand_over(void *ctx, const PGresult *r)
{
	struct handing_over *h = ctx;
	const char *cells[FIELDS_MAX];
	const int n = PQnfields(r) < FIELDS_MAX ? PQnfields(r) : FIELDS_MAX;

	for (int row = 0; row < PQntuples(r); row++) {
		for (int i = 0; i < n; i++) {
			char *cell = PQgetisnull(r, row, i) ? NULL : PQgetvalue(r, row, i);
			if (cell && h->mend)
				text_mend_utf8(cell);
			cells[i] = cell;
		}
		h->refused = !h->to->give(h->to->ctx, cells, (size_t)n, h->e);
		if (h->refused)
			return TALK_NO_MEMORY;
	}
	return TALK_OK;
}

bool upstream_each(struct upstream_lease *l, const char *sql, const char *const *params, size_t n_params, const atomic_bool *cancelled,
		   const struct upstream_reader *to, struct error *e)
{
	const struct patience p = patience_of(l, cancelled);
	const struct talk_statement st = { .sql = sql, .n_params = n_params, .values = params };
	struct handing_over h = { .to = to, .e = e, .mend = PQclientEncoding(l->item->pg) == pg_char_to_encoding("SQL_ASCII") };
	struct talk_error te = { 0 };
	enum talk t = talk_each(l->item->pg, &st, &p, hand_over, &h, &te);

	if (!h.refused)
		return settled(l, t, &te, e);
	l->healthy = false;
	return false;
}

struct collecting {
	struct arena *arena;
	const char **cells;
	size_t cap, n_rows, n_columns, bytes;
};

static bool collect_row(void *ctx, const char *const *cells, size_t n, struct error *e)
{
	struct collecting *c = ctx;

	c->n_columns = n;
	for (size_t i = 0; i < n; i++) {
		const size_t size = cells[i] ? strlen(cells[i]) + 1 : 0, at = c->n_rows * n + i;
		c->bytes += size + sizeof(char *);
		c->cells = c->bytes <= ROWS_BYTES_MAX ? arena_grow(c->arena, c->cells, at, &c->cap, sizeof(*c->cells)) : NULL;
		if (!c->cells)
			return upstream_failed(e); /* how many there are is nobody's business */
		c->cells[at] = cells[i] ? arena_strdup(c->arena, cells[i]) : NULL;
		if (cells[i] && !c->cells[at])
			return upstream_failed(e);
	}
	c->n_rows++;
	return true;
}

bool upstream_run(struct upstream_lease *l, const char *sql, const char *const *params, size_t n_params, const atomic_bool *cancelled,
		  struct arena *a, struct exact_rows *out, struct error *e)
{
	struct collecting c = { .arena = a };

	if (!upstream_each(l, sql, params, n_params, cancelled, &(struct upstream_reader){ .give = collect_row, .ctx = &c }, e))
		return false;
	*out = (struct exact_rows){ .n_rows = c.n_rows, .n_columns = c.n_columns, .cells = c.cells };
	return true;
}
