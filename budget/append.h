/* The one place where the chain grows. */
#ifndef NG_BUDGET_APPEND_H
#define NG_BUDGET_APPEND_H

#include "budget/store.h"

/*
 * Appends *x behind head in the caller's write transaction: sets its seq, its time (never before the head's) and hash, adds what it spends to the account's day
 * and to the head's total, and moves *head.  The caller stores the head once, at the end.
 */
MUST_CHECK bool append_entry(struct store *s, struct head *head, struct entry *x, struct error *e);

/* The same arithmetic without a database, for whoever checks a chain: *head moves past x.  False when x does not continue it. */
MUST_CHECK bool append_follows(struct head *head, const struct entry *x);

#endif
