#include "mechanisms/shown.h"

#include <math.h>

static const char *text_of(struct arena *a, struct decimal d)
{
	struct wr w;

	wr_init(&w, a, 128);
	decimal_put(&w, d);
	return wr_ok(&w) ? wr_text(&w) : NULL;
}

const char *shown_units(struct arena *a, const struct release_value *v, i128 units)
{
	i128 digits;
	bool fits = !__builtin_mul_overflow(units, v->grid.digits, &digits);

	if (v->format == FORMAT_INT8) {
		if (!fits || digits > INT64_MAX || digits < INT64_MIN)
			digits = units < 0 ? INT64_MIN : INT64_MAX;
		return text_of(a, (struct decimal){ digits, 0 });
	}
	return fits ? text_of(a, (struct decimal){ digits, v->grid.scale }) : NULL;
}

/* a / b rounded half away from zero, b > 0. */
static i128 divide_rounded(i128 a, i128 b)
{
	i128 q = a / b, r = a % b;

	if (r < 0)
		r = -r;
	if (r >= b - r)
		q += a < 0 ? -1 : 1;
	return q;
}

/*
 * (lo + hi)/2 + S/(2n) on noised n and S: post-processing in integers, clamped to the bounds.  Whatever fails or saturates here depends on
 * noised values only.  The whole part is divided off first, so that the fractional digits cannot overflow: n <= 2^60, scale <= 10^12.
 */
static const char *average(struct arena *a, const struct release_value *v, i128 n, i128 sum)
{
	const i128 most = (i128)1 << 60;
	i128 scale = 1, spread, total, mean;

	n = n < 1 ? 1 : n > most ? most : n;
	for (int i = 0; i < v->extra_scale; i++)
		scale *= 10;
	if (__builtin_mul_overflow(v->hi - v->lo, n, &spread) || __builtin_mul_overflow(v->lo + v->hi, n, &total))
		return NULL;
	sum = sum > spread ? spread : sum < -spread ? -spread : sum; /* beyond it the mean is at a bound anyway */
	if (__builtin_add_overflow(total, sum, &total) || __builtin_mul_overflow(total / (2 * n), scale, &mean) ||
	    __builtin_add_overflow(mean, divide_rounded(total % (2 * n) * scale, 2 * n), &mean) ||
	    __builtin_mul_overflow(mean, v->grid.digits, &mean))
		return NULL;
	return text_of(a, (struct decimal){ mean, v->grid.scale + v->extra_scale });
}


static const double int8_limit = 9223372036854774784.0; /* the largest double below 2^63 */

/* An estimate in the column's own unit. */
static const char *real(struct arena *a, const struct release_value *v, double x)
{
	int scale = v->grid.scale + v->extra_scale;

	if (v->format == FORMAT_INT8) {
		double limited = x > int8_limit ? int8_limit : x < -int8_limit ? -int8_limit : x;
		return arena_printf(a, "%lld", llround(limited));
	}
	if (v->format == FORMAT_FLOAT8)
		return arena_printf(a, "%.15g", x);
	return arena_printf(a, "%.*f", scale > 12 ? 12 : scale, x);
}

static double end_of(const struct estimate *x, enum release_end end)
{
	return end == END_LOW ? x->low : end == END_HIGH ? x->high : x->value;
}

/* Whole grid units away from the noised number. */
static i128 away(const struct drawn *d, const struct noise *noise, double confidence, enum release_end end)
{
	const i128 x = d->x;
	i128 out;

	if (end == END_VALUE)
		return x;
	const double width = noise_half_width_fair(noise, confidence, d->coin);
	const i128 step = width < 1e30 ? (i128)width : (i128)1 << 100;
	if (__builtin_add_overflow(x, end == END_LOW ? -step : step, &out))
		return x;
	return out;
}

/* The mean mid + S / (2n): an end of the ratio's interval, clamped to the bounds; a bound where the count cannot be told from 0. */
static const char *average_end(struct arena *a, const struct release_value *v, const struct release_value *source, const struct drawn *d,
			       double confidence)
{
	const struct ratio_share shares[] = { { noise_deviation(&source->noise_sum), 0, source->noise_sum.kind == NOISE_LAPLACE },
					      { 0, noise_deviation(&source->noise), source->noise.kind == NOISE_LAPLACE } };
	double low = -INFINITY, high = INFINITY, unit = decimal_double(v->grid);

	if (d->x < 1 || !interval_ratio((double)d->sum, (double)d->x, shares, 2, confidence, &low, &high)) {
		low = -INFINITY;
		high = INFINITY;
	}
	double mean = ((double)(v->lo + v->hi) + (v->end == END_LOW ? low : high)) / 2;
	mean = mean < (double)v->lo ? (double)v->lo : mean > (double)v->hi ? (double)v->hi : mean;
	return real(a, v, mean * unit);
}

static const char *quantile_text(struct arena *a, const struct release_value *v, const struct drawn *d)
{
	const struct quantile *q = &d->quantiles[v->rank];
	uint64_t index = v->end == END_LOW ? q->low : v->end == END_HIGH ? q->high : q->index;

	return shown_units(a, v, v->lo + (i128)index);
}

bool shown_text(struct arena *a, const struct release_value *v, const struct release_value *source, const struct drawn *d, double confidence,
		const char **out)
{
	if (v->kind == RELEASE_MOMENT) {
		struct estimate x = moments_estimate(&d->moments, v->what, v->end == END_VALUE ? 0.5 : confidence);
		*out = x.null ? NULL : real(a, v, end_of(&x, v->end));
		return x.null || *out;
	}
	if (v->kind == RELEASE_QUANTILE)
		*out = quantile_text(a, v, d);
	else if (v->kind == RELEASE_AVG)
		*out = v->end == END_VALUE ? average(a, v, d->x, d->sum) : average_end(a, v, source, d, confidence);
	else
		*out = shown_units(a, v, away(d, v->kind == RELEASE_CLIPPED ? &d->noise : &source->noise, confidence, v->end));
	return *out != NULL;
}
