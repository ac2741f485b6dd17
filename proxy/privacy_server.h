/* A private PostgreSQL for an audit: made in a directory of its own, reached over a socket there, gone at the end. */
#ifndef NG_PROXY_PRIVACY_SERVER_H
#define NG_PROXY_PRIVACY_SERVER_H

#include "proxy/sidecar_home.h"

struct scratch {
	struct sidecar_home home;
	pid_t pid; /* 0: does not run */
};

#define SCRATCH_USER "owner"

/* Makes the cluster and starts it; returns when it answers.  It dies with the calling thread, however that ends.  ERR_CONFIG, ERR_IO, ERR_WRONG_STATE. */
MUST_CHECK bool scratch_start(const struct policy_server *server, struct scratch *out, struct error *e);
void scratch_stop(struct scratch *s); /* harmless when it does not run */

#endif
