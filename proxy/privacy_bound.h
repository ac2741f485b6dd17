/*
 * What samples of two neighbouring databases prove about a privacy guarantee: statistics alone, no SQL, no sockets.
 *
 * Scores are numbers that grow when the person is present.  Every function gives a bound that is wrong with probability at most alpha, whatever the law
 * of the scores is; what is chosen by looking at samples (event, slope, clipping) is chosen on other samples than those that the bound is made of.
 */
#ifndef NG_PROXY_PRIVACY_BOUND_H
#define NG_PROXY_PRIVACY_BOUND_H

#include "base/compiler.h"

#include <stddef.h>

/* Clopper-Pearson: ends of the one-sided 1 - alpha intervals of a proportion, hits of n. */
double bound_proportion_low(size_t hits, size_t n, double alpha);
double bound_proportion_high(size_t hits, size_t n, double alpha);

/* Independent scores of answers with the person (present) and without (absent). */
struct bound_samples {
	const double *present, *absent;
	size_t n_present, n_absent;
};

/* {score >= threshold}, or its complement with the two databases changing places. */
struct bound_event {
	double threshold;
	bool low;
};

/*
 * (epsilon, delta)-DP says P[event | one] <= e^epsilon P[event | other] + delta for either order.  The event that promises the largest bound, chosen on
 * training samples; both sides at least 1 sample.
 */
struct bound_event bound_choose_event(const struct bound_samples *training, double delta, double alpha);

/* The epsilon that the samples prove at this event; 0 when none.  A union of two Clopper-Pearson ends at alpha / 2. */
double bound_epsilon(const struct bound_samples *s, struct bound_event event, double delta, double alpha);

/* The most that so many samples a side could prove, of answers without any noise: below a claim they cannot find anything. */
double bound_epsilon_reach(size_t n_present, size_t n_absent, double delta, double alpha);
double bound_rho_reach(size_t n_present, size_t n_absent, double alpha);

/*
 * rho-zCDP says KL(one || other) <= rho for either order (the limit of the Renyi orders at 1).  By Donsker and Varadhan KL >= E_one[f] - log E_other[e^f]
 * for every f; here f = slope * clamp(score, lo, hi).  On Gaussian noise the clamped line is the likelihood ratio but for the tails, so the bound is tight.
 */
struct bound_line {
	double slope, lo, hi;
	bool low; /* the databases change places, and the scores their sign */
};
struct bound_line bound_choose_line(const struct bound_samples *training, double alpha);

/* The rho that the samples prove; empirical Bernstein bounds (Maurer and Pontil 2009) at alpha / 2 for each expectation.  At least 0. */
double bound_rho(const struct bound_samples *s, struct bound_line line, double alpha);

#endif
