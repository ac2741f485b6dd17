/* Confidence intervals of estimates that are smooth functions of several noised integers. */
#ifndef NG_MECHANISMS_INTERVAL_H
#define NG_MECHANISMS_INTERVAL_H

#include "base/compiler.h"

/* A released statistic with its interval; nothing in it when null. */
struct estimate {
	bool null;
	double value, low, high; /* low <= value <= high */
};

/* What one noised input adds to an estimate: the deviation that its noise alone gives it, and whether that noise is Laplace. */
struct share {
	double deviation;
	bool laplace;
};

/*
 * The half-width w with P[|sum of the shares| <= w] near confidence, in (0, 1): the normal quantile, widened for the heavy tails of Laplace shares
 * (Cornish, Fisher, fourth cumulant).  Exact for Gaussian shares; at 95% the coverage of a single Laplace share is 95.3%.
 */
double interval_half_width(const struct share *shares, size_t n, double confidence);

/*
 * The same from z, the normal's half-width at the confidence (analytic_normal_half_width), the sum's variance, and its fourth cumulant (0 for Gaussian noise;
 * a Laplace share of variance v adds 3 v^2).
 */
double interval_widened(double z, double variance, double fourth);

/* What one noised input adds to a ratio's numerator and denominator: signed, as the same noise moves both. */
struct ratio_share {
	double num, den;
	bool laplace;
};

/*
 * The ratios R for which num - R den is within its own half-width (Fieller): valid where the denominator is not far above its noise, and first-order
 * propagation is not.  False, and nothing in *low and *high, when the denominator cannot be told from 0: then any ratio is possible.
 */
MUST_CHECK bool interval_ratio(double num, double den, const struct ratio_share *shares, size_t n, double confidence, double *low, double *high);

#endif
