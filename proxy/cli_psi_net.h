/* Sockets of a private set intersection: one listener or one connection, never blocking past a deadline (monotonic nanoseconds). */
#ifndef NG_PROXY_CLI_PSI_NET_H
#define NG_PROXY_CLI_PSI_NET_H

#include "base/error.h"

enum { PSI_NET_PEER = 96 };

/* Non-blocking sockets; *bound is the port taken.  ERR_CONFIG: no such address; ERR_IO. */
MUST_CHECK bool psi_net_listen(const char *host, int port, int *fd, int *bound, struct error *e);
MUST_CHECK bool psi_net_connect(const char *host, int port, int64_t deadline, int *fd, struct error *e);

/* Waits for the next connection; from: "host:port" of it. */
MUST_CHECK bool psi_net_accept(int listener, int *fd, char from[PSI_NET_PEER], struct error *e);

/* Until one of the poll events: 1, 0 when the time is up, -1 when the socket cannot be waited for. */
MUST_CHECK int psi_net_wait(int fd, short events, int64_t deadline);

/* Ends writing, reads on until the peer has closed too or ms have passed, and closes. */
void psi_net_drain(int fd, int ms);

#endif
