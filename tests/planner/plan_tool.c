/*
 * Reads SQL statements, one a line, and prints each one's plan or refusal as a JSON line.  usage: plan_tool POLICY [SCHEMA,... [TIMEZONE [gaussian]]]
 * Parameters follow the statement, each behind a byte 0x1F: OID:TEXT, OID:TEXT ...; OID alone is SQL NULL.
 */
#include "mechanisms/quantile.h"
#include "planner/plan.h"
#include "policies/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 16 };

/* Combinations of public keys, -1 without any, 0 when a public table says them as the query runs. */
static void print_domain(struct wr *w, const struct plan_block *b)
{
	const struct release_spec *spec = &b->spec;
	long long product = spec->selection == SELECT_ALL && spec->n_keys > 0 ? 1 : -1;

	for (size_t i = 0; product > 0 && i < spec->n_keys; i++)
		product *= b->domains && b->domains[i].sql ? 0 : (long long)spec->n_domain[i];
	wr_fmt(w, "%lld", product);
}

static void print_noise(struct wr *w, const char *separator, const struct noise *n, unsigned shift)
{
	wr_fmt(w, "%s{\"gaussian\":%s,\"num\":", separator, n->kind == NOISE_GAUSSIAN ? "true" : "false");
	number_put_i128(w, (i128)n->num);
	wr_fmt(w, ",\"den\":%llu,\"shift\":%u}", (unsigned long long)n->den, shift);
}

/* What a value draws for each group, in the order of its exact integers; a quantile's noise is that of every node of its levels. */
static void print_draws(struct wr *w, const struct release_value *v)
{
	size_t n = v->shared || v->kind == RELEASE_EXACT ? 0 : v->kind == RELEASE_MOMENT ? v->n_parts : v->kind == RELEASE_AVG ? 2 : 1;

	wr_fmt(w, ",\"levels\":%u,\"draws\":[", v->kind == RELEASE_QUANTILE ? quantile_levels(&v->tree) : 1);
	for (size_t i = 0; i < n; i++) {
		if (v->kind == RELEASE_MOMENT)
			print_noise(w, i ? "," : "", &v->parts[i].noise, v->parts[i].shift);
		else if (v->joint.bound != 0)
			print_noise(w, "", &v->joint.noise, 0);
		else
			print_noise(w, i ? "," : "", i == 0 ? &v->noise : &v->noise_sum, 0);
	}
	wr_str(w, "]");
}

/* The block's price: what its draws may cost. */
static void print_price(struct wr *w, const struct plan_block *b)
{
	wr_fmt(w, "\"epsilon\":%llu,\"rho\":%llu,\"delta\":%llu,\"tables\":[", (unsigned long long)b->figures.epsilon.pico, (unsigned long long)b->figures.rho.pico,
	       (unsigned long long)b->figures.delta.atto);
	for (size_t i = 0; i < b->n_tables; i++)
		wr_fmt(w, "%s[\"%s.%s\",%s]", i ? "," : "", b->tables[i]->schema, b->tables[i]->name, b->tables[i]->rule == RULE_DIFFERENTIAL_PRIVACY ? "true" : "false");
	wr_str(w, "],\"units\":");
	if (b->spec.selection == SELECT_OPTIMAL) {
		wr_fmt(w, "null,\"law\":{\"epsilon\":%llu,\"delta\":%.17g,\"minimum\":%llu}", (unsigned long long)b->spec.law.epsilon.pico, b->spec.law.delta,
		       (unsigned long long)b->spec.law.minimum);
	} else if (b->spec.selection == SELECT_THRESHOLD) {
		const size_t shown = b->spec.units_value;
		print_noise(w, "", shown ? &b->spec.values[shown - 1].noise : &b->spec.units_noise, 0);
		wr_fmt(w, ",\"units_value\":%zu", shown);
		wr_str(w, ",\"threshold\":");
		number_put_i128(w, b->spec.threshold);
	} else {
		wr_str(w, "null");
	}
}

