/* Domains of sealed columns and terms of beacons: policies/encoding.h. */
#include "policies/encoding.h"

#include "base/text.h"

#include <criterion/criterion.h>

static const struct policy_column plain = { .name = "email", .type = TYPE_TEXT, .encoding = ENCODING_FINGERPRINT, .key = "spring", .sealed_as = "email" };

static enum domain_difference with(struct policy_column y)
{
	enum domain_difference there = encoding_difference(&plain, &y), back = encoding_difference(&y, &plain);

	cr_expect(there == back, "the difference does not depend on the order");
	return there;
}

Test(encoding, columns_sealed_in_the_same_way_are_of_one_domain)
{
	struct policy_column y = plain;

	y.name = "contact"; /* the policy's name does not enter the cells */
	cr_expect(with(y) == DOMAIN_SAME);
	struct policy_column x = plain;
	x.any_name = y.any_name = true;
	y.sealed_as = "contact";
	cr_expect(encoding_difference(&x, &y) == DOMAIN_SAME);
}

Test(encoding, every_setting_that_changes_cells_is_a_difference)
{
	struct policy_column y = plain;

	y.encoding = ENCODING_DETERMINISTIC;
	cr_expect(with(y) == DOMAIN_ENCODING);
	y = plain;
	y.key = "autumn";
	cr_expect(with(y) == DOMAIN_KEY);
	y.key = NULL;
	cr_expect(with(y) == DOMAIN_KEY);
	y = plain;
	y.native_format = true;
	cr_expect(with(y) == DOMAIN_FORMAT);
	y = plain;
	y.any_name = true;
	cr_expect(with(y) == DOMAIN_JOINS);
	y = plain;
	y.sealed_as = "mail";
	cr_expect(with(y) == DOMAIN_NAME);
}

Test(encoding, a_copy_is_of_the_same_domain)
{
	for (int e = 0; e < ENCODINGS; e++) {
		struct policy_column from = { .name = "a", .encoding = (enum encoding)e, .key = "k", .sealed_as = "s", .any_name = true, .native_format = true, .bits = 5, .searched = true };
		struct policy_column to = { .name = "b" };
		encoding_copy(&to, &from);
		cr_expect(encoding_difference(&from, &to) == DOMAIN_SAME && to.bits == 5 && to.searched && text_eq(to.name, "b"));
	}
}

Test(encoding, what_cannot_be_opened_is_not_carried_and_what_differs_is_not_joined)
{
	cr_expect(!encoding_carried(ENCODING_FINGERPRINT) && !encoding_carried(ENCODING_BEACON));
	cr_expect(!encoding_joins(ENCODING_SEALED) && !encoding_joins(ENCODING_BEACON));
	for (int e = ENCODING_FINGERPRINT; e < ENCODINGS; e++)
		cr_expect(encoding_guessable((enum encoding)e) == (e != ENCODING_SEALED), "%s", encoding_name((enum encoding)e));
}

Test(encoding, a_term_has_as_many_digits_as_the_bits_need_and_no_more_bits)
{
	static const struct {
		unsigned bits;
		const char *text;
		bool ok;
	} cases[] = { { 12, "3fa", true },  { 12, "fff", true }, { 12, "3FA", false }, { 12, "3f", false }, { 12, "03fa", false }, { 12, "3fg", false }, { 12, "", false },
		      { 1, "1", true },     { 1, "2", false },   { 4, "f", true },     { 5, "1f", true },   { 5, "20", false },    { 9, "1ff", true },   { 9, "200", false },
		      { 10, "3ff", true },  { 10, "400", false }, { 11, "7ff", true },  { 11, "800", false }, { 32, "ffffffff", true }, { 32, "fffffffff", false }, { 8, "' --", false } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct policy_column c = { .encoding = ENCODING_BEACON, .bits = cases[i].bits };
		cr_expect(encoding_is_term(&c, cases[i].text) == cases[i].ok, "%u bits, %s", cases[i].bits, cases[i].text);
	}
}
