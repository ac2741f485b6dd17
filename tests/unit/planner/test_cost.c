/* What a plan costs and how its noise follows from its charge. */
#include "planner/plan.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const struct policy_column columns[] = {
	{ .name = "id", .type = TYPE_TEXT, .grid = { 1, 2 } },
	{ .name = "n", .type = TYPE_INT4, .has_bounds = true, .hi = { 100, 0 }, .grid = { 1, 0 } },
	{ .name = "city", .type = TYPE_TEXT, .grid = { 1, 2 } },
};
static const struct policy_table tables[] = { { .schema = "s", .name = "t", .owner = "o", .source_schema = "r", .source_name = "t", .rule = RULE_DIFFERENTIAL_PRIVACY,
						.unit_name = "person", .columns = columns, .n_columns = 3, .max_rows = 3, .max_groups = 2 } };
static struct policy_budget budget = { .owner = "o", .schema = "s", .table = "t", .analyst = "a", .epsilon = { 10 * EPS_ONE }, .delta = { 1000000000000 },
				       .query_epsilon = { EPS_ONE }, .query_max_epsilon = { 2 * EPS_ONE }, .query_delta = { 10000000000 }, .query_max_delta = { 1000000000000 } };
static const struct policy policy = { .collaboration = "c", .tables = tables, .n_tables = 1, .budgets = &budget, .n_budgets = 1 };
static struct arena a;

static const struct plan *plan(const char *sql, uint64_t epsilon, struct error *e)
{
	static const char *const path[] = { "s" };
	const struct plan_settings s = { .analyst = "a", .search_path = path, .n_search_path = 1, .timezone = "UTC", .confidence = 0.95, .epsilon = { epsilon } };
	const struct plan *out = NULL;

	arena_reset(&a);
	arena_init(&a, 1 << 26);
	return plan_make(&a, &policy, &s, sql, NULL, 0, &out, e) ? out : NULL;
}

Test(cost, a_pure_query_pays_its_epsilon_and_splits_it_between_its_values)
{
	struct error e;
	const struct plan *p = plan("SELECT count(*), sum(n) FROM t", 0, &e);

	cr_assert(p, "%s", e.message);
	cr_expect(p->n_charges == 1 && p->charges[0].epsilon.pico == EPS_ONE && p->charges[0].rho.pico == 0 && p->charges[0].delta.atto == 0);
	const struct noise *n = &p->blocks[0].spec.values[0].noise, *s = &p->blocks[0].spec.values[1].noise;
	cr_expect(n->kind == NOISE_LAPLACE && n->num == 6 * (u128)n->den); /* 3 rows / half of epsilon 1 */
	cr_expect(s->num == 600 * (u128)s->den);			   /* 3 rows of at most 100 */
}

Test(cost, private_keys_pay_for_their_selection_and_delta)
{
	struct error e;
	const struct plan *p = plan("SELECT city, count(*) FROM t GROUP BY city", 0, &e);

	cr_assert(p, "%s", e.message);
	const struct release_spec *s = &p->blocks[0].spec;
	cr_expect(s->selection == SELECT_OPTIMAL && p->charges[0].delta.atto == budget.query_delta.atto);
	cr_expect(s->law.epsilon.pico == EPS_ONE / 4 && s->law.minimum == 1); /* half of epsilon 1, 2 groups */
	const struct noise *n = &s->values[0].noise;
	cr_expect(n->num == 12 * (u128)n->den); /* 2 groups of 3 rows, half of epsilon 1 */
}

Test(cost, a_shown_count_of_units_selects_its_groups_at_no_further_cost)
{
	struct error e;
	const struct plan *p = plan("SELECT city, count(DISTINCT id) FROM t GROUP BY city", 0, &e);

	cr_assert(p, "%s", e.message);
	const struct release_spec *s = &p->blocks[0].spec;
	cr_expect(s->selection == SELECT_THRESHOLD && s->units_value == 1 && p->charges[0].delta.atto == budget.query_delta.atto);
	cr_expect(s->values[0].noise.num == 2 * (u128)s->values[0].noise.den); /* 2 groups of 1, all of epsilon 1 */
	p = plan("SELECT city, count(DISTINCT id) FILTER (WHERE n > 3) FROM t GROUP BY city", 0, &e);
	cr_expect(p && p->blocks[0].spec.selection == SELECT_OPTIMAL); /* a part of the units only */
}

Test(cost, two_queries_on_one_budget_share_epsilon)
{
	struct error e;
	const struct plan *p = plan("WITH x AS (SELECT count(*) n FROM t), y AS (SELECT sum(n) m FROM t) SELECT m / n FROM x, y", 0, &e);

	cr_assert(p && p->n_blocks == 2, "%s", e.message);
	cr_expect(p->charges[0].epsilon.pico == EPS_ONE);
	cr_expect(p->blocks[0].spec.values[0].noise.num == 6 * (u128)p->blocks[0].spec.values[0].noise.den);
}

