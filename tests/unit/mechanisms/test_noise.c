/* The samplers have exactly the stated law; calibration, thresholds and prices reach the published figures. */
#include "mechanisms/calibrate.h"
#include "mechanisms/loss.h"
#include "mechanisms/noise.h"
#include "mechanisms/select.h"
#include "tests/support/unit_rng.h"

#include <criterion/criterion.h>
#include <math.h>

enum { DRAWS = 200000, SPAN = 400 };

static double mass(const struct noise *n, int x)
{
	double s = (double)n->num / (double)n->den;

	return n->kind == NOISE_LAPLACE ? exp(-abs(x) / s) : exp(-(double)x * x / (2 * s));
}

/* Chi-square of DRAWS samples against the law, over cells that expect at least 20; z of the statistic. */
static double chi_square_z(const struct noise *n, uint64_t seed)
{
	static double counts[2 * SPAN + 1];
	struct unit_rng u;
	const struct rng r = unit_rng(&u, seed);
	struct error e;
	double all = 0, chi = 0;
	int cells = 0;

	for (int i = 0; i <= 2 * SPAN; i++)
		counts[i] = 0;
	for (int x = -100000; x <= 100000; x++)
		all += mass(n, x);
	for (int i = 0; i < DRAWS; i++) {
		i128 x;
		cr_assert(noise_sample(n, &r, &x, &e));
		if (x >= -SPAN && x <= SPAN)
			counts[(int)x + SPAN]++;
	}
	for (int x = -SPAN; x <= SPAN; x++) {
		double expect = DRAWS * mass(n, x) / all;
		if (expect < 20)
			continue;
		chi += (counts[x + SPAN] - expect) * (counts[x + SPAN] - expect) / expect;
		cells++;
	}
	return (chi - (cells - 1)) / sqrt(2.0 * (cells - 1));
}

static const struct noise laws[] = {
	{ NOISE_LAPLACE, 3, 7 }, { NOISE_LAPLACE, 5, 2 }, { NOISE_LAPLACE, 40, 1 }, { NOISE_GAUSSIAN, 1, 4 },
	{ NOISE_GAUSSIAN, 1, 1 }, { NOISE_GAUSSIAN, 10, 1 }, { NOISE_GAUSSIAN, 1000, 3 },
};

Test(noise, samples_have_the_stated_law)
{
	for (size_t i = 0; i < sizeof(laws) / sizeof(laws[0]); i++)
		cr_expect(fabs(chi_square_z(&laws[i], 7 + i)) < 5, "law %zu: z = %g", i, chi_square_z(&laws[i], 7 + i));
}

Test(noise, big_scales_have_the_right_spread)
{
	static const struct noise big[] = { { NOISE_GAUSSIAN, (u128)1 << 60, 1 }, { NOISE_GAUSSIAN, (u128)1 << 104, 1 }, { NOISE_LAPLACE, (u128)1 << 100, 3 } };
	struct unit_rng u;
	const struct rng r = unit_rng(&u, 5);
	struct error e;

	for (size_t i = 0; i < 3; i++) {
		double square = 0;
		for (int j = 0; j < 20000; j++) {
			i128 x;
			cr_assert(noise_sample(&big[i], &r, &x, &e));
			square += (double)x * (double)x;
		}
		double ratio = sqrt(square / 20000) / noise_deviation(&big[i]);
		cr_expect(ratio > 0.96 && ratio < 1.04, "scale %zu: %g", i, ratio);
	}
}

Test(noise, a_failing_source_gives_no_sample)
{
	struct unit_rng u;
	const struct rng r = unit_rng(&u, 5);
	struct error e;
	i128 x = 77;

	u.fail_after = 1;
	cr_expect(!noise_sample(&laws[2], &r, &x, &e));
	cr_expect(x == 77);
}

