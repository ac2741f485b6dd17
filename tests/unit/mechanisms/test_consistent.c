/* Totals that agree with their parts, over real releases: sums, errors, intervals, and what is left alone.  The arithmetic alone: test_lattice.c. */
#include "mechanisms/consistent.h"
#include "base/text.h"
#include "mechanisms/effects.h"
#include "tests/support/unit_rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SETS = 8, KEYS = 3, CELLS = 24, RUNS = 6000 };

/* Regions, cities and kinds; the sets of each grouping as bits.  Values: the count or sum, and the ends of its interval. */
static const char *const regions[] = { "north", "south", "east", NULL }, *const cities[] = { "a", "b", "c" }, *const kinds[] = { "t", "f" };
static const char *const *const lists[KEYS] = { regions, cities, kinds };
static const size_t sizes[KEYS] = { 4, 3, 2 };

enum { R = 1, C = 2, K = 4 };

struct grouping {
	size_t n, keys[SETS][KEYS];
	uint32_t sets[SETS];
	struct lattice lattice;
	struct release_value values[SETS][3];
	struct release_spec spec[SETS];
	const char *const *domains[SETS][KEYS];
	size_t n_domain[SETS][KEYS];
	const char *exact[SETS][CELLS * (KEYS + 1)]; /* keys and one number */
	struct exact_rows rows[SETS];
	char texts[SETS][CELLS][32];
	long truth[SETS][CELLS];
};

static void add_truth(struct grouping *g, size_t set, size_t cell, long n)
{
	const size_t at[KEYS] = { cell / 6, cell / 2 % 3, cell % 2 };
	size_t row = 0, keys = 0;

	for (size_t k = 0; k < KEYS; k++) {
		if (!((g->sets[set] >> k) & 1))
			continue;
		row = row * sizes[k] + at[k];
		keys++;
	}
	const char **to = &g->exact[set][row * (keys + 1)];
	for (size_t k = 0; k < KEYS; k++) {
		if ((g->sets[set] >> k) & 1)
			*to++ = lists[k][at[k]];
	}
	g->truth[set][row] += n;
	snprintf(g->texts[set][row], sizeof(g->texts[set][row]), "%ld", g->truth[set][row]);
	*to = g->texts[set][row];
}

struct plain_case {
	const char *name;
	enum release_kind kind;
	struct decimal grid;
	size_t n;
	uint32_t sets[SETS];
	struct noise noise[SETS];
};

#define LAPLACE(n) { NOISE_LAPLACE, n, 1 }
#define GAUSSIAN(n) { NOISE_GAUSSIAN, n, 1 }

static const struct plain_case cases[] = {
	{ "ROLLUP, Laplace count", RELEASE_COUNT, { 1, 0 }, 3, { 0, R, R | C }, { LAPLACE(3), LAPLACE(3), LAPLACE(3) } },
	{ "ROLLUP, Gaussian count", RELEASE_COUNT, { 1, 0 }, 3, { R | C, R, 0 }, { GAUSSIAN(25), GAUSSIAN(25), GAUSSIAN(25) } },
	{ "ROLLUP, sum of steps of 0.05", RELEASE_SUM, { 5, 2 }, 3, { 0, R, R | C }, { LAPLACE(700), LAPLACE(700), LAPLACE(700) } },
	{ "ROLLUP, sets of different laws", RELEASE_SUM, { 1, 0 }, 3, { 0, R, R | C }, { LAPLACE(5), GAUSSIAN(1000), LAPLACE(60) } },
	{ "CUBE of two, Laplace count", RELEASE_COUNT, { 1, 0 }, 4, { R | C, R, C, 0 }, { LAPLACE(4), LAPLACE(4), LAPLACE(4), LAPLACE(4) } },
	{ "CUBE of two, sets of different laws", RELEASE_SUM, { 1, 0 }, 4, { R | C, R, C, 0 }, { LAPLACE(30), GAUSSIAN(400), LAPLACE(5), GAUSSIAN(2000) } },
	{ "two sets that share the total", RELEASE_COUNT, { 1, 0 }, 2, { R, C }, { LAPLACE(3), GAUSSIAN(25) } },
	{ "pairs of three", RELEASE_SUM, { 5, 2 }, 3, { R | C, C | K, R | K }, { LAPLACE(20), LAPLACE(20), LAPLACE(40) } },
	{ "CUBE of three", RELEASE_COUNT, { 1, 0 }, 8, { 7, 6, 5, 4, 3, 2, 1, 0 },
	  { LAPLACE(8), LAPLACE(8), LAPLACE(8), LAPLACE(8), LAPLACE(8), LAPLACE(8), LAPLACE(8), LAPLACE(8) } },
};

