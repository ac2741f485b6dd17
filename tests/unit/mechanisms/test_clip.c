/* Private bounds of sums: the choice costs what it says, and sums follow from what the upstream counted. */
#include "mechanisms/clip.h"
#include "tests/support/unit_rng.h"
#include "tests/unit/mechanisms/law.h"

#include <criterion/criterion.h>
#include <math.h>

static const struct clip_price pure = { .epsilon = { EPS_ONE }, .groups = 1 };

static struct clip planned(i128 cap, const struct clip_price *price)
{
	struct clip c;
	struct error e;

	cr_assert(clip_plan(cap, price, &c, &e), "%s", e.message);
	return c;
}

Test(clip, bounds_grow_by_at_most_a_half_up_to_the_cap)
{
	static const i128 caps[] = { 1, 2, 3, 8, 1000, ((i128)1 << 48) - 1, (i128)1 << 48, ((i128)1 << 48) + 1, CLIP_CAP_MAX };

	for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
		struct clip c = { 0 };
		clip_bounds(caps[i], &c);
		cr_assert(c.steps >= 1 && c.steps <= CLIP_STEPS_MAX);
		cr_expect(clip_bound(&c, c.steps - 1) == caps[i]);
		for (size_t j = 1; j < c.steps; j++)
			cr_expect(clip_bound(&c, j) > clip_bound(&c, j - 1) && 2 * clip_bound(&c, j) <= 3 * clip_bound(&c, j - 1));
		cr_expect(c.first == 1 || c.steps >= CLIP_STEPS_MAX - 1);
	}
}

/* What the upstream would count. */
static struct clip_buckets count(const struct clip *c, const i128 *sums, size_t n)
{
	struct clip_buckets b = { 0 };

	for (size_t i = 0; i < n; i++) {
		i128 size = sums[i] < 0 ? -sums[i] : sums[i];
		size_t at = 0;
		while (size > clip_bound(c, at))
			at++;
		b.count[at]++;
		b.total[at] += sums[i];
		b.sign[at] += sums[i] > 0 ? 1 : sums[i] < 0 ? -1 : 0;
	}
	return b;
}

Test(clip, sums_are_those_of_clamped_summands_and_counts_those_beyond)
{
	static const i128 sums[] = { 0, 1, -1, 2, 3, -4, 5, 8, 9, 16, -17, 100, 999, -1000, 1000 };
	const struct clip c = planned(1000, &pure);
	const struct clip_buckets b = count(&c, sums, ARRAY_LEN(sums));
	i128 above[CLIP_STEPS_MAX] = { 0 };
	struct error e;

	cr_assert(clip_count_above(&c, &b, above, &e) && clip_count_above(&c, &b, above, &e)); /* of two groups */
	for (size_t i = 0; i < c.steps; i++) {
		i128 bound = clip_bound(&c, i), want = 0, beyond = 0, got;
		for (size_t j = 0; j < ARRAY_LEN(sums); j++) {
			want += sums[j] > bound ? bound : sums[j] < -bound ? -bound : sums[j];
			beyond += sums[j] > bound || sums[j] < -bound;
		}
		cr_assert(clip_sum(&c, &b, i, &got, &e));
		cr_expect(got == want && above[i] == 2 * beyond, "bound %ld", (long)bound);
	}
}

Test(clip, what_the_upstream_says_is_read_strictly)
{
	static const char *const bad[] = { "0", "0:1", "0:1:1", "0:1:1:1,", ",", "0:1:1:1,0:1:1:1", "3:1:5:1,2:1:3:1", "-1:1:1:1", "0:0:0:0", "0:1:3:1", "0:1:1:2", "0:1:1:1 ", "x:1:1:1",
					   "0:1:1:1,,1:1:2:1", "0:1:99999999999999999999999999999999999999999:1", "1:1:-5:-1" };
	const struct clip c = planned(1000, &pure); /* bounds 2, 3, 4, 6, ... 512, 768, 1000 */
	struct clip_buckets b;
	struct error e;

	cr_assert(c.steps == 19);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect(!clip_read(&c, bad[i], &b, &e) && e.code == ERR_UPSTREAM, "\"%s\"", bad[i]);
	cr_expect(clip_read(&c, NULL, &b, &e) && b.count[0] == 0);
	cr_expect(clip_read(&c, "", &b, &e));
	cr_expect(clip_read(&c, "0:3:-1:-1,18:2:1999:2", &b, &e) && b.count[0] == 3 && b.total[0] == -1 && b.sign[0] == -1 && b.total[18] == 1999 && b.count[18] == 2);
}

