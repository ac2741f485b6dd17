/*
 * The upstream: the database with the protected rows.  Connections carry only state that this file sets; statements come from plans, never from an
 * analyst.
 *
 * What must hold:
 * (1) Nothing that the upstream says is relayed or logged but its SQLSTATE: texts may quote cells (SPEC G4).
 * (2) A lease proves before the charge that the upstream is there; what fails after it stays charged.
 */
#ifndef NG_PROXY_UPSTREAM_H
#define NG_PROXY_UPSTREAM_H

#include "mechanisms/released.h"
#include "proxy/pgtalk.h"

struct upstream;       /* thread-safe */
struct upstream_lease; /* one connection, for one statement of one thread */

/* Reads the password; connects lazily.  ERR_CONFIG for a connection string or password file that cannot be used.  The policy must outlive it. */
MUST_CHECK bool upstream_open(const struct policy *p, struct upstream **out, struct error *e);
void upstream_close(struct upstream *u); /* NULL is fine */

/* Borrows a connection that works, waiting its turn.  ERR_UPSTREAM (constant text) when there is none to be had. */
MUST_CHECK bool upstream_take(struct upstream *u, const atomic_bool *cancelled, struct upstream_lease **out, struct error *e);
void upstream_give(struct upstream *u, struct upstream_lease *l); /* NULL is fine */

/* Runs one block; the exact rows live in the arena.  ERR_UPSTREAM with one constant text whatever went wrong there; ERR_CANCELLED on request. */
MUST_CHECK bool upstream_run(struct upstream_lease *l, const char *sql, const char *const *params, size_t n_params,
			     const atomic_bool *cancelled, struct arena *a, struct exact_rows *out, struct error *e);

/* The same, each row as it comes: however many there are, none is held.  What give returns false for ends it, with give's own error. */
struct upstream_reader {
	bool (*give)(void *ctx, const char *const *cells, size_t n, struct error *e); /* cells live until it returns */
	void *ctx;
};
MUST_CHECK bool upstream_each(struct upstream_lease *l, const char *sql, const char *const *params, size_t n_params, const atomic_bool *cancelled,
			      const struct upstream_reader *to, struct error *e);

/* One connection outside any pool, for `noisegate check --connect` and the check at start; NULL with *e filled.  The caller ends it with PQfinish. */
MUST_CHECK PGconn *upstream_connect_once(const struct policy *p, struct error *e);

/* ERR_UPSTREAM, the one constant error of whatever went wrong with the rows of a query.  Returns false. */
bool upstream_failed(struct error *e);

#endif
