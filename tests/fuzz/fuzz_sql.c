/* Any text to statements and plans: no crash, and a refusal always has a message. */
#include "planner/plan.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct policy_column columns[] = {
	{ .name = "id", .type = TYPE_TEXT, .encoding = ENCODING_FINGERPRINT, .grid = { 1, 2 } },
	{ .name = "n", .type = TYPE_INT4, .has_bounds = true, .hi = { 100, 0 }, .grid = { 1, 0 } },
	{ .name = "city", .type = TYPE_TEXT, .grid = { 1, 2 } },
	{ .name = "at", .type = TYPE_TIMESTAMPTZ, .grid = { 1, 2 } },
};
static const struct policy_table tables[] = { { .schema = "s", .name = "t", .owner = "o", .source_schema = "r", .source_name = "t", .rule = RULE_DIFFERENTIAL_PRIVACY,
						.unit_name = "person", .columns = columns, .n_columns = 4, .max_rows = 3, .max_groups = 2 } };
static const struct policy_budget budgets[] = { { .owner = "o", .schema = "s", .table = "t", .analyst = "a", .epsilon = { EPS_ONE }, .delta = { 1000000000000 },
						  .query_epsilon = { EPS_ONE / 10 }, .query_max_epsilon = { EPS_ONE }, .query_delta = { 10000000000 }, .query_max_delta = { 1000000000000 } } };
static const struct policy policy = { .collaboration = "c", .tables = tables, .n_tables = 1, .budgets = budgets, .n_budgets = 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const path[] = { "s" };
	const struct plan_settings s = { .analyst = "a", .search_path = path, .n_search_path = 1, .timezone = "UTC", .confidence = 0.95 };
	struct statements st;
	struct arena a;
	struct error e = ERROR_INIT;

	arena_init(&a, 1 << 26);
	char *sql = arena_copy(&a, data, size);
	if (sql && statements_parse(&a, sql, &st, &e)) {
		for (size_t i = 0; i < st.n; i++) {
			const struct plan *plan;
			if (st.items[i].kind == STATEMENT_QUERY && !plan_make(&a, &policy, &s, st.items[i].text, NULL, 0, &plan, &e) && !e.message[0])
				abort();
		}
	} else if (sql && !e.message[0]) {
		abort();
	}
	arena_reset(&a);
	return 0;
}
