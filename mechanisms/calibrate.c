#include "mechanisms/calibrate.h"

#include <math.h>

static bool out_of_range(struct error *e, const char *what)
{
	fail(e, ERR_BAD_PARAMETER, "%s", what);
	return error_hint(e, "Choose a larger epsilon, or narrower bounds.");
}

static u128 gcd(u128 a, u128 b)
{
	while (b > 0) {
		u128 r = a % b;
		a = b;
		b = r;
	}
	return a;
}

bool calibrate_laplace(u128 l1, struct eps epsilon, struct noise *out, struct error *e)
{
	u128 num;
	uint64_t den = epsilon.pico;

	if (den == 0)
		return out_of_range(e, "epsilon must be above 0");
	if (l1 == 0)
		l1 = 1;
	if (__builtin_mul_overflow(l1, (u128)EPS_ONE, &num))
		return out_of_range(e, "the sensitivity is too large for this epsilon");
	u128 g = gcd(num, den);
	num /= g;
	den = (uint64_t)(den / g);
	while (num > NOISE_NUM_MAX && den > 1) { /* the scale only grows: numerator up, denominator down */
		num = num / 2 + num % 2;
		den /= 2;
	}
	if (num > NOISE_NUM_MAX)
		return out_of_range(e, "the sensitivity is too large for this epsilon");
	*out = (struct noise){ NOISE_LAPLACE, num, den };
	return true;
}

/* sigma^2 >= num/den with a short denominator, so that sampling stays within 128 bits: at most one part in 2^12 more variance. */
static bool round_variance(u128 num, u128 den, struct noise *out, struct error *e)
{
	enum { PRECISION = 4096 };
	u128 whole = num / den;
	uint64_t q = whole >= PRECISION ? 1 : PRECISION;
	u128 rest = num % den, scaled;

	if (__builtin_mul_overflow(rest, (u128)q, &scaled))
		return out_of_range(e, "the sensitivity is too large for this epsilon");
	u128 p = whole * q + scaled / den + (scaled % den != 0);
	if (p == 0)
		p = 1;
	if (p > NOISE_NUM_MAX)
		return out_of_range(e, "the sensitivity is too large for this epsilon");
	*out = (struct noise){ NOISE_GAUSSIAN, p, q };
	return true;
}

bool calibrate_gaussian(u128 l2_squared, struct rho rho, struct noise *out, struct error *e)
{
	u128 num;

	if (rho.pico == 0)
		return out_of_range(e, "epsilon is too small");
	if (l2_squared == 0)
		l2_squared = 1;
	const u128 den = (u128)rho.pico * 2;
	if (!__builtin_mul_overflow(l2_squared, (u128)EPS_ONE, &num))
		return round_variance(num, den, out, e);
	/* so large that dividing first, rounded up, loses nothing: l2^2 > 2^88, den < 2^64 */
	if (__builtin_mul_overflow(l2_squared / den + 1, (u128)EPS_ONE, &num))
		return out_of_range(e, "the sensitivity is too large for this epsilon");
	return round_variance(num, 1, out, e);
}

/*
 * delta(epsilon) = P[X >= a] - e^epsilon P[X >= a + d], a = floor(epsilon sigma^2 / d - d / 2) + 1.  Tails are good to 1e-12 relatively, so the first is
 * raised and the second lowered by more than that; where e^epsilon or the second tail leaves the doubles, the second counts as nothing.
 */
double calibrate_gaussian_delta(const struct noise *n, uint64_t sensitivity, double epsilon)
{
	double s2 = (double)n->num / (double)n->den, d = (double)sensitivity;
	double a = floor(epsilon * s2 / d - d / 2) + 1;
	double above = noise_gaussian_tail_exact(s2, a) * (1 + 1e-10), beyond = noise_gaussian_tail_exact(s2, a + d) * (1 - 1e-10);
	double delta = above - (beyond > 1e-300 ? exp(epsilon + log(beyond)) * (1 - 1e-12) : 0);

	return delta > 1e-300 ? (delta < 1 ? delta : 1) : 1e-300;
}

/* True when delta is at most goal at n and all through a sweep up to twice its variance; otherwise *failing is the largest numerator that fails. */
static bool stays_below(struct noise n, uint64_t sensitivity, double eps, double goal, u128 *failing)
{
	enum { STEPS = 512 };
	const u128 first = n.num, step = first / STEPS + 1;

	for (n.num = 2 * first; n.num > first + step; n.num -= step) {
		if (calibrate_gaussian_delta(&n, sensitivity, eps) > goal) {
			*failing = n.num;
			return false;
		}
	}
	n.num = first;
	*failing = first;
	return calibrate_gaussian_delta(&n, sensitivity, eps) <= goal;
}

bool calibrate_gaussian_approx(uint64_t sensitivity, struct eps epsilon, struct delta delta, struct noise *out, struct error *e)
{
	const double eps = eps_double(epsilon), goal = delta_double(delta) * (1 - 1e-12);
	struct noise n = { NOISE_GAUSSIAN, 1, 4096 };
	u128 lo = 0, hi = 1;

	if (epsilon.pico == 0 || delta.atto == 0 || sensitivity == 0)
		return out_of_range(e, "epsilon, delta and sensitivity must be above 0");
	for (n.num = hi; calibrate_gaussian_delta(&n, sensitivity, eps) > goal; n.num = hi) {
		lo = hi;
		hi *= 2;
		if (hi > NOISE_NUM_MAX / 2)
			return out_of_range(e, "the sensitivity is too large for this epsilon");
	}
	while (hi - lo > 1 + hi / 1000000) {
		n.num = lo + (hi - lo) / 2;
		if (calibrate_gaussian_delta(&n, sensitivity, eps) <= goal)
			hi = n.num;
		else
			lo = n.num;
	}
	/* delta is not monotone in sigma for small sigma: go on to where it holds, and holds at all larger variances up to twice this one */
	n.num = hi;
	for (u128 failing; !stays_below(n, sensitivity, eps, goal, &failing);)
		n.num = failing + 1;
	*out = n;
	return true;
}
