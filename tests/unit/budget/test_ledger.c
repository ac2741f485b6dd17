/* The ledger's invariants (budget/ledger.h cites the numbers). */
#include "budget/ledger.h"
#include "budget/window.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct wall_time at;
static struct wall_time now(void *ctx UNUSED)
{
	return at;
}
static const struct clock fixed = { now, NULL };
static const struct ledger_entry entry = { "ana", "lab", "SELECT 1" };

static char *path_new(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/ledger-test-XXXXXX");
	close(mkstemp(path));
	unlink(path); /* the name is ours; the ledger makes the file */
	return path;
}

static struct ledger *open_at(const char *path)
{
	struct error e;
	struct ledger *l = NULL;

	cr_assert(ledger_open(path, &fixed, &l, &e), "%s", e.message);
	return l;
}

static void forget(const char *path)
{
	char extra[80];

	unlink(path);
	snprintf(extra, sizeof(extra), "%s-wal", path);
	unlink(extra);
	snprintf(extra, sizeof(extra), "%s-shm", path);
	unlink(extra);
}

static struct policy_budget pure(double epsilon)
{
	return (struct policy_budget){ .owner = "o", .schema = "s", .table = "t", .analyst = "lab", .epsilon = { (uint64_t)(epsilon * 1e12) },
				       .delta = { 1000000000000 }, .accounting = ACCOUNTING_PURE };
}

static bool spend(struct ledger *l, const struct policy_budget *b, uint64_t pico, struct error *e)
{
	const struct charge c = { .budget = b, .epsilon = { pico }, .rho = { pico }, .mechanism = "[]" };
	int64_t id;

	return ledger_charge(l, &(struct charges){ &c, 1 }, &entry, &id, e);
}

Test(ledger, ten_tenths_fit_one_and_the_eleventh_is_refused)
{
	const char *path = path_new();
	struct ledger *l = open_at(path);
	const struct policy_budget b = pure(1);
	struct account_state s;
	struct error e;

	for (int i = 0; i < 10; i++)
		cr_assert(spend(l, &b, EPS_ONE / 10, &e), "%d: %s", i, e.message);
	cr_expect(!spend(l, &b, 1, &e));
	cr_expect(e.code == ERR_BUDGET && e.hint[0] && e.detail[0]);
	cr_assert(ledger_state(l, &b, &s, &e));
	cr_expect(s.epsilon.pico == EPS_ONE && s.epsilon_remaining.pico == 0 && s.queries == 10);
	ledger_close(l);
	forget(path);
}

Test(ledger, a_charge_is_all_or_none) /* invariant 1 */
{
	const char *path = path_new();
	struct ledger *l = open_at(path);
	struct policy_budget rich = pure(5), poor = pure(0.1);
	struct account_state s;
	struct error e;
	int64_t id;

	poor.table = "u";
	const struct charge both[] = { { .budget = &rich, .epsilon = { EPS_ONE }, .mechanism = "[]" }, { .budget = &poor, .epsilon = { EPS_ONE }, .mechanism = "[]" } };
	cr_expect(!ledger_charge(l, &(struct charges){ both, 2 }, &entry, &id, &e));
	cr_assert(ledger_state(l, &rich, &s, &e));
	cr_expect(s.epsilon.pico == 0);
	ledger_close(l);
	forget(path);
}

Test(ledger, what_was_charged_is_there_after_reopening) /* invariant 2 */
{
	const char *path = path_new();
	struct ledger *l = open_at(path);
	const struct policy_budget b = pure(1);
	struct account_state s;
	struct error e;
	struct stat st;

	cr_assert(spend(l, &b, EPS_ONE / 4, &e));
	ledger_close(l);
	l = open_at(path);
	cr_assert(ledger_state(l, &b, &s, &e));
	cr_expect(s.epsilon.pico == EPS_ONE / 4);
	cr_expect(stat(path, &st) == 0 && (st.st_mode & 077) == 0);
	ledger_close(l);
	forget(path);
}

Test(ledger, zcdp_holds_37_queries_and_half_of_delta_for_selection)
{
	const char *path = path_new();
	struct ledger *l = open_at(path);
	struct policy_budget b = pure(3);
	struct account_state s;
	struct error e;
	int n = 0;

	b.accounting = ACCOUNTING_ZCDP;
	b.delta.atto = 2000000000000; /* half of it is 1e-6 */
	b.query_max_delta = b.delta;
	while (n < 100 && spend(l, &b, EPS_ONE / 200, &e))
		n++;
	cr_expect(n == 37, "%d", n);
	cr_assert(ledger_state(l, &b, &s, &e));
	cr_expect(s.delta_limit.atto == 1000000000000);
	cr_expect(s.epsilon_reported.pico <= b.epsilon.pico);
	ledger_close(l);
	forget(path);
}

