#include "base/text.h"
#include "proxy/cli_budget.h"
#include "proxy/cli_policy.h"

#include <getopt.h>
#include <pwd.h>
#include <unistd.h>

static const char usage[] =
	"usage: noisegate budget show -c POLICY.yaml [--json]\n"
	"       noisegate budget history -c POLICY.yaml [--owner MEMBER] [--analyst MEMBER] [--limit N] [--json]\n"
	"       noisegate budget plan -c POLICY.yaml --table T --analyst MEMBER [--epsilon E] [--json]\n"
	"       noisegate budget set -c POLICY.yaml --table T --analyst MEMBER (--epsilon E [--delta D] | --policy) --reason TEXT\n"
	"       noisegate budget top-up -c POLICY.yaml --table T --analyst MEMBER --epsilon E [--delta D] --reason TEXT\n"
	"       noisegate budget freeze|unfreeze -c POLICY.yaml (--table T --analyst MEMBER|'*' | --all) --reason TEXT\n"
	"       noisegate budget recover -c POLICY.yaml --reason TEXT [--missing-epsilon E [--missing-delta D] [--missing-rho R]] [--without-anchor]\n"
	"  --owner MEMBER   whose table, when the name alone is ambiguous;  --by NAME   who decides, for the history (default: the user's name)\n";

static struct policy_report report; /* large; only this command uses it, once */

enum { OPT_OWNER = 256, OPT_ANALYST, OPT_TABLE, OPT_LIMIT, OPT_JSON, OPT_EPSILON, OPT_DELTA, OPT_REASON, OPT_BY, OPT_ALL, OPT_POLICY, OPT_MISSING_EPSILON,
       OPT_MISSING_DELTA, OPT_MISSING_RHO, OPT_WITHOUT_ANCHOR };

static bool read_eps(const char *s, struct eps *out, bool zero)
{
	struct decimal d;

	return decimal_parse(s, &d) && eps_from_decimal(d, out) && (zero || out->pico > 0);
}

static bool read_delta(const char *s, struct delta *out)
{
	struct decimal d;

	return decimal_parse(s, &d) && delta_from_decimal(d, out);
}

/* Words for the history: something, and text. */
static bool read_words(const char *s, size_t max, const char **out)
{
	size_t n = strlen(s);

	*out = s;
	return n > 0 && n <= max && text_utf8(s, n);
}

static bool read_missing(int id, struct budget_options *o)
{
	struct eps rho;
	bool ok = id == OPT_MISSING_EPSILON ? read_eps(optarg, &o->missing_epsilon, true)
					    : id == OPT_MISSING_DELTA ? read_delta(optarg, &o->missing_delta) : read_eps(optarg, &rho, true);

	if (ok && id == OPT_MISSING_RHO) {
		o->missing_rho.pico = rho.pico;
		o->has_rho = true;
	}
	o->has_missing = o->has_missing || id == OPT_MISSING_EPSILON;
	return ok;
}

static bool read_option(int id, struct budget_options *o)
{
	switch (id) {
	case 'c':
		o->policy = optarg;
		return true;
	case OPT_OWNER:
		o->owner = optarg;
		return true;
	case OPT_ANALYST:
		o->analyst = optarg;
		return true;
	case OPT_TABLE:
		o->table = optarg;
		return true;
	case OPT_REASON:
		return read_words(optarg, 2000, &o->reason);
	case OPT_BY:
		return read_words(optarg, 100, &o->who);
	case OPT_LIMIT:
		return number_i64(optarg, 1, INT64_MAX, &o->limit);
	case OPT_EPSILON:
		return o->has_epsilon = read_eps(optarg, &o->epsilon, false);
	case OPT_DELTA:
		return o->has_delta = read_delta(optarg, &o->delta);
	case OPT_MISSING_EPSILON:
	case OPT_MISSING_DELTA:
	case OPT_MISSING_RHO:
		return read_missing(id, o);
	default:
		o->json = o->json || id == OPT_JSON;
		o->all = o->all || id == OPT_ALL;
		o->to_policy = o->to_policy || id == OPT_POLICY;
		o->without_anchor = o->without_anchor || id == OPT_WITHOUT_ANCHOR;
		return id != '?';
	}
}

