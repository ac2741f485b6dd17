/* Totals: exact prices, the laws' own Renyi curves, and which method is allowed to say what. */
#include "mechanisms/compose.h"
#include "mechanisms/loss.h"

#include <criterion/criterion.h>
#include <math.h>

static struct eps eps_of(double v)
{
	return (struct eps){ (uint64_t)llround(v * 1e12) };
}

static const struct delta micro = { DELTA_ONE / 1000000 };

static struct totals total_of(struct use u, struct delta target)
{
	struct totals t;
	struct error e;

	cr_assert(compose_total(&u, 1, target, &t, &e), "%s", e.message);
	return t;
}

/* The Renyi divergence of discrete Laplace noise of rate a per step shifted by d, order alpha, by plain summation. */
static long double renyi(long double a, int d, long double alpha)
{
	long double sum = 0, all = 0;
	int reach = (int)(45 / a) + d;

	for (int x = -reach; x <= reach; x++) {
		long double p = -a * abs(x), q = -a * abs(x - d);
		sum += expl(alpha * p + (1 - alpha) * q);
		all += expl(p);
	}
	return logl(sum / all) / (alpha - 1);
}

Test(compose, no_order_of_the_discrete_laplace_curve_exceeds_its_price)
{
	static const double epsilons[] = { 0.05, 0.5, 1, 3, 8 };
	static const int steps[] = { 1, 2, 3, 7, 40 };
	static const double orders[] = { 1.0001, 1.01, 1.1, 1.5, 2, 3, 5, 10, 30 };

	for (size_t i = 0; i < ARRAY_LEN(epsilons); i++) {
		for (size_t j = 0; j < ARRAY_LEN(steps); j++) {
			struct rho price;
			cr_assert(loss_rho_of_laplace(eps_of(epsilons[i]), (uint64_t)steps[j], &price));
			long double a = epsilons[i] / steps[j];
			for (size_t k = 0; k < ARRAY_LEN(orders); k++) {
				long double r = renyi(a, steps[j], orders[k]);
				cr_expect(r <= orders[k] * (long double)rho_double(price) * (1 + 1e-9L), "epsilon %g, %d steps, order %g", epsilons[i], steps[j], orders[k]);
			}
			/* and the price is the limit at order 1, so nothing is wasted */
			cr_expect(renyi(a, steps[j], 1.0001L) > (long double)rho_double(price) * 0.999L, "epsilon %g, %d steps", epsilons[i], steps[j]);
		}
	}
}

Test(compose, laplace_prices_fall_from_the_pure_price_to_the_continuous_one)
{
	struct rho last, now, pure;

	cr_assert(loss_rho_of_pure(eps_of(2), &pure) && loss_rho_of_laplace(eps_of(2), 1, &last));
	cr_expect(last.pico <= pure.pico && pure.pico - last.pico <= 1);
	for (uint64_t steps = 2; steps < 1000000000; steps *= 3) {
		cr_assert(loss_rho_of_laplace(eps_of(2), steps, &now));
		cr_expect(now.pico <= last.pico, "%lu steps", (unsigned long)steps);
		last = now;
	}
	cr_assert(loss_rho_of_laplace(eps_of(2), 0, &now));
	cr_expect(now.pico <= last.pico && last.pico - now.pico <= 2);
	cr_expect(fabs(rho_double(now) - (1 + exp(-2))) < 2e-12 && rho_double(now) >= 1 + exp(-2));
}

Test(compose, the_renyi_total_uses_the_curves_themselves)
{
	/* one use at a large target delta: the best order is found, and its value is the curve's plus the conversion */
	for (uint64_t steps = 1; steps <= 7; steps += 3) {
		struct totals t = total_of((struct use){ .kind = USE_LAPLACE, .count = 50, .epsilon = eps_of(0.3), .steps = steps }, micro);
		cr_assert(t.rdp.defined && t.rdp.order > 1);
		long double a = t.rdp.order, curve = 50 * renyi(0.3L / (long double)steps, (int)steps, a);
		long double want = curve + log1pl(-1 / a) - (logl(1e-6L) + logl(a)) / (a - 1);
		cr_expect(fabsl((long double)eps_double(t.rdp.epsilon) - want) < 1e-6L, "%lu steps: %g and %Lg", (unsigned long)steps, eps_double(t.rdp.epsilon), want);
	}
}

