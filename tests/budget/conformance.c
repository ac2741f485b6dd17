/*
 * What every ledger must do, on SQLite and on PostgreSQL alike (budget/ledger.h cites the numbers).
 *   conformance DIRECTORY|postgresql://...      prints TAP
 */
#include "budget/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *where;
static struct policy policy;
static char path[300], schema[40], anchor[300];
static int bad, worlds;

static struct wall_time at;
static struct wall_time now(void *ctx UNUSED)
{
	return at;
}
static const struct clock fixed = { now, NULL };
static const struct ledger_entry entry = { "ana", "lab", "SELECT 1" };

static void check(bool ok, const char *what, const char *why)
{
	bad += !ok;
	printf("%sok %s%s%s\n", ok ? "" : "not ", what, ok ? "" : "   ", ok ? "" : why);
}

/* A place where no ledger has been. */
static void fresh(bool anchored)
{
	bool pg = strncmp(where, "postgres", 8) == 0;

	worlds++;
	snprintf(path, sizeof(path), "%s/ledger-%d", pg ? "/nonexistent" : where, worlds);
	snprintf(schema, sizeof(schema), "l%d_%d", (int)getpid(), worlds);
	snprintf(anchor, sizeof(anchor), "%s/anchor-%d-%d", pg ? "/tmp" : where, (int)getpid(), worlds);
	unlink(anchor);
	policy = (struct policy){ .collaboration = "c", .ledger_path = path, .ledger = { .postgres = pg ? where : NULL, .schema = schema, .anchor_file = anchored ? anchor : NULL } };
	at = wall_from_civil((struct civil){ .year = 2026, .month = 3, .day = 10, .hour = 12 });
}

static struct ledger *opened(void)
{
	struct ledger *l = NULL;
	struct error e;

	if (!ledger_open_policy(&policy, &fixed, &l, &e)) {
		printf("not ok open: %s / %s\n", e.message, e.detail);
		exit(1);
	}
	return l;
}

static struct policy_budget pure(double epsilon)
{
	return (struct policy_budget){ .owner = "o", .schema = "s", .table = "t", .analyst = "lab", .epsilon = { (uint64_t)(epsilon * 1e12 + 0.5) },
				       .delta = { 1000000000000 }, .query_max_delta = { 1000000000000 }, .accounting = ACCOUNTING_PURE };
}

static bool spend_delta(struct ledger *l, const struct policy_budget *b, uint64_t pico, uint64_t atto, struct error *e)
{
	const struct charge c = { .budget = b, .epsilon = { pico }, .rho = { pico }, .delta = { atto }, .mechanism = "[{\"mechanism\":\"discrete_laplace\"}]" };
	int64_t id;

	return ledger_charge(l, &(struct charges){ &c, 1 }, &entry, &id, e);
}

static bool spend(struct ledger *l, const struct policy_budget *b, uint64_t pico, struct error *e)
{
	return spend_delta(l, b, pico, 0, e);
}

static struct account_state state(struct ledger *l, const struct policy_budget *b)
{
	struct account_state s = { .queries = -1 };
	struct error e;

	if (!ledger_state(l, b, &s, &e))
		printf("# %s\n", e.message);
	return s;
}

static bool order(struct ledger *l, enum entry_kind kind, const char *relation, const char *analyst, uint64_t pico, uint64_t atto, struct error *e)
{
	const struct ledger_order o = { .kind = kind, .key = { "o", relation, analyst }, .epsilon = { pico }, .delta = { atto }, .who = "op", .reason = "because" };

	return ledger_order(l, &o, e);
}

static void limits(void)
{
	struct policy_budget b = pure(1);
	struct account_state s;
	struct error e = ERROR_INIT;
	int n = 0;

	fresh(false);
	struct ledger *l = opened();
	while (n < 20 && spend(l, &b, EPS_ONE / 10, &e))
		n++;
	s = state(l, &b);
	check(n == 10 && e.code == ERR_BUDGET && e.hint[0] && e.detail[0], "ten charges of 0.1 fit 1, the eleventh is refused (3)", e.message);
	check(s.epsilon.pico == EPS_ONE && s.epsilon_remaining.pico == 0 && s.queries == 10, "and the account says so", "");
	ledger_close(l);
	l = opened();
	s = state(l, &b);
	check(s.epsilon.pico == EPS_ONE && !spend(l, &b, 1, &e), "what was charged is there after reopening (2)", "");
	b.accounting = ACCOUNTING_APPROX;
	b.epsilon.pico = 2 * EPS_ONE;
	check(!spend_delta(l, &b, 1, 1000000000001, &e) && spend_delta(l, &b, 1, 1000000000000, &e) && !spend_delta(l, &b, 1, 1, &e), "deltas add up to their limit too (3)",
	      e.message);
	ledger_close(l);
}

