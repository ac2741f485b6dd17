/* Exact random bits: uniform integers and Bernoulli trials with rational and exponential probabilities, no floating point. */
#ifndef NG_MECHANISMS_BITS_H
#define NG_MECHANISMS_BITS_H

#include "base/compiler.h"
#include "base/random.h"

/* Bytes taken from a source in handfuls, so that a sample costs one call and not twenty.  Lives on the stack for one sample, or for a batch; wipe it after. */
struct bits {
	const struct rng *rng;
	size_t left; /* unused bytes at the end of pool */
	size_t size;
	uint8_t *pool; /* small, or a batch's own */
	uint8_t small[64];
};

void bits_begin(struct bits *b, const struct rng *r);

/* For many samples: a pool of size >= 64 bytes, which bits_end() wipes. */
void bits_begin_batch(struct bits *b, const struct rng *r, uint8_t *pool, size_t size);
void bits_end(struct bits *b);

/*
 * All below are false when the random source fails, which includes a source that repeats itself for so long (probability below 2^-1000)
 * that it cannot be random; *out is untouched then.
 */

/* 64 uniform bits. */
MUST_CHECK bool bits_word(struct bits *b, uint64_t *out);

/* Uniform on 0 .. n-1, n >= 1. */
MUST_CHECK bool bits_below(struct bits *b, u128 n, u128 *out);

/* True with probability num/den, num <= den, den >= 1. */
MUST_CHECK bool bits_bernoulli(struct bits *b, u128 num, u128 den, bool *out);

/* True with probability exp(-num/den), den >= 1 and den < 2^112.  (Canonne-Kamath-Steinke, Algorithm 1.) */
MUST_CHECK bool bits_bernoulli_exp(struct bits *b, u128 num, u128 den, bool *out);

/*
 * True with probability exp(-(a*q*t - p)^2 / (2*p*q*t^2)), in big integers, for when that fraction does not fit 128 bits.
 * p <= 2^110 and t <= 2^56, so the denominator and its small multiples stay below 2^304.
 */
MUST_CHECK bool bits_bernoulli_exp_gauss(struct bits *b, u128 a, u128 p, uint64_t q, u128 t, bool *out);

#endif
