/*
 * The continuous laws, for display, planning and comparison with published figures; what is released is noised by the discrete laws (noise.h) and
 * calibrated on them (calibrate.h, select.h).  Doubles about public parameters, never about data.
 */
#ifndef NG_MECHANISMS_ANALYTIC_H
#define NG_MECHANISMS_ANALYTIC_H

#include "base/compiler.h"

/* ln P[N > z] of the standard normal; finite for every finite z. */
double analytic_log_normal_tail(double z);

/* z with P[|N| <= z] = confidence in (0, 1). */
double analytic_normal_half_width(double confidence);

/*
 * delta of the continuous Gaussian at epsilon >= 0 for l2 sensitivity d > 0: Phi(d/2s - eps s/d) - e^eps Phi(-d/2s - eps s/d)
 * (Balle, Wang 2018, arXiv 1805.06530).  sigma 0 gives 1, epsilon infinity 0.
 */
double analytic_gaussian_delta(double sigma, double d, double epsilon);

/* The smallest sigma whose delta(epsilon) is at most delta in (0, 1), within one part in 10^12 and never below. */
double analytic_gaussian_sigma(double d, double epsilon, double delta);

/* The smallest epsilon that mu-GDP (l2 sensitivity over sigma) guarantees at delta in (0, 1), within one part in 10^12 and never below. */
double analytic_gdp_epsilon(double mu, double delta);

/* 1 - (1 - delta)^(1/groups): what each of the groups that one unit touches may cost. */
double analytic_delta_per_group(double delta, uint64_t groups);

/* The real threshold T of: keep iff units + Lap(groups/epsilon) > T, whose delta over all groups is the given one. */
double analytic_laplace_threshold(double epsilon, double delta, uint64_t groups);

/* The same for Gaussian noise of deviation sigma: T with 1 - (1 - P[N > (T-1)/sigma])^groups = delta. */
double analytic_gaussian_threshold(double sigma, double delta, uint64_t groups);

/*
 * Probability with which optimal selection keeps a group of n units (Desfontaines, Voss, Gipson, Mandayam 2022, arXiv 2006.03684), each unit touching at
 * most `groups`: p(0) = 0, p(n) = min(p(n-1) e^e + d, 1 - e^-e (1 - p(n-1) - d), 1) with e = epsilon/groups and d the delta per group.
 */
double analytic_optimal_keep(double epsilon, double delta, uint64_t groups, uint64_t n);

#endif
