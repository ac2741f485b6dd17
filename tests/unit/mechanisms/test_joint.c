/* Correlated noise: what it costs, what is shown, and with which error. */
#include "mechanisms/calibrate.h"
#include "mechanisms/released.h"
#include "tests/support/unit_rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

enum { MEMBERS_MAX = 9 };

static const i128 bounds[MEMBERS_MAX] = { 1, -100, 25000, 3, -1, 7, 1000000, 2, -12 };

static const char *text(struct arena *a, i128 v)
{
	struct wr w;

	wr_init(&w, a, 64);
	number_put_i128(&w, v);
	return wr_text(&w);
}

static void make_part(size_t members, uint64_t groups, struct rho rho, struct joint *j, struct joint_value *v, struct noise *shown)
{
	struct error e;

	cr_assert(joint_plan(members, groups, rho, j, &e), "%s", e.message);
	for (size_t i = 0; i < members; i++)
		cr_assert(joint_member(j, bounds[i], &v[i], &shown[i], &e), "%s", e.message);
}

static double variance(const struct noise *n)
{
	return (double)n->num / (double)n->den;
}

/* d^2 / (2 sigma^2). */
static double loss(const struct noise *n, i128 d)
{
	return (double)d * (double)d / (2 * variance(n));
}

Test(joint, no_unit_costs_more_than_the_price_and_some_unit_nearly_all_of_it)
{
	static const uint64_t prices[] = { EPS_ONE / 1000, EPS_ONE / 7, EPS_ONE, 5 * EPS_ONE };

	for (size_t members = 2; members <= MEMBERS_MAX; members++) {
		for (size_t p = 0; p < ARRAY_LEN(prices); p++) {
			const uint64_t groups = 1 + members % 3;
			struct joint_value v[MEMBERS_MAX];
			struct noise shown[MEMBERS_MAX];
			struct joint j;
			double most = 0;
			make_part(members, groups, (struct rho){ prices[p] }, &j, v, shown);
			for (unsigned corner = 0; corner < 1u << members; corner++) { /* a unit adds nothing, or all it may, to each value */
				i128 with, without;
				cr_assert(joint_units(20, &without) && joint_units(21, &with));
				double all = loss(&j.units, with - without);
				for (size_t i = 0; i < members; i++) {
					const i128 adds = corner >> i & 1 ? bounds[i] : 0;
					cr_assert(joint_mix(&v[i], 1234, 20, &without) && joint_mix(&v[i], 1234 + adds, 21, &with));
					all += loss(&v[i].noise, with - without);
				}
				most = fmax(most, all * (double)groups * EPS_ONE);
			}
			cr_expect(most <= (double)prices[p] * (1 + 1e-12), "%zu members: %g of %g", members, most, (double)prices[p]);
			cr_expect(most > (double)prices[p] * 0.99, "%zu members: %g of %g", members, most, (double)prices[p]);
		}
	}
}

Test(joint, without_noise_the_exact_values_come_back)
{
	static const i128 values[] = { 0, 1, -1, 7, -250000, (i128)1 << 70 };
	struct joint_value v[MEMBERS_MAX];
	struct noise shown[MEMBERS_MAX];
	struct joint j;

	make_part(MEMBERS_MAX, 1, (struct rho){ EPS_ONE }, &j, v, shown);
	for (size_t i = 0; i < MEMBERS_MAX; i++) {
		for (size_t k = 0; k < ARRAY_LEN(values); k++) {
			i128 z, units, back;
			cr_assert(joint_units(31, &units) && joint_mix(&v[i], values[k], 31, &z) && joint_recover(&v[i], z, units, &back));
			cr_expect(back == values[k]);
			for (i128 off = -JOINT_LATTICE; off <= JOINT_LATTICE; off += JOINT_LATTICE / 2) { /* halves go up */
				cr_assert(joint_recover(&v[i], z + off, units, &back));
				cr_expect(back == values[k] + (off == JOINT_LATTICE));
			}
		}
	}
}

