#include "proxy/session_table.h"

#include "proxy/wire_limits.h"

#define IN(s) (1u << (s))
#define DISCARDED_IN(s) (1u << ((s) + 16))

_Static_assert(SESSION_STATES <= 16, "two masks of states share 32 bits");

static const struct row {
	uint8_t type;
	uint32_t states;
	enum message_kind kind;
	size_t max;
	session_handler *handle;
} rows[] = {
	/* while logging in, 'p' is all there is */
	{ 'p', IN(SESSION_SASL_INITIAL), MESSAGE_LOGIN, WIRE_MAX_AUTH, handle_sasl_initial },
	{ 'p', IN(SESSION_SASL_FINAL), MESSAGE_LOGIN, WIRE_MAX_AUTH, handle_sasl_response },

	{ 'Q', IN(SESSION_READY) | DISCARDED_IN(SESSION_SKIP), MESSAGE_SIMPLE, WIRE_MAX_QUERY, handle_query },
	{ 'F', IN(SESSION_READY) | DISCARDED_IN(SESSION_SKIP), MESSAGE_SIMPLE, WIRE_MAX_BIND, handle_function_call },
	{ 'P', IN(SESSION_READY) | DISCARDED_IN(SESSION_SKIP), MESSAGE_EXTENDED, WIRE_MAX_QUERY, handle_parse },
	{ 'B', IN(SESSION_READY) | DISCARDED_IN(SESSION_SKIP), MESSAGE_EXTENDED, WIRE_MAX_BIND, handle_bind },
	{ 'D', IN(SESSION_READY) | DISCARDED_IN(SESSION_SKIP), MESSAGE_EXTENDED, WIRE_MAX_SMALL, handle_describe },
	{ 'E', IN(SESSION_READY) | DISCARDED_IN(SESSION_SKIP), MESSAGE_EXTENDED, WIRE_MAX_SMALL, handle_execute },
	{ 'C', IN(SESSION_READY) | DISCARDED_IN(SESSION_SKIP), MESSAGE_EXTENDED, WIRE_MAX_SMALL, handle_close },
	{ 'H', IN(SESSION_READY) | DISCARDED_IN(SESSION_SKIP), MESSAGE_EXTENDED, WIRE_MAX_SMALL, handle_flush },
	{ 'S', IN(SESSION_READY) | IN(SESSION_SKIP), MESSAGE_SIMPLE, WIRE_MAX_SMALL, handle_sync },

	/* the rest of a COPY that was refused: PostgreSQL skips it, too */
	{ 'd', DISCARDED_IN(SESSION_READY) | DISCARDED_IN(SESSION_SKIP), MESSAGE_DISCARD, WIRE_MAX_BIND, NULL },
	{ 'c', DISCARDED_IN(SESSION_READY) | DISCARDED_IN(SESSION_SKIP), MESSAGE_DISCARD, WIRE_MAX_SMALL, NULL },
	{ 'f', DISCARDED_IN(SESSION_READY) | DISCARDED_IN(SESSION_SKIP), MESSAGE_DISCARD, WIRE_MAX_SMALL, NULL },

	{ 'X', IN(SESSION_SASL_INITIAL) | IN(SESSION_SASL_FINAL) | IN(SESSION_READY) | IN(SESSION_SKIP), MESSAGE_GOODBYE, WIRE_MAX_SMALL, NULL },
};

struct message_rule message_rule(enum session_state state, uint8_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].type != type)
			continue;
		if (rows[i].states & IN(state))
			return (struct message_rule){ .kind = rows[i].kind, .max = rows[i].max, .handle = rows[i].handle };
		if (rows[i].states & DISCARDED_IN(state))
			return (struct message_rule){ .kind = MESSAGE_DISCARD, .max = rows[i].max };
	}
	return (struct message_rule){ .kind = MESSAGE_FATAL };
}
