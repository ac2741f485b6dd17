#include "mechanisms/sampler.h"

#include "base/mem.h"
#include "mechanisms/expfix.h"

enum {
	TRIES_MAX = 2000,
	MARGIN = 512 /* above EXPFIX_ERROR, and above what an exponent below 45 with a relative error of 2^-60 adds: 45 * 2^3 */
};

static BIGNUM *big(u128 v)
{
	uint8_t raw[16];

	for (int i = 15; i >= 0; i--, v >>= 8)
		raw[i] = (uint8_t)v;
	return BN_bin2bn(raw, sizeof(raw), NULL);
}

static unsigned bit_length(u128 n)
{
	uint64_t top = (uint64_t)(n >> 64), low = (uint64_t)n;

	return top ? 128 - (unsigned)__builtin_clzll(top) : low ? 64 - (unsigned)__builtin_clzll(low) : 0;
}

/* v = result * 2^*bits, rounded down to 64 significant bits; v > 0. */
static uint64_t top_bits(u128 v, int *bits)
{
	int length = (int)bit_length(v);

	*bits = length - 64;
	return length > 64 ? (uint64_t)(v >> (length - 64)) : (uint64_t)v << (64 - length);
}

/* floor(sqrt(n)) */
static u128 integer_root(u128 n)
{
	u128 root = 0, bit = (u128)1 << 126;

	while (bit > n)
		bit >>= 2;
	for (; bit > 0; bit >>= 2) {
		bool fits = n >= root + bit;
		n -= fits ? root + bit : 0;
		root = (root >> 1) + (fits ? bit : 0);
	}
	return root;
}

/* 2 p q t^2, and its inverse to 64 bits. */
static bool denominator(u128 p, uint64_t q, u128 t, BIGNUM *out, BN_CTX *ctx)
{
	BIGNUM *bp = big(p), *bt = big(t);
	bool ok = bp && bt && BN_copy(out, bp) && BN_mul(out, out, bt, ctx) && BN_mul(out, out, bt, ctx) && BN_mul_word(out, q) && BN_lshift1(out, out);

	BN_free(bp);
	BN_free(bt);
	return ok;
}

static bool prepare_gaussian(struct sampler *s)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *den = BN_new(), *inverse = BN_new();
	bool ok = ctx && den && inverse && denominator(s->noise.num, s->noise.den, s->t, den, ctx) && BN_one(inverse);

	if (ok) {
		s->inverse_bits = BN_num_bits(den) + 63; /* 2^inverse_bits / den lies in (2^63, 2^64], and is 2^64 only for a power of two */
		ok = BN_lshift(inverse, inverse, s->inverse_bits) && BN_div(inverse, NULL, inverse, den, ctx);
		if (ok && BN_num_bits(inverse) > 64) {
			s->inverse_bits--;
			ok = BN_rshift1(inverse, inverse);
		}
	}
	if (ok)
		s->inverse = BN_get_word(inverse);
	BN_free(den);
	BN_free(inverse);
	BN_CTX_free(ctx);
	return ok;
}

bool sampler_init(struct sampler *s, const struct noise *n, struct error *e)
{
	struct sampler x = { .noise = *n, .margin = MARGIN };

	if (n->num < 1 || n->num > NOISE_NUM_MAX || n->den < 1)
		return fail(e, ERR_INTERNAL, "a noise scale is out of range");
	if (n->kind == NOISE_LAPLACE) {
		x.t = n->num;
		x.s = n->den;
		x.fast = x.t >> 60 == 0;
	} else {
		x.t = integer_root(n->num / n->den) + 1;
		x.s = 1;
		x.fast = x.t >> 60 == 0;
		if (!prepare_gaussian(&x))
			return fail_memory(e);
	}
	*s = x;
	return true;
}

/* True with probability exp(-u/t), u < t < 2^60. */
static bool accept_uniform(const struct sampler *s, struct bits *b, uint64_t u, uint64_t t, bool *keep)
{
	uint64_t word, p = expfix(0, (uint64_t)(((u128)u << 64) / t));

	if (!bits_word(b, &word))
		return false;
	word >>= 1;
	if (word + s->margin < p || (word > s->margin && word - s->margin > p)) {
		*keep = word < p;
		return true;
	}
	BIGNUM *num = big(u), *den = big(t);
	bool ok = num && den && expfix_decide(b, word, 63, num, den, keep);
	BN_clear_free(num);
	BN_clear_free(den);
	return ok;
}

/* How many trials with probability 1/e succeed before one fails: the number of n with r < exp(-n), r uniform. */
static bool count_successes(struct bits *b, uint64_t *out)
{
	uint64_t count = 0, word;

	for (int rounds = 0; rounds < 20; rounds++) { /* each round beyond the first has probability e^-44 */
		unsigned n = 1;
		if (!bits_word(b, &word))
			return false;
		while (n <= EXPFIX_WHOLE && word < expfix_power(n))
			n++;
		if (n <= EXPFIX_WHOLE && word == expfix_power(n)) { /* the word equals the first 64 bits of exp(-n) */
			BIGNUM *num = big(n), *den = big(1);
			bool below = false, ok = num && den && expfix_decide(b, word, 64, num, den, &below);
			BN_free(num);
			BN_free(den);
			if (!ok)
				return false;
			n += below;
		}
		count += n - 1;
		if (n <= EXPFIX_WHOLE) {
			*out = count;
			return true;
		}
	}
	return false;
}

