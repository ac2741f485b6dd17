/*
 * What clients send: framing and the bodies of messages, decoded with base/bytes.h into structs.  Pure: no socket, no session.
 * Pointers in the results point into the message, or into the arena where one is passed.  An output is written only on success.
 */
#ifndef NG_PROXY_WIRE_IN_H
#define NG_PROXY_WIRE_IN_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "proxy/engine.h"

/* Codes in the first packet of a connection. */
enum {
	WIRE_CODE_CANCEL = 80877102,
	WIRE_CODE_SSL = 80877103,
	WIRE_CODE_GSSENC = 80877104,
	WIRE_TLS_RECORD = 0x16 /* first byte of a TLS ClientHello: direct TLS */
};

enum frame_status {
	FRAME_SHORT, /* more bytes are needed to know */
	FRAME_KNOWN, /* *type and *body are set; the body need not have arrived */
	FRAME_BAD    /* a length that no message has */
};

/* Looks at the head of a typed message in p[0..n).  *body is the count of bytes after the length word. */
enum frame_status frame_peek(const uint8_t *p, size_t n, uint8_t *type, size_t *body);

/* Looks at the head of a startup packet (length word first).  *total counts the whole packet; bad below 8 or above WIRE_MAX_STARTUP. */
enum frame_status frame_peek_startup(const uint8_t *p, size_t n, size_t *total);

/* StartupMessage: body after the length word, beginning with the protocol version. */
struct startup_pair {
	const char *name, *value;
};
struct startup_msg {
	uint16_t major, minor;
	const struct startup_pair *pairs; /* in order; _pq_. options are not among them */
	size_t n_pairs;
	const char *const *unsupported; /* names of _pq_. options */
	size_t n_unsupported;
	const char *user, *database, *options; /* "" when absent */
};
MUST_CHECK bool startup_parse(struct arena *a, struct rd body, struct startup_msg *out, struct error *e);

/* options=-c name=value --name=value: pairs appended in order.  Backslash escapes a space, as PostgreSQL does. */
MUST_CHECK bool startup_options(struct arena *a, const char *options, const struct startup_pair **out, size_t *n, struct error *e);

struct cancel_msg {
	uint32_t pid;
	const uint8_t *key;
	size_t key_length; /* 4..256 */
};
MUST_CHECK bool cancel_parse(struct rd body, struct cancel_msg *out);

/* SASLInitialResponse and SASLResponse. */
struct sasl_initial_msg {
	const char *mechanism;
	const uint8_t *data; /* NULL when absent */
	size_t length;
};
MUST_CHECK bool sasl_initial_parse(struct rd body, struct sasl_initial_msg *out);

/* Query: false with 22021 for a zero byte within or malformed UTF-8, 08P01 for anything else. */
MUST_CHECK bool query_parse(struct rd body, const char **sql, struct error *e);

struct parse_msg {
	const char *name, *sql;
	const uint32_t *oids;
	size_t n_oids;
};
MUST_CHECK bool parse_parse(struct arena *a, struct rd body, struct parse_msg *out, struct error *e);

struct bind_msg {
	const char *portal, *statement;
	const int16_t *param_formats;
	size_t n_param_formats;
	struct engine_param *params; /* type_oid 0, binary per format: filled here; text is checked (22021) */
	size_t n_params;
	const int16_t *formats; /* of result columns */
	size_t n_formats;
};
MUST_CHECK bool bind_parse(struct arena *a, struct rd body, struct bind_msg *out, struct error *e);

/* Describe and Close: kind 'S' or 'P'. */
struct target_msg {
	uint8_t kind;
	const char *name;
};
MUST_CHECK bool target_parse(struct rd body, struct target_msg *out, struct error *e);

struct execute_msg {
	const char *portal;
	uint32_t max_rows; /* 0: all */
};
MUST_CHECK bool execute_parse(struct rd body, struct execute_msg *out, struct error *e);

#endif
