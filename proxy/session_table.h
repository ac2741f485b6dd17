/* Which message is welcome in which state, how long it may be, and who handles it. */
#ifndef NG_PROXY_SESSION_TABLE_H
#define NG_PROXY_SESSION_TABLE_H

#include "base/bytes.h"
#include "proxy/session.h"

/* False with *e: ErrorResponse; what follows is decided by the message's rule. */
typedef bool session_handler(struct session *s, struct rd body, struct error *e);

enum message_kind {
	MESSAGE_FATAL,    /* not in this state: the connection ends */
	MESSAGE_DISCARD,  /* skipped silently */
	MESSAGE_LOGIN,    /* failure is fatal */
	MESSAGE_SIMPLE,   /* ReadyForQuery follows, whatever happens */
	MESSAGE_EXTENDED, /* failure skips to Sync */
	MESSAGE_GOODBYE
};

struct message_rule {
	enum message_kind kind;
	size_t max; /* bytes of the body */
	session_handler *handle; /* NULL for FATAL, DISCARD, GOODBYE */
};

struct message_rule message_rule(enum session_state state, uint8_t type);

/* Handlers, by file. */
session_handler handle_sasl_initial, handle_sasl_response;                                           /* auth.c */
session_handler handle_query, handle_function_call;                                                  /* simple.c */
session_handler handle_parse, handle_bind, handle_describe, handle_execute, handle_close, handle_sync, handle_flush; /* extended.c */

#endif
