/* The group of private set intersection: RFC 9380's vectors (appendix J.1.1), powers that commute, and points that are refused. */
#include "crypto/psi_set.h"
#include "tests/support/unit_rng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void hex(const uint8_t *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

Test(psi_curve, hashes_to_the_points_of_the_standard)
{
	static const struct {
		const char *prefix;
		char fill;
		int times;
		const char *point; /* compressed: 02 or 03 by the parity of P.y, then P.x */
	} cases[] = {
		{ "", 0, 0, "032c15230b26dbc6fc9a37051158c95b79656e17a1a920b11394ca91c44247d3e4" },
		{ "abc", 0, 0, "020bb8b87485551aa43ed54f009230450b492fead5f1cc91658775dac4a3388a0f" },
		{ "abcdef0123456789", 0, 0, "0365038ac8f2b1def042a5df0b33b1f4eca6bff7cb0f9c6c1526811864e544ed80" },
		{ "q128_", 'q', 128, "024be61ee205094282ba8a2042bcb48d88dfbb609301c49aa8b078533dc65a0b5d" },
		{ "a512_", 'a', 512, "02457ae2981f70ca85d8e24c308b14db22f3e3862c5ea0f652ca38b5e49cd64bc5" },
	};
	struct psi_curve *c = psi_curve_new(NULL);

	cr_assert(c);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char message[600] = "", text[2 * PSI_POINT + 1];
		uint8_t point[PSI_POINT];
		size_t n = strlen(cases[i].prefix);
		memcpy(message, cases[i].prefix, n);
		memset(message + n, cases[i].fill, (size_t)cases[i].times);
		cr_assert(psi_hash(c, "QUUX-V01-CS02-with-P256_XMD:SHA-256_SSWU_RO_", message, n + (size_t)cases[i].times, point));
		hex(point, PSI_POINT, text);
		cr_expect_str_eq(text, cases[i].point, "message %zu", i);
	}
	psi_curve_free(c);
}

Test(psi_curve, powers_by_two_parties_meet_whatever_the_order)
{
	const struct rng r = unit_rng_system();
	struct secret_key a, b;
	uint8_t h[PSI_POINT], ha[PSI_POINT], hb[PSI_POINT];
	struct psi_tag hab, hba, other;

	cr_assert(psi_exponent(&r, &a) && psi_exponent(&r, &b));
	struct psi_curve *ca = psi_curve_new(&a), *cb = psi_curve_new(&b);
	cr_assert(ca && cb);
	cr_assert(psi_hash(ca, "test", "ann@example.org", 15, h) && psi_power(ca, h, ha) && psi_power(cb, h, hb));
	cr_assert(psi_power_tag(cb, ha, &hab) && psi_power_tag(ca, hb, &hba));
	cr_expect(hab.high == hba.high && hab.low == hba.low);
	cr_expect(memcmp(ha, hb, PSI_POINT) != 0 && memcmp(h, ha, PSI_POINT) != 0);
	cr_assert(psi_hash(ca, "test", "bob@example.org", 15, h) && psi_power(cb, h, hb) && psi_power_tag(ca, hb, &other));
	cr_expect(other.high != hab.high || other.low != hab.low);
	psi_curve_free(ca);
	psi_curve_free(cb);
}

Test(psi_curve, another_domain_gives_other_points)
{
	struct psi_curve *c = psi_curve_new(NULL);
	uint8_t one[PSI_POINT], two[PSI_POINT];

	cr_assert(c && psi_hash(c, "one", "x", 1, one) && psi_hash(c, "two", "x", 1, two));
	cr_expect(memcmp(one, two, PSI_POINT) != 0);
	psi_curve_free(c);
}

Test(psi_curve, what_is_no_point_is_refused)
{
	const struct rng r = unit_rng_system();
	struct secret_key a;
	uint8_t good[PSI_POINT], bad[PSI_POINT], out[PSI_POINT];
	int refused = 0;

	cr_assert(psi_exponent(&r, &a));
	struct psi_curve *c = psi_curve_new(&a);
	cr_assert(c && psi_hash(c, "test", "x", 1, good) && psi_power(c, good, out));
	memset(bad, 0, PSI_POINT);
	cr_expect(!psi_power(c, bad, out), "infinity, padded with zeros");
	for (int lead = 0; lead < 256; lead++) {
		memcpy(bad, good, PSI_POINT);
		bad[0] = (uint8_t)lead;
		cr_expect(psi_power(c, bad, out) == (lead == 2 || lead == 3), "first byte %d", lead);
	}
	memset(bad + 1, 0xff, PSI_POINT - 1);
	bad[0] = 2;
	cr_expect(!psi_power(c, bad, out), "x above the field's order");
	for (uint8_t i = 0; i < 64; i++) {
		memcpy(bad, good, PSI_POINT);
		bad[20] ^= (uint8_t)(i + 1);
		refused += !psi_power(c, bad, out);
	}
	cr_expect(refused > 10 && refused < 54, "about half of all x have no point: %d of 64 refused", refused);
	psi_curve_free(c);
}

