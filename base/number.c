#include "base/number.h"

#include <ctype.h>
#include <math.h>

bool number_i128(const char *s, i128 lo, i128 hi, i128 *out)
{
	bool negative = *s == '-';
	i128 v = 0;

	if (*s == '-' || *s == '+')
		s++;
	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		int digit = *s - '0';
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, negative ? -digit : digit, &v))
			return false;
	}
	if (v < lo || v > hi)
		return false;
	*out = v;
	return true;
}

bool number_i64(const char *s, int64_t lo, int64_t hi, int64_t *out)
{
	i128 v;

	if (!number_i128(s, lo, hi, &v))
		return false;
	*out = (int64_t)v;
	return true;
}

static u128 magnitude(i128 v)
{
	return v < 0 ? (u128)0 - (u128)v : (u128)v;
}

u128 number_root(u128 n)
{
	u128 lo = 0, hi = (u128)1 << 64; /* lo^2 <= n < hi^2 */

	while (hi - lo > 1) {
		u128 mid = lo + (hi - lo) / 2;
		if (mid <= n / mid)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

void number_put_i128(struct wr *w, i128 v)
{
	decimal_put(w, (struct decimal){ v, 0 });
}

/* v * 10^n; false on overflow. */
static bool times_ten(i128 v, int n, i128 *out)
{
	for (; n > 0; n--) {
		if (__builtin_mul_overflow(v, 10, &v))
			return false;
	}
	*out = v;
	return true;
}

struct decimal decimal_normal(struct decimal d)
{
	while (d.scale > 0 && d.digits % 10 == 0) {
		d.digits /= 10;
		d.scale--;
	}
	return d;
}

static bool parse_mantissa(const char **at, i128 *digits, int *scale)
{
	const char *s = *at;
	bool negative = *s == '-', seen = false, fraction = false;

	if (*s == '-' || *s == '+')
		s++;
	for (; *s == '.' || (*s >= '0' && *s <= '9'); s++) {
		if (*s == '.') {
			if (fraction)
				return false;
			fraction = true;
			continue;
		}
		int digit = *s - '0';
		if (__builtin_mul_overflow(*digits, 10, digits) ||
		    __builtin_add_overflow(*digits, negative ? -digit : digit, digits))
			return false;
		*scale += fraction;
		seen = true;
	}
	*at = s;
	return seen;
}

bool decimal_parse(const char *s, struct decimal *out)
{
	i128 digits = 0;
	int scale = 0;
	int64_t exponent = 0;

	if (!parse_mantissa(&s, &digits, &scale))
		return false;
	if (*s == 'e' || *s == 'E') {
		if (!number_i64(s + 1, -60, 60, &exponent))
			return false;
	} else if (*s) {
		return false;
	}
	scale -= (int)exponent;
	if (scale < 0) {
		if (!times_ten(digits, -scale, &digits))
			return false;
		scale = 0;
	}
	struct decimal d = { digits, scale };
	d = decimal_normal(d);
	if (d.scale > DECIMAL_MAX_SCALE)
		return false;
	*out = d;
	return true;
}

bool decimal_rescale(struct decimal d, int scale, i128 *digits)
{
	return scale >= d.scale && times_ten(d.digits, scale - d.scale, digits);
}

/* Both at the larger of the two scales. */
static bool align(struct decimal a, struct decimal b, i128 *x, i128 *y, int *scale)
{
	*scale = a.scale > b.scale ? a.scale : b.scale;
	return decimal_rescale(a, *scale, x) && decimal_rescale(b, *scale, y);
}

bool decimal_compare(struct decimal a, struct decimal b, int *order)
{
	i128 x, y;
	int scale;

	if (!align(a, b, &x, &y, &scale))
		return false;
	*order = (x > y) - (x < y);
	return true;
}

bool decimal_add(struct decimal a, struct decimal b, struct decimal *sum)
{
	i128 x, y, z;
	int scale;

	if (!align(a, b, &x, &y, &scale) || __builtin_add_overflow(x, y, &z))
		return false;
	*sum = decimal_normal((struct decimal){ z, scale });
	return true;
}

bool decimal_multiply(struct decimal a, struct decimal b, struct decimal *product)
{
	i128 z;

	if (__builtin_mul_overflow(a.digits, b.digits, &z))
		return false;
	struct decimal d = decimal_normal((struct decimal){ z, a.scale + b.scale });
	if (d.scale > DECIMAL_MAX_SCALE)
		return false;
	*product = d;
	return true;
}

static bool div_parts(struct decimal d, struct decimal unit, i128 *q, i128 *r)
{
	i128 x, y;
	int scale;

	if (!align(d, unit, &x, &y, &scale) || y <= 0)
		return false;
	*q = x / y;
	*r = x % y;
	return true;
}

bool decimal_floor_div(struct decimal d, struct decimal unit, i128 *q)
{
	i128 r;

	if (!div_parts(d, unit, q, &r))
		return false;
	*q -= r < 0;
	return true;
}

bool decimal_ceil_div(struct decimal d, struct decimal unit, i128 *q)
{
	i128 r;

	if (!div_parts(d, unit, q, &r))
		return false;
	*q += r > 0;
	return true;
}

void decimal_put(struct wr *w, struct decimal d)
{
	char text[64];
	int n = 0;

	BUG_IF(d.scale < 0 || d.scale >= (int)sizeof(text));
	for (u128 v = magnitude(d.digits); v > 0 || n <= d.scale; v /= 10)
		text[n++] = (char)('0' + (int)(v % 10));
	if (d.digits < 0)
		wr_u8(w, '-');
	while (n > 0) {
		wr_u8(w, (uint8_t)text[--n]);
		if (n == d.scale && n > 0)
			wr_u8(w, '.');
	}
}

double decimal_double(struct decimal d)
{
	return (double)((long double)d.digits / powl(10.0L, d.scale));
}
