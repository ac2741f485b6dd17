/*
 * All the noise of one release: the one place that decides how a sample is drawn.  Each noise law is prepared once, however many rows and values draw from it
 * (sampler.h), and random bytes are taken by the kilobyte.  Every sample has exactly the law of noise_sample(), and is independent of all others.
 *
 * What must hold: a byte of the source is used for one sample and then never again; what is left is wiped at the end.
 */
#ifndef NG_MECHANISMS_DRAWS_H
#define NG_MECHANISMS_DRAWS_H

#include "mechanisms/sampler.h"

enum { DRAWS_LAWS = 16, DRAWS_POOL = 4096 };

struct draws {
	struct bits bits;
	struct sampler prepared[DRAWS_LAWS]; /* a release with more laws than this prepares some of them again */
	size_t n_prepared, next;             /* next: whose place the next law takes once all are in use */
	uint8_t pool[DRAWS_POOL];            /* SECRET */
};

/* The object must not move or be copied until draws_end(), and is for one thread. */
void draws_begin(struct draws *d, const struct rng *r);
void draws_end(struct draws *d);

/* One fresh sample.  ERR_INTERNAL when the source fails or the law is out of range, ERR_NO_MEMORY; *out untouched then. */
MUST_CHECK bool draws_sample(struct draws *d, const struct noise *n, i128 *out, struct error *e);

/* 64 fresh uniform bits, for post-processing.  ERR_INTERNAL when the source fails. */
MUST_CHECK bool draws_coin(struct draws *d, uint64_t *out, struct error *e);

#endif
