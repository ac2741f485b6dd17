#include "proxy/cancel.h"

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/secret.h"

#include <pthread.h>

struct cancels {
	pthread_mutex_t lock;
	struct rng rng;
	struct cancel_entry **buckets;
	size_t n_buckets; /* a power of two */
	int64_t tokens_at; /* monotonic nanos at which the bucket of tokens was counted */
	int64_t tokens;    /* in billionths of a request */
};

bool cancels_open(struct rng rng, size_t sessions, struct cancels **out)
{
	struct cancels *c = mem_alloc(1, sizeof(*c));
	size_t n = 64;

	while (n < sessions && n < (size_t)1 << 20)
		n *= 2;
	if (!c)
		return false;
	c->buckets = mem_alloc(n, sizeof(struct cancel_entry *));
	if (!c->buckets || pthread_mutex_init(&c->lock, NULL) != 0) {
		mem_free(c->buckets);
		mem_free(c);
		return false;
	}
	c->rng = rng;
	c->n_buckets = n;
	c->tokens = (int64_t)CANCELS_BURST * 1000000000;
	c->tokens_at = clock_monotonic().nanos;
	*out = c;
	return true;
}

void cancels_close(struct cancels *c)
{
	if (!c)
		return;
	(void)pthread_mutex_destroy(&c->lock);
	mem_free(c->buckets);
	mem_free(c);
}

static struct cancel_entry **bucket(struct cancels *c, uint32_t pid)
{
	return &c->buckets[pid & (c->n_buckets - 1)]; /* pids are uniform */
}

static struct cancel_entry *find(struct cancels *c, uint32_t pid)
{
	for (struct cancel_entry *e = *bucket(c, pid); e; e = e->next) {
		if (e->pid == pid)
			return e;
	}
	return NULL;
}

bool cancels_add(struct cancels *c, struct cancel_entry *entry, size_t key_length)
{
	uint32_t pid = 0;
	bool good;

	BUG_IF(key_length > WIRE_KEY_MAX || entry->pid != 0);
	(void)pthread_mutex_lock(&c->lock);
	good = rng_fill(&c->rng, entry->key, key_length);
	while (good && (pid == 0 || find(c, pid))) {
		good = rng_fill(&c->rng, &pid, sizeof(pid));
		pid &= INT32_MAX; /* clients print it signed */
	}
	if (good) {
		entry->pid = pid;
		entry->key_length = key_length;
		entry->next = *bucket(c, pid);
		*bucket(c, pid) = entry;
	}
	(void)pthread_mutex_unlock(&c->lock);
	return good;
}

void cancels_remove(struct cancels *c, struct cancel_entry *entry)
{
	if (entry->pid == 0)
		return;
	(void)pthread_mutex_lock(&c->lock);
	for (struct cancel_entry **at = bucket(c, entry->pid); *at; at = &(*at)->next) {
		if (*at == entry) {
			*at = entry->next;
			break;
		}
	}
	(void)pthread_mutex_unlock(&c->lock);
	entry->pid = 0;
	mem_wipe(entry->key, sizeof(entry->key));
}

/* Takes one token; false when requests come too fast. */
static bool take_token(struct cancels *c)
{
	const int64_t one = 1000000000, full = (int64_t)CANCELS_BURST * one;
	int64_t now = clock_monotonic().nanos;
	int64_t passed = now - c->tokens_at;

	c->tokens_at = now;
	if (passed > (int64_t)10 * one)
		passed = (int64_t)10 * one;
	c->tokens += passed * CANCELS_PER_SECOND;
	if (c->tokens > full)
		c->tokens = full;
	if (c->tokens < one)
		return false;
	c->tokens -= one;
	return true;
}

static bool same_key(const struct cancel_entry *entry, const struct cancel_msg *m)
{
	return m->key_length == entry->key_length && secret_equal(entry->key, m->key, m->key_length);
}

void cancels_request(struct cancels *c, const struct cancel_msg *m)
{
	(void)pthread_mutex_lock(&c->lock);
	if (take_token(c)) {
		struct cancel_entry *entry = find(c, m->pid);
		if (entry && same_key(entry, m))
			cancel_raise(entry, CANCEL_BY_USER);
	}
	(void)pthread_mutex_unlock(&c->lock);
}

void cancel_raise(struct cancel_entry *entry, enum cancel_reason reason)
{
	int none = CANCEL_NONE;

	(void)atomic_compare_exchange_strong(&entry->reason, &none, (int)reason);
	atomic_store(&entry->cancelled, true);
}

void cancel_clear(struct cancel_entry *entry)
{
	atomic_store(&entry->cancelled, false);
	atomic_store(&entry->reason, CANCEL_NONE);
}
