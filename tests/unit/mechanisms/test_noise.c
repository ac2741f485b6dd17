/* The samplers have exactly the stated law, with seeded and with real randomness, at small scales and at huge ones. */
#include "tests/support/unit_rng.h"
#include "tests/unit/mechanisms/law.h"

#include <criterion/criterion.h>

enum { DRAWS = 200000, SPAN = 400 };

static const struct noise laws[] = {
	{ NOISE_LAPLACE, 3, 7 }, { NOISE_LAPLACE, 1, 1 }, { NOISE_LAPLACE, 5, 2 }, { NOISE_LAPLACE, 40, 1 }, { NOISE_GAUSSIAN, 1, 4 },
	{ NOISE_GAUSSIAN, 1, 1 }, { NOISE_GAUSSIAN, 10, 1 }, { NOISE_GAUSSIAN, 1000, 3 },
};

/* Chi-square of DRAWS samples against the law, over cells that expect at least 20 and one for the rest; as a z score. */
static double fit_z(const struct noise *n, const struct rng *r)
{
	static double counts[2 * SPAN + 1];
	double all = 0, chi = 0, rest = DRAWS, rest_expect = DRAWS;
	struct error e;
	int cells = 0;

	for (int i = 0; i <= 2 * SPAN; i++)
		counts[i] = 0;
	for (int x = -4000; x <= 4000; x++)
		all += law_mass(n, x);
	for (int i = 0; i < DRAWS; i++) {
		i128 x;
		cr_assert(noise_sample(n, r, &x, &e));
		if (x >= -SPAN && x <= SPAN)
			counts[(int)x + SPAN]++;
	}
	for (int x = -SPAN; x <= SPAN; x++) {
		double expect = DRAWS * law_mass(n, x) / all, count = counts[x + SPAN];
		if (expect < 20)
			continue;
		chi += (count - expect) * (count - expect) / expect;
		rest -= count;
		rest_expect -= expect;
		cells++;
	}
	if (rest_expect > 5) {
		chi += (rest - rest_expect) * (rest - rest_expect) / rest_expect;
		cells++;
	}
	return law_chi_z(chi, cells - 1);
}

Test(noise, samples_have_the_stated_law_from_seeded_bytes)
{
	for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
		struct unit_rng u;
		const struct rng r = unit_rng(&u, 7 + i);
		double z = fit_z(&laws[i], &r);
		cr_expect(z < 4, "law %zu: z = %g", i, z);
	}
}

Test(noise, samples_have_the_stated_law_from_real_randomness)
{
	const struct rng r = unit_rng_system();

	for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
		double z = fit_z(&laws[i], &r);
		cr_expect(z < Z_ALARM, "law %zu: z = %g", i, z);
	}
}

Test(noise, the_goodness_of_fit_test_sees_a_scale_ten_percent_off)
{
	const struct rng r = unit_rng_system();

	for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
		/* samples of a law whose deviation is 10% too small, tested against the right one */
		struct noise right = laws[i], wrong = laws[i];
		right.num *= wrong.kind == NOISE_GAUSSIAN ? 100 : 10;
		right.den *= wrong.kind == NOISE_GAUSSIAN ? 81 : 9;
		static double counts[2 * SPAN + 1];
		double all = 0, chi = 0;
		int cells = 0;
		struct error e;
		for (int x = 0; x <= 2 * SPAN; x++)
			counts[x] = 0;
		for (int x = -4000; x <= 4000; x++)
			all += law_mass(&right, x);
		for (int j = 0; j < DRAWS; j++) {
			i128 x;
			cr_assert(noise_sample(&wrong, &r, &x, &e));
			if (x >= -SPAN && x <= SPAN)
				counts[(int)x + SPAN]++;
		}
		for (int x = -SPAN; x <= SPAN; x++) {
			double expect = DRAWS * law_mass(&right, x) / all;
			if (expect >= 20) {
				chi += (counts[x + SPAN] - expect) * (counts[x + SPAN] - expect) / expect;
				cells++;
			}
		}
		cr_expect(law_chi_z(chi, cells - 1) > 2 * Z_ALARM, "law %zu: z = %g", i, law_chi_z(chi, cells - 1));
	}
}

