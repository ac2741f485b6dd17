/*
 * The audit log of a running proxy: append-only, hash-chained, in segments (budget/audit_segment.h), with signed checkpoints.  One process at a time.
 *
 * What must hold (tests cite the numbers):
 * (1) audit_append returns true only when the record is in the file, complete and chained; a crash of the process loses nothing of it.
 * (2) audit_commit returns true only when the record and all before it are on disk; sessions that wait together share one fsync.
 * (3) When a record cannot be written, nothing of it stays in the file, and the chain goes on with the next that can.
 * (4) After an fsync that failed nothing more is written: what is on disk is not known until the log is opened again.
 * (5) Opening removes at most an incomplete last record, keeps its bytes in a file beside, and notes it in the chain.  Anything else that does not fit refuses.
 * (6) A log that ends before its checkpoint file says is refused.
 */
#ifndef NG_BUDGET_AUDIT_H
#define NG_BUDGET_AUDIT_H

#include "base/random.h"
#include "budget/audit_checkpoint.h"
#include "policies/policy.h"

struct audit; /* thread-safe */

struct audit_options {
	const struct policy_audit *policy;
	const char *collaboration, *version;
	struct clock clock;
	struct rng random; /* log id and salts */
};

/* Opens or creates (0700).  ERR_AUDIT with what to do: in use by another process, damaged, shorter than its checkpoint; ERR_CRYPTO for the key. */
MUST_CHECK bool audit_open(const struct audit_options *o, struct audit **out, struct error *e);

/*
 * From now on calls news(ctx) about once a second, from the log's own thread, until audit_close.  Once, before others use the log.
 */
void audit_watch(struct audit *a, void (*news)(void *ctx), void *ctx);

/* The last ledger_entry field in the log; 0: none. */
uint64_t audit_noted(struct audit *a);

/* The largest ledger_query among the newest records (of the last two segments at least); 0: none. */
uint64_t audit_charged(struct audit *a);

/* Notes the end, signs a last checkpoint.  NULL is fine. */
void audit_close(struct audit *a);

/* Where a record went. */
struct audit_mark {
	uint64_t sequence;
	uint8_t hash[SHA256_SIZE];
};

/*
 * Appends a record with these fields (an empty writer: none); *mark, where not NULL, says where.  ERR_DISK_FULL: may work again later.  ERR_AUDIT: not before
 * the log was opened again.
 */
MUST_CHECK bool audit_append(struct audit *a, enum audit_event event, const struct wr *fields, struct audit_mark *mark, struct error *e);

/* Waits until the record and all before it are on disk. */
MUST_CHECK bool audit_commit(struct audit *a, uint64_t sequence, struct error *e);

/* The salt of a statement's hashes: 16 bytes that stand in no record, only in receipts.  False only when OpenSSL fails. */
MUST_CHECK bool audit_salt(const struct audit *a, uint64_t statement, uint8_t out[AUDIT_SALT]);

/* The receipt of the answer in that record; signed when asked and there is a key. */
MUST_CHECK bool audit_receipt(const struct audit *a, const struct audit_mark *answer, uint64_t statement, bool sign, char out[AUDIT_RECEIPT_MAX],
			      struct error *e);

/* The same by the number that the ledger gave to the charge, unsigned; "" when the answer is not among the newest of the log, or there was none. */
MUST_CHECK bool audit_receipt_of_query(struct audit *a, uint64_t query, char out[AUDIT_RECEIPT_MAX], struct error *e);

#endif
