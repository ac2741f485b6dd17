/* What the noisegate budget subcommands share. */
#ifndef NG_PROXY_CLI_BUDGET_H
#define NG_PROXY_CLI_BUDGET_H

#include "budget/ledger.h"
#include "policies/snapshot.h"
#include "proxy/cli.h"

struct budget_options {
	const char *policy, *owner, *table, *analyst, *reason, *who;
	int64_t limit;
	bool json, all, to_policy, without_anchor;
	bool has_epsilon, has_delta, has_rho, has_missing;
	struct eps epsilon, missing_epsilon;
	struct delta delta, missing_delta;
	struct rho missing_rho;
};

/* "table" or "schema.table", of the owner when one is given, and the analyst: the policy's budget.  ERR_CONFIG names what is there instead. */
MUST_CHECK bool budget_find(const struct policy *p, const struct budget_options *o, const struct policy_budget **out, struct error *e);

/* The commands; each prints its result and returns false with *e filled. */
MUST_CHECK bool budget_show(struct ledger *l, const struct policy *p, const struct budget_options *o, struct error *e);
MUST_CHECK bool budget_history(struct ledger *l, const struct policy *p, const struct budget_options *o, struct error *e);
MUST_CHECK bool budget_set(struct ledger *l, const struct policy *p, const struct budget_options *o, struct error *e);
MUST_CHECK bool budget_top_up(struct ledger *l, const struct policy *p, const struct budget_options *o, struct error *e);
MUST_CHECK bool budget_freeze(struct ledger *l, const struct policy *p, const struct budget_options *o, struct error *e);
MUST_CHECK bool budget_unfreeze(struct ledger *l, const struct policy *p, const struct budget_options *o, struct error *e);
MUST_CHECK bool budget_plan(struct ledger *l, const struct policy *p, const struct budget_options *o, struct error *e);
MUST_CHECK bool budget_recover(const struct policy *p, const struct budget_options *o, struct error *e);

#endif