static bool read_options(int argc, char **argv, struct budget_options *o)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "owner", required_argument, NULL, OPT_OWNER },
		{ "analyst", required_argument, NULL, OPT_ANALYST },
		{ "table", required_argument, NULL, OPT_TABLE },
		{ "limit", required_argument, NULL, OPT_LIMIT },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "epsilon", required_argument, NULL, OPT_EPSILON },
		{ "delta", required_argument, NULL, OPT_DELTA },
		{ "reason", required_argument, NULL, OPT_REASON },
		{ "by", required_argument, NULL, OPT_BY },
		{ "all", no_argument, NULL, OPT_ALL },
		{ "policy", no_argument, NULL, OPT_POLICY },
		{ "missing-epsilon", required_argument, NULL, OPT_MISSING_EPSILON },
		{ "missing-delta", required_argument, NULL, OPT_MISSING_DELTA },
		{ "missing-rho", required_argument, NULL, OPT_MISSING_RHO },
		{ "without-anchor", no_argument, NULL, OPT_WITHOUT_ANCHOR },
		{ NULL, 0, NULL, 0 },
	};
	const struct passwd *me = getpwuid(geteuid());
	int id;

	*o = (struct budget_options){ .limit = 50, .who = me ? me->pw_name : "operator" };
	optind = 1;
	while ((id = getopt_long(argc, argv, "c:", known, NULL)) != -1) {
		if (!read_option(id, o)) {
			if (id != '?')
				(void)fprintf(stderr, "noisegate: \"%.100s\" is not a value that can be used here\n", optarg);
			return false;
		}
	}
	return o->policy && optind == argc;
}

bool budget_find(const struct policy *p, const struct budget_options *o, const struct policy_budget **out, struct error *e)
{
	const struct policy_budget *found = NULL;
	size_t n = 0;

	for (size_t i = 0; i < p->n_budgets; i++) {
		const struct policy_budget *b = &p->budgets[i];
		size_t schema = strlen(b->schema);
		bool qualified = text_starts(o->table, b->schema) && o->table[schema] == '.' && text_eq(o->table + schema + 1, b->table);
		if ((qualified || text_eq(o->table, b->table)) && text_eq(o->analyst, b->analyst) && (!o->owner || text_eq(o->owner, b->owner))) {
			found = b;
			n++;
		}
	}
	*out = found;
	if (n == 1)
		return true;
	fail(e, ERR_CONFIG, n ? "table \"%s\" is ambiguous" : "the policy has no budget of \"%s\" for analyst \"%s\"", o->table, o->analyst);
	return error_hint(e, n ? "Say schema.table, or --owner." : "noisegate budget show lists them.");
}

struct command {
	const char *name;
	bool (*run)(struct ledger *l, const struct policy *p, const struct budget_options *o, struct error *e);
	bool account, reason; /* needs --table and --analyst; --reason */
};

static const struct command commands[] = {
	{ "show", budget_show, false, false },      { "history", budget_history, false, false }, { "plan", budget_plan, true, false },
	{ "set", budget_set, true, true },          { "top-up", budget_top_up, true, true },     { "freeze", budget_freeze, true, true },
	{ "unfreeze", budget_unfreeze, true, true }, { "recover", NULL, false, true },
};

static bool usable(const struct command *c, const struct budget_options *o)
{
	const bool freezes = c->run == budget_freeze || c->run == budget_unfreeze;

	if (c->account && !(o->table && o->analyst) && !(freezes && o->all && !o->table && !o->analyst))
		return false;
	if (c->reason && !o->reason)
		return false;
	if (c->run == budget_set)
		return o->has_epsilon != o->to_policy;
	return c->run != budget_top_up || o->has_epsilon;
}

int cli_budget(int argc, char **argv)
{
	const struct clock clock = clock_system();
	const struct command *c = NULL;
	struct error e = ERROR_INIT;
	struct budget_options o;
	struct ledger *l = NULL;

	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++) {
		if (text_eq(argv[1], commands[i].name))
			c = &commands[i];
	}
	if (!c || !read_options(argc - 1, argv + 1, &o) || !usable(c, &o))
		return cli_usage(usage);
	struct snapshot *s = snapshot_load(o.policy, &report, &e);
	bool ok = s != NULL;
	if (ok && !c->run)
		ok = budget_recover(s->policy, &o, &e);
	else if (ok)
		ok = ledger_open_policy(s->policy, &clock, &l, &e) && c->run(l, s->policy, &o, &e);
	ledger_close(l);
	snapshot_drop(s);
	return ok ? EXIT_DONE : cli_error(&e);
}
