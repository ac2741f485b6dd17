/*
 * Noise that is never negative: for a count that one party raises by adding dummies (docs/psi.md), which cannot be taken away.
 *
 * Law: S + L, L discrete Laplace of scale b = 1 / epsilon conditioned on |L| <= S; values 0 .. 2 S.
 * Sensitivity: the count changes by at most 1 when one element is added or removed.
 * Guarantee: (epsilon, delta)-DP with delta = P[L = -S]: where both laws have mass, their ratio is exp(+-epsilon) at most (the condition divides both by
 * the same number); one of them misses one end of the other's range, and that end's mass is delta.  Without the two ends it is epsilon-DP, so in the
 * account's other currency it is delta-approximate rho-zCDP with rho the price of epsilon-DP (loss_rho_of_pure).
 * Error: that of discrete Laplace, less than it by the condition; S is public and is subtracted.
 * Source: argued above in full.
 */
#ifndef NG_MECHANISMS_SHIFTED_H
#define NG_MECHANISMS_SHIFTED_H

#include "base/error.h"
#include "base/units.h"
#include "mechanisms/noise.h"

struct shifted {
	struct noise noise; /* of L */
	uint64_t shift;     /* S, at least 1 */
};

/*
 * The smallest S whose delta, bounded from above, is at most the given one.  ERR_BAD_PARAMETER when epsilon or delta is 0, or S would exceed
 * most (at least 1): the message says so.
 */
MUST_CHECK bool shifted_calibrate(struct eps epsilon, struct delta delta, uint64_t most, struct shifted *out, struct error *e);

/* One draw in [0, 2 S].  ERR_INTERNAL when the random source fails; *out untouched then. */
MUST_CHECK bool shifted_sample(const struct shifted *s, const struct rng *r, uint64_t *out, struct error *e);

#endif
