#include "proxy/pool.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/wait.h"

#include <pthread.h>

enum { WAIT_SLICE_NANOS = 25000000 };

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t given;
	struct pool_opener opener;
	unsigned generation;
	size_t max;
	struct pool_item *items; /* [max]; free slots have key NULL */
};

bool pool_open(size_t max, struct pool_opener opener, struct pool **out, struct error *e)
{
	struct pool *p = mem_alloc(1, sizeof(*p));

	if (!p || !(p->items = mem_alloc(max, sizeof(*p->items)))) {
		mem_free(p);
		return fail_memory(e);
	}
	p->max = max;
	p->opener = opener;
	pthread_mutex_init(&p->lock, NULL);
	wait_init(&p->given);
	*out = p;
	return true;
}

/* Leaves `lent` alone: only that field of a lent item is read by other threads, so only the lock's holder may write it. */
static void item_close(struct pool_item *i)
{
	PQfinish(i->pg);
	mem_free(i->key);
	mem_free(i->applied);
	i->pg = NULL;
	i->key = i->applied = NULL;
}

void pool_close(struct pool *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->max; i++) {
		BUG_IF(p->items[i].lent);
		item_close(&p->items[i]);
	}
	pthread_cond_destroy(&p->given);
	pthread_mutex_destroy(&p->lock);
	mem_free(p->items);
	mem_free(p);
}

/* The connection to lend: one of this key (the last used first, so that the others may age), else a free slot, else the longest idle of another key. */
static struct pool_item *choose(struct pool *p, const char *key)
{
	struct pool_item *mine = NULL, *empty = NULL, *oldest = NULL;

	for (size_t n = 0; n < p->max; n++) {
		struct pool_item *i = &p->items[n];
		if (i->lent)
			continue;
		if (!i->key)
			empty = empty ? empty : i;
		else if (text_eq(i->key, key))
			mine = !mine || i->used.nanos > mine->used.nanos ? i : mine;
		else
			oldest = !oldest || i->used.nanos < oldest->used.nanos ? i : oldest;
	}
	return mine ? mine : empty ? empty : oldest;
}

static void wait_given(struct pool *p)
{
	wait_nanos(&p->given, &p->lock, WAIT_SLICE_NANOS);
}

/* Reserves a slot: returned with lent set, to be filled or given back. */
static bool reserve(struct pool *p, const char *key, const struct patience *patience, struct pool_item **out, struct error *e)
{
	int64_t start = clock_monotonic().nanos;
	bool ok = false;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct pool_item *i = choose(p, key);
		if (i) {
			i->lent = true;
			*out = i;
			ok = true;
			break;
		}
		if (patience->cancelled && atomic_load(patience->cancelled)) {
			fail(e, ERR_CANCELLED, "canceling statement due to user request");
			break;
		}
		if (patience->timeout_ms > 0 && clock_monotonic().nanos - start > (int64_t)patience->timeout_ms * 1000000) {
			fail(e, ERR_TOO_MANY, "all connections behind the proxy are busy");
			error_hint(e, "Try again later, or ask the operator to raise upstream.connections.");
			break;
		}
		wait_given(p);
	}
	pthread_mutex_unlock(&p->lock);
	return ok;
}

bool pool_take(struct pool *p, const char *key, const struct patience *patience, struct pool_item **out, struct error *e)
{
	struct pool_item *i = NULL;

	if (!reserve(p, key, patience, &i, e))
		return false;
	unsigned now = __atomic_load_n(&p->generation, __ATOMIC_ACQUIRE);
	if (i->key && text_eq(i->key, key) && i->generation == now && talk_alive(i->pg)) {
		i->fresh = false;
		*out = i;
		return true;
	}
	item_close(i);
	PGconn *pg = NULL;
	char *copy = mem_strdup(key);
	if (!copy) {
		fail_memory(e);
	} else if (p->opener.open(p->opener.ctx, key, patience, &pg, e)) {
		i->pg = pg;
		i->key = copy;
		i->fresh = true;
		i->generation = now;
		*out = i;
		return true;
	}
	mem_free(copy);
	pool_give(p, i, false);
	return false;
}

void pool_give(struct pool *p, struct pool_item *item, bool healthy)
{
	if (!healthy || item->generation != __atomic_load_n(&p->generation, __ATOMIC_ACQUIRE))
		item_close(item);
	pthread_mutex_lock(&p->lock);
	item->used = clock_monotonic();
	item->lent = false;
	pthread_cond_signal(&p->given);
	pthread_mutex_unlock(&p->lock);
}

void pool_renew(struct pool *p)
{
	__atomic_add_fetch(&p->generation, 1, __ATOMIC_ACQ_REL); /* idle ones are closed when they are chosen */
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->max; i++)
		if (!p->items[i].lent)
			item_close(&p->items[i]);
	pthread_mutex_unlock(&p->lock);
}
