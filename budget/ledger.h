/*
 * The ledger: what every account has spent, durable, in an SQLite file or a PostgreSQL schema.
 *
 * Invariants (tests cite the numbers):
 * (1) A charge is atomic over all its accounts: all or none.
 * (2) When ledger_charge returns true the charge is on disk (WAL, synchronous=FULL) and noted in the anchor; whatever happens later it stays.  Charges of
 *     sessions that wait at the same time share one commit: none is reported before it.
 * (3) No account ever exceeds its limit: the check and the write are one transaction, across threads and processes.
 * (4) There is no refund: no function lowers what was spent.
 * (5) A refresh window opens at most once: the ledger's time is the latest that any entry has seen, and never goes back.
 * (6) A policy edit changes limits, accounting and windows, never what was spent: that is kept by account and day, whatever the policy said.
 * (7) Rows hold no data: account names, figures, the analyst's own text, an operator's reason.
 * (8) Everything that happened is a chain: an entry changed, missing or out of order is found when the ledger is opened.
 * (9) A ledger that lacks what its anchor notes is refused; recovery adds what may be missing to every account.
 *
 * Limits and their arithmetic: budget/account.h.  How a commit is shared: budget/commit.c.
 */
#ifndef NG_BUDGET_LEDGER_H
#define NG_BUDGET_LEDGER_H

#include "base/arena.h"
#include "budget/account.h"

struct ledger; /* thread-safe: any thread may call any function */

/*
 * Opens or creates the policy's ledger, migrates, checks the whole chain, compares it with the anchor.  ERR_LEDGER with how to recover when it is damaged,
 * not ours, newer than this program, read-only, or not what the anchor notes.
 */
MUST_CHECK bool ledger_open_policy(const struct policy *p, const struct clock *clock, struct ledger **out, struct error *e);

/* The same for a file (0600 when created), without an anchor. */
MUST_CHECK bool ledger_open(const char *path, const struct clock *clock, struct ledger **out, struct error *e);
void ledger_close(struct ledger *l); /* NULL is fine; nobody may be inside another function */

/* Whether an anchor vouches that nothing is missing from it. */
bool ledger_is_anchored(const struct ledger *l);

/* Who asked what, for the history. */
struct ledger_entry {
	const char *user, *analyst; /* login and member */
	const char *sql;            /* the analyst's statement; cut at 4,000 bytes */
};

/*
 * Charges all accounts, and checks those of all analysts together, or charges none.  ERR_BUDGET when one would exceed its limit or is frozen (message names
 * the account; detail: limit, spent, asked; hint: when it refreshes); ERR_LEDGER or ERR_DISK_FULL when it cannot be made durable: then nothing may run (the
 * charge may stand nevertheless).  *query_id numbers the charge.
 */
MUST_CHECK bool ledger_charge(struct ledger *l, const struct charges *charges, const struct ledger_entry *entry,
			      int64_t *query_id, struct error *e);

/* An account in its current window, report included; analyst "*": of all analysts together. */
MUST_CHECK bool ledger_state(struct ledger *l, const struct policy_budget *b, struct account_state *out, struct error *e);

/*
 * An operator's decision: ENTRY_TOP_UP, ENTRY_LIMIT, ENTRY_FREEZE or ENTRY_UNFREEZE on one account, on all analysts' (analyst ACCOUNT_ALL) or on everything
 * (all three names ACCOUNT_ALL).  who and reason go into the history.
 */
struct ledger_order {
	enum entry_kind kind;
	struct account_key key;
	struct eps epsilon;
	struct delta delta;
	const char *who, *reason;
};
MUST_CHECK bool ledger_order(struct ledger *l, const struct ledger_order *order, struct error *e);

/* Calls each(ctx, row) newest first for at most limit charges of all accounts (or of one owner and/or analyst when not NULL); stops when it returns false. */
struct history_row {
	int64_t query_id;
	struct wall_time at;
	const char *owner, *table, *analyst, *user, *sql, *mechanism, *accounting;
	struct eps epsilon;
	struct rho rho;
	struct delta delta;
};
MUST_CHECK bool ledger_history(struct ledger *l, const char *owner, const char *analyst, int64_t limit,
			       bool (*each)(void *ctx, const struct history_row *row), void *ctx, struct error *e);

/* Likewise every entry, operators' decisions and recoveries included. */
MUST_CHECK bool ledger_entries(struct ledger *l, const char *owner, const char *analyst, int64_t limit, bool (*each)(void *ctx, const struct entry *x), void *ctx,
			       struct error *e);

/* Every account that was ever charged, by owner, relation, analyst; also those that the policy does not name (any more). */
MUST_CHECK bool ledger_accounts(struct ledger *l, account_each *each, void *ctx, struct error *e);

/* --- recovery -------------------------------------------------------------------------------------------------------------- */

struct ledger_recovery {
	const char *who, *reason;
	bool has_missing;      /* the operator says what is missing at most: needed when the anchor is lost */
	struct spent missing;
	bool without_anchor;   /* the policy names none any more, and that is meant */
};

struct ledger_recovered {
	bool needed;           /* false: ledger and anchor agree, nothing was written */
	struct spent missing;  /* added to every account */
	int64_t lost;          /* entries that the anchor notes and the ledger lacks, at least */
	struct wall_time last; /* of the anchor's entry */
};

/*
 * Makes a ledger serve again that its anchor refuses: what the anchor's totals say may be missing is added to every account, everything is frozen until an
 * operator has looked, and the anchor is set to this ledger.  A missing file is made anew.  Damage inside the ledger is not repaired: ERR_LEDGER.
 */
MUST_CHECK bool ledger_recover(const struct policy *p, const struct clock *clock, const struct ledger_recovery *how, struct ledger_recovered *out, struct error *e);

#endif
