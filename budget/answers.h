/*
 * Answers that may be given again: released rows under the digest of the question that they answered, in a SQLite file of their own, bounded.
 *
 * What must hold:
 * (1) Only released rows are kept: an answer given again reveals nothing that was not revealed, and charged, before.
 * (2) The caller's digest covers who asks, the whole question, its noise and its price: other questions never meet (proxy/repeat.h).
 * (3) An answer is given again while 0 <= age < its time to live; under a clock that went back it is not.
 * (4) Sessions of one process that ask the same at once wait for the first: one charge, one answer.
 * (5) The bytes kept stay at most the limit; the oldest answer goes first.
 * (6) What cannot be read, or does not match its own hash, was never there: the question is asked, and charged, again.  Losing the file loses no budget.
 */
#ifndef NG_BUDGET_ANSWERS_H
#define NG_BUDGET_ANSWERS_H

#include "base/clock.h"
#include "base/error.h"
#include "crypto/hash.h"
#include "mechanisms/released.h"

#include <stdatomic.h>

struct answers; /* thread-safe */

/*
 * Opens or creates the file (0600).  bytes: what the released rows in it may take; millis: time to live, 0 for ever.  ERR_CONFIG when the file is damaged or
 * not ours: it may be moved away.
 */
MUST_CHECK bool answers_open(const char *path, uint64_t bytes, int64_t millis, const struct clock *clock, struct answers **out, struct error *e);
void answers_close(struct answers *s); /* NULL is fine; nobody may be between begin and end */

struct answer_key {
	uint8_t digest[SHA256_SIZE];
};

enum answer_state {
	ANSWER_FOUND, /* out[0..n): the releases, in the arena */
	ANSWER_MINE,  /* not there: the caller asks, and must call answers_end */
	ANSWER_BUSY,  /* somebody else is asking, and cancelled is NULL: the caller asks without keeping */
	ANSWER_FAILED /* *e: cancelled while waiting, or no memory */
};
/* cancelled NULL: does not wait.  Who holds what the other one may need must not. */
MUST_CHECK enum answer_state answers_begin(struct answers *s, const struct answer_key *key, const atomic_bool *cancelled, struct arena *a,
					   const struct released **out, size_t n, struct error *e);

/* Keeps the n releases of what was asked since begin (NULL: it failed) and lets those who wait go on.  What cannot be kept is not: false, for the log. */
bool answers_end(struct answers *s, const struct answer_key *key, const struct released *const *made, size_t n);

/* True when answers_begin would find it now. */
MUST_CHECK bool answers_has(struct answers *s, const struct answer_key *key);

#endif
