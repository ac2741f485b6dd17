/*
 * From a guarantee to a scale.  Every scale is rounded up (more noise), so the guarantee is never missed by rounding.
 * Sensitivities are exact integers in the units that are noised (counts, grid units).
 */
#ifndef NG_MECHANISMS_CALIBRATE_H
#define NG_MECHANISMS_CALIBRATE_H

#include "base/error.h"
#include "base/units.h"
#include "mechanisms/noise.h"

/*
 * Discrete Laplace on a vector whose l1 norm changes by at most l1: scale b >= l1 / epsilon gives epsilon-DP (pure).
 * ERR_BAD_PARAMETER when epsilon is 0 or the scale leaves the samplers' range.  l1 = 0 is taken as 1.
 */
MUST_CHECK bool calibrate_laplace(u128 l1, struct eps epsilon, struct noise *out, struct error *e);

/*
 * Discrete Gaussian on a vector whose l2 norm changes by at most sqrt(l2_squared): sigma^2 >= l2_squared / (2 rho) gives rho-zCDP
 * (Canonne-Kamath-Steinke, Theorem 4; holds in any dimension).  Errors as above.
 */
MUST_CHECK bool calibrate_gaussian(u128 l2_squared, struct rho rho, struct noise *out, struct error *e);

/*
 * Discrete Gaussian on one integer that changes by at most sensitivity: smallest sigma^2 on the search grid whose exact delta(epsilon), computed on the
 * discrete law (Theorem 7), is at most delta, there and in a sweep up to twice that variance (delta is not monotone for small sigma).  For planning and `noisegate calibrate`.
 */
MUST_CHECK bool calibrate_gaussian_approx(uint64_t sensitivity, struct eps epsilon, struct delta delta, struct noise *out,
					  struct error *e);

/* The exact delta of that mechanism at epsilon, rounded up. */
double calibrate_gaussian_delta(const struct noise *n, uint64_t sensitivity, double epsilon);

#endif