Test(psi_curve, an_exponent_needs_randomness)
{
	struct unit_rng u;
	struct rng r = unit_rng(&u, 1);
	struct secret_key a, b;

	cr_assert(psi_exponent(&r, &a) && psi_exponent(&r, &b));
	cr_expect(memcmp(&a, &b, sizeof(a)) != 0);
	u.fail_after = u.drawn + 1;
	cr_expect(!psi_exponent(&r, &a));
}

/* A set's file, read. */
static bool read_text(const char *text, size_t n, const char *column, struct psi_values *v, struct error *e)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, n, "r");
	bool ok = f && psi_values_read(f, "in", column, v, e);

	if (f)
		fclose(f);
	return ok;
}

static const char *value(const struct psi_values *v, size_t i)
{
	return (const char *)v->bytes.p + v->at[i];
}

Test(psi_values, lines_are_distinct_and_empty_ones_left_out)
{
	static const char text[] = "\xEF\xBB\xBF" "bob\r\nann\n\n  bob \nann\nbob"; /* a byte order mark is no part of the first value */
	struct psi_values v;
	struct error e;

	cr_assert(read_text(text, sizeof(text) - 1, NULL, &v, &e), "%s", e.message);
	cr_assert(v.n == 3);
	cr_expect_str_eq(value(&v, 0), "  bob ");
	cr_expect_str_eq(value(&v, 1), "ann");
	cr_expect_str_eq(value(&v, 2), "bob");
	psi_values_free(&v);
}

Test(psi_values, a_column_of_a_csv_file)
{
	static const char text[] = "id,E-Mail\n1,\"a,b\"\n2,\n3,c\n4,c\n", ragged[] = "id,e\n1,x\n2\n";
	struct psi_values v;
	struct error e;

	cr_assert(read_text(text, sizeof(text) - 1, "e-mail", &v, &e), "%s", e.message);
	cr_assert(v.n == 2);
	cr_expect_str_eq(value(&v, 0), "a,b");
	psi_values_free(&v);
	cr_expect(!read_text(text, sizeof(text) - 1, "phone", &v, &e) && e.code == ERR_NO_COLUMN);
	cr_expect(!read_text(ragged, sizeof(ragged) - 1, "e", &v, &e) && strstr(e.message, "in:3"), "%s", e.message);
}

Test(psi_values, what_cannot_be_a_value_is_named_by_its_line)
{
	static char longest[PSI_VALUE_MAX + 2];
	struct psi_values v;
	struct error e;

	cr_expect(!read_text("a\n\xff\n", 4, NULL, &v, &e) && e.code == ERR_BAD_VALUE && strstr(e.message, "in:2"), "%s", e.message);
	cr_expect(!read_text("a\0b\n", 4, NULL, &v, &e) && strstr(e.message, "in:1"), "%s", e.message);
	memset(longest, 'x', sizeof(longest));
	cr_assert(read_text(longest, PSI_VALUE_MAX, NULL, &v, &e) && v.n == 1);
	psi_values_free(&v);
	cr_expect(!read_text(longest, PSI_VALUE_MAX + 1, NULL, &v, &e) && strstr(e.message, "longer"), "%s", e.message);
	cr_expect(!read_text(longest, PSI_VALUE_MAX + 2, NULL, &v, &e));
}