Test(joint, the_error_is_as_small_as_it_can_be_for_these_bounds)
{
	for (size_t members = 2; members <= MEMBERS_MAX; members++) {
		const double root = sqrt((double)members), rho = 0.01 * (double)members;
		struct joint_value v[MEMBERS_MAX];
		struct noise shown[MEMBERS_MAX];
		struct joint j;
		make_part(members, 2, (struct rho){ (uint64_t)(rho * EPS_ONE) }, &j, v, shown);
		for (size_t i = 0; i < members; i++) {
			const double bound = fabs((double)bounds[i]), best = bound * bound * 2 * (root + 1) * (root + 1) / (8 * rho) + 1.0 / 12;
			struct noise alone;
			struct error e;
			cr_expect(variance(&shown[i]) >= best * (1 - 1e-6) && variance(&shown[i]) < best * 1.01, "%zu of %zu: %g, %g", i, members, variance(&shown[i]), best);
			cr_assert(calibrate_gaussian((u128)(bounds[i] * bounds[i]) * 2, (struct rho){ EPS_ONE / 100 }, &alone, &e));
			cr_expect(noise_deviation(&shown[i]) < (members < 5 ? 0.87 : 0.74) * noise_deviation(&alone));
		}
	}
}

/* A row without keys: c, then the values. */
static void make_spec(size_t members, const struct joint *j, const struct joint_value *v, const struct noise *shown, struct release_value *values, struct release_spec *s)
{
	for (size_t i = 0; i < members; i++)
		values[i] = (struct release_value){ .kind = i % 2 ? RELEASE_SUM : RELEASE_COUNT, .format = FORMAT_DECIMAL, .column = i + 1, .noise = shown[i], .grid = { 1, 0 }, .joint = v[i] };
	*s = (struct release_spec){ .private_noise = true, .selection = SELECT_ALL, .values = values, .n_values = members, .joint = *j };
}

/* One release, as numbers. */
static void release(const struct release_spec *s, const char *const *cells, const struct rng *r, struct arena *a, double *out)
{
	const struct exact_rows rows = { 1, s->n_values + 1, cells };
	const struct released *shown;
	struct error e;

	cr_assert(release_make(s, &rows, r, a, &shown, &e), "%s", e.message);
	for (size_t i = 0; i < s->n_values; i++)
		out[i] = strtod(released_cell(shown, 0, i), NULL);
	arena_reset(a);
}

Test(joint, released_values_have_the_stated_variance_and_one_count_of_units_between_them)
{
	enum { MEMBERS = 3, DRAWS = 20000 };
	static const char *const cells[] = { "40", "35", "-2100", "400000" };
	static const double truth[] = { 35, -2100, 400000 };
	double square[MEMBERS] = { 0 }, sum[MEMBERS] = { 0 }, product = 0, x[MEMBERS];
	struct release_value values[MEMBERS];
	struct joint_value v[MEMBERS];
	struct noise shown[MEMBERS];
	struct release_spec s;
	struct unit_rng u;
	const struct rng r = unit_rng(&u, 77);
	struct joint j;
	struct arena a;

	arena_init(&a, 1 << 20);
	make_part(MEMBERS, 1, (struct rho){ EPS_ONE / 10 }, &j, v, shown);
	make_spec(MEMBERS, &j, v, shown, values, &s);
	for (int n = 0; n < DRAWS; n++) {
		release(&s, cells, &r, &a, x);
		for (size_t i = 0; i < MEMBERS; i++) {
			square[i] += (x[i] - truth[i]) * (x[i] - truth[i]);
			sum[i] += x[i] - truth[i];
		}
		product += (x[0] - truth[0]) * (x[1] - truth[1]);
	}
	for (size_t i = 0; i < MEMBERS; i++) {
		const double got = square[i] / DRAWS / variance(&shown[i]); /* one standard error is 1% */
		cr_expect(got > 0.95 && got < 1.05, "%zu: %g", i, got);
		cr_expect(fabs(sum[i] / DRAWS) < 5 * noise_deviation(&shown[i]) / sqrt(DRAWS), "%zu: %g", i, sum[i] / DRAWS);
	}
	/* of bounds 1 and -100: the shared part of the error is 1 / (1 + w^2) of its variance, of opposite sign */
	const double correlation = product / DRAWS / (noise_deviation(&shown[0]) * noise_deviation(&shown[1])), want = -1 / (1 + sqrt(MEMBERS));
	cr_expect(fabs(correlation - want) < 0.04, "%g, not %g", correlation, want);
}

