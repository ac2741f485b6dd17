/* SCRAM-SHA-256 and -PLUS over the wire; the arithmetic is crypto/scram.h.  An unknown user goes through the same exchange with a made-up salt. */
#ifndef NG_PROXY_AUTH_H
#define NG_PROXY_AUTH_H

#include "proxy/session.h"

struct auth;

/* Looks the user up, offers the mechanisms, moves to SESSION_SASL_INITIAL. */
MUST_CHECK bool auth_begin(struct session *s, struct error *e);
void auth_free(struct auth *a); /* wipes; NULL is fine */

#endif
