#include "budget/entry.h"

#include "base/mem.h"

enum { ENTRY_BYTES_MAX = 1 << 26 };

const char *entry_kind_name(enum entry_kind k)
{
	static const char *const names[ENTRY_KINDS] = { "charge", "top-up", "set", "freeze", "unfreeze", "recovery" };

	return k < ENTRY_KINDS ? names[k] : "?";
}

static uint64_t add_up_to_max(uint64_t a, uint64_t b)
{
	return a > (uint64_t)UNIT_MAX - (b > (uint64_t)UNIT_MAX ? (uint64_t)UNIT_MAX : b) ? (uint64_t)UNIT_MAX : a + b;
}

void spent_add(struct spent *to, const struct spent *more)
{
	to->epsilon.pico = add_up_to_max(to->epsilon.pico, more->epsilon.pico);
	to->rho.pico = add_up_to_max(to->rho.pico, more->rho.pico);
	to->delta.atto = add_up_to_max(to->delta.atto, more->delta.atto);
	to->queries += more->queries;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	if (a >= (uint64_t)UNIT_MAX)
		return (uint64_t)UNIT_MAX;
	return a > b ? a - b : 0;
}

struct spent spent_less(const struct spent *a, const struct spent *b)
{
	return (struct spent){ { less(a->epsilon.pico, b->epsilon.pico) },
			       { less(a->rho.pico, b->rho.pico) },
			       { less(a->delta.atto, b->delta.atto) },
			       a->queries > b->queries ? a->queries - b->queries : 0 };
}

bool chain_start(const uint8_t id[LEDGER_ID_SIZE], uint8_t hash[SHA256_SIZE])
{
	struct wr w;

	wr_init_heap(&w, 64);
	wr_str(&w, "noisegate ledger 2");
	wr_put(&w, id, LEDGER_ID_SIZE);
	bool ok = wr_ok(&w) && hash_sha256(w.p, w.n, hash);
	wr_free(&w);
	return ok;
}

static void put_text(struct wr *w, const char *s)
{
	wr_u32(w, (uint32_t)strlen(s));
	wr_str(w, s);
}

bool chain_next(const uint8_t previous[SHA256_SIZE], const struct entry *x, uint8_t hash[SHA256_SIZE])
{
	struct wr w;

	wr_init_heap(&w, ENTRY_BYTES_MAX);
	wr_put(&w, previous, SHA256_SIZE);
	wr_u64(&w, (uint64_t)x->seq);
	wr_u8(&w, (uint8_t)x->kind);
	wr_u64(&w, (uint64_t)x->query);
	wr_u64(&w, (uint64_t)x->at.micros);
	put_text(&w, x->key.owner);
	put_text(&w, x->key.relation);
	put_text(&w, x->key.analyst);
	put_text(&w, x->login);
	put_text(&w, x->accounting);
	wr_u64(&w, x->epsilon.pico);
	wr_u64(&w, x->rho.pico);
	wr_u64(&w, x->delta.atto);
	put_text(&w, x->mechanism);
	put_text(&w, x->text);
	bool ok = wr_ok(&w) && hash_sha256(w.p, w.n, hash);
	wr_free(&w);
	return ok;
}

int64_t entry_day(struct wall_time at)
{
	const int64_t day = INT64_C(86400) * 1000000;

	return at.micros >= 0 ? at.micros / day : 0;
}
