/* One computation for each of n places, over all cores. */
#ifndef NG_CRYPTO_PSI_WORK_H
#define NG_CRYPTO_PSI_WORK_H

#include "crypto/psi_curve.h"

/*
 * Calls one(curve, ctx, i) for every i below n, each thread with a curve of its own (for the exponent); false when a call gave false or a thread or
 * curve could not be had.  `one` writes only what belongs to i.  n may be 0.
 */
MUST_CHECK bool psi_work(size_t n, const struct secret_key *exponent, bool (*one)(struct psi_curve *c, void *ctx, size_t i), void *ctx);

#endif
