/* Is this the ledger that it says it is: the chain, its head, the sums, and what the anchor noted. */
#include "base/mem.h"
#include "budget/ledger_parts.h"

struct replay {
	struct head head;
	size_t rows;
	bool broken;
};

static bool replay_entry(void *ctx, const struct entry *x)
{
	struct replay *r = ctx;

	r->rows++;
	r->broken = !append_follows(&r->head, x);
	return !r->broken;
}

static bool same_spent(const struct spent *a, const struct spent *b)
{
	return a->epsilon.pico == b->epsilon.pico && a->rho.pico == b->rho.pico && a->delta.atto == b->delta.atto && a->queries == b->queries;
}

static bool verify_in(struct store *s, struct error *e)
{
	struct replay r = { 0 };
	struct head head = { 0 };
	int64_t wrong;
	char why[120];

	if (!store_head(s, &head, e))
		return false;
	mem_copy(r.head.id, head.id, LEDGER_ID_SIZE);
	if (!chain_start(head.id, r.head.hash))
		return fail_memory(e);
	do {
		r.rows = 0;
		if (!store_after(s, r.head.seq, replay_entry, &r, e))
			return false;
	} while (r.rows > 0 && !r.broken);
	if (r.broken) {
		(void)snprintf(why, sizeof(why), "its chain breaks behind entry %lld", (long long)r.head.seq);
		return store_damaged(s, why, e);
	}
	if (r.head.seq != head.seq || !mem_equal(r.head.hash, head.hash, SHA256_SIZE) || r.head.at.micros != head.at.micros || r.head.query != head.query ||
	    !same_spent(&r.head.total, &head.total))
		return store_damaged(s, "the head of its chain is not its last entry", e);
	if (!store_wrong_sums(s, &wrong, e))
		return false;
	return wrong == 0 ? true : store_damaged(s, "its totals are not the sums of its entries", e);
}

bool verify_chain(struct store *s, struct error *e)
{
	if (!s->db->ops->sound(s->db, e))
		return store_damaged(s, "its integrity check fails", e);
	if (!s->db->ops->begin(s->db, false, e))
		return false;
	bool ok = verify_in(s, e);
	s->db->ops->rollback(s->db);
	if (!ok && !e->hint[0]) /* the database gave up half-way */
		return e->code == ERR_DISK_FULL ? false : store_damaged(s, "its tables cannot be read", e);
	return ok;
}

static bool refused(const struct store *s, const struct anchor *a, struct error *e, const char *why)
{
	fail(e, ERR_LEDGER, "ledger \"%s\" cannot be used: %s", s->name, why);
	error_detail(e, "Compared with its anchor, %s.", a ? anchor_name(a) : "which the policy no longer names");
	return error_hint(e, "Put the newest ledger back.  If it is lost, `noisegate budget recover` counts what is missing as spent and freezes every budget until you have "
			     "looked (docs/budgets.md).");
}

bool verify_anchor(struct store *s, const struct head *head, const struct anchor *a, const struct anchored *note, struct error *e)
{
	uint8_t hash[SHA256_SIZE];
	bool found = true;
	char why[160];

	if (!a)
		return head->anchored ? refused(s, NULL, e, "it has an anchor, and the policy names none") : true;
	if (!note->exists)
		return head->anchored ? refused(s, a, e, "its anchor is missing") : true;
	if (!mem_equal(note->id, head->id, LEDGER_ID_SIZE))
		return refused(s, a, e, "its anchor belongs to another ledger: this one was made later, or is somebody else's");
	if (note->seq > head->seq) {
		(void)snprintf(why, sizeof(why), "it is an old copy: it ends at entry %lld, the anchor notes entry %lld", (long long)head->seq, (long long)note->seq);
		return refused(s, a, e, why);
	}
	if (note->seq == head->seq)
		mem_copy(hash, head->hash, SHA256_SIZE);
	else if (note->seq == 0 ? !chain_start(head->id, hash) : !store_hash_at(s, note->seq, &found, hash, e))
		return false;
	if (found && mem_equal(hash, note->hash, SHA256_SIZE))
		return true;
	(void)snprintf(why, sizeof(why), "it is a copy that went its own way: its entry %lld is not the one that the anchor notes", (long long)note->seq);
	return refused(s, a, e, why);
}

bool anchor_establish(struct store *s, struct anchor *a, struct error *e)
{
	const struct db_ops *ops = s->db->ops;
	struct anchored note = { 0 };
	struct head head = { 0 };

	if (a && !anchor_enter(a, &note, e))
		return false;
	bool ok = ops->begin(s->db, true, e) && store_head(s, &head, e) && verify_anchor(s, &head, a, &note, e);
	if (ok && a && !note.exists)
		ok = anchor_write(a, &head, e); /* first: a mark without an anchor would be refused */
	if (ok && a && !head.anchored) {
		head.anchored = true;
		ok = store_set_head(s, &head, e) && ops->commit(s->db, e);
	}
	ops->rollback(s->db);
	if (a)
		anchor_leave(a);
	return ok;
}
