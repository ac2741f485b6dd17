/*
 * Exponentials in fixed point, with a stated error, and the exact decision behind them: how the fast samplers (sampler.h) draw Bernoulli trials with probability
 * exp(-g) from one random word without losing exactness.
 *
 * A uniform real r in [0, 1) is drawn word by word.  Its first word nearly always decides r < exp(-g) by an enclosure of exp(-g); when it falls inside the
 * enclosure, more words and a big-integer evaluation decide.  So the law is exact whatever the enclosure's width, which is only a matter of speed.
 */
#ifndef NG_MECHANISMS_EXPFIX_H
#define NG_MECHANISMS_EXPFIX_H

#include "mechanisms/bits.h"

#include <openssl/bn.h>

enum { EXPFIX_WHOLE = 44, EXPFIX_ERROR = 16 };

/* exp(-(whole + fraction / 2^64)) * 2^63, whole <= EXPFIX_WHOLE, off by at most EXPFIX_ERROR either way. */
uint64_t expfix(unsigned whole, uint64_t fraction);

/* floor(exp(-n) * 2^64) for 1 <= n <= EXPFIX_WHOLE: exact. */
uint64_t expfix_power(unsigned n);

/*
 * Given that r, uniform, has the first `known` (63 or 64) bits `first`: whether r < exp(-num/den), num/den in [0, 64], deciding with 192 more bits.  False when the
 * source fails, memory is out, or even those bits do not decide (probability below 2^-180).
 */
MUST_CHECK bool expfix_decide(struct bits *b, uint64_t first, int known, const BIGNUM *num, const BIGNUM *den, bool *below);

#endif
