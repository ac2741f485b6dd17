/*
 * The same laws as noise_sample(), many samples fast: what depends on the scale is prepared once, random bytes come in kilobytes, and each Bernoulli trial with
 * an exponential probability takes one random word (expfix.h).  The law is exact, in integers throughout: the algorithms are those of noise.c
 * (Canonne, Kamath, Steinke), trial by trial; a trial that its first word does not decide is decided in big integers.
 */
#ifndef NG_MECHANISMS_SAMPLER_H
#define NG_MECHANISMS_SAMPLER_H

#include "mechanisms/bits.h"
#include "mechanisms/noise.h"

struct sampler {
	struct noise noise;
	u128 t;             /* Laplace: the numerator; Gaussian: floor(sigma) + 1 */
	uint64_t s;         /* Laplace: the denominator */
	bool fast;          /* within the fast path's range */
	uint64_t inverse;   /* Gaussian: 1 / (2 p q t^2) = inverse * 2^-inverse_bits, rounded down, inverse >= 2^63 */
	int inverse_bits;
	uint64_t margin;    /* what a trial's first word must be away from the estimate, in units of 2^-63; tests widen it */
};

/* False (ERR_INTERNAL) when the law is out of range or memory is out. */
MUST_CHECK bool sampler_init(struct sampler *s, const struct noise *n, struct error *e);

/* One sample from bits that the caller began (bits_begin_batch) and ends.  ERR_INTERNAL when the source fails; *out untouched then. */
MUST_CHECK bool sampler_draw(const struct sampler *s, struct bits *b, i128 *out, struct error *e);

/* n fresh samples.  As above; on failure nothing of out may be used. */
MUST_CHECK bool sampler_fill(const struct sampler *s, const struct rng *r, i128 *out, size_t n, struct error *e);

#endif
