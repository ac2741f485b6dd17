#include "proxy/cli_psi_account.h"

#include "base/text.h"
#include "budget/account.h"
#include "mechanisms/loss.h"

static struct policy_report report; /* large; only this command uses it, once */

static bool find_budget(const struct policy *p, const char *name, const char *peer, const struct policy_budget **out, struct error *e)
{
	const struct policy_table *table = NULL;
	char full[300];

	for (size_t i = 0; i < p->n_tables && !table; i++) {
		(void)snprintf(full, sizeof(full), "%s.%s", p->tables[i].schema, p->tables[i].name);
		if (text_eq(full, name))
			table = &p->tables[i];
	}
	if (!table)
		return fail(e, ERR_CONFIG, "the policy has no table \"%s\"", name);
	if (!policy_find_member(p, peer))
		return fail(e, ERR_CONFIG, "the policy has no member \"%s\"", peer);
	*out = policy_find_budget(p, table, peer);
	if (*out)
		return true;
	(void)fail(e, ERR_CONFIG, "the policy gives \"%s\" no budget on %s", peer, name);
	return error_hint(e, "Add budgets: - { owner: %s, table: %s, analyst: %s, epsilon: 1, delta: 1e-6 }.", table->owner, name, peer);
}

bool psi_account_open(const char *policy, const char *table, const char *peer, struct psi_account *out, struct error *e)
{
	*out = (struct psi_account){ .clock = clock_system() };
	out->snapshot = snapshot_load(policy, &report, e);
	if (out->snapshot && find_budget(out->snapshot->policy, table, peer, &out->budget, e) &&
	    ledger_open_policy(out->snapshot->policy, &out->clock, &out->ledger, e))
		return true;
	psi_account_close(out);
	return false;
}

void psi_account_close(struct psi_account *a)
{
	ledger_close(a->ledger);
	snapshot_drop(a->snapshot);
	*a = (struct psi_account){ 0 };
}

static bool check_caps(const struct policy_budget *b, const struct psi_terms *t, struct error *e)
{
	if (t->epsilon.pico > b->query_max_epsilon.pico)
		return fail(e, ERR_BAD_PARAMETER, "epsilon %.6g exceeds %.6g, the most of one query on this account", eps_double(t->epsilon),
			    eps_double(b->query_max_epsilon));
	if (t->role == PSI_SERVE)
		return true;
	if (t->delta.atto == 0) {
		(void)fail(e, ERR_BAD_PARAMETER, "who joins needs a delta above 0, and the account has none by default");
		return error_hint(e, "Give --delta within the budget's, or serve and let the peer join.");
	}
	if (t->delta.atto > b->query_max_delta.atto)
		return fail(e, ERR_BAD_PARAMETER, "delta %.3g exceeds %.3g, the most of one query on this account", delta_double(t->delta),
			    delta_double(b->query_max_delta));
	return true;
}

bool psi_account_price(struct psi_account *a, struct eps epsilon, struct delta delta, struct psi_terms *terms, struct error *e)
{
	const bool sums = a->budget->accounting != ACCOUNTING_ZCDP;
	struct account_state state;

	terms->epsilon = epsilon.pico ? epsilon : a->budget->query_epsilon;
	if (terms->role == PSI_JOIN)
		terms->delta = delta.atto ? delta : a->budget->query_delta;
	if (!check_caps(a->budget, terms, e))
		return false;
	a->charge = (struct charge){ .budget = a->budget, .delta = terms->delta };
	if (sums)
		a->charge.epsilon = terms->epsilon;
	else if (!loss_rho_of_pure(terms->epsilon, &a->charge.rho))
		return fail(e, ERR_BAD_PARAMETER, "epsilon %.6g is too large", eps_double(terms->epsilon));
	/* the ledger will decide; this only says it before the peer is spoken to */
	return ledger_state(a->ledger, a->budget, &state, e) &&
	       (account_fits(a->budget, &state, &a->charge) || account_refuse(a->budget, &state, &a->charge, e));
}

void psi_account_describe(struct psi_account *a, const struct psi_terms *t)
{
	(void)snprintf(a->mechanism, sizeof(a->mechanism),
		       "[{\"kind\":\"%s\",\"use\":\"private set intersection\",\"epsilon\":%.12g,\"delta\":%.12g,\"sensitivity\":1,\"shift\":%lu}]",
		       t->role == PSI_JOIN ? "shifted_laplace" : "laplace", eps_double(t->epsilon), delta_double(t->delta), (unsigned long)t->shift);
	(void)snprintf(a->what, sizeof(a->what), "noisegate psi %s, at most %lu values", t->role == PSI_JOIN ? "join" : "serve", (unsigned long)t->bound);
	a->charge.mechanism = a->mechanism;
}

bool psi_account_charge(void *ctx, struct error *e)
{
	struct psi_account *a = ctx;
	const struct ledger_entry entry = { .user = "psi", .analyst = a->budget->analyst, .sql = a->what };

	return ledger_charge(a->ledger, &(struct charges){ &a->charge, 1 }, &entry, &a->query_id, e);
}
