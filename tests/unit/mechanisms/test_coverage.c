/* Intervals cover, for every aggregate: a fast look.  make coverage-intervals measures 20,000 runs against 94 to 96%. */
#include "tests/support/unit_rng.h"
#include "tests/unit/mechanisms/coverage_cases.h"

#include <criterion/criterion.h>

enum { RUNS = 1000 };

/* Bounds so wide that a right interval (94 to 96%) leaves them about once in a million runs. */
static const double least = 0.90, most = 0.99;

static struct coverage_cases all;

Test(coverage, of_every_aggregate_is_near_95_percent)
{
	const struct rng r = unit_rng_system();

	coverage_all(&all);
	cr_assert(all.n > 80);
	for (size_t i = 0; i < all.n; i++) {
		struct coverage c;
		cr_assert(coverage_measure(&all.list[i], &r, 0.95, RUNS, &c) == 0);
		cr_expect(c.inside >= least && c.inside <= most, "%s: %g", all.list[i].name, c.inside);
	}
	arena_reset(&all.arena);
}

Test(coverage, an_interval_of_another_confidence_is_seen)
{
	const struct rng r = unit_rng_system();

	coverage_all(&all);
	for (size_t i = 0; i < all.n; i += 7) {
		struct coverage c;
		cr_assert(coverage_measure(&all.list[i], &r, 0.8, RUNS, &c) == 0);
		cr_expect(c.inside < least, "%s: %g", all.list[i].name, c.inside);
	}
	arena_reset(&all.arena);
}

Test(coverage, of_a_table_whose_buckets_hold_more_than_the_noise_is_no_less_than_stated)
{
	/* 250 rows a bucket, noise of 5: an interval of whole buckets cannot be short enough to miss once in 20 times */
	static const struct decimal ranks[] = { { 5, 2 }, { 5, 1 }, { 96, 2 } };
	static const int truth[] = { 1, 16, 31 };
	static const char text[] = "0:250,1:250,2:250,3:250,4:250,5:250,6:250,7:250,8:250,9:250,10:250,11:250,12:250,13:250,14:250,15:250,16:250,17:250,18:250,19:250,"
				   "20:250,21:250,22:250,23:250,24:250,25:250,26:250,27:250,28:250,29:250,30:250,31:250,32:250";
	const struct rng r = unit_rng_system();

	for (size_t k = 0; k < ARRAY_LEN(ranks); k++) {
		struct coverage_case one = { .cells = { text }, .n_cells = 1, .truth = truth[k] };
		struct coverage c;
		one.value = (struct release_value){ .kind = RELEASE_QUANTILE, .format = FORMAT_INT8, .noise = { NOISE_GAUSSIAN, 25, 1 }, .grid = { 1, 0 }, .hi = 32,
						    .tree = { 33, 8 }, .ranks = &ranks[k], .n_ranks = 1 };
		cr_assert(coverage_measure(&one, &r, 0.95, RUNS, &c) == 0);
		cr_expect(c.inside > 0.99, "%zu: %g", k, c.inside);
	}
}
