/*
 * Statistics for the tests of samplers.  Every threshold is chosen for a false alarm in about one run out of 10^9 (random seeds), while a scale
 * that is 10% off is tens of standard errors away with the numbers of draws used.
 */
#ifndef NG_TESTS_LAW_H
#define NG_TESTS_LAW_H

#include "mechanisms/noise.h"

#include <math.h>
#include <stdlib.h>

#define Z_ALARM 6.2 /* P[N > 6.2] = 3e-10 */

/* Unnormalised probability of x. */
static inline double law_mass(const struct noise *n, double x)
{
	double s = (double)n->num / (double)n->den;

	return n->kind == NOISE_LAPLACE ? exp(-fabs(x) / s) : exp(-x * x / (2 * s));
}

/* Chi-square with k degrees of freedom as a standard normal (Wilson, Hilferty). */
static inline double law_chi_z(double chi, int k)
{
	return (cbrt(chi / k) - (1 - 2.0 / (9 * k))) / sqrt(2.0 / (9 * k));
}

/* Successes out of n with probability p, as a standard normal. */
static inline double law_binomial_z(double successes, double n, double p)
{
	return (successes - n * p) / sqrt(n * p * (1 - p));
}

#endif
