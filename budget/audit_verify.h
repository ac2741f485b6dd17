/*
 * Reading an audit log offline: every record of every segment in order, each checked against the chain; and the whole against what others hold of it
 * (public keys, checkpoints, receipts).  Needs neither the proxy nor its keys, and changes nothing.
 */
#ifndef NG_BUDGET_AUDIT_VERIFY_H
#define NG_BUDGET_AUDIT_VERIFY_H

#include "budget/audit_checkpoint.h"

/* --- walking -------------------------------------------------------------------------------------------------------------------------- */

struct audit_cursor {
	const char *dir;
	uint64_t segment, last_segment; /* where it is; the newest that was there */
	struct audit_reader reader;
	uint8_t log_id[AUDIT_ID];
	bool live;                      /* a proxy writes it now: an incomplete last record may be one that is being written */
};

/* Stands before the first record.  A log begins with segment 1, record 1; ERR_AUDIT otherwise. */
MUST_CHECK bool audit_cursor_open(struct audit_cursor *c, const char *dir, struct error *e);
void audit_cursor_close(struct audit_cursor *c); /* zeroed with reader.fd -1: fine */

/*
 * The next record, good until the next call.  END at the end (asked again, it sees what was added); the end of a live log may lie inside a record.  Else *e says what is
 * wrong and where: AUDIT_STEP_BAD, INCOMPLETE, FAILED.
 */
enum audit_step audit_cursor_next(struct audit_cursor *c, struct audit_record *out, struct error *e);

/* --- verifying ------------------------------------------------------------------------------------------------------------------------ */

/* Something that says: this record stands in the log. */
struct audit_claim {
	const char *label; /* for messages: a path, or the receipt */
	struct audit_place place;
	bool met;
};

struct audit_evidence {
	const uint8_t (*keys)[SIGN_PUBLIC]; /* who may have signed; none: signatures are checked against the key they name only */
	size_t n_keys;
	struct audit_claim *claims;
	size_t n_claims;
	uint64_t unsigned_max; /* with keys: at most so many records may follow the last signature; 0: any number */
};

/* Reads a claim from the text of a checkpoint (a receipt); with keys a signature must be there for a checkpoint, and right. */
MUST_CHECK bool audit_claim_checkpoint(const char *label, const char *text, const struct audit_evidence *keys, struct audit_claim *out, struct error *e);
MUST_CHECK bool audit_claim_receipt(const char *text, const struct audit_evidence *keys, struct audit_claim *out, struct error *e);

struct audit_verdict {
	uint8_t log_id[AUDIT_ID];
	uint64_t records, segments, signatures;
	uint64_t covered;        /* the last record under a signature of one of the keys; 0: none */
	struct wall_time signed_at; /* of that signature's record */
	uint64_t recovered;      /* incomplete records that a start removed */
	struct wall_time first, last;
};

/*
 * Everything, or the first thing that is wrong.  With keys that includes a log without a signature of theirs, and one whose end should long be under one: anybody can
 * write a chain.
 */
MUST_CHECK bool audit_verify(const char *dir, struct audit_evidence *evidence, struct audit_verdict *out, struct error *e);

/* One record as one line of JSON, without a line feed. */
void audit_json_put(struct wr *w, const struct audit_record *r);

#endif
