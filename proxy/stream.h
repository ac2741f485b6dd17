/* Bytes of one client connection, clear or TLS, over a non-blocking socket.  Knows no message. */
#ifndef NG_PROXY_STREAM_H
#define NG_PROXY_STREAM_H

#include "proxy/tls.h"

struct stream {
	int fd;
	SSL *ssl; /* NULL: clear text */
};

enum io_status { IO_DONE, IO_WANT_READ, IO_WANT_WRITE, IO_CLOSED };

/* Reads what is there, 1..n bytes; *got is 0 unless IO_DONE.  IO_CLOSED: end of stream or error. */
enum io_status stream_read(struct stream *s, void *to, size_t n, size_t *got);

/* Looks at up to n bytes of a clear stream without taking them. */
enum io_status stream_peek(struct stream *s, void *to, size_t n, size_t *got);

/* Writes all n bytes, waiting for a slow reader at most `seconds` altogether (0: not at all). */
MUST_CHECK bool stream_write(struct stream *s, const void *p, size_t n, int seconds);

/* Begins TLS on a clear stream; then stream_handshake until IO_DONE. */
MUST_CHECK bool stream_start_tls(struct stream *s, struct tls_server *t);
enum io_status stream_handshake(struct stream *s);

/* Says goodbye without waiting, closes, frees. */
void stream_close(struct stream *s);

#endif
