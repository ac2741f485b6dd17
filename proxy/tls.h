/* The server side of TLS: one context from the policy's certificate and key.  TLS 1.2 and 1.3 only; no renegotiation, compression, tickets. */
#ifndef NG_PROXY_TLS_H
#define NG_PROXY_TLS_H

#include "base/error.h"

#include <openssl/ssl.h>

struct tls_server;

/* cert: PEM chain, leaf first.  key: PEM, readable by its owner alone.  ERR_CONFIG says which file and why. */
MUST_CHECK bool tls_server_open(const char *cert, const char *key, struct tls_server **out, struct error *e);
void tls_server_close(struct tls_server *t);

/* Channel binding data "tls-server-end-point"; *n 0 when the certificate's signature has no defined hash (Ed25519). */
const uint8_t *tls_server_end_point(const struct tls_server *t, size_t *n);

/* A connection object over fd, ready to accept; NULL without memory.  ALPN "postgresql" is chosen when offered; other offers are refused. */
MUST_CHECK SSL *tls_server_accept(struct tls_server *t, int fd);

/* True when the client offered ALPN "postgresql": mandatory for direct TLS. */
MUST_CHECK bool tls_has_alpn(const SSL *ssl);

#endif
