/*
 * Where the sidecar lives: a directory of our own making with the data, the socket and the log in it, owned by the account that runs the server.
 * Decides what may be deleted: only a directory that was made here, and leftovers of proxies that are gone (their lock is free).
 */
#ifndef NG_PROXY_SIDECAR_HOME_H
#define NG_PROXY_SIDECAR_HOME_H

#include "base/error.h"
#include "policies/policy.h"

#include <sys/types.h>

struct sidecar_home {
	char path[80];                        /* noisegate-sidecar-XXXXXX below the policy's directory, TMPDIR or /tmp */
	char data[96], socket_dir[96], log[96]; /* path/data, path/s, path/log */
	int lock;                             /* held as long as we live */
	bool switch_user;                     /* started by root: server processes change to these */
	uid_t uid;
	gid_t gid;
};

/* Makes the directory (after removing leftovers beside it).  ERR_CONFIG when the account is unknown; ERR_IO otherwise. */
MUST_CHECK bool sidecar_home_make(const struct policy_server *server, struct sidecar_home *out, struct error *e);

/* Removes it and all in it.  Harmless when it was never made. */
void sidecar_home_remove(struct sidecar_home *h);

/* The last line of the log into out (room bytes), "" when there is none: why a start failed. */
void sidecar_home_last_words(const struct sidecar_home *h, char *out, size_t room);

/*
 * Starts a program as the sidecar's account: own session, no inherited descriptors but /dev/null and the log, a fixed environment, and death (SIGQUIT)
 * when the calling thread ends.  argv[0] is the path.  0 when the fork failed.
 */
MUST_CHECK pid_t sidecar_spawn(const struct sidecar_home *h, char *const argv[]);

#endif
