#include "mechanisms/bits.h"

#include "base/mem.h"

#include <openssl/bn.h>

enum {
	TRIES_MAX = 2000, /* each rejection has probability below 1/2 */
	ROUNDS_MAX = 1000 /* round k of Algorithm 1 is reached with probability at most 1/(k-1)!; also keeps den * k within 128 bits */
};

void bits_begin(struct bits *b, const struct rng *r)
{
	bits_begin_batch(b, r, b->small, sizeof(b->small));
}

void bits_begin_batch(struct bits *b, const struct rng *r, uint8_t *pool, size_t size)
{
	BUG_IF(size < sizeof(b->small));
	b->rng = r;
	b->left = 0;
	b->size = size;
	b->pool = pool;
}

void bits_end(struct bits *b)
{
	mem_wipe(b->pool, b->size);
	b->left = 0;
}

/* n fresh bytes, each handed out once; NULL when the source fails. */
static const uint8_t *take(struct bits *b, size_t n)
{
	BUG_IF(n > b->size);
	if (b->left < n) {
		b->left = 0;
		if (!rng_fill(b->rng, b->pool, b->size))
			return NULL;
		b->left = b->size;
	}
	const uint8_t *from = b->pool + (b->size - b->left);
	b->left -= n;
	return from;
}

bool bits_word(struct bits *b, uint64_t *out)
{
	const uint8_t *raw = take(b, sizeof(*out));

	if (raw)
		mem_copy(out, raw, sizeof(*out));
	return raw != NULL;
}

static unsigned bit_length(u128 n)
{
	uint64_t high = (uint64_t)(n >> 64), low = (uint64_t)n;

	return high ? 128 - (unsigned)__builtin_clzll(high) : low ? 64 - (unsigned)__builtin_clzll(low) : 0;
}

bool bits_below(struct bits *b, u128 n, u128 *out)
{
	BUG_IF(n == 0);
	unsigned bits = bit_length(n - 1);
	size_t bytes = ((size_t)bits + 7) / 8;
	u128 mask = bits == 128 ? ~(u128)0 : ((u128)1 << bits) - 1;

	for (int tries = 0; tries < TRIES_MAX; tries++) {
		const uint8_t *raw = bytes ? take(b, bytes) : b->pool;
		u128 v = 0;
		if (!raw)
			return false;
		for (size_t i = 0; i < bytes; i++)
			v = v << 8 | raw[i];
		v &= mask;
		if (v < n) {
			*out = v;
			return true;
		}
	}
	return false;
}

bool bits_bernoulli(struct bits *b, u128 num, u128 den, bool *out)
{
	u128 v;

	if (!bits_below(b, den, &v))
		return false;
	*out = v < num;
	return true;
}

/* exp(-num/den) for num <= den: K-th trial succeeds with num/(den*K); true iff the first failure is at an odd K. */
static bool bernoulli_exp_small(struct bits *b, u128 num, u128 den, bool *out)
{
	for (unsigned k = 1; k <= ROUNDS_MAX; k++) {
		bool hit;
		if (!bits_bernoulli(b, num, den * k, &hit))
			return false;
		if (!hit) {
			*out = k % 2 == 1;
			return true;
		}
	}
	return false;
}

bool bits_bernoulli_exp(struct bits *b, u128 num, u128 den, bool *out)
{
	BUG_IF(den == 0 || den >> 112);
	for (; num > den; num -= den) {
		bool hit;
		if (!bernoulli_exp_small(b, 1, 1, &hit))
			return false;
		if (!hit) { /* ends after 1.58 rounds on average, however large num is */
			*out = false;
			return true;
		}
	}
	return bernoulli_exp_small(b, num, den, out);
}

/* --- big integers, for scales whose squares leave 128 bits --------------------------------------------------------------- */

static BIGNUM *big(u128 v)
{
	uint8_t raw[16];

	for (int i = 15; i >= 0; i--, v >>= 8)
		raw[i] = (uint8_t)v;
	return BN_bin2bn(raw, sizeof(raw), NULL);
}

/* 1 with probability num/den, 0 otherwise, -1 on failure. */
static int big_bernoulli(struct bits *b, const BIGNUM *num, const BIGNUM *den)
{
	int bits = BN_num_bits(den), bytes = (bits + 7) / 8, result = -1;
	BIGNUM *v = BN_new();

	for (int tries = 0; v && tries < TRIES_MAX; tries++) {
		const uint8_t *raw = take(b, (size_t)bytes);
		if (!raw || !BN_bin2bn(raw, bytes, v))
			break;
		if (BN_num_bits(v) > bits && !BN_mask_bits(v, bits))
			break;
		if (BN_cmp(v, den) < 0) {
			result = BN_cmp(v, num) < 0;
			break;
		}
	}
	BN_clear_free(v);
	return result;
}

/* 1 with probability exp(-num/den) for num <= den, as bernoulli_exp_small(). */
static int big_exp_small(struct bits *b, const BIGNUM *num, const BIGNUM *den)
{
	BIGNUM *scaled = BN_dup(den);
	int hit = scaled ? 1 : -1;
	unsigned k = 0;

	while (hit == 1) {
		k++;
		if (k > ROUNDS_MAX || !BN_copy(scaled, den) || !BN_mul_word(scaled, k))
			hit = -1;
		else
			hit = big_bernoulli(b, num, scaled);
	}
	BN_clear_free(scaled);
	return hit < 0 ? -1 : k % 2 == 1;
}

static int big_exp(struct bits *b, BIGNUM *num, const BIGNUM *den)
{
	while (BN_cmp(num, den) > 0) {
		bool hit;
		if (!bits_bernoulli_exp(b, 1, 1, &hit) || !BN_sub(num, num, den))
			return -1;
		if (!hit)
			return 0;
	}
	return big_exp_small(b, num, den);
}

bool bits_bernoulli_exp_gauss(struct bits *b, u128 a, u128 p, uint64_t q, u128 t, bool *out)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *num = big(a), *den = big(p), *bq = big(q), *bt = big(t), *bp = big(p);
	int hit = -1;

	if (ctx && num && den && bq && bt && bp && BN_mul(num, num, bq, ctx) && BN_mul(num, num, bt, ctx) && BN_sub(num, num, bp) &&
	    BN_sqr(num, num, ctx) && BN_mul(den, den, bq, ctx) && BN_mul(den, den, bt, ctx) && BN_mul(den, den, bt, ctx) &&
	    BN_lshift1(den, den))
		hit = big_exp(b, num, den);
	BN_clear_free(num);
	BN_clear_free(den);
	BN_clear_free(bq);
	BN_clear_free(bt);
	BN_clear_free(bp);
	BN_CTX_free(ctx);
	if (hit < 0)
		return false;
	*out = hit == 1;
	return true;
}
