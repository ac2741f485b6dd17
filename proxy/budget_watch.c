#include "proxy/budget_watch.h"

#include "base/log.h"

enum { ORDERS_BYTES_MAX = 64 << 20 };

/* Entries come newest first; orders are few. */
struct found {
	struct arena arena;
	struct order {
		const struct order *newer;
		struct entry entry;
	} *oldest;
	int64_t seen, newest; /* entries up to seen are known; the first one met is the newest */
	int64_t rows;
	bool whole;           /* all behind seen were met */
	bool no_memory;
};

static bool keep(struct found *f, const struct entry *x)
{
	struct order *o = arena_new(&f->arena, struct order);

	if (!o)
		return false;
	o->entry = *x;
	o->entry.key.owner = arena_strdup(&f->arena, x->key.owner);
	o->entry.key.relation = arena_strdup(&f->arena, x->key.relation);
	o->entry.key.analyst = arena_strdup(&f->arena, x->key.analyst);
	o->entry.login = arena_strdup(&f->arena, x->login);
	o->entry.text = arena_strdup(&f->arena, x->text);
	o->newer = f->oldest;
	f->oldest = o;
	return o->entry.key.owner && o->entry.key.relation && o->entry.key.analyst && o->entry.login && o->entry.text;
}

static bool each(void *ctx, const struct entry *x)
{
	struct found *f = ctx;

	if (f->newest < x->seq)
		f->newest = x->seq;
	f->rows++;
	f->whole = x->seq <= f->seen + 1;
	if (x->seq <= f->seen)
		return false;
	if (x->kind != ENTRY_CHARGE && f->seen >= 0)
		f->no_memory = !keep(f, x);
	return !f->no_memory;
}

static bool record(struct audit *a, const struct entry *x, struct error *e)
{
	struct wr w;

	wr_init_heap(&w, AUDIT_BODY_MAX);
	audit_put_text(&w, AUDIT_FIELD_USER, x->login);
	audit_put_text(&w, AUDIT_FIELD_OWNER, x->key.owner);
	audit_put_text(&w, AUDIT_FIELD_ACCOUNT, x->key.relation);
	audit_put_text(&w, AUDIT_FIELD_ANALYST, x->key.analyst);
	audit_put_number(&w, AUDIT_FIELD_EPSILON, x->epsilon.pico);
	audit_put_number(&w, AUDIT_FIELD_RHO, x->rho.pico);
	audit_put_number(&w, AUDIT_FIELD_DELTA, x->delta.atto);
	audit_put_number(&w, AUDIT_FIELD_LEDGER_ENTRY, (uint64_t)x->seq);
	audit_put_text(&w, AUDIT_FIELD_OPERATION, entry_kind_name(x->kind));
	audit_put_text(&w, AUDIT_FIELD_REASON, x->text);
	bool ok = audit_append(a, AUDIT_BUDGET, &w, NULL, e);
	wr_free(&w);
	return ok;
}

/* The ledger's newest entry; 0 when there is none. */
static bool newest(struct budget_watch *w, int64_t *out, struct error *e)
{
	struct found f = { .seen = -1 };
	bool ok = ledger_entries(w->ledger, NULL, NULL, 1, each, &f, e);

	*out = f.newest;
	return ok;
}

/* Everything behind w->seen in one look, as others write meanwhile: read again, further back, until it reaches what is known. */
static bool find(struct budget_watch *w, struct found *f, struct error *e)
{
	bool ok = true;

	f->whole = false;
	for (int64_t n = 1; ok && !f->whole; n *= 8) {
		arena_reset(&f->arena);
		*f = (struct found){ .arena = f->arena, .seen = w->seen };
		ok = ledger_entries(w->ledger, NULL, NULL, n, each, f, e) && (!f->no_memory || fail_memory(e));
		f->whole = f->whole || f->rows < n; /* fewer than asked for: there are no more */
	}
	return ok;
}

/* What came since; on failure it is looked at again. */
static bool look(struct budget_watch *w, struct error *e)
{
	struct found f = { .seen = w->seen };

	arena_init(&f.arena, ORDERS_BYTES_MAX);
	bool ok = find(w, &f, e);
	if (ok && f.newest < w->seen) { /* another ledger, made anew: all of it is news */
		w->seen = 0;
		ok = find(w, &f, e);
	}
	for (const struct order *o = f.oldest; ok && o; o = o->newer) {
		ok = record(w->audit, &o->entry, e);
		w->seen = ok ? o->entry.seq : w->seen;
	}
	w->seen = ok ? f.newest : w->seen;
	arena_reset(&f.arena);
	return ok;
}

static void news(void *ctx)
{
	struct budget_watch *w = ctx;
	struct error e = ERROR_INIT;

	pthread_mutex_lock(&w->lock);
	bool ok = look(w, &e);
	pthread_mutex_unlock(&w->lock);
	if (!ok)
		log_error("operators' decisions could not be read into the audit log", &e);
}

static bool newest_charge(void *ctx, const struct history_row *row)
{
	int64_t *query = ctx;

	*query = row->query_id;
	return false;
}

/*
 * An older copy of the ledger, or a new one, lacks charges that the log holds.  An anchor would have refused it; without one this is all that can be seen, and the
 * operator may have meant it: it is said, loudly, and not refused.
 */
static bool compare(struct budget_watch *w, struct error *e)
{
	const int64_t charged = (int64_t)audit_charged(w->audit), noted = (int64_t)audit_noted(w->audit);
	int64_t head, query = 0;

	if (ledger_is_anchored(w->ledger))
		return true;
	if (!newest(w, &head, e) || !ledger_history(w->ledger, NULL, NULL, 1, newest_charge, &query, e))
		return false;
	if (query < charged || head < noted)
		log_event(LOG_ERROR, "the ledger lacks charges that the audit log holds: it is an old copy, or another ledger, and what was spent since is forgotten",
			  LOG_NUM("ledger_query", query), LOG_NUM("audit_query", charged), LOG_NUM("ledger_entry", head), LOG_NUM("audit_entry", noted));
	return true;
}

bool budget_watch_start(struct budget_watch *w, struct ledger *l, struct audit *a, struct error *e)
{
	*w = (struct budget_watch){ .lock = PTHREAD_MUTEX_INITIALIZER, .ledger = l, .audit = a, .seen = (int64_t)audit_noted(a) };
	if (!compare(w, e))
		return false;
	if (w->seen == 0 ? !newest(w, &w->seen, e) : !look(w, e))
		return false;
	audit_watch(a, news, w);
	return true;
}

bool budget_watch_use(struct budget_watch *w, struct ledger *l, struct error *e)
{
	struct budget_watch other = { .ledger = l };
	int64_t seen;

	if (!newest(&other, &seen, e))
		return false;
	pthread_mutex_lock(&w->lock);
	w->ledger = l;
	w->seen = seen;
	pthread_mutex_unlock(&w->lock);
	return true;
}
