#include "mechanisms/moments.h"

#include <math.h>

static const i128 bound_max = (i128)1 << 60;

size_t moments_needed(enum moment what)
{
	if (what == MOMENT_MEAN)
		return MOMENTS_OF_MEAN;
	if (what == MOMENT_COUNT)
		return 1;
	return what >= MOMENT_VAR_POP && what <= MOMENT_STDDEV_SAMP ? MOMENTS_OF_VARIANCE : MOMENTS_OF_PAIR;
}

static bool bad_bounds(const struct moments_bounds *b, bool pair, struct error *e)
{
	bool ok = b->lo_x <= b->hi_x && b->lo_x >= -bound_max && b->hi_x <= bound_max;

	ok = ok && (!pair || (b->lo_y <= b->hi_y && b->lo_y >= -bound_max && b->hi_y <= bound_max));
	if (ok)
		return false;
	fail(e, ERR_BAD_PARAMETER, "the bounds are reversed or too wide for a variance");
	error_hint(e, "Declare narrower bounds, or a coarser grid.");
	return true;
}

/* |contribution| of one row to each part; an interval of one value counts as one step wide. */
static void reach(const struct moments_bounds *b, size_t n_parts, u128 out[MOMENT_PARTS])
{
	u128 wx = (u128)(b->hi_x - b->lo_x), wy = n_parts > MOMENTS_OF_VARIANCE ? (u128)(b->hi_y - b->lo_y) : 0;

	wx = wx ? wx : 1;
	wy = wy ? wy : 1;
	out[MOMENT_N] = 1;
	out[MOMENT_X] = wx;
	out[MOMENT_XX] = wx * wx;
	out[MOMENT_Y] = wy;
	out[MOMENT_YY] = wy * wy;
	out[MOMENT_XY] = wx * wy;
}

bool moments_calibrate(const struct moments_bounds *b, size_t n_parts, uint64_t rows, uint64_t groups, const struct choose_terms *terms,
		       struct moments_noise noise[MOMENT_PARTS], struct error *e)
{
	enum { FINE_BITS = 40 };
	struct choose_terms each = *terms;
	u128 linf[MOMENT_PARTS];

	BUG_IF(n_parts < 1 || n_parts > MOMENT_PARTS);
	if (bad_bounds(b, n_parts > MOMENTS_OF_VARIANCE, e))
		return false;
	reach(b, n_parts, linf);
	each.epsilon.pico /= n_parts;
	each.delta.atto /= n_parts;
	each.rho.pico /= n_parts;
	for (size_t i = 0; i < n_parts; i++) {
		struct sensitivity s = { .l0 = groups };
		struct choice c;
		if (rows == 0 || groups == 0 || __builtin_mul_overflow(linf[i], (u128)rows, &linf[i]))
			return fail(e, ERR_BAD_PARAMETER, "the sensitivity of a variance is too large");
		unsigned shift = 0;
		while (linf[i] >> shift >= (u128)1 << FINE_BITS)
			shift++;
		s.linf = (linf[i] >> shift) + ((linf[i] & (((u128)1 << shift) - 1)) != 0); /* see round_shift */
		if (!sensitivity_complete(&s, e) || !choose_noise(&s, &each, &c, e))
			return false;
		noise[i] = (struct moments_noise){ shift, c.gaussian_wins ? c.gaussian : c.laplace, s.linf };
	}
	return true;
}

/* v / 2^shift to the nearest integer, halves up: monotone, and moving v by d moves it by at most ceil(d / 2^shift). */
static i128 round_shift(i128 v, unsigned shift)
{
	if (shift == 0)
		return v;
	const i128 step = (i128)1 << shift;
	i128 q = v / step, r = v % step;
	if (r < 0) {
		r += step;
		q--;
	}
	return q + (r >= step / 2);
}

/* 2 sum X^2 - n w^2, exactly. */
static bool centre(i128 squares, i128 n, i128 width, i128 *out)
{
	i128 twice, spread;

	return !__builtin_mul_overflow(squares, 2, &twice) && !__builtin_mul_overflow(width, width, &spread) &&
	       !__builtin_mul_overflow(spread, n, &spread) && !__builtin_sub_overflow(twice, spread, out);
}

