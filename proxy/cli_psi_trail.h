/*
 * What a private set intersection leaves in the audit log of this side's policy (docs/audit.md): "allowed" before the charge and "charged" after it, both on
 * disk before a byte computed from the set leaves; then "answered" or "failed".  "refused" when there was no charge.
 */
#ifndef NG_PROXY_CLI_PSI_TRAIL_H
#define NG_PROXY_CLI_PSI_TRAIL_H

#include "proxy/cli_psi_account.h"
#include "proxy/trail.h"

struct psi_trail {
	struct audit *log;
	struct psi_account *account;
	uint64_t question; /* sequence number of "allowed"; 0: none yet */
};

/* ERR_AUDIT: in use by another process, or damaged. */
MUST_CHECK bool psi_trail_open(struct psi_trail *t, struct psi_account *account, struct error *e);

/* psi_exchange.charge; ctx is the trail. */
MUST_CHECK bool psi_trail_charge(void *ctx, struct error *e);

/* The exchange came to its end; who serves gives the noised count that it released. */
MUST_CHECK bool psi_trail_answered(struct psi_trail *t, const int64_t *released, struct error *e);

/* It did not.  What cannot be written is logged.  Before psi_trail_open it does nothing. */
void psi_trail_ended(struct psi_trail *t, const struct error *why);

void psi_trail_close(struct psi_trail *t);

#endif
