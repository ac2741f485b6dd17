/* Records, checkpoints and receipts as bytes: one form only. */
#include "audit_world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct wr w;

static void setup(void)
{
	wr_init_heap(&w, 8 << 20);
}

static void teardown(void)
{
	wr_free(&w);
}

TestSuite(audit_record, .init = setup, .fini = teardown);

/* A body around the fields in w. */
static bool reads(struct audit_record *r)
{
	static uint8_t body[9 << 20];
	struct wr b;

	wr_init_heap(&b, sizeof(body));
	wr_u8(&b, AUDIT_ALLOWED);
	wr_u64(&b, 7);
	wr_u64(&b, 1000);
	wr_put(&b, w.p, w.n);
	memcpy(body, b.p, b.n);
	size_t n = b.n;
	wr_free(&b);
	return audit_body_read(body, n, r);
}

Test(audit_record, what_was_written_is_read)
{
	struct audit_record r;
	enum audit_field f;
	struct rd v;

	audit_put_text(&w, AUDIT_FIELD_USER, "ana");
	audit_put_text(&w, AUDIT_FIELD_MEMBER, NULL);
	audit_put_value(&w, AUDIT_FIELD_PARAMETER, NULL);
	audit_put_value(&w, AUDIT_FIELD_PARAMETER, "");
	size_t at = audit_group_begin(&w, AUDIT_FIELD_BLOCK);
	audit_put_text(&w, AUDIT_FIELD_UNIT, "person");
	audit_group_end(&w, at);
	audit_put_number(&w, AUDIT_FIELD_ROWS, UINT64_MAX);
	cr_assert(reads(&r));
	cr_expect(r.event == AUDIT_ALLOWED && r.sequence == 7 && r.at.micros == 1000);
	cr_assert(audit_find(&r, AUDIT_FIELD_USER, &v) && v.left == 3 && memcmp(v.p, "ana", 3) == 0);
	cr_expect(!audit_find(&r, AUDIT_FIELD_MEMBER, &v), "a NULL text is left out");
	cr_expect(!audit_find(&r, AUDIT_FIELD_UNIT, &v), "what stands in a group is not the record's");
	cr_expect(audit_find_number(&r, AUDIT_FIELD_ROWS) == UINT64_MAX);
	size_t n = 0;
	while (audit_field_next(&r.fields, &f, &v))
		n++;
	cr_expect(n == 5);
}

Test(audit_record, another_encoding_of_the_same_is_not_taken)
{
	struct audit_record r;

	audit_put_text(&w, AUDIT_FIELD_MEMBER, "a");
	audit_put_text(&w, AUDIT_FIELD_USER, "b");
	cr_expect(!reads(&r), "order");
	wr_clear(&w);
	audit_put_text(&w, AUDIT_FIELD_USER, "a");
	audit_put_text(&w, AUDIT_FIELD_USER, "b");
	cr_expect(!reads(&r), "twice");
	wr_clear(&w);
	audit_put_bytes(&w, AUDIT_FIELD_ROWS, "1234567", 7);
	cr_expect(!reads(&r), "a number of seven bytes");
	wr_clear(&w);
	audit_put_bytes(&w, (enum audit_field)200, "x", 1);
	cr_expect(!reads(&r), "a field that does not exist");
	wr_clear(&w);
	audit_put_bytes(&w, AUDIT_FIELD_USER, "\xff", 1);
	cr_expect(!reads(&r), "text that is not UTF-8");
	wr_clear(&w);
	audit_put_text(&w, AUDIT_FIELD_USER, "a");
	wr_u8(&w, 0);
	cr_expect(!reads(&r), "a byte behind the last field");
	wr_clear(&w);
	size_t at = audit_group_begin(&w, AUDIT_FIELD_BLOCK), inner = audit_group_begin(&w, AUDIT_FIELD_CHARGE);
	audit_group_end(&w, inner);
	audit_group_end(&w, at);
	cr_expect(!reads(&r), "a group in a group");
}

