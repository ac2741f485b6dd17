/*
 * The group of private set intersection: values hashed to P-256 and raised to a secret power (docs/psi.md).
 *
 * Hash to curve: RFC 9380, suite P256_XMD:SHA-256_SSWU_RO_.  Points travel compressed (SEC 1), 33 bytes.  P-256 has prime order: every point on the
 * curve but infinity generates the group, so a check that a point is on the curve is all that a stranger's point needs.
 * Hashing works on OpenSSL's big integers and is not constant in time: it happens on the owner's machine before the peer is spoken to.  Powers
 * use OpenSSL's constant-time multiplication.
 */
#ifndef NG_CRYPTO_PSI_CURVE_H
#define NG_CRYPTO_PSI_CURVE_H

#include "base/random.h"
#include "crypto/secret.h"

enum { PSI_POINT = 33, PSI_DST_MAX = 255, PSI_TAG = 16 };

struct psi_curve; /* one thread at a time */

/* What a point of both parties' powers is compared by: the first 16 bytes of SHA-256("noisegate psi tag v1", 0, point). */
struct psi_tag {
	uint64_t high, low;
};

/* A uniform exponent in [1, order).  False when the random source or OpenSSL fails. */
MUST_CHECK bool psi_exponent(const struct rng *r, struct secret_key *out);

/* exponent NULL: for hashing only.  NULL without memory. */
MUST_CHECK struct psi_curve *psi_curve_new(const struct secret_key *exponent);
void psi_curve_free(struct psi_curve *c); /* wipes; NULL is fine */

/* RFC 9380 hash_to_curve with domain separation tag dst (1 to 255 bytes).  False when OpenSSL fails. */
MUST_CHECK bool psi_hash(struct psi_curve *c, const char *dst, const void *message, size_t n, uint8_t out[PSI_POINT]);

/* The power of a point.  False when `in` is no point of the curve, or infinity. */
MUST_CHECK bool psi_power(struct psi_curve *c, const uint8_t in[PSI_POINT], uint8_t out[PSI_POINT]);

/* The tag of the power of a point.  False as above. */
MUST_CHECK bool psi_power_tag(struct psi_curve *c, const uint8_t in[PSI_POINT], struct psi_tag *out);

#endif
