#include "base/text.h"
#include "policies/snapshot.h"
#include "proxy/cli.h"
#include "proxy/cli_policy.h"
#include "proxy/repeat.h"
#include "proxy/upstream_check.h"

#include <stdio.h>
#include <string.h>

static const char usage[] = "usage: noisegate check [--connect] POLICY.yaml   every error with file:line:column; a summary when there is none\n"
			    "  --connect   also compare it with the upstream: relations, columns, types, and whether cells of sealed columns look sealed\n";

static struct policy_report report; /* large; only this command uses it, once */

static void print_errors(const char *path, const struct policy_error *list, size_t n, const char *kind)
{
	for (size_t i = 0; i < n && i < POLICY_ERRORS_MAX; i++) {
		(void)printf("%s:%d:%d: %s: %s\n", path, list[i].line, list[i].column, kind, list[i].message);
		if (list[i].hint[0])
			(void)printf("  hint: %s\n", list[i].hint);
	}
}

static void print_budget(const struct policy_budget *b)
{
	struct wr w;

	wr_init_heap(&w, 1024);
	wr_fmt(&w, "  %s.%s for %s: epsilon ", b->schema, b->table, b->analyst);
	eps_put(&w, b->epsilon);
	wr_str(&w, ", delta ");
	delta_put(&w, b->delta);
	wr_fmt(&w, ", %s accounting; one query ", accounting_name(b->accounting));
	eps_put(&w, b->query_epsilon);
	if (b->query_min_epsilon.pico > 0) {
		wr_str(&w, " (at least ");
		eps_put(&w, b->query_min_epsilon);
		wr_str(&w, ", at most ");
	} else {
		wr_str(&w, " (at most ");
	}
	eps_put(&w, b->query_max_epsilon);
	wr_str(&w, ")");
	(void)printf("%s\n", wr_text(&w));
	wr_free(&w);
}

static void print_summary(const struct policy *p)
{
	(void)printf("collaboration %s: %zu members, %zu logins, %zu tables, %zu budgets\n", p->collaboration, p->n_members, p->n_logins,
		     p->n_tables, p->n_budgets);
	for (size_t i = 0; i < p->n_tables; i++) {
		const struct policy_table *t = &p->tables[i];
		(void)printf("  %s.%s of %s: %s", t->schema, t->name, t->owner, table_rule_name(t->rule));
		if (t->unit_name)
			(void)printf(", unit %s (%s), at most %lld rows and %lld groups", t->unit_name, t->columns[t->unit_column].name,
				     (long long)t->max_rows, (long long)t->max_groups);
		(void)printf("\n");
	}
	for (size_t i = 0; i < p->n_budgets; i++)
		print_budget(&p->budgets[i]);
}

static bool print_cells(const char *path, const struct policy *p, struct error *e)
{
	struct wr w;

	wr_init_heap(&w, 1 << 20);
	bool ok = upstream_check_cells(p, &w, e);
	for (const char *line = ok && wr_ok(&w) ? wr_text(&w) : ""; *line;) {
		size_t n = strcspn(line, "\n");
		(void)printf("%s: warning: %.*s\n", path, (int)n, line);
		line += n + (line[n] != '\0');
	}
	wr_free(&w);
	return ok;
}

int cli_check(int argc, char **argv)
{
	bool connect = argc == 3 && text_eq(argv[1], "--connect");
	struct error e = ERROR_INIT;

	if (argc != 2 + connect || argv[argc - 1][0] == '-')
		return cli_usage(usage);
	const char *path = argv[argc - 1];
	struct snapshot *s = snapshot_load(path, &report, &e);
	print_errors(path, report.errors, report.n, "error");
	print_errors(path, report.warnings, report.n_warnings, "warning");
	if (!s) {
		if (report.n == 0)
			return cli_error(&e);
		(void)printf("%zu error%s\n", report.n, report.n == 1 ? "" : "s");
		return EXIT_FAILED;
	}
	print_summary(s->policy);
	bool ok = repeat_check(s->policy, &e) && (!connect || (upstream_check(s->policy, &e) && print_cells(path, s->policy, &e)));
	snapshot_drop(s);
	if (!ok)
		return cli_error(&e);
	if (connect)
		(void)printf("the upstream agrees\n");
	return EXIT_DONE;
}