static void grouping_make(struct grouping *g, const struct plain_case *c)
{
	*g = (struct grouping){ .n = c->n, .lattice = { .n_axes = KEYS, .n = c->n } };
	for (size_t k = 0; k < KEYS; k++)
		g->lattice.size[k] = sizes[k];
	for (size_t s = 0; s < g->n; s++) {
		size_t keys = 0;
		g->sets[s] = g->lattice.sets[s] = c->sets[s];
		for (size_t k = 0; k < KEYS; k++) {
			if (!((g->sets[s] >> k) & 1))
				continue;
			g->domains[s][keys] = lists[k];
			g->n_domain[s][keys] = sizes[k];
			g->keys[s][keys++] = k;
		}
		for (size_t cell = 0; cell < CELLS; cell++)
			add_truth(g, s, cell, (long)(cell * cell * 7 % 1000) - 40);
		for (size_t i = 0; i < 3; i++)
			g->values[s][i] = (struct release_value){ .kind = c->kind, .format = c->kind == RELEASE_COUNT ? FORMAT_INT8 : FORMAT_DECIMAL, .column = keys, .noise = c->noise[s], .grid = c->grid,
								  .shared = i > 0, .end = i == 0 ? END_VALUE : i == 1 ? END_LOW : END_HIGH };
		g->spec[s] = (struct release_spec){ .private_noise = true, .n_keys = keys, .selection = SELECT_ALL, .domains = g->domains[s], .n_domain = g->n_domain[s],
						    .values = g->values[s], .n_values = 3, .confidence = 0.95 };
		g->rows[s] = (struct exact_rows){ lattice_cells(&g->lattice, g->sets[s]), keys + 1, g->exact[s] };
	}
}

static const bool additive[3] = { true, true, true };

static void make(const struct grouping *g, const struct released **raw, const bool *which, struct arena *a, const struct released **out)
{
	struct consistent_set sets[SETS];
	struct error e;

	for (size_t s = 0; s < g->n; s++)
		sets[s] = (struct consistent_set){ &g->spec[s], raw[s], g->keys[s] };
	cr_assert(consistent_make(sets, g->n, which, a, out, &e), "%s", e.message);
}

static void ask(const struct grouping *g, const struct rng *rng, struct arena *a, const struct released **raw, const struct released **out)
{
	struct error e;

	for (size_t s = 0; s < g->n; s++)
		cr_assert(release_make(&g->spec[s], &g->rows[s], rng, a, &raw[s], &e), "%s", e.message);
	make(g, raw, additive, a, out);
}

static struct decimal number(const struct grouping *g, size_t set, const struct released *r, size_t row)
{
	struct decimal d;

	cr_assert(decimal_parse(released_cell(r, row, g->spec[set].n_keys), &d));
	return d;
}

/* Of all rows of a set that have the same values of these keys as the first, as text; the keys must be the set's. */
static struct decimal sum_like(const struct grouping *g, size_t set, const struct released *r, uint32_t keys, const char *const *values)
{
	struct decimal sum = { 0, 0 };

	for (size_t row = 0; row < released_rows(r); row++) {
		bool same = true;
		for (size_t i = 0; i < g->spec[set].n_keys; i++)
			same = same && (!((keys >> g->keys[set][i]) & 1) || text_eq(released_cell(r, row, i), values[g->keys[set][i]]));
		if (same)
			cr_assert(decimal_add(sum, number(g, set, r, row), &sum));
	}
	return sum;
}

/* Whether two sets say the same of all that both count. */
static bool agree(const struct grouping *g, size_t s, size_t t, const struct released *const *r)
{
	const uint32_t both = g->sets[s] & g->sets[t];

	for (size_t cell = 0; cell < CELLS; cell++) {
		const char *values[KEYS] = { regions[cell / 6], cities[cell / 2 % 3], kinds[cell % 2] };
		int order;
		cr_assert(decimal_compare(sum_like(g, s, r[s], both, values), sum_like(g, t, r[t], both, values), &order));
		if (order != 0)
			return false;
	}
	return true;
}

