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

/* The other way: the largest epsilon, up to 30, whose price is within rho; 0 when none is. */
struct eps loss_pure_of_rho(struct rho rho);

/* The largest range e of an exponential mechanism whose price, e^2/8, is within rho (Cesar, Rogers 2020, arXiv 2004.07223). */
struct eps loss_range_of_rho(struct rho rho);

/*
 * zCDP price of discrete Laplace noise that is epsilon-DP for one integer changing by at most `sensitivity` steps of the lattice, rounded up:
 * with a = epsilon / sensitivity, epsilon - a (1 - exp(-epsilon)) / sinh(a); sensitivity 0 stands for the continuous law, epsilon - 1 + exp(-epsilon).
 * (Harrison, Manurangsi for the continuous law and for sensitivity 1, where it equals the pure price; between the two it is the Kullback-Leibler
 * divergence, and tests confirm that no Renyi order costs more per order.)  k coordinates cost k times.  False when it leaves the unit's range.
 */
MUST_CHECK bool loss_rho_of_laplace(struct eps epsilon, uint64_t sensitivity, struct rho *out);

/* epsilon of Laplace noise of scale num / den for an l1 sensitivity, rounded up: l1 den / num.  False beyond the unit. */
MUST_CHECK bool loss_eps_of_laplace(u128 l1, u128 num, u128 den, struct eps *out);

/* zCDP price of Gaussian noise (discrete too) of variance num / den, rounded up: l2^2 den / (2 num).  False beyond the unit. */
MUST_CHECK bool loss_rho_of_gaussian(u128 l2_squared, u128 num, u128 den, struct rho *out);

/*
 * The largest rho (rounded down) whose conversion to (epsilon, delta)-DP stays within both:
 * delta(rho, epsilon) = min over alpha > 1 of exp((alpha-1)(alpha rho - epsilon) + alpha ln(1 - 1/alpha)) / (alpha - 1)
 * (Canonne-Kamath-Steinke, Proposition 12).  False when delta is 0 or epsilon is 0: then no rho > 0 fits.
 */
MUST_CHECK bool loss_rho_limit(struct eps epsilon, struct delta delta, struct rho *out);

/* Both conversions search the order in doubles (any order gives a valid bound) and evaluate the bound with a stated error, rounded the safe way. */

/* The smallest epsilon (rounded up) such that rho-zCDP implies (epsilon, delta)-DP; rho 0 gives 0, delta 0 infinity. */
double loss_eps_of_rho(struct rho rho, struct delta delta);

#endif
