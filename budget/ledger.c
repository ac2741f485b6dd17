#include "budget/ledger.h"

#include "base/log.h"
#include "base/mem.h"
#include "budget/ledger_parts.h"

static bool open_parts(struct ledger *l, const struct policy *p, struct error *e)
{
	return store_open(&p->ledger, p->ledger_path, &l->write, e) && verify_chain(&l->write, e) && anchor_open(p, &l->anchor, e) &&
	       anchor_establish(&l->write, l->anchor, e) && store_open_again(&p->ledger, p->ledger_path, &l->read, e);
}

bool ledger_open_policy(const struct policy *p, const struct clock *clock, struct ledger **out, struct error *e)
{
	struct ledger *l = mem_alloc(1, sizeof(*l));

	if (!l)
		return fail_memory(e);
	l->clock = *clock;
	(void)pthread_mutex_init(&l->read_lock, NULL);
	(void)pthread_mutex_init(&l->queue_lock, NULL);
	if (!open_parts(l, p, e)) {
		ledger_close(l);
		return false;
	}
	*out = l;
	return true;
}

bool ledger_open(const char *path, const struct clock *clock, struct ledger **out, struct error *e)
{
	const struct policy p = { .ledger_path = path };

	return ledger_open_policy(&p, clock, out, e);
}

void ledger_close(struct ledger *l)
{
	if (!l)
		return;
	store_close(&l->read);
	store_close(&l->write);
	anchor_close(l->anchor);
	(void)pthread_mutex_destroy(&l->read_lock);
	(void)pthread_mutex_destroy(&l->queue_lock);
	mem_free(l);
}

bool ledger_is_anchored(const struct ledger *l)
{
	return l->anchor != NULL;
}

/* An analyst learns that the ledger is out of use, not where it is kept; the operator's log has the rest. */
static void tell_analyst(const struct error *from, struct error *e)
{
	*e = *from;
	if (from->code != ERR_LEDGER && from->code != ERR_DISK_FULL)
		return;
	log_event(LOG_ERROR, "charge refused by the ledger", LOG_TEXT("message", from->message), LOG_TEXT("detail", from->detail), LOG_TEXT("hint", from->hint));
	fail(e, from->code, from->code == ERR_DISK_FULL ? "the ledger could not be written: the disk is full" : "the ledger cannot be used");
	error_detail(e, "Nothing was run.");
	error_hint(e, "Tell the operator: the proxy's log says what happened.");
}

bool ledger_charge(struct ledger *l, const struct charges *charges, const struct ledger_entry *entry, int64_t *query_id, struct error *e)
{
	struct request r = { .charges = charges, .entry = entry };

	commit_request(l, &r);
	if (r.ok)
		*query_id = r.query_id;
	else
		tell_analyst(&r.e, e);
	return r.ok;
}

bool ledger_order(struct ledger *l, const struct ledger_order *order, struct error *e)
{
	struct request r = { .order = order };

	commit_request(l, &r);
	if (!r.ok)
		*e = r.e;
	return r.ok;
}

bool ledger_state(struct ledger *l, const struct policy_budget *b, struct account_state *out, struct error *e)
{
	struct wall_time at = clock_now(&l->clock);
	struct head head = { 0 };

	(void)pthread_mutex_lock(&l->read_lock);
	bool ok = store_head(&l->read, &head, e) && account_load(&l->read, b, at.micros < head.at.micros ? head.at : at, out, e);
	(void)pthread_mutex_unlock(&l->read_lock);
	if (ok)
		account_report(b, out);
	return ok;
}

bool ledger_accounts(struct ledger *l, account_each *each, void *ctx, struct error *e)
{
	(void)pthread_mutex_lock(&l->read_lock);
	bool ok = store_accounts(&l->read, each, ctx, e);
	(void)pthread_mutex_unlock(&l->read_lock);
	return ok;
}

struct rows {
	bool (*each)(void *ctx, const struct history_row *row);
	void *ctx;
};

static bool show_charge(void *ctx, const struct entry *x)
{
	const struct rows *rows = ctx;
	const struct history_row row = { .query_id = x->query, .at = x->at, .owner = x->key.owner, .table = x->key.relation, .analyst = x->key.analyst,
					 .user = x->login, .sql = x->text, .mechanism = x->mechanism, .accounting = x->accounting, .epsilon = x->epsilon,
					 .rho = x->rho, .delta = x->delta };

	return rows->each(rows->ctx, &row);
}

static bool history(struct ledger *l, const char *owner, const char *analyst, bool charges_only, int64_t limit, entry_each *each, void *ctx, struct error *e)
{
	(void)pthread_mutex_lock(&l->read_lock);
	bool ok = store_history(&l->read, owner, analyst, charges_only, limit, each, ctx, e);
	(void)pthread_mutex_unlock(&l->read_lock);
	return ok;
}

bool ledger_history(struct ledger *l, const char *owner, const char *analyst, int64_t limit, bool (*each)(void *ctx, const struct history_row *row), void *ctx,
		    struct error *e)
{
	struct rows rows = { each, ctx };

	return history(l, owner, analyst, true, limit, show_charge, &rows, e);
}

bool ledger_entries(struct ledger *l, const char *owner, const char *analyst, int64_t limit, bool (*each)(void *ctx, const struct entry *x), void *ctx, struct error *e)
{
	return history(l, owner, analyst, false, limit, each, ctx, e);
}
