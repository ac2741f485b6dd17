/* The first packets of a connection: TLS or not, cancel or log-in, protocol version, startup parameters. */
#ifndef NG_PROXY_STARTUP_H
#define NG_PROXY_STARTUP_H

#include "proxy/session.h"

/* One step in SESSION_FIRST, SESSION_HANDSHAKE or SESSION_STARTUP. */
enum turn startup_step(struct session *s);

/* Reads more input, toward `need` unread bytes; exactly: never a byte beyond them (what follows may be TLS). */
enum turn session_fill(struct session *s, size_t need, bool exactly);

/* After authentication: ParameterStatus, BackendKeyData, ReadyForQuery. */
MUST_CHECK bool startup_finish(struct session *s, struct error *e);

#endif