Test(audit_record, long_and_broken_texts_are_made_to_fit)
{
	struct audit_record r;
	struct rd v;
	char *s = malloc(AUDIT_TEXT_MAX + 100);

	memset(s, 'x', AUDIT_TEXT_MAX + 99);
	s[AUDIT_TEXT_MAX + 99] = '\0';
	memcpy(s + AUDIT_TEXT_MAX - 4, "\xc3\xa9", 2); /* a character across the cut */
	audit_put_text(&w, AUDIT_FIELD_SQL, s);
	cr_assert(reads(&r) && audit_find(&r, AUDIT_FIELD_SQL, &v));
	cr_expect(v.left <= AUDIT_TEXT_MAX && memcmp(v.p + v.left - 3, "...", 3) == 0);
	wr_clear(&w);
	audit_put_text(&w, AUDIT_FIELD_USER, "a\xff\xfe" "b");
	cr_assert(reads(&r) && audit_find(&r, AUDIT_FIELD_USER, &v) && v.left == 4 && memcmp(v.p, "a??b", 4) == 0);
	free(s);
}

Test(audit_record, a_checkpoint_with_any_byte_changed_is_not_one_or_its_signature_is_wrong)
{
	struct audit_world world;
	struct audit_place place = { .log_id = { 1, 2 }, .sequence = 41, .hash = { 0xaa } }, got;
	struct sign_key *key = NULL;
	struct audit_seal seal;
	struct error e;

	world_make(&world, true);
	cr_assert(sign_key_load(world.key, &key, &e), "%s", e.message);
	cr_assert(audit_checkpoint_put(&w, &place, (struct wall_time){ 0 }, key));
	char *text = strdup(wr_text(&w));
	cr_assert(audit_checkpoint_read(text, &got, &seal) && seal.signed_ && sign_verify(seal.key, text, seal.n_text, seal.signature));
	cr_expect(got.sequence == 41 && memcmp(&got, &place, sizeof(got.log_id)) == 0 && got.hash[0] == 0xaa);
	for (size_t i = 0; text[i]; i++) {
		text[i] ^= 1;
		bool good = audit_checkpoint_read(text, &got, &seal) && seal.signed_ && sign_verify(seal.key, text, seal.n_text, seal.signature);
		cr_expect(!good, "byte %zu", i);
		text[i] ^= 1;
	}
	free(text);
	sign_key_free(key);
	world_remove(&world);
}

Test(audit_record, a_receipt_with_any_byte_changed_is_not_one_or_its_signature_is_wrong)
{
	struct audit_world world;
	struct audit_place place = { .sequence = 1234567 }, got;
	uint8_t salt[AUDIT_SALT] = { 9 }, other[AUDIT_SALT], key[SIGN_PUBLIC];
	struct sign_key *k = NULL;
	struct audit_seal seal;
	struct error e;

	world_make(&world, true);
	cr_assert(sign_key_load(world.key, &k, &e), "%s", e.message);
	sign_key_public(k, key);
	cr_assert(audit_receipt_put(&w, &place, salt, k));
	char *text = strdup(wr_text(&w));
	cr_assert(audit_receipt_read(text, &got, other, &seal) && seal.signed_ && sign_verify(key, text, seal.n_text, seal.signature));
	cr_expect(got.sequence == 1234567 && memcmp(salt, other, AUDIT_SALT) == 0);
	for (size_t i = 0; text[i]; i++) {
		text[i] ^= 1;
		bool good = audit_receipt_read(text, &got, other, &seal) && seal.signed_ && sign_verify(key, text, seal.n_text, seal.signature);
		cr_expect(!good, "byte %zu", i);
		text[i] ^= 1;
	}
	free(text);
	sign_key_free(k);
	world_remove(&world);
}

Test(audit_record, a_key_that_others_may_read_is_refused)
{
	struct audit_world world;
	struct sign_key *k = NULL;
	char command[300];
	struct error e;

	world_make(&world, true);
	snprintf(command, sizeof(command), "chmod 644 %s", world.key);
	cr_assert(system(command) == 0);
	cr_expect(!sign_key_load(world.key, &k, &e) && e.code == ERR_CRYPTO && strstr(e.hint, "chmod"));
	world_remove(&world);
}