Test(joint, releases_of_neighbouring_databases_differ_by_no_more_than_rho)
{
	enum { MEMBERS = 2, DRAWS = 40000 };
	static const char *const cells[2][3] = { { "40", "35", "-2100" }, { "41", "36", "-2200" } };
	double mean[2] = { 0 }, square[2] = { 0 }, x[MEMBERS];
	struct release_value values[MEMBERS];
	struct joint_value v[MEMBERS];
	struct noise shown[MEMBERS];
	struct release_spec s;
	struct unit_rng u;
	const struct rng r = unit_rng(&u, 78);
	const double rho = 0.02;
	struct joint j;
	struct arena a;

	arena_init(&a, 1 << 20);
	make_part(MEMBERS, 1, (struct rho){ (uint64_t)(rho * EPS_ONE) }, &j, v, shown);
	make_spec(MEMBERS, &j, v, shown, values, &s);
	for (int side = 0; side < 2; side++) {
		for (int n = 0; n < DRAWS; n++) {
			release(&s, cells[side], &r, &a, x);
			const double score = x[0] - x[1] / 100; /* in units of the bounds: what tells the two apart best */
			mean[side] += score / DRAWS;
			square[side] += score * score / DRAWS;
		}
	}
	/* of two normal laws: (difference of means)^2 / 2 variance; 4 rho d w^2 / (d + w^2)^2 = 0.97 rho for a unit that adds all it may */
	const double spread = (square[0] - mean[0] * mean[0] + square[1] - mean[1] * mean[1]) / 2, apart = mean[1] - mean[0];
	const double proven = apart * apart / (2 * spread), slack = 4 * sqrt(2.0 / DRAWS) * sqrt(2 * rho);
	cr_expect(proven < rho + slack && proven > 0.97 * rho - slack, "%g of %g", proven, rho);
}

Test(joint, a_group_without_data_has_noise_too)
{
	static const char *const domain[] = { "a", "b" }, *const *const domains[] = { domain }, *const cells[] = { "a", "40", "35", "-2100" };
	static const size_t sizes[] = { 2 };
	const struct exact_rows rows = { 1, 4, cells };
	struct release_value values[2];
	struct joint_value v[2];
	struct noise shown[2];
	struct release_spec s;
	struct unit_rng u;
	const struct rng r = unit_rng(&u, 5);
	struct joint j;
	struct arena a;
	struct error e;
	int other = 0;

	arena_init(&a, 1 << 20);
	make_part(2, 1, (struct rho){ EPS_ONE / 1000 }, &j, v, shown);
	make_spec(2, &j, v, shown, values, &s);
	s.n_keys = 1;
	s.domains = domains;
	s.n_domain = sizes;
	s.joint.column = 1;
	values[0].column = 2;
	values[1].column = 3;
	for (int n = 0; n < 20; n++) {
		const struct released *out;
		cr_assert(release_make(&s, &rows, &r, &a, &out, &e) && released_rows(out) == 2);
		other += strtod(released_cell(out, 1, 1), NULL) != 0 && strtod(released_cell(out, 1, 2), NULL) != 0;
		arena_reset(&a);
	}
	cr_expect(other > 15, "%d", other); /* a deviation of 27: one in 70 is 0 */
}

Test(joint, what_does_not_fit_is_refused_and_releases_nothing)
{
	struct joint_value v[2] = { 0 }, kept;
	struct release_value values[2];
	struct noise shown[2];
	struct release_spec s;
	struct unit_rng u;
	const struct rng r = unit_rng(&u, 1);
	const struct released *out = NULL;
	struct joint j = { 0 };
	struct arena a;
	struct error e;

	arena_init(&a, 1 << 20);
	cr_expect(!joint_plan(2, 1, (struct rho){ 0 }, &j, &e) && j.members == 0);
	cr_expect(!joint_plan(1000, UINT64_MAX, (struct rho){ 1 }, &j, &e) && j.members == 0);
	make_part(2, 1, (struct rho){ EPS_ONE }, &j, v, shown);
	make_spec(2, &j, v, shown, values, &s);
	kept = v[0];
	cr_expect(!joint_member(&j, (i128)1 << 60, &v[0], &shown[0], &e) && v[0].bound == kept.bound);
	cr_expect(!joint_member(&j, -((i128)1 << 126), &v[0], &shown[0], &e) && v[0].bound == kept.bound);
	const char *const big[] = { text(&a, (i128)1 << 119), "1", "1" }, *const small[] = { "1", "1", "1" };
	const struct exact_rows too_big = { 1, 3, big }, narrow = { 1, 2, small }, good = { 1, 3, small };
	cr_expect(!release_make(&s, &too_big, &r, &a, &out, &e) && e.code == ERR_UPSTREAM && !out);
	s.joint.column = 2;
	cr_expect(!release_make(&s, &narrow, &r, &a, &out, &e) && e.code == ERR_UPSTREAM && !out);
	s.joint.column = 0;
	u.fail_after = u.drawn + 1;
	cr_expect(!release_make(&s, &good, &r, &a, &out, &e) && e.code == ERR_INTERNAL && !out);
	arena_reset(&a);
}
