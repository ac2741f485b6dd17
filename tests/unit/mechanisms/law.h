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

enum { LAW_SPAN = 400 };

/* Chi-square of samples against a law, over cells that expect at least 20 and one for the rest; as a z score. */
static inline double law_fit_z(const struct noise *n, const i128 *samples, int draws)
{
	static double counts[2 * LAW_SPAN + 1];
	double all = 0, chi = 0, rest = draws, rest_expect = draws;
	int cells = 0;

	for (int i = 0; i <= 2 * LAW_SPAN; i++)
		counts[i] = 0;
	for (int x = -4000; x <= 4000; x++)
		all += law_mass(n, x);
	for (int i = 0; i < draws; i++) {
		if (samples[i] >= -LAW_SPAN && samples[i] <= LAW_SPAN)
			counts[(int)samples[i] + LAW_SPAN]++;
	}
	for (int x = -LAW_SPAN; x <= LAW_SPAN; x++) {
		double expect = draws * law_mass(n, x) / all, count = counts[x + LAW_SPAN];
		if (expect < 20)
			continue;
		chi += (count - expect) * (count - expect) / expect;
		rest -= count;
		rest_expect -= expect;
		cells++;
	}
	if (rest_expect > 5) {
		chi += (rest - rest_expect) * (rest - rest_expect) / rest_expect;
		cells++;
	}
	return law_chi_z(chi, cells - 1);
}

/* For scales at which the lattice is invisible: 32 cells of the continuous law, and the standard deviation over the law's. */
static inline double law_coarse_z(const struct noise *n, const i128 *samples, int draws, double *spread)
{
	double counts[32] = { 0 }, square = 0, chi = 0, deviation = noise_deviation(n);
	double scale = n->kind == NOISE_LAPLACE ? deviation / sqrt(2) : deviation;

	for (int i = 0; i < draws; i++) {
		double x = (double)samples[i], z = x / scale;
		double below = n->kind == NOISE_GAUSSIAN ? 0.5 * erfc(-z / sqrt(2)) : z < 0 ? 0.5 * exp(z) : 1 - 0.5 * exp(-z);
		int cell = (int)(below * 32);
		counts[cell > 31 ? 31 : cell]++;
		square += x * x / (deviation * deviation);
	}
	for (int i = 0; i < 32; i++)
		chi += (counts[i] - draws / 32.0) * (counts[i] - draws / 32.0) / (draws / 32.0);
	*spread = sqrt(square / draws);
	return law_chi_z(chi, 31);
}

#endif
