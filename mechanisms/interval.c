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
