/* Decoding of client messages, encoding of ours. */
#include "base/mem.h"
#include "proxy/wire_in.h"
#include "proxy/wire_limits.h"
#include "proxy/wire_out.h"

#include <criterion/criterion.h>
#include <string.h>

static struct arena arena;
static struct error e;

static void setup(void)
{
	arena_init(&arena, 1 << 24);
	e = ERROR_INIT;
}

static void teardown(void)
{
	arena_reset(&arena);
}

TestSuite(wire, .init = setup, .fini = teardown);

#define BYTES(s) rd_of((s), sizeof(s) - 1)

Test(wire, frame_length_below_four_or_beyond_31_bits_is_bad)
{
	uint8_t type = 0;
	size_t body = 0;

	cr_expect(frame_peek((const uint8_t *)"Q\0\0\0", 4, &type, &body) == FRAME_SHORT);
	cr_expect(frame_peek((const uint8_t *)"Q\0\0\0\3", 5, &type, &body) == FRAME_BAD);
	cr_expect(frame_peek((const uint8_t *)"Q\x80\0\0\0", 5, &type, &body) == FRAME_BAD);
	cr_expect(frame_peek((const uint8_t *)"Q\xff\xff\xff\xff", 5, &type, &body) == FRAME_BAD);
	cr_expect(frame_peek((const uint8_t *)"Q\0\0\0\4", 5, &type, &body) == FRAME_KNOWN);
	cr_expect(type == 'Q' && body == 0);
	cr_expect(frame_peek((const uint8_t *)"Q\x7f\xff\xff\xff", 5, &type, &body) == FRAME_KNOWN);
	cr_expect(body == INT32_MAX - 4);
}

Test(wire, startup_length_is_capped_at_ten_thousand)
{
	size_t total = 0;

	cr_expect(frame_peek_startup((const uint8_t *)"\0\0\0", 3, &total) == FRAME_SHORT);
	cr_expect(frame_peek_startup((const uint8_t *)"\0\0\0\7", 4, &total) == FRAME_BAD);
	cr_expect(frame_peek_startup((const uint8_t *)"\0\0\x27\x11", 4, &total) == FRAME_BAD);
	cr_expect(frame_peek_startup((const uint8_t *)"GET ", 4, &total) == FRAME_BAD);
	cr_expect(frame_peek_startup((const uint8_t *)"\0\0\x27\x10", 4, &total) == FRAME_KNOWN);
	cr_expect(total == WIRE_MAX_STARTUP);
}

Test(wire, startup_separates_user_options_and_extensions)
{
	struct startup_msg m;

	cr_assert(startup_parse(&arena, BYTES("\0\3\0\2user\0ana\0_pq_.a\0001\0options\0-c x=y\0_pq_.b\0\0database\0d\0\0"), &m, &e));
	cr_expect(m.major == 3 && m.minor == 2 && m.n_pairs == 3 && m.n_unsupported == 2);
	cr_expect_str_eq(m.user, "ana");
	cr_expect_str_eq(m.database, "d");
	cr_expect_str_eq(m.options, "-c x=y");
	cr_expect_str_eq(m.unsupported[1], "_pq_.b");
}

Test(wire, startup_that_is_cut_anywhere_is_refused)
{
	static const char whole[] = "\0\3\0\0user\0ana\0database\0d\0\0";
	struct startup_msg m;

	for (size_t n = 0; n < sizeof(whole) - 2; n++)
		cr_expect_not(startup_parse(&arena, rd_of(whole, n), &m, &e), "%zu", n);
	cr_expect(startup_parse(&arena, rd_of(whole, sizeof(whole) - 1), &m, &e));
	cr_expect_not(startup_parse(&arena, BYTES("\0\3\0\0user\0ana\0\0more"), &m, &e));
}

Test(wire, options_take_switches_and_escaped_blanks)
{
	const struct startup_pair *p;
	size_t n;

	cr_assert(startup_options(&arena, " -c DateStyle=ISO,\\ DMY  --statement-timeout=5  -cjit=off -B 10 ", &p, &n, &e));
	cr_assert(n == 3, "%zu", n);
	cr_expect_str_eq(p[0].name, "DateStyle");
	cr_expect_str_eq(p[0].value, "ISO, DMY");
	cr_expect_str_eq(p[1].name, "statement_timeout");
	cr_expect_str_eq(p[2].value, "off");
	cr_expect_not(startup_options(&arena, "-c", &p, &n, &e));
	cr_expect_not(startup_options(&arena, "-c novalue", &p, &n, &e));
	cr_expect(startup_options(&arena, "", &p, &n, &e) && n == 0);
}

Test(wire, cancel_takes_keys_of_4_to_256_bytes)
{
	uint8_t packet[8 + 257] = { 0x04, 0xd2, 0x16, 0x2e };
	struct cancel_msg m;

	cr_expect_not(cancel_parse(rd_of(packet, 8), &m));
	cr_expect_not(cancel_parse(rd_of(packet, 11), &m));
	cr_expect(cancel_parse(rd_of(packet, 12), &m) && m.key_length == 4);
	cr_expect(cancel_parse(rd_of(packet, 8 + 256), &m) && m.key_length == 256);
	cr_expect_not(cancel_parse(rd_of(packet, 8 + 257), &m));
}

Test(wire, query_text_must_be_utf8_and_end_once)
{
	const char *sql;

	cr_expect(query_parse(BYTES("SELECT 1\0"), &sql, &e));
	cr_expect_not(query_parse(BYTES("SELECT 1"), &sql, &e));
	cr_expect(e.code == ERR_PROTOCOL);
	cr_expect_not(query_parse(BYTES(""), &sql, &e));
	cr_expect_not(query_parse(BYTES("a\0b\0"), &sql, &e));
	cr_expect(e.code == ERR_NUL_IN_TEXT);
	cr_expect_not(query_parse(BYTES("\xff\0"), &sql, &e));
	cr_expect(e.code == ERR_NUL_IN_TEXT);
}

