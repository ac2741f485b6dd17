/* noisegate budget set, top-up, freeze, unfreeze, recover: what operators decide.  Each is an entry of the ledger's chain, with who and why. */
#include "base/text.h"
#include "mechanisms/loss.h"
#include "proxy/cli_budget.h"

enum { RELATION_MAX = 160 };

static bool order_one(struct ledger *l, const struct policy *p, const struct budget_options *o, enum entry_kind kind, struct eps epsilon, struct delta delta,
		      struct error *e)
{
	const struct policy_budget *b;
	char relation[RELATION_MAX];

	if (!budget_find(p, o, &b, e))
		return false;
	(void)snprintf(relation, sizeof(relation), "%s.%s", b->schema, b->table);
	const struct ledger_order order = { .kind = kind, .key = { b->owner, relation, b->analyst }, .epsilon = epsilon, .delta = delta, .who = o->who, .reason = o->reason };
	struct account_state s;
	if (!ledger_order(l, &order, e) || !ledger_state(l, b, &s, e))
		return false;
	(void)printf("%s for %s: epsilon %.6g of %.6g left, delta limit %.3g%s\n", relation, b->analyst, eps_double(s.epsilon_remaining), eps_double(s.epsilon_limit),
		     delta_double(s.delta_whole), s.frozen ? ", frozen" : "");
	return true;
}

bool budget_set(struct ledger *l, const struct policy *p, const struct budget_options *o, struct error *e)
{
	const struct policy_budget *b;
	const struct eps none = { 0 };
	const struct delta policys = { 0 };

	if (!budget_find(p, o, &b, e))
		return false;
	if (o->to_policy)
		return order_one(l, p, o, ENTRY_LIMIT, none, policys, e);
	struct delta delta = o->has_delta ? o->delta : b->delta;
	if (o->epsilon.pico > ACCOUNT_EPSILON_MAX || delta.atto > ACCOUNT_DELTA_MAX)
		return fail(e, ERR_BAD_PARAMETER, "a limit may be at most epsilon 1000 and delta 0.01");
	if (b->accounting == ACCOUNTING_ZCDP && delta.atto == 0)
		return fail(e, ERR_BAD_PARAMETER, "accounting zcdp needs a delta above 0");
	return order_one(l, p, o, ENTRY_LIMIT, o->epsilon, delta, e);
}

bool budget_top_up(struct ledger *l, const struct policy *p, const struct budget_options *o, struct error *e)
{
	const struct policy_budget *b;
	struct account_state s;
	struct eps epsilon;
	uint64_t delta;

	if (!budget_find(p, o, &b, e) || !ledger_state(l, b, &s, e))
		return false;
	if (!eps_add(s.epsilon_limit, o->epsilon, &epsilon) || epsilon.pico > ACCOUNT_EPSILON_MAX ||
	    __builtin_add_overflow(s.delta_whole.atto, o->delta.atto, &delta) || delta > ACCOUNT_DELTA_MAX)
		return fail(e, ERR_BAD_PARAMETER, "a limit may be at most epsilon 1000 and delta 0.01, top-ups included");
	return order_one(l, p, o, ENTRY_TOP_UP, o->epsilon, o->delta, e);
}

/* --analyst '*' freezes a table for everyone, also where the policy has no budget of all analysts together. */
static bool freeze(struct ledger *l, const struct policy *p, const struct budget_options *o, enum entry_kind kind, struct error *e)
{
	const struct account_key all = { ACCOUNT_ALL, ACCOUNT_ALL, ACCOUNT_ALL };
	struct ledger_order order = { .kind = kind, .key = all, .who = o->who, .reason = o->reason };
	struct budget_options any = *o;
	char relation[RELATION_MAX];
	const struct policy_budget *b = NULL;

	if (!o->all && !text_eq(o->analyst, ACCOUNT_ALL))
		return order_one(l, p, o, kind, (struct eps){ 0 }, (struct delta){ 0 }, e);
	for (size_t i = 0; !o->all && !b && i < p->n_budgets; i++) {
		struct error ignored;
		any.analyst = p->budgets[i].analyst;
		if (!budget_find(p, &any, &b, &ignored))
			b = NULL;
	}
	if (!o->all && !b)
		return fail(e, ERR_CONFIG, "the policy has no budget of \"%s\"", o->table);
	if (b) {
		(void)snprintf(relation, sizeof(relation), "%s.%s", b->schema, b->table);
		order.key = (struct account_key){ b->owner, relation, ACCOUNT_ALL };
	}
	if (!ledger_order(l, &order, e))
		return false;
	(void)printf("%s %s\n", b ? relation : "everything", kind == ENTRY_FREEZE ? "frozen" : "is no longer frozen as a whole");
	return true;
}

bool budget_freeze(struct ledger *l, const struct policy *p, const struct budget_options *o, struct error *e)
{
	return freeze(l, p, o, ENTRY_FREEZE, e);
}

bool budget_unfreeze(struct ledger *l, const struct policy *p, const struct budget_options *o, struct error *e)
{
	return freeze(l, p, o, ENTRY_UNFREEZE, e);
}

bool budget_recover(const struct policy *p, const struct budget_options *o, struct error *e)
{
	const struct clock clock = clock_system();
	struct ledger_recovery how = { .who = o->who, .reason = o->reason, .has_missing = o->has_missing, .without_anchor = o->without_anchor,
				       .missing = { .epsilon = o->missing_epsilon, .rho = o->missing_rho, .delta = o->missing_delta } };
	struct ledger_recovered r;

	if (o->has_missing && !o->has_rho && !loss_rho_of_pure(o->missing_epsilon, &how.missing.rho))
		return fail(e, ERR_BAD_PARAMETER, "epsilon is out of range");
	if (!ledger_recover(p, &clock, &how, &r, e))
		return false;
	if (!r.needed) {
		(void)printf("the ledger and its anchor agree: nothing to recover\n");
		return true;
	}
	if (r.lost > 0)
		(void)printf("at least %lld entries are missing from this ledger\n", (long long)r.lost);
	(void)printf("added to every account: epsilon %.6g, rho %.6g, delta %.3g\n"
		     "limits, top-ups and freezes that were decided since are lost too: look at `noisegate budget history`\n"
		     "everything is frozen; when you have looked: noisegate budget unfreeze -c %s --all --reason TEXT\n",
		     eps_double(r.missing.epsilon), rho_double(r.missing.rho), delta_double(r.missing.delta), o->policy);
	return true;
}
