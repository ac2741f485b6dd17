/* Reads SQL statements, one a line, and prints each one's plan or refusal as a JSON line.  usage: plan_tool POLICY */
#include "planner/plan.h"
#include "policies/load.h"

#include <stdio.h>
#include <string.h>

static void print_block(struct wr *w, const struct plan_block *b)
{
	wr_str(w, "{\"sql\":");
	wr_json(w, b->sql);
	wr_fmt(w, ",\"rows\":%lld,\"seed\":%d,\"groups\":%lld,\"keys\":%zu,\"selection\":%d,\"params\":[", (long long)b->figures.max_rows * (b->figures.owner_moves ? 2 : 1), b->seed_param, (long long)b->figures.max_groups, b->spec.n_keys,
	       (int)b->spec.selection);
	for (size_t i = 0; i < b->n_params; i++) {
		wr_str(w, i ? "," : "");
		if (b->params[i])
			wr_json(w, b->params[i]);
		else
			wr_str(w, "null");
	}
	wr_str(w, "],\"values\":[");
	for (size_t i = 0; i < b->spec.n_values; i++) {
		const struct release_value *v = &b->spec.values[i];
		wr_fmt(w, "%s{\"kind\":%d,\"column\":%zu,\"linf\":", i ? "," : "", (int)v->kind, v->column);
		number_put_i128(w, b->columns[b->spec.n_keys + i].linf);
		wr_str(w, ",\"spread\":");
		number_put_i128(w, b->columns[b->spec.n_keys + i].linf_sum);
		wr_fmt(w, ",\"shared\":%zu,\"parts\":%zu,\"width_x\":%lld,\"width_y\":%lld}", v->shared, v->n_parts,
		       (long long)(v->moment_bounds.hi_x - v->moment_bounds.lo_x), (long long)(v->moment_bounds.hi_y - v->moment_bounds.lo_y));
	}
	wr_str(w, "]}");
}

int main(int argc, char **argv)
{
	static struct policy_report problems;
	static char line[1 << 18];
	static const char *const path[] = { "shop", "public" };
	const struct plan_settings s = { .analyst = "lab", .search_path = path, .n_search_path = 2, .timezone = "Europe/Berlin", .confidence = 0.95 };
	const struct policy *p;
	struct arena model, a;
	struct error e;

	arena_init(&model, 1 << 26);
	arena_init(&a, 1 << 28);
	if (argc != 2 || !policy_load(&model, argv[1], &p, &problems, &e)) {
		fprintf(stderr, "%s\n", e.message);
		return 1;
	}
	while (fgets(line, sizeof(line), stdin)) {
		const struct plan *plan;
		struct statements st;
		struct wr w;
		line[strcspn(line, "\n")] = '\0';
		wr_init(&w, &a, 1 << 24);
		e = ERROR_INIT;
		if (!statements_parse(&a, line, &st, &e) || (st.n == 1 && st.items[0].kind == STATEMENT_QUERY && !plan_make(&a, p, &s, line, NULL, 0, &plan, &e))) {
			wr_fmt(&w, "{\"state\":\"%s\",\"position\":%d,\"rule\":", error_sqlstate(e.code), e.position);
			wr_json(&w, e.rule);
			wr_str(&w, ",\"message\":");
			wr_json(&w, e.message);
			wr_str(&w, ",\"hint\":");
			wr_json(&w, e.hint);
			wr_str(&w, "}");
		} else if (st.n != 1 || st.items[0].kind != STATEMENT_QUERY) {
			wr_str(&w, "{\"command\":true}");
		} else {
			wr_fmt(&w, "{\"direct\":%s,\"post\":", plan->n_outputs ? "true" : "false");
			wr_json(&w, plan->sidecar_sql);
			wr_str(&w, ",\"blocks\":[");
			for (size_t i = 0; i < plan->n_blocks; i++) {
				wr_str(&w, i ? "," : "");
				print_block(&w, &plan->blocks[i]);
			}
			wr_str(&w, "]}");
		}
		printf("%s\n", wr_text(&w));
		fflush(stdout);
		arena_reset(&a);
	}
	arena_reset(&model);
	return 0;
}
