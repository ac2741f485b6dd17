/* Settings: checks, transactions, what is reported. */
#include "base/text.h"
#include "proxy/settings.h"
#include "proxy/settings_check.h"
#include "proxy/wire_limits.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct settings s;
static struct error e;

static void setup(void)
{
	settings_init(&s);
	e = ERROR_INIT;
}

static void teardown(void)
{
	settings_free(&s);
}

TestSuite(settings, .init = setup, .fini = teardown);

static const char *get(enum setting_id id)
{
	return settings_get(&s, id);
}

static void set(const char *name, const char *value, bool local)
{
	cr_assert(settings_set(&s, name, value, local, &e), "%s = %s: %s", name, value, e.message);
}

Test(settings, table_is_sorted_and_its_defaults_pass_their_own_checks)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		enum setting_id id = (enum setting_id)i;
		const char *before = settings_get(&s, id);
		char name[64];
		(void)snprintf(name, sizeof(name), "%s", setting_name(id));
		cr_expect(settings_set(&s, name, before, false, &e), "%s: %s", name, e.message);
		cr_expect_str_eq(settings_get(&s, id), before, "%s is not canonical: %s", name, before);
		if (i > 0)
			cr_expect(strcasecmp(setting_name((enum setting_id)(i - 1)), name) < 0, "%s is out of order", name);
	}
}

Test(settings, hostile_values_are_refused_everywhere)
{
	static const char *const hostile[] = { "'; DROP TABLE x; --", "a\nb", "..", "../../etc/passwd", "/etc/passwd", "%s%n", "\x01" };

	for (size_t i = 0; i < SETTING_COUNT; i++) {
		enum setting_id id = (enum setting_id)i;
		if (id == SETTING_APPLICATION_NAME || id == SETTING_WORK_MEM || (setting_flags(id) & SETTING_FIXED))
			continue; /* free text, kept to printable characters; and what cannot be set */
		for (size_t j = 0; j < ARRAY_LEN(hostile); j++) {
			bool good = settings_set(&s, setting_name(id), hostile[j], false, &e);
			/* a schema may be called ".."; what it must not do is break out of its quotes */
			cr_expect(!good || id == SETTING_SEARCH_PATH, "%s took %s", setting_name(id), hostile[j]);
		}
	}
	set("application_name", "a\nb\xc3\xa9", false);
	cr_expect_str_eq(get(SETTING_APPLICATION_NAME), "a?b??");
}

Test(settings, durations_come_out_in_their_largest_unit)
{
	static const char *const cases[][2] = { { "0", "0" }, { "1500", "1500ms" }, { "1000ms", "1s" }, { "90 s", "90s" }, { "120s", "2min" }, { "24h", "1d" } };
	int64_t ms;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		set("statement_timeout", cases[i][0], false);
		cr_expect_str_eq(get(SETTING_STATEMENT_TIMEOUT), cases[i][1]);
	}
	cr_expect(settings_millis(&s, SETTING_STATEMENT_TIMEOUT) == 86400000);
	cr_expect_not(setting_parse_millis("25d", &ms));
	cr_expect_not(setting_parse_millis("-1", &ms));
	cr_expect_not(setting_parse_millis("99999999999999999999", &ms));
	cr_expect_not(setting_parse_millis("1x", &ms));
	cr_expect_not(setting_parse_millis("", &ms));
}

Test(settings, time_zones_are_found_whatever_their_case)
{
	set("timezone", "america/NEW_york", false);
	cr_expect_str_eq(get(SETTING_TIMEZONE), "America/New_York");
	set("timezone", "+3", false);
	cr_expect_str_eq(get(SETTING_TIMEZONE), "Etc/GMT-3");
	for (size_t i = 0; i < 6; i++) {
		static const char *const bad[] = { "Europe", "Europe/", "/Europe/Berlin", "zone.tab", "Europe//Berlin", "leapseconds" };
		cr_expect_not(settings_set(&s, "timezone", bad[i], false, &e), "%s", bad[i]);
	}
}

Test(settings, search_path_is_folded_quoted_and_read_back)
{
	struct arena a;
	const char *const *path;
	size_t n;

	arena_init(&a, 65536);
	set("search_path", " Brand , \"Mixed Case\",\"$user\",\"a\"\"b\" ", false);
	cr_expect_str_eq(get(SETTING_SEARCH_PATH), "brand, \"Mixed Case\", \"$user\", \"a\"\"b\"");
	cr_assert(settings_path(&s, &a, &path, &n) && n == 3);
	cr_expect_str_eq(path[0], "brand");
	cr_expect_str_eq(path[1], "Mixed Case");
	cr_expect_str_eq(path[2], "a\"b");
	set("search_path", "", false);
	cr_expect(settings_path(&s, &a, &path, &n) && n == 0);
	cr_expect_not(settings_set(&s, "search_path", "a,,b", false, &e));
	cr_expect_not(settings_set(&s, "search_path", "a,", false, &e));
	cr_expect_not(settings_set(&s, "search_path", "\"open", false, &e));
	arena_reset(&a);
}