Test(wire, parse_counts_its_types)
{
	struct parse_msg m;

	cr_assert(parse_parse(&arena, BYTES("s\0SELECT $1\0\0\1\0\0\0\x17"), &m, &e));
	cr_expect(m.n_oids == 1 && m.oids[0] == 23);
	cr_expect_not(parse_parse(&arena, BYTES("s\0SELECT $1\0\0\2\0\0\0\x17"), &m, &e));
	cr_expect_not(parse_parse(&arena, BYTES("s\0SELECT $1\0\xff\xff"), &m, &e));
	cr_expect_not(parse_parse(&arena, BYTES("s\0SELECT $1\0\0\0x"), &m, &e));
}

Test(wire, bind_reads_formats_nulls_and_values)
{
	struct bind_msg m;

	cr_assert(bind_parse(&arena, BYTES("p\0s\0\0\2\0\1\0\0\0\2\0\0\0\4\0\0\0\7\xff\xff\xff\xff\0\1\0\1"), &m, &e), "%s", e.message);
	cr_expect(m.n_params == 2 && m.params[0].binary && m.params[0].length == 4 && !m.params[1].binary && m.params[1].length == -1);
	cr_expect(m.n_formats == 1 && m.formats[0] == 1);
}

Test(wire, bind_that_lies_about_counts_or_lengths_is_refused)
{
	static const struct {
		const char *bytes;
		size_t n;
		enum err_code code;
	} cases[] = {
#define CASE(s, c) { (s), sizeof(s) - 1, (c) }
		CASE("p\0s\0\xff\xff", ERR_PROTOCOL),                               /* formats that are not there */
		CASE("p\0s\0\0\0\xff\xff\0\0\0\0", ERR_PROTOCOL),                   /* parameters that are not there */
		CASE("p\0s\0\0\0\0\1\x7f\xff\xff\xff\0\0", ERR_PROTOCOL),           /* a length beyond the message */
		CASE("p\0s\0\0\0\0\1\xff\xff\xff\xfe\0\0", ERR_PROTOCOL),           /* a negative length that is not NULL */
		CASE("p\0s\0\0\2\0\0\0\0\0\1\0\0\0\0\0\0", ERR_PROTOCOL),           /* two formats, one parameter */
		CASE("p\0s\0\0\1\0\2\0\0\0\0", ERR_BAD_PARAMETER),                  /* a format that does not exist */
		CASE("p\0s\0\0\0\0\1\0\0\0\2a\0\0\0", ERR_NUL_IN_TEXT),             /* a zero byte in text */
		CASE("p\0s\0\0\0\0\0\0\0x", ERR_PROTOCOL),                          /* something behind the end */
		CASE("p\0s", ERR_PROTOCOL),
#undef CASE
	};
	struct bind_msg m;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_expect_not(bind_parse(&arena, rd_of(cases[i].bytes, cases[i].n), &m, &e), "case %zu", i);
		cr_expect(e.code == cases[i].code, "case %zu: %s", i, e.message);
	}
}

Test(wire, a_refused_message_leaves_the_output_alone)
{
	struct execute_msg m = { "kept", 42 };

	cr_expect_not(execute_parse(BYTES("p\0\0\0\0"), &m, &e));
	cr_expect_str_eq(m.portal, "kept");
	cr_expect(m.max_rows == 42);
	cr_expect(execute_parse(BYTES("p\0\xff\xff\xff\xff"), &m, &e) && m.max_rows == 0, "negative means all");
}

static void expect_bytes(const struct wr *w, const char *bytes, size_t n)
{
	cr_assert(wr_ok(w) && w->n == n, "%zu bytes, not %zu", w->n, n);
	cr_expect(mem_equal(w->p, bytes, n));
}

Test(wire, error_response_has_both_severities_rule_and_shifted_position)
{
	struct wr w;

	wr_init(&w, &arena, 4096);
	fail(&e, ERR_RULE, "no");
	error_rule(&e, "joins");
	error_at(&e, 3);
	out_error(&w, "ERROR", &e, 10);
	static const char want[] = "E\0\0\0\x37SERROR\0VERROR\0C42501\0Mno\0DRule: joins.\0P13\0";
	cr_expect(w.p[0] == 'E' && (size_t)w.p[4] + 1 == w.n);
	cr_expect(w.n == sizeof(want), "%zu %zu", w.n, sizeof(want));
	cr_expect(mem_equal(w.p + 5, want + 5, sizeof(want) - 5));
}

Test(wire, rows_fields_and_ready)
{
	struct wr w;
	const struct cell cells[] = { { (const uint8_t *)"ab", 2 }, { NULL, -1 }, { (const uint8_t *)"", 0 } };

	wr_init(&w, &arena, 4096);
	out_row(&w, cells, 3);
	expect_bytes(&w, "D\0\0\0\x14\0\3\0\0\0\2ab\xff\xff\xff\xff\0\0\0\0", 21);
	wr_clear(&w);
	out_ready(&w, 'T');
	expect_bytes(&w, "Z\0\0\0\5T", 6);
}

Test(wire, formats_none_one_or_each)
{
	static const int16_t one[] = { 1 }, each[] = { 0, 1 };

	cr_expect(format_of(NULL, 0, 5) == 0);
	cr_expect(format_of(one, 1, 5) == 1);
	cr_expect(format_of(each, 2, 0) == 0 && format_of(each, 2, 1) == 1 && format_of(each, 2, 2) == 0);
}