Test(cost, a_cte_used_twice_is_one_query)
{
	struct error e;
	const struct plan *p = plan("WITH x AS (SELECT count(*) n FROM t) SELECT a.n + b.n FROM x a, x b", 0, &e);

	cr_assert(p && p->n_blocks == 1, "%s", e.message);
}

Test(cost, the_owners_cap_is_kept)
{
	struct error e;

	cr_expect(!plan("SELECT count(*) FROM t", 3 * EPS_ONE, &e) && e.code == ERR_RULE && strstr(e.detail, "\"o\""));
	cr_expect(plan("SELECT count(*) FROM t", 2 * EPS_ONE, &e) != NULL);
}

Test(cost, the_same_text_gives_the_same_plan)
{
	struct error e;
	const struct plan *p = plan("SELECT city, avg(n) FROM t WHERE n > 3 GROUP BY city ORDER BY 2", 0, &e), *q;
	struct arena first = a;

	a = (struct arena){ 0 }; /* the first plan stays */
	q = plan("SELECT city, avg(n) FROM t WHERE n > 3 GROUP BY city ORDER BY 2", 0, &e);
	cr_assert(p && q && p->n_explain_lines == q->n_explain_lines);
	for (size_t i = 0; i < p->n_explain_lines; i++)
		cr_expect_str_eq(p->explain_lines[i], q->explain_lines[i]);
	arena_reset(&first);
}

/* What a zCDP account pays for these aggregates. */
static const struct plan_block *in_rho(const char *sql)
{
	struct error e = ERROR_INIT;

	budget.accounting = ACCOUNTING_ZCDP;
	const struct plan *p = plan(sql, 0, &e);
	cr_assert(p && p->n_blocks == 1, "%s: %s", sql, e.message);
	return &p->blocks[0];
}

Test(cost, counts_and_sums_of_one_sign_share_correlated_noise_of_their_parts_together)
{
	const struct plan_block *b = in_rho("SELECT count(*), avg(n), sum(n), sum(-n), count(DISTINCT id), noise_low(sum(n)) FROM t");
	const struct release_spec *s = &b->spec;

	cr_assert(s->joint.members == 4 && s->joint.column == 0 && s->joint.groups == 1);
	cr_expect(s->joint.rho.pico == b->figures.rho.pico / 5 * 4); /* the average has the fifth part */
	cr_expect(s->values[0].joint.bound == 3 && s->values[0].column == 1);
	cr_expect(s->values[1].joint.bound == 0 && s->values[1].column == 2);
	cr_expect(s->values[2].joint.bound == 300 && s->values[3].joint.bound == -300 && s->values[4].joint.bound == 1);
	cr_expect(s->values[5].joint.bound == 0 && s->values[5].shared == 3 && s->values[5].noise.num == s->values[2].noise.num);
	cr_expect(strstr(b->sql, "SELECT pg_catalog.count(*)::pg_catalog.text, ") == b->sql);
}

Test(cost, correlated_noise_is_expected_to_be_as_much_less_as_it_is)
{
	const double half = in_rho("SELECT sum(n), avg(n) FROM t")->columns[0].half_width; /* one of two parts, alone */
	const struct plan_block *b = in_rho("SELECT sum(n), count(*) FROM t");
	const double less = b->columns[0].half_width / half; /* (sqrt 2 + 1) / (2 sqrt 2) */

	cr_expect(less > 0.845 && less < 0.86, "%g of %g", less, half);
	cr_expect(fabs(b->columns[0].half_width - noise_half_width(&b->spec.values[0].noise, 0.95)) < 1e-9);
}

Test(cost, noise_is_not_correlated_where_one_unit_may_move_values_both_ways_or_nothing_is_gained)
{
	static const char *const sql[] = {
		"SELECT count(*) FROM t", "SELECT count(*), avg(n) FROM t", "SELECT count(*), sum(n - 50) FROM t", "SELECT count(*), count(DISTINCT n) FROM t",
		"SELECT count(*), max(n) FROM t",
		"SELECT city, count(DISTINCT id), sum(n) FROM t GROUP BY city", /* the count decides which groups are shown */
	};

	for (size_t i = 0; i < sizeof(sql) / sizeof(*sql); i++)
		cr_expect(in_rho(sql[i])->spec.joint.members == 0, "%s", sql[i]);
	cr_expect(in_rho("SELECT city, count(*), sum(n) FROM t GROUP BY city")->spec.joint.members == 2);
	budget.accounting = ACCOUNTING_PURE;
	struct error e;
	cr_expect(plan("SELECT count(*), sum(n) FROM t", 0, &e)->blocks[0].spec.joint.members == 0);
}