Test(settings, rollback_undoes_to_its_mark_and_commit_ends_locals)
{
	set("extra_float_digits", "2", false);
	settings_commit(&s);
	set("extra_float_digits", "3", false);
	size_t mark = settings_mark(&s);
	set("extra_float_digits", "0", true);
	settings_rollback(&s, mark);
	cr_expect_str_eq(get(SETTING_EXTRA_FLOAT_DIGITS), "3");
	settings_rollback(&s, 0);
	cr_expect_str_eq(get(SETTING_EXTRA_FLOAT_DIGITS), "2");
	set("extra_float_digits", "-1", true);
	settings_commit(&s);
	cr_expect_str_eq(get(SETTING_EXTRA_FLOAT_DIGITS), "2");
	set("extra_float_digits", "-1", true);
	set("extra_float_digits", "1", false);
	set("extra_float_digits", "0", true);
	settings_commit(&s);
	cr_expect_str_eq(get(SETTING_EXTRA_FLOAT_DIGITS), "1");
}

Test(settings, random_histories_end_as_the_rules_say)
{
	/* model: value before, value meant to stay, value now */
	srand(7);
	for (int round = 0; round < 500; round++) {
		char stay[8], now[8];
		(void)snprintf(stay, sizeof(stay), "%s", get(SETTING_EXTRA_FLOAT_DIGITS));
		(void)snprintf(now, sizeof(now), "%s", stay);
		char before[8];
		(void)snprintf(before, sizeof(before), "%s", stay);
		for (int i = rand() % 8; i > 0; i--) {
			bool local = rand() % 2;
			(void)snprintf(now, sizeof(now), "%d", rand() % 18 - 15);
			set("extra_float_digits", now, local);
			if (!local)
				(void)snprintf(stay, sizeof(stay), "%s", now);
		}
		cr_expect_str_eq(get(SETTING_EXTRA_FLOAT_DIGITS), now);
		bool commit = rand() % 2;
		if (commit)
			settings_commit(&s);
		else
			settings_rollback(&s, 0);
		cr_expect_str_eq(get(SETTING_EXTRA_FLOAT_DIGITS), commit ? stay : before, "round %d", round);
	}
}

Test(settings, custom_names_are_kept_but_not_ours_misspelt)
{
	const char *name, *value;

	set("my.thing", "x", false);
	cr_assert(settings_show(&s, "MY.THING", &name, &value, &e));
	cr_expect_str_eq(value, "x");
	settings_rollback(&s, 0);
	cr_assert(settings_show(&s, "my.thing", &name, &value, &e));
	cr_expect_str_eq(value, "");
	cr_expect_not(settings_set(&s, "noisegate.epsilom", "1", false, &e));
	cr_expect(e.code == ERR_UNKNOWN_SETTING && strstr(e.hint, "noisegate.epsilon"));
	cr_expect_not(settings_set(&s, "a b.c", "1", false, &e));
	for (int i = 0; i < SESSION_MAX_CUSTOM * 2; i++) {
		char many[32];
		(void)snprintf(many, sizeof(many), "x.v%d", i);
		cr_expect(settings_set(&s, many, "1", false, &e) == (i < SESSION_MAX_CUSTOM - 1), "%d", i);
	}
}

Test(settings, undo_records_are_bounded)
{
	bool good = true;

	for (int i = 0; i <= SESSION_MAX_UNDO && good; i++)
		good = settings_set(&s, "jit", i % 2 ? "on" : "off", false, &e);
	cr_expect_not(good);
	cr_expect(e.code == ERR_TOO_COMPLEX);
}

Test(settings, changes_are_told_once)
{
	cr_expect(settings_take_changes(&s) == 0);
	set("application_name", "x", false);
	cr_expect(settings_take_changes(&s) == UINT64_C(1) << SETTING_APPLICATION_NAME);
	cr_expect(settings_take_changes(&s) == 0);
	settings_rollback(&s, 0);
	cr_expect(settings_take_changes(&s) == UINT64_C(1) << SETTING_APPLICATION_NAME);
}

Test(settings, startup_values_are_what_reset_returns_to)
{
	cr_assert(settings_start(&s, "timezone", "Asia/Tokyo", &e));
	cr_assert(settings_start(&s, "no_such_thing", "x", &e));
	cr_assert(settings_start(&s, "server_version", "1.0", &e));
	cr_expect_str_eq(get(SETTING_SERVER_VERSION), "15.0");
	cr_expect_not(settings_start(&s, "client_encoding", "LATIN1", &e));
	set("timezone", "UTC", false);
	cr_assert(settings_reset_all(&s, &e));
	cr_expect_str_eq(get(SETTING_TIMEZONE), "Asia/Tokyo");
}
