/* The ground: reader, writer, arena, numbers, units, text. */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/number.h"
#include "base/text.h"
#include "base/units.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(reader, failure_sticks_and_short_or_long_input_is_no_end)
{
	struct rd r = rd_of("\x01\x02\x03", 3);

	cr_expect(rd_u16(&r) == 0x0102 && !rd_end(&r));
	cr_expect(rd_u32(&r) == 0 && r.bad);
	cr_expect(rd_u8(&r) == 0 && !rd_end(&r));
	r = rd_of("abc", 3);
	cr_expect_str_eq(rd_cstr(&r), ""); /* not terminated */
	cr_expect(r.bad);
	r = rd_of(NULL, 0);
	cr_expect(rd_end(&r) && rd_take(&r, SIZE_MAX) == NULL && r.bad);
}

Test(writer, beyond_its_maximum_it_is_bad_for_good)
{
	struct wr w;

	wr_init_heap(&w, 10);
	size_t at = wr_len_begin(&w);
	wr_str(&w, "abc");
	wr_len_end(&w, at);
	cr_expect(wr_ok(&w) && w.n == 7 && w.p[3] == 7);
	wr_str(&w, "toolong");
	wr_clear(&w);
	wr_u8(&w, 'x');
	cr_expect(!wr_ok(&w));
	wr_free(&w);
	wr_init_heap(&w, 100);
	wr_sql_name(&w, "a\"b");
	wr_sql_literal(&w, "o'k");
	wr_json(&w, "q\"\n");
	cr_expect_str_eq(wr_text(&w), "\"a\"\"b\"'o''k'\"q\\\"\\u000a\"");
	wr_clear(&w);
	wr_json(&w, "\x1b[2J \x7f \xc2\x9b" "0m \xc2\xa0\xc3\x9b");
	cr_expect_str_eq(wr_text(&w), "\"\\u001b[2J \\u007f \\u009b0m \xc2\xa0\xc3\x9b\"");
	wr_clear(&w);
	wr_plain(&w, "a\nb\x1b[2J\x7f\xc2\x9b" "c\xc2\xa0\xc2", 14);
	cr_expect_str_eq(wr_text(&w), "a b [2J  c\xc2\xa0\xc2");
	wr_free(&w);
}

static void count_up(void *n)
{
	++*(int *)n;
}

Test(arena, has_a_cap_and_cleans_up_in_reverse)
{
	struct arena a;
	int n = 0;

	arena_init(&a, 1000);
	cr_expect(arena_alloc(&a, SIZE_MAX, 2) == NULL && arena_alloc(&a, 2000, 1) == NULL);
	cr_assert(arena_on_reset(&a, count_up, &n) && arena_alloc(&a, 100, 1) != NULL);
	arena_reset(&a);
	cr_expect(n == 1 && a.used == 0);
	arena_reset(&a);
	cr_expect(n == 1);
}

Test(text, bytes_that_are_no_characters_become_question_marks)
{
	static const char *const cases[][2] = { { "", "" }, { "plain", "plain" }, { "\xc3\xa9\xff", "\xc3\xa9?" }, { "\xfe\xff", "??" }, { "a\xe2\x82", "a??" }, { "\xed\xa0\x80z", "???z" } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char s[16];
		(void)snprintf(s, sizeof(s), "%s", cases[i][0]);
		text_mend_utf8(s);
		cr_expect_str_eq(s, cases[i][1]);
		cr_expect(text_utf8(s, strlen(s)));
	}
}

Test(number, roots_are_rounded_down)
{
	static const uint64_t roots[] = { 0, 1, 2, 3, 1000, 4294967295, 4294967296, 18446744073709551615u };

	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		const u128 r = roots[i], next = (r + 1) * (r + 1);
		cr_expect(number_root(r * r) == r && number_root(next - 1) == r); /* (2^64)^2 - 1 is the largest there is */
	}
}

Test(number, whole_strings_within_range_or_nothing)
{
	static const char *const bad[] = { "", "-", "+", "1x", " 1", "1 ", "0x1", "1e3", "99999999999999999999999999999999999999999" };
	int64_t v = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(!number_i64(bad[i], INT64_MIN, INT64_MAX, &v) && v == 7, "%s", bad[i]);
	cr_expect(number_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &v) && v == INT64_MIN);
	cr_expect(!number_i64("9223372036854775808", INT64_MIN, INT64_MAX, &v) && !number_i64("11", 0, 10, &v));
}

Test(decimal, is_exact)
{
	struct decimal a, b, c;
	i128 q;
	int order;

	cr_assert(decimal_parse("1e-6", &a) && a.digits == 1 && a.scale == 6);
	cr_assert(decimal_parse("-0.50", &b) && b.digits == -5 && b.scale == 1);
	cr_expect(!decimal_parse("1.2.3", &c) && !decimal_parse("", &c) && !decimal_parse("1e999", &c) && !decimal_parse(".", &c));
	cr_expect(decimal_floor_div(b, (struct decimal){ 2, 1 }, &q) && q == -3);
	cr_expect(decimal_ceil_div(b, (struct decimal){ 2, 1 }, &q) && q == -2);
	cr_expect(decimal_compare(a, b, &order) && order == 1);
	cr_expect(decimal_add(a, b, &c) && c.digits == -499999 && c.scale == 6);
	cr_expect(!decimal_multiply((struct decimal){ I128_MAX, 0 }, (struct decimal){ 2, 0 }, &c));
}

Test(units, round_up_for_charges_down_for_limits_and_never_wrap)
{
	struct eps e, sum;
	struct rho up, down;

	cr_expect(eps_round_up(0.1, &e) && e.pico >= EPS_ONE / 10 && e.pico <= EPS_ONE / 10 + 1);
	cr_expect(rho_round_up(1.0 / 3, &up) && rho_round_down(1.0 / 3, &down) && up.pico == down.pico + 1);
	cr_expect(!eps_round_up(-1, &e) && !eps_round_up(0.0 / 0.0, &e) && !eps_round_up(1e300, &e));
	cr_expect(!eps_add((struct eps){ UNIT_MAX }, (struct eps){ 1 }, &sum));
}

Test(text, utf8_is_strict)
{
	cr_expect(text_utf8("a\xc3\xa4\xf0\x9f\x98\x80", 7));
	cr_expect(!text_utf8("\xc0\x80", 2) && !text_utf8("\xed\xa0\x80", 3) && !text_utf8("\xf4\x90\x80\x80", 4) && !text_utf8("a\0b", 3) && !text_utf8("\xc3", 1));
	static const char *const names[] = { "columns", "comment" };
	cr_expect_str_eq(text_nearest("colums", names, 2), "columns");
	cr_expect_null(text_nearest("zzz", names, 2));
}

Test(error, long_texts_are_cut_between_characters)
{
	char longer[700] = "";
	struct error e;

	for (int i = 0; i < 150; i++)
		strcat(longer, "\xf0\x9f\x98\x80");
	fail(&e, ERR_RULE, "%s", longer);
	cr_expect(text_utf8(e.message, strlen(e.message)) && strlen(e.message) > 200);
	cr_expect_str_eq(error_sqlstate(ERR_RULE), "42501");
}

Test(clock, civil_dates_round_trip)
{
	struct civil c = civil_from_wall(wall_from_civil((struct civil){ .year = 2028, .month = 2, .day = 29, .hour = 23, .minute = 59, .second = 58 }));

	cr_expect(c.year == 2028 && c.month == 2 && c.day == 29 && c.weekday == 2);
}
