#include "mechanisms/noise.h"

#include "mechanisms/bits.h"

#include <math.h>

/* Discrete Laplace with scale t/s (Algorithm 2): the magnitude is geometric by construction, the sign fair, (negative, 0) redrawn. */
static bool sample_laplace(u128 t, u128 s, const struct rng *r, i128 *out)
{
	for (;;) {
		u128 u, v = 0;
		bool keep, more = true, negative;
		if (!bits_below(r, t, &u) || !bits_bernoulli_exp(r, u, t, &keep))
			return false;
		if (!keep)
			continue;
		while (more) {
			if (!bits_bernoulli_exp(r, 1, 1, &more))
				return false;
			v += more;
		}
		if (v > 1000) /* probability e^-1000; keeps t * v within 128 bits */
			return false;
		u128 magnitude = (u + t * v) / s;
		if (!bits_bernoulli(r, 1, 2, &negative))
			return false;
		if (negative && magnitude == 0)
			continue;
		*out = negative ? -(i128)magnitude : (i128)magnitude;
		return true;
	}
}

static u128 integer_root(u128 n)
{
	u128 root = 0;

	for (u128 bit = (u128)1 << 63; bit > 0; bit >>= 1) {
		u128 next = root + bit;
		if (next <= n / next)
			root = next;
	}
	return root;
}

/* Accept y with probability exp(-(|y| - sigma^2/t)^2 / (2 sigma^2)), an exact rational exponent. */
static bool accept_gaussian(u128 y, u128 p, uint64_t q, u128 t, const struct rng *r, bool *keep)
{
	u128 a, qt, den, num;
	bool fits = !__builtin_mul_overflow((u128)q, t, &qt) && !__builtin_mul_overflow(y, qt, &a);

	if (fits) {
		u128 d = a > p ? a - p : p - a;
		fits = !__builtin_mul_overflow(d, d, &num) && !__builtin_mul_overflow(qt, t, &den) &&
		       !__builtin_mul_overflow(den, p, &den) && !__builtin_mul_overflow(den, (u128)2, &den) && !(den >> 112);
	}
	if (fits)
		return bits_bernoulli_exp(r, num, den, keep);
	return bits_bernoulli_exp_gauss(r, y, p, q, t, keep);
}

/* Discrete Gaussian with sigma^2 = p/q (Algorithm 3): rejection from discrete Laplace with t = floor(sigma) + 1. */
static bool sample_gaussian(u128 p, uint64_t q, const struct rng *r, i128 *out)
{
	u128 t = integer_root(p / q) + 1;

	for (;;) {
		i128 y;
		bool keep;
		if (!sample_laplace(t, 1, r, &y))
			return false;
		u128 magnitude = y < 0 ? (u128)-y : (u128)y;
		if (!accept_gaussian(magnitude, p, q, t, r, &keep))
			return false;
		if (keep) {
			*out = y;
			return true;
		}
	}
}

bool noise_sample(const struct noise *n, const struct rng *r, i128 *out, struct error *e)
{
	bool in_range = n->num >= 1 && n->num <= NOISE_NUM_MAX && n->den >= 1;
	bool ok = in_range && (n->kind == NOISE_LAPLACE ? sample_laplace(n->num, n->den, r, out) : sample_gaussian(n->num, n->den, r, out));

	if (ok)
		return true;
	fail(e, ERR_INTERNAL, in_range ? "the random source failed" : "a noise scale is out of range");
	return error_detail(e, "Nothing was released.");
}

/* --- tails and intervals: double arithmetic about the law, never about data ----------------------------------------------- */

static const double slack = 1.0 + 1e-9; /* far above the rounding of the sums below */

static double scale_of(const struct noise *n)
{
	return (double)n->num / (double)n->den;
}

/* P[X >= x] for x >= 1. */
static double laplace_tail(double b, double x)
{
	return exp(-x / b) / (1.0 + exp(-1.0 / b));
}

enum { DIRECT_SIGMA = 64 };

/* Sum of exp(-y^2/(2 s2)) over y >= x, x >= 0, until terms vanish. */
static double gaussian_sum(double s2, double x)
{
	double sum = 0;

	for (double y = x;; y += 1) {
		double term = exp(-y * y / (2 * s2));
		sum += term;
		if (term == 0 || (term < sum * 1e-18 && y > x + 2))
			return sum + term * (s2 + 1); /* covers what was left out: the ratio of terms is below 1 - 1/(s2+1) */
	}
}

double noise_gaussian_tail_exact(double s2, double x)
{
	if (x <= 0)
		return 1 - noise_gaussian_tail_exact(s2, 1 - x);
	return gaussian_sum(s2, x) / (2 * gaussian_sum(s2, 1) + 1);
}

static double gaussian_tail(double s2, double x)
{
	if (s2 <= (double)DIRECT_SIGMA * DIRECT_SIGMA)
		return noise_gaussian_tail_exact(s2, x);
	/* P[X >= x] <= P[N(0, s2) >= x - 1] (Canonne-Kamath-Steinke, Proposition 25). */
	return 0.5 * erfc((x - 1) / sqrt(2 * s2));
}

double noise_tail(const struct noise *n, i128 x)
{
	double s = scale_of(n);

	if (x <= 0)
		return 1; /* it lies in [1/2, 1]; no threshold and no interval asks closer */
	double p = (n->kind == NOISE_LAPLACE ? laplace_tail(s, (double)x) : gaussian_tail(s, (double)x)) * slack;
	return p > 1 ? 1 : p;
}

double noise_half_width(const struct noise *n, double confidence)
{
	i128 lo = 0, hi = 1;

	while (2 * noise_tail(n, hi + 1) > 1 - confidence)
		hi *= 2;
	while (lo < hi) {
		i128 mid = lo + (hi - lo) / 2;
		if (2 * noise_tail(n, mid + 1) <= 1 - confidence)
			hi = mid;
		else
			lo = mid + 1;
	}
	return (double)lo;
}

double noise_deviation(const struct noise *n)
{
	double s = scale_of(n);

	if (n->kind == NOISE_GAUSSIAN)
		return sqrt(s);
	double q = expm1(1 / s);
	return isinf(q) ? 0 : sqrt(2 * (q + 1)) / q;
}
