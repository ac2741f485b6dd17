/* A lone unit's group stays hidden with probability 1 - delta over all of its groups, and no threshold is higher than that needs. */
#include "mechanisms/analytic.h"
#include "mechanisms/loss.h"
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
	cr_expect(select_keeps(5, 13, 13, 1));
	cr_expect(select_keeps(5, 14, 13, 1));
	cr_expect(!select_keeps(5, 12, 13, 1));
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
			shown += select_keeps(1, 1 + x, t, 1);
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

Test(select, fewer_units_than_the_minimum_are_never_shown_and_as_many_count_as_one)
{
	cr_expect(!select_keeps(19, 1000, 5, 20));
	cr_expect(select_keeps(20, 24, 5, 20));
	cr_expect(!select_keeps(20, 23, 5, 20));
	cr_expect(!select_keeps(0, 1000, 5, 1));
}

/* --- the optimal law -------------------------------------------------------------------------------------------------------------- */

struct law_case {
	double epsilon, delta; /* of all groups */
	uint64_t groups;
};

static const struct law_case cases[] = {
	{ 0.69314718056, 0.1, 1 }, { 0.5, 0.02, 1 }, { 1, 1e-5, 1 }, { 1, 1e-8, 4 }, { 0.1, 1e-6, 20 }, { 0.01, 1e-9, 3 }, { 10, 1e-12, 1 }, { 80, 0.3, 2 }, { 2, 0.999, 1 },
};

static struct select_law law_of(const struct law_case *c, uint64_t minimum)
{
	struct select_law law;

	cr_assert(select_law_pure((struct eps){ (uint64_t)(c->epsilon * EPS_ONE) }, c->groups, (struct delta){ (uint64_t)(c->delta * DELTA_ONE) }, minimum, &law));
	return law;
}

static struct select_table table_of(const struct select_law *law, struct arena *a)
{
	struct select_table t;
	struct error e;

	arena_init(a, 8 << 20);
	cr_assert(select_table_make(law, a, &t, &e));
	return t;
}

Test(select, the_optimal_law_is_the_published_one)
{
	static const double first[] = { 0, 0.1, 0.3, 0.7, 0.9, 1 };
	const struct select_law law = law_of(&cases[0], 1);
	struct arena a;
	struct select_table t = table_of(&law, &a);

	cr_assert(t.n >= 6 && t.n <= 7); /* 1 may be missed by the rounding of one step */
	for (size_t n = 0; n < 6; n++)
		cr_expect(fabs((double)t.keep[n] / 0x1p63 - first[n]) < 1e-9);
	arena_reset(&a);
	for (size_t i = 0; i < ARRAY_LEN(cases) - 2; i++) { /* the last two spend less than they may */
		const struct select_law l = law_of(&cases[i], 1);
		t = table_of(&l, &a);
		for (size_t n = 0; n < t.n; n++)
			cr_expect(fabs((double)t.keep[n] / 0x1p63 - analytic_optimal_keep(cases[i].epsilon, cases[i].delta, cases[i].groups, n)) < 1e-8, "case %zu, %zu units", i, n);
		arena_reset(&a);
	}
}

/* What one unit more or less may do to the probability of either answer, with more bits than the table has. */
Test(select, no_unit_changes_the_optimal_law_by_more_than_it_may)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct select_law law = law_of(&cases[i], 1);
		const long double e = expl((long double)law.epsilon.pico / 1e12L);
		const long double d = -expm1l(log1pl(-(long double)cases[i].delta) / (long double)cases[i].groups);
		struct arena a;
		const struct select_table t = table_of(&law, &a);
		cr_expect(law.epsilon.pico <= (uint64_t)(cases[i].epsilon * EPS_ONE) / cases[i].groups && law.delta <= (double)d);
		cr_expect(t.keep[0] == 0 && t.keep[t.n - 1] == SELECT_ALWAYS);
		for (size_t n = 1; n < t.n; n++) {
			long double p = (long double)t.keep[n] * 0x1p-63L, before = (long double)t.keep[n - 1] * 0x1p-63L;
			long double hidden = (long double)(SELECT_ALWAYS - t.keep[n]) * 0x1p-63L, hidden_before = (long double)(SELECT_ALWAYS - t.keep[n - 1]) * 0x1p-63L;
			cr_assert(p >= before && p <= e * before + d && hidden_before <= e * hidden + d, "case %zu, %zu units", i, n);
		}
		arena_reset(&a);
	}
}

