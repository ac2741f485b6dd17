/*
 * noisegate audit privacy: what answers that came through the wire prove about the guarantee, beside what is claimed.  Proves violations, never privacy:
 * docs/privacy-audit.md says what can be seen with how many answers.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "base/text.h"
#include "proxy/cli.h"
#include "proxy/cli_audit.h"
#include "proxy/privacy_ask.h"
#include "proxy/privacy_data.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>

enum { EXIT_NOT_AUDITED = 5 };
enum { TRIALS_LAPLACE = 24000, TRIALS_GAUSSIAN = 40000, CELLS_MAX = 4000000 };
enum { LONE_STATEMENTS = 60 }; /* each takes a good part of what an account may hold of delta */

#define ERROR_ALL 0.05 /* that any bound of one run is wrong */

static const char usage[] = "usage: noisegate audit privacy -c POLICY.yaml [--minutes N] [--json]\n"
			    "\n"
			    "Builds neighbouring databases for the policy on a private PostgreSQL, asks them through the wire, and prints what the\n"
			    "answers prove about the guarantee beside what is claimed.  Nothing of the deployment but the policy is read.\n"
			    "\n"
			    "  -c, --config POLICY      the policy file\n"
			    "  --minutes N              how long to ask, at most (4); starting and filling come on top\n"
			    "  --json                   for machines, with the queries\n"
			    "\n"
			    "Exit status: 0 every bound is within its claim, 1 a bound exceeds its claim, 2 wrong usage, 5 not (all) audited.\n";

struct options {
	const char *policy;
	struct decimal minutes;
	bool json;
};

struct finding {
	double measured; /* -1: not known */
	size_t trials[SIDES];
	struct error failed; /* code set: the statement could not be asked */
};

struct audit {
	struct world *world;
	struct arena arena;
	struct probe *probes;
	size_t n;
	struct finding *findings;
	int64_t left; /* nanoseconds to ask in; filling the databases is not counted */
	double alpha; /* of each bound */
};

static bool read_minutes(const char *text, struct decimal *out)
{
	int low, high;

	return decimal_parse(text, out) && decimal_compare(*out, (struct decimal){ 0, 0 }, &low) && low > 0 &&
	       decimal_compare(*out, (struct decimal){ 1440, 0 }, &high) && high <= 0;
}

/* EXIT_DONE when they can be used. */
static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = { { "config", required_argument, NULL, 'c' },
					       { "minutes", required_argument, NULL, 'm' },
					       { "json", no_argument, NULL, 'j' },
					       { 0 } };

	*o = (struct options){ .minutes = { 4, 0 } };
	optind = 1;
	for (int c; (c = getopt_long(argc, argv, "c:", known, NULL)) != -1;) {
		if (c == 'c')
			o->policy = optarg;
		else if (c == 'j')
			o->json = true;
		else if (c != 'm' || !read_minutes(optarg, &o->minutes))
			return cli_usage(usage);
	}
	return o->policy && optind == argc ? EXIT_DONE : cli_usage(usage);
}

/* --- running --------------------------------------------------------------------------------------------------------------------------- */

static bool askable(const struct probe *p)
{
	return p->refused.code == ERR_NONE;
}

static size_t enough(const struct probe *p)
{
	const size_t wanted = p->kind == PROBE_LONE ? LONE_STATEMENTS * p->trials : p->gaussian ? TRIALS_GAUSSIAN : TRIALS_LAPLACE;
	const size_t most = CELLS_MAX / (p->spread * p->n_values);

	return wanted < most ? wanted : most;
}

/* What fails is a finding: the others may go on. */
static void run_probe(struct audit *a, size_t i, int64_t share)
{
	const struct probe *p = &a->probes[i];
	struct finding *f = &a->findings[i];
	struct answers answers;

	for (int side = 0; side < SIDES; side++) {
		if (!data_fill(world_database(a->world, (enum world_side)side), world_policy(a->world), p, side == SIDE_PRESENT, &f->failed))
			return;
	}
	const int64_t began = clock_monotonic().nanos;
	const bool ok = answers_get(a->world, p, enough(p), began + share, &answers, &f->failed);
	const int64_t took = clock_monotonic().nanos - began;
	a->left -= took < a->left ? took : a->left;
	if (!ok)
		return;
	for (int side = 0; side < SIDES; side++)
		f->trials[side] = answers.n[side];
	f->measured = answers_prove(&answers, p, a->alpha);
	answers_free(&answers);
}

