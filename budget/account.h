/*
 * The arithmetic of one account: what it may spend, what it has spent, whether a charge fits.  Pure functions; docs/budgets.md argues why each sum stays a
 * bound for an analyst who chooses every query after seeing the last answer.
 *
 *   pure    sum of epsilon <= limit, sum of delta <= limit.  Charges made while the account was zcdp have no pure price: they close it.
 *   approx  the same sums; what was spent as zcdp counts as the epsilon that it converts to at half of delta, and that half.
 *   zcdp    a part of delta pays the conversion (half; all of it when per_query.max_delta is 0, as then no query may spend any), the rest group selection.
 *           sum of rho <= the largest rho that converts to (epsilon, that part); what was spent as pure or approx counts at epsilon tanh(epsilon/2).
 */
#ifndef NG_BUDGET_ACCOUNT_H
#define NG_BUDGET_ACCOUNT_H

#include "base/error.h"
#include "budget/charge.h"
#include "budget/entry.h"
#include "budget/window.h"

/* An account in its current window.  One never charged has spent zero. */
struct account_state {
	struct eps epsilon_limit;     /* in force: the policy's or the operator's, with the window's top-ups */
	struct delta delta_whole;     /* likewise; conversion and selection together */
	struct eps epsilon;           /* spent as epsilon */
	struct rho rho, rho_limit;    /* zcdp: spent, and the limit in that currency */
	struct delta delta, delta_limit; /* spent on selection and noise, and what that may reach */
	struct eps epsilon_reported;  /* the spent total as epsilon, rounded up */
	struct eps epsilon_remaining; /* limit minus reported, never below 0 */
	int64_t queries;              /* charged in this window */
	struct wall_time window_start, window_end; /* end is 0 when it never refreshes */
	bool frozen;                  /* by the operator: nothing fits */
	bool closed;                  /* pure, with charges that have no pure price */
};

/* What operators have decided about an account, gathered from its entries. */
struct account_orders {
	struct eps limit;      /* 0: the policy's */
	struct delta limit_delta;
	struct spent top_up;   /* in the window: epsilon, delta */
	bool frozen_self, frozen_table, frozen_all;
};

/* Takes one entry into account, oldest first; top-ups before the window do not count. */
void account_order(struct account_orders *o, const struct account_key *key, const struct window *w, const struct entry *x);

/* Limits and spent totals of a window, without what only people look at. */
void account_state_of(const struct policy_budget *b, const struct window *w, const struct account_orders *o, const struct spent *spent, struct account_state *out);

/* Fills epsilon_reported and epsilon_remaining. */
void account_report(const struct policy_budget *b, struct account_state *s);

MUST_CHECK bool account_fits(const struct policy_budget *b, const struct account_state *s, const struct charge *c);

/* How many such charges it holds, one after the other: as many as account_fits would let pass. */
int64_t account_holds(const struct policy_budget *b, const struct account_state *s, const struct charge *c);

/* ERR_BUDGET: which account, limit, spent, asked, what to do.  Returns false. */
bool account_refuse(const struct policy_budget *b, struct account_state *s, const struct charge *c, struct error *e);

/* How much more an account may take by operators: a limit beyond it protects nobody. */
#define ACCOUNT_EPSILON_MAX (1000 * EPS_ONE)
#define ACCOUNT_DELTA_MAX (DELTA_ONE / 100)

#endif
