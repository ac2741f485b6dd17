#include "base/bytes.h"
#include "base/file.h"
#include "base/text.h"
#include "proxy/cli.h"
#include "proxy/cli_numbers.h"
#include "proxy/cli_plan.h"

static const char usage[] = "usage: noisegate compose FILE|- [--delta DELTA]\n"
			    "\n"
			    "Prints, as JSON, what a list of mechanisms costs in all under every accounting method.\n"
			    "FILE: JSON or YAML, or lines like \"laplace epsilon=0.1 count=100\"; docs/mechanisms.md lists the keys.\n"
			    "\n"
			    "  --delta DELTA            the target delta of the totals\n"
			    "\n"
			    "Exit status: 0 done, 1 a file or figure that cannot be used, 2 wrong usage.\n";

static bool read_text(struct arena *a, const char *path, char **text, size_t *n, struct error *e)
{
	char chunk[8192];
	struct wr w;

	if (!text_eq(path, "-"))
		return file_read(a, path, COMPOSE_FILE_MAX, text, n, e);
	wr_init(&w, a, COMPOSE_FILE_MAX);
	for (size_t got; (got = fread(chunk, 1, sizeof(chunk), stdin)) > 0;)
		wr_put(&w, chunk, got);
	if (ferror(stdin) || !wr_ok(&w))
		return fail(e, ERR_IO, "could not read the input, or it is larger than %d bytes", (int)COMPOSE_FILE_MAX);
	*n = w.n;
	*text = arena_copy(a, wr_text(&w), w.n);
	return *text ? true : fail_memory(e);
}

static void put_total(struct wr *w, const char *name, const struct total *t, struct delta delta, const char *holds)
{
	wr_fmt(w, ",\n \"%s\": ", name);
	if (!t->defined) {
		wr_str(w, "null");
		return;
	}
	wr_str(w, "{\"epsilon\": ");
	eps_put(w, t->epsilon);
	wr_str(w, ", \"delta\": ");
	delta_put(w, delta);
	if (t->order > 0)
		wr_fmt(w, ", \"order\": %.6g", t->order);
	wr_fmt(w, ", \"holds_for\": \"%s\"}", holds);
}

static void put_use(struct wr *w, const struct use *u, bool first)
{
	static const char *const names[] = { [USE_PURE] = "pure",	[USE_APPROX] = "approx",     [USE_BOUNDED_RANGE] = "exponential",
					     [USE_LAPLACE] = "laplace", [USE_GAUSSIAN] = "gaussian", [USE_ZCDP] = "zcdp" };

	wr_fmt(w, "%s\n  {\"mechanism\": \"%s\", \"count\": %llu", first ? "" : ",", names[u->kind], (unsigned long long)u->count);
	if (u->kind != USE_GAUSSIAN && u->kind != USE_ZCDP) {
		wr_str(w, ", \"epsilon\": ");
		eps_put(w, u->epsilon);
	}
	if (u->kind == USE_APPROX || u->delta.atto > 0) {
		wr_str(w, ", \"delta\": ");
		delta_put(w, u->delta);
	}
	if (u->kind == USE_LAPLACE)
		wr_fmt(w, u->steps ? ", \"law\": \"discrete\", \"sensitivity\": %llu" : ", \"law\": \"continuous\"", (unsigned long long)u->steps);
	wr_str(w, ", \"rho\": ");
	rho_put(w, u->rho);
	wr_str(w, "}");
}

/* The least of the totals that hold for an adaptive analyst: what an account could report. */
static const struct total *best_filter(const struct totals *t, const char **by)
{
	const struct total *list[] = { &t->pure, &t->approx, &t->zcdp }, *best = NULL;
	static const char *const names[] = { "pure", "approx", "zcdp" };

	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		if (list[i]->defined && (!best || list[i]->epsilon.pico < best->epsilon.pico)) {
			best = list[i];
			*by = names[i];
		}
	}
	return best;
}

static void put_all(struct wr *w, const struct use *uses, size_t n, const struct totals *t, struct delta target)
{
	static const char any[] = "any analyst", fixed[] = "a list fixed in advance";
	const char *by = "";
	const struct total *best = best_filter(t, &by);

	wr_fmt(w, "{\"uses\": %llu,\n \"target_delta\": ", (unsigned long long)t->uses);
	delta_put(w, target);
	wr_str(w, ",\n \"sum_delta\": ");
	delta_put(w, t->delta);
	wr_str(w, ",\n \"sum_rho\": ");
	rho_put(w, t->rho);
	put_total(w, "pure", &t->pure, (struct delta){ 0 }, any);
	bool shares = t->approx.defined && t->approx.epsilon.pico != t->epsilon.pico;
	put_total(w, "approx", &t->approx, shares ? target : t->delta, any);
	put_total(w, "zcdp", &t->zcdp, target, any);
	put_total(w, "advanced", &t->advanced, target, fixed);
	put_total(w, "rdp", &t->rdp, target, fixed);
	put_total(w, "gdp", &t->gdp, target, fixed);
	wr_str(w, ",\n \"total\": ");
	if (best) {
		const struct delta own = best == &t->approx && !shares ? t->delta : target, none = { 0 };
		wr_str(w, "{\"epsilon\": ");
		eps_put(w, best->epsilon);
		wr_str(w, ", \"delta\": ");
		delta_put(w, best == &t->pure ? none : own);
		wr_fmt(w, ", \"by\": \"%s\"}", by);
	} else {
		wr_str(w, "null");
	}
	wr_str(w, ",\n \"mechanisms\": [");
	for (size_t i = 0; i < n; i++)
		put_use(w, &uses[i], i == 0);
	wr_str(w, "]}\n");
}

static bool compose(const char *path, const char *delta, struct error *e)
{
	struct delta target = { 0 };
	struct use *uses = NULL;
	struct arena a;
	struct totals t;
	struct wr w;
	char *text;
	size_t n, count;

	arena_init(&a, (size_t)256 << 20);
	bool ok = read_text(&a, path, &text, &n, e) && mechanism_list_read(&a, text_eq(path, "-") ? "input" : path, text, n, &uses, &count, &target, e) &&
		  (!delta || cli_delta("delta", delta, ROUND_DOWN, &target, e)) && compose_total(uses, count, target, &t, e);
	if (ok) {
		wr_init(&w, &a, (size_t)64 << 20);
		put_all(&w, uses, count, &t, target);
		ok = wr_ok(&w) ? true : fail_memory(e);
	}
	if (ok && (fputs(wr_text(&w), stdout) < 0 || fflush(stdout) != 0))
		ok = fail(e, ERR_IO, "could not write the result");
	arena_reset(&a);
	return ok;
}

int cli_compose(int argc, char **argv)
{
	const char *path = NULL, *delta = NULL;
	struct error e = ERROR_INIT;

	for (int i = 1; i < argc; i++) {
		if (text_eq(argv[i], "--help") || text_eq(argv[i], "-h"))
			return fputs(usage, stdout) < 0 || fflush(stdout) != 0 ? EXIT_FAILED : EXIT_DONE;
		if (text_eq(argv[i], "--json")) /* as other commands take it; there is no other format */
			continue;
		if (text_eq(argv[i], "--delta") && i + 1 < argc && !delta)
			delta = argv[++i];
		else if (text_starts(argv[i], "--delta=") && !delta)
			delta = argv[i] + 8;
		else if (path || (argv[i][0] == '-' && argv[i][1]))
			return cli_usage(usage);
		else
			path = argv[i];
	}
	if (!path)
		return cli_usage(usage);
	return compose(path, delta, &e) ? EXIT_DONE : cli_error(&e);
}
