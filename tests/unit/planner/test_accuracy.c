/* Accuracy first: what noisegate.error makes of a statement's price, without and with a first look. */
#include "planner/accuracy.h"
#include "tests/support/unit_rng.h"

#include <criterion/criterion.h>
#include <math.h>

static const struct policy_column columns[] = {
	{ .name = "id", .type = TYPE_TEXT, .grid = { 1, 2 } },
	{ .name = "n", .type = TYPE_INT4, .has_bounds = true, .hi = { 100, 0 }, .grid = { 1, 0 } },
	{ .name = "city", .type = TYPE_TEXT, .grid = { 1, 2 } },
};
static const struct policy_table tables[] = { { .schema = "s", .name = "t", .owner = "o", .source_schema = "r", .source_name = "t", .rule = RULE_DIFFERENTIAL_PRIVACY,
						.unit_name = "person", .columns = columns, .n_columns = 3, .max_rows = 1, .max_groups = 1 } };
static const struct policy_budget budget = { .owner = "o", .schema = "s", .table = "t", .analyst = "a", .epsilon = { 10 * EPS_ONE }, .delta = { 1000000000000 },
					     .query_epsilon = { EPS_ONE }, .query_max_epsilon = { 2 * EPS_ONE }, .query_delta = { 10000000000 },
					     .query_max_delta = { 1000000000000 } };
static const struct policy policy = { .collaboration = "c", .tables = tables, .n_tables = 1, .budgets = &budget, .n_budgets = 1 };
static struct arena a;
static struct plan_settings settings;
static struct error e;

static void start(void)
{
	static const char *const path[] = { "s" };

	arena_init(&a, 1 << 26);
	settings = (struct plan_settings){ .analyst = "a", .search_path = path, .n_search_path = 1, .timezone = "UTC", .confidence = 0.95 };
}

static void stop(void)
{
	arena_reset(&a);
}

TestSuite(accuracy, .init = start, .fini = stop);

static const struct plan *plan(const char *sql)
{
	const struct plan *out = NULL;

	return plan_make(&a, &policy, &settings, sql, NULL, 0, &out, &e) ? out : NULL;
}

static void want(int64_t digits, int scale, bool percent)
{
	settings.error = (struct decimal){ digits, scale };
	settings.error_percent = percent;
}

/* The released rows of a one-block look over exact cells. */
static bool look(const struct plan *p, const char *const *cells, size_t rows, size_t width, struct plan_look *out, bool *reached)
{
	struct unit_rng u;
	const struct rng r = unit_rng(&u, 7);
	const struct exact_rows exact = { .n_rows = rows, .n_columns = width, .cells = cells };
	struct release_spec spec = p->blocks[0].spec;
	const struct released *released;

	return accuracy_spec(&a, &spec, &e) && release_make(&spec, &exact, &r, &a, &released, &e) &&
	       accuracy_read(&a, p, &released, &settings, out, reached, &e);
}

Test(accuracy, an_absolute_error_of_counts_is_one_plan_at_the_least_epsilon)
{
	want(30, 0, false);
	const struct plan *p = plan("SELECT count(*) FROM t");

	cr_assert(p, "%s", e.message);
	cr_expect(!p->rough && p->blocks[0].columns[0].half_width <= 30);
	cr_expect(fabs(eps_double(p->price) - log(20) / 30) < 0.005, "%g", eps_double(p->price)); /* P[|X| > 30] = exp(-30 epsilon) */
	cr_expect(p->charges[0].epsilon.pico == p->price.pico);
}

Test(accuracy, what_is_out_of_reach_is_refused_and_epsilon_is_a_limit)
{
	want(1, 1, false);
	cr_expect(!plan("SELECT count(*), sum(n) FROM t") && e.code == ERR_RULE && strstr(e.message, "±0.1 at 95%"));
	want(30, 0, false);
	settings.epsilon.pico = EPS_ONE / 20;
	cr_expect(!plan("SELECT count(*) FROM t") && strstr(e.detail, "epsilon 0.05"), "%s", e.detail);
}

