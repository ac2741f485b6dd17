/*
 * The network side: listens, keeps sessions, runs them on worker threads.
 *
 * One thread (the caller of server_run) waits in epoll for all parked sessions; `server.workers` threads run sessions that have something to do; one more thread
 * runs those that are still logging in, so that neither log-ins nor cancel requests wait behind long queries.
 */
#ifndef NG_PROXY_SERVER_H
#define NG_PROXY_SERVER_H

#include "base/error.h"
#include "policies/policy.h"
#include "proxy/engine.h"

struct server;

/* Binds and loads the certificate; serves nothing yet.  p and g must outlive the server. */
MUST_CHECK bool server_open(const struct policy *p, struct engine *g, struct server **out, struct error *e);

/* The port it listens on (the policy may have said 0: any). */
int server_port(const struct server *s);

/* Serves until server_stop; false when it could not start its threads.  One call per server. */
MUST_CHECK bool server_run(struct server *s, struct error *e);

/*
 * Asks server_run to end; async-signal-safe, any thread.  New connections are refused, idle sessions get 57P01 and are closed, running statements may
 * finish for DRAIN_SECONDS, then are cancelled.
 */
void server_stop(struct server *s);

/* After server_run has returned (or never ran). */
void server_close(struct server *s);

#endif