static void all_or_none(void)
{
	struct policy_budget rich = pure(5), poor = pure(0.1);
	struct error e = ERROR_INIT;
	int64_t id;

	fresh(false);
	struct ledger *l = opened();
	poor.table = "u";
	const struct charge both[] = { { .budget = &rich, .epsilon = { EPS_ONE }, .mechanism = "[]" }, { .budget = &poor, .epsilon = { EPS_ONE }, .mechanism = "[]" } };
	bool refused = !ledger_charge(l, &(struct charges){ both, 2 }, &entry, &id, &e);
	check(refused && state(l, &rich).epsilon.pico == 0, "a charge of two accounts is all or none (1)", e.message);
	ledger_close(l);
}

static void zcdp(void)
{
	struct policy_budget b = pure(3);
	struct error e = ERROR_INIT;
	int n = 0;

	fresh(false);
	struct ledger *l = opened();
	b.accounting = ACCOUNTING_ZCDP;
	b.delta.atto = b.query_max_delta.atto = 2000000000000; /* half of it is 1e-6 */
	while (n < 100 && spend(l, &b, EPS_ONE / 200, &e))
		n++;
	struct account_state s = state(l, &b);
	check(n == 37 && s.delta_limit.atto == 1000000000000 && s.epsilon_reported.pico <= b.epsilon.pico, "zcdp: 37 charges of rho 0.005 fit (3, 1e-6)", "");
	b.query_max_delta.atto = 0;
	s = state(l, &b);
	check(s.delta_limit.atto == 0 && s.rho_limit.pico > 37 * (EPS_ONE / 200), "where no query may spend delta, all of it pays the conversion", "");
	ledger_close(l);
}

static void windows(void)
{
	struct policy_budget b = pure(1);
	struct error e = ERROR_INIT;

	fresh(false);
	struct ledger *l = opened();
	b.refresh = REFRESH_MONTHLY;
	at = wall_from_civil((struct civil){ .year = 2026, .month = 3, .day = 31, .hour = 23 });
	bool march = spend(l, &b, EPS_ONE, &e) && !spend(l, &b, 1, &e);
	at = wall_from_civil((struct civil){ .year = 2026, .month = 4, .day = 1 });
	bool april = spend(l, &b, EPS_ONE, &e) && !spend(l, &b, 1, &e);
	at = wall_from_civil((struct civil){ .year = 2026, .month = 3, .day = 1 });
	bool back = spend(l, &b, 1, &e);
	at = wall_from_civil((struct civil){ .year = 2026, .month = 2, .day = 1 });
	back = back || spend(l, &b, 1, &e);
	check(march && april && !back, "a window opens once; a clock set back a month, or two, opens none (5)", e.message);
	struct policy_budget other = pure(1);
	other.table = "u";
	other.refresh = REFRESH_MONTHLY;
	check(state(l, &other).window_start.micros == state(l, &b).window_start.micros, "an account that was never charged goes by the same time (5)", "");
	at = wall_from_civil((struct civil){ .year = 2026, .month = 4, .day = 30 });
	ledger_close(l);
	l = opened();
	check(!spend(l, &b, 1, &e), "nor does reopening (5)", "");
	ledger_close(l);
}

static void edits(void)
{
	struct policy_budget b = pure(1);
	struct error e = ERROR_INIT;

	fresh(false);
	struct ledger *l = opened();
	bool ok = spend(l, &b, EPS_ONE, &e);
	b.epsilon.pico = 3 * EPS_ONE / 2;
	ok = ok && spend(l, &b, EPS_ONE / 2, &e) && !spend(l, &b, 1, &e);
	check(ok, "a raised limit keeps what was spent (6)", e.message);
	static const enum refresh refreshes[] = { REFRESH_DAILY, REFRESH_WEEKLY, REFRESH_MONTHLY, REFRESH_NONE };
	for (size_t i = 0; i < ARRAY_LEN(refreshes); i++) {
		b.refresh = refreshes[i];
		ok = ok && state(l, &b).epsilon.pico == 3 * EPS_ONE / 2 && !spend(l, &b, 1, &e);
	}
	check(ok, "another refresh rule keeps what was spent today (6)", "");
	b.accounting = ACCOUNTING_ZCDP;
	check(rho_double(state(l, &b).rho) > 0.9, "under zcdp, what was spent as epsilon counts at its price in rho (6)", "");
	b.epsilon.pico = 10 * EPS_ONE;
	ok = spend(l, &b, EPS_ONE / 10, &e);
	b.accounting = ACCOUNTING_PURE;
	check(ok && state(l, &b).closed && !spend(l, &b, 1, &e), "back under pure, what was spent as rho closes the account (6)", "");
	b.accounting = ACCOUNTING_APPROX;
	struct account_state s = state(l, &b);
	check(eps_double(s.epsilon_reported) > 1.5 + 1 && s.delta_limit.atto == b.delta.atto / 2, "under approx it counts as what it converts to (6)", "");
	ledger_close(l);
}

