#include "proxy/pgtalk.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>

/* A cancel request is noticed within this time; an answer at once. */
enum { POLL_SLICE_MS = 25 };

struct deadline {
	const struct patience *p;
	int64_t end_nanos; /* 0: none */
};

static struct deadline deadline_of(const struct patience *p)
{
	struct deadline d = { .p = p };

	if (p->timeout_ms > 0)
		d.end_nanos = clock_monotonic().nanos + (int64_t)p->timeout_ms * 1000000;
	return d;
}

/* Waits until the socket is ready for one of events. */
static enum talk wait_socket(PGconn *pg, short events, const struct deadline *d)
{
	struct pollfd f = { .fd = PQsocket(pg), .events = events };

	if (f.fd < 0)
		return TALK_BROKEN;
	for (;;) {
		if (d->p->cancelled && atomic_load(d->p->cancelled))
			return TALK_CANCELLED;
		if (d->end_nanos && clock_monotonic().nanos >= d->end_nanos)
			return TALK_TIMED_OUT;
		int n = poll(&f, 1, POLL_SLICE_MS);
		if (n > 0)
			return TALK_OK;
		if (n < 0 && errno != EINTR)
			return TALK_BROKEN;
	}
}

static void drop_notice(void *ctx, const PGresult *r)
{
	(void)ctx;
	(void)r;
}

static void text_to(char *out, size_t room, const char *s)
{
	snprintf(out, room, "%s", s ? s : "");
	size_t n = strlen(out);
	while (n > 0 && !text_utf8(out, n)) /* cut inside a character */
		out[--n] = '\0';
	while (n > 0 && out[n - 1] == '\n')
		out[--n] = '\0';
}

enum talk talk_connect(const char *const *keywords, const char *const *values, bool expand_dbname, const struct patience *p,
		       PGconn **out, struct talk_error *te)
{
	struct deadline d = deadline_of(p);
	enum talk t = TALK_OK;
	PGconn *pg = PQconnectStartParams(keywords, values, expand_dbname);

	*te = (struct talk_error){ .sqlstate = "08001" };
	if (!pg)
		return TALK_NO_MEMORY;
	PostgresPollingStatusType s = PGRES_POLLING_WRITING;
	while (t == TALK_OK && PQstatus(pg) != CONNECTION_BAD && s != PGRES_POLLING_OK && s != PGRES_POLLING_FAILED) {
		t = wait_socket(pg, s == PGRES_POLLING_READING ? POLLIN : POLLOUT, &d);
		if (t == TALK_OK)
			s = PQconnectPoll(pg);
	}
	if (t == TALK_OK && PQstatus(pg) != CONNECTION_OK) {
		text_to(te->message, sizeof(te->message), PQerrorMessage(pg));
		t = TALK_BROKEN;
	}
	if (t == TALK_OK && PQsetnonblocking(pg, 1) != 0)
		t = TALK_BROKEN;
	if (t != TALK_OK) {
		PQfinish(pg);
		return t;
	}
	(void)PQsetNoticeReceiver(pg, drop_notice, NULL);
	*out = pg;
	return TALK_OK;
}

/* Sends what is queued and waits until a result can be taken without blocking. */
static enum talk wait_result(PGconn *pg, const struct deadline *d)
{
	for (;;) {
		int unsent = PQflush(pg);
		if (unsent < 0)
			return TALK_BROKEN;
		if (unsent == 0 && !PQisBusy(pg))
			return TALK_OK;
		enum talk t = wait_socket(pg, (short)(POLLIN | (unsent ? POLLOUT : 0)), d);
		if (t != TALK_OK)
			return t;
		if (!PQconsumeInput(pg))
			return TALK_BROKEN;
	}
}

static void take_error(const PGresult *r, struct talk_error *te)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE), *at = PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION);
	int64_t position = 0;

	*te = (struct talk_error){ 0 };
	text_to(te->sqlstate, sizeof(te->sqlstate), state ? state : "XX000");
	text_to(te->message, sizeof(te->message), PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY));
	text_to(te->detail, sizeof(te->detail), PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL));
	text_to(te->hint, sizeof(te->hint), PQresultErrorField(r, PG_DIAG_MESSAGE_HINT));
	if (at && number_i64(at, 1, INT32_MAX, &position))
		te->position = (int)position;
}

/* Stops what the server does for us.  The connection is not used again. */
static void cancel_at_server(PGconn *pg)
{
	char ignored[256];
	PGcancel *c = PQgetCancel(pg);

	if (c)
		(void)PQcancel(c, ignored, sizeof(ignored));
	PQfreeCancel(c);
}

/* Takes results until the server is done; each sees those with rows or descriptions.  The first failure wins, but results are still drained. */
static enum talk drain(PGconn *pg, const struct deadline *d, enum talk (*each)(void *ctx, const PGresult *r), void *ctx,
		       struct talk_error *te)
{
	enum talk outcome = TALK_OK;

	for (;;) {
		enum talk t = wait_result(pg, d);
		if (t != TALK_OK) {
			if (t == TALK_CANCELLED || t == TALK_TIMED_OUT)
				cancel_at_server(pg);
			return t;
		}
		PGresult *r = PQgetResult(pg);
		if (!r)
			break;
		switch (PQresultStatus(r)) {
		case PGRES_SINGLE_TUPLE:
		case PGRES_TUPLES_OK:
		case PGRES_COMMAND_OK:
		case PGRES_EMPTY_QUERY:
			if (outcome == TALK_OK && each)
				outcome = each(ctx, r);
			break;
		case PGRES_FATAL_ERROR:
			if (outcome == TALK_OK)
				outcome = TALK_REFUSED;
			take_error(r, te);
			break;
		default:
			outcome = TALK_BROKEN; /* COPY and replication are never asked for */
		}
		PQclear(r);
		if (outcome > TALK_REFUSED) {
			cancel_at_server(pg);
			return outcome;
		}
	}
	return PQstatus(pg) == CONNECTION_OK ? outcome : TALK_BROKEN;
}

