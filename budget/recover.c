#include "base/mem.h"
#include "base/text.h"
#include "budget/ledger_parts.h"

/* Far above any limit, and far enough below the units' range that sums of a few stay in it. */
static const uint64_t RECOVERED_MAX = UINT64_C(100000000000000000);

static uint64_t capped(uint64_t v)
{
	return v < RECOVERED_MAX ? v : RECOVERED_MAX;
}

/* What the ledger may lack.  False: nothing is wrong, or (with e filled) it cannot be said. */
static bool measure(struct store *s, const struct head *head, const struct anchor *a, const struct anchored *note, const struct ledger_recovery *how,
		    struct ledger_recovered *out, struct error *e)
{
	struct error ignored = ERROR_INIT;

	*e = ERROR_INIT;
	if (verify_anchor(s, head, a, note, &ignored))
		return false;
	out->needed = true;
	if (!a) {
		if (how->without_anchor)
			return true;
		fail(e, ERR_LEDGER, "the ledger has an anchor, and the policy names none");
		return error_hint(e, "Name it in the policy; --without-anchor gives it up for good.");
	}
	if (note->exists) {
		const bool same = mem_equal(note->id, head->id, LEDGER_ID_SIZE);
		out->missing = same ? spent_less(&note->total, &head->before) : note->total; /* head.before was surely noted: what follows it may be missing */
		out->lost = note->seq - (same ? head->seq : 0);
		out->lost = out->lost > 0 ? out->lost : 1;
		out->last = note->at;
	} else if (!how->has_missing) {
		fail(e, ERR_LEDGER, "the anchor \"%s\" is lost, so nobody knows what the ledger lacks", anchor_name(a));
		return error_hint(e, "If you are sure that the ledger is the newest, say --missing-epsilon 0; else the most that may have been spent since.");
	}
	if (how->has_missing)
		spent_add(&out->missing, &how->missing);
	return true;
}

static bool write_down(struct store *s, struct head *head, struct wall_time now, const struct ledger_recovery *how, const struct ledger_recovered *r, struct error *e)
{
	const struct account_key all = { ACCOUNT_ALL, ACCOUNT_ALL, ACCOUNT_ALL };
	struct entry lost = { .kind = ENTRY_RECOVERY, .at = r->last.micros > now.micros ? r->last : now, .key = all, .login = how->who, .accounting = "",
			      .epsilon = { capped(r->missing.epsilon.pico) }, .rho = { capped(r->missing.rho.pico) }, .delta = { capped(r->missing.delta.atto) },
			      .mechanism = "", .text = how->reason };
	struct entry freeze = { .kind = ENTRY_FREEZE, .at = lost.at, .key = all, .login = how->who, .accounting = "", .mechanism = "", .text = "after a recovery" };

	return append_entry(s, head, &lost, e) && append_entry(s, head, &freeze, e);
}

static bool recover(struct store *s, struct anchor *a, const struct clock *clock, const struct ledger_recovery *how, struct ledger_recovered *out, struct error *e)
{
	const struct db_ops *ops = s->db->ops;
	struct anchored note = { 0 };
	struct head head = { 0 };

	if (a && !anchor_enter(a, &note, e))
		return false;
	bool ok = ops->begin(s->db, true, e) && store_head(s, &head, e);
	if (ok && !measure(s, &head, a, &note, how, out, e)) {
		ok = e->code == ERR_NONE;
	} else if (ok) {
		ok = write_down(s, &head, clock_now(clock), how, out, e);
		head.anchored = a != NULL;
		head.before = head.total;
		ok = ok && store_set_head(s, &head, e) && ops->commit(s->db, e) && (!a || anchor_write(a, &head, e));
	}
	ops->rollback(s->db);
	if (a)
		anchor_leave(a);
	return ok;
}

bool ledger_recover(const struct policy *p, const struct clock *clock, const struct ledger_recovery *how, struct ledger_recovered *out, struct error *e)
{
	struct anchor *a = NULL;
	struct store s = { 0 };

	*out = (struct ledger_recovered){ 0 };
	bool ok = store_open(&p->ledger, p->ledger_path, &s, e) && verify_chain(&s, e) && anchor_open(p, &a, e) && recover(&s, a, clock, how, out, e);
	anchor_close(a);
	store_close(&s);
	return ok;
}
