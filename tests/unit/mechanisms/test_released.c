/* Exact rows become released rows: selection, order, zeros for empty public groups, fresh noise for each value. */
#include "mechanisms/released.h"
#include "tests/support/unit_rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct noise small = { NOISE_LAPLACE, 1, 100 }; /* zero but for e^-100 */

static struct release_value count_value(size_t column, struct noise n)
{
	return (struct release_value){ .kind = RELEASE_COUNT, .format = FORMAT_INT8, .column = column, .noise = n, .grid = { 1, 0 } };
}

static const struct released *make(const struct release_spec *s, const char *const *cells, size_t rows, size_t columns, struct arena *a, uint64_t seed)
{
	struct unit_rng u;
	const struct rng r = unit_rng(&u, seed);
	const struct exact_rows exact = { rows, columns, cells };
	const struct released *out = NULL;
	struct error e;

	return release_make(s, &exact, &r, a, &out, &e) ? out : NULL;
}

Test(released, public_groups_all_appear_in_domain_order_and_others_do_not)
{
	static const char *const domain[] = { "b", "a", "c", NULL };
	static const char *const *const domains[] = { domain };
	static const size_t sizes[] = { 4 };
	static const char *const cells[] = { "a", "5", "x", "9", NULL, "3" };
	const struct release_value v = count_value(1, small);
	const struct release_spec s = { .private_noise = true, .n_keys = 1, .selection = SELECT_ALL, .domains = domains, .n_domain = sizes, .values = &v, .n_values = 1 };
	struct arena a;

	arena_init(&a, 1 << 20);
	const struct released *r = make(&s, cells, 3, 2, &a, 1);
	cr_assert(r && released_rows(r) == 4);
	cr_expect_str_eq(released_cell(r, 0, 0), "b");
	cr_expect_str_eq(released_cell(r, 0, 1), "0");
	cr_expect_str_eq(released_cell(r, 1, 1), "5");
	cr_expect_null(released_cell(r, 3, 0));
	cr_expect_str_eq(released_cell(r, 3, 1), "3");
	arena_reset(&a);
}

Test(released, private_groups_below_the_threshold_are_withheld)
{
	static const char *const cells[] = { "a", "10", "10", "b", "9", "9", "c", "11", "11" };
	const struct release_value v = count_value(2, small);
	const struct release_spec s = { .private_noise = true, .n_keys = 1, .selection = SELECT_THRESHOLD, .units_column = 1, .minimum_units = 1, .units_noise = small, .threshold = 10, .values = &v, .n_values = 1 };
	struct arena a;

	arena_init(&a, 1 << 20);
	const struct released *r = make(&s, cells, 3, 3, &a, 1);
	cr_assert(r && released_rows(r) == 2);
	cr_expect_str_eq(released_cell(r, 0, 0), "a");
	cr_expect_str_eq(released_cell(r, 1, 0), "c");
	arena_reset(&a);
}

Test(released, a_count_that_is_shown_decides_with_the_noise_that_is_shown)
{
	static const char *const cells[] = { "a", "30", "30", "b", "1", "1", "c", "500", "500" };
	const struct noise wide = { NOISE_LAPLACE, 20, 1 };
	const struct release_value v = count_value(2, wide);
	const struct release_spec s = { .private_noise = true, .n_keys = 1, .selection = SELECT_THRESHOLD, .units_column = 1, .minimum_units = 1, .units_value = 1, .threshold = 40, .values = &v, .n_values = 1 };
	size_t shown = 0;

	for (uint64_t seed = 0; seed < 500; seed++) {
		struct arena a;
		arena_init(&a, 1 << 20);
		const struct released *r = make(&s, cells, 3, 3, &a, seed);
		cr_assert_not_null(r);
		for (size_t i = 0; i < released_rows(r); i++, shown++)
			cr_expect(atol(released_cell(r, i, 1)) >= 40); /* never less than the threshold: it is the same number */
		arena_reset(&a);
	}
	cr_expect(shown > 500 && shown < 1000); /* c always, a in about a third of the runs */
}

Test(released, optimal_selection_shows_large_groups_and_never_those_below_the_minimum)
{
	static const char *const cells[] = { "a", "4", "4", "b", "40", "40", "c", "9", "9" };
	const struct release_value v = count_value(2, small);
	struct release_spec s = { .private_noise = true, .n_keys = 1, .selection = SELECT_OPTIMAL, .units_column = 1, .minimum_units = 5, .values = &v, .n_values = 1 };
	size_t shown = 0;

	cr_assert(select_law_pure((struct eps){ EPS_ONE }, 1, (struct delta){ DELTA_ONE / 10 }, 5, &s.law));
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct arena a;
		arena_init(&a, 1 << 20);
		const struct released *r = make(&s, cells, 3, 3, &a, seed);
		cr_assert(r && released_rows(r) >= 1 && released_rows(r) <= 2);
		cr_expect_str_eq(released_cell(r, 0, 0), "b");
		shown += released_rows(r) == 2;
		arena_reset(&a);
	}
	cr_expect(shown > 150); /* nine units are four above the minimum */
}

