/* Inside of the ledger, between ledger.c, commit.c, verify.c and recover.c. */
#ifndef NG_BUDGET_LEDGER_PARTS_H
#define NG_BUDGET_LEDGER_PARTS_H

#include "budget/anchor.h"
#include "budget/append.h"
#include "budget/ledger.h"

#include <pthread.h>

struct request;

struct ledger {
	struct clock clock;
	struct anchor *anchor;      /* NULL: none */
	struct store write;         /* used by the leader of the queue alone */
	struct store read;          /* under read_lock */
	pthread_mutex_t read_lock, queue_lock;
	struct request *first, *last; /* waiting, under queue_lock */
	bool busy;                  /* somebody leads */
};

/* One thing to write, and the thread that waits for it. */
struct request {
	const struct charges *charges; /* or */
	const struct ledger_order *order;
	const struct ledger_entry *entry;
	int64_t query_id;
	bool ok, done, leads;
	struct error e;
	pthread_cond_t wake;
	struct request *next;
};

/* Writes it in a commit that it may share; r->ok and r->e say how it went. */
void commit_request(struct ledger *l, struct request *r);

/* An account at this time, from the store; without the report. */
MUST_CHECK bool account_load(struct store *s, const struct policy_budget *b, struct wall_time at, struct account_state *out, struct error *e);

/* The whole chain, its head, and the accounts' sums (invariant 8).  Reads in a transaction of its own. */
MUST_CHECK bool verify_chain(struct store *s, struct error *e);

/* The anchor's note is an entry of this chain, or there is none and never was one (invariant 9). */
MUST_CHECK bool verify_anchor(struct store *s, const struct head *head, const struct anchor *a, const struct anchored *note, struct error *e);

/* First use of an anchor, and the mark in the ledger that it has one. */
MUST_CHECK bool anchor_establish(struct store *s, struct anchor *a, struct error *e);

#endif
