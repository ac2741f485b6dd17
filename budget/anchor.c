#include "budget/anchor.h"

#include "base/mem.h"
#include "base/number.h"
#include "base/text.h"

bool anchor_open(const struct policy *p, struct anchor **out, struct error *e)
{
	*out = NULL;
	if (p->ledger.anchor_file)
		return anchor_file_open(p->ledger.anchor_file, out, e);
	if (p->ledger.anchor_tpm)
		return anchor_tpm_open(p->ledger.anchor_tpm, p->ledger.anchor_index, out, e);
	return p->ledger.anchor_table ? anchor_upstream_open(p, out, e) : true;
}

void anchor_close(struct anchor *a)
{
	if (a)
		a->ops->close(a);
}

bool anchor_enter(struct anchor *a, struct anchored *out, struct error *e)
{
	*out = (struct anchored){ 0 };
	return a->ops->enter(a, out, e);
}

bool anchor_write(struct anchor *a, const struct head *h, struct error *e)
{
	return a->ops->write(a, h, e);
}

void anchor_leave(struct anchor *a)
{
	a->ops->leave(a);
}

const char *anchor_name(const struct anchor *a)
{
	return a->name;
}

bool anchor_damaged(const struct anchor *a, const char *why, struct error *e)
{
	fail(e, ERR_LEDGER, "the ledger's anchor, %s, %s", a->name, why);
	return error_hint(e, "docs/budgets.md, \"When the ledger is refused\", says how to go on without losing what was spent.");
}

bool anchor_pick(struct anchor_places *p, const struct anchor *a, const struct anchored note[2], struct anchored *out, struct error *e)
{
	if (!note[0].exists && !note[1].exists)
		return anchor_damaged(a, "has been damaged: neither of its two notes can be read", e);
	const int newer = !note[0].exists || (note[1].exists && note[1].seq > note[0].seq);
	*out = note[newer];
	*p = (struct anchor_places){ !newer, out->seq };
	return true;
}

bool anchor_both(const struct anchor_places *p, const struct head *h)
{
	return p->seq < 0 || h->seq <= p->seq;
}

static void put_hex(struct wr *w, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		wr_fmt(w, "%02x", p[i]);
	wr_u8(w, ' ');
}

bool anchor_print(const struct head *h, char line[ANCHOR_LINE])
{
	uint8_t check[SHA256_SIZE];
	struct wr w;

	wr_init_heap(&w, ANCHOR_LINE - 1);
	wr_str(&w, "noisegate-anchor 1 ");
	put_hex(&w, h->id, LEDGER_ID_SIZE);
	wr_fmt(&w, "%lld ", (long long)h->seq);
	put_hex(&w, h->hash, SHA256_SIZE);
	wr_fmt(&w, "%lld %llu %llu %llu %lld ", (long long)h->at.micros, (unsigned long long)h->total.epsilon.pico, (unsigned long long)h->total.rho.pico,
	       (unsigned long long)h->total.delta.atto, (long long)h->total.queries);
	bool ok = wr_ok(&w) && hash_sha256(w.p, w.n, check);
	if (ok)
		put_hex(&w, check, 8);
	ok = ok && wr_ok(&w);
	(void)snprintf(line, ANCHOR_LINE, "%s", wr_text(&w));
	wr_free(&w);
	return ok;
}

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_hex(const char **s, uint8_t *out, size_t n)
{
	const char *p = *s;

	for (size_t i = 0; i < n; i++, p += 2) {
		int hi = nibble(p[0]), lo = hi < 0 ? -1 : nibble(p[1]);
		if (lo < 0)
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	if (*p != ' ')
		return false;
	*s = p + 1;
	return true;
}

static bool take_number(const char **s, int64_t *out)
{
	char digits[24];
	size_t n = strcspn(*s, " ");

	if ((*s)[n] != ' ' || n >= sizeof(digits))
		return false;
	(void)snprintf(digits, sizeof(digits), "%.*s", (int)n, *s);
	*s += n + 1;
	return number_i64(digits, 0, INT64_MAX, out);
}

bool anchor_parse(const char *line, struct anchored *out)
{
	static const char start[] = "noisegate-anchor 1 ";
	uint8_t said[8], check[SHA256_SIZE];
	struct anchored a = { .exists = true };
	int64_t epsilon, rho, delta;
	const char *s = line + sizeof(start) - 1;

	if (!text_starts(line, start) || !take_hex(&s, a.id, LEDGER_ID_SIZE) || !take_number(&s, &a.seq) || !take_hex(&s, a.hash, SHA256_SIZE) ||
	    !take_number(&s, &a.at.micros) || !take_number(&s, &epsilon) || !take_number(&s, &rho) || !take_number(&s, &delta) || !take_number(&s, &a.total.queries))
		return false;
	size_t n = (size_t)(s - line);
	if (!take_hex(&s, said, sizeof(said)) || !hash_sha256(line, n, check) || !mem_equal(said, check, sizeof(said)))
		return false;
	a.total.epsilon.pico = (uint64_t)epsilon;
	a.total.rho.pico = (uint64_t)rho;
	a.total.delta.atto = (uint64_t)delta;
	*out = a;
	return true;
}
