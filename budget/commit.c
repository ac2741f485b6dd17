/*
 * One commit for all who wait.  The first thread that finds nobody leading leads: it takes all requests that wait, applies them in one transaction, commits
 * once, notes the anchor once, tells everyone, and hands over to the first of those that came meanwhile.  Nobody is told before the commit (invariant 2).
 *
 * Within the transaction every charge is checked against what the requests before it wrote; one that does not fit writes nothing and disturbs nobody.  What
 * breaks the transaction itself fails all of them.
 */
#include "base/text.h"
#include "budget/ledger_parts.h"

enum { BATCH_MAX = 256, TRIES_MAX = 20, SQL_KEPT = 4000, RELATION_MAX = 130 };

struct gathering {
	struct account_orders orders;
	const struct account_key *key;
	const struct window *window;
};

static bool gather(void *ctx, const struct entry *x)
{
	struct gathering *g = ctx;

	account_order(&g->orders, g->key, g->window, x);
	return true;
}

bool account_load(struct store *s, const struct policy_budget *b, struct wall_time at, struct account_state *out, struct error *e)
{
	char relation[RELATION_MAX];
	const struct window w = window_at(b->refresh, b->refresh_day, at);
	const struct account_key key = { b->owner, relation, b->analyst };
	struct gathering g = { .key = &key, .window = &w };
	struct spent spent;

	(void)snprintf(relation, sizeof(relation), "%s.%s", b->schema, b->table);
	if (!store_controls(s, &key, gather, &g, e) || !store_spent(s, &key, entry_day(w.start), &spent, e))
		return false;
	account_state_of(b, &w, &g.orders, &spent, out);
	return true;
}

enum outcome { APPLIED, REFUSED, BROKEN };

static enum outcome check_one(struct store *s, const struct policy_budget *b, const struct charge *c, struct wall_time at, struct error *refusal, struct error *e)
{
	struct account_state st;

	if (!account_load(s, b, at, &st, e))
		return BROKEN;
	if (account_fits(b, &st, c))
		return APPLIED;
	(void)account_refuse(b, &st, c, refusal);
	return REFUSED;
}

static const char *shortened(const char *sql, char out[SQL_KEPT + 1])
{
	size_t n = strlen(sql);

	if (n <= SQL_KEPT)
		return sql;
	n = SQL_KEPT;
	while (n > 0 && ((unsigned char)sql[n] & 0xC0) == 0x80)
		n--;
	(void)snprintf(out, SQL_KEPT + 1, "%.*s", (int)n, sql);
	return out;
}

static enum outcome apply_charges(struct ledger *l, struct head *head, struct wall_time at, struct request *r, struct error *e)
{
	char relation[RELATION_MAX], sql[SQL_KEPT + 1];
	const int64_t query = head->query + 1;

	for (size_t i = 0; i < r->charges->n; i++) { /* all are checked before any is written (invariant 1) */
		const struct charge *c = &r->charges->items[i];
		enum outcome o = check_one(&l->write, c->budget, c, at, &r->e, e);
		if (o == APPLIED && c->budget->together)
			o = check_one(&l->write, c->budget->together, c, at, &r->e, e);
		if (o != APPLIED)
			return o;
	}
	for (size_t i = 0; i < r->charges->n; i++) {
		const struct charge *c = &r->charges->items[i];
		const struct policy_budget *b = c->budget;
		const bool zcdp = b->accounting == ACCOUNTING_ZCDP;
		struct entry x = { .kind = ENTRY_CHARGE, .query = query, .at = at, .key = { b->owner, relation, b->analyst }, .login = r->entry->user,
				   .accounting = accounting_name(b->accounting), .delta = c->delta, .mechanism = c->mechanism, .text = shortened(r->entry->sql, sql) };
		if (zcdp)
			x.rho = c->rho;
		else
			x.epsilon = c->epsilon;
		(void)snprintf(relation, sizeof(relation), "%s.%s", b->schema, b->table);
		if (!append_entry(&l->write, head, &x, e))
			return BROKEN;
	}
	r->query_id = query;
	return APPLIED;
}

