/* Typed values as the AWS client prints them. */
#include "crypto/c3r_value.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct {
	unsigned type;
	const char *bytes;
	size_t n;
	const char *text; /* NULL: refused */
} cases[] = {
	{ 1, "abc", 3, "abc" },
	{ 1, "\xff", 1, NULL },
	{ 4, "x", 1, "x" },
	{ 12, "\0\0\0\x05""ab", 6, "ab" },
	{ 12, "\0\0\0", 3, NULL },
	{ 2, "\xff\xff\xff\xff\xff\xff\xff\xfe", 8, "-2" },
	{ 2, "\0\0\0\0", 4, NULL },
	{ 9, "\x80\0\0\0", 4, "-2147483648" },
	{ 10, "\xff\xff", 2, "-1" },
	{ 10, "\xff\xff\xff", 3, NULL },
	{ 3, "\x01", 1, "true" },
	{ 3, "\0", 1, "false" },
	{ 3, "\x02", 1, NULL },
	{ 5, "\0\0\x4e\x20", 4, "2024-10-04" },
	{ 5, "\xff\xff\xff\xff", 4, "1969-12-31" },
	{ 6, "\0\0\0\x05\0\0\0\x02""123.40", 14, "123.40" },
	{ 7, "\x3f\xf8\0\0\0\0\0\0", 8, "1.5" },
	{ 7, "\x40\x59\0\0\0\0\0\0", 8, "100.0" },
	{ 7, "\x41\x63\x12\xd0\0\0\0\0", 8, "1.0E7" },
	{ 7, "\x3f\xb9\x99\x99\x99\x99\x99\x9a", 8, "0.1" },
	{ 7, "\x80\0\0\0\0\0\0\0", 8, "-0.0" },
	{ 7, "\x3e\xe4\xf8\xb5\x88\xe3\x68\xf1", 8, "1.0E-5" },
	{ 7, "\x3f\x50\x62\x4d\xd2\xf1\xa9\xfc", 8, "0.001" },
	{ 7, "\x7f\xf0\0\0\0\0\0\0", 8, "Infinity" },
	{ 8, "\x3d\xcc\xcc\xcd", 4, "0.1" },
	{ 8, "\xc2\xf6\xe9\x79", 4, "-123.456" },
	{ 11, "\x01\0\0\0\0\0\0\0\0\0\0\x03\xe9", 13, "1970-01-01 00:00:01.001000" },
	{ 11, "\x01\0\0\0\x01\xff\xff\xff\xff\xff\xff\xff\xff", 13, "1969-12-31 23:59:59.999999" },
	{ 11, "\x01\0\0\0\x02\0\0\0\0\0\x0f\x42\x40", 13, "1970-01-01 00:00:00.001000" },
	{ 11, "\x01\0\0\0\x03\0\0\0\0\0\0\0\0", 13, NULL },
	{ 0, "", 0, NULL },
	{ 13, "", 0, NULL },
};

Test(c3r_value, every_type_prints_as_the_client_prints_it_and_malformed_ones_are_refused)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rd r = rd_of(cases[i].bytes, cases[i].n);
		const char *why = "";
		struct wr w;

		wr_init_heap(&w, 1000);
		bool ok = c3r_value_put(&w, cases[i].type, &r, &why);
		cr_expect_eq(ok, cases[i].text != NULL, "case %zu", i);
		if (ok)
			cr_expect_str_eq(wr_text(&w), cases[i].text, "case %zu: %s", i, wr_text(&w));
		wr_free(&w);
	}
}
