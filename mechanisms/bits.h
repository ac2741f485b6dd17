/* Exact random bits: uniform integers and Bernoulli trials with rational and exponential probabilities, no floating point. */
#ifndef NG_MECHANISMS_BITS_H
#define NG_MECHANISMS_BITS_H

#include "base/compiler.h"
#include "base/random.h"

/* Uniform on 0 .. n-1, n >= 1.  False when the random source fails. */
MUST_CHECK bool bits_below(const struct rng *r, u128 n, u128 *out);

/* True with probability num/den, num <= den, den >= 1. */
MUST_CHECK bool bits_bernoulli(const struct rng *r, u128 num, u128 den, bool *out);

/* True with probability exp(-num/den), den >= 1 and den < 2^112.  (Canonne-Kamath-Steinke, Algorithm 1.) */
MUST_CHECK bool bits_bernoulli_exp(const struct rng *r, u128 num, u128 den, bool *out);

/* As bits_bernoulli_exp for (a*q*t - p)^2 / (2*p*q*t^2) when that does not fit 128 bits; big integers.  p <= 2^110. */
MUST_CHECK bool bits_bernoulli_exp_gauss(const struct rng *r, u128 a, u128 p, uint64_t q, u128 t, bool *out);

#endif