Test(noise, tails_are_never_below_the_truth)
{
	for (size_t i = 0; i < sizeof(laws) / sizeof(laws[0]); i++) {
		double all = 0, tail = 0;
		for (int x = -20000; x <= 20000; x++)
			all += mass(&laws[i], x);
		for (int x = 20000; x >= 1; x--) {
			tail += mass(&laws[i], x);
			if (x < 60 && tail / all > 1e-300)
				cr_expect(noise_tail(&laws[i], x) >= tail / all * (1 - 1e-9) && noise_tail(&laws[i], x) <= tail / all * (1 + 1e-6) + 1e-15,
					  "law %zu at %d: %g vs %g", i, x, noise_tail(&laws[i], x), tail / all);
		}
	}
}

Test(calibrate, scales_are_sensitivity_over_epsilon_exactly)
{
	struct noise n;
	struct error e;

	cr_assert(calibrate_laplace(7, (struct eps){ EPS_ONE / 2 }, &n, &e));
	cr_expect(n.num == 14 && n.den == 1);
	cr_assert(calibrate_laplace(1, (struct eps){ 3 * EPS_ONE }, &n, &e));
	cr_expect(n.num == 1 && n.den == 3);
	cr_assert(calibrate_gaussian(100, (struct rho){ EPS_ONE / 8 }, &n, &e)); /* 100 / (2/8) = 400 */
	cr_expect((double)n.num / (double)n.den >= 400 && (double)n.num / (double)n.den < 400.2);
	cr_expect(!calibrate_laplace(1, (struct eps){ 0 }, &n, &e));
	cr_expect(!calibrate_gaussian(~(u128)0, (struct rho){ 1 }, &n, &e));
}

Test(calibrate, the_discrete_law_needs_more_than_the_continuous_formula)
{
	const struct noise one = { NOISE_GAUSSIAN, 1, 1 };
	struct noise n;
	struct error e;

	cr_expect(fabs(calibrate_gaussian_delta(&one, 1, 1) - 0.1414) < 1e-3); /* not 0.1269 */
	cr_assert(calibrate_gaussian_approx(1, (struct eps){ EPS_ONE }, (struct delta){ 10000000000000 }, &n, &e));
	cr_expect(noise_deviation(&n) > 3.7306 && noise_deviation(&n) < 3.76, "%g", noise_deviation(&n));
	cr_expect(calibrate_gaussian_delta(&n, 1, 1) <= 1e-5);
}

Test(select, the_threshold_is_the_smallest_that_keeps_delta)
{
	for (uint64_t groups = 1; groups <= 20; groups += 19) {
		for (size_t i = 0; i < sizeof(laws) / sizeof(laws[0]); i++) {
			const struct delta delta = { 10000000000000 };
			struct error e;
			i128 t;
			cr_assert(select_threshold(&laws[i], groups, delta, &t, &e));
			cr_expect(select_delta(&laws[i], groups, t) <= 1e-5);
			cr_expect(select_delta(&laws[i], groups, t - 1) > 1e-5);
			cr_expect(select_keeps(t, t) && !select_keeps(t - 1, t));
			/* a lone unit is shown with probability P[1 + X >= t], in each of its groups */
			double shown = -expm1((double)groups * log1p(-noise_tail(&laws[i], t - 1)));
			cr_expect(shown <= 1e-5 * (1 + 1e-6));
		}
	}
}

Test(loss, a_budget_of_3_at_1e_6_holds_37_queries_of_rho_0_005)
{
	struct rho limit, price;

	cr_assert(loss_rho_limit((struct eps){ 3 * EPS_ONE }, (struct delta){ 1000000000000 }, &limit));
	cr_expect(limit.pico / (EPS_ONE / 200) == 37);
	cr_expect(loss_eps_of_rho(limit, (struct delta){ 1000000000000 }) <= 3 + 1e-6);
	cr_assert(loss_rho_of_pure((struct eps){ 5 * EPS_ONE }, &price));
	cr_expect(fabs(rho_double(price) - 4.93) < 0.01);
	cr_expect(rho_double(price) >= 5 * tanh(2.5));
	cr_expect(!loss_rho_limit((struct eps){ EPS_ONE }, (struct delta){ 0 }, &limit));
}
