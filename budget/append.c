#include "budget/append.h"

#include "base/mem.h"

static bool spends(const struct entry *x)
{
	return x->kind == ENTRY_CHARGE || x->kind == ENTRY_RECOVERY;
}

static void move(struct head *head, const struct entry *x)
{
	const struct spent more = { x->epsilon, x->rho, x->delta, x->kind == ENTRY_CHARGE };

	head->seq = x->seq;
	head->at = x->at;
	if (x->query > head->query)
		head->query = x->query;
	mem_copy(head->hash, x->hash, SHA256_SIZE);
	if (spends(x))
		spent_add(&head->total, &more);
}

bool append_entry(struct store *s, struct head *head, struct entry *x, struct error *e)
{
	const struct spent more = { x->epsilon, x->rho, x->delta, x->kind == ENTRY_CHARGE };

	x->seq = head->seq + 1;
	if (x->at.micros < head->at.micros)
		x->at = head->at;
	if (!chain_next(head->hash, x, x->hash))
		return fail_memory(e);
	if (!store_append(s, x, e) || (spends(x) && !store_add(s, &x->key, entry_day(x->at), &more, e)))
		return false;
	move(head, x);
	return true;
}

bool append_follows(struct head *head, const struct entry *x)
{
	uint8_t hash[SHA256_SIZE];

	if (x->seq != head->seq + 1 || x->at.micros < head->at.micros || (unsigned)x->kind >= ENTRY_KINDS || !chain_next(head->hash, x, hash) ||
	    !mem_equal(hash, x->hash, SHA256_SIZE))
		return false;
	move(head, x);
	return true;
}
