/*
 * The ledger: what every account has spent, durable, in SQLite.
 *
 * Invariants (tests cite the numbers):
 * (1) A charge is atomic over all its accounts: all or none.
 * (2) When ledger_charge returns true the charge is on disk (WAL, synchronous=FULL); whatever happens later it stays.
 * (3) No account ever exceeds its limit: the check and the write are one transaction, across threads and processes.
 * (4) There is no refund: no function lowers what was spent.
 * (5) A refresh window opens at most once: windows are keyed by their start, and time that goes backwards uses the newest window seen.
 * (6) A policy edit changes limits, never what was spent.
 * (7) Rows hold no data: account names, figures, the analyst's own text.
 *
 * Account limits: ACCOUNTING_PURE: sum of epsilon <= limit and sum of delta <= limit.  ACCOUNTING_ZCDP: the delta limit is halved; sum of rho <= loss_rho_limit(epsilon, delta/2)
 * and sum of selection deltas <= delta/2 (approximate zCDP as a privacy filter: Whitehouse et al. 2023, Theorem 1).
 */
#ifndef NG_BUDGET_LEDGER_H
#define NG_BUDGET_LEDGER_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "budget/charge.h"

struct ledger; /* thread-safe: any thread may call any function */

/* Opens or creates the file (0600), migrates, checks integrity; ERR_LEDGER with how to recover when it is damaged or not ours. */
MUST_CHECK bool ledger_open(const char *path, const struct clock *clock, struct ledger **out, struct error *e);
void ledger_close(struct ledger *l); /* NULL is fine */

/* Who asked what, for the history. */
struct ledger_entry {
	const char *user, *analyst; /* login and member */
	const char *sql;            /* the analyst's statement; cut at 4,000 bytes */
};

/*
 * Charges all accounts or none.  ERR_BUDGET when one would exceed its limit (message names the account; detail: limit, spent, asked, when it
 * refreshes; hint: what fits); ERR_LEDGER or ERR_DISK_FULL when it cannot be made durable: then nothing may run.  *query_id numbers the charge.
 */
MUST_CHECK bool ledger_charge(struct ledger *l, const struct charges *charges, const struct ledger_entry *entry,
			      int64_t *query_id, struct error *e);

/* An account in its current window.  An account never charged has spent zero. */
struct account_state {
	struct eps epsilon;          /* PURE: spent */
	struct rho rho, rho_limit;   /* ZCDP: spent, and the limit in that currency */
	struct delta delta, delta_limit; /* selection deltas: spent, and what they may reach */
	struct eps epsilon_reported; /* the spent total as epsilon (ZCDP: converted at delta/2, rounded up) */
	struct eps epsilon_remaining; /* limit minus reported, never below 0 */
	int64_t queries;             /* charged in this window */
	struct wall_time window_start, window_end; /* end is 0 when it never refreshes */
};
MUST_CHECK bool ledger_state(struct ledger *l, const struct policy_budget *b, struct account_state *out, struct error *e);

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

#endif
