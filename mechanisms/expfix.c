#include "mechanisms/expfix.h"

/* floor(2^64 exp(-i/8)), floor(2^64 exp(-i/64)), floor(2^64 exp(-i)); entry 0 stands for 1 and is not used. */
static const uint64_t eighths[8] = {
	UINT64_C(0x0), UINT64_C(0xe1eb51276c110c3c), UINT64_C(0xc75f7cf564105743), UINT64_C(0xaff230af4c747553),
	UINT64_C(0x9b4597e37cb04ff3), UINT64_C(0x8906e49a4c9f3d59), UINT64_C(0x78ed03afbf35f94b), UINT64_C(0x6ab7782576b52d00),
};
static const uint64_t sixty_fourths[8] = {
	UINT64_C(0x0), UINT64_C(0xfc07f55ff77d2493), UINT64_C(0xf81fab5445aebc8a), UINT64_C(0xf446e357f67dfd8e),
	UINT64_C(0xf07d5fde38151e72), UINT64_C(0xecc2e44e820d18c3), UINT64_C(0xe9173500cbe0159a), UINT64_C(0xe57a1739d263ec94),
};
static const uint64_t wholes[EXPFIX_WHOLE + 1] = {
	UINT64_C(0x0), UINT64_C(0x5e2d58d8b3bcdf1a), UINT64_C(0x22a555477f03973f), UINT64_C(0xcbed86667585764), UINT64_C(0x4b0556e084f3d1d),
	UINT64_C(0x1b993fe00d53761), UINT64_C(0xa2728f889ea6ae), UINT64_C(0x3bc2d73849531d), UINT64_C(0x15fc21041027ac), UINT64_C(0x8167912932a2c),
	UINT64_C(0x2f9af36ac8f93), UINT64_C(0x118354238f676), UINT64_C(0x671530ed0ef2), UINT64_C(0x25ec0a77303b), UINT64_C(0xdf3637ed80b),
	UINT64_C(0x521d72889fb), UINT64_C(0x1e355bbaee8), UINT64_C(0xb1cf18bad3), UINT64_C(0x41698a31a6), UINT64_C(0x181056ff2c),
	UINT64_C(0x8da432af9), UINT64_C(0x341b61a1b), UINT64_C(0x132b48bf1), UINT64_C(0x70d49f90), UINT64_C(0x29820f1f),
	UINT64_C(0xf451bd2), UINT64_C(0x59e14a9), UINT64_C(0x2110a53), UINT64_C(0xc29f80), UINT64_C(0x47990a),
	UINT64_C(0x1a56e0), UINT64_C(0x9b090), UINT64_C(0x3908c), UINT64_C(0x14fb5), UINT64_C(0x7b80),
	UINT64_C(0x2d6e), UINT64_C(0x10b6), UINT64_C(0x626), UINT64_C(0x243), UINT64_C(0xd5),
	UINT64_C(0x4e), UINT64_C(0x1c), UINT64_C(0xa), UINT64_C(0x3), UINT64_C(0x1),
};

uint64_t expfix_power(unsigned n)
{
	BUG_IF(n < 1 || n > EXPFIX_WHOLE);
	return wholes[n];
}

static uint64_t high(uint64_t a, uint64_t b)
{
	return (uint64_t)((u128)a * b >> 64);
}

/*
 * Errors, in units of 2^-64 before the halving: the polynomial for 1 - exp(-z), z < 2^-6, cut after z^8/8! (rest below 2^-72), loses less than 2.1 by
 * truncation; so e is off by 2.1 units of 2^-63.  Each of the three products adds less than 1 by truncation and 1/2 by its table entry.  Sum: below 7.
 */
uint64_t expfix(unsigned whole, uint64_t fraction)
{
	const uint64_t z = fraction & (UINT64_MAX >> 6);
	const unsigned coarse = (unsigned)(fraction >> 61), fine = (unsigned)(fraction >> 58) & 7;
	uint64_t c = z / 8;

	BUG_IF(whole > EXPFIX_WHOLE);
	c = (z - high(z, c)) / 7;
	c = (z - high(z, c)) / 6;
	c = (z - high(z, c)) / 5;
	c = (z - high(z, c)) / 4;
	c = (z - high(z, c)) / 3;
	c = (z - high(z, c)) / 2;
	c = z - high(z, c);
	uint64_t e = ((uint64_t)1 << 63) - c / 2;
	e = fine ? high(e, sixty_fourths[fine]) : e;
	e = coarse ? high(e, eighths[coarse]) : e;
	return whole ? high(e, wholes[whole]) : e;
}

/*
 * floor-ish exp(-num/den) * 2^bits: Taylor's series in fixed point with GUARD more bits.  num/den <= 64, so no term exceeds e^64 < 2^93 and there are fewer than 2^11;
 * each is off by at most 2^93 units (its rounding, carried on), so the sum by less than 2^105 units of the guard bits' last place: far below one.
 */
static bool exp_big(const BIGNUM *num, const BIGNUM *den, int bits, BIGNUM *out, BN_CTX *ctx)
{
	enum { GUARD = 160, TERMS_MAX = 2000 };
	BIGNUM *term = BN_CTX_get(ctx), *divisor = BN_CTX_get(ctx);
	bool ok = divisor && BN_one(term) && BN_lshift(term, term, bits + GUARD) && BN_copy(out, term);

	for (unsigned k = 1; ok && !BN_is_zero(term); k++) {
		ok = k < TERMS_MAX && BN_copy(divisor, den) && BN_mul_word(divisor, k) && BN_mul(term, term, num, ctx) &&
		     BN_div(term, NULL, term, divisor, ctx) && (k % 2 ? BN_sub(out, out, term) : BN_add(out, out, term));
	}
	return ok && BN_rshift(out, out, GUARD);
}

bool expfix_decide(struct bits *b, uint64_t first, int known, const BIGNUM *num, const BIGNUM *den, bool *below)
{
	enum { MORE = 3 };
	BN_CTX *ctx = BN_CTX_new();
	bool done = false;

	if (!ctx)
		return false;
	BN_CTX_start(ctx);
	BIGNUM *r = BN_CTX_get(ctx), *p = BN_CTX_get(ctx);
	bool ok = p && BN_set_word(r, first);
	for (int i = 0; ok && i < MORE; i++) {
		uint64_t word;
		ok = bits_word(b, &word) && BN_lshift(r, r, 64) && BN_add_word(r, word);
	}
	ok = ok && exp_big(num, den, known + 64 * MORE, p, ctx);
	if (ok && BN_sub(p, p, r)) { /* r lies in [r, r + 1), p is off by at most 2: decided unless they are that close */
		bool negative = BN_is_negative(p);
		done = BN_num_bits(p) > 3;
		if (done)
			*below = !negative;
	}
	if (p) {
		BN_clear(r);
		BN_clear(p);
	}
	BN_CTX_end(ctx);
	BN_CTX_free(ctx);
	return done;
}
