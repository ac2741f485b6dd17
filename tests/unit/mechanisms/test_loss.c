/* Prices are never below, limits never above, what the theorems give; published figures are reached. */
#include "mechanisms/loss.h"

#include <criterion/criterion.h>
#include <math.h>

static struct eps eps_of(double v)
{
	return (struct eps){ (uint64_t)llround(v * 1e12) };
}

static struct delta delta_of(double v)
{
	return (struct delta){ (uint64_t)llround(v * 1e18) };
}

/* ln of the bound at alpha = 1 + exp(x), in extended precision. */
static long double log_delta_at(long double rho, long double eps, long double x)
{
	long double a = expl(x), alpha = 1 + a;

	return a * (alpha * rho - eps) + alpha * logl(a / alpha) - x;
}

/* Its minimum by a plain scan and a ternary search in extended precision: an independent evaluation of the same bound. */
static long double log_delta(long double rho, long double eps)
{
	long double best = -20;

	for (long double x = -20; x <= 40; x += 0.01L)
		best = log_delta_at(rho, eps, x) < log_delta_at(rho, eps, best) ? x : best;
	long double lo = best - 0.01L, hi = best + 0.01L;
	for (int i = 0; i < 120; i++) {
		long double a = lo + (hi - lo) / 3, b = hi - (hi - lo) / 3;
		if (log_delta_at(rho, eps, a) < log_delta_at(rho, eps, b))
			hi = b;
		else
			lo = a;
	}
	return log_delta_at(rho, eps, (lo + hi) / 2);
}

Test(loss, a_pure_price_is_epsilon_tanh_half_epsilon_rounded_up)
{
	static const double epsilons[] = { 1e-9, 1e-6, 0.001, 0.1, 0.3, 0.5, 1, 2, 5, 17.3, 100 };

	for (size_t i = 0; i < ARRAY_LEN(epsilons); i++) {
		struct eps e = eps_of(epsilons[i]);
		struct rho price;
		cr_assert(loss_rho_of_pure(e, &price));
		long double x = (long double)e.pico / 1e12L, exact = x * tanhl(x / 2) * 1e12L;
		cr_expect((long double)price.pico >= exact, "%g: %lu", epsilons[i], (unsigned long)price.pico);
		cr_expect((long double)price.pico <= exact * (1 + 1e-12L) + 1.01L, "%g: %lu", epsilons[i], (unsigned long)price.pico);
	}
	struct rho none = { 5 };
	cr_expect(loss_rho_of_pure((struct eps){ 0 }, &none) && none.pico == 0);
	cr_assert(loss_rho_of_pure(eps_of(5), &none));
	cr_expect(fabs(rho_double(none) - 4.93) < 0.005); /* eps^2/2 would be 12.5 */
	cr_expect(!loss_rho_of_pure((struct eps){ UNIT_MAX }, &none), "beyond the unit");
}

Test(loss, a_budget_of_3_at_1e_6_holds_37_queries_of_rho_0_005)
{
	struct rho limit;

	cr_assert(loss_rho_limit(eps_of(3), delta_of(1e-6), &limit));
	cr_expect(limit.pico / (EPS_ONE / 200) == 37);
}

Test(loss, thirty_seven_queries_of_epsilon_0_1_fit_that_budget_too)
{
	struct rho limit, price;

	cr_assert(loss_rho_limit(eps_of(3), delta_of(1e-6), &limit) && loss_rho_of_pure(eps_of(0.1), &price));
	cr_expect(limit.pico / price.pico == 37);
}

Test(loss, limits_stay_within_the_bound_and_close_to_it)
{
	static const struct { double eps, delta; } rows[] = { { 0.1, 1e-6 }, { 1, 1e-9 }, { 1, 1e-5 }, { 3, 1e-6 }, { 10, 1e-6 }, { 50, 1e-12 }, { 0.01, 0.01 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rho limit;
		cr_assert(loss_rho_limit(eps_of(rows[i].eps), delta_of(rows[i].delta), &limit));
		long double rho = (long double)limit.pico / 1e12L, goal = logl((long double)delta_of(rows[i].delta).atto / 1e18L);
		cr_expect(log_delta(rho, rows[i].eps) <= goal, "(%g, %g): rho %Lg", rows[i].eps, rows[i].delta, rho);
		cr_expect(log_delta(rho * 1.00001L + 2e-12L, rows[i].eps) > goal, "(%g, %g): rho %Lg is far below the limit", rows[i].eps, rows[i].delta, rho);
		double eps = loss_eps_of_rho(limit, delta_of(rows[i].delta));
		cr_expect(eps <= rows[i].eps * (1 + 1e-8) && eps > rows[i].eps * 0.999, "(%g, %g) comes back as %.12g", rows[i].eps, rows[i].delta, eps);
	}
}

Test(loss, an_epsilon_reported_for_rho_is_sound)
{
	static const double rhos[] = { 1e-9, 1e-4, 0.005, 0.1, 1, 10, 100 }, deltas[] = { 1e-3, 1e-6, 1e-9 };

	for (size_t i = 0; i < ARRAY_LEN(rhos); i++) {
		for (size_t j = 0; j < ARRAY_LEN(deltas); j++) {
			struct rho rho = { (uint64_t)llround(rhos[i] * 1e12) };
			double eps = loss_eps_of_rho(rho, delta_of(deltas[j]));
			cr_expect(log_delta((long double)rho.pico / 1e12L, eps) <= logl(deltas[j]) + 1e-12L, "rho %g delta %g: %g", rhos[i], deltas[j], eps);
			double old = rhos[i] + 2 * sqrt(rhos[i] * log(1 / deltas[j]));
			cr_expect(eps < old, "rho %g delta %g: %g against the classic %g", rhos[i], deltas[j], eps, old);
		}
	}
	cr_expect(loss_eps_of_rho((struct rho){ 0 }, delta_of(1e-6)) == 0);
	cr_expect(isinf(loss_eps_of_rho((struct rho){ 1 }, (struct delta){ 0 })));
}

Test(loss, a_sound_accountant_reports_at_least_the_optimal_composition)
{
	struct rho price, total = { 0 };

	/* 100 Gaussians with sigma 10: rho = 100 / 200; the optimum is 4.377178 */
	double eps = loss_eps_of_rho((struct rho){ EPS_ONE / 2 }, delta_of(1e-5));
	cr_expect(eps >= 4.377178 && eps < 4.377178 * 1.15, "%g", eps);
	/* 100 Laplace with epsilon 0.1: the optimum is 4.692667 */
	cr_assert(loss_rho_of_pure(eps_of(0.1), &price));
	for (int i = 0; i < 100; i++)
		cr_assert(rho_add(total, price, &total));
	eps = loss_eps_of_rho(total, delta_of(1e-6));
	cr_expect(eps >= 4.692667 && eps < 4.692667 * 1.15, "%g", eps);
	/* 1000 Laplace with epsilon 0.01: 1.362925 */
	cr_assert(loss_rho_of_pure(eps_of(0.01), &price));
	total = (struct rho){ price.pico * 1000 };
	eps = loss_eps_of_rho(total, delta_of(1e-6));
	cr_expect(eps >= 1.362925 && eps < 1.362925 * 1.15, "%g", eps);
}

Test(loss, without_delta_or_epsilon_no_rho_fits)
{
	struct rho limit = { 77 };

	cr_expect(!loss_rho_limit(eps_of(1), (struct delta){ 0 }, &limit));
	cr_expect(!loss_rho_limit((struct eps){ 0 }, delta_of(1e-6), &limit));
	cr_expect(limit.pico == 77);
}
