/* A lone unit's group stays hidden with probability 1 - delta over all of its groups, and no threshold is higher than that needs. */
#include "mechanisms/select.h"
#include "tests/support/unit_rng.h"
#include "tests/unit/mechanisms/law.h"

#include <criterion/criterion.h>

static const struct noise laws[] = {
	{ NOISE_LAPLACE, 3, 7 }, { NOISE_LAPLACE, 1, 1 }, { NOISE_LAPLACE, 5, 2 }, { NOISE_LAPLACE, 40, 1 }, { NOISE_GAUSSIAN, 1, 4 },
	{ NOISE_GAUSSIAN, 1, 1 }, { NOISE_GAUSSIAN, 10, 1 }, { NOISE_GAUSSIAN, 1000, 3 }, { NOISE_GAUSSIAN, 90000, 1 },
};

/* The smallest T with P[some of `groups` lone counts 1 + X reaches T] <= delta, by summing the law. */
static int threshold_by_summation(const struct noise *n, double groups, double delta)
{
	long double all = 0, tail = 0, s = (long double)n->num / (long double)n->den;
	int x = 12000;

	for (int y = -12000; y <= 12000; y++)
		all += n->kind == NOISE_LAPLACE ? expl(-fabsl((long double)y) / s) : expl(-(long double)y * y / (2 * s));
	for (;; x--) { /* tail = P[X >= x + 1] here */
		long double more = tail + (n->kind == NOISE_LAPLACE ? expl(-x / s) : expl(-(long double)x * x / (2 * s)));
		if (-expm1l(groups * log1pl(-more / all)) > delta)
			return x + 2;
		tail = more;
	}
}

Test(select, the_threshold_is_the_smallest_that_keeps_delta)
{
	static const uint64_t groups[] = { 1, 2, 5, 20, 1000 };
	static const struct delta deltas[] = { { 10000000000000000 }, { 10000000000000 }, { 1000000000 } };

	for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
		for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
			for (size_t d = 0; d < ARRAY_LEN(deltas); d++) {
				struct error e;
				i128 t;
				cr_assert(select_threshold(&laws[i], groups[g], deltas[d], &t, &e));
				int truth = threshold_by_summation(&laws[i], (double)groups[g], delta_double(deltas[d]));
				cr_expect(t == truth, "law %zu, %lu groups, delta %g: %ld, by summation %d", i, (unsigned long)groups[g], delta_double(deltas[d]), (long)t, truth);
				cr_expect(select_delta(&laws[i], groups[g], t) <= delta_double(deltas[d]));
				cr_expect(select_delta(&laws[i], groups[g], t - 1) > delta_double(deltas[d]));
			}
		}
	}
}

Test(select, the_discrete_law_is_used_and_not_the_rounded_continuous_one)
{
	/* epsilon 1, delta 1e-5, one group: the continuous threshold is 11.82, and 12 with ">=" would cost 1.22e-5 */
	const struct noise n = { NOISE_LAPLACE, 1, 1 };
	struct error e;
	i128 t;

	cr_assert(select_threshold(&n, 1, (struct delta){ 10000000000000 }, &t, &e));
	cr_expect(t == 13);
	cr_expect(fabs(select_delta(&n, 1, 12) / 1.221e-5 - 1) < 1e-3);
}

Test(select, a_count_that_equals_the_threshold_is_shown)
{
	cr_expect(select_keeps(13, 13));
	cr_expect(select_keeps(14, 13));
	cr_expect(!select_keeps(12, 13));
}

Test(select, lone_units_are_shown_as_often_as_delta_says)
{
	enum { DRAWS = 300000 };
	const struct rng r = unit_rng_system();

	for (size_t i = 0; i < 8; i++) {
		double shown = 0;
		struct error e;
		i128 t;
		cr_assert(select_threshold(&laws[i], 1, (struct delta){ 20000000000000000 }, &t, &e)); /* 0.02 */
		for (int j = 0; j < DRAWS; j++) {
			i128 x;
			cr_assert(noise_sample(&laws[i], &r, &x, &e));
			shown += select_keeps(1 + x, t);
		}
		double truth = select_delta(&laws[i], 1, t);
		cr_expect(truth <= 0.02 && fabs(law_binomial_z(shown, DRAWS, truth)) < Z_ALARM, "law %zu: %g of %g", i, shown / DRAWS, truth);
	}
}

Test(select, no_delta_means_no_threshold)
{
	struct error e;
	i128 t = 77;

	cr_expect(!select_threshold(&laws[0], 1, (struct delta){ 0 }, &t, &e) && e.code == ERR_BAD_PARAMETER);
	cr_expect(t == 77);
}

Test(select, even_a_delta_of_one_shows_no_empty_group)
{
	struct error e;
	i128 t;

	cr_assert(select_threshold(&laws[0], 1, (struct delta){ DELTA_ONE }, &t, &e));
	cr_expect(t >= 1);
}