Test(compose, exact_sums_are_exact)
{
	struct totals t = total_of((struct use){ .kind = USE_PURE, .count = 10, .epsilon = eps_of(0.1) }, micro);

	cr_expect(t.pure.defined && t.pure.epsilon.pico == EPS_ONE);
	cr_expect(t.approx.defined && t.approx.epsilon.pico == EPS_ONE && t.delta.atto == 0);
	t = total_of((struct use){ .kind = USE_APPROX, .count = 4, .epsilon = eps_of(0.25), .delta = { 1000 } }, (struct delta){ 4000 });
	cr_expect(!t.pure.defined && t.approx.defined && t.approx.epsilon.pico == EPS_ONE && t.delta.atto == 4000);
	cr_expect(!t.zcdp.defined, "nothing of the target is left to convert with");
	t = total_of((struct use){ .kind = USE_APPROX, .count = 4, .epsilon = eps_of(0.25), .delta = { 1000 } }, (struct delta){ 3999 });
	cr_expect(!t.approx.defined, "the deltas exceed the target");
}

Test(compose, what_holds_for_any_analyst_is_never_below_what_holds_for_a_fixed_list)
{
	static const enum use_kind kinds[] = { USE_PURE, USE_LAPLACE, USE_BOUNDED_RANGE };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		for (uint64_t count = 1; count < 5000; count *= 7) {
			struct totals t = total_of((struct use){ .kind = kinds[i], .count = count, .epsilon = eps_of(0.05), .steps = 1 }, micro);
			cr_assert(t.zcdp.defined && t.rdp.defined && t.advanced.defined);
			cr_expect(t.rdp.epsilon.pico <= t.zcdp.epsilon.pico + t.zcdp.epsilon.pico / 1000000, "kind %zu, %lu times", i, (unsigned long)count);
			cr_expect(t.advanced.epsilon.pico <= t.pure.epsilon.pico);
		}
	}
}

Test(compose, mixed_lists_add_up)
{
	struct use list[] = { { .kind = USE_LAPLACE, .count = 3, .epsilon = { EPS_ONE }, .steps = 1 },
			      { .kind = USE_GAUSSIAN, .count = 2, .rho = { EPS_ONE / 8 } },
			      { .kind = USE_APPROX, .count = 1, .epsilon = { EPS_ONE }, .delta = { 5 } },
			      { .kind = USE_ZCDP, .count = 1, .rho = { EPS_ONE / 4 }, .delta = { 7 } } };
	struct totals t;
	struct error e;
	struct rho each;

	cr_assert(compose_total(list, 4, micro, &t, &e) && loss_rho_of_pure((struct eps){ EPS_ONE }, &each));
	cr_expect(t.uses == 7 && t.epsilon.pico == 4 * EPS_ONE && t.delta.atto == 12 && t.rho.pico == 4 * each.pico + EPS_ONE / 2);
	cr_expect(!t.pure.defined && !t.advanced.defined && !t.gdp.defined && t.approx.defined && t.zcdp.defined && t.rdp.defined);
	cr_expect(t.approx.epsilon.pico > t.epsilon.pico, "Gaussian uses have an epsilon too, at their share of delta");
}

Test(compose, totals_beyond_the_units_are_refused)
{
	struct use huge[] = { { .kind = USE_PURE, .count = USES_MAX, .epsilon = { UNIT_MAX } }, { .kind = USE_ZCDP, .count = 2, .rho = { UNIT_MAX } },
			      { .kind = USE_APPROX, .count = 2, .epsilon = { 1 }, .delta = { DELTA_ONE / 2 + 1 } } };
	struct totals t = { .uses = 77 };
	struct error e;

	for (size_t i = 0; i < ARRAY_LEN(huge); i++)
		cr_expect(!compose_total(&huge[i], 1, micro, &t, &e) && e.code == ERR_BAD_PARAMETER && t.uses == 77, "row %zu", i);
}

Test(compose, prices_of_given_noise_are_exact_and_rounded_up)
{
	struct eps epsilon;
	struct rho rho;

	cr_expect(loss_eps_of_laplace(3, 6, 1, &epsilon) && epsilon.pico == EPS_ONE / 2);
	cr_expect(loss_eps_of_laplace(1, 3, 1, &epsilon) && epsilon.pico == EPS_ONE / 3 + 1);
	cr_expect(loss_rho_of_gaussian(25, 100, 1, &rho) && rho.pico == EPS_ONE / 8);
	cr_expect(loss_rho_of_gaussian(1, 3, 1, &rho) && rho.pico == EPS_ONE / 6 + 1);
	cr_expect(!loss_rho_of_gaussian(1, 0, 1, &rho) && !loss_eps_of_laplace((u128)1 << 100, 1, 1, &epsilon));
}
