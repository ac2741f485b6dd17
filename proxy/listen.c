#include "proxy/loop.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, ACCEPTS_AT_ONCE = 64 };

/* A bound, listening socket on one address, or -1 with errno. */
static int open_one(const struct addrinfo *at)
{
	const int on = 1;
	int fd = socket(at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int why = errno;
	(void)close(fd);
	errno = why;
	return -1;
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

static void use_port(struct addrinfo *at, int port)
{
	if (at->ai_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)at->ai_addr)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)(void *)at->ai_addr)->sin_port = htons((uint16_t)port);
}

/* "*" is every address (NULL); [::1] loses its brackets. */
static const char *plain_host(const char *host, char *out, size_t size)
{
	size_t n = strlen(host);

	if (text_eq(host, "*"))
		return NULL;
	if (n > 2 && host[0] == '[' && host[n - 1] == ']')
		(void)snprintf(out, size, "%.*s", (int)(n - 2), host + 1);
	else
		(void)snprintf(out, size, "%s", host);
	return out;
}

bool listen_open(struct server *s, struct error *e)
{
	const struct addrinfo want = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *list = NULL;
	char service[16], address[256];
	const char *host = plain_host(s->policy->listen_host, address, sizeof(address));
	int why = 0;

	(void)snprintf(service, sizeof(service), "%d", s->policy->listen_port);
	int found = getaddrinfo(host, service, &want, &list);
	if (found != 0)
		return fail(e, ERR_CONFIG, "could not resolve listen address \"%s\": %s", s->policy->listen_host, gai_strerror(found));
	for (struct addrinfo *at = list; at && s->n_listeners < LISTENERS_MAX; at = at->ai_next) {
		if (s->port != 0)
			use_port(at, s->port);
		int fd = open_one(at);
		if (fd < 0) {
			why = errno;
			continue;
		}
		s->listeners[s->n_listeners++] = fd;
		s->port = port_of(fd);
	}
	freeaddrinfo(list);
	if (s->n_listeners == 0)
		return fail(e, ERR_IO, "could not listen on %s port %d: %s", s->policy->listen_host, s->policy->listen_port, strerror(why));
	return true;
}

void listen_close(struct server *s)
{
	for (size_t i = 0; i < s->n_listeners; i++)
		(void)close(s->listeners[i]);
	s->n_listeners = 0;
}

static void pause_accepting(struct server *s)
{
	if (!s->accepting)
		return;
	s->accepting = false; /* the loop's sweep takes it up again */
	for (size_t i = 0; i < s->n_listeners; i++)
		(void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->listeners[i], NULL);
	log_event(LOG_ERROR, "out of file descriptors", LOG_NUM("sessions", (int64_t)s->n_sessions));
}

static void welcome(struct server *s, int fd, const struct sockaddr_storage *from, socklen_t n)
{
	const int on = 1;
	char host[64] = "?", service[16] = "", peer[96];

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)getnameinfo((const struct sockaddr *)from, n, host, sizeof(host), service, sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV);
	(void)snprintf(peer, sizeof(peer), "%s:%s", host, service);
	struct session *one = s->n_sessions < (size_t)s->host.max_connections + LOGIN_SPARE ?
				      session_new(&s->host, fd, peer, ++s->last_id) :
				      NULL;
	if (!one)
		(void)close(fd);
	else if (!loop_add(s, one))
		session_free(one);
}

void listen_accept(struct server *s, int listener)
{
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		struct sockaddr_storage from;
		socklen_t n = sizeof(from);
		int fd = accept4(listener, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
				pause_accepting(s);
			return;
		}
		welcome(s, fd, &from, n);
	}
}
