/* TLS of a private set intersection: both sides show a certificate, and each says by what it knows the other's. */
#ifndef NG_PROXY_CLI_PSI_TLS_H
#define NG_PROXY_CLI_PSI_TLS_H

#include "proxy/cli_psi_channel.h"

#include <openssl/ssl.h>

/* A context for either side; *who outlives it.  TLS 1.3 only, no tickets.  ERR_CONFIG says what cannot be used. */
MUST_CHECK bool psi_tls_context(const struct psi_identity *who, SSL_CTX **out, struct error *e);

/* What ended a call of OpenSSL's (how: SSL_get_error), in the user's words.  Always false. */
bool psi_tls_why(const SSL *ssl, int how, struct error *e);

#endif
