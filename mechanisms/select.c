#include "mechanisms/select.h"

#include "base/mem.h"
#include "mechanisms/analytic.h"
#include "mechanisms/loss.h"

#include <math.h>

/* e^30 and its inverse keep all products below within 128 bits; a law for less than a group may cost is still within the price. */
static const struct eps epsilon_most = { 30 * EPS_ONE };

/* exp() of the C library is within one unit in the last place; these factors are four. */
static const double above = 1 + 0x1p-50, below = 1 - 0x1p-50;

/* --- the optimal law -------------------------------------------------------------------------------------------------------------- */

/* A factor as an exact fraction: mantissa * 2^-shift. */
struct factor {
	uint64_t mantissa;
	unsigned shift;
};

static struct factor factor_of(double v)
{
	int exponent;
	double m = frexp(v, &exponent); /* v = m 2^exponent, m in [1/2, 1): 53 bits make it whole */

	return (struct factor){ (uint64_t)ldexp(m, 53), (unsigned)(53 - exponent) };
}

struct step {
	struct factor grow;   /* at most e^e */
	struct factor shrink; /* at least e^-e */
	uint64_t delta;       /* at most d 2^63 */
};

static uint64_t next(const struct step *s, uint64_t p)
{
	/* p 2^53 < 2^117, and the shift is at least 9 as e <= 30 */
	u128 up = (((u128)p * s->grow.mantissa) >> s->grow.shift) + s->delta;
	uint64_t rest = SELECT_ALWAYS - p, cap = SELECT_ALWAYS;

	if (rest > s->delta) { /* 1 - e^-e (rest - d), the product rounded up; its shift is at most 97 */
		u128 product = (u128)(rest - s->delta) * s->shrink.mantissa;
		u128 unit = (u128)1 << s->shrink.shift;
		cap = SELECT_ALWAYS - (uint64_t)((product + unit - 1) / unit);
	}
	return up < cap ? (uint64_t)up : cap;
}

static struct step step_of(const struct select_law *law)
{
	double e = eps_double(law->epsilon);

	return (struct step){ factor_of(exp(e) * below), factor_of(exp(-e) * above), (uint64_t)(law->delta * 0x1p63) };
}

/* How many steps until p is 1: the branch that grows, then the branch that closes in. */
static double steps_of(const struct select_law *law)
{
	double e = eps_double(law->epsilon), d = law->delta;

	return 2 * (log1p(tanh(e / 2) * (1 / d - 1)) / e) + 4;
}

/* d 2^63 must be a number that rounding does not spoil, and the table must end. */
static bool applies(const struct select_law *law)
{
	return law->epsilon.pico > 0 && law->delta * 0x1p63 >= 16 && steps_of(law) <= SELECT_STEPS_MAX / 2;
}

bool select_law_pure(struct eps price, uint64_t groups, struct delta delta, uint64_t minimum, struct select_law *out)
{
	struct select_law law = { .epsilon = { price.pico / groups }, .minimum = minimum };

	if (law.epsilon.pico > epsilon_most.pico)
		law.epsilon = epsilon_most;
	law.delta = delta.atto >= DELTA_ONE ? 0 : analytic_delta_per_group(delta_double(delta), groups) * (1 - 1e-12);
	*out = law;
	return applies(&law);
}

bool select_law_zcdp(struct rho price, uint64_t groups, struct delta delta, uint64_t minimum, struct select_law *out)
{
	struct eps all;

	if (__builtin_mul_overflow(loss_pure_of_rho((struct rho){ price.pico / groups }).pico, groups, &all.pico))
		return false;
	return select_law_pure(all, groups, delta, minimum, out);
}

double select_law_half(const struct select_law *law)
{
	uint64_t lo = 0, hi = SELECT_STEPS_MAX;

	while (hi - lo > 1) {
		uint64_t middle = lo + (hi - lo) / 2;
		bool half = analytic_optimal_keep(eps_double(law->epsilon), law->delta, 1, middle) >= 0.5;
		*(half ? &hi : &lo) = middle;
	}
	return (double)hi + (double)(law->minimum - 1);
}

bool select_table_make(const struct select_law *law, struct arena *a, struct select_table *out, struct error *e)
{
	const struct step s = step_of(law);
	size_t cap, n = 1;

	BUG_IF(!applies(law));
	cap = 2 * (size_t)steps_of(law); /* rounding may add a few steps */
	uint64_t *keep = arena_array(a, cap, uint64_t);
	if (!keep)
		return fail_memory(e);
	for (keep[0] = 0; keep[n - 1] < SELECT_ALWAYS; n++) {
		if (n == cap)
			return fail(e, ERR_INTERNAL, "the selection law has too many steps");
		keep[n] = next(&s, keep[n - 1]);
	}
	*out = (struct select_table){ keep, n };
	return true;
}

bool select_draw(const struct select_law *law, const struct select_table *t, i128 units, const struct rng *r, bool *keep, struct error *e)
{
	const i128 counted = units - (i128)(law->minimum - 1);
	uint64_t bits;

	if (!rng_fill(r, &bits, sizeof(bits)))
		return fail(e, ERR_INTERNAL, "the random source failed");
	uint64_t p = counted <= 0 ? 0 : counted >= (i128)t->n ? SELECT_ALWAYS : t->keep[counted];
	*keep = bits >> 1 < p;
	mem_wipe(&bits, sizeof(bits));
	return true;
}

/* --- the threshold ---------------------------------------------------------------------------------------------------------------- */

double select_delta(const struct noise *n, uint64_t groups, i128 threshold)
{
	double p = noise_tail(n, threshold - 1);

	return p >= 1 ? 1 : -expm1((double)groups * log1p(-p)) * (1 + 1e-9);
}

bool select_threshold(const struct noise *n, uint64_t groups, struct delta delta, i128 *threshold, struct error *e)
{
	const double goal = delta_double(delta);
	i128 lo = 0, hi = 2;

	if (delta.atto == 0 || groups == 0)
		return fail(e, ERR_BAD_PARAMETER, "group selection needs a delta above 0");
	while (select_delta(n, groups, hi) > goal) {
		lo = hi;
		if (hi > (i128)1 << 100)
			return fail(e, ERR_BAD_PARAMETER, "no threshold reaches this delta");
		hi *= 2;
	}
	while (hi - lo > 1) { /* lo fails (or is 0), hi holds */
		i128 mid = lo + (hi - lo) / 2;
		if (select_delta(n, groups, mid) <= goal)
			hi = mid;
		else
			lo = mid;
	}
	*threshold = hi;
	return true;
}