static bool take_fields(const PGresult *r, struct arena *a, const struct field **out, size_t *n_out)
{
	size_t n = (size_t)PQnfields(r);
	struct field *f = arena_array(a, n ? n : 1, struct field);

	if (!f)
		return false;
	for (size_t i = 0; i < n; i++) {
		int c = (int)i;
		const char *name = arena_strdup(a, PQfname(r, c));
		if (!name)
			return false;
		f[i] = (struct field){ .name = name,
				       .type_oid = PQftype(r, c),
				       .table_oid = PQftable(r, c),
				       .type_length = (int16_t)PQfsize(r, c),
				       .column = (int16_t)PQftablecol(r, c),
				       .type_modifier = PQfmod(r, c) };
	}
	*out = f;
	*n_out = n;
	return true;
}

struct collector {
	struct arena *a;
	struct talk_rows rows;
	struct cell *cells;
	size_t n_cells, cap_cells, bytes, max_bytes;
	bool described;
};

static enum talk collect(void *ctx, const PGresult *r)
{
	struct collector *c = ctx;

	if (!c->described && !take_fields(r, c->a, &c->rows.fields, &c->rows.n_fields))
		return TALK_NO_MEMORY;
	c->described = true;
	for (int row = 0; row < PQntuples(r); row++, c->rows.n_rows++) {
		for (int i = 0; i < PQnfields(r); i++) {
			struct cell *grown = arena_grow(c->a, c->cells, c->n_cells, &c->cap_cells, sizeof(*c->cells));
			if (!grown)
				return TALK_NO_MEMORY;
			c->cells = grown;
			struct cell *cell = &c->cells[c->n_cells++];
			*cell = (struct cell){ .length = -1 };
			if (PQgetisnull(r, row, i))
				continue;
			int n = PQgetlength(r, row, i);
			c->bytes += (size_t)n;
			if (c->bytes > c->max_bytes)
				return TALK_TOO_LARGE;
			*cell = (struct cell){ .length = n, .data = (uint8_t *)arena_copy(c->a, PQgetvalue(r, row, i), (size_t)n) };
			if (!cell->data)
				return TALK_NO_MEMORY;
		}
	}
	return TALK_OK;
}

enum talk talk_each(PGconn *pg, const struct talk_statement *st, const struct patience *p, enum talk (*each)(void *ctx, const PGresult *r), void *ctx,
		    struct talk_error *te)
{
	struct deadline d = deadline_of(p);

	if (!PQsendQueryParams(pg, st->sql, (int)st->n_params, st->types, st->values, st->lengths, st->formats, st->result_format) ||
	    !PQsetSingleRowMode(pg))
		return TALK_BROKEN;
	return drain(pg, &d, each, ctx, te);
}

enum talk talk_query(PGconn *pg, const struct talk_statement *st, const struct patience *p, struct arena *a, struct talk_rows *out,
		     struct talk_error *te)
{
	struct collector c = { .a = a, .max_bytes = st->max_bytes };

	enum talk t = talk_each(pg, st, p, collect, &c, te);
	if (t != TALK_OK)
		return t;
	c.rows.cells = c.cells;
	*out = c.rows;
	return TALK_OK;
}

enum talk talk_exec(PGconn *pg, const char *sql, const struct patience *p, struct talk_error *te)
{
	struct deadline d = deadline_of(p);

	if (!PQsendQuery(pg, sql))
		return TALK_BROKEN;
	return drain(pg, &d, NULL, NULL, te);
}

struct describer {
	struct arena *a;
	struct description d;
};

static enum talk take_description(void *ctx, const PGresult *r)
{
	struct describer *c = ctx;
	size_t n = (size_t)PQnparams(r);
	uint32_t *oids = arena_array(c->a, n ? n : 1, uint32_t);

	if (!oids || !take_fields(r, c->a, &c->d.fields, &c->d.n_fields))
		return TALK_NO_MEMORY;
	for (size_t i = 0; i < n; i++)
		oids[i] = PQparamtype(r, (int)i);
	c->d.param_oids = oids;
	c->d.n_params = n;
	return TALK_OK;
}

enum talk talk_describe(PGconn *pg, const char *sql, const uint32_t *types, size_t n_types, const struct patience *p,
			struct arena *a, struct description *out, struct talk_error *te)
{
	struct deadline d = deadline_of(p);
	struct describer c = { .a = a };

	if (!PQsendPrepare(pg, "", sql, (int)n_types, types))
		return TALK_BROKEN;
	enum talk t = drain(pg, &d, NULL, NULL, te);
	if (t != TALK_OK)
		return t;
	if (!PQsendDescribePrepared(pg, ""))
		return TALK_BROKEN;
	t = drain(pg, &d, take_description, &c, te);
	if (t == TALK_OK)
		*out = c.d;
	return t;
}

bool talk_alive(PGconn *pg)
{
	struct pollfd f = { .fd = PQsocket(pg), .events = POLLIN };

	if (PQstatus(pg) != CONNECTION_OK || PQtransactionStatus(pg) != PQTRANS_IDLE)
		return false;
	if (poll(&f, 1, 0) == 0)
		return true;
	return PQconsumeInput(pg) && PQstatus(pg) == CONNECTION_OK && poll(&f, 1, 0) == 0;
}
