#include "mechanisms/noise.h"

#include "mechanisms/bits.h"

/* Discrete Laplace with scale t/s (Algorithm 2): the magnitude is geometric by construction, the sign fair, (negative, 0) redrawn. */
static bool sample_laplace(u128 t, u128 s, struct bits *b, i128 *out)
{
	for (;;) {
		u128 u, v = 0;
		bool keep, more = true, negative;
		if (!bits_below(b, t, &u) || !bits_bernoulli_exp(b, u, t, &keep))
			return false;
		if (!keep)
			continue;
		while (more) {
			if (!bits_bernoulli_exp(b, 1, 1, &more))
				return false;
			v += more;
			if (v > 1000) /* probability e^-1000: no random source does that; keeps t * v within 128 bits */
				return false;
		}
		u128 magnitude = (u + t * v) / s;
		if (!bits_bernoulli(b, 1, 2, &negative))
			return false;
		if (negative && magnitude == 0)
			continue;
		*out = negative ? -(i128)magnitude : (i128)magnitude;
		return true;
	}
}

/* floor(sqrt(n)), digit by digit in base 4, without division. */
static u128 integer_root(u128 n)
{
	u128 root = 0, bit = (u128)1 << 126;

	while (bit > n)
		bit >>= 2;
	for (; bit > 0; bit >>= 2) {
		if (n >= root + bit) {
			n -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return root;
}

/* Accept y with probability exp(-(|y| - sigma^2/t)^2 / (2 sigma^2)), an exact rational exponent. */
static bool accept_gaussian(u128 y, u128 p, uint64_t q, u128 t, struct bits *b, bool *keep)
{
	u128 a, qt, den, num;
	bool fits = !__builtin_mul_overflow((u128)q, t, &qt) && !__builtin_mul_overflow(y, qt, &a);

	if (fits) {
		u128 d = a > p ? a - p : p - a;
		fits = !__builtin_mul_overflow(d, d, &num) && !__builtin_mul_overflow(qt, t, &den) &&
		       !__builtin_mul_overflow(den, p, &den) && !__builtin_mul_overflow(den, (u128)2, &den) && !(den >> 112);
	}
	if (fits)
		return bits_bernoulli_exp(b, num, den, keep);
	return bits_bernoulli_exp_gauss(b, y, p, q, t, keep);
}

/* Discrete Gaussian with sigma^2 = p/q (Algorithm 3): rejection from discrete Laplace with t = floor(sigma) + 1. */
static bool sample_gaussian(u128 p, uint64_t q, struct bits *b, i128 *out)
{
	u128 t = integer_root(p / q) + 1;

	for (;;) {
		i128 y;
		bool keep;
		if (!sample_laplace(t, 1, b, &y))
			return false;
		u128 magnitude = y < 0 ? (u128)-y : (u128)y;
		if (!accept_gaussian(magnitude, p, q, t, b, &keep))
			return false;
		if (keep) {
			*out = y;
			return true;
		}
	}
}

bool noise_sample(const struct noise *n, const struct rng *r, i128 *out, struct error *e)
{
	bool in_range = n->num >= 1 && n->num <= NOISE_NUM_MAX && n->den >= 1, ok = false;
	struct bits b;

	if (in_range) {
		bits_begin(&b, r);
		ok = n->kind == NOISE_LAPLACE ? sample_laplace(n->num, n->den, &b, out) : sample_gaussian(n->num, n->den, &b, out);
		bits_end(&b);
	}
	if (ok)
		return true;
	fail(e, ERR_INTERNAL, in_range ? "the random source failed" : "a noise scale is out of range");
	return error_detail(e, "Nothing was released.");
}