static bool below_word(struct bits *b, uint64_t n, uint64_t *out)
{
	const uint64_t mask = n > 1 ? UINT64_MAX >> __builtin_clzll(n - 1) : 0;

	for (int tries = 0; tries < TRIES_MAX; tries++) {
		if (!bits_word(b, out))
			return false;
		*out &= mask;
		if (*out < n)
			return true;
	}
	return false;
}

/* As sample_laplace() in noise.c: scale t/d. */
static bool draw_laplace(const struct sampler *s, struct bits *b, uint64_t t, uint64_t d, u128 *magnitude, bool *negative)
{
	for (int tries = 0; tries < TRIES_MAX; tries++) {
		uint64_t u = 0, v, word;
		bool keep;
		if ((t > 1 && !below_word(b, t, &u)) || !accept_uniform(s, b, u, t, &keep))
			return false;
		if (!keep)
			continue;
		if (!count_successes(b, &v) || !bits_word(b, &word))
			return false;
		u128 sum = u + (u128)t * v;
		*magnitude = d == 1 ? sum : sum / d;
		*negative = word & 1;
		if (!*negative || *magnitude > 0)
			return true;
	}
	return false;
}

/* exp(-(|a q t - p|)^2 / (2 p q t^2)) from one word, or in big integers. */
static bool accept_gaussian(const struct sampler *s, struct bits *b, u128 a, bool *keep)
{
	const u128 p = s->noise.num;
	u128 qt, at;

	if (__builtin_mul_overflow((u128)s->noise.den, s->t, &qt) || __builtin_mul_overflow(qt, a, &at))
		return bits_bernoulli_exp_gauss(b, a, p, s->noise.den, s->t, keep);
	u128 d = at > p ? at - p : p - at;
	if (d == 0) {
		*keep = true;
		return true;
	}
	int bits, more, last;
	uint64_t m = top_bits(d, &bits);                      /* d = m 2^bits, and so on, each rounded down by less than 2^-63 */
	uint64_t square = top_bits((u128)m * m, &more);       /* d^2 = square 2^(2 bits + more) */
	uint64_t g = top_bits((u128)square * s->inverse, &last); /* exponent = g 2^shift */
	int shift = 2 * bits + more + last - s->inverse_bits;
	u128 fixed = shift + 64 >= 0 ? (shift + 64 < 64 ? (u128)g << (shift + 64) : ~(u128)0) : shift + 64 > -64 ? (u128)(g >> -(shift + 64)) : 0;
	if (fixed >> 64 >= EXPFIX_WHOLE)
		return bits_bernoulli_exp_gauss(b, a, p, s->noise.den, s->t, keep);
	uint64_t word, estimate = expfix((unsigned)(fixed >> 64), (uint64_t)fixed);
	if (!bits_word(b, &word))
		return false;
	word >>= 1;
	if (word + s->margin < estimate || (word > s->margin && word - s->margin > estimate)) {
		*keep = word < estimate;
		return true;
	}
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *num = big(d), *den = BN_new();
	bool ok = ctx && num && den && BN_sqr(num, num, ctx) && denominator(p, s->noise.den, s->t, den, ctx) &&
		  expfix_decide(b, word, 63, num, den, keep);
	BN_clear_free(num);
	BN_free(den);
	BN_CTX_free(ctx);
	return ok;
}

static bool draw(const struct sampler *s, struct bits *b, i128 *out)
{
	for (int tries = 0; tries < TRIES_MAX; tries++) {
		u128 magnitude;
		bool negative, keep = true;
		if (!draw_laplace(s, b, (uint64_t)s->t, s->s, &magnitude, &negative))
			return false;
		if (s->noise.kind == NOISE_GAUSSIAN && !accept_gaussian(s, b, magnitude, &keep))
			return false;
		if (keep) {
			*out = negative ? -(i128)magnitude : (i128)magnitude;
			return true;
		}
	}
	return false;
}

bool sampler_draw(const struct sampler *s, struct bits *b, i128 *out, struct error *e)
{
	if (!s->fast)
		return noise_sample(&s->noise, b->rng, out, e);
	if (draw(s, b, out))
		return true;
	fail(e, ERR_INTERNAL, "the random source failed");
	return error_detail(e, "Nothing was released.");
}

bool sampler_fill(const struct sampler *s, const struct rng *r, i128 *out, size_t n, struct error *e)
{
	uint8_t pool[4096];
	struct bits b;
	bool ok = true;

	bits_begin_batch(&b, r, pool, sizeof(pool));
	for (size_t i = 0; ok && i < n; i++)
		ok = sampler_draw(s, &b, &out[i], e);
	bits_end(&b);
	return ok;
}