bool moments_release(const struct moments_bounds *b, size_t n_parts, const i128 plain[MOMENT_PARTS],
		     const struct moments_noise noise[MOMENT_PARTS], struct draws *d, struct moments *out, struct error *e)
{
	struct moments m = { .bounds = *b, .n_parts = n_parts };
	const i128 most = (i128)1 << 125;
	i128 exact[MOMENT_PARTS] = { 0 };
	bool ok = plain[MOMENT_N] >= 0;

	BUG_IF(n_parts < 1 || n_parts > MOMENT_PARTS);
	for (size_t i = 0; ok && i < n_parts; i++) {
		exact[i] = plain[i];
		if (i == MOMENT_XX)
			ok = centre(plain[i], plain[MOMENT_N], b->hi_x - b->lo_x, &exact[i]);
		if (i == MOMENT_YY)
			ok = centre(plain[i], plain[MOMENT_N], b->hi_y - b->lo_y, &exact[i]);
		ok = ok && exact[i] <= most && exact[i] >= -most;
	}
	for (size_t i = 0; ok && i < n_parts; i++) {
		i128 sample;
		if (!draws_sample(d, &noise[i].noise, &sample, e))
			return false;
		ok = !__builtin_add_overflow(round_shift(exact[i], noise[i].shift), sample, &m.part[i]) &&
		     !__builtin_mul_overflow(m.part[i], (i128)1 << noise[i].shift, &m.part[i]);
		m.noise[i] = noise[i];
	}
	if (!ok)
		return fail(e, ERR_UPSTREAM, "the upstream could not run the query");
	if (!draws_coin(d, &m.coin, e))
		return false;
	*out = m;
	return true;
}

/* --- statistics of public figures ---------------------------------------------------------------------------------------- */

/* The central moments in the column's units, from parts as doubles.  Not clamped. */
struct central {
	double n, x, y, xx, yy, xy; /* means; population variances and covariance */
};

static struct central centralise(const struct moments_bounds *b, const double p[MOMENT_PARTS])
{
	const double wx = (double)(b->hi_x - b->lo_x), wy = (double)(b->hi_y - b->lo_y);
	const double gx = decimal_double(b->grid_x) / 2, gy = decimal_double(b->grid_y) / 2; /* X counts half steps */
	double n = p[MOMENT_N] < 1 ? 1 : p[MOMENT_N], mx = p[MOMENT_X] / n, my = p[MOMENT_Y] / n;

	return (struct central){ .n = p[MOMENT_N],
				 .x = ((double)(b->lo_x + b->hi_x) + mx) * gx,
				 .y = ((double)(b->lo_y + b->hi_y) + my) * gy,
				 .xx = ((p[MOMENT_XX] / n + wx * wx) / 2 - mx * mx) * gx * gx,
				 .yy = ((p[MOMENT_YY] / n + wy * wy) / 2 - my * my) * gy * gy,
				 .xy = (p[MOMENT_XY] / n - mx * my) * gx * gy };
}

/* The statistic itself; NaN when there is none.  Deviations are of the variance here: roots are taken of the interval's ends. */
static double statistic(const struct central *c, enum moment what)
{
	const double sample = c->n > 1 ? c->n / (c->n - 1) : NAN, n = c->n > 0 ? c->n : 0;

	switch (what) {
	case MOMENT_MEAN:
		return c->x;
	case MOMENT_MEAN_Y:
		return c->y;
	case MOMENT_VAR_POP:
	case MOMENT_STDDEV_POP:
		return c->xx;
	case MOMENT_VAR_SAMP:
	case MOMENT_STDDEV_SAMP:
		return c->xx * sample;
	case MOMENT_COVAR_POP:
		return c->xy;
	case MOMENT_COVAR_SAMP:
		return c->xy * sample;
	case MOMENT_CORR:
	case MOMENT_R2:
		return c->xx > 0 && c->yy > 0 ? c->xy / sqrt(c->xx * c->yy) : NAN;
	case MOMENT_SLOPE:
		return c->xx > 0 ? c->xy / c->xx : NAN;
	case MOMENT_INTERCEPT:
		return c->xx > 0 ? c->y - c->xy / c->xx * c->x : NAN;
	case MOMENT_SXX:
		return c->xx * n;
	case MOMENT_SYY:
		return c->yy * n;
	case MOMENT_SXY:
		return c->xy * n;
	case MOMENT_COUNT:
		return c->n;
	}
	return NAN;
}

struct range {
	double lo, hi;
};

/* What the bounds allow, given the noised number of rows. */
static struct range possible(const struct moments_bounds *b, const struct central *c, enum moment what)
{
	const double gx = decimal_double(b->grid_x), gy = decimal_double(b->grid_y), n = c->n > 0 ? c->n : 0;
	const double sx = (double)(b->hi_x - b->lo_x) * gx / 2, sy = (double)(b->hi_y - b->lo_y) * gy / 2; /* largest deviations */
	const double sample = c->n > 1 ? c->n / (c->n - 1) : 1;

