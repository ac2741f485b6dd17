/* Tails are never below the truth and hardly above it; intervals are the narrowest that hold. */
#include "tests/support/unit_rng.h"
#include "tests/unit/mechanisms/law.h"

#include <criterion/criterion.h>

static const struct noise laws[] = {
	{ NOISE_LAPLACE, 3, 7 }, { NOISE_LAPLACE, 5, 2 }, { NOISE_LAPLACE, 40, 1 }, { NOISE_GAUSSIAN, 1, 4 }, { NOISE_GAUSSIAN, 1, 1 },
	{ NOISE_GAUSSIAN, 10, 1 }, { NOISE_GAUSSIAN, 1000, 3 }, { NOISE_GAUSSIAN, 260 * 260, 1 }, { NOISE_GAUSSIAN, 1000000, 1 },
};

Test(tail, tails_equal_the_summed_law_and_never_fall_below_it)
{
	for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
		long double s = (long double)laws[i].num / (long double)laws[i].den, all = 0, tail = 0;
		for (int x = -40000; x <= 40000; x++)
			all += laws[i].kind == NOISE_LAPLACE ? expl(-fabsl((long double)x) / s) : expl(-(long double)x * x / (2 * s));
		for (int x = 40000; x >= 1; x--) {
			tail += laws[i].kind == NOISE_LAPLACE ? expl(-x / s) : expl(-(long double)x * x / (2 * s));
			long double truth = tail / all;
			if (truth < 1e-299L)
				continue;
			cr_assert(noise_tail(&laws[i], x) >= truth && noise_tail(&laws[i], x) <= truth * (1 + 1e-8L), "law %zu at %d: %g vs %Lg", i, x,
				  noise_tail(&laws[i], x), truth);
		}
	}
}

Test(tail, tails_stay_above_zero_where_doubles_end)
{
	static const struct noise sharp[] = { { NOISE_LAPLACE, 1, 1000 }, { NOISE_GAUSSIAN, 1, 4096 }, { NOISE_GAUSSIAN, 10, 1 } };

	for (size_t i = 0; i < ARRAY_LEN(sharp); i++)
		cr_expect(noise_tail(&sharp[i], 1000000) > 0);
}

Test(tail, tails_at_huge_scales_follow_the_continuous_law)
{
	const struct noise g = { NOISE_GAUSSIAN, (u128)1 << 100, 1 };
	const double sigma = 0x1p50;

	for (int z = 1; z < 30; z++) {
		double truth = 0.5 * erfc(z / sqrt(2));
		cr_expect(fabs(noise_tail(&g, (i128)(z * sigma)) / truth - 1) < 1e-8, "%d: %g vs %g", z, noise_tail(&g, (i128)(z * sigma)), truth);
	}
}

Test(tail, intervals_are_the_narrowest_that_reach_the_confidence)
{
	static const double confidences[] = { 0.5, 0.9, 0.95, 0.999, 1 - 1e-12 };

	for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
		for (size_t j = 0; j < ARRAY_LEN(confidences); j++) {
			double w = noise_half_width(&laws[i], confidences[j]);
			cr_expect(2 * noise_tail(&laws[i], (i128)w + 1) <= 1 - confidences[j]);
			if (w > 0)
				cr_expect(2 * noise_tail(&laws[i], (i128)w) > (1 - confidences[j]) * (1 - 1e-8), "law %zu at %g: %g", i, confidences[j], w);
		}
	}
	cr_expect(noise_half_width(&laws[0], 1.0) < 100, "a confidence that rounds to 1 still has a width");
}

Test(tail, intervals_cover_as_often_as_they_say)
{
	enum { DRAWS = 50000 };
	const struct rng r = unit_rng_system();

	for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
		double w = noise_half_width(&laws[i], 0.9), inside = 0;
		double truth = 1 - 2 * noise_tail(&laws[i], (i128)w + 1);
		for (int j = 0; j < DRAWS; j++) {
			struct error e;
			i128 x;
			cr_assert(noise_sample(&laws[i], &r, &x, &e));
			inside += x >= -(i128)w && x <= (i128)w;
		}
		cr_expect(fabs(law_binomial_z(inside, DRAWS, truth)) < Z_ALARM, "law %zu: %g of %g", i, inside / DRAWS, truth);
	}
}

Test(tail, deviations_are_those_of_the_law)
{
	for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
		double all = 0, square = 0;
		for (int x = -20000; x <= 20000; x++) {
			all += law_mass(&laws[i], x);
			square += law_mass(&laws[i], x) * x * x;
		}
		double ratio = noise_deviation(&laws[i]) / sqrt(square / all);
		/* the discrete Gaussian's own deviation is a little below sigma when sigma is below 1 */
		cr_expect(ratio > 1 - 1e-6 && ratio < (laws[i].num * 2 < laws[i].den * 3 && laws[i].kind == NOISE_GAUSSIAN ? 1.1 : 1 + 1e-6), "law %zu: %g", i, ratio);
	}
}