Test(consistent, any_two_sets_agree_exactly)
{
	const struct rng rng = unit_rng_system();
	const struct released *raw[SETS], *out[SETS];
	static struct grouping g;
	struct arena a;

	arena_init(&a, 64 << 20);
	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		bool differed = false;
		grouping_make(&g, &cases[c]);
		for (int run = 0; run < 30; run++, arena_reset(&a)) {
			ask(&g, &rng, &a, raw, out);
			for (size_t s = 0; s < g.n; s++) {
				for (size_t t = 0; t < s; t++) {
					cr_expect(agree(&g, s, t, out), "%s, sets %zu and %zu", cases[c].name, s, t);
					differed = differed || !agree(&g, s, t, raw);
				}
				for (size_t row = 0; row < released_rows(out[s]) * g.spec[s].n_keys; row++)
					cr_expect(text_eq(released_cell(out[s], row / g.spec[s].n_keys, row % g.spec[s].n_keys), released_cell(raw[s], row / g.spec[s].n_keys, row % g.spec[s].n_keys)));
			}
		}
		cr_expect(differed, "%s: nothing was to be adjusted", cases[c].name);
	}
}

/* In grid units: cells hold whole multiples of the grid. */
static double cell(const struct released *r, const struct release_spec *s, size_t row, size_t value)
{
	return strtod(released_cell(r, row, s->n_keys + value), NULL) / decimal_double(s->values[0].grid);
}

static void measure(const struct plain_case *c)
{
	const struct rng rng = unit_rng_system();
	const struct noise *noise[SETS];
	const struct released *raw[SETS], *out[SETS];
	double square[SETS] = { 0 }, inside[SETS] = { 0 }, bias[SETS][CELLS] = { { 0 } };
	struct effects_law law[SETS];
	static struct grouping g;
	struct arena a;
	struct error e;

	arena_init(&a, 64 << 20);
	grouping_make(&g, c);
	for (size_t s = 0; s < g.n; s++)
		noise[s] = &c->noise[s];
	cr_assert(effects_laws(&g.lattice, noise, &a, law, &e));
	for (int run = 0; run < RUNS; run++, arena_reset(&a)) {
		ask(&g, &rng, &a, raw, out);
		for (size_t s = 0; s < g.n; s++) {
			const double rows = (double)released_rows(out[s]);
			for (size_t i = 0; i < released_rows(out[s]); i++) {
				const double truth = (double)g.truth[s][i], d = cell(out[s], &g.spec[s], i, 0) - truth;
				square[s] += d * d / rows;
				inside[s] += (cell(out[s], &g.spec[s], i, 1) <= truth + 1e-6 && truth - 1e-6 <= cell(out[s], &g.spec[s], i, 2)) / rows;
				bias[s][i] += d / RUNS;
			}
		}
	}
	for (size_t s = 0; s < g.n; s++) {
		const double before = noise_deviation(noise[s]) * noise_deviation(noise[s]), after = square[s] / RUNS, covered = inside[s] / RUNS;
		/* rounding adds at most 1/4 (twice that where a set is derived); a variance over 6,000 runs is known to 3%: wide bounds, so that a right law stays inside */
		fprintf(stderr, "%s, set %x: variance %.4g before, %.4g after, %.4g stated; coverage %.4f\n", c->name, g.sets[s], before, after, law[s].variance, covered);
		cr_expect(law[s].variance < before * 0.999, "%s %zu", c->name, s);
		cr_expect(after < law[s].variance * 1.16 + 0.5 && after > law[s].variance * 0.85, "%s %zu: %g, %g", c->name, s, after, law[s].variance);
		cr_expect(covered > 0.935 && covered < 0.965, "%s %zu: %g", c->name, s, covered);
		for (size_t i = 0; i < g.rows[s].n_rows; i++)
			cr_expect(fabs(bias[s][i]) < 6 * sqrt((law[s].variance + 0.5) / RUNS), "%s %zu row %zu: %g", c->name, s, i, bias[s][i]);
	}
}

Test(consistent, errors_shrink_to_the_stated_law_without_bias_and_intervals_hold)
{
	for (size_t c = 0; c < ARRAY_LEN(cases); c++)
		measure(&cases[c]);
}

Test(consistent, variances_of_a_total_and_its_parts_are_those_of_least_squares)
{
	/* a total of K parts, all of one variance: 1 - 1/(K + 1) of it is left, for the total and for each part */
	const struct noise n = { NOISE_GAUSSIAN, 100, 1 }, *noise[] = { &n, &n };
	struct effects_law law[2];
	struct arena a;
	struct error e;

	arena_init(&a, 1 << 16);
	for (size_t k = 1; k < 1000; k *= 3) {
		const struct lattice l = { .n_axes = 1, .size = { k }, .n = 2, .sets = { 0, 1 } };
		cr_assert(effects_laws(&l, noise, &a, law, &e));
		const double want = 100 * (double)k / (double)(k + 1);
		cr_expect(fabs(law[0].variance - want) < 1e-9, "%zu: %g", k, law[0].variance);
		cr_expect(fabs(law[1].variance - want) < 1e-9, "%zu: %g", k, law[1].variance);
		cr_expect(law[0].fourth == 0);
	}
	arena_reset(&a);
}

