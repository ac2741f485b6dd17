/* Mean, mean size, variance and skew of each sampler's samples are the law's, at fixed seeds and with real randomness. */
#include "mechanisms/draws.h"
#include "tests/support/unit_rng.h"
#include "tests/unit/mechanisms/law.h"

#include <criterion/criterion.h>

enum { DRAWS = 200000 };

static const struct noise laws[] = {
	{ NOISE_LAPLACE, 1, 2 },   { NOISE_LAPLACE, 1, 1 },   { NOISE_LAPLACE, 30, 17 },   { NOISE_LAPLACE, 300, 1 },	   { NOISE_LAPLACE, (u128)1 << 40, 3 },
	{ NOISE_GAUSSIAN, 1, 2 },  { NOISE_GAUSSIAN, 1, 1 },  { NOISE_GAUSSIAN, 1000, 3 }, { NOISE_GAUSSIAN, 90060, 1 }, { NOISE_GAUSSIAN, (u128)1 << 60, 7 },
};

static i128 samples[DRAWS];

static void one_by_one(const struct noise *n, const struct rng *r, int draws)
{
	struct error e;

	for (int i = 0; i < draws; i++)
		cr_assert(noise_sample(n, r, &samples[i], &e));
}

static void prepared(const struct noise *n, const struct rng *r, int draws)
{
	struct sampler s;
	struct error e;

	cr_assert(sampler_init(&s, n, &e) && sampler_fill(&s, r, samples, (size_t)draws, &e));
}

static void of_a_release(const struct noise *n, const struct rng *r, int draws)
{
	struct draws d;
	struct error e;

	draws_begin(&d, r);
	for (int i = 0; i < draws; i++)
		cr_assert(draws_sample(&d, n, &samples[i], &e));
	draws_end(&d);
}

static const struct {
	const char *name;
	void (*draw)(const struct noise *n, const struct rng *r, int draws);
} samplers[] = { { "one by one", one_by_one }, { "prepared", prepared }, { "of a release", of_a_release } };

Test(moments_of_laws, are_the_laws_own_at_fixed_seeds)
{
	for (size_t k = 0; k < ARRAY_LEN(samplers); k++) {
		for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
			struct unit_rng u;
			const struct rng r = unit_rng(&u, 4000 + i);
			samplers[k].draw(&laws[i], &r, DRAWS);
			double z = law_moments_z(&laws[i], samples, DRAWS);
			cr_expect(z < 4, "%s, law %zu: z = %g", samplers[k].name, i, z);
		}
	}
}

Test(moments_of_laws, are_the_laws_own_with_real_randomness)
{
	const struct rng r = unit_rng_system();

	for (size_t k = 0; k < ARRAY_LEN(samplers); k++) {
		for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
			samplers[k].draw(&laws[i], &r, DRAWS);
			double z = law_moments_z(&laws[i], samples, DRAWS);
			cr_expect(z < Z_ALARM, "%s, law %zu: z = %g", samplers[k].name, i, z);
		}
	}
}

Test(moments_of_laws, a_scale_five_percent_off_is_seen)
{
	const struct rng r = unit_rng_system();

	for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
		struct noise wrong = laws[i];
		if (wrong.kind == NOISE_GAUSSIAN) {
			wrong.num = wrong.num * 361;
			wrong.den = wrong.den * 400;
		} else {
			wrong.num = wrong.num * 19;
			wrong.den = wrong.den * 20;
		}
		of_a_release(&wrong, &r, DRAWS);
		cr_expect(law_moments_z(&laws[i], samples, DRAWS) > Z_ALARM, "law %zu", i);
	}
}

Test(moments_of_laws, a_shift_by_a_fortieth_of_a_deviation_is_seen)
{
	const struct rng r = unit_rng_system();

	for (size_t i = 4; i < ARRAY_LEN(laws); i += 5) { /* where the lattice is fine */
		of_a_release(&laws[i], &r, DRAWS);
		for (int k = 0; k < DRAWS; k++)
			samples[k] += (i128)(noise_deviation(&laws[i]) / 40);
		cr_expect(law_moments_z(&laws[i], samples, DRAWS) > 5, "law %zu", i);
	}
}
