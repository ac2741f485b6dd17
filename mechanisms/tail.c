/* The laws themselves: tails, intervals, spread.  Double arithmetic about public parameters, never about data. */
#include "mechanisms/noise.h"

#include <float.h>
#include <math.h>

static const double pi = 3.14159265358979323846;
static const double slack = 1.0 + 1e-9; /* far above the rounding of what follows (below 1e-11) */

static double scale_of(const struct noise *n)
{
	return (double)n->num / (double)n->den;
}

/* P[X >= x] for x >= 1: the geometric series, closed. */
static double laplace_tail(double b, double x)
{
	return exp(-x / b) / (1.0 + exp(-1.0 / b));
}

/* Sum of exp(-y^2/(2 s2)) over y >= x >= 0, term by term until what is left cannot matter. */
static double sum_direct(double s2, double x)
{
	double sum = 0;

	for (double y = x;; y += 1) {
		double term = exp(-y * y / (2 * s2));
		sum += term;
		if (term == 0 || (term < sum * 1e-18 && y > x + 2))
			return sum + term * (s2 + 1); /* at y >= 2 the ratio of terms is below exp(-2/s2), so the rest is below term * s2/2 */
	}
}

/*
 * The same sum by Euler and Maclaurin: integral, half the first term, and corrections from the odd derivatives at x (Hermite polynomials).
 * With four corrections the error is at most 8.3e-7 / sigma^7 * integral over t >= z of |He_8(t)| exp(-t^2/2), z = x / sigma.  For z > 4.2 (beyond
 * the zeros of He_8) that is 8.3e-7 * He_7(z) / sigma^7 times the first term, below 2e-12 of the sum for sigma >= 256 and z <= 39; for smaller z
 * it is below 1e-19.  Beyond z = 39 everything underflows, and noise_tail() answers with its floor.
 */
static double sum_smooth(double s2, double x)
{
	double sigma = sqrt(s2), z = x / sigma, q = z * z, first = exp(-q / 2);
	double h3 = z * (q - 3), h5 = z * (q * (q - 10) + 15), h7 = z * (q * (q * (q - 21) + 105) - 105);
	double corrections = z / (12 * sigma) - h3 / (720 * sigma * s2) + h5 / (30240 * sigma * s2 * s2) - h7 / (1209600 * sigma * s2 * s2 * s2);

	return sigma * sqrt(pi / 2) * erfc(z / sqrt(2)) + first * (0.5 + corrections);
}

static double gaussian_sum(double s2, double x)
{
	enum { SMOOTH_FROM = 256 };

	return s2 < (double)SMOOTH_FROM * SMOOTH_FROM ? sum_direct(s2, x) : sum_smooth(s2, x);
}

/* Sum over all integers; from s2 = 1 on by Poisson's formula, whose next term is exp(-8 pi^2 s2), below 1e-34. */
static double gaussian_total(double s2)
{
	return s2 < 1 ? 1 + 2 * sum_direct(s2, 1) : sqrt(2 * pi * s2) * (1 + 2 * exp(-2 * pi * pi * s2));
}

double noise_gaussian_tail_exact(double s2, double x)
{
	if (x <= 0)
		return 1 - noise_gaussian_tail_exact(s2, 1 - x);
	return gaussian_sum(s2, x) / gaussian_total(s2);
}

double noise_tail(const struct noise *n, i128 x)
{
	double s = scale_of(n);

	if (x <= 0)
		return 1; /* it lies in [1/2, 1]; no threshold and no interval asks closer */
	double p = (n->kind == NOISE_LAPLACE ? laplace_tail(s, (double)x) : noise_gaussian_tail_exact(s, (double)x)) * slack;
	return p > 1 ? 1 : p < 1e-300 ? 1e-300 : p; /* near and below the smallest double, the truth is lost: stay above it */
}

double noise_half_width(const struct noise *n, double confidence)
{
	const double miss = confidence < 1 - 1e-15 ? 1 - confidence : 1e-15; /* a confidence that rounds to 1 still has a width */
	i128 lo = 0, hi = 1;

	while (2 * noise_tail(n, hi + 1) > miss)
		hi *= 2;
	while (lo < hi) {
		i128 mid = lo + (hi - lo) / 2;
		if (2 * noise_tail(n, mid + 1) <= miss)
			hi = mid;
		else
			lo = mid + 1;
	}
	return (double)lo;
}

double noise_half_width_fair(const struct noise *n, double confidence, uint64_t coin)
{
	const double w = noise_half_width(n, confidence), most = 4e18; /* beyond, neither differs from the other */

	if (w < 1 || w > most)
		return w;
	const double wide = 1 - 2 * noise_tail(n, (i128)w + 1), narrow = 1 - 2 * noise_tail(n, (i128)w);
	return ldexp((double)(coin >> 11), -53) * (wide - narrow) < wide - confidence ? w - 1 : w;
}

double noise_deviation(const struct noise *n)
{
	double s = scale_of(n);

	if (n->kind == NOISE_GAUSSIAN)
		return sqrt(s);
	double q = expm1(1 / s);
	return isinf(q) ? 0 : sqrt(2 * (q + 1)) / q;
}

double noise_mean_absolute(const struct noise *n)
{
	double s = scale_of(n), sum = 0, all = 1;

	if (n->kind == NOISE_LAPLACE)
		return 1 / sinh(1 / s);
	if (s > 100) /* the lattice changes it by less than one part in 12 s */
		return sqrt(2 * s / pi);
	for (double x = 1; x < 20 * sqrt(s) + 2; x += 1) {
		double term = 2 * exp(-x * x / (2 * s));
		sum += x * term;
		all += term;
	}
	return sum / all;
}
