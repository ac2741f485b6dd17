/*
 * The ledger's three tables on any database of budget/db.h: the chain of entries, what each account spent each day, and the head of the chain.
 * It moves rows; what they mean is decided in budget/ledger.c and account.c.  Writing functions need a write transaction of the caller.
 */
#ifndef NG_BUDGET_STORE_H
#define NG_BUDGET_STORE_H

#include "budget/db.h"
#include "budget/entry.h"

struct store {
	struct db *db;
	char *name; /* for messages: the file, or the schema */
	bool in_database; /* PostgreSQL's */
};

/* Opens; makes the tables where there are none, migrates older ones.  ERR_LEDGER with a way out for anything else. */
MUST_CHECK bool store_open(const struct policy_ledger *where, const char *path, struct store *out, struct error *e);

/* A second connection to an open store, for reading. */
MUST_CHECK bool store_open_again(const struct policy_ledger *where, const char *path, struct store *out, struct error *e);
void store_close(struct store *s);

MUST_CHECK bool store_head(struct store *s, struct head *out, struct error *e);
MUST_CHECK bool store_set_head(struct store *s, const struct head *h, struct error *e);

/* Appends an entry whose hash is set. */
MUST_CHECK bool store_append(struct store *s, const struct entry *x, struct error *e);

/* Adds to an account's day. */
MUST_CHECK bool store_add(struct store *s, const struct account_key *key, int64_t day, const struct spent *more, struct error *e);

/* What an account spent from that day on, with all that counts for every account; analyst ACCOUNT_ALL: all analysts of the relation together. */
MUST_CHECK bool store_spent(struct store *s, const struct account_key *key, int64_t from_day, struct spent *out, struct error *e);

/* Every account that was ever charged. */
MUST_CHECK bool store_accounts(struct store *s, account_each *each, void *ctx, struct error *e);

typedef bool entry_each(void *ctx, const struct entry *x); /* false stops */

/* Entries other than charges that concern the account, its relation or all accounts, oldest first. */
MUST_CHECK bool store_controls(struct store *s, const struct account_key *key, entry_each *each, void *ctx, struct error *e);

/* The next entries behind seq in order, at most a few hundred. */
MUST_CHECK bool store_after(struct store *s, int64_t seq, entry_each *each, void *ctx, struct error *e);

/* Newest first; owner and analyst may be NULL for all. */
MUST_CHECK bool store_history(struct store *s, const char *owner, const char *analyst, bool charges_only, int64_t limit, entry_each *each, void *ctx,
			      struct error *e);

/* The hash of an entry; *found is false when there is none. */
MUST_CHECK bool store_hash_at(struct store *s, int64_t seq, bool *found, uint8_t hash[SHA256_SIZE], struct error *e);

/* How many account days differ from the sums of their entries. */
MUST_CHECK bool store_wrong_sums(struct store *s, int64_t *wrong, struct error *e);

/* "ledger NAME cannot be used: WHY", with how to recover. */
bool store_damaged(const struct store *s, const char *why, struct error *e);

#endif
