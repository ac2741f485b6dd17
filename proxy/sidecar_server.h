/* The sidecar's server process: made, started, watched, started again, stopped.  A thread of its own forks it, as its life is tied to that thread. */
#ifndef NG_PROXY_SIDECAR_SERVER_H
#define NG_PROXY_SIDECAR_SERVER_H

#include "proxy/pgtalk.h"
#include "proxy/sidecar_home.h"

struct sidecar_server; /* thread-safe */

struct sidecar_events {
	void (*renewed)(void *ctx); /* the server died and another one runs: old connections are void */
	void *ctx;
};

/* Makes and starts it; returns when it answers and the mirror stands.  max_connections: without those of the supervisor. */
MUST_CHECK bool sidecar_server_open(const struct policy *p, int max_connections, struct sidecar_events ev, struct sidecar_server **out,
				    struct error *e);
void sidecar_server_close(struct sidecar_server *s); /* NULL is fine */

const char *sidecar_server_version(const struct sidecar_server *s);

/* Connects as a role to the collaboration's database, waiting for a server that is being started again. */
MUST_CHECK bool sidecar_server_connect(struct sidecar_server *s, const char *role, const struct patience *p, PGconn **out, struct error *e);

#endif