/* Statements with many trials first: they end early and leave their time to the others. */
static void run_probes(struct audit *a)
{
	size_t left = 0;

	for (size_t i = 0; i < a->n; i++) {
		a->findings[i] = (struct finding){ .measured = -1, .failed = a->probes[i].refused };
		left += askable(&a->probes[i]);
	}
	a->alpha = ERROR_ALL / (double)(left ? left : 1);
	for (int single = 0; single < 2; single++) {
		for (size_t i = 0; i < a->n; i++) {
			if (!askable(&a->probes[i]) || (a->probes[i].trials == 1) != single)
				continue;
			run_probe(a, i, a->left / (int64_t)left--);
		}
	}
}

static bool prepare(struct audit *a, const struct options *o, struct error *e)
{
	if (!world_open(o->policy, &a->world, e))
		return false;
	for (int side = 0; side < SIDES; side++) {
		if (!data_make_relations(world_database(a->world, (enum world_side)side), world_policy(a->world), e))
			return false;
	}
	if (!probes_make(&a->arena, world_policy(a->world), &a->probes, &a->n, e))
		return false;
	a->findings = arena_array(&a->arena, a->n + 1, struct finding);
	a->left = (int64_t)(decimal_double(o->minutes) * 60e9);
	return a->findings ? true : fail_memory(e);
}

/* --- reporting ------------------------------------------------------------------------------------------------------------------------- */

enum verdict { VERDICT_WITHIN, VERDICT_EXCEEDED, VERDICT_NOT_ALLOWED, VERDICT_FAILED, VERDICT_TOO_FEW };

static double claim(const struct probe *p)
{
	return p->kind == PROBE_LONE ? p->claimed_delta : p->claimed;
}

static const char *measure(const struct probe *p)
{
	return p->kind == PROBE_LONE ? "delta" : p->gaussian ? "rho" : "epsilon";
}

static enum verdict verdict(const struct audit *a, size_t i)
{
	const struct finding *f = &a->findings[i];

	if (!askable(&a->probes[i]))
		return VERDICT_NOT_ALLOWED;
	if (f->failed.code != ERR_NONE)
		return VERDICT_FAILED;
	if (f->measured < 0)
		return VERDICT_TOO_FEW;
	return f->measured > claim(&a->probes[i]) ? VERDICT_EXCEEDED : VERDICT_WITHIN;
}

static size_t count(const struct audit *a, enum verdict wanted)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++)
		n += verdict(a, i) == wanted;
	return n;
}

static void print_table(const struct audit *a)
{
	static const char *const words[] = { "within", "EXCEEDED", "", "not measured: ", "too few answers" };

	(void)printf("%-26s %-44s %8s  %-16s %-9s\n", "class of query", "tables", "answers", "claimed", "measured");
	for (size_t i = 0; i < a->n; i++) {
		const struct probe *p = &a->probes[i];
		const struct finding *f = &a->findings[i];
		const enum verdict v = verdict(a, i);
		char tables[300], claimed[40], measured[24] = "";

		(void)snprintf(tables, sizeof(tables), "%s.%s%s%s%s%s", p->table->schema, p->table->name, p->other ? ", " : "", p->other ? p->other->schema : "",
			       p->other ? "." : "", p->other ? p->other->name : "");
		if (v == VERDICT_NOT_ALLOWED) {
			(void)printf("%-26s %-44s %8s  not allowed: %s\n", probe_kind_name(p->kind), tables, "", p->refused.message);
			continue;
		}
		(void)snprintf(claimed, sizeof(claimed), "%s %.4g", measure(p), claim(p));
		if (v == VERDICT_WITHIN || v == VERDICT_EXCEEDED)
			(void)snprintf(measured, sizeof(measured), "%.4g", f->measured);
		(void)printf("%-26s %-44s %8zu  %-16s %-9s %s%s\n", probe_kind_name(p->kind), tables, f->trials[SIDE_PRESENT] + f->trials[SIDE_ABSENT], claimed, measured,
			     words[v], v == VERDICT_FAILED && f->failed.message[0] ? f->failed.message : "");
	}
	if (count(a, VERDICT_TOO_FEW))
		(void)printf("%zu classes had too few answers to show anything: give them more --minutes.\n", count(a, VERDICT_TOO_FEW));
	if (count(a, VERDICT_FAILED))
		(void)printf("%zu classes could not be measured.\n", count(a, VERDICT_FAILED));
	if (count(a, VERDICT_EXCEEDED))
		(void)printf("%zu bounds exceed their claims: these answers tell more than the policy allows.\n", count(a, VERDICT_EXCEEDED));
	else
		(void)printf("%zu bounds, all within their claims (95%% confidence for all together).\n", count(a, VERDICT_WITHIN));
}

