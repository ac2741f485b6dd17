/*
 * Privacy-loss arithmetic: prices of mechanisms in each account's currency, and what an account's total means as (epsilon, delta).
 * Only compositions that are sound for an adaptive analyst (a privacy filter over sums): pure epsilon, and zCDP.
 */
#ifndef NG_MECHANISMS_LOSS_H
#define NG_MECHANISMS_LOSS_H

#include "base/units.h"

/*
 * zCDP price of any epsilon-DP mechanism: epsilon * tanh(epsilon / 2), rounded up (Harrison, Manurangsi, FORC 2026, arXiv 2510.25746).
 * False when it leaves the unit's range.
 */
MUST_CHECK bool loss_rho_of_pure(struct eps epsilon, struct rho *out);

/*
 * The largest rho (rounded down) whose conversion to (epsilon, delta)-DP stays within both:
 * delta(rho, epsilon) = min over alpha > 1 of exp((alpha-1)(alpha rho - epsilon) + alpha ln(1 - 1/alpha)) / (alpha - 1)
 * (Canonne-Kamath-Steinke, Proposition 12).  False when delta is 0 or epsilon is 0: then no rho > 0 fits.
 */
MUST_CHECK bool loss_rho_limit(struct eps epsilon, struct delta delta, struct rho *out);

/* The smallest epsilon (rounded up) such that rho-zCDP implies (epsilon, delta)-DP; rho 0 gives 0, delta 0 infinity. */
double loss_eps_of_rho(struct rho rho, struct delta delta);

#endif