/* Two parties' sets of numbers [from, to) through lists and tags: what they share. */
static size_t meet(int from, int to, int other_from, int other_to, size_t chosen, const char *other_session)
{
	enum { BOUND = 300, DUMMIES = 40 };
	static uint8_t mine[BOUND][PSI_POINT], dummies[DUMMIES][PSI_POINT], theirs[BOUND + DUMMIES][PSI_POINT];
	static struct psi_tag tags[BOUND + DUMMIES], other_tags[BOUND + DUMMIES];
	static char text[4000];
	const struct rng r = unit_rng_system();
	struct psi_values v[2];
	struct psi_session s[2];
	struct secret_key a, b;
	struct error e;

	cr_assert(psi_session("spring", &s[0]) && psi_session(other_session, &s[1]) && psi_exponent(&r, &a) && psi_exponent(&r, &b));
	for (int side = 0; side < 2; side++) {
		size_t n = 0;
		for (int i = side ? other_from : from; i < (side ? other_to : to); i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%d\n", i);
		cr_assert(read_text(text, n, NULL, &v[side], &e));
	}
	struct psi_list one = { &s[0], &v[0], BOUND, 0, 0 }, two = { &s[1], &v[1], BOUND, DUMMIES, chosen };
	cr_assert(psi_list_make(&one, &r, &a, mine, &e) && psi_list_make(&two, &r, &b, theirs, &e) && psi_dummies_make(&s[0], 0, DUMMIES, &a, dummies, &e));
	cr_assert(psi_tags_make((const uint8_t(*)[PSI_POINT])mine, BOUND, &b, tags, &e) &&
		  psi_tags_make((const uint8_t(*)[PSI_POINT])dummies, DUMMIES, &b, tags + BOUND, &e) &&
		  psi_tags_make((const uint8_t(*)[PSI_POINT])theirs, BOUND + DUMMIES, &a, other_tags, &e));
	cr_assert(psi_tags_sort(tags, BOUND + DUMMIES, &e) && psi_tags_sort(other_tags, BOUND + DUMMIES, &e));
	psi_values_free(&v[0]);
	psi_values_free(&v[1]);
	return psi_tags_common(tags, BOUND + DUMMIES, other_tags, BOUND + DUMMIES);
}

Test(psi_set, lists_share_the_common_values_and_the_chosen_dummies_and_nothing_else)
{
	cr_expect(meet(0, 200, 150, 400, 0, "spring") == 50);
	cr_expect(meet(0, 200, 150, 400, 40, "spring") == 90);
	cr_expect(meet(0, 300, 0, 300, 17, "spring") == 317);
	cr_expect(meet(0, 1, 1, 2, 3, "spring") == 3);
	cr_expect(meet(0, 300, 0, 300, 0, "autumn") == 0, "another session has other points");
}

Test(psi_set, a_repeated_tag_is_refused)
{
	struct psi_tag tags[] = { { 5, 1 }, { 2, 9 }, { 5, 0 }, { 2, 9 } };
	struct error e;

	cr_expect(psi_tags_sort(tags, 3, &e) && tags[0].high == 2 && tags[1].low == 0);
	cr_expect(!psi_tags_sort(tags, 4, &e) && e.code == ERR_PROTOCOL);
}

/* Every place of a list of four is taken by the one value equally often. */
Test(psi_set, the_order_is_uniform)
{
	enum { ROUNDS = 4000, PLACES = 4 };
	const struct rng r = unit_rng_system();
	const struct secret_key one = { .bytes = { [SECRET_KEY - 1] = 1 } }; /* the power 1: the value's point shows */
	struct psi_session s;
	struct psi_values v;
	struct error e;
	uint8_t list[PLACES][PSI_POINT], first[1][PSI_POINT];
	int at[PLACES] = { 0 };

	cr_assert(psi_session("s", &s) && read_text("x", 1, NULL, &v, &e));
	struct psi_list l = { &s, &v, 1, 0, 0 };
	cr_assert(psi_list_make(&l, &r, &one, first, &e));
	l.bound = PLACES;
	for (int round = 0; round < ROUNDS; round++) {
		cr_assert(psi_list_make(&l, &r, &one, list, &e));
		for (int i = 0; i < PLACES; i++)
			at[i] += memcmp(list[i], first[0], PSI_POINT) == 0;
	}
	for (int i = 0; i < PLACES; i++) /* deviation 27: 6.2 of them */
		cr_expect(at[i] > 1000 - 170 && at[i] < 1000 + 170, "place %d: %d", i, at[i]);
	psi_values_free(&v);
}

Test(psi_set, a_failing_random_source_makes_no_list)
{
	struct unit_rng u;
	struct rng r = unit_rng(&u, 1);
	struct psi_session s;
	struct psi_values v;
	struct secret_key a;
	struct error e;
	uint8_t list[4][PSI_POINT];

	cr_assert(psi_exponent(&r, &a) && psi_session("s", &s) && read_text("x", 1, NULL, &v, &e));
	struct psi_list l = { &s, &v, 4, 0, 0 };
	u.fail_after = u.drawn + 1;
	cr_expect(!psi_list_make(&l, &r, &a, list, &e) && e.code == ERR_CRYPTO);
	psi_values_free(&v);
}