static void orders(void)
{
	struct policy_budget b = pure(1), other = pure(1);
	struct error e = ERROR_INIT;

	fresh(false);
	struct ledger *l = opened();
	other.analyst = "bank";
	b.refresh = REFRESH_MONTHLY;
	bool ok = spend(l, &b, EPS_ONE, &e) && !spend(l, &b, 1, &e) && order(l, ENTRY_TOP_UP, "s.t", "lab", EPS_ONE / 2, 0, &e);
	check(ok && spend(l, &b, EPS_ONE / 2, &e) && !spend(l, &b, 1, &e) && state(l, &other).epsilon_limit.pico == EPS_ONE, "a top-up adds to one account", e.message);
	at = wall_from_civil((struct civil){ .year = 2026, .month = 4, .day = 2 });
	check(state(l, &b).epsilon_limit.pico == EPS_ONE, "and ends with its window", "");
	ok = order(l, ENTRY_LIMIT, "s.t", "lab", 2 * EPS_ONE, 5, &e);
	b.epsilon.pico = 9 * EPS_ONE;
	ok = ok && state(l, &b).epsilon_limit.pico == 2 * EPS_ONE && state(l, &b).delta_whole.atto == 5 && order(l, ENTRY_LIMIT, "s.t", "lab", 0, 0, &e);
	check(ok && state(l, &b).epsilon_limit.pico == 9 * EPS_ONE, "an operator's limit stands above the policy's until it is taken back", e.message);
	ok = order(l, ENTRY_FREEZE, "s.t", "lab", 0, 0, &e) && !spend(l, &b, 1, &e) && strstr(e.message, "frozen");
	ok = ok && spend(l, &other, 1, &e) && order(l, ENTRY_FREEZE, "s.t", "*", 0, 0, &e) && !spend(l, &other, 1, &e);
	ok = ok && order(l, ENTRY_UNFREEZE, "s.t", "*", 0, 0, &e) && spend(l, &other, 1, &e) && !spend(l, &b, 1, &e);
	check(ok && order(l, ENTRY_UNFREEZE, "s.t", "lab", 0, 0, &e) && spend(l, &b, 1, &e), "freezes hold for one analyst, for a table, and until each is lifted", e.message);
	ledger_close(l);
}

static void together(void)
{
	struct policy_budget a = pure(1), b = pure(1), all = pure(1.5);
	struct error e = ERROR_INIT;

	fresh(false);
	struct ledger *l = opened();
	b.analyst = "bank";
	all.analyst = "*";
	bool ok = spend(l, &a, 3 * EPS_ONE / 4, &e);
	a.together = b.together = &all; /* the owner writes it down later: what was spent before counts */
	ok = ok && spend(l, &b, 3 * EPS_ONE / 4, &e);
	check(ok && !spend(l, &a, EPS_ONE / 10, &e) && strstr(e.message, "all analysts together"), "all analysts together stay below their own limit (3)", e.message);
	check(state(l, &all).epsilon.pico == 3 * EPS_ONE / 2 && state(l, &a).epsilon.pico == 3 * EPS_ONE / 4, "the sum is that of the analysts", "");
	ledger_close(l);
}

static bool newest(void *ctx, const struct entry *x)
{
	struct entry *to = ctx;

	to->seq = x->seq;
	to->kind = x->kind;
	to->epsilon = x->epsilon;
	return false;
}

static bool first_row(void *ctx, const struct history_row *r)
{
	*(bool *)ctx = strcmp(r->mechanism, "[{\"mechanism\":\"discrete_laplace\"}]") == 0 && strcmp(r->sql, "SELECT 1") == 0 && strcmp(r->user, "ana") == 0 && r->query_id == 1;
	return false;
}

static void history(void)
{
	struct policy_budget b = pure(1);
	struct entry last = { 0 };
	struct error e = ERROR_INIT;
	bool whole = false;

	fresh(false);
	struct ledger *l = opened();
	bool ok = spend(l, &b, EPS_ONE / 4, &e) && order(l, ENTRY_FREEZE, "s.t", "lab", 0, 0, &e) && ledger_entries(l, NULL, NULL, 9, newest, &last, &e) &&
		  ledger_history(l, "o", "lab", 9, first_row, &whole, &e);
	check(ok && last.kind == ENTRY_FREEZE && last.seq == 2 && whole, "the history holds mechanisms, statements, and operators' decisions", e.message);
	ledger_close(l);
}