static void print_charges(struct wr *w, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_charges; i++) {
		const struct plan_charge *c = &plan->charges[i];
		wr_fmt(w, "%s{\"table\":\"%s.%s\",\"pure\":%s,\"approx\":%s,\"epsilon\":%llu,\"rho\":%llu,\"delta\":%llu}", i ? "," : "", c->budget->schema, c->budget->table,
		       c->budget->accounting == ACCOUNTING_PURE ? "true" : "false", c->budget->accounting == ACCOUNTING_APPROX ? "true" : "false", (unsigned long long)c->epsilon.pico, (unsigned long long)c->rho.pico,
		       (unsigned long long)c->delta.atto);
	}
}

static void print_params(struct wr *w, const char *const *params, size_t n)
{
	wr_str(w, ",\"params\":[");
	for (size_t i = 0; i < n; i++) {
		wr_str(w, i ? "," : "");
		if (params[i])
			wr_json(w, params[i]);
		else
			wr_str(w, "null");
	}
	wr_str(w, "]");
}

static void print_overlap(struct wr *w, const struct plan_overlap *o)
{
	wr_str(w, ",\"overlap\":{\"seed\":0,\"sql\":");
	wr_json(w, o->sql);
	print_params(w, o->params, o->n_params);
	print_noise(w, ",\"noise\":", &o->spec.values[0].noise, 0);
	wr_str(w, "}");
}

static void print_block(struct wr *w, const struct plan_block *b)
{
	wr_str(w, "{\"sql\":");
	wr_json(w, b->sql);
	wr_fmt(w, ",\"rows\":%lld,\"seed\":%d,\"groups\":%lld,\"keys\":%zu,\"selection\":%d", (long long)b->figures.max_rows * (b->figures.owner_moves ? 2 : 1), b->seed_param, (long long)b->figures.max_groups, b->spec.n_keys,
	       (int)b->spec.selection);
	print_params(w, b->params, b->n_params);
	if (b->overlap)
		print_overlap(w, b->overlap);
	wr_str(w, ",\"unit\":");
	wr_json(w, b->figures.unit ? b->figures.unit : "");
	wr_fmt(w, ",\"max_rows\":%lld,\"mechanism\":\"%s\",\"owner_moves\":%s,\"domain\":", (long long)b->figures.max_rows, b->figures.mechanism,
	       b->figures.owner_moves ? "true" : "false");
	print_domain(w, b);
	wr_str(w, ",");
	print_price(w, b);
	if (b->spec.joint.members > 0) {
		wr_fmt(w, ",\"joint\":{\"members\":%zu,\"column\":%zu,\"lattice\":%d", b->spec.joint.members, b->spec.joint.column, (int)JOINT_LATTICE);
		print_noise(w, ",\"units\":", &b->spec.joint.units, 0);
		wr_str(w, "}");
	}
	wr_str(w, ",\"values\":[");
	for (size_t i = 0; i < b->spec.n_values; i++) {
		const struct release_value *v = &b->spec.values[i];
		wr_fmt(w, "%s{\"kind\":%d,\"column\":%zu,\"linf\":", i ? "," : "", (int)v->kind, v->column);
		number_put_i128(w, b->columns[b->spec.n_keys + i].linf);
		wr_str(w, ",\"spread\":");
		number_put_i128(w, b->columns[b->spec.n_keys + i].linf_sum);
		wr_str(w, ",\"joint\":");
		number_put_i128(w, v->joint.bound);
		wr_fmt(w, ",\"shared\":%zu,\"parts\":%zu,\"width_x\":%lld,\"width_y\":%lld", v->shared, v->n_parts,
		       (long long)(v->moment_bounds.hi_x - v->moment_bounds.lo_x), (long long)(v->moment_bounds.hi_y - v->moment_bounds.lo_y));
		if (v->kind == RELEASE_CLIPPED) {
			print_noise(w, ",\"test\":", &v->clip.test, 0);
			wr_fmt(w, ",\"choice\":%llu,\"first\":%u,\"steps\":%zu", (unsigned long long)v->clip.choice.pico, v->clip.first, v->clip.steps);
		}
		print_draws(w, v);
		wr_str(w, "}");
	}
	wr_str(w, "]}");
}

/* Cuts s at each separator. */
static size_t cut(char *s, char separator, const char **out, size_t max)
{
	size_t n = 0;

	while (s && n < max) {
		out[n++] = s;
		s = strchr(s, separator);
		if (s)
			*s++ = '\0';
	}
	return n;
}