static enum outcome apply_order(struct ledger *l, struct head *head, struct wall_time at, struct request *r, struct error *e)
{
	const struct ledger_order *o = r->order;
	struct entry x = { .kind = o->kind, .at = at, .key = o->key, .login = o->who, .accounting = "", .epsilon = o->epsilon, .delta = o->delta,
			   .mechanism = "", .text = o->reason };

	return append_entry(&l->write, head, &x, e) ? APPLIED : BROKEN;
}

/* Applies all requests of the chain; *changed says whether anything was written.  False: the transaction is broken. */
static bool apply_all(struct ledger *l, struct head *head, struct request *first, bool *changed, struct error *e)
{
	struct wall_time at = clock_now(&l->clock);

	if (at.micros < head->at.micros) /* invariant 5 */
		at = head->at;
	for (struct request *r = first; r; r = r->next) {
		enum outcome o = r->order ? apply_order(l, head, at, r, e) : apply_charges(l, head, at, r, e);
		if (o == BROKEN)
			return false;
		r->ok = o == APPLIED;
		*changed = *changed || r->ok;
	}
	return true;
}

/* One transaction.  *stands: it was committed. */
static bool commit_once(struct ledger *l, const struct anchored *note, struct request *first, struct head *head, bool *stands, struct error *e)
{
	const struct db_ops *ops = l->write.db->ops;
	bool changed = false;

	bool ok = ops->begin(l->write.db, true, e) && store_head(&l->write, head, e) && verify_anchor(&l->write, head, l->anchor, note, e);
	if (ok) {
		head->before = l->anchor ? note->total : head->total;
		ok = apply_all(l, head, first, &changed, e);
	}
	*stands = ok && changed && store_set_head(&l->write, head, e) && ops->commit(l->write.db, e);
	ops->rollback(l->write.db);
	return ok && (*stands || !changed);
}

static bool commit_all(struct ledger *l, struct request *first, struct error *e)
{
	struct anchored note = { 0 };
	struct head head = { 0 };
	bool ok = false, stands = false;

	if (l->anchor && !anchor_enter(l->anchor, &note, e))
		return false;
	for (int i = 0; !ok && i < TRIES_MAX && (i == 0 || l->write.db->again); i++)
		ok = commit_once(l, &note, first, &head, &stands, e);
	if (stands && l->anchor)
		ok = anchor_write(l->anchor, &head, e);
	if (l->anchor)
		anchor_leave(l->anchor);
	return ok;
}

/* Called and left with the queue locked; meanwhile it is open for others to join. */
static void lead(struct ledger *l)
{
	struct request *first = l->first, *last = first;
	struct error e = ERROR_INIT;

	for (int n = 1; last->next && n < BATCH_MAX; n++)
		last = last->next;
	l->first = last->next;
	if (!l->first)
		l->last = NULL;
	last->next = NULL;
	(void)pthread_mutex_unlock(&l->queue_lock);
	bool ok = commit_all(l, first, &e);
	(void)pthread_mutex_lock(&l->queue_lock);
	for (struct request *r = first, *next; r; r = next) {
		next = r->next; /* r is its thread's again once it is done */
		if (!ok) {
			r->ok = false;
			r->e = e;
		}
		r->done = true;
		(void)pthread_cond_signal(&r->wake);
	}
	if (l->first) {
		l->first->leads = true;
		(void)pthread_cond_signal(&l->first->wake);
	} else {
		l->busy = false;
	}
}

void commit_request(struct ledger *l, struct request *r)
{
	(void)pthread_cond_init(&r->wake, NULL);
	(void)pthread_mutex_lock(&l->queue_lock);
	if (l->last)
		l->last->next = r;
	else
		l->first = r;
	l->last = r;
	if (!l->busy)
		l->busy = r->leads = true;
	while (!r->done && !r->leads)
		(void)pthread_cond_wait(&r->wake, &l->queue_lock);
	if (!r->done) /* who leads is first in the queue */
		lead(l);
	(void)pthread_mutex_unlock(&l->queue_lock);
	(void)pthread_cond_destroy(&r->wake);
}
