#include "base/text.h"
#include "budget/ledger.h"
#include "policies/snapshot.h"
#include "proxy/cli.h"
#include "proxy/cli_policy.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] = "usage: noisegate budget show -c POLICY.yaml [--json]\n"
			    "       noisegate budget history -c POLICY.yaml [--owner MEMBER] [--analyst MEMBER] [--limit N] [--json]\n";

struct options {
	const char *policy, *owner, *analyst;
	int64_t limit;
	bool json;
};

static struct policy_report report; /* large; only this command uses it, once */

static bool read_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = { { "config", required_argument, NULL, 'c' }, { "owner", required_argument, NULL, 'o' },
					       { "analyst", required_argument, NULL, 'a' }, { "limit", required_argument, NULL, 'l' },
					       { "json", no_argument, NULL, 'j' },	    { NULL, 0, NULL, 0 } };
	int id;

	*o = (struct options){ .limit = 50 };
	optind = 1;
	while ((id = getopt_long(argc, argv, "c:", known, NULL)) != -1) {
		if (id == 'c')
			o->policy = optarg;
		else if (id == 'o')
			o->owner = optarg;
		else if (id == 'a')
			o->analyst = optarg;
		else if (id == 'j')
			o->json = true;
		else if (id != 'l' || !number_i64(optarg, 1, INT64_MAX, &o->limit))
			return false;
	}
	return o->policy && optind == argc;
}

static bool show_one(struct ledger *l, const struct policy_budget *b, bool json, bool first, struct error *e)
{
	struct account_state s;
	char end[WALL_TEXT] = "never";
	const char *method = b->accounting == ACCOUNTING_PURE ? "pure" : "zcdp";

	if (!ledger_state(l, b, &s, e))
		return false;
	if (s.window_end.micros)
		wall_text(s.window_end, end);
	if (json) {
		(void)printf("%s{\"owner\":\"%s\",\"table\":\"%s.%s\",\"analyst\":\"%s\",\"accounting\":\"%s\",\"epsilon_limit\":%.12g,\"epsilon_spent\":%.12g,"
			     "\"epsilon_remaining\":%.12g,\"rho_spent\":%.12g,\"rho_limit\":%.12g,\"delta_spent\":%.6g,\"delta_limit\":%.6g,\"queries\":%lld,"
			     "\"refresh\":\"%s\"}",
			     first ? "[" : ",\n ", b->owner, b->schema, b->table, b->analyst, method, eps_double(b->epsilon),
			     eps_double(s.epsilon_reported), eps_double(s.epsilon_remaining), rho_double(s.rho), rho_double(s.rho_limit),
			     delta_double(s.delta), delta_double(s.delta_limit), (long long)s.queries, end);
		return true;
	}
	if (first)
		(void)printf("%-28s %-14s %-5s %9s %9s %9s %7s  %s\n", "table", "analyst", "by", "limit", "spent", "left", "queries", "refreshes");
	char table[160];
	(void)snprintf(table, sizeof(table), "%s.%s", b->schema, b->table);
	(void)printf("%-28s %-14s %-5s %9.4g %9.4f %9.4f %7lld  %.10s\n", table, b->analyst, method, eps_double(b->epsilon),
		     eps_double(s.epsilon_reported), eps_double(s.epsilon_remaining), (long long)s.queries, end);
	return true;
}

static bool show(struct ledger *l, const struct policy *p, const struct options *o, struct error *e)
{
	for (size_t i = 0; i < p->n_budgets; i++) {
		if (!show_one(l, &p->budgets[i], o->json, i == 0, e))
			return false;
	}
	if (o->json)
		(void)printf("%s]\n", p->n_budgets ? "" : "[");
	return true;
}

struct listing {
	bool json, any;
};

static bool print_row(void *ctx, const struct history_row *r)
{
	struct listing *l = ctx;
	char at[WALL_TEXT];
	struct wr w;

	wall_text(r->at, at);
	if (!l->json) {
		(void)printf("%6lld  %.19s  %-28s %-12s %-10s %s %.6g%s%.3g  %s\n", (long long)r->query_id, at, r->table, r->analyst, r->user,
			     text_eq(r->accounting, "pure") ? "epsilon" : "rho",
			     text_eq(r->accounting, "pure") ? eps_double(r->epsilon) : rho_double(r->rho), r->delta.atto ? " delta " : " delta ",
			     delta_double(r->delta), r->sql);
		return true;
	}
	wr_init_heap(&w, 1 << 20);
	wr_fmt(&w, "%s{\"query\":%lld,\"at\":\"%s\",\"table\":", l->any ? ",\n " : "[", (long long)r->query_id, at);
	wr_json(&w, r->table);
	wr_str(&w, ",\"analyst\":");
	wr_json(&w, r->analyst);
	wr_str(&w, ",\"user\":");
	wr_json(&w, r->user);
	wr_fmt(&w, ",\"accounting\":\"%s\",\"epsilon\":%.12g,\"rho\":%.12g,\"delta\":%.6g,\"mechanism\":%s,\"sql\":", r->accounting,
	       eps_double(r->epsilon), rho_double(r->rho), delta_double(r->delta), r->mechanism);
	wr_json(&w, r->sql);
	wr_str(&w, "}");
	(void)printf("%s", wr_text(&w));
	wr_free(&w);
	l->any = true;
	return true;
}

static bool history(struct ledger *l, const struct policy *p UNUSED, const struct options *o, struct error *e)
{
	struct listing listing = { .json = o->json };
	bool ok = ledger_history(l, o->owner, o->analyst, o->limit, print_row, &listing, e);

	if (ok && o->json)
		(void)printf("%s]\n", listing.any ? "" : "[");
	return ok;
}

int cli_budget(int argc, char **argv)
{
	const struct clock clock = clock_system();
	struct error e = ERROR_INIT;
	struct ledger *l = NULL;
	struct options o;

	if (argc < 2 || !(text_eq(argv[1], "show") || text_eq(argv[1], "history")) || !read_options(argc - 1, argv + 1, &o))
		return cli_usage(usage);
	struct snapshot *s = snapshot_load(o.policy, &report, &e);
	bool ok = s && ledger_open_policy(s->policy, &clock, &l, &e) &&
		  (text_eq(argv[1], "show") ? show : history)(l, s->policy, &o, &e);
	ledger_close(l);
	snapshot_drop(s);
	return ok ? EXIT_DONE : cli_error(&e);
}
