/* From a policy to the questions of an audit: what is asked, what is claimed for it, who has how many rows. */
#include "planner/plan.h"
#include "policies/load.h"
#include "proxy/privacy_probe.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct arena a;
static struct probe *probes;
static size_t n;

static void load(const char *tables, const char *budgets)
{
	static struct policy_report report;
	static char text[8192];
	const struct policy *p;
	struct error e = ERROR_INIT;

	arena_init(&a, (size_t)256 << 20);
	int length = snprintf(text, sizeof(text),
			      "version: 1\ncollaboration: c\nupstream: { dsn: \"dbname=x\" }\n"
			      "members: [ { name: o, abilities: [contribute] }, { name: q, abilities: [contribute] }, { name: lab, abilities: [query] } ]\n"
			      "privacy_units: { person: { type: text } }\ntables:\n%sbudgets:\n%s",
			      tables, budgets);
	cr_assert(policy_parse(&a, "p", ".", text, (size_t)length, &p, &report, &e), "%s", e.message);
	cr_assert(probes_make(&a, p, &probes, &n, &e), "%s", e.message);
}

static const struct probe *find(enum probe_kind kind)
{
	for (size_t i = 0; i < n; i++)
		if (probes[i].kind == kind)
			return &probes[i];
	return NULL;
}

#define VISITS                                                                                                                                   \
	"  - { name: o.visits, owner: o, rule: differential_privacy, unit: { person: person }, contribution: { max_rows: 5, max_groups: 3 },\n"   \
	"      columns: { person: { type: text }, day: { type: date }, age: { type: integer, bounds: [0, 99] }, city: { type: text } } }\n"
#define PURE "  - { owner: o, table: visits, analyst: lab, epsilon: 3, delta: 1e-6, per_query: { epsilon: 0.5, max_epsilon: 1.5 } }\n"
#define ZCDP "  - { owner: o, table: visits, analyst: lab, epsilon: 3, delta: 1e-6, accounting: zcdp, per_query: { epsilon: 0.5, max_epsilon: 1.5 } }\n"

Test(privacy_probe, no_statement_asks_for_more_than_one_query_may_spend)
{
	load(VISITS, PURE);
	cr_expect(n >= 10);
	for (size_t i = 0; i < n; i++) {
		cr_expect(probes[i].epsilon.pico <= 3 * EPS_ONE / 2, "%s", probes[i].sql);
		if (probes[i].refused.code == ERR_NONE && !probes[i].gaussian)
			cr_expect(fabs(probes[i].claimed - eps_double(probes[i].epsilon)) < 1e-9, "%s", probes[i].sql);
	}
}

Test(privacy_probe, gaussian_noise_is_held_to_the_rho_that_is_charged)
{
	load(VISITS, ZCDP);
	const struct probe *p = find(PROBE_COUNT);
	cr_assert(p && p->gaussian);
	cr_expect(fabs(p->claimed - tanh(0.5)) < 1e-6, "%g", p->claimed); /* epsilon 1 costs 1 tanh(1/2) */
}

Test(privacy_probe, one_statement_asks_about_many_people_each_in_as_many_groups_as_count)
{
	load(VISITS, ZCDP);
	const struct probe *p = find(PROBE_COUNT), *beyond = find(PROBE_GROUPS);
	cr_assert(p && p->groups && beyond);
	cr_expect(p->spread == 3 && beyond->spread == 12);
	cr_expect(p->trials > 100 && p->n_groups == p->trials * p->spread);
	cr_expect(p->rows > 5);
}

Test(privacy_probe, laplace_noise_split_over_groups_is_asked_without_keys)
{
	load(VISITS, PURE);
	const struct probe *p = find(PROBE_COUNT);
	cr_assert(p);
	cr_expect(!p->groups && p->trials == 1 && !strstr(p->sql, "GROUP BY"), "%s", p->sql);
}

Test(privacy_probe, private_keys_are_asked_where_a_group_is_shown_as_often_as_not)
{
	load(VISITS, ZCDP);
	const struct probe *p = find(PROBE_SELECTION), *lone = find(PROBE_LONE);
	cr_assert(p && lone);
	cr_expect(!strstr(p->sql, "WHERE"), "%s", p->sql);
	cr_expect(p->background > 5 && p->background < 1000, "%zu", p->background);
	cr_expect(lone->background == 0 && lone->delta.atto > 0);
}

Test(privacy_probe, two_owners_are_joined_once)
{
	load(VISITS "  - { name: q.users, owner: q, rule: differential_privacy, unit: { person: id }, contribution: { max_rows: 1, max_groups: 1 },\n"
		    "      columns: { id: { type: text, unique: true } } }\n",
	     PURE "  - { owner: q, table: users, analyst: lab, epsilon: 3 }\n");
	size_t joins = 0;
	for (size_t i = 0; i < n; i++)
		joins += probes[i].kind == PROBE_JOIN;
	cr_expect(joins == 1);
	cr_expect(find(PROBE_JOIN)->refused.code == ERR_NONE, "%s", find(PROBE_JOIN)->refused.message);
	cr_expect(strstr(find(PROBE_JOIN)->sql, " b ON a.\"person\" = b.\"id\"") != NULL, "%s", find(PROBE_JOIN)->sql);
}

Test(privacy_probe, without_a_delta_private_keys_are_refused_with_the_reason)
{
	load(VISITS, "  - { owner: o, table: visits, analyst: lab, epsilon: 3 }\n");
	const struct probe *p = find(PROBE_SELECTION);
	cr_assert(p);
	cr_expect(p->refused.code == ERR_RULE && strstr(p->refused.message, "delta"), "%s", p->refused.message);
}

Test(privacy_probe, a_table_without_a_budget_is_not_asked)
{
	load(VISITS "  - { name: q.users, owner: q, rule: differential_privacy, unit: { person: id }, contribution: { max_rows: 1, max_groups: 1 },\n"
		    "      columns: { id: { type: text, unique: true } } }\n",
	     PURE);
	for (size_t i = 0; i < n; i++)
		cr_expect(strcmp(probes[i].table->name, "visits") == 0 && !probes[i].other);
}
