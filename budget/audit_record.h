/*
 * One record of the audit log as bytes: the only writer of its fields and the only reader.  docs/audit.md describes the same byte by byte; tests/audit
 * verifies with a reader of its own, written from that document.
 *
 *   record = length (u32) | event (u8) | sequence (u64) | time (i64, microseconds since 1970 UTC) | fields | hash (32)
 *   field  = number (u8) | length (u32) | value
 *   hash   = SHA-256 of the 32 bytes that stand before the record (the hash of the one before) and the record up to the hash
 *
 * What must hold (tests cite the numbers):
 * (1) One content, one encoding: integers big-endian, fields by ascending number, each once unless it is a list, and a reader that takes nothing else.
 * (2) No field holds a value that came out of a protected table, other than as a salted hash of what was released.
 */
#ifndef NG_BUDGET_AUDIT_RECORD_H
#define NG_BUDGET_AUDIT_RECORD_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/units.h"
#include "crypto/hash.h"

enum audit_event {
#define X(id, number, name) AUDIT_##id = (number),
#include "budget/audit_events.def"
#undef X
};

enum audit_field {
#define X(id, number, name, kind, list) AUDIT_FIELD_##id = (number),
#include "budget/audit_fields.def"
#undef X
};

enum audit_kind {
	FIELD_TEXT,   /* UTF-8 */
	FIELD_NUMBER, /* u64 */
	FIELD_PICO,   /* u64, in 1e-12 */
	FIELD_ATTO,   /* u64, in 1e-18 */
	FIELD_BYTES,
	FIELD_VALUE,  /* 0: SQL NULL; 1 and text */
	FIELD_GROUP   /* fields */
};

enum {
	AUDIT_PREFIX = 4 + 1 + 8 + 8,       /* length, event, sequence, time */
	AUDIT_BODY_MIN = 1 + 8 + 8,         /* what length counts, without fields */
	AUDIT_BODY_MAX = 4 << 20,
	AUDIT_TEXT_MAX = 2 << 20,           /* of one field; longer text is cut at a character and ends in "..." */
	AUDIT_DEPTH = 2                     /* groups do not nest */
};

/* "allowed"; NULL for a number that no event has. */
const char *audit_event_name(unsigned event);

/* False for a number that no field has. */
MUST_CHECK bool audit_field_known(unsigned field, const char **name, enum audit_kind *kind, bool *list);

/* --- writing: in ascending order of fields; a NULL text is left out --------------------------------------------------------- */

void audit_put_text(struct wr *w, enum audit_field f, const char *s); /* bytes that are not UTF-8 become "?" */
void audit_put_number(struct wr *w, enum audit_field f, uint64_t v);
void audit_put_bytes(struct wr *w, enum audit_field f, const void *p, size_t n);
void audit_put_value(struct wr *w, enum audit_field f, const char *s); /* NULL: SQL NULL */
MUST_CHECK size_t audit_group_begin(struct wr *w, enum audit_field f);
void audit_group_end(struct wr *w, size_t at);

/* --- reading ----------------------------------------------------------------------------------------------------------------- */

struct audit_record {
	enum audit_event event;
	uint64_t sequence;
	struct wall_time at;
	struct rd fields;
	uint8_t hash[SHA256_SIZE];
};

/* A body (what stands between length and hash) whose fields are all canonical; false otherwise. */
MUST_CHECK bool audit_body_read(const uint8_t *body, size_t n, struct audit_record *out);

/* The next field of checked ones; false at the end. */
MUST_CHECK bool audit_field_next(struct rd *fields, enum audit_field *f, struct rd *value);

/* The first field of that number, anywhere outside groups; false when there is none. */
MUST_CHECK bool audit_find(const struct audit_record *r, enum audit_field f, struct rd *value);

/* The number that it holds, 0 when there is none. */
uint64_t audit_find_number(const struct audit_record *r, enum audit_field f);

#endif
