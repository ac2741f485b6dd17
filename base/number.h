/*
 * The one number parser: whole string, bounds in the call, no locale, no silent saturation.  Exact decimals for policy bounds,
 * grids and released sums; no floating point.
 */
#ifndef NG_BASE_NUMBER_H
#define NG_BASE_NUMBER_H

#include "base/bytes.h"
#include "base/compiler.h"

/* Optional sign, digits, nothing else; false (out untouched) when malformed or outside [lo, hi]. */
MUST_CHECK bool number_i64(const char *s, int64_t lo, int64_t hi, int64_t *out);
MUST_CHECK bool number_i128(const char *s, i128 lo, i128 hi, i128 *out);

/* The largest r with r^2 <= n. */
u128 number_root(u128 n);

/* Writes v in decimal. */
void number_put_i128(struct wr *w, i128 v);

/* value = digits * 10^-scale; scale in 0..DECIMAL_MAX_SCALE.  Not normalised unless said so. */
struct decimal {
	i128 digits;
	int scale;
};

enum { DECIMAL_MAX_SCALE = 30 };

/* Sign, digits, optional fraction, optional exponent (1e-6, 2.5E3); normalised (no trailing zeros).  False when malformed or too long. */
MUST_CHECK bool decimal_parse(const char *s, struct decimal *out);

/* Without trailing fractional zeros. */
struct decimal decimal_normal(struct decimal d);

/* The digits at a larger scale: d == result * 10^-scale.  False on overflow or when scale < d.scale. */
MUST_CHECK bool decimal_rescale(struct decimal d, int scale, i128 *digits);

/* -1, 0, 1.  False in the unlikely overflow of bringing both to one scale. */
MUST_CHECK bool decimal_compare(struct decimal a, struct decimal b, int *order);

/* Exact; false on overflow. */
MUST_CHECK bool decimal_add(struct decimal a, struct decimal b, struct decimal *sum);
MUST_CHECK bool decimal_multiply(struct decimal a, struct decimal b, struct decimal *product);

/* d / unit rounded toward minus (floor) or plus infinity (ceil), unit > 0: bounds in grid units.  False on overflow. */
MUST_CHECK bool decimal_floor_div(struct decimal d, struct decimal unit, i128 *q);
MUST_CHECK bool decimal_ceil_div(struct decimal d, struct decimal unit, i128 *q);

/* Plain decimal text, "-0.05", never an exponent; all `scale` fractional digits. */
void decimal_put(struct wr *w, struct decimal d);

/* Nearest double.  For calibration, intervals and display only: never for a value that came from data. */
double decimal_double(struct decimal d);

#endif
