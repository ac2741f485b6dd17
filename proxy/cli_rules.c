/* noisegate rules explain: which rule of whose table decides about a statement, offline. */
#include "proxy/cli_plan.h"
#include "proxy/cli.h"

#include "base/text.h"
#include "planner/plan.h"
#include "policies/load.h"

#include <stdio.h>

static const char usage[] = "usage: noisegate rules explain -c POLICY --analyst MEMBER [--search-path SCHEMA] \"SQL\"\n";

static int explain(const struct policy *policy, const char *analyst, const char *schema, const char *sql, struct arena *a)
{
	const char *const *path = &schema;
	const struct plan_settings s = { .analyst = analyst, .search_path = path, .n_search_path = schema ? 1 : 0, .timezone = "UTC", .confidence = 0.95 };
	struct statements statements;
	const struct plan *plan;
	struct error e = ERROR_INIT;

	bool ok = statements_parse(a, sql, &statements, &e) &&
		  (statements.n == 1 || fail(&e, ERR_SYNTAX, "one statement is explained at a time")) &&
		  (statements.items[0].kind != STATEMENT_QUERY || plan_make(a, policy, &s, statements.items[0].text, NULL, 0, &plan, &e));
	if (!ok) {
		(void)printf("refused: %s\n", e.message);
		if (e.rule[0])
			(void)printf("  rule: %s\n", e.rule);
		if (e.detail[0])
			(void)printf("  %s\n", e.detail);
		if (e.hint[0])
			(void)printf("  hint: %s\n", e.hint);
		return EXIT_FAILED;
	}
	if (statements.items[0].kind != STATEMENT_QUERY) {
		(void)printf("allowed: a command of the session, it reads no table\n");
		return EXIT_DONE;
	}
	(void)printf("allowed\n");
	for (size_t i = 0; i < plan->n_blocks; i++) {
		const struct plan_block *b = &plan->blocks[i];
		for (size_t j = 0; j < b->n_tables; j++)
			(void)printf("  %s.%s: rule %s of \"%s\"\n", b->tables[j]->schema, b->tables[j]->name, table_rule_name(b->tables[j]->rule), b->tables[j]->owner);
		(void)printf("  groups: %s\n", b->figures.selection);
	}
	if (plan->n_blocks == 0)
		(void)printf("  it reads no table of the policy\n");
	return EXIT_DONE;
}

int cli_rules(int argc, char **argv)
{
	static struct policy_report report;
	const char *path = NULL, *analyst = NULL, *schema = NULL, *sql = NULL;
	const struct policy *policy;
	struct arena model, a;
	struct error e = ERROR_INIT;

	if (argc < 2 || !text_eq(argv[1], "explain"))
		return cli_usage(usage);
	for (int i = 2; i < argc; i++) {
		const char **value = text_eq(argv[i], "-c") ? &path : text_eq(argv[i], "--analyst") ? &analyst : text_eq(argv[i], "--search-path") ? &schema : NULL;
		if (!value && !sql && argv[i][0] != '-') {
			sql = argv[i];
			continue;
		}
		if (!value || i + 1 == argc)
			return cli_usage(usage);
		*value = argv[++i];
	}
	if (!path || !analyst || !sql)
		return cli_usage(usage);
	arena_init(&model, 1 << 28);
	arena_init(&a, 1 << 28);
	int code = EXIT_FAILED;
	if (!policy_load(&model, path, &policy, &report, &e))
		code = cli_error(&e);
	else if (!policy_find_member(policy, analyst))
		(void)fprintf(stderr, "the policy has no member \"%s\"\n", analyst);
	else
		code = explain(policy, analyst, schema, sql, &a);
	arena_reset(&a);
	arena_reset(&model);
	return code;
}
