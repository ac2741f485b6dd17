#include "mechanisms/interval.h"

#include "mechanisms/analytic.h"

#include <math.h>

double interval_widened(double z, double variance, double fourth)
{
	if (!(variance > 0) || isinf(variance))
		return variance > 0 ? INFINITY : 0;
	return (z + fourth / (variance * variance) * (z * z * z - 3 * z) / 24) * sqrt(variance);
}

double interval_half_width(const struct share *shares, size_t n, double confidence)
{
	double variance = 0, fourth = 0;

	for (size_t i = 0; i < n; i++) {
		double v = shares[i].deviation * shares[i].deviation;
		variance += v;
		fourth += shares[i].laplace ? 3 * v * v : 0; /* a Laplace variable's fourth cumulant is 3 variances squared */
	}
	return interval_widened(analytic_normal_half_width(confidence), variance, fourth);
}

bool interval_ratio(double num, double den, const struct ratio_share *shares, size_t n, double confidence, double *low, double *high)
{
	double a = 0, b = 0, c = 0, variance = 0, fourth = 0;

	for (size_t i = 0; i < n; i++) {
		double moved = shares[i].num - num / den * shares[i].den, v = moved * moved;
		a += shares[i].num * shares[i].num;
		b += shares[i].num * shares[i].den;
		c += shares[i].den * shares[i].den;
		variance += v;
		fourth += shares[i].laplace ? 3 * v * v : 0;
	}
	if (!(fabs(den) > 0) || isinf(variance) || isnan(variance))
		return false;
	/* z^2 as widened at the estimate; the ends solve (num - R den)^2 = z^2 (a - 2 R b + R^2 c) */
	const double width = interval_widened(analytic_normal_half_width(confidence), variance, fourth), zz = variance > 0 ? width * width / variance : 0;
	const double square = den * den - zz * c, linear = num * den - zz * b, constant = num * num - zz * a;
	if (!(square > 0))
		return false;
	const double under = linear * linear - square * constant, root = under > 0 ? sqrt(under) : 0;
	*low = (linear - root) / square;
	*high = (linear + root) / square;
	return true;
}
