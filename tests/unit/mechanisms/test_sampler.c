/* The fast samplers have the laws of the slow ones, also when every trial goes to the big integers. */
#include "mechanisms/sampler.h"
#include "mechanisms/expfix.h"
#include "tests/support/unit_rng.h"
#include "tests/unit/mechanisms/law.h"

#include <criterion/criterion.h>

enum { DRAWS = 200000 };

static i128 samples[DRAWS];

static const struct noise laws[] = {
	{ NOISE_LAPLACE, 3, 7 }, { NOISE_LAPLACE, 1, 1 }, { NOISE_LAPLACE, 5, 2 }, { NOISE_LAPLACE, 40, 1 }, { NOISE_LAPLACE, 30, 17 }, { NOISE_GAUSSIAN, 1, 4 },
	{ NOISE_GAUSSIAN, 1, 1 }, { NOISE_GAUSSIAN, 10, 1 }, { NOISE_GAUSSIAN, 1000, 3 }, { NOISE_GAUSSIAN, 17728, 4096 }, { NOISE_GAUSSIAN, 2, 1 },
};

static struct sampler sampler_of(const struct noise *n)
{
	struct sampler s;
	struct error e;

	cr_assert(sampler_init(&s, n, &e));
	return s;
}

Test(sampler, samples_have_the_stated_law_from_seeded_and_from_real_bytes)
{
	for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
		struct sampler s = sampler_of(&laws[i]);
		struct unit_rng u;
		const struct rng seeded = unit_rng(&u, 70 + i), real = unit_rng_system();
		struct error e;
		cr_assert(s.fast && sampler_fill(&s, &seeded, samples, DRAWS, &e));
		double z = law_fit_z(&laws[i], samples, DRAWS);
		cr_expect(z < 4, "law %zu, seeded: z = %g", i, z);
		cr_assert(sampler_fill(&s, &real, samples, DRAWS, &e));
		z = law_fit_z(&laws[i], samples, DRAWS);
		cr_expect(z < Z_ALARM, "law %zu: z = %g", i, z);
	}
}

Test(sampler, the_law_does_not_depend_on_which_trials_need_big_integers)
{
	const struct rng r = unit_rng_system();

	for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
		/* none of the first words decide, then about half of them */
		for (int k = 62; k >= 61; k--) {
			struct sampler s = sampler_of(&laws[i]);
			struct error e;
			s.margin = (uint64_t)1 << k;
			cr_assert(sampler_fill(&s, &r, samples, 12000, &e));
			double z = law_fit_z(&laws[i], samples, 12000);
			cr_expect(z < Z_ALARM, "law %zu, margin 2^%d: z = %g", i, k, z);
		}
	}
}

Test(sampler, big_scales_have_the_stated_law)
{
	static const struct noise big[] = {
		{ NOISE_GAUSSIAN, (u128)1 << 40, 1 },		{ NOISE_GAUSSIAN, ((u128)1 << 60) - 1, 1 },  { NOISE_GAUSSIAN, ((u128)1 << 104) + 12345, 7 },
		{ NOISE_GAUSSIAN, NOISE_NUM_MAX, 1 },		{ NOISE_GAUSSIAN, NOISE_NUM_MAX, UINT64_MAX }, { NOISE_LAPLACE, (u128)1 << 40, 3 },
		{ NOISE_LAPLACE, ((u128)1 << 60) - 1, 1 }, { NOISE_LAPLACE, NOISE_NUM_MAX, 1 },
	};
	const struct rng r = unit_rng_system();

	for (size_t i = 0; i < ARRAY_LEN(big); i++) {
		struct sampler s = sampler_of(&big[i]);
		struct error e;
		cr_assert(sampler_fill(&s, &r, samples, 40000, &e));
		double spread, z = law_coarse_z(&big[i], samples, 40000, &spread);
		cr_expect(z < Z_ALARM, "scale %zu: z = %g", i, z);
		cr_expect(spread > 0.93 && spread < 1.07, "scale %zu: %g", i, spread);
	}
}

Test(sampler, tiny_scales_give_zero)
{
	const struct noise tiny[] = { { NOISE_LAPLACE, 1, 1000 }, { NOISE_GAUSSIAN, 1, 10000 }, { NOISE_LAPLACE, 1, UINT64_MAX } };
	const struct rng r = unit_rng_system();
	struct error e;

	for (size_t i = 0; i < ARRAY_LEN(tiny); i++) {
		struct sampler s = sampler_of(&tiny[i]);
		cr_assert(sampler_fill(&s, &r, samples, 1000, &e));
		for (int k = 0; k < 1000; k++)
			cr_assert(samples[k] == 0);
	}
}