Test(ledger, windows_open_once_even_when_the_clock_goes_back) /* invariant 5 */
{
	const char *path = path_new();
	struct ledger *l = open_at(path);
	struct policy_budget b = pure(1);
	struct error e;

	b.refresh = REFRESH_MONTHLY;
	at = wall_from_civil((struct civil){ .year = 2026, .month = 3, .day = 31, .hour = 23 });
	cr_assert(spend(l, &b, EPS_ONE, &e));
	cr_expect(!spend(l, &b, 1, &e));
	at = wall_from_civil((struct civil){ .year = 2026, .month = 4, .day = 1 });
	cr_assert(spend(l, &b, EPS_ONE, &e));
	at = wall_from_civil((struct civil){ .year = 2026, .month = 3, .day = 1 });
	cr_expect(!spend(l, &b, 1, &e));
	at = wall_from_civil((struct civil){ .year = 2026, .month = 2, .day = 1 });
	cr_expect(!spend(l, &b, 1, &e));
	ledger_close(l);
	forget(path);
}

Test(ledger, a_policy_edit_keeps_what_was_spent) /* invariant 6 */
{
	const char *path = path_new();
	struct ledger *l = open_at(path);
	struct policy_budget b = pure(1);
	struct error e;

	cr_assert(spend(l, &b, EPS_ONE, &e));
	b.epsilon.pico = 3 * EPS_ONE / 2;
	cr_assert(spend(l, &b, EPS_ONE / 2, &e));
	cr_expect(!spend(l, &b, 1, &e));
	b.accounting = ACCOUNTING_ZCDP; /* 1.5 spent as pure: its price in rho counts */
	struct account_state s;
	cr_assert(ledger_state(l, &b, &s, &e));
	cr_expect(rho_double(s.rho) > 0.9);
	ledger_close(l);
	forget(path);
}

Test(ledger, files_that_are_not_ours_or_damaged_are_refused_with_a_way_out)
{
	const char *path = path_new();
	struct ledger *l;
	struct error e;
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	cr_assert(fd >= 0 && write(fd, "this is not a database, but long enough to look at", 50) == 50);
	close(fd);
	cr_expect(!ledger_open(path, &fixed, &l, &e));
	cr_expect(e.code == ERR_LEDGER && strstr(e.hint, "Restore"));
	forget(path);
}

Test(window, boundaries)
{
	struct wall_time t = wall_from_civil((struct civil){ .year = 2026, .month = 12, .day = 31, .hour = 12 }); /* a Thursday */
	struct civil monday = civil_from_wall(window_at(REFRESH_WEEKLY, 0, t).start), end = civil_from_wall(window_at(REFRESH_MONTHLY, 0, t).end);

	cr_expect(monday.weekday == 1 && monday.day == 28 && monday.hour == 0);
	cr_expect(end.year == 2027 && end.month == 1 && end.day == 1);
	cr_expect(window_at(REFRESH_NONE, 0, t).start.micros == 0 && window_at(REFRESH_NONE, 0, t).end.micros == 0);
}

Test(window, a_day_of_the_week_or_month_may_begin_it)
{
	struct wall_time t = wall_from_civil((struct civil){ .year = 2026, .month = 1, .day = 14, .hour = 23 }); /* a Wednesday */

	for (int day = 1; day <= 7; day++) {
		struct window w = window_at(REFRESH_WEEKLY, day, t);
		struct civil start = civil_from_wall(w.start);
		cr_expect(start.weekday == day % 7 && w.start.micros <= t.micros && t.micros < w.end.micros, "weekday %d", day);
	}
	struct civil before = civil_from_wall(window_at(REFRESH_MONTHLY, 15, t).start), end = civil_from_wall(window_at(REFRESH_MONTHLY, 15, t).end);
	cr_expect(before.year == 2025 && before.month == 12 && before.day == 15 && end.year == 2026 && end.month == 1 && end.day == 15);
	t.micros += INT64_C(3600) * 1000000; /* 15 January, 00:00 */
	before = civil_from_wall(window_at(REFRESH_MONTHLY, 15, t).start);
	end = civil_from_wall(window_at(REFRESH_MONTHLY, 15, t).end);
	cr_expect(before.month == 1 && before.day == 15 && end.month == 2 && end.day == 15);
}