static bool print_json(const struct audit *a, struct error *e)
{
	static const char *const words[] = { "within", "exceeded", "not allowed", "not measured", "too few answers" };
	struct wr w;

	wr_init_heap(&w, (size_t)64 << 20);
	wr_fmt(&w, "{\"verdict\": \"%s\", \"confidence\": %g, \"classes\": [",
	       count(a, VERDICT_EXCEEDED) ? "exceeded" : count(a, VERDICT_FAILED) ? "incomplete" : "within", 1 - ERROR_ALL);
	for (size_t i = 0; i < a->n; i++) {
		const struct probe *p = &a->probes[i];
		const struct finding *f = &a->findings[i];
		const enum verdict v = verdict(a, i);

		wr_fmt(&w, "%s\n {\"class\": \"%s\", \"table\": ", i > 0 ? "," : "", probe_kind_name(p->kind));
		wr_json(&w, p->table->name);
		wr_str(&w, ", \"schema\": ");
		wr_json(&w, p->table->schema);
		wr_str(&w, ", \"query\": ");
		wr_json(&w, p->sql);
		wr_fmt(&w, ", \"verdict\": \"%s\"", words[v]);
		if (v == VERDICT_NOT_ALLOWED || v == VERDICT_FAILED) {
			wr_str(&w, ", \"reason\": ");
			wr_json(&w, f->failed.message);
		}
		if (v == VERDICT_WITHIN || v == VERDICT_EXCEEDED)
			wr_fmt(&w,
			       ", \"measure\": \"%s\", \"claimed\": %.9g, \"measured\": %.9g, \"answers\": %zu, \"epsilon\": %.9g, \"trials_a_query\": %zu,"
			       " \"groups_a_person\": %zu",
			       measure(p), claim(p), f->measured, f->trials[SIDE_PRESENT] + f->trials[SIDE_ABSENT], eps_double(p->epsilon), p->trials, p->spread);
		wr_str(&w, "}");
	}
	wr_str(&w, "]}\n");
	const bool ok = wr_ok(&w) ? true : fail_memory(e);
	if (ok)
		(void)fputs(wr_text(&w), stdout);
	wr_free(&w);
	return ok;
}

int cli_audit_privacy(int argc, char **argv)
{
	struct audit a = { 0 };
	struct error e = ERROR_INIT;
	struct options o;
	const int usable = read_options(argc, argv, &o);

	if (usable != EXIT_DONE)
		return usable;
	(void)signal(SIGPIPE, SIG_IGN);
	log_setup(LOG_ERROR, false);
	arena_init(&a.arena, (size_t)256 << 20);
	bool ok = prepare(&a, &o, &e);
	if (ok)
		run_probes(&a);
	if (ok && !count(&a, VERDICT_WITHIN) && !count(&a, VERDICT_EXCEEDED))
		ok = fail(&e, ERR_CONFIG, "the policy has no protected table that could be asked");
	if (ok && o.json)
		ok = print_json(&a, &e);
	else if (ok)
		print_table(&a);
	world_close(a.world);
	const bool exceeded = ok && count(&a, VERDICT_EXCEEDED) > 0, complete = ok && count(&a, VERDICT_FAILED) == 0;
	arena_reset(&a.arena);
	if (ok && fflush(stdout) == 0)
		return exceeded ? EXIT_FAILED : complete ? EXIT_DONE : EXIT_NOT_AUDITED;
	(void)cli_error(&e);
	return EXIT_NOT_AUDITED;
}
