/*
 * Discrete noise on the integers: its law, exact sampling, tails and confidence intervals.
 *
 * What must hold (SPEC G6): a sample has exactly the stated law, given uniform random bytes; there is no floating point between the
 * random source and the value.  Scales are exact rationals.  Source: Canonne, Kamath, Steinke, "The Discrete Gaussian for
 * Differential Privacy" (2020), arXiv 2004.00010, algorithms 1-3.
 */
#ifndef NG_MECHANISMS_NOISE_H
#define NG_MECHANISMS_NOISE_H

#include "base/compiler.h"
#include "base/error.h"
#include "base/random.h"

enum noise_kind {
	NOISE_LAPLACE, /* P(x) proportional to exp(-|x| * den / num): scale b = num / den */
	NOISE_GAUSSIAN /* P(x) proportional to exp(-x^2 * den / (2 num)): sigma^2 = num / den */
};

struct noise {
	enum noise_kind kind;
	u128 num; /* at least 1; at most NOISE_NUM_MAX */
	uint64_t den; /* at least 1 */
};

#define NOISE_NUM_MAX ((u128)1 << 110)

/* One sample.  ERR_INTERNAL when the random source fails or the law is out of range; *out untouched then. */
MUST_CHECK bool noise_sample(const struct noise *n, const struct rng *r, i128 *out, struct error *e);

/* P[X >= x] for the exact discrete law, rounded up (an upper bound); for thresholds and their delta.  1 for x <= 0. */
double noise_tail(const struct noise *n, i128 x);

/* P[X >= x] of the discrete Gaussian with variance parameter s2 (relative error below 1e-11 while it stays above 1e-300). */
double noise_gaussian_tail_exact(double s2, double x);

/* The smallest w >= 0 with P[|X| <= w] >= confidence, confidence in (0, 1); above 1 - 1e-15 it is taken as that. */
double noise_half_width(const struct noise *n, double confidence);

/*
 * For an interval that covers with exactly the confidence: with w the half-width above, w or w - 1, which of them decided by 64 uniform bits.  On a coarse lattice w alone
 * covers far more (scale 1 at 95%: 97.3%).  0 stays 0.
 */
double noise_half_width_fair(const struct noise *n, double confidence, uint64_t coin);

/* Standard deviation and mean absolute value, for display and for choosing between laws. */
double noise_deviation(const struct noise *n);
double noise_mean_absolute(const struct noise *n);

#endif
