/*
 * Randomness as a seam.  The shipped implementation is OpenSSL's generator (crypto/random.h); a deterministic one exists only in
 * tests/ and is handed in there.  Mechanisms take a struct rng and never look for one.
 */
#ifndef NG_BASE_RANDOM_H
#define NG_BASE_RANDOM_H

#include "base/compiler.h"

struct rng {
	/* Fills out with n uniform bytes.  False when the source fails: the release is aborted, the charge stays. */
	bool (*fill)(void *ctx, uint8_t *out, size_t n);
	void *ctx;
};

MUST_CHECK static inline bool rng_fill(const struct rng *r, void *out, size_t n)
{
	return r->fill(r->ctx, out, n);
}

#endif
