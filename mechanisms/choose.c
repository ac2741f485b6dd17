#include "mechanisms/choose.h"

#include "mechanisms/calibrate.h"
#include "mechanisms/loss.h"

#include <math.h>

static void lower(u128 *norm, u128 bound)
{
	if (*norm == 0 || *norm > bound)
		*norm = bound;
}

/* norm <= a * b, when both are known and the product exists. */
static void lower_product(u128 *norm, u128 a, u128 b)
{
	u128 product;

	if (a > 0 && b > 0 && !__builtin_mul_overflow(a, b, &product))
		lower(norm, product);
}

bool sensitivity_complete(struct sensitivity *s, struct error *e)
{
	if (s->l2_squared > 0) { /* integers: |v_i| <= v_i^2, and v_i^2 <= n means |v_i| <= floor(sqrt(n)) */
		lower(&s->linf, number_root(s->l2_squared));
		lower(&s->l1, s->l2_squared);
		u128 product; /* Cauchy, Schwarz: l1^2 <= l0 l2^2 */
		if (s->l0 > 0 && !__builtin_mul_overflow(s->l0, s->l2_squared, &product))
			lower(&s->l1, number_root(product));
	}
	if (s->l1 > 0)
		lower(&s->linf, s->l1);
	lower_product(&s->l1, s->l0, s->linf);
	if (s->l1 > 0) {
		lower(&s->linf, s->l1);
		lower_product(&s->l2_squared, s->l1, s->linf);
		lower(&s->l1, s->l2_squared > 0 ? s->l2_squared : s->l1);
		lower(&s->l0, s->l1); /* each changed coordinate changes by 1 at least */
	}
	if (s->l0 > 0 && s->l1 > 0 && s->l2_squared > 0 && s->linf > 0)
		return true;
	fail(e, ERR_BAD_PARAMETER, "the sensitivity has no bound, or one beyond 128 bits");
	return error_hint(e, "Give l1, or l2, or l0 and linf.");
}

/* What the worst vector costs with scale b, as a double rounded up; infinity when out of range. */
static double laplace_price(const struct sensitivity *s, double b)
{
	u128 full = s->l1 / s->linf, rest = s->l1 % s->linf;
	double total = 0;

	for (int i = 0; i < 2; i++) {
		u128 step = i ? rest : s->linf;
		double times = i ? 1 : (double)full;
		struct eps epsilon;
		struct rho price;
		if (step == 0)
			continue;
		if (step > UINT64_MAX || !eps_round_up((double)step / b * (1 + 1e-15), &epsilon) ||
		    !loss_rho_of_laplace(epsilon, (uint64_t)step, &price))
			return INFINITY;
		total += rho_double(price) * times * (1 + 1e-14);
	}
	return total;
}

bool choose_laplace_zcdp(const struct sensitivity *s, struct rho rho, struct noise *out, struct error *e)
{
	const double goal = rho_double(rho);
	double lo = 0, hi = 1.0 / 1024;

	if (rho.pico == 0) {
		fail(e, ERR_BAD_PARAMETER, "epsilon is too small");
		return error_hint(e, "Choose a larger epsilon, or narrower bounds.");
	}
	while (laplace_price(s, hi) > goal) {
		lo = hi;
		hi *= 2;
		if (hi > 0x1p90)
			return fail(e, ERR_BAD_PARAMETER, "the sensitivity is too large for this epsilon");
	}
	for (int i = 0; i < 60; i++) {
		double mid = (lo + hi) / 2;
		if (laplace_price(s, mid) > goal)
			lo = mid;
		else
			hi = mid;
	}
	int bits = hi < 0x1p60 ? 20 : 0;
	*out = (struct noise){ NOISE_LAPLACE, (u128)ceil(ldexp(hi, bits)), (uint64_t)1 << bits };
	return true;
}

static bool approx_gaussian(const struct sensitivity *s, const struct choose_terms *t, struct noise *out, struct error *e)
{
	struct rho rho;

	if (s->l0 == 1 && s->linf <= UINT64_MAX)
		return calibrate_gaussian_approx((uint64_t)s->linf, t->epsilon, t->delta, out, e);
	if (!loss_rho_limit(t->epsilon, t->delta, &rho))
		return fail(e, ERR_BAD_PARAMETER, "epsilon and delta must be above 0");
	return calibrate_gaussian(s->l2_squared, rho, out, e);
}

bool choose_noise(const struct sensitivity *s, const struct choose_terms *t, struct choice *out, struct error *e)
{
	struct choice c = { 0 };
	struct error other;

	if (t->account == CHOOSE_ZCDP) {
		c.has_gaussian = calibrate_gaussian(s->l2_squared, t->rho, &c.gaussian, &other);
		c.has_laplace = choose_laplace_zcdp(s, t->rho, &c.laplace, e);
	} else {
		c.has_gaussian = t->account == CHOOSE_APPROX && t->delta.atto > 0 && approx_gaussian(s, t, &c.gaussian, &other);
		c.has_laplace = calibrate_laplace(s->l1, t->epsilon, &c.laplace, e);
	}
	if (!c.has_laplace && !c.has_gaussian)
		return false;
	c.gaussian_wins = !c.has_laplace || (c.has_gaussian && noise_deviation(&c.gaussian) < noise_deviation(&c.laplace));
	*out = c;
	return true;
}