/* At these scales the lattice is invisible: 32 cells of the continuous law, and the second moment. */
static double coarse_z(const struct noise *n, const struct rng *r, int draws, double *spread)
{
	double counts[32] = { 0 }, square = 0, chi = 0, deviation = noise_deviation(n);
	double scale = n->kind == NOISE_LAPLACE ? deviation / sqrt(2) : deviation;
	struct error e;

	for (int i = 0; i < draws; i++) {
		i128 x;
		cr_assert(noise_sample(n, r, &x, &e));
		double z = (double)x / scale;
		double below = n->kind == NOISE_GAUSSIAN ? 0.5 * erfc(-z / sqrt(2)) : z < 0 ? 0.5 * exp(z) : 1 - 0.5 * exp(-z);
		int cell = (int)(below * 32);
		counts[cell > 31 ? 31 : cell]++;
		square += (double)x * (double)x / (deviation * deviation);
	}
	for (int i = 0; i < 32; i++)
		chi += (counts[i] - draws / 32.0) * (counts[i] - draws / 32.0) / (draws / 32.0);
	*spread = sqrt(square / draws);
	return law_chi_z(chi, 31);
}

Test(noise, big_scales_have_the_stated_law)
{
	static const struct noise big[] = {
		{ NOISE_GAUSSIAN, (u128)1 << 40, 1 }, { NOISE_GAUSSIAN, ((u128)1 << 60) - 1, 1 }, { NOISE_GAUSSIAN, ((u128)1 << 104) + 12345, 7 },
		{ NOISE_GAUSSIAN, NOISE_NUM_MAX, 1 }, { NOISE_GAUSSIAN, NOISE_NUM_MAX, UINT64_MAX }, { NOISE_LAPLACE, (u128)1 << 40, 3 },
		{ NOISE_LAPLACE, NOISE_NUM_MAX, 1 }, { NOISE_LAPLACE, NOISE_NUM_MAX, UINT64_MAX },
	};
	const struct rng r = unit_rng_system();

	for (size_t i = 0; i < ARRAY_LEN(big); i++) {
		double spread, z = coarse_z(&big[i], &r, 40000, &spread);
		cr_expect(z < Z_ALARM, "scale %zu: z = %g", i, z);
		cr_expect(spread > 0.93 && spread < 1.07, "scale %zu: %g", i, spread); /* 6 standard errors of a Laplace, 20 of a Gaussian */
	}
}

Test(noise, a_tiny_scale_gives_zero_and_never_minus_zero_bias)
{
	const struct noise tiny[] = { { NOISE_LAPLACE, 1, 1000 }, { NOISE_GAUSSIAN, 1, 10000 } };
	const struct rng r = unit_rng_system();
	struct error e;

	for (size_t i = 0; i < ARRAY_LEN(tiny); i++) {
		for (int j = 0; j < 1000; j++) {
			i128 x = 77;
			cr_assert(noise_sample(&tiny[i], &r, &x, &e));
			cr_assert(x == 0);
		}
	}
}

Test(noise, a_failing_source_gives_no_sample)
{
	struct unit_rng u;
	const struct rng r = unit_rng(&u, 5);
	struct error e;
	i128 x = 77;

	for (uint64_t after = 1; after < 64; after += 9) {
		u.drawn = 0;
		u.fail_after = after;
		cr_expect(!noise_sample(&laws[3], &r, &x, &e));
		cr_expect(x == 77 && e.code == ERR_INTERNAL);
	}
}

Test(noise, laws_out_of_range_are_refused)
{
	static const struct noise bad[] = { { NOISE_LAPLACE, 0, 1 }, { NOISE_LAPLACE, 1, 0 }, { NOISE_GAUSSIAN, NOISE_NUM_MAX + 1, 1 } };
	const struct rng r = unit_rng_system();
	struct error e;
	i128 x = 77;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect(!noise_sample(&bad[i], &r, &x, &e) && x == 77 && e.code == ERR_INTERNAL);
}
