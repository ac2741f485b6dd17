#include "proxy/sidecar.h"

#include "base/mem.h"
#include "base/text.h"
#include "proxy/pool.h"
#include "proxy/relay.h"
#include "proxy/sidecar_server.h"

enum {
	STATEMENT_MS = 40000, /* a little more than the server's own statement_timeout, which gives the better message */
	POOL_SPARE = 4,
	SETTINGS_MAX = 16 << 20
};

struct sidecar {
	struct sidecar_server *server;
	struct pool *pool;
};

static bool open_connection(void *ctx, const char *role, const struct patience *p, PGconn **out, struct error *e)
{
	struct sidecar *s = ctx;

	return sidecar_server_connect(s->server, role, p, out, e);
}

static void server_renewed(void *ctx)
{
	struct sidecar *s = ctx;

	pool_renew(s->pool);
}

bool sidecar_open(const struct policy *p, struct sidecar **out, struct error *e)
{
	size_t size = (size_t)p->server.workers + POOL_SPARE;
	struct sidecar *s = mem_alloc(1, sizeof(*s));

	if (!s)
		return fail_memory(e);
	if (!pool_open(size, (struct pool_opener){ .open = open_connection, .ctx = s }, &s->pool, e) ||
	    !sidecar_server_open(p, (int)size, (struct sidecar_events){ .renewed = server_renewed, .ctx = s }, &s->server, e)) {
		sidecar_close(s);
		return false;
	}
	*out = s;
	return true;
}

void sidecar_close(struct sidecar *s)
{
	if (!s)
		return;
	sidecar_server_close(s->server);
	pool_close(s->pool);
	mem_free(s);
}

const char *sidecar_version(const struct sidecar *s)
{
	return sidecar_server_version(s->server);
}

/* The session's value of a setting, or NULL. */
static const char *setting_of(const struct session_view *v, const char *name)
{
	for (size_t i = 0; i < v->n_gucs; i++)
		if (text_eq_nocase(v->guc_names[i], name))
			return v->guc_values[i];
	return NULL;
}

/* SETs of our own making: names from this list, values quoted.  All are always set, so that nothing is left of the connection's last session. */
static void put_settings(struct wr *w, const struct session_view *v)
{
	static const char *const mirrored[] = { "application_name", "bytea_output", "DateStyle", "extra_float_digits", "IntervalStyle", "TimeZone" };

	for (size_t i = 0; i < ARRAY_LEN(mirrored); i++) {
		const char *value = setting_of(v, mirrored[i]);
		wr_fmt(w, "SET %s TO ", mirrored[i]);
		if (value)
			wr_sql_literal(w, value);
		else
			wr_str(w, "DEFAULT");
		wr_str(w, ";");
	}
	wr_str(w, "SET noisegate.budget_rows TO ");
	wr_sql_literal(w, v->budget_rows ? v->budget_rows : "");
	wr_str(w, ";SET noisegate.query_rows TO ");
	wr_sql_literal(w, v->query_rows ? v->query_rows : "");
	wr_str(w, ";SET search_path TO ");
	for (size_t i = 0; i < v->plan.n_search_path; i++) {
		wr_str(w, i ? ", " : "");
		wr_sql_literal(w, v->plan.search_path[i]);
	}
	if (v->plan.n_search_path == 0)
		wr_str(w, "''");
}

static bool mirror_settings(struct pool_item *item, const struct session_view *v, const struct patience *p, enum talk *t,
			    struct talk_error *te, struct error *e)
{
	struct wr w;
	bool ok = true;

	*t = TALK_OK;
	wr_init_heap(&w, SETTINGS_MAX);
	put_settings(&w, v);
	if (!wr_ok(&w)) {
		ok = fail_memory(e);
	} else if (!item->applied || !text_eq(item->applied, wr_text(&w))) {
		mem_free(item->applied);
		item->applied = NULL;
		*t = talk_exec(item->pg, wr_text(&w), p, te);
		if (*t == TALK_OK)
			item->applied = mem_strdup(wr_text(&w)); /* without memory: set again next time */
	}
	wr_free(&w);
	return ok;
}

/* What to do on a connection; called again on a fresh one when a reused one turned out to be dead.  Nothing here changes anything, so twice is once. */
struct task {
	enum talk (*run)(PGconn *pg, const struct patience *p, void *task, struct talk_error *te);
	void *ctx;
	bool own_text;
};

static bool with_connection(struct sidecar *s, const struct session_view *v, const struct task *task, struct error *e)
{
	struct patience p = { .cancelled = v->cancelled, .timeout_ms = STATEMENT_MS };

	for (int attempt = 0;; attempt++) {
		struct talk_error te = { 0 };
		struct pool_item *item;
		enum talk t;
		if (!pool_take(s->pool, v->user, &p, &item, e))
			return false;
		if (!mirror_settings(item, v, &p, &t, &te, e)) {
			pool_give(s->pool, item, true);
			return false;
		}
		if (t == TALK_OK)
			t = task->run(item->pg, &p, task->ctx, &te);
		bool fresh = item->fresh;
		bool dying = t == TALK_REFUSED && text_starts(te.sqlstate, "57P"); /* the server said that it goes down */
		pool_give(s->pool, item, t <= TALK_REFUSED && !dying);
		if (t == TALK_OK)
			return true;
		if ((t == TALK_BROKEN || dying) && attempt < 3 && (!fresh || attempt < 2))
			continue;
		return relay_fail(dying ? TALK_BROKEN : t, &te, task->own_text, e);
	}
}

struct query_task {
	const struct talk_statement *st;
	struct arena *a;
	struct talk_rows *out;
};

static enum talk run_query(PGconn *pg, const struct patience *p, void *task, struct talk_error *te)
{
	struct query_task *q = task;

	return talk_query(pg, q->st, p, q->a, q->out, te);
}

bool sidecar_query(struct sidecar *s, const struct session_view *v, const struct talk_statement *st, bool own_text, struct arena *a,
		   struct talk_rows *out, struct error *e)
{
	struct query_task q = { .st = st, .a = a, .out = out };

	return with_connection(s, v, &(struct task){ .run = run_query, .ctx = &q, .own_text = own_text }, e);
}

struct describe_task {
	const char *sql;
	const uint32_t *types;
	size_t n_types;
	struct arena *a;
	struct description *out;
};

static enum talk run_describe(PGconn *pg, const struct patience *p, void *task, struct talk_error *te)
{
	struct describe_task *d = task;

	return talk_describe(pg, d->sql, d->types, d->n_types, p, d->a, d->out, te);
}

bool sidecar_describe(struct sidecar *s, const struct session_view *v, const char *sql, const uint32_t *types, size_t n_types,
		      bool own_text, struct arena *a, struct description *out, struct error *e)
{
	struct describe_task d = { .sql = sql, .types = types, .n_types = n_types, .a = a, .out = out };

	return with_connection(s, v, &(struct task){ .run = run_describe, .ctx = &d, .own_text = own_text }, e);
}