Test(released, averages_come_from_noised_counts_and_centred_sums)
{
	/* bounds [0, 500] in cents: 3 rows of 100.00: S = sum(2x - 50000) = 3 * -30000 */
	static const char *const cells[] = { "3", "-90000" };
	const struct release_value v = { .kind = RELEASE_AVG, .format = FORMAT_DECIMAL, .noise = small, .noise_sum = small, .grid = { 1, 2 }, .lo = 0, .hi = 50000, .extra_scale = 4 };
	const struct release_spec s = { .private_noise = true, .selection = SELECT_ALL, .values = &v, .n_values = 1 };
	struct arena a;

	arena_init(&a, 1 << 20);
	cr_expect_str_eq(released_cell(make(&s, cells, 1, 2, &a, 1), 0, 0), "100.000000");
	arena_reset(&a);
}

Test(released, every_value_has_noise_of_its_own_and_of_the_stated_scale)
{
	static const char *const cells[] = { "1000", "1000" };
	const struct noise n = { NOISE_LAPLACE, 20, 1 };
	const struct release_value v[] = { count_value(0, n), count_value(1, n) };
	const struct release_spec s = { .private_noise = true, .selection = SELECT_ALL, .values = v, .n_values = 2 };
	double square = 0, product = 0;
	struct arena a;
	int draws = 20000;

	arena_init(&a, 1 << 20);
	for (int i = 0; i < draws; i++) {
		const struct released *r = make(&s, cells, 1, 2, &a, (uint64_t)i * 2654435761u + 11);
		double x = strtod(released_cell(r, 0, 0), NULL) - 1000, y = strtod(released_cell(r, 0, 1), NULL) - 1000;
		square += x * x + y * y;
		product += x * y;
		arena_reset(&a);
	}
	double deviation = sqrt(square / (2 * draws)) / noise_deviation(&n), correlation = product / draws / (noise_deviation(&n) * noise_deviation(&n));
	cr_expect(deviation > 0.95 && deviation < 1.05, "%g", deviation); /* a scale 10% off is 20 standard errors away */
	cr_expect(fabs(correlation) < 0.05, "%g", correlation);
}

Test(released, a_failing_source_releases_nothing)
{
	static const char *const cells[] = { "1000" };
	const struct release_value v = count_value(0, (struct noise){ NOISE_GAUSSIAN, 100, 1 });
	const struct release_spec s = { .private_noise = true, .selection = SELECT_ALL, .values = &v, .n_values = 1 };
	const struct exact_rows exact = { 1, 1, cells };
	const struct released *out = NULL;
	struct unit_rng u;
	const struct rng r = unit_rng(&u, 1);
	struct error e;
	struct arena a;

	u.fail_after = 2;
	arena_init(&a, 1 << 20);
	cr_expect(!release_make(&s, &exact, &r, &a, &out, &e));
	cr_expect_null(out);
	arena_reset(&a);
}

/* A source that fails once, at its call number `at`, and then goes on as if nothing had been. */
struct stumbling {
	struct rng rng;
	int calls, at;
};

static bool stumble(void *ctx, uint8_t *out, size_t n)
{
	struct stumbling *s = ctx;

	return ++s->calls != s->at && rng_fill(&s->rng, out, n);
}

Test(released, a_source_that_fails_once_releases_nothing_wherever_that_is)
{
	enum { ROWS = 2000 };
	static char names[ROWS][8];
	static const char *domain[ROWS];
	static const char *const *const domains[] = { domain };
	static const size_t sizes[] = { ROWS };
	const struct release_value v = count_value(1, (struct noise){ NOISE_LAPLACE, 100, 1 });
	const struct release_spec s = { .private_noise = true, .n_keys = 1, .selection = SELECT_ALL, .domains = domains, .n_domain = sizes, .values = &v, .n_values = 1 };
	const struct exact_rows exact = { 0, 2, NULL };
	struct unit_rng u;
	struct stumbling source = { .rng = unit_rng(&u, 1) };
	const struct rng r = { stumble, &source };
	struct error e;
	struct arena a;

	for (int i = 0; i < ROWS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%d", i);
		domain[i] = names[i];
	}
	arena_init(&a, 1 << 24);
	const struct released *out = NULL;
	cr_assert(release_make(&s, &exact, &r, &a, &out, &e));
	const int all = source.calls;
	cr_assert(all >= 3, "%d calls", all);
	for (source.at = 1; source.at <= all; source.at++) {
		source.calls = 0;
		out = NULL;
		source.rng = unit_rng(&u, 1);
		arena_reset(&a);
		cr_expect(!release_make(&s, &exact, &r, &a, &out, &e) && out == NULL, "call %d of %d", source.at, all);
	}
	arena_reset(&a);
}

Test(released, cells_that_are_no_integers_are_refused_with_constant_text)
{
	static const char *const cells[] = { "12.5 SECRET" };
	const struct release_value v = count_value(0, small);
	const struct release_spec s = { .private_noise = true, .selection = SELECT_ALL, .values = &v, .n_values = 1 };
	const struct exact_rows exact = { 1, 1, cells };
	const struct released *out = NULL;
	struct unit_rng u;
	const struct rng r = unit_rng(&u, 1);
	struct error e;
	struct arena a;

	arena_init(&a, 1 << 20);
	cr_expect(!release_make(&s, &exact, &r, &a, &out, &e));
	cr_expect_null(strstr(e.message, "SECRET"));
	arena_reset(&a);
}
