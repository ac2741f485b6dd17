/*
 * The private set intersection itself, from both sides.  docs/psi.md argues what each side learns; this is the order that it rests on:
 *
 *   join                                     serve
 *   HELLO (terms)             ->             checks terms
 *   checks terms              <-             HELLO (terms)
 *   READY                     ->             charges its account for the peer
 *   makes tags as they come   <-             ITEMS: bound points      H(x)^a
 *                             <-             DUMMIES: 2 S points      H(d)^a, in order
 *   charges its account for the peer
 *   ITEMS: bound + 2 S points H(y)^b, Z of them dummies  ->           makes tags
 *   TAGS: of the first two lists, sorted     ->                       counts common tags: overlap + Z
 *   overlap + noise           <-             RESULT: overlap + Z + noise
 *
 * What must hold:
 * (1) nothing computed from the set is sent before the charge is durable;
 * (2) the number of bytes sent and the work done while the peer waits depend on both sides' terms only, not on the sets;
 * (3) exponents, dummies chosen and noise are fresh in every run, and wiped.
 */
#ifndef NG_PROXY_CLI_PSI_EXCHANGE_H
#define NG_PROXY_CLI_PSI_EXCHANGE_H

#include "base/units.h"
#include "crypto/psi_set.h"
#include "mechanisms/shifted.h"
#include "proxy/cli_psi_channel.h"

enum psi_role { PSI_SERVE = 1, PSI_JOIN };

/* What a side says about itself before anything else.  All of it is public. */
struct psi_terms {
	enum psi_role role;
	struct psi_session session;
	uint32_t bound;      /* points of its list without dummies: no set may be larger */
	struct eps epsilon;  /* of the noise that protects its own set */
	struct delta delta;  /* PSI_JOIN */
	uint32_t shift;      /* PSI_JOIN: half the dummies; 0 for PSI_SERVE */
};

struct psi_exchange {
	struct psi_terms mine, peer; /* mine: filled by the caller but for shift */
	const struct rng *rng;
	bool (*charge)(void *ctx, struct error *e); /* durable when it returns true */
	void *ctx;
	/* filled */
	struct secret_key exponent;
	uint8_t (*points)[PSI_POINT]; /* the blinded list */
	size_t n_points;
	uint64_t chosen;           /* PSI_JOIN: dummies that will be found in common */
	struct noise peer_noise;   /* what the peer's noise does to `overlap` */
	int64_t overlap;           /* the result */
	int64_t released;          /* PSI_SERVE: the noised count that went to the peer */
};

/* Everything that depends on the set, before a peer is spoken to.  ERR_BAD_PARAMETER: more values than the bound; terms that cannot be. */
MUST_CHECK bool psi_prepare(struct psi_exchange *x, const struct psi_values *values, struct error *e);

/* The exchange over a connection.  On failure the peer is told, if it can be. */
MUST_CHECK bool psi_exchange(struct psi_exchange *x, struct psi_channel *c, struct error *e);

void psi_exchange_free(struct psi_exchange *x); /* wipes; a zeroed struct is fine */

#endif
