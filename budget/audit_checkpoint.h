/*
 * Two short texts by which others can hold a log to its word: a checkpoint (the log's head at some time, signed) and a receipt (where one answer stands).
 * Both are lines of ASCII with one form only; docs/audit.md describes them.
 *
 * A checkpoint, also the file that is kept beside the log, and what a "checkpoint" record holds:
 *	noisegate audit checkpoint v1
 *	log 0123...                       log id, hexadecimal
 *	record 41                         a sequence number
 *	hash 89ab...                      of that record
 *	time 2026-11-20T22:47:09.123456Z
 *	key cdef...                       Ed25519 public key, or "-": unsigned
 *	signature AbCd...=                Base64, over the bytes of all lines above with their line feeds, or "-"
 *
 * A receipt: "ng1:" log id ":" sequence ":" hash ":" salt ":" signature, where the salt opens the record's salted hashes and the signature (or "-") is over
 * everything up to and with the colon before it.
 */
#ifndef NG_BUDGET_AUDIT_CHECKPOINT_H
#define NG_BUDGET_AUDIT_CHECKPOINT_H

#include "budget/audit_segment.h"
#include "crypto/sign.h"

enum { AUDIT_SALT = 16, AUDIT_CHECKPOINT_MAX = 1024, AUDIT_RECEIPT_MAX = 512 };

/* A record of a log, by what no other record has. */
struct audit_place {
	uint8_t log_id[AUDIT_ID];
	uint64_t sequence;
	uint8_t hash[SHA256_SIZE];
};

struct audit_seal {
	bool signed_; /* then by key, over n_text bytes of text */
	uint8_t key[SIGN_PUBLIC], signature[SIGN_SIGNATURE];
	size_t n_text;
};

/* key NULL: unsigned. */
MUST_CHECK bool audit_checkpoint_put(struct wr *w, const struct audit_place *p, struct wall_time at, const struct sign_key *key);
MUST_CHECK bool audit_checkpoint_read(const char *text, struct audit_place *p, struct audit_seal *seal);

MUST_CHECK bool audit_receipt_put(struct wr *w, const struct audit_place *p, const uint8_t salt[AUDIT_SALT], const struct sign_key *key);
MUST_CHECK bool audit_receipt_read(const char *text, struct audit_place *p, uint8_t salt[AUDIT_SALT], struct audit_seal *seal); /* seal->key stays zero */

void audit_put_hex(struct wr *w, const void *p, size_t n);

#endif
