/*
 * The chain: everything that ever happened to an account, one entry after the other, each holding the hash of all before it (docs/budgets.md has the
 * encoding byte by byte).  Entries are appended, never changed.
 */
#ifndef NG_BUDGET_ENTRY_H
#define NG_BUDGET_ENTRY_H

#include "base/clock.h"
#include "base/units.h"
#include "crypto/hash.h"

enum entry_kind {
	ENTRY_CHARGE,   /* a query: epsilon, rho, delta are added to the account */
	ENTRY_TOP_UP,   /* epsilon, delta are added to its limits, in the window of `at` */
	ENTRY_LIMIT,    /* epsilon, delta replace the policy's limits; 0, 0: the policy's again */
	ENTRY_FREEZE,
	ENTRY_UNFREEZE,
	ENTRY_RECOVERY, /* epsilon, rho, delta are added to every account: what a lost part of the ledger may have spent */
	ENTRY_KINDS
};

/* Account names that stand for all: no relation is called so, as relations have a dot. */
#define ACCOUNT_ALL "*"

struct account_key {
	const char *owner, *relation, *analyst; /* relation: schema.table; analyst ACCOUNT_ALL: all analysts together */
};

struct entry {
	int64_t seq;   /* 1, 2, 3, ... without gaps */
	enum entry_kind kind;
	int64_t query; /* number of the query; 0 for other kinds */
	struct wall_time at; /* never before the entry ahead of it */
	struct account_key key;
	const char *login; /* who did it */
	const char *accounting; /* pure, approx, zcdp; "" for other kinds than CHARGE */
	struct eps epsilon;
	struct rho rho;
	struct delta delta;
	const char *mechanism; /* CHARGE: JSON, what was run */
	const char *text;      /* CHARGE: the analyst's statement; others: the reason given */
	uint8_t hash[SHA256_SIZE];
};

const char *entry_kind_name(enum entry_kind k); /* "charge", "top-up", ... */

enum { LEDGER_ID_SIZE = 16 };

/* What has been spent: by one account, or by all that ever happened (then saturating at UNIT_MAX, which reads as "at least"). */
struct spent {
	struct eps epsilon;
	struct rho rho;
	struct delta delta; /* may pass 1 in a total over accounts */
	int64_t queries;
};

/* One account and what it spent in all its days; false stops. */
typedef bool account_each(void *ctx, const struct account_key *key, const struct spent *spent);

/* Adds, stopping at UNIT_MAX: a sum too large to hold is larger than any limit. */
void spent_add(struct spent *to, const struct spent *more);

/* a - b, at least 0 each; a figure of a that stands at UNIT_MAX stays there. */
struct spent spent_less(const struct spent *a, const struct spent *b);

/* The end of the chain. */
struct head {
	uint8_t id[LEDGER_ID_SIZE]; /* drawn when the ledger was made */
	bool anchored;              /* an anchor outside has been in use */
	int64_t seq, query;         /* the last ones */
	struct wall_time at;        /* of the last entry: time does not go back behind it */
	uint8_t hash[SHA256_SIZE];
	struct spent total;         /* of all CHARGE and RECOVERY entries */
	struct spent before;        /* the total before the last commit: that much an anchor has certainly seen */
};

/* Hash of an empty chain of this ledger. */
MUST_CHECK bool chain_start(const uint8_t id[LEDGER_ID_SIZE], uint8_t hash[SHA256_SIZE]);

/* The entry's hash behind `previous`, from all its fields but hash. */
MUST_CHECK bool chain_next(const uint8_t previous[SHA256_SIZE], const struct entry *x, uint8_t hash[SHA256_SIZE]);

/* The day (since 1970, UTC) under which an entry counts. */
int64_t entry_day(struct wall_time at);

#endif