static bool same(const struct released *x, const struct released *y)
{
	for (size_t i = 0; i < released_rows(x) * released_columns(x); i++) {
		const size_t row = i / released_columns(x), column = i % released_columns(x);
		if (!text_eq(released_cell(x, row, column), released_cell(y, row, column)))
			return false;
	}
	return released_rows(x) == released_rows(y);
}

static bool all_same(const struct grouping *g, const struct released **x, const struct released **y)
{
	for (size_t s = 0; s < g->n; s++) {
		if (!same(x[s], y[s]))
			return false;
	}
	return true;
}

Test(consistent, releases_that_agree_stay_as_they_are)
{
	const struct rng rng = unit_rng_system();
	const struct released *raw[SETS], *out[SETS];
	static struct grouping g;
	struct arena a;

	arena_init(&a, 64 << 20);
	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		struct plain_case without = cases[c];
		for (size_t s = 0; s < SETS; s++) /* noise of scale 1/1000 is 0: P[X != 0] is below 1e-400 */
			without.noise[s] = (struct noise){ NOISE_LAPLACE, 1, 1000 };
		grouping_make(&g, &without);
		ask(&g, &rng, &a, raw, out);
		cr_expect(all_same(&g, raw, out), "%s", cases[c].name);
	}
	arena_reset(&a);
}

Test(consistent, the_same_releases_give_the_same_rows)
{
	struct unit_rng u;
	const struct rng rng = unit_rng(&u, 7);
	const struct released *raw[SETS], *out[SETS], *again[SETS];
	static struct grouping g;
	struct arena a;

	arena_init(&a, 64 << 20);
	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		grouping_make(&g, &cases[c]);
		ask(&g, &rng, &a, raw, out);
		make(&g, raw, additive, &a, again);
		cr_expect(all_same(&g, out, again) && !all_same(&g, raw, out), "%s", cases[c].name);
	}
	arena_reset(&a);
}

Test(consistent, what_cannot_be_adjusted_stays_as_released)
{
	const struct rng rng = unit_rng_system();
	const struct released *raw[SETS], *out[SETS];
	const bool none[3] = { false, false, false };
	static struct grouping g;
	struct error e;
	struct arena a;

	arena_init(&a, 64 << 20);
	for (size_t c = 0; c < ARRAY_LEN(cases); c += 4) { /* ROLLUP, CUBE of two, CUBE of three: counts */
		cr_assert(cases[c].kind == RELEASE_COUNT);
		size_t cut = 0;
		grouping_make(&g, &cases[c]);
		while (g.spec[cut].n_keys < 2)
			cut++;
		g.exact[cut][g.spec[cut].n_keys] = "9300000000000000000"; /* beyond int8 in one row: shown as its end */
		ask(&g, &rng, &a, raw, out);
		cr_expect(all_same(&g, raw, out), "%s, beyond the type", cases[c].name);

		grouping_make(&g, &cases[c]);
		ask(&g, &rng, &a, raw, out);
		make(&g, raw, none, &a, out);
		cr_expect(all_same(&g, raw, out), "%s, not additive", cases[c].name);

		/* the domain of one set was read again, and another: three regions, or others */
		static const char *const renamed[] = { "north", "south", "west", NULL };
		for (int other = 0; other < 2; other++) {
			grouping_make(&g, &cases[c]);
			ask(&g, &rng, &a, raw, out);
			g.n_domain[cut][0] -= other == 0;
			g.domains[cut][0] = other == 0 ? regions : renamed;
			cr_assert(release_make(&g.spec[cut], &g.rows[cut], &rng, &a, &raw[cut], &e));
			make(&g, raw, additive, &a, out);
			cr_expect(all_same(&g, raw, out), "%s, another domain", cases[c].name);
		}
	}
	arena_reset(&a);
}

Test(consistent, too_many_cells_are_left_alone_before_anything_is_asked)
{
	struct lattice l = { .n_axes = 3, .size = { 1000, 1000, 40 }, .n = 4, .sets = { 3, 2, 1, 0 } };

	cr_expect(consistent_possible(&l));
	l.size[0] = 1100;
	cr_expect(!consistent_possible(&l), "of what is released");
	/* of what helps: the union of three sets of one key is within the fourth set */
	l = (struct lattice){ .n_axes = 4, .size = { 90, 90, 90, 1 }, .n = 4, .sets = { 15, 1, 2, 4 } };
	cr_expect(!consistent_possible(&l));
}
