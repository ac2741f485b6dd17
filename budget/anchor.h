/*
 * Where the end of the chain is noted outside the ledger, so that an old copy of it is not taken for the ledger.
 *
 * (1) The note never runs ahead: it is written after the commit and before anyone is told that the charge stands.  So a ledger that lacks the noted entry is
 *     not the ledger, or an old copy of it.
 * (2) It is read before every commit, under a lock that is held until it is written again: two proxies on two copies cannot both go on.
 * (3) It holds the totals of all charges, so that after a loss it is known how much, at most, is missing.
 */
#ifndef NG_BUDGET_ANCHOR_H
#define NG_BUDGET_ANCHOR_H

#include "base/error.h"
#include "budget/entry.h"
#include "policies/policy.h"

struct anchor; /* NULL where the policy names none */

struct anchored {
	bool exists;
	uint8_t id[LEDGER_ID_SIZE], hash[SHA256_SIZE];
	int64_t seq;
	struct wall_time at;
	struct spent total;
};

/* *out is NULL when the policy names no anchor.  Nothing is created yet. */
MUST_CHECK bool anchor_open(const struct policy *p, struct anchor **out, struct error *e);
void anchor_close(struct anchor *a); /* NULL is fine */

/* Takes the lock and reads the note; ERR_LEDGER when it cannot be read or has been damaged.  Every success is followed by anchor_leave. */
MUST_CHECK bool anchor_enter(struct anchor *a, struct anchored *out, struct error *e);

/* Writes the note, durably.  Under the lock; at most once in it. */
MUST_CHECK bool anchor_write(struct anchor *a, const struct head *h, struct error *e);

void anchor_leave(struct anchor *a);

const char *anchor_name(const struct anchor *a); /* for messages */

/* --- for the kinds --------------------------------------------------------------------------------------------------------- */

struct anchor_ops {
	bool (*enter)(struct anchor *a, struct anchored *out, struct error *e);
	bool (*write)(struct anchor *a, const struct head *h, struct error *e);
	void (*leave)(struct anchor *a);
	void (*close)(struct anchor *a);
};

struct anchor {
	const struct anchor_ops *ops;
	char name[256];
};

/* ERR_LEDGER: the anchor, `why`, and where it says how to go on.  Returns false. */
bool anchor_damaged(const struct anchor *a, const char *why, struct error *e);

/* Two places for a note, written in turn, so that a write that is cut short leaves the note before it.  The one with the larger number counts. */
struct anchor_places {
	int next;    /* the place to write */
	int64_t seq; /* of the note that was read; -1: none */
};
#define ANCHOR_UNWRITTEN ((struct anchor_places){ 0, -1 })

/* Of what was read in both places (exists: it could be parsed).  Either may be torn; ERR_LEDGER when both are. */
MUST_CHECK bool anchor_pick(struct anchor_places *p, const struct anchor *a, const struct anchored note[2], struct anchored *out, struct error *e);

/* Whether this note must be written to both places: the first one, and one with no larger number than the one there, as after a recovery, which must not stay. */
bool anchor_both(const struct anchor_places *p, const struct head *h);

MUST_CHECK bool anchor_file_open(const char *path, struct anchor **out, struct error *e);
MUST_CHECK bool anchor_upstream_open(const struct policy *p, struct anchor **out, struct error *e);
MUST_CHECK bool anchor_tpm_open(const char *tcti, uint32_t index, struct anchor **out, struct error *e);

/* A note as one line of text, closed by the hash of the rest: "noisegate-anchor 1 ID SEQ HASH AT EPSILON RHO DELTA QUERIES CHECK". */
enum { ANCHOR_LINE = 512 };
MUST_CHECK bool anchor_print(const struct head *h, char line[ANCHOR_LINE]);
MUST_CHECK bool anchor_parse(const char *line, struct anchored *out);

#endif
