/* The chain's hash covers every field, sums stop at their maximum, an anchor's note survives only whole. */
#include "budget/anchor.h"
#include "budget/append.h"

#include <criterion/criterion.h>
#include <string.h>

static const uint8_t start[SHA256_SIZE] = { 1, 2, 3 };

static const struct entry one = { .seq = 7, .kind = ENTRY_CHARGE, .query = 3, .at = { 1000 }, .key = { "o", "s.t", "a" }, .login = "ana", .accounting = "pure",
				  .epsilon = { 5 }, .rho = { 6 }, .delta = { 7 }, .mechanism = "[]", .text = "SELECT 1" };

Test(chain, every_field_changes_the_hash)
{
	struct entry x[15];
	uint8_t was[SHA256_SIZE], is[SHA256_SIZE];

	for (size_t i = 0; i < 15; i++)
		x[i] = one;
	x[0].seq++, x[1].kind = ENTRY_RECOVERY, x[2].query++, x[3].at.micros++, x[4].key.owner = "p", x[5].key.relation = "s.u", x[6].key.analyst = "b";
	x[7].login = "bob", x[8].accounting = "zcdp", x[9].epsilon.pico++, x[10].rho.pico++, x[11].delta.atto++, x[12].mechanism = "[1]", x[13].text = "SELECT 2";
	x[14].key.owner = "os", x[14].key.relation = ".t"; /* the same letters, cut elsewhere */
	cr_assert(chain_next(start, &one, was));
	for (size_t i = 0; i < 15; i++) {
		cr_assert(chain_next(start, &x[i], is));
		cr_expect(memcmp(was, is, sizeof(was)) != 0, "field %zu", i);
	}
	uint8_t other[SHA256_SIZE] = { 1, 2, 4 };
	cr_assert(chain_next(other, &one, is));
	cr_expect(memcmp(was, is, sizeof(was)) != 0, "what went before");
}

Test(chain, only_the_next_entry_follows)
{
	struct head head = { .seq = 6, .at = { 1000 } }, same;
	struct entry x = one;

	memcpy(head.hash, start, sizeof(start));
	cr_assert(chain_next(start, &x, x.hash));
	same = head;
	cr_expect(append_follows(&same, &x) && same.seq == 7 && same.total.epsilon.pico == 5 && same.query == 3 && same.total.queries == 1);
	same = head;
	same.seq = 5;
	cr_expect(!append_follows(&same, &x), "one is missing");
	same = head;
	same.at.micros = 1001;
	cr_expect(!append_follows(&same, &x), "time goes back");
	x.hash[31] ^= 1;
	same = head;
	cr_expect(!append_follows(&same, &x) && same.seq == 6, "another hash");
}

Test(chain, sums_stop_at_their_maximum)
{
	struct spent a = { { UNIT_MAX - 1 }, { 5 }, { UNIT_MAX }, 1 };
	const struct spent b = { { 2 }, { 6 }, { 1 }, 1 };

	spent_add(&a, &b);
	cr_expect(a.epsilon.pico == UNIT_MAX && a.rho.pico == 11 && a.delta.atto == UNIT_MAX && a.queries == 2);
	const struct spent left = spent_less(&a, &b);
	cr_expect(left.epsilon.pico == UNIT_MAX && left.rho.pico == 5 && left.delta.atto == UNIT_MAX, "\"at least\" stays \"at least\"");
	cr_expect(spent_less(&b, &a).rho.pico == 0);
}

Test(anchor, a_note_is_read_back_whole_or_not_at_all)
{
	struct head head = { .id = { 9, 8 }, .seq = 123456, .at = { 1790000000000000 }, .hash = { 0xab }, .total = { { 1 }, { 2 }, { 3 }, 4 } };
	struct anchored note = { 0 };
	char line[ANCHOR_LINE], cut[ANCHOR_LINE];

	cr_assert(anchor_print(&head, line) && anchor_parse(line, &note));
	cr_expect(note.exists && note.seq == head.seq && note.at.micros == head.at.micros && memcmp(note.hash, head.hash, SHA256_SIZE) == 0 &&
		  memcmp(note.id, head.id, LEDGER_ID_SIZE) == 0 && note.total.epsilon.pico == 1 && note.total.rho.pico == 2 && note.total.delta.atto == 3 && note.total.queries == 4);
	size_t n = strlen(line);
	for (size_t i = 0; i < n - 1; i++) {
		memcpy(cut, line, n + 1);
		cut[i] = cut[i] == '7' ? '6' : '7';
		cr_expect(!anchor_parse(cut, &note), "changed at %zu", i);
		memcpy(cut, line, n + 1);
		cut[i] = '\0';
		cr_expect(!anchor_parse(cut, &note), "cut at %zu", i);
	}
}