/* P[noise >= x]. */
static double tail(const struct noise *n, double x)
{
	double a = (double)n->den / (double)n->num;

	return x >= 1 ? exp(-a * x) / (1 + exp(-a)) : 1 - exp(-a * (1 - x)) / (1 + exp(-a));
}

/* P[each bound is chosen]. */
static void law(const struct clip *c, const i128 *above, double *out)
{
	const double enough = tail(&c->test, (double)(c->enough - above[0]));
	double sum = 0;

	for (size_t i = 0; i < c->steps; i++) {
		out[i] = exp(-eps_double(c->choice) / (double)c->groups * (double)(above[i] - above[0] + c->penalty * (i128)i));
		sum += out[i];
	}
	for (size_t i = 0; i < c->steps; i++)
		out[i] = enough * out[i] / sum + (i + 1 == c->steps ? 1 - enough : 0);
}

static const i128 curves[][9] = {
	{ 90, 80, 60, 40, 25, 12, 5, 2, 0 }, { 9, 9, 9, 8, 5, 1, 0, 0, 0 }, { 0, 0, 0, 0, 0, 0, 0, 0, 0 }, { 300, 300, 300, 300, 300, 300, 300, 20, 0 }, { 30, 28, 20, 12, 7, 5, 5, 4, 3 },
};

Test(clip, one_unit_changes_the_choice_by_no_more_than_its_price)
{
	static const uint64_t groups[] = { 1, 3 };

	for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
		const struct clip_price price = { .epsilon = { 4 * EPS_ONE }, .groups = groups[g] };
		const struct clip c = planned(32, &price);
		const double most = exp((double)groups[g] * (double)c.test.den / (double)c.test.num + eps_double(c.choice));
		double worst = 0;
		cr_assert(c.steps == 9 && most <= exp(1) * (1 + 1e-9)); /* a quarter of epsilon 4 */
		for (size_t k = 0; k < ARRAY_LEN(curves); k++) {
			for (size_t reach = 0; reach <= 8; reach++) { /* a unit whose sums, one a group, are beyond the first `reach` bounds */
				i128 with[9];
				double p[9], q[9];
				for (size_t i = 0; i < 9; i++)
					with[i] = curves[k][i] + (i < reach ? (i128)groups[g] : 0);
				law(&c, curves[k], p);
				law(&c, with, q);
				for (size_t i = 0; i < 9; i++) {
					worst = fmax(worst, fmax(p[i] / q[i], q[i] / p[i]));
					cr_expect(p[i] <= q[i] * most * (1 + 1e-9) && q[i] <= p[i] * most * (1 + 1e-9), "curve %zu, reach %zu, bound %zu: %g, %g", k, reach, i, p[i], q[i]);
				}
			}
		}
		cr_expect(worst > pow(most, 0.7)); /* the test would notice a price that is too high by half */
	}
}

/* What the price in rho rests on: the logarithms of the changes of all probabilities, without the test's, lie within the choice's epsilon of each other. */
Test(clip, one_unit_changes_the_choice_within_a_range)
{
	static const uint64_t groups[] = { 1, 3 };

	for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
		const struct clip_price price = { .gaussian = true, .rho = { EPS_ONE }, .groups = groups[g] };
		struct clip c = planned(32, &price);
		const double range = eps_double(c.choice);
		double worst = 0;
		cr_assert(range * range / 8 <= 0.75 / 16 * (1 + 1e-9) && range * range / 8 > 0.75 / 16 * 0.999);
		c.enough = -1000000;
		for (size_t k = 0; k < ARRAY_LEN(curves); k++) {
			for (size_t reach = 0; reach <= 8; reach++) {
				i128 with[9];
				double p[9], q[9], least = INFINITY, most = -INFINITY;
				for (size_t i = 0; i < 9; i++)
					with[i] = curves[k][i] + (i < reach ? (i128)groups[g] : 0);
				law(&c, curves[k], p);
				law(&c, with, q);
				for (size_t i = 0; i < 9; i++) {
					least = fmin(least, log(p[i] / q[i]));
					most = fmax(most, log(p[i] / q[i]));
				}
				worst = fmax(worst, most - least);
			}
		}
		cr_expect(worst <= range * (1 + 1e-6) && worst > range * 0.999, "%g, the range is %g", worst, range);
	}
}