Test(select, groups_are_shown_as_often_as_the_optimal_law_says)
{
	enum { DRAWS = 200000 };
	struct unit_rng u;
	const struct rng sources[] = { unit_rng(&u, 11), unit_rng_system() };
	const struct select_law law = law_of(&cases[1], 3); /* a minimum of three units */
	struct arena a;
	const struct select_table t = table_of(&law, &a);

	for (size_t s = 0; s < ARRAY_LEN(sources); s++) {
		for (i128 units = 0; units <= (i128)t.n + 3; units++) {
			double shown = 0, truth = units < 3 ? 0 : units - 2 >= (i128)t.n ? 1 : (double)t.keep[units - 2] / 0x1p63;
			for (int j = 0; j < DRAWS; j++) {
				struct error e;
				bool keep;
				cr_assert(select_draw(&law, &t, units, &sources[s], &keep, &e));
				shown += keep;
			}
			if (truth == 0 || truth == 1)
				cr_expect(shown == truth * DRAWS, "%ld units", (long)units);
			else
				cr_expect(fabs(law_binomial_z(shown, DRAWS, truth)) < Z_ALARM, "%ld units: %g, not %g", (long)units, shown / DRAWS, truth);
		}
	}
	arena_reset(&a);
}

Test(select, a_zcdp_price_buys_the_largest_epsilon_that_it_pays)
{
	const uint64_t groups[] = { 1, 7, 300 };

	for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
		const struct rho price = { EPS_ONE / 20 };
		struct select_law law;
		struct rho one;
		cr_assert(select_law_zcdp(price, groups[g], (struct delta){ 1000000000000 }, 1, &law));
		cr_expect(loss_rho_of_pure(law.epsilon, &one) && one.pico * groups[g] <= price.pico);
		cr_expect(loss_rho_of_pure((struct eps){ law.epsilon.pico + 1000 }, &one) && one.pico * groups[g] > price.pico - groups[g] * 1000);
	}
}

Test(select, the_optimal_law_shows_groups_no_later_than_any_threshold_at_its_price)
{
	for (size_t i = 2; i < 6; i++) {
		const struct select_law law = law_of(&cases[i], 1);
		const struct noise n = { NOISE_LAPLACE, (u128)(1e6 * (double)cases[i].groups / cases[i].epsilon), 1000000 };
		struct error e;
		i128 threshold;
		cr_assert(select_threshold(&n, cases[i].groups, (struct delta){ (uint64_t)(cases[i].delta * DELTA_ONE) }, &threshold, &e));
		cr_expect(select_law_half(&law) <= (double)threshold, "case %zu: %g units, threshold %ld", i, select_law_half(&law), (long)threshold);
	}
}

Test(select, prices_too_small_for_a_table_are_left_to_thresholds)
{
	struct select_law law;

	cr_expect(!select_law_pure((struct eps){ 0 }, 1, (struct delta){ 1000 }, 1, &law));
	cr_expect(!select_law_pure((struct eps){ 1000 }, 1, (struct delta){ 1000000000 }, 1, &law));
	cr_expect(!select_law_pure((struct eps){ EPS_ONE }, 1, (struct delta){ 1 }, 1, &law));
	cr_expect(!select_law_pure((struct eps){ EPS_ONE }, 1, (struct delta){ DELTA_ONE }, 1, &law));
	cr_expect(!select_law_zcdp((struct rho){ 3 }, 1000, (struct delta){ 1000000000 }, 1, &law));
}

Test(select, a_failing_source_shows_nothing)
{
	const struct select_law law = law_of(&cases[1], 1);
	struct unit_rng u;
	struct rng r = unit_rng(&u, 3);
	struct arena a;
	const struct select_table t = table_of(&law, &a);
	struct error e;
	bool keep = false;

	u.fail_after = 1;
	cr_expect((!select_draw(&law, &t, 100, &r, &keep, &e) || !select_draw(&law, &t, 100, &r, &keep, &e)) && e.code == ERR_INTERNAL);
	arena_reset(&a);
}
