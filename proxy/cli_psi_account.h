/* What a private set intersection costs the account (owner of the set, its table, the peer) of the policy, and the durable charge. */
#ifndef NG_PROXY_CLI_PSI_ACCOUNT_H
#define NG_PROXY_CLI_PSI_ACCOUNT_H

#include "budget/ledger.h"
#include "policies/snapshot.h"
#include "proxy/cli_psi_exchange.h"

struct psi_account {
	struct snapshot *snapshot;
	struct clock clock;
	struct ledger *ledger;
	const struct policy_budget *budget;
	struct charge charge;
	char mechanism[400], what[200]; /* for the history */
	int64_t query_id;               /* of the charge; 0: not charged */
};

/* Loads the policy, finds the budget of `table` ("schema.name") for the member `peer`, opens the ledger.  ERR_CONFIG, ERR_LEDGER. */
MUST_CHECK bool psi_account_open(const char *policy, const char *table, const char *peer, struct psi_account *out, struct error *e);
void psi_account_close(struct psi_account *a); /* a zeroed struct is fine */

/*
 * Puts a price on an exchange: epsilon and delta asked for (0: the budget's defaults of one query); terms->epsilon and delta are filled.
 * ERR_BAD_PARAMETER above the caps of one query; ERR_BUDGET when the account could not pay now, so that the peer is not troubled.
 */
MUST_CHECK bool psi_account_price(struct psi_account *a, struct eps epsilon, struct delta delta, struct psi_terms *terms, struct error *e);

/* Says what is about to run, for the history; after psi_prepare. */
void psi_account_describe(struct psi_account *a, const struct psi_terms *terms);

/* Charges: psi_exchange.charge; ctx is the account. */
MUST_CHECK bool psi_account_charge(void *ctx, struct error *e);

#endif
