/* Totals that agree with their parts, over real releases: sums, errors, intervals, and what is left alone. */
#include "mechanisms/consistent.h"
#include "base/text.h"
#include "tests/support/unit_rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEVELS = 3, A = 4, B = 5, RUNS = 6000 };

/* Four regions of five cities each, a total a region, and one of all: as ROLLUP (region, city) asks for them.  Values: the count or sum, and its ends. */
struct rollup {
	struct release_value values[LEVELS][3];
	struct release_spec spec[LEVELS];
	const char *exact[LEVELS][A * B * 3]; /* keys and one number */
	struct exact_rows rows[LEVELS];
	char texts[LEVELS][A * B][32];
	long truth[LEVELS][A * B];
};

static const char *const regions[] = { "north", "south", "east", NULL }, *const cities[] = { "a", "b", "c", "d", "e" };
static const char *const *const domains[] = { regions, cities };
static const size_t sizes[] = { A, B };
static const size_t from[] = { 0, 1 };
static const size_t rows_of[LEVELS] = { 1, A, A * B };

static void set_truth(struct rollup *r, size_t l, size_t row, long n)
{
	const char **to = &r->exact[l][row * (l + 1)];

	r->truth[l][row] = n;
	snprintf(r->texts[l][row], sizeof(r->texts[l][row]), "%ld", n);
	if (l > 0)
		to[0] = regions[l == 1 ? row : row / B];
	if (l > 1)
		to[1] = cities[row % B];
	to[l] = r->texts[l][row];
}

static void rollup_make(struct rollup *r, enum release_kind kind, struct decimal grid, const struct noise noise[LEVELS])
{
	*r = (struct rollup){ .truth = { { 0 } } };
	for (size_t row = 0; row < A * B; row++) {
		const long n = (long)(row * row * 7 % 1000) - 40;
		set_truth(r, 2, row, n);
		set_truth(r, 1, row / B, r->truth[1][row / B] + n);
		set_truth(r, 0, 0, r->truth[0][0] + n);
	}
	for (size_t l = 0; l < LEVELS; l++) {
		for (size_t i = 0; i < 3; i++)
			r->values[l][i] = (struct release_value){ .kind = kind, .format = kind == RELEASE_COUNT ? FORMAT_INT8 : FORMAT_DECIMAL, .column = l, .noise = noise[l], .grid = grid,
								  .shared = i > 0, .end = i == 0 ? END_VALUE : i == 1 ? END_LOW : END_HIGH };
		r->spec[l] = (struct release_spec){ .private_noise = true, .n_keys = l, .selection = SELECT_ALL, .domains = domains, .n_domain = sizes,
						    .values = r->values[l], .n_values = 3, .confidence = 0.95 };
		r->rows[l] = (struct exact_rows){ rows_of[l], l + 1, r->exact[l] };
	}
}

static void ask(const struct rollup *r, const struct rng *g, struct arena *a, const struct released **raw, const struct released **out)
{
	struct consistent_level levels[LEVELS];
	const bool additive[3] = { true, true, true };
	struct error e;

	for (size_t l = 0; l < LEVELS; l++) {
		cr_assert(release_make(&r->spec[l], &r->rows[l], g, a, &raw[l], &e), "%s", e.message);
		levels[l] = (struct consistent_level){ &r->spec[l], raw[l], from };
	}
	cr_assert(consistent_make(levels, LEVELS, additive, a, out, &e), "%s", e.message);
}

/* In grid units: cells hold whole multiples of the grid. */
static double cell(const struct released *r, const struct release_spec *s, size_t row, size_t value)
{
	return strtod(released_cell(r, row, s->n_keys + value), NULL) / decimal_double(s->values[0].grid);
}

static const struct decimal one = { 1, 0 };