/* "OID:TEXT": the pieces behind the statement. */
static size_t read_params(const char **pieces, size_t n, struct plan_param *out)
{
	for (size_t i = 0; i < n; i++) {
		char *colon = strchr(pieces[i], ':');
		out[i] = (struct plan_param){ .type_oid = (uint32_t)strtoul(pieces[i], NULL, 10), .known = true, .text = colon ? colon + 1 : NULL };
	}
	return n;
}

/* Which blocks are made to agree, in which values. */
static void print_hierarchy(struct wr *w, const struct plan *plan, const struct plan_hierarchy *h)
{
	wr_fmt(w, "{\"first\":%zu,\"n\":%zu,\"keys\":[", h->first, h->n);
	for (size_t i = 0; i < h->n; i++) {
		wr_str(w, i ? ",[" : "[");
		for (size_t j = 0; j < plan->blocks[h->first + i].spec.n_keys; j++)
			wr_fmt(w, "%s%zu", j ? "," : "", h->keys[i][j]);
		wr_str(w, "]");
	}
	wr_str(w, "],\"additive\":[");
	for (size_t i = 0; i < plan->blocks[h->first].spec.n_values; i++)
		wr_fmt(w, "%s%s", i ? "," : "", h->additive[i] ? "true" : "false");
	wr_str(w, "]}");
}

static void print_plan(struct wr *w, const struct plan *plan)
{
	wr_fmt(w, "{\"direct\":%s,\"outputs\":[", plan->n_outputs ? "true" : "false");
	for (size_t i = 0; i < plan->n_outputs; i++)
		wr_fmt(w, "%s%zu", i ? "," : "", plan->outputs[i].column);
	wr_str(w, "],\"post\":");
	wr_json(w, plan->sidecar_sql);
	wr_str(w, ",\"charges\":[");
	print_charges(w, plan);
	wr_str(w, "],\"blocks\":[");
	for (size_t i = 0; i < plan->n_blocks; i++) {
		wr_str(w, i ? "," : "");
		print_block(w, &plan->blocks[i]);
	}
	wr_str(w, "],\"hierarchies\":[");
	for (size_t i = 0; i < plan->n_hierarchies; i++) {
		wr_str(w, i ? "," : "");
		print_hierarchy(w, plan, &plan->hierarchies[i]);
	}
	wr_str(w, "]}");
}

int main(int argc, char **argv)
{
	static struct policy_report problems;
	static char line[1 << 18];
	static char standard[] = "shop,public";
	const char *path[NAMES_MAX], *pieces[NAMES_MAX];
	struct plan_param params[NAMES_MAX];
	struct plan_settings s = { .analyst = "lab", .search_path = path, .timezone = argc > 3 ? argv[3] : "Europe/Berlin", .confidence = 0.95,
				   .now_micros = argc > 2 ? (int64_t)1790000000 * 1000000 : 0 };
	const struct policy *p;
	struct arena model, a;
	struct error e;

	arena_init(&model, 1 << 26);
	arena_init(&a, 1 << 28);
	s.mechanism = argc > 4 ? MECHANISM_GAUSSIAN : MECHANISM_AUTO;
	s.n_search_path = cut(argc > 2 ? argv[2] : standard, ',', path, NAMES_MAX);
	if (argc < 2 || !policy_load(&model, argv[1], &p, &problems, &e)) {
		fprintf(stderr, "%s\n", e.message);
		return 1;
	}
	while (fgets(line, sizeof(line), stdin)) {
		const struct plan *plan;
		struct statements st;
		struct wr w;
		line[strcspn(line, "\n")] = '\0';
		size_t n = read_params(pieces + 1, cut(line, 0x1F, pieces, NAMES_MAX) - 1, params);
		wr_init(&w, &a, 1 << 24);
		e = ERROR_INIT;
		if (!statements_parse(&a, line, &st, &e) || (st.n == 1 && st.items[0].kind == STATEMENT_QUERY && !plan_make(&a, p, &s, line, params, n, &plan, &e))) {
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
			print_plan(&w, plan);
		}
		printf("%s\n", wr_text(&w));
		fflush(stdout);
		arena_reset(&a);
	}
	arena_reset(&model);
	return 0;
}
