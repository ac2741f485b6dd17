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

/* E|X|^k: summed over the lattice, or the continuous law's where the lattice changes it by less than 1e-5 (k <= 6). */
static inline double law_moment(const struct noise *n, int k)
{
	const double scale = n->kind == NOISE_LAPLACE ? (double)n->num / (double)n->den : sqrt((double)n->num / (double)n->den);
	double sum = 0, all = 0;

	if (scale > 400) /* k! b^k; 2^(k/2) gamma((k+1)/2) / sqrt(pi) sigma^k */
		return pow(scale, k) * (n->kind == NOISE_LAPLACE ? tgamma(k + 1) : pow(2, k / 2.0) * tgamma((k + 1) / 2.0) / sqrt(acos(-1)));
	for (double x = -60 * ceil(scale); x <= 60 * ceil(scale); x++) {
		all += law_mass(n, x);
		sum += pow(fabs(x), k) * law_mass(n, x);
	}
	return sum / all;
}

/* The worst z score of the means of x, |x|, x^2 and x^3 against the law's. */
static inline double law_moments_z(const struct noise *n, const i128 *samples, int draws)
{
	const double m1 = law_moment(n, 1), m2 = law_moment(n, 2), m4 = law_moment(n, 4), m6 = law_moment(n, 6);
	double sum[4] = { 0 }, worst = 0;

	for (int i = 0; i < draws; i++) {
		const double x = (double)samples[i], of[4] = { x, fabs(x), x * x, x * x * x };
		for (int k = 0; k < 4; k++)
			sum[k] += of[k] / draws;
	}
	const double expect[4] = { 0, m1, m2, 0 }, variance[4] = { m2, m2 - m1 * m1, m4 - m2 * m2, m6 };
	for (int k = 0; k < 4; k++) {
		double z = fabs(sum[k] - expect[k]) / sqrt(variance[k] / draws);
		worst = z > worst ? z : worst;
	}
	return worst;
}

#endif