	switch (what) {
	case MOMENT_MEAN:
		return (struct range){ (double)b->lo_x * gx, (double)b->hi_x * gx };
	case MOMENT_MEAN_Y:
		return (struct range){ (double)b->lo_y * gy, (double)b->hi_y * gy };
	case MOMENT_VAR_POP:
	case MOMENT_STDDEV_POP:
		return (struct range){ 0, sx * sx };
	case MOMENT_VAR_SAMP:
	case MOMENT_STDDEV_SAMP:
		return (struct range){ 0, sx * sx * sample };
	case MOMENT_COVAR_POP:
		return (struct range){ -sx * sy, sx * sy };
	case MOMENT_COVAR_SAMP:
		return (struct range){ -sx * sy * sample, sx * sy * sample };
	case MOMENT_CORR:
	case MOMENT_R2:
		return (struct range){ -1, 1 };
	case MOMENT_SXX:
		return (struct range){ 0, sx * sx * n };
	case MOMENT_SYY:
		return (struct range){ 0, sy * sy * n };
	case MOMENT_SXY:
		return (struct range){ -sx * sy * n, sx * sy * n };
	case MOMENT_COUNT:
		return (struct range){ 0, INFINITY };
	case MOMENT_SLOPE: /* Cauchy and Schwarz: at most the ratio of the deviations, and y's is at most sy */
		return (struct range){ -sy / sqrt(c->xx), sy / sqrt(c->xx) };
	case MOMENT_INTERCEPT:
		break;
	}
	return (struct range){ -INFINITY, INFINITY };
}

static double clamp(double v, struct range r)
{
	return v < r.lo ? r.lo : v > r.hi ? r.hi : v;
}

/* How far noise of one deviation in part i moves the statistic: half a central difference. */
static double moved_by(const struct moments *m, const double p[MOMENT_PARTS], size_t i, enum moment what)
{
	const double step = ldexp(noise_deviation(&m->noise[i].noise), (int)m->noise[i].shift);
	double moved[2], at[MOMENT_PARTS];

	for (int side = 0; side < 2; side++) {
		for (size_t k = 0; k < MOMENT_PARTS; k++)
			at[k] = p[k];
		at[i] += side ? -step : step;
		struct central c = centralise(&m->bounds, at);
		moved[side] = statistic(&c, what);
	}
	return (moved[0] - moved[1]) / 2;
}

static double half_width(const struct moments *m, const double p[MOMENT_PARTS], enum moment what, double confidence)
{
	struct share shares[MOMENT_PARTS];

	if (what == MOMENT_COUNT)
		return ldexp(noise_half_width_fair(&m->noise[MOMENT_N].noise, confidence, m->coin), (int)m->noise[MOMENT_N].shift);
	for (size_t i = 0; i < m->n_parts; i++) {
		double d = fabs(moved_by(m, p, i, what));
		shares[i] = (struct share){ isnan(d) ? INFINITY : d, m->noise[i].noise.kind == NOISE_LAPLACE };
	}
	return interval_half_width(shares, m->n_parts, confidence);
}

/* A slope is a ratio whose denominator may be small. */
static struct range slope_interval(const struct moments *m, const double p[MOMENT_PARTS], const struct central *c, double confidence)
{
	struct ratio_share shares[MOMENT_PARTS];
	struct range r = { -INFINITY, INFINITY };
	double low, high;

	for (size_t i = 0; i < m->n_parts; i++)
		shares[i] = (struct ratio_share){ moved_by(m, p, i, MOMENT_COVAR_POP), moved_by(m, p, i, MOMENT_VAR_POP), m->noise[i].noise.kind == NOISE_LAPLACE };
	if (interval_ratio(c->xy, c->xx, shares, m->n_parts, confidence, &low, &high))
		r = (struct range){ low, high };
	return r;
}

static void square(struct estimate *e)
{
	const double a = e->low * e->low, b = e->high * e->high;
	const bool around_zero = e->low <= 0 && e->high >= 0;

	e->value *= e->value;
	e->low = around_zero ? 0 : a < b ? a : b;
	e->high = a > b ? a : b;
}

struct estimate moments_estimate(const struct moments *m, enum moment what, double confidence)
{
	double p[MOMENT_PARTS] = { 0 };

	BUG_IF(moments_needed(what) > m->n_parts);
	for (size_t i = 0; i < m->n_parts; i++)
		p[i] = (double)m->part[i];
	struct central c = centralise(&m->bounds, p);
	double value = statistic(&c, what);
	if (isnan(value))
		return (struct estimate){ .null = true };
	struct range r = possible(&m->bounds, &c, what);
	struct range ends;
	if (what == MOMENT_SLOPE) {
		ends = slope_interval(m, p, &c, confidence);
	} else {
		double w = half_width(m, p, what, confidence);
		ends = (struct range){ value - w, value + w };
	}
	struct estimate e = { false, clamp(value, r), clamp(ends.lo, r), clamp(ends.hi, r) };
	if (what == MOMENT_STDDEV_POP || what == MOMENT_STDDEV_SAMP) {
		e.value = sqrt(e.value);
		e.low = sqrt(e.low);
		e.high = sqrt(e.high);
	} else if (what == MOMENT_R2) {
		square(&e);
	}
	return e;
}
