/*
 * Conversations with a PostgreSQL over libpq that can be given up: connecting and running one statement, both without ever blocking past a
 * deadline or a cancel request.  Knows neither who is asked (upstream or sidecar) nor what may be told to a client: an outcome is returned, and
 * the caller decides how much of the server's words leaves this process.
 */
#ifndef NG_PROXY_PGTALK_H
#define NG_PROXY_PGTALK_H

#include "proxy/engine.h"

#include <libpq-fe.h>

/* How long a caller waits: until the flag becomes true (NULL: never) or the time is up (at most 0: no limit). */
struct patience {
	const atomic_bool *cancelled;
	int timeout_ms;
};

enum talk {
	TALK_OK,
	TALK_REFUSED,   /* the server answered with an error: see struct talk_error; the connection lives */
	TALK_CANCELLED, /* these five: the connection must be closed */
	TALK_TIMED_OUT,
	TALK_BROKEN,
	TALK_TOO_LARGE, /* more bytes than max_bytes */
	TALK_NO_MEMORY
};

/* What a server said.  Only the SQLSTATE of an upstream may be used; the rest may quote cells. */
struct talk_error {
	char sqlstate[6];
	int position;
	char message[240], detail[400], hint[400];
};

struct talk_statement {
	const char *sql;
	size_t n_params;
	const uint32_t *types;      /* NULL: the server infers them */
	const char *const *values;  /* NULL entry: SQL NULL */
	const int *lengths, *formats; /* as libpq's; NULL: all text */
	int result_format;          /* 0 text, 1 binary */
	size_t max_bytes;           /* of all cells */
};

struct talk_rows {
	const struct field *fields;
	size_t n_fields;
	const struct cell *cells; /* row-major; each followed by a zero byte that does not count */
	size_t n_rows;
};

/* Connects (libpq keywords; expand_dbname lets "dbname" be a whole connection string).  On success *out is set up to drop notices and not to block. */
MUST_CHECK enum talk talk_connect(const char *const *keywords, const char *const *values, bool expand_dbname,
				  const struct patience *p, PGconn **out, struct talk_error *te);

/* Runs one statement by the extended protocol.  Rows live in the arena. */
MUST_CHECK enum talk talk_query(PGconn *pg, const struct talk_statement *st, const struct patience *p, struct arena *a,
				struct talk_rows *out, struct talk_error *te);

/* As talk_query, of rows that nobody collects (max_bytes says nothing): each sees them as they come, a result of one row at a time and an empty one at the end. */
MUST_CHECK enum talk talk_each(PGconn *pg, const struct talk_statement *st, const struct patience *p, enum talk (*each)(void *ctx, const PGresult *r),
			       void *ctx, struct talk_error *te);

/* Runs text of our own making by the simple protocol; rows are thrown away. */
MUST_CHECK enum talk talk_exec(PGconn *pg, const char *sql, const struct patience *p, struct talk_error *te);

/* Parse analysis only: parameter types and result fields.  types may hold zeros. */
MUST_CHECK enum talk talk_describe(PGconn *pg, const char *sql, const uint32_t *types, size_t n_types, const struct patience *p,
				   struct arena *a, struct description *out, struct talk_error *te);

/* True when an idle connection looks alive: nothing to read but what a living server would send. */
MUST_CHECK bool talk_alive(PGconn *pg);

#endif
