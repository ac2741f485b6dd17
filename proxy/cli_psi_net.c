#include "proxy/cli_psi_net.h"

#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Little may be under way: what is sent and not yet worked on is time that the other side waits without a sign of life. */
enum { BUFFER = 256 << 10 };

int psi_net_wait(int fd, short events, int64_t deadline)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int64_t left = (deadline - clock_monotonic().nanos + 999999) / 1000000;
		int n = poll(&p, 1, left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left);
		if (n > 0)
			return 1;
		if (n == 0 && left <= 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -1;
	}
}

static bool resolve(const char *host, int port, int flags, struct addrinfo **list, struct error *e)
{
	const struct addrinfo want = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	char service[16];

	(void)snprintf(service, sizeof(service), "%d", port);
	int found = getaddrinfo(host, service, &want, list);
	return found == 0 || fail(e, ERR_CONFIG, "could not resolve \"%s\": %s", host, gai_strerror(found));
}

static int new_socket(const struct addrinfo *at)
{
	const int on = 1, buffer = BUFFER;
	int fd = socket(at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol);

	if (fd >= 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	return fd;
}

static int port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at = { 0 };
	socklen_t n = sizeof(at);

	if (getsockname(fd, &at.any, &n) != 0)
		return 0;
	return ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
}

bool psi_net_listen(const char *host, int port, int *fd, int *bound, struct error *e)
{
	struct addrinfo *list = NULL;
	int one = -1, why = 0;

	if (!resolve(host, port, AI_PASSIVE, &list, e))
		return false;
	for (const struct addrinfo *at = list; at && one < 0; at = at->ai_next) {
		one = new_socket(at);
		if (one >= 0 && bind(one, at->ai_addr, at->ai_addrlen) == 0 && listen(one, 16) == 0)
			break;
		why = errno;
		if (one >= 0)
			(void)close(one);
		one = -1;
	}
	freeaddrinfo(list);
	if (one < 0)
		return fail(e, ERR_IO, "could not listen on %s port %d: %s", host, port, strerror(why));
	*fd = one;
	*bound = port_of(one);
	return true;
}

/* 0, or why not. */
static int connect_one(int fd, const struct addrinfo *at, int64_t deadline)
{
	int why = 0;
	socklen_t n = sizeof(why);

	if (connect(fd, at->ai_addr, at->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	if (psi_net_wait(fd, POLLOUT, deadline) <= 0)
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &n) == 0 ? why : errno;
}

bool psi_net_connect(const char *host, int port, int64_t deadline, int *fd, struct error *e)
{
	struct addrinfo *list = NULL;
	int why = 0;

	if (!resolve(host, port, 0, &list, e))
		return false;
	for (const struct addrinfo *at = list; at; at = at->ai_next) {
		int one = new_socket(at);
		why = one < 0 ? errno : connect_one(one, at, deadline);
		if (why == 0) {
			*fd = one;
			freeaddrinfo(list);
			return true;
		}
		if (one >= 0)
			(void)close(one);
	}
	freeaddrinfo(list);
	return fail(e, ERR_IO, "could not connect to %s port %d: %s", host, port, strerror(why));
}

bool psi_net_accept(int listener, int *fd, char from[PSI_NET_PEER], struct error *e)
{
	struct sockaddr_storage at;
	char host[64] = "?", service[16] = "";

	for (;;) {
		socklen_t n = sizeof(at);
		int one = accept4(listener, (struct sockaddr *)&at, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (one >= 0) {
			(void)getnameinfo((struct sockaddr *)&at, n, host, sizeof(host), service, sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV);
			(void)snprintf(from, PSI_NET_PEER, "%s:%s", host, service);
			*fd = one;
			return true;
		}
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			return fail(e, ERR_IO, "could not accept a connection: %s", strerror(errno));
		if (psi_net_wait(listener, POLLIN, INT64_MAX / 2) < 0)
			return fail(e, ERR_IO, "could not wait for a connection: %s", strerror(errno));
	}
}

void psi_net_drain(int fd, int ms)
{
	const int64_t deadline = clock_monotonic().nanos + (int64_t)ms * 1000000;
	char ignored[4096];

	(void)shutdown(fd, SHUT_WR);
	while (clock_monotonic().nanos < deadline && psi_net_wait(fd, POLLIN, deadline) > 0) {
		ssize_t n = read(fd, ignored, sizeof(ignored));
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			break;
	}
	(void)close(fd);
}