Test(accuracy, a_percentage_is_looked_at_for_a_tenth_and_then_answered_for_the_rest)
{
	const char *exact[] = { "1000" };
	struct plan_look seen;
	bool reached;

	want(5, 3, true); /* 0.5%: 5 of 1000 */
	const struct plan *first = plan("SELECT count(*) FROM t");
	cr_assert(first && first->rough, "%s", e.message);
	cr_expect(first->price.pico == EPS_ONE / 10 + 1 && first->charges[0].epsilon.pico == first->price.pico);
	cr_assert(look(first, exact, 1, 1, &seen, &reached), "%s", e.message);
	cr_expect(!reached && seen.seen);
	settings.look = &seen;
	const struct plan *second = plan("SELECT count(*) FROM t");
	cr_assert(second && !second->rough, "%s", e.message);
	double half = second->blocks[0].columns[0].half_width;
	cr_expect(half >= 4 && half <= 6, "%g", half); /* the look is off by some tens of 1000 at most */
	cr_expect(second->price.pico + first->price.pico <= 2 * EPS_ONE);
}

Test(accuracy, a_look_that_is_good_enough_is_the_answer)
{
	const char *exact[] = { "1000000" };
	struct plan_look seen;
	bool reached = false;

	want(1, 2, true);
	const struct plan *first = plan("SELECT count(*) FROM t");
	cr_assert(first && look(first, exact, 1, 1, &seen, &reached), "%s", e.message);
	cr_expect(reached);
}

Test(accuracy, averages_are_looked_at_through_their_intervals)
{
	const char *exact[] = { "2000", "-40000" }; /* 2000 rows, mean (0 + 100)/2 - 40000/4000 = 40 */
	struct plan_look seen;
	bool reached;

	want(1, 0, false);
	const struct plan *first = plan("SELECT avg(n) FROM t");
	cr_assert(first && first->rough, "%s", e.message);
	cr_assert(look(first, exact, 1, 2, &seen, &reached), "%s", e.message);
	cr_expect(!reached && seen.values[0][0].excess > 1.2 && seen.values[0][0].excess < 3, "%g", seen.values[0][0].excess);
	settings.look = &seen;
	const struct plan *second = plan("SELECT avg(n) FROM t");
	cr_assert(second, "%s", e.message);
	const double finer = noise_deviation(&first->blocks[0].spec.values[0].noise) / noise_deviation(&second->blocks[0].spec.values[0].noise);
	cr_expect(fabs(finer / seen.values[0][0].excess - 1) < 0.01, "%g for %g", finer, seen.values[0][0].excess);
}

Test(accuracy, zeros_have_no_percentage_and_a_look_without_groups_asks_at_the_usual_price)
{
	const char *zero[] = { "0" };
	struct plan_look seen;
	bool reached;

	want(5, 2, true);
	const struct plan *first = plan("SELECT count(*) FROM t");
	cr_assert(first && look(first, zero, 1, 1, &seen, &reached), "%s", e.message);
	cr_expect(!reached && !seen.seen);
	const struct plan *keys = plan("SELECT city, count(*) FROM t GROUP BY city");
	cr_assert(keys && keys->charges[0].delta.atto == budget.query_delta.atto / 10, "%s", e.message);
	cr_assert(look(keys, NULL, 0, 3, &seen, &reached), "%s", e.message);
	cr_expect(!reached && !seen.seen);
	settings.look = &seen;
	const struct plan *second = plan("SELECT city, count(*) FROM t GROUP BY city");
	cr_assert(second, "%s", e.message);
	cr_expect(second->price.pico + keys->price.pico == EPS_ONE && second->charges[0].delta.atto + keys->charges[0].delta.atto == budget.query_delta.atto);
	const struct plan *both = accuracy_both(&a, keys, second);
	cr_assert(both && both->n_charges == 1);
	cr_expect(both->charges[0].epsilon.pico == EPS_ONE && both->charges[0].delta.atto == budget.query_delta.atto);
}

Test(accuracy, keys_alone_make_no_demand)
{
	want(5, 2, true);
	const struct plan *p = plan("SELECT city FROM t GROUP BY city");

	cr_assert(p, "%s", e.message);
	cr_expect(!p->rough && p->price.pico == EPS_ONE);
}
