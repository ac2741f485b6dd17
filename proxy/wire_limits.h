/* Every maximum of the client side of the wire, in one place.  A length beyond its maximum is refused before a byte of the body is kept. */
#ifndef NG_PROXY_WIRE_LIMITS_H
#define NG_PROXY_WIRE_LIMITS_H

enum {
	WIRE_MAX_STARTUP = 10000,          /* whole startup packet, as PostgreSQL */
	WIRE_MAX_AUTH = 4096,              /* body of a SASL message */
	WIRE_MAX_SMALL = 10000,            /* body of Describe, Execute, Close, Sync, ... */
	WIRE_MAX_QUERY = 8 << 20,          /* body of Query and Parse; the planner refuses long before, with a proper error */
	WIRE_MAX_BIND = 16 << 20,          /* body of Bind, FunctionCall, CopyData */
	WIRE_MAX_OUT = 256 << 20,          /* answer bytes held at once (one row, at most) */
	WIRE_FLUSH_AT = 64 << 10,          /* an answer longer than this is sent in pieces */
	WIRE_READ_CHUNK = 8 << 10,         /* input buffer to start with */

	WIRE_KEY_MAX = 32,                 /* BackendKeyData: 4 bytes in protocol 3.0, 32 in 3.2 */

	SESSION_MAX_STATEMENTS = 2000,     /* prepared statements of one session */
	SESSION_MAX_PORTALS = 200,         /* portals and cursors of one session */
	SESSION_MAX_CUSTOM = 64,           /* unknown x.y settings of one session */
	SESSION_MAX_UNDO = 1000,           /* SETs in one transaction */
	SESSION_MAX_SAVEPOINTS = 1000,
	SESSION_MAX_VALUE = 4096,          /* bytes of a setting's value */
	SESSION_MAX_NAME = 1024,           /* bytes of a statement, portal, cursor or savepoint name */

	STATEMENT_ARENA_CAP = 32 << 20,    /* one prepared statement */
	PORTAL_ARENA_CAP = 256 << 20,      /* one materialised result */
	QUERY_ARENA_CAP = 256 << 20,       /* one message */

	LOGIN_TIMEOUT_SECONDS = 10,
	WRITE_TIMEOUT_SECONDS = 30,        /* for a client that does not read its answer */
	DRAIN_SECONDS = 30,                /* how long running statements may go on after server_stop */
	TURN_MESSAGES = 64,                /* messages of one session before others get their turn */
	CANCELS_PER_SECOND = 100,          /* CancelRequests looked at; more are dropped */
	CANCELS_BURST = 400
};

#endif
