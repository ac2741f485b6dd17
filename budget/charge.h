/*
 * What a query costs: one charge per touched account, all or none.  A charge says what was run, not only an epsilon, so that a
 * tighter accountant can be applied to the same history later.
 */
#ifndef NG_BUDGET_CHARGE_H
#define NG_BUDGET_CHARGE_H

#include "base/units.h"
#include "policies/policy.h"

struct charge {
	const struct policy_budget *budget; /* the account and its limits */
	struct eps epsilon;   /* ACCOUNTING_PURE: added to the account */
	struct rho rho;       /* ACCOUNTING_ZCDP: added to the account */
	struct delta delta;   /* of group selection; added in both */
	const char *mechanism; /* what was run, as JSON text: kinds, scales, sensitivities (docs/mechanisms.md) */
};

struct charges {
	const struct charge *items;
	size_t n; /* no two with the same account */
};

#endif
