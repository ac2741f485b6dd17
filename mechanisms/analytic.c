#include "mechanisms/analytic.h"

#include <math.h>

static const double root_half = 0.70710678118654752440;
static const double log_root_two_pi = 0.91893853320467274178;

/* For z > 30 the asymptotic series of Mills' ratio, whose terms fall by z^2 each: the fifth is below 1e-11. */
double analytic_log_normal_tail(double z)
{
	if (z < 30)
		return log(0.5 * erfc(z * root_half));
	double q = 1 / (z * z);
	return -z * z / 2 - log_root_two_pi - log(z) + log1p(-q * (1 - 3 * q * (1 - 5 * q * (1 - 7 * q))));
}

static double normal_upper(double log_tail)
{
	double lo = -40, hi = 40;

	for (int i = 0; i < 100; i++) {
		double mid = (lo + hi) / 2;
		if (analytic_log_normal_tail(mid) > log_tail)
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}

double analytic_normal_half_width(double confidence)
{
	return normal_upper(log((1 - confidence) / 2));
}

double analytic_gaussian_delta(double sigma, double d, double epsilon)
{
	if (sigma <= 0)
		return 1;
	if (isinf(epsilon))
		return 0;
	double shift = d / (2 * sigma), cut = epsilon * sigma / d;
	double first = analytic_log_normal_tail(cut - shift), second = epsilon + analytic_log_normal_tail(cut + shift);
	return second < first ? exp(first) * -expm1(second - first) : 0;
}

double analytic_gaussian_sigma(double d, double epsilon, double delta)
{
	double lo = 0, hi = d;

	while (analytic_gaussian_delta(hi, d, epsilon) > delta) {
		lo = hi;
		hi *= 2;
	}
	while (hi - lo > hi * 1e-13) {
		double mid = lo + (hi - lo) / 2;
		if (mid <= lo || mid >= hi)
			break;
		if (analytic_gaussian_delta(mid, d, epsilon) > delta)
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}

double analytic_gdp_epsilon(double mu, double delta)
{
	double lo = 0, hi = 1;

	if (mu <= 0 || analytic_gaussian_delta(1 / mu, 1, 0) <= delta)
		return 0;
	while (analytic_gaussian_delta(1 / mu, 1, hi) > delta)
		hi *= 2;
	while (hi - lo > hi * 1e-13) {
		double mid = lo + (hi - lo) / 2;
		if (mid <= lo || mid >= hi)
			break;
		if (analytic_gaussian_delta(1 / mu, 1, mid) > delta)
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}

double analytic_delta_per_group(double delta, uint64_t groups)
{
	return -expm1(log1p(-delta) / (double)groups);
}

double analytic_laplace_threshold(double epsilon, double delta, uint64_t groups)
{
	double d = analytic_delta_per_group(delta, groups), scale = (double)groups / epsilon;

	return d <= 0.5 ? 1 - scale * log(2 * d) : 1 + scale * log(2 * (1 - d));
}

double analytic_gaussian_threshold(double sigma, double delta, uint64_t groups)
{
	return 1 + sigma * normal_upper(log(analytic_delta_per_group(delta, groups)));
}

double analytic_optimal_keep(double epsilon, double delta, uint64_t groups, uint64_t n)
{
	double e = epsilon / (double)groups, d = analytic_delta_per_group(delta, groups), step = expm1(e), units = (double)n;
	/* up to `turn` units the first branch rules, then the second until it reaches 1 */
	double turn = 1 + floor(log1p(tanh(e / 2) * (1 / d - 1)) / e);

	if (n == 0)
		return 0;
	if (units <= turn)
		return fmin(1, d * expm1(units * e) / step);
	double p = d * expm1(turn * e) / step;
	return fmin(1, p + (1 - p + d / step) * -expm1(-(units - turn) * e));
}
