/* One release draws from many laws through one pool: each sample keeps the law asked for, whichever laws came between. */
#include "mechanisms/draws.h"
#include "tests/support/unit_rng.h"
#include "tests/unit/mechanisms/law.h"

#include <criterion/criterion.h>

enum { LAWS = 3 * DRAWS_LAWS, EACH = 20000 };

static i128 samples[LAWS][EACH];

/* No two alike; many differ in their kind only, or their numerator, or their denominator. */
static struct noise law(unsigned i)
{
	return (struct noise){ i % 2 ? NOISE_GAUSSIAN : NOISE_LAPLACE, 6 + 2 * (i / 6), 1 + i / 2 % 3 };
}

static void draw_all(const struct rng *r, unsigned laws)
{
	struct draws d;
	struct error e;

	draws_begin(&d, r);
	for (unsigned k = 0; k < EACH; k++) {
		for (unsigned i = 0; i < laws; i++) {
			const struct noise n = law(i);
			cr_assert(draws_sample(&d, &n, &samples[i][k], &e), "%s", e.message);
		}
	}
	draws_end(&d);
}

Test(draws, each_sample_has_the_law_asked_for_also_when_there_are_more_laws_than_places)
{
	static const unsigned counts[] = { 1, 2, DRAWS_LAWS, DRAWS_LAWS + 1, LAWS };
	const struct rng r = unit_rng_system();

	for (size_t k = 0; k < ARRAY_LEN(counts); k++) {
		draw_all(&r, counts[k]);
		for (unsigned i = 0; i < counts[k]; i++) {
			const struct noise n = law(i);
			double z = law_fit_z(&n, samples[i], EACH);
			cr_expect(z < Z_ALARM, "%u laws, law %u: z = %g", counts[k], i, z);
		}
	}
}

Test(draws, samples_of_different_laws_are_independent)
{
	const struct rng r = unit_rng_system();

	draw_all(&r, 4);
	for (unsigned i = 1; i < 4; i++) {
		const struct noise a = law(i - 1), b = law(i);
		double product = 0;
		for (unsigned k = 0; k < EACH; k++)
			product += (double)(samples[i - 1][k] * samples[i][k]);
		double z = product / sqrt(EACH) / noise_deviation(&a) / noise_deviation(&b);
		cr_expect(fabs(z) < Z_ALARM, "laws %u and %u: %g", i - 1, i, z);
	}
}

Test(draws, nothing_is_left_in_the_pool)
{
	static const struct noise n = { NOISE_GAUSSIAN, 100, 1 };
	const struct rng r = unit_rng_system();
	struct draws d;
	struct error e;
	i128 x;

	draws_begin(&d, &r);
	cr_assert(draws_sample(&d, &n, &x, &e) && d.bits.left > 0);
	draws_end(&d);
	for (size_t i = 0; i < sizeof(d.pool); i++)
		cr_assert(d.pool[i] == 0);
}

Test(draws, a_failing_source_and_a_law_out_of_range_give_nothing)
{
	static const struct noise good = { NOISE_LAPLACE, 9, 1 }, bad = { NOISE_LAPLACE, 0, 1 };
	struct unit_rng u;
	const struct rng r = unit_rng(&u, 3);
	struct draws d;
	struct error e;
	i128 x = 77;

	draws_begin(&d, &r);
	cr_expect(!draws_sample(&d, &bad, &x, &e) && e.code == ERR_INTERNAL && x == 77);
	u.fail_after = DRAWS_POOL;
	int drawn = 0;
	for (; drawn < 10000 && draws_sample(&d, &good, &x, &e); drawn++)
		;
	cr_expect(drawn > 50 && drawn < 10000 && e.code == ERR_INTERNAL, "%d samples from %d bytes", drawn, (int)DRAWS_POOL);
	draws_end(&d);
}
