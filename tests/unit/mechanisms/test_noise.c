/* The samplers have exactly the stated law, with seeded and with real randomness, at small scales and at huge ones. */
#include "tests/support/unit_rng.h"
#include "tests/unit/mechanisms/law.h"

#include <criterion/criterion.h>

enum { DRAWS = 200000 };

static const struct noise laws[] = {
	{ NOISE_LAPLACE, 3, 7 }, { NOISE_LAPLACE, 1, 1 }, { NOISE_LAPLACE, 5, 2 }, { NOISE_LAPLACE, 40, 1 }, { NOISE_GAUSSIAN, 1, 4 },
	{ NOISE_GAUSSIAN, 1, 1 }, { NOISE_GAUSSIAN, 10, 1 }, { NOISE_GAUSSIAN, 1000, 3 },
};

/* DRAWS samples of `drawn`, tested against the law n. */
static double fit_z(const struct noise *n, const struct noise *drawn, const struct rng *r)
{
	static i128 samples[DRAWS];
	struct error e;

	for (int i = 0; i < DRAWS; i++)
		cr_assert(noise_sample(drawn, r, &samples[i], &e));
	return law_fit_z(n, samples, DRAWS);
}

Test(noise, samples_have_the_stated_law_from_seeded_bytes)
{
	for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
		struct unit_rng u;
		const struct rng r = unit_rng(&u, 7 + i);
		double z = fit_z(&laws[i], &laws[i], &r);
		cr_expect(z < 4, "law %zu: z = %g", i, z);
	}
}

Test(noise, samples_have_the_stated_law_from_real_randomness)
{
	const struct rng r = unit_rng_system();

	for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
		double z = fit_z(&laws[i], &laws[i], &r);
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
		double z = fit_z(&right, &wrong, &r);
		cr_expect(z > 2 * Z_ALARM, "law %zu: z = %g", i, z);
	}
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
		static i128 samples[40000];
		struct error e;
		for (size_t k = 0; k < ARRAY_LEN(samples); k++)
			cr_assert(noise_sample(&big[i], &r, &samples[k], &e));
		double spread, z = law_coarse_z(&big[i], samples, ARRAY_LEN(samples), &spread);
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