static const struct {
	const char *name;
	enum release_kind kind;
	struct decimal grid;
	struct noise noise[LEVELS];
} cases[] = {
	{ "Laplace count", RELEASE_COUNT, { 1, 0 }, { { NOISE_LAPLACE, 3, 1 }, { NOISE_LAPLACE, 3, 1 }, { NOISE_LAPLACE, 3, 1 } } },
	{ "Gaussian count", RELEASE_COUNT, { 1, 0 }, { { NOISE_GAUSSIAN, 25, 1 }, { NOISE_GAUSSIAN, 25, 1 }, { NOISE_GAUSSIAN, 25, 1 } } },
	{ "sum of steps of 0.05", RELEASE_SUM, { 5, 2 }, { { NOISE_LAPLACE, 700, 1 }, { NOISE_LAPLACE, 700, 1 }, { NOISE_LAPLACE, 700, 1 } } },
	{ "levels of different laws", RELEASE_SUM, { 1, 0 }, { { NOISE_LAPLACE, 5, 1 }, { NOISE_GAUSSIAN, 1000, 1 }, { NOISE_LAPLACE, 60, 1 } } },
};

Test(consistent, totals_are_exactly_the_sums_of_their_parts)
{
	const struct rng g = unit_rng_system();
	const struct released *raw[LEVELS], *out[LEVELS];
	static struct rollup r;
	struct arena a;

	arena_init(&a, 64 << 20);
	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		bool differed = false;
		rollup_make(&r, cases[c].kind, cases[c].grid, cases[c].noise);
		for (int run = 0; run < 50; run++, arena_reset(&a)) {
			struct decimal total, all = { 0, 0 }, x;
			ask(&r, &g, &a, raw, out);
			for (size_t i = 0; i < A; i++) {
				struct decimal sum = { 0, 0 }, was = { 0, 0 };
				for (size_t j = 0; j < B; j++) {
					cr_assert(decimal_parse(released_cell(out[2], i * B + j, 2), &x) && decimal_add(sum, x, &sum));
					cr_assert(decimal_parse(released_cell(raw[2], i * B + j, 2), &x) && decimal_add(was, x, &was));
				}
				int order;
				cr_assert(text_eq(released_cell(out[1], i, 0), regions[i]));
				cr_assert(decimal_parse(released_cell(out[1], i, 1), &total) && decimal_compare(total, sum, &order));
				cr_expect(order == 0, "%s, region %zu: %s", cases[c].name, i, released_cell(out[1], i, 1));
				cr_assert(decimal_parse(released_cell(raw[1], i, 1), &x) && decimal_compare(x, was, &order));
				differed = differed || order != 0;
				cr_assert(decimal_add(all, total, &all));
			}
			int order;
			cr_assert(decimal_parse(released_cell(out[0], 0, 0), &total) && decimal_compare(total, all, &order));
			cr_expect(order == 0, "%s", cases[c].name);
		}
		cr_expect(differed, "%s: nothing was to be adjusted", cases[c].name);
	}
	arena_reset(&a);
}