/* A copy that an old file, a snapshot or a second proxy would be: for PostgreSQL the anchor alone shows it, so it is set back by hand there. */
static void anchored(void)
{
	struct policy_budget b = pure(5);
	struct ledger_recovered r;
	struct error e = ERROR_INIT;
	struct ledger *l;
	char kept[310], command[1400];

	fresh(true);
	snprintf(kept, sizeof(kept), "%s.kept", anchor);
	l = opened();
	bool ok = spend(l, &b, EPS_ONE, &e) && spend(l, &b, EPS_ONE, &e);
	ledger_close(l);
	l = opened();
	check(ok && state(l, &b).epsilon.pico == 2 * EPS_ONE, "an anchored ledger opens again", e.message);
	ledger_close(l);
	/* the anchor of a ledger that went further: made with a second ledger of the same chain is not possible here, so the note is replaced by another's */
	char first[300];
	struct policy mine = policy;
	snprintf(first, sizeof(first), "%s", anchor);
	char my_path[300], my_schema[40];
	snprintf(my_path, sizeof(my_path), "%s", path);
	snprintf(my_schema, sizeof(my_schema), "%s", schema);
	fresh(true);
	l = opened();
	for (int i = 0; i < 4; i++)
		ok = ok && spend(l, &b, EPS_ONE, &e);
	ledger_close(l);
	snprintf(command, sizeof(command), "cp %s %s; cp %s %s", first, kept, anchor, first);
	ok = ok && system(command) == 0;
	mine.ledger_path = my_path;
	mine.ledger.schema = my_schema;
	mine.ledger.anchor_file = first;
	policy = mine;
	check(ok && !ledger_open_policy(&policy, &fixed, &l, &e) && e.code == ERR_LEDGER && strstr(e.hint, "recover"), "a ledger that is not the anchor's is refused (9)", e.message);
	policy.ledger.anchor_file = NULL;
	check(!ledger_open_policy(&policy, &fixed, &l, &e) && e.code == ERR_LEDGER, "leaving the anchor out of the policy does not help (9)", e.message);
	policy.ledger.anchor_file = first;
	ok = ledger_recover(&policy, &fixed, &(struct ledger_recovery){ .who = "op", .reason = "lost" }, &r, &e) && r.needed && r.missing.epsilon.pico == 4 * EPS_ONE;
	check(ok, "recovery finds what may be missing at most (9)", e.message);
	l = opened();
	b.epsilon.pico = 50 * EPS_ONE;
	check(state(l, &b).epsilon.pico == 6 * EPS_ONE && state(l, &b).frozen && !spend(l, &b, 1, &e), "adds it to every account, and freezes all (4, 9)", "");
	const struct ledger_order thaw = { .kind = ENTRY_UNFREEZE, .key = { "*", "*", "*" }, .who = "op", .reason = "looked" };
	check(ledger_order(l, &thaw, &e) && spend(l, &b, EPS_ONE, &e) && state(l, &b).epsilon.pico == 7 * EPS_ONE, "until an operator has looked", e.message);
	ledger_close(l);
	check(ledger_recover(&policy, &fixed, &(struct ledger_recovery){ .who = "op", .reason = "again" }, &r, &e) && !r.needed, "a second recovery has nothing to do", e.message);
	snprintf(command, sizeof(command), "rm -f %s", first);
	ok = system(command) == 0 && !ledger_open_policy(&policy, &fixed, &l, &e) && strstr(e.message, "missing");
	ok = ok && !ledger_recover(&policy, &fixed, &(struct ledger_recovery){ .who = "op", .reason = "lost" }, &r, &e);
	check(ok, "a lost anchor is refused, and recovery asks what is missing (9)", e.message);
	const struct ledger_recovery said = { .who = "op", .reason = "lost", .has_missing = true, .missing = { .epsilon = { EPS_ONE } } };
	ok = ledger_recover(&policy, &fixed, &said, &r, &e) && r.missing.epsilon.pico == EPS_ONE;
	l = opened();
	check(ok && state(l, &b).epsilon.pico == 8 * EPS_ONE, "and adds what the operator says", e.message);
	ledger_close(l);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	where = argv[1];
	limits();
	all_or_none();
	zcdp();
	windows();
	edits();
	orders();
	together();
	history();
	anchored();
	return bad != 0;
}
