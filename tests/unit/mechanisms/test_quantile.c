/* The tree answers exactly without noise, spends what it states, and its intervals hold the true quantile. */
#include "mechanisms/quantile.h"
#include "mechanisms/calibrate.h"
#include "tests/support/unit_rng.h"
#include "tests/unit/mechanisms/law.h"

#include <criterion/criterion.h>

static const struct noise none = { NOISE_LAPLACE, 1, 1000 }; /* P[X != 0] = 2 exp(-1000) */

static uint64_t state = 88172645463325252u;

static uint64_t below(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

/* n distinct ascending indices with counts up to `most`. */
static size_t random_histogram(struct quantile_bucket *h, size_t n, uint64_t buckets, uint64_t most)
{
	size_t used = 0;

	for (uint64_t i = 0; i < buckets && used < n; i++) {
		if (below(buckets) < n || buckets <= n)
			h[used++] = (struct quantile_bucket){ i, (i128)below(most + 1) };
	}
	return used;
}

/* percentile_disc over the exact rows, rank = num / 1000. */
static uint64_t exact_quantile(const struct quantile_bucket *h, size_t n, unsigned num)
{
	i128 all = 0, sum = 0;

	for (size_t i = 0; i < n; i++)
		all += h[i].count;
	for (size_t i = 0; i < n; i++) {
		sum += h[i].count;
		if (sum > 0 && sum * 1000 >= all * num)
			return h[i].index;
	}
	return UINT64_MAX;
}

Test(quantile, without_noise_it_is_the_exact_discrete_percentile)
{
	static const unsigned branchings[] = { 2, 3, 8, 16, 64 };
	static const uint64_t sizes[] = { 1, 2, 7, 64, 1000, 4097 };
	const struct rng r = unit_rng_system();
	struct draws draws;
	struct quantile_bucket h[300];
	struct arena a;

	draws_begin(&draws, &r);
	arena_init(&a, 64 << 20);
	for (size_t i = 0; i < ARRAY_LEN(branchings); i++) {
		for (size_t j = 0; j < ARRAY_LEN(sizes); j++) {
			const struct quantile_grid g = { sizes[j], branchings[i] };
			size_t n = random_histogram(h, ARRAY_LEN(h), sizes[j], 50);
			if (exact_quantile(h, n, 1000) == UINT64_MAX)
				continue;
			for (unsigned rank = 0; rank <= 1000; rank += 125) { /* eighths are exact in fixed point */
				const struct decimal d = { rank, 3 };
				struct quantile q;
				struct error e;
				i128 total, all = 0;
				for (size_t k = 0; k < n; k++)
					all += h[k].count;
				cr_assert(quantile_release(&g, h, n, &none, &draws, &a, &d, 1, 0.95, &q, &total, &e), "%s", e.message);
				cr_expect(q.index == exact_quantile(h, n, rank), "%u-ary over %lu, rank %u: %lu", branchings[i], (unsigned long)sizes[j], rank, (unsigned long)q.index);
				cr_expect(total == all);
			}
			arena_reset(&a);
		}
	}
}

Test(quantile, one_unit_changes_the_whole_tree_by_at_most_the_stated_norms)
{
	for (int round = 0; round < 300; round++) {
		const struct quantile_grid g = { 1 + below(200), 2 + (unsigned)below(9) };
		const uint64_t rows = 1 + below(6);
		struct sensitivity s;
		struct error e;
		i128 change[256] = { 0 };
		u128 l0 = 0, l1 = 0, l2 = 0, linf = 0;
		cr_assert(quantile_sensitivity(&g, rows, &s, &e));
		for (uint64_t i = 0; i < rows; i++) /* a unit's rows, anywhere */
			change[round % 2 ? below(g.buckets) : 0]++;
		uint64_t size = 1;
		for (unsigned level = 0; level < quantile_levels(&g); level++, size *= g.branching) { /* leaves upwards, the root's children last */
			for (uint64_t from = 0; from < g.buckets; from += size) {
				u128 v = 0;
				for (uint64_t i = from; i < from + size && i < g.buckets; i++)
					v += (u128)change[i];
				l0 += v > 0;
				l1 += v;
				l2 += v * v;
				linf = v > linf ? v : linf;
			}
		}
		cr_expect(size >= g.buckets, "the levels reach the root");
		cr_expect(l0 <= s.l0 && l1 <= s.l1 && l2 <= s.l2_squared && linf <= s.linf, "%lu buckets, %u-ary, %lu rows", (unsigned long)g.buckets, g.branching,
			  (unsigned long)rows);
		cr_expect(round % 2 || (l1 == s.l1 && l2 == s.l2_squared), "rows in one bucket reach the bound");
	}
}

Test(quantile, answers_of_neighbours_differ_by_no_more_than_epsilon)
{
	enum { DRAWS = 60000, BUCKETS = 4 };
	const struct quantile_grid g = { BUCKETS, 2 };
	const struct quantile_bucket with[] = { { 0, 2 }, { 1, 1 }, { 2, 2 }, { 3, 3 } }, without[] = { { 0, 2 }, { 1, 1 }, { 2, 2 }, { 3, 1 } };
	const struct decimal ranks[] = { { 5, 1 }, { 9, 1 } };
	const struct rng r = unit_rng_system();
	struct draws draws;
	double seen[2][BUCKETS * BUCKETS] = { { 0 } };
	struct sensitivity s;
	struct noise noise;
	struct error e;
	struct arena a;

	draws_begin(&draws, &r);
	arena_init(&a, 64 << 20);
	cr_assert(quantile_sensitivity(&g, 2, &s, &e) && calibrate_laplace(s.l1, (struct eps){ EPS_ONE }, &noise, &e));
	for (int side = 0; side < 2; side++) {
		for (int i = 0; i < DRAWS; i++) {
			struct quantile q[2];
			cr_assert(quantile_release(&g, side ? without : with, 4, &noise, &draws, &a, ranks, 2, 0.95, q, NULL, &e));
			seen[side][q[0].index * BUCKETS + q[1].index]++;
			arena_reset(&a);
		}
	}
	for (int i = 0; i < BUCKETS * BUCKETS; i++) {
		double most = seen[0][i] > seen[1][i] ? seen[0][i] : seen[1][i], least = seen[0][i] + seen[1][i] - most;
		cr_expect(most <= exp(1) * least + Z_ALARM * (sqrt(most) + exp(1) * sqrt(least + 1)), "answer %d: %g and %g", i, most, least);
	}
}

Test(quantile, ranks_are_monotone_and_intervals_hold_their_estimate)
{
	const struct quantile_grid g = { 5000, 8 };
	const struct noise noise = { NOISE_GAUSSIAN, 400, 1 };
	const struct rng r = unit_rng_system();
	struct draws draws;
	struct quantile_bucket h[200];
	struct decimal ranks[51];
	struct quantile q[51];
	struct error e;
	struct arena a;

	draws_begin(&draws, &r);
	arena_init(&a, 64 << 20);
	for (int i = 0; i <= 50; i++)
		ranks[i] = (struct decimal){ 2 * i, 2 };
	for (int round = 0; round < 100; round++) {
		size_t n = random_histogram(h, ARRAY_LEN(h), g.buckets, 1 + below(200));
		cr_assert(quantile_release(&g, h, n, &noise, &draws, &a, ranks, 51, 0.9, q, NULL, &e));
		for (int i = 0; i <= 50; i++) {
			cr_expect(q[i].low <= q[i].index && q[i].index <= q[i].high && q[i].high < g.buckets);
			cr_expect(i == 0 || q[i].index >= q[i - 1].index, "round %d, rank %d", round, i);
		}
		arena_reset(&a);
	}
}

Test(quantile, more_ranks_draw_no_node_twice)
{
	const struct quantile_grid g = { 4096, 8 };
	const struct quantile_bucket h[] = { { 100, 500 }, { 2000, 700 }, { 4000, 900 } };
	const struct noise noise = { NOISE_GAUSSIAN, 100, 1 };
	const struct decimal ranks[] = { { 5, 1 }, { 5, 1 }, { 5, 1 } };
	struct unit_rng u;
	const struct rng r = unit_rng(&u, 3);
	struct draws draws;
	struct quantile one, three[3];
	struct error e;
	struct arena a;

	draws_begin(&draws, &r);
	arena_init(&a, 64 << 20);
	cr_assert(quantile_release(&g, h, 3, &noise, &draws, &a, ranks, 1, 0.95, &one, NULL, &e));
	uint64_t used = u.drawn - draws.bits.left;
	const struct rng again = unit_rng(&u, 3);
	draws_begin(&draws, &again);
	cr_assert(quantile_release(&g, h, 3, &noise, &draws, &a, ranks, 3, 0.95, three, NULL, &e));
	cr_expect(u.drawn - draws.bits.left == used, "%lu and %lu bytes", (unsigned long)(u.drawn - draws.bits.left), (unsigned long)used);
	for (int i = 0; i < 3; i++)
		cr_expect(three[i].index == one.index && three[i].low == one.low && three[i].high == one.high);
	arena_reset(&a);
}

/* How many of `runs` intervals hold the true quantile, at the worst of three ranks; *width: of their rank, in rows. */
static double coverage(const struct quantile_grid *g, const struct quantile_bucket *h, size_t n, const struct noise *noise, int runs)
{
	static const struct decimal ranks[] = { { 25, 2 }, { 5, 1 }, { 9, 1 } };
	static const unsigned thousandths[] = { 250, 500, 900 };
	const struct rng r = unit_rng_system();
	struct draws draws;
	int inside[3] = { 0 };
	struct error e;
	struct arena a;

	draws_begin(&draws, &r);
	arena_init(&a, 64 << 20);
	for (int i = 0; i < runs; i++) {
		struct quantile q[3];
		cr_assert(quantile_release(g, h, n, noise, &draws, &a, ranks, 3, 0.95, q, NULL, &e));
		for (int k = 0; k < 3; k++) {
			uint64_t truth = exact_quantile(h, n, thousandths[k]);
			inside[k] += q[k].low <= truth && truth <= q[k].high;
		}
		arena_reset(&a);
	}
	int least = inside[0] < inside[1] ? inside[0] : inside[1];
	return (least < inside[2] ? least : inside[2]) / (double)runs;
}

Test(quantile, intervals_cover_on_smooth_data)
{
	enum { N = 4096, RUNS = 20000 };
	static struct quantile_bucket h[N];
	const struct quantile_grid g = { N, 8 };
	static const struct noise laws[] = { { NOISE_GAUSSIAN, 3600, 1 }, { NOISE_LAPLACE, 40, 1 } };

	for (int i = 0; i < N; i++) /* a bell on a floor */
		h[i] = (struct quantile_bucket){ (uint64_t)i, (i128)(20 + 300 * exp(-pow((i - 1500) / 400.0, 2))) };
	for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
		double c = coverage(&g, h, N, &laws[i], RUNS);
		cr_expect(c >= 0.935, "law %zu: %g", i, c); /* 0.95 and more over 200,000 runs; this is ten standard errors below */
	}
}