Test(consistent, errors_shrink_to_the_stated_law_without_bias_and_intervals_hold)
{
	const struct rng g = unit_rng_system();
	const struct released *raw[LEVELS], *out[LEVELS];
	static struct rollup r;
	struct arena a;

	arena_init(&a, 64 << 20);
	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		const struct noise *noise[LEVELS] = { &cases[c].noise[0], &cases[c].noise[1], &cases[c].noise[2] };
		const double parts[] = { A, B };
		struct consistent_law law[LEVELS];
		double square[LEVELS] = { 0 }, inside[LEVELS] = { 0 }, bias[A * B] = { 0 };
		rollup_make(&r, cases[c].kind, cases[c].grid, cases[c].noise);
		consistent_laws(noise, parts, LEVELS, law);
		for (int run = 0; run < RUNS; run++, arena_reset(&a)) {
			ask(&r, &g, &a, raw, out);
			for (size_t l = 0; l < LEVELS; l++) {
				for (size_t i = 0; i < rows_of[l]; i++) {
					const double d = cell(out[l], &r.spec[l], i, 0) - (double)r.truth[l][i], low = cell(out[l], &r.spec[l], i, 1), high = cell(out[l], &r.spec[l], i, 2);
					square[l] += d * d / (double)rows_of[l];
					inside[l] += (low <= (double)r.truth[l][i] + 1e-6 && (double)r.truth[l][i] - 1e-6 <= high) / (double)rows_of[l];
					bias[i] += l == 2 ? d / RUNS : 0;
				}
			}
		}
		for (size_t l = 0; l < LEVELS; l++) {
			const double before = noise_deviation(noise[l]) * noise_deviation(noise[l]), after = square[l] / RUNS, covered = inside[l] / RUNS;
			/* rounding adds at most 1/4; a variance over 6,000 runs is known to 3%: wide bounds, so that a right law stays inside */
			fprintf(stderr, "%s, level %zu: variance %.4g before, %.4g after, %.4g stated; coverage %.4f\n", cases[c].name, l, before, after, law[l].variance, covered);
			cr_expect(law[l].variance < before * 0.999, "%s %zu", cases[c].name, l);
			cr_expect(after < law[l].variance * 1.16 + 0.25 && after > law[l].variance * 0.85, "%s %zu: %g, %g", cases[c].name, l, after, law[l].variance);
			cr_expect(covered > 0.935 && covered < 0.975, "%s %zu: %g", cases[c].name, l, covered);
		}
		for (size_t i = 0; i < A * B; i++)
			cr_expect(fabs(bias[i]) < 6 * sqrt((law[2].variance + 0.25) / RUNS), "%s row %zu: %g", cases[c].name, i, bias[i]);
	}
	arena_reset(&a);
}

enum { D = A * B };

/* The covariance of least squares, (X' W X)^-1 over the finest rows: Gauss and Jordan.  w: the weight of each level. */
static void least_squares(const double w[LEVELS], double out[D][D])
{
	double m[D][2 * D] = { { 0 } };

	for (size_t i = 0; i < D; i++) {
		for (size_t j = 0; j < D; j++)
			m[i][j] = w[0] + (i / B == j / B ? w[1] : 0) + (i == j ? w[2] : 0);
		m[i][D + i] = 1;
	}
	for (size_t i = 0; i < D; i++) { /* positive definite: no pivot is 0 */
		for (size_t j = 2 * D; j-- > i;)
			m[i][j] /= m[i][i];
		for (size_t k = 0; k < D; k++) {
			const double x = m[k][i];
			for (size_t j = i; k != i && j < 2 * D; j++)
				m[k][j] -= x * m[i][j];
		}
	}
	for (size_t i = 0; i < D; i++) {
		for (size_t j = 0; j < D; j++)
			out[i][j] = m[i][D + j];
	}
}

Test(consistent, variances_of_several_levels_are_those_of_least_squares)
{
	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		const struct noise *noise[LEVELS] = { &cases[c].noise[0], &cases[c].noise[1], &cases[c].noise[2] };
		const double parts[] = { A, B };
		double w[LEVELS], covariance[D][D], want[LEVELS] = { 0 };
		struct consistent_law law[LEVELS];
		for (size_t l = 0; l < LEVELS; l++)
			w[l] = 1 / (noise_deviation(noise[l]) * noise_deviation(noise[l]));
		least_squares(w, covariance);
		consistent_laws(noise, parts, LEVELS, law);
		want[2] = covariance[0][0];
		for (size_t i = 0; i < D; i++) {
			for (size_t j = 0; j < D; j++) {
				want[0] += covariance[i][j];
				want[1] += i < B && j < B ? covariance[i][j] : 0;
			}
		}
		for (size_t l = 0; l < LEVELS; l++)
			cr_expect(fabs(law[l].variance / want[l] - 1) < 1e-9, "%s, level %zu: %g, %g", cases[c].name, l, law[l].variance, want[l]);
	}
}

