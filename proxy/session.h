/*
 * One client connection, from its first byte to its last.
 *
 * A session is owned by exactly one thread at a time: the loop while it is parked, a worker while it has something to do (session_turn).  Only
 * the list links, `owner` and `doom` (under the server's lock) and `cancel` (atomic) are touched by others.  What must hold: an idle session is this struct, a TLS object and
 * short strings; buffers exist only while a message is incomplete.
 */
#ifndef NG_PROXY_SESSION_H
#define NG_PROXY_SESSION_H

#include "proxy/cancel.h"
#include "proxy/engine.h"
#include "proxy/portal.h"
#include "proxy/settings.h"
#include "proxy/stream.h"

/* How far server_stop has come. */
enum stopping { STOPPING_NO, STOPPING_DRAIN, STOPPING_CANCEL };

/* What sessions need of the server; immutable while it runs, but for the atomics. */
struct session_host {
	struct engine *engine;
	struct tls_server *tls; /* NULL: clear text only */
	bool tls_required;
	struct cancels *cancels;
	struct rng rng;
	uint8_t mock_secret[32]; /* makes salts of unknown users */
	int max_connections;
	atomic_int logged_in;    /* sessions past their startup packet */
	atomic_int stopping;     /* enum stopping */
	void (*deadline_set)(void *ctx); /* a statement has a deadline: the loop must look */
	void *ctx;
};

enum session_state {
	SESSION_FIRST,        /* nothing read yet: a startup packet or a TLS ClientHello */
	SESSION_HANDSHAKE,    /* TLS handshake */
	SESSION_STARTUP,      /* a startup packet */
	SESSION_SASL_INITIAL, /* SASLInitialResponse */
	SESSION_SASL_FINAL,   /* SASLResponse */
	SESSION_READY,
	SESSION_SKIP,         /* an extended-query message failed: skip to Sync */
	SESSION_CLOSED,
	SESSION_STATES
};

enum session_owner { OWNER_WORKER, OWNER_LOOP };

/* Why the loop hands a parked session to be ended. */
enum session_doom { DOOM_NONE, DOOM_LOGIN_TIMEOUT, DOOM_SHUTDOWN, DOOM_IDLE_IN_TX, DOOM_IDLE_SESSION };

enum tx_state { TX_IDLE, TX_IMPLICIT, TX_BLOCK, TX_FAILED };

struct savepoint;
struct auth;

struct input {
	uint8_t *p; /* NULL while there is none */
	size_t at, n, room; /* p[at..n) is unread */
};

struct session {
	struct session *next, *prev, *queued;
	enum session_owner owner;
	enum session_doom doom;
	int64_t born, parked_at; /* monotonic nanos */

	struct session_host *host;
	struct stream io;
	enum session_state state;
	bool direct_tls, tls_tried, gss_tried, slot; /* slot: counted in logged_in */
	bool served;             /* logged in */
	bool broken;             /* writing failed: close */
	uint16_t minor;          /* protocol 3.minor */
	struct input in;
	struct wr *out;          /* of the worker, during a turn */
	struct arena *arena;     /* of the message, during a turn */

	uint64_t id;             /* for the log */
	char peer[48];           /* address for the log */
	char *user, *member;
	struct auth *auth;       /* during log-in */
	struct cancel_entry cancel;
	_Atomic int64_t deadline; /* monotonic nanos at which the running statement is cancelled; 0: none */

	struct settings settings;
	enum tx_state tx;
	struct savepoint *savepoints; /* newest first */
	size_t n_savepoints;
	bool several; /* the Query being answered has more than one statement */
	struct portals portals;
};

_Static_assert(sizeof(struct session) < 2048, "an idle session is small");

/* A new session over a connected, non-blocking socket, owned by the caller; NULL without memory (fd is then still the caller's). */
struct session *session_new(struct session_host *host, int fd, const char *peer, uint64_t id);

/* Ends it: closes, forgets, frees.  Not while it stands in any list. */
void session_free(struct session *s);

enum turn { TURN_WAIT_READ, TURN_WAIT_WRITE, TURN_MORE, TURN_END };

/* Reads what is there and answers complete messages, at most TURN_MESSAGES.  out and arena are the worker's; both are left empty. */
enum turn session_turn(struct session *s, struct wr *out, struct arena *arena);

/* Says why (FATAL), without waiting for a slow reader. */
void session_doomed(struct session *s, struct wr *out);

/* True while log-in is not complete. */
MUST_CHECK bool session_logging_in(const struct session *s);

/* --- for the files of a session ---------------------------------------------------------------------------------------- */

/* The only writer of state; an edge that is not declared is our bug and aborts. */
void session_move(struct session *s, enum session_state to);
MUST_CHECK bool session_may_move(enum session_state from, enum session_state to);

/* Sends what is in out; false (and broken) when the client does not take it. */
bool session_flush(struct session *s);

/* FATAL error, then SESSION_CLOSED. */
void session_fatal(struct session *s, const struct error *e);

/* NOTICE or WARNING, if client_min_messages lets it. */
void session_notice(struct session *s, const struct notice *n);
void session_warn(struct session *s, enum err_code code, const char *message);

/* ReadyForQuery, before it ParameterStatus of what changed. */
void session_ready(struct session *s);

/* What the engine sees, in the message's arena. */
MUST_CHECK bool session_view_make(struct session *s, struct session_view *out, struct error *e);

/* One STATEMENT_QUERY with its parameters. */
struct query_call {
	const char *sql;
	const struct engine_param *params;
	size_t n_params;
	const int16_t *formats;
	size_t n_formats;
};

/* engine_run under the statement timeout; turns ERR_CANCELLED into the reason's words.  The result lives in a. */
MUST_CHECK bool session_run_query(struct session *s, const struct query_call *q, struct arena *a, struct result *out, struct error *e);

/* engine_describe; the description lives in a. */
MUST_CHECK bool session_describe_query(struct session *s, const char *sql, const uint32_t *oids, size_t n_oids, struct arena *a,
				       struct description *out, struct error *e);

#endif
