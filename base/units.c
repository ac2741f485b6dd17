#include "base/units.h"

#include <math.h>

static bool add(uint64_t a, uint64_t b, uint64_t max, uint64_t *sum)
{
	uint64_t s;

	if (__builtin_add_overflow(a, b, &s) || s > max)
		return false;
	*sum = s;
	return true;
}

bool eps_add(struct eps a, struct eps b, struct eps *sum)
{
	return add(a.pico, b.pico, UNIT_MAX, &sum->pico);
}

bool rho_add(struct rho a, struct rho b, struct rho *sum)
{
	return add(a.pico, b.pico, UNIT_MAX, &sum->pico);
}

bool delta_add(struct delta a, struct delta b, struct delta *sum)
{
	return add(a.atto, b.atto, DELTA_ONE, &sum->atto);
}

static bool from_decimal(struct decimal d, int scale, uint64_t max, uint64_t *out)
{
	i128 v;

	if (!decimal_rescale(decimal_normal(d), scale, &v) || v < 0 || v > (i128)max)
		return false;
	*out = (uint64_t)v;
	return true;
}

bool eps_from_decimal(struct decimal d, struct eps *out)
{
	return from_decimal(d, EPS_SCALE, UNIT_MAX, &out->pico);
}

bool delta_from_decimal(struct decimal d, struct delta *out)
{
	return from_decimal(d, DELTA_SCALE, DELTA_ONE, &out->atto);
}

/*
 * v * one in extended precision errs by less than one part in 2^60; the nudge before rounding up (down) is larger than that error.
 * Only so do charges stay at or above, and limits at or below, the true product.
 */
static bool rounded(double v, uint64_t one, uint64_t max, bool up, uint64_t *out)
{
	const long double nudge = 0x1p-60L;

	if (!(v >= 0) || v > 1e6)
		return false;
	long double x = (long double)v * (long double)one;
	x = up ? ceill(x * (1.0L + nudge)) : floorl(x * (1.0L - nudge));
	if (x > (long double)max)
		return false;
	*out = (uint64_t)x;
	return true;
}

bool eps_round_up(double v, struct eps *out)
{
	return rounded(v, EPS_ONE, UNIT_MAX, true, &out->pico);
}

bool rho_round_up(double v, struct rho *out)
{
	return rounded(v, EPS_ONE, UNIT_MAX, true, &out->pico);
}

bool rho_round_down(double v, struct rho *out)
{
	return rounded(v, EPS_ONE, UNIT_MAX, false, &out->pico);
}

bool delta_round_up(double v, struct delta *out)
{
	return rounded(v, DELTA_ONE, DELTA_ONE, true, &out->atto);
}

double eps_double(struct eps e)
{
	return (double)e.pico / (double)EPS_ONE;
}

double rho_double(struct rho r)
{
	return (double)r.pico / (double)EPS_ONE;
}

double delta_double(struct delta d)
{
	return (double)d.atto / (double)DELTA_ONE;
}

static void put(struct wr *w, uint64_t v, int scale)
{
	decimal_put(w, decimal_normal((struct decimal){ (i128)v, scale }));
}

void eps_put(struct wr *w, struct eps e)
{
	put(w, e.pico, EPS_SCALE);
}

void rho_put(struct wr *w, struct rho r)
{
	put(w, r.pico, EPS_SCALE);
}

void delta_put(struct wr *w, struct delta d)
{
	put(w, d.atto, DELTA_SCALE);
}
