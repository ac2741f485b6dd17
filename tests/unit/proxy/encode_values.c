/* Binary formats against bytes taken from PostgreSQL 15; tests/engine compares many more with a live server. */
#include "proxy/encode.h"
#include "proxy/pgtypes.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	uint32_t oid;
	const char *text, *hex;
} cases[] = {
	{ OID_BOOL, "t", "01" },
	{ OID_BOOL, "false", "00" },
	{ OID_INT2, "-32768", "8000" },
	{ OID_INT4, "-1", "ffffffff" },
	{ OID_INT8, "9223372036854775807", "7fffffffffffffff" },
	{ OID_OID, "4294967295", "ffffffff" },
	{ OID_NUMERIC, "0", "0000000000000000" },
	{ OID_NUMERIC, "0.00", "0000000000000002" },
	{ OID_NUMERIC, "10001.5", "00030001000000010001" "00011388" },
	{ OID_NUMERIC, "-0.05", "0001ffff4000000201f4" },
	{ OID_NUMERIC, "100000000", "00010002000000000001" },
	{ OID_NUMERIC, "NaN", "00000000c0000000" },
	{ OID_FLOAT8, "-0", "8000000000000000" },
	{ OID_FLOAT8, "0.1", "3fb999999999999a" },
	{ OID_FLOAT8, "NaN", "7ff8000000000000" },
	{ OID_TEXT, "", "" },
	{ OID_DATE, "2000-01-01", "00000000" },
	{ OID_DATE, "2024-02-29", "00002279" },
	{ OID_DATE, "0044-03-15 BC", "fff49d7b" },
	{ OID_DATE, "infinity", "7fffffff" },
	{ OID_TIMESTAMP, "1999-12-31 23:59:59.999999", "ffffffffffffffff" },
	{ OID_TIMESTAMPTZ, "2000-01-01 00:00:00+00", "0000000000000000" },
	{ OID_TIMESTAMPTZ, "2000-01-01 05:30:00.5+05:30", "000000000007a120" },
	{ OID_UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11" },
};

static void to_hex(const struct cell *c, char *out)
{
	*out = '\0';
	for (int32_t i = 0; i < c->length; i++)
		out += sprintf(out, "%02x", c->data[i]);
}

Test(encode, values_have_postgresqls_bytes)
{
	struct arena a;
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cell c;
		struct error e;
		char hex[256] = "?";
		cr_expect(encode_binary(cases[i].oid, cases[i].text, &a, &c, &e), "%s", cases[i].text);
		to_hex(&c, hex);
		cr_expect_str_eq(hex, cases[i].hex, "%s: %s, not %s", cases[i].text, hex, cases[i].hex);
	}
	arena_reset(&a);
}

Test(encode, binary_parameters_read_back_as_the_same_bytes)
{
	struct arena a;
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t bytes[128];
		struct engine_param p = { .type_oid = cases[i].oid, .binary = true, .data = bytes, .length = (int32_t)strlen(cases[i].hex) / 2 };
		struct cell c;
		struct error e;
		const char *text;
		bool readable;
		char hex[256] = "?";
		for (int32_t b = 0; b < p.length; b++) {
			unsigned v;
			cr_assert_eq(sscanf(cases[i].hex + 2 * b, "%2x", &v), 1);
			bytes[b] = (uint8_t)v;
		}
		cr_assert(pgtype_param_text(&p, 1, &a, &text, &readable, &e) && readable, "%s", cases[i].text);
		cr_assert(encode_binary(cases[i].oid, text, &a, &c, &e), "%s as %s", cases[i].text, text);
		to_hex(&c, hex);
		cr_expect_str_eq(hex, cases[i].hex, "%s read as %s", cases[i].text, text);
	}
	arena_reset(&a);
}

Test(encode, text_that_is_not_of_the_type_is_an_error)
{
	static const struct {
		uint32_t oid;
		const char *text;
	} wrong[] = { { OID_BOOL, "maybe" },    { OID_INT2, "32768" },       { OID_INT4, "1.0" },   { OID_NUMERIC, "" },       { OID_NUMERIC, "1e" },
		      { OID_NUMERIC, "." },     { OID_FLOAT8, "1x" },        { OID_FLOAT8, "" },    { OID_DATE, "15.03.2024" }, { OID_DATE, "2024-13-01" },
		      { OID_TIMESTAMP, "2024-01-01" }, { OID_TIMESTAMPTZ, "2024-01-01 00:00:00" }, { OID_UUID, "a0" }, { 600, "(0,0)" } };
	struct arena a;
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct cell c;
		struct error e = ERROR_INIT;
		cr_expect_not(encode_binary(wrong[i].oid, wrong[i].text, &a, &c, &e), "%s", wrong[i].text);
		cr_expect_eq(e.code, ERR_INTERNAL);
	}
	arena_reset(&a);
}

Test(encode, every_prefix_of_a_binary_parameter_is_refused_or_read_without_overrun)
{
	struct arena a;
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (int32_t n = 0; n < (int32_t)strlen(cases[i].hex) / 2; n++) {
			uint8_t *bytes = malloc((size_t)n ? (size_t)n : 1); /* exact size: ASan sees a byte too far */
			memset(bytes, 0xff, (size_t)n);
			struct engine_param p = { .type_oid = cases[i].oid, .binary = true, .data = bytes, .length = n };
			struct error e;
			const char *text;
			bool readable;
			if (cases[i].oid != OID_TEXT)
				cr_expect_not(pgtype_param_text(&p, 1, &a, &text, &readable, &e), "%u of %d bytes", cases[i].oid, n);
			free(bytes);
		}
	}
	arena_reset(&a);
}
