#include "front.h"

#include "policies/load.h"

static const char yaml[] =
	"version: 1\n"
	"collaboration: shop\n"
	"upstream: { dsn: \"\" }\n"
	"members:\n"
	"  - { name: o, abilities: [contribute] }\n"
	"  - { name: q, abilities: [contribute] }\n"
	"  - { name: lab, abilities: [query] }\n"
	"privacy_units: { person: { type: text } }\n"
	"tables:\n"
	"  - name: shop.people\n"
	"    owner: o\n"
	"    rule: differential_privacy\n"
	"    unit: { person: id }\n"
	"    contribution: { max_rows: 2, max_groups: 2 }\n"
	"    columns:\n"
	"      id: { type: text, encoding: fingerprint }\n"
	"      kind: { type: text, values: [a, b, c] }\n"
	"      city: { type: text }\n"
	"      n4: { type: integer, bounds: [0, 100] }\n"
	"      at: { type: timestamp }\n"
	"      atz: { type: timestamptz }\n"
	"      flag: { type: boolean }\n"
	"      count: { type: integer }\n"
	"  - name: shop.orders\n"
	"    owner: q\n"
	"    rule: differential_privacy\n"
	"    unit: { person: id }\n"
	"    contribution: { max_rows: 3, max_groups: 2 }\n"
	"    columns: { id: { type: text, encoding: fingerprint }, item: { type: integer } }\n"
	"  - name: shop.items\n"
	"    owner: o\n"
	"    rule: public\n"
	"    columns: { item: { type: integer }, label: { type: text } }\n"
	"  - name: shop.sales\n"
	"    owner: q\n"
	"    rule: aggregation\n"
	"    columns: { buyer: { type: text }, place: { type: text } }\n"
	"    aggregation:\n"
	"      aggregates: [ { columns: [buyer], functions: [count] } ]\n"
	"      dimensions: [place]\n"
	"      output: [ { column: buyer, minimum: 3 } ]\n"
	"budgets:\n"
	"  - { owner: o, table: people, analyst: lab, epsilon: 10, delta: 1e-6, per_query: { epsilon: 0.5, max_epsilon: 2 }, accounting: zcdp }\n"
	"  - { owner: q, table: orders, analyst: lab, epsilon: 10, delta: 1e-6, per_query: { epsilon: 1, max_epsilon: 1 }, accounting: pure }\n";

void front_open(struct front *f)
{
	static struct policy_report report;
	static const char *const path[] = { "shop", "public" };

	*f = (struct front){ .settings = { .analyst = "lab", .search_path = path, .n_search_path = 2, .timezone = "UTC", .confidence = 0.95 } };
	arena_init(&f->model, 1 << 24);
	arena_init(&f->arena, 1 << 28);
	bool loaded = policy_parse(&f->model, "test.yaml", "/tmp", yaml, strlen(yaml), &f->policy, &report, &f->e);
	cr_assert(loaded, "%s", f->e.message);
}

void front_close(struct front *f)
{
	arena_reset(&f->arena);
	arena_reset(&f->model);
}

const struct plan *front_plan_params(struct front *f, const char *sql, const char *const *texts, size_t n)
{
	struct plan_param params[8] = { { 0 } };
	const struct plan *plan = NULL;

	for (size_t i = 0; i < n; i++)
		params[i] = (struct plan_param){ .type_oid = 23, .known = true, .text = texts[i] };
	f->e = ERROR_INIT;
	if (!plan_make(&f->arena, f->policy, &f->settings, sql, params, n, &plan, &f->e)) {
		cr_expect(f->e.code != ERR_NONE, "refused without an error: %s", sql);
		cr_expect(f->e.message[0] != '\0', "refused without a message: %s", sql);
		return NULL;
	}
	return plan;
}

const struct plan *front_plan(struct front *f, const char *sql)
{
	return front_plan_params(f, sql, NULL, 0);
}

const struct statement *front_one(struct front *f, const char *sql)
{
	struct statements all = { 0 };

	f->e = ERROR_INIT;
	if (!statements_parse(&f->arena, sql, &all, &f->e))
		return NULL;
	cr_assert_eq(all.n, 1, "%s", sql);
	return &all.items[0];
}
