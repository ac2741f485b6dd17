#include "proxy/stream.h"

#include "base/clock.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static enum io_status socket_status(ssize_t n, size_t *got)
{
	if (n > 0) {
		*got = (size_t)n;
		return IO_DONE;
	}
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return IO_WANT_READ;
	return IO_CLOSED;
}

static enum io_status tls_status(const SSL *ssl, int result)
{
	switch (SSL_get_error(ssl, result)) {
	case SSL_ERROR_NONE:
		return IO_DONE;
	case SSL_ERROR_WANT_READ:
		return IO_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return IO_WANT_WRITE;
	default:
		ERR_clear_error();
		return IO_CLOSED;
	}
}

enum io_status stream_read(struct stream *s, void *to, size_t n, size_t *got)
{
	*got = 0;
	if (!s->ssl)
		return socket_status(recv(s->fd, to, n, 0), got);
	ERR_clear_error();
	int result = SSL_read_ex(s->ssl, to, n, got);
	return result == 1 ? IO_DONE : tls_status(s->ssl, result);
}

enum io_status stream_peek(struct stream *s, void *to, size_t n, size_t *got)
{
	*got = 0;
	return socket_status(recv(s->fd, to, n, MSG_PEEK), got);
}

static enum io_status write_some(struct stream *s, const uint8_t *p, size_t n, size_t *put)
{
	*put = 0;
	if (s->ssl) {
		ERR_clear_error();
		int result = SSL_write_ex(s->ssl, p, n, put);
		return result == 1 ? IO_DONE : tls_status(s->ssl, result);
	}
	ssize_t sent = send(s->fd, p, n, MSG_NOSIGNAL);
	if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return IO_WANT_WRITE;
	if (sent < 0)
		return IO_CLOSED;
	*put = (size_t)sent;
	return IO_DONE;
}

/* Waits until the socket can go on, at most until end; false when it is time. */
static bool wait_for(int fd, enum io_status want, int64_t end)
{
	int64_t left = (end - clock_monotonic().nanos) / 1000000;

	if (left <= 0)
		return false;
	struct pollfd p = { .fd = fd, .events = want == IO_WANT_READ ? POLLIN : POLLOUT };
	int n = poll(&p, 1, left > 1000 ? 1000 : (int)left);
	return n >= 0 || errno == EINTR;
}

bool stream_write(struct stream *s, const void *p, size_t n, int seconds)
{
	const uint8_t *at = p;
	int64_t end = clock_monotonic().nanos + (int64_t)seconds * 1000000000;

	while (n > 0) {
		size_t put;
		enum io_status status = write_some(s, at, n, &put);
		if (status == IO_CLOSED)
			return false;
		if (status != IO_DONE && !wait_for(s->fd, status, end))
			return false;
		at += put;
		n -= put;
	}
	return true;
}

bool stream_start_tls(struct stream *s, struct tls_server *t)
{
	s->ssl = tls_server_accept(t, s->fd);
	return s->ssl != NULL;
}

enum io_status stream_handshake(struct stream *s)
{
	ERR_clear_error();
	return tls_status(s->ssl, SSL_do_handshake(s->ssl));
}

void stream_close(struct stream *s)
{
	if (s->ssl) {
		ERR_clear_error();
		if (SSL_is_init_finished(s->ssl))
			(void)SSL_shutdown(s->ssl); /* close_notify, without waiting for the answer */
		ERR_clear_error();
		SSL_free(s->ssl);
		s->ssl = NULL;
	}
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
}