Test(quantile, an_empty_table_still_answers_within_the_grid)
{
	const struct quantile_grid g = { 1000, 16 };
	const struct noise noise = { NOISE_LAPLACE, 10, 1 };
	const struct decimal rank = { 5, 1 };
	const struct rng r = unit_rng_system();
	struct draws draws;
	struct quantile q;
	struct error e;
	struct arena a;

	draws_begin(&draws, &r);
	arena_init(&a, 64 << 20);
	for (int i = 0; i < 200; i++) {
		cr_assert(quantile_release(&g, NULL, 0, &noise, &draws, &a, &rank, 1, 0.95, &q, NULL, &e));
		cr_expect(q.index < 1000 && q.high < 1000 && q.low <= q.index);
		arena_reset(&a);
	}
}

Test(quantile, what_is_not_as_stated_is_refused)
{
	const struct quantile_bucket twice[] = { { 5, 1 }, { 5, 1 } }, negative[] = { { 5, -1 } }, outside[] = { { 10, 1 } };
	const struct { const struct quantile_bucket *h; size_t n; } bad[] = { { twice, 2 }, { negative, 1 }, { outside, 1 } };
	const struct quantile_grid g = { 10, 4 }, none_at_all = { 0, 4 }, unary = { 10, 1 }, wide = { QUANTILE_BUCKETS_MAX + 1, 4 };
	const struct decimal half = { 5, 1 }, above = { 11, 1 }, under = { -1, 1 };
	struct unit_rng u;
	const struct rng r = unit_rng(&u, 1);
	struct draws draws;
	struct quantile q = { 77, 77, 77 };
	struct sensitivity s;
	struct error e;
	struct arena a;

	draws_begin(&draws, &r);
	arena_init(&a, 64 << 20);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect(!quantile_release(&g, bad[i].h, bad[i].n, &none, &draws, &a, &half, 1, 0.95, &q, NULL, &e) && e.code == ERR_UPSTREAM);
	cr_expect(!quantile_release(&g, NULL, 0, &none, &draws, &a, &above, 1, 0.95, &q, NULL, &e) && e.code == ERR_BAD_PARAMETER);
	cr_expect(!quantile_release(&g, NULL, 0, &none, &draws, &a, &under, 1, 0.95, &q, NULL, &e) && e.code == ERR_BAD_PARAMETER);
	cr_expect(!quantile_sensitivity(&none_at_all, 1, &s, &e) && !quantile_sensitivity(&unary, 1, &s, &e) && !quantile_sensitivity(&wide, 1, &s, &e) &&
		  !quantile_sensitivity(&g, 0, &s, &e) && e.code == ERR_BAD_PARAMETER);
	u.fail_after = 100;
	cr_expect(!quantile_release(&g, twice, 1, &(struct noise){ NOISE_LAPLACE, 100, 1 }, &draws, &a, &half, 1, 0.95, &q, NULL, &e) && e.code == ERR_INTERNAL);
	cr_expect(q.index == 77 && q.low == 77, "nothing is released on failure");
	arena_reset(&a);
}

Test(quantile, the_largest_grid_works)
{
	const struct quantile_grid g = { QUANTILE_BUCKETS_MAX, 2 };
	const struct quantile_bucket h[] = { { 0, 3 }, { QUANTILE_BUCKETS_MAX - 1, 4 } };
	const struct decimal ranks[] = { { 0, 0 }, { 5, 1 }, { 1, 0 } };
	const struct rng r = unit_rng_system();
	struct draws draws;
	struct quantile q[3];
	struct error e;
	struct arena a;

	draws_begin(&draws, &r);
	arena_init(&a, 64 << 20);
	cr_assert(quantile_levels(&g) == 60);
	cr_assert(quantile_release(&g, h, 2, &none, &draws, &a, ranks, 3, 0.95, q, NULL, &e), "%s", e.message);
	cr_expect(q[0].index == 0 && q[1].index == QUANTILE_BUCKETS_MAX - 1 && q[2].index == QUANTILE_BUCKETS_MAX - 1);
	arena_reset(&a);
}