Test(consistent, variances_of_a_total_and_its_parts_are_those_of_least_squares)
{
	/* a total of K parts, all of one variance: 1 - 1/(K + 1) of it is left, for the total and for each part */
	const struct noise n = { NOISE_GAUSSIAN, 100, 1 }, *noise[] = { &n, &n };
	struct consistent_law law[2];

	for (double k = 1; k < 1000; k *= 3) {
		consistent_laws(noise, &k, 2, law);
		cr_expect(fabs(law[0].variance - 100 * k / (k + 1)) < 1e-9, "%g: %g", k, law[0].variance);
		cr_expect(fabs(law[1].variance - 100 * k / (k + 1)) < 1e-9, "%g: %g", k, law[1].variance);
		cr_expect(law[0].fourth == 0);
	}
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

Test(consistent, releases_that_agree_stay_as_they_are)
{
	/* noise of scale 1/1000 is 0: P[X != 0] is below 1e-400 */
	static const struct noise none[LEVELS] = { { NOISE_LAPLACE, 1, 1000 }, { NOISE_LAPLACE, 1, 1000 }, { NOISE_LAPLACE, 1, 1000 } };
	const struct rng g = unit_rng_system();
	const struct released *raw[LEVELS], *out[LEVELS];
	static struct rollup r;
	struct arena a;

	arena_init(&a, 64 << 20);
	rollup_make(&r, RELEASE_SUM, one, none);
	ask(&r, &g, &a, raw, out);
	for (size_t l = 0; l < LEVELS; l++)
		cr_expect(same(raw[l], out[l]), "level %zu", l);
	arena_reset(&a);
}

Test(consistent, the_same_releases_give_the_same_rows)
{
	struct unit_rng u;
	const struct rng g = unit_rng(&u, 7);
	const struct released *raw[LEVELS], *out[LEVELS], *again[LEVELS];
	const bool additive[3] = { true, true, true };
	struct consistent_level levels[LEVELS];
	static struct rollup r;
	struct error e;
	struct arena a;

	arena_init(&a, 64 << 20);
	rollup_make(&r, cases[0].kind, cases[0].grid, cases[0].noise);
	ask(&r, &g, &a, raw, out);
	for (size_t l = 0; l < LEVELS; l++)
		levels[l] = (struct consistent_level){ &r.spec[l], raw[l], from };
	cr_assert(consistent_make(levels, LEVELS, additive, &a, again, &e));
	for (size_t l = 0; l < LEVELS; l++)
		cr_expect(same(out[l], again[l]) && !same(raw[l], out[l]), "level %zu", l);
	arena_reset(&a);
}

Test(consistent, what_cannot_be_adjusted_stays_as_released)
{
	const struct rng g = unit_rng_system();
	const struct released *raw[LEVELS], *out[LEVELS], *cut;
	const bool additive[3] = { true, true, true }, none[3] = { false, false, false };
	struct consistent_level levels[LEVELS];
	static struct rollup r;
	struct error e;
	struct arena a;

	arena_init(&a, 64 << 20);
	rollup_make(&r, cases[0].kind, cases[0].grid, cases[0].noise);
	r.exact[2][2] = "9300000000000000000"; /* beyond int8 in one row: shown as its end */
	ask(&r, &g, &a, raw, out);
	for (size_t l = 0; l < LEVELS; l++)
		cr_expect(same(raw[l], out[l]), "beyond the type: level %zu", l);

	rollup_make(&r, cases[0].kind, cases[0].grid, cases[0].noise);
	ask(&r, &g, &a, raw, out);
	for (size_t l = 0; l < LEVELS; l++)
		levels[l] = (struct consistent_level){ &r.spec[l], raw[l], from };
	cr_assert(consistent_make(levels, LEVELS, none, &a, out, &e));
	for (size_t l = 0; l < LEVELS; l++)
		cr_expect(same(raw[l], out[l]), "not additive: level %zu", l);

	/* the domain of the totals was read again, and another: three regions */
	const size_t fewer[] = { A - 1, B };
	r.spec[1].n_domain = fewer;
	cr_assert(release_make(&r.spec[1], &r.rows[1], &g, &a, &cut, &e));
	levels[1].released = cut;
	cr_assert(consistent_make(levels, LEVELS, additive, &a, out, &e));
	cr_expect(same(raw[0], out[0]) && same(cut, out[1]) && same(raw[2], out[2]), "another domain");
	arena_reset(&a);
}