Test(clip, bounds_are_chosen_as_often_as_the_law_says)
{
	enum { DRAWS = 60000 };
	struct unit_rng u;
	const struct rng sources[] = { unit_rng(&u, 5), unit_rng_system() };
	const struct clip_price price = { .epsilon = { 4 * EPS_ONE }, .groups = 1 };
	const struct clip c = planned(32, &price);

	for (size_t s = 0; s < ARRAY_LEN(sources); s++) {
		for (size_t k = 0; k < ARRAY_LEN(curves); k++) {
			double p[9], seen[9] = { 0 };
			i128 above[CLIP_STEPS_MAX] = { 0 };
			for (size_t i = 0; i < 9; i++)
				above[i] = curves[k][i];
			law(&c, curves[k], p);
			for (int j = 0; j < DRAWS; j++) {
				struct error e;
				size_t at;
				cr_assert(clip_choose(&c, above, &sources[s], &at, &e) && at < 9);
				seen[at]++;
			}
			for (size_t i = 0; i < 9; i++) {
				if (p[i] * DRAWS > 20)
					cr_expect(fabs(law_binomial_z(seen[i], DRAWS, p[i])) < Z_ALARM, "curve %zu, bound %zu: %g, not %g", k, i, seen[i] / DRAWS, p[i]);
			}
		}
	}
}

Test(clip, bound_and_sum_together_cost_the_price)
{
	const struct clip_price prices[] = { { .epsilon = { EPS_ONE }, .groups = 1 }, { .epsilon = { EPS_ONE / 3 }, .groups = 7 }, { .gaussian = true, .rho = { EPS_ONE / 10 }, .groups = 1 },
					     { .gaussian = true, .rho = { EPS_ONE / 1000 }, .groups = 20 } };

	for (size_t i = 0; i < ARRAY_LEN(prices); i++) {
		const struct clip c = planned((i128)1 << 48, &prices[i]);
		const double groups = (double)prices[i].groups, test = groups * (double)c.test.den / (double)c.test.num, choice = eps_double(c.choice);
		for (size_t s = 0; s < c.steps; s++) {
			struct noise n;
			struct error e;
			cr_assert(clip_noise(&c, clip_bound(&c, s), &n, &e));
			const double bound = (double)clip_bound(&c, s), scale = (double)n.num / (double)n.den;
			if (prices[i].gaussian)
				cr_expect(n.kind == NOISE_GAUSSIAN && test * tanh(test / 2) + choice * choice / 8 + groups * bound * bound / (2 * scale) <= (double)prices[i].rho.pico / 1e12 * (1 + 1e-9));
			else
				cr_expect(n.kind == NOISE_LAPLACE && test + choice + groups * bound / scale <= (double)prices[i].epsilon.pico / 1e12 * (1 + 1e-9));
		}
	}
}

/* A thousand people up to 10^4, declared up to 10^11: at most four times the error of knowing 10^4. */
Test(clip, careless_bounds_cost_at_most_four_times_the_error)
{
	enum { PEOPLE = 1000, RUNS = 4000 };
	static i128 sums[PEOPLE];
	const struct rng r = unit_rng_system();
	const struct clip c = planned(100000000000, &pure);
	double error = 0, truth = 0;

	for (int i = 0; i < PEOPLE; i++) {
		sums[i] = (i * 7919) % 10001;
		truth += (double)sums[i];
	}
	const struct clip_buckets b = count(&c, sums, PEOPLE);
	i128 above[CLIP_STEPS_MAX] = { 0 };
	struct error e;
	cr_assert(clip_count_above(&c, &b, above, &e));
	for (int i = 0; i < RUNS; i++) {
		struct noise n;
		size_t at;
		i128 sum, x;
		cr_assert(clip_choose(&c, above, &r, &at, &e) && clip_noise(&c, clip_bound(&c, at), &n, &e) && clip_sum(&c, &b, at, &sum, &e) && noise_sample(&n, &r, &x, &e));
		error += fabs((double)(sum + x) - truth);
	}
	cr_expect(error / RUNS < 4 * 10000 && error / RUNS > 10000, "mean error %g; the noise for bounds of 10000 has 10000", error / RUNS); /* Laplace of scale 10^4 / epsilon 1 */
}

/* A dozen people cannot tell a bound that suits them: the declared one stays, and the error bars with it. */
Test(clip, among_few_units_the_declared_bound_stays)
{
	enum { PEOPLE = 12, RUNS = 2000 };
	i128 sums[PEOPLE], above[CLIP_STEPS_MAX] = { 0 };
	const struct rng r = unit_rng_system();
	const struct clip c = planned(100000000000, &pure);
	struct error e;
	int low = 0;

	for (int i = 0; i < PEOPLE; i++)
		sums[i] = 5000;
	const struct clip_buckets b = count(&c, sums, PEOPLE);
	cr_assert(clip_count_above(&c, &b, above, &e));
	for (int i = 0; i < RUNS; i++) {
		size_t at;
		cr_assert(clip_choose(&c, above, &r, &at, &e));
		low += clip_bound(&c, at) < 5000;
	}
	cr_expect(low == 0);
}