Test(sampler, samples_are_independent_of_their_neighbours)
{
	const struct rng r = unit_rng_system();
	struct sampler s = sampler_of(&laws[7]);
	struct error e;
	double product = 0, square = 0;

	cr_assert(sampler_fill(&s, &r, samples, DRAWS, &e));
	for (int i = 1; i < DRAWS; i++) {
		product += (double)(samples[i] * samples[i - 1]);
		square += (double)(samples[i] * samples[i]);
	}
	cr_expect(fabs(product / square) < Z_ALARM / sqrt(DRAWS), "%g", product / square);
}

Test(sampler, a_failing_source_and_a_law_out_of_range_give_nothing)
{
	static const struct noise bad[] = { { NOISE_LAPLACE, 0, 1 }, { NOISE_LAPLACE, 1, 0 }, { NOISE_GAUSSIAN, NOISE_NUM_MAX + 1, 1 } };
	struct unit_rng u;
	const struct rng r = unit_rng(&u, 5);
	struct sampler s = sampler_of(&laws[7]);
	struct error e;
	uint8_t stuck = 0xff;
	const struct rng broken = unit_rng_stuck(&stuck);

	u.fail_after = 4096;
	cr_expect(!sampler_fill(&s, &r, samples, DRAWS, &e) && e.code == ERR_INTERNAL);
	cr_expect(!sampler_fill(&s, &broken, samples, 10, &e) && e.code == ERR_INTERNAL, "a source that repeats itself is not random");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect(!sampler_init(&s, &bad[i], &e) && e.code == ERR_INTERNAL);
}

Test(expfix, estimates_are_within_their_stated_error)
{
	uint64_t fraction = 0;

	for (int i = 0; i < 200000; i++, fraction = fraction * 6364136223846793005u + 1442695040888963407u) {
		unsigned whole = (unsigned)i % (EXPFIX_WHOLE + 1);
		long double exact = ldexpl(expl(-(long double)whole - ldexpl((long double)fraction, -64)), 63), got = (long double)expfix(whole, fraction);
		cr_assert(fabsl(got - exact) <= EXPFIX_ERROR - 6, "exp(-(%u + %lu/2^64)): off by %Lg", whole, (unsigned long)fraction, got - exact);
	}
	cr_expect(expfix(0, 0) == (uint64_t)1 << 63);
	for (unsigned n = 1; n <= EXPFIX_WHOLE; n++)
		cr_expect(fabsl((long double)expfix_power(n) - ldexpl(expl(-(long double)n), 64)) <= 1.5L, "%u", n);
}

/* A BIGNUM from a word, freed by the caller. */
static BIGNUM *word(uint64_t v)
{
	BIGNUM *b = BN_new();

	cr_assert(b && BN_set_word(b, v));
	return b;
}

Test(expfix, big_integers_decide_as_the_exponential_does)
{
	const struct rng r = unit_rng_system();
	struct bits b;

	bits_begin(&b, &r);
	for (uint64_t k = 0; k < 300; k++) {
		BIGNUM *num = word(k * k + 1), *den = word(2000);
		long double p = expl(-(long double)(k * k + 1) / 2000);
		uint64_t cell = (uint64_t)ldexpl(p, 63);
		bool below = true;
		if (cell > 100 && cell + 100 < (uint64_t)1 << 63) {
			cr_expect(expfix_decide(&b, cell - 100, 63, num, den, &below) && below, "%lu", (unsigned long)k);
			cr_expect(expfix_decide(&b, cell + 100, 63, num, den, &below) && !below, "%lu", (unsigned long)k);
		}
		BN_free(num);
		BN_free(den);
	}
	bits_end(&b);
}

Test(expfix, inside_the_first_words_cell_the_rest_decides_by_its_length)
{
	/* with one known bit: exp(-1) lies in [0, 1/2): given that r does too, r < exp(-1) has probability 2 exp(-1) */
	const struct rng r = unit_rng_system();
	BIGNUM *one = word(1);
	double hits = 0;
	struct bits b;

	bits_begin(&b, &r);
	for (int i = 0; i < 40000; i++) {
		bool below;
		cr_assert(expfix_decide(&b, 0, 1, one, one, &below));
		hits += below;
	}
	bits_end(&b);
	cr_expect(fabs(law_binomial_z(hits, 40000, 2 * exp(-1))) < Z_ALARM, "%g", hits / 40000);
	BN_free(one);
}
