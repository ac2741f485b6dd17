/*
 * A bounded set of server connections, shared by all worker threads.  A connection belongs to a key (a login role) for its whole life and is lent
 * to one thread at a time.  When all are lent, takers wait until one comes back, or until they are cancelled.
 */
#ifndef NG_PROXY_POOL_H
#define NG_PROXY_POOL_H

#include "base/clock.h"
#include "proxy/pgtalk.h"

struct pool; /* thread-safe */

/* Opens a connection for key; the pool calls it without holding its lock. */
struct pool_opener {
	bool (*open)(void *ctx, const char *key, const struct patience *p, PGconn **out, struct error *e);
	void *ctx;
};

struct pool_item {
	PGconn *pg;
	char *key;
	char *applied;   /* the owner's note on the state that the connection is in, NULL when fresh; freed with mem_free */
	bool fresh;      /* opened for this lease, not reused */
	bool lent;
	unsigned generation;
	struct span used; /* when it was last given back */
};

MUST_CHECK bool pool_open(size_t max, struct pool_opener opener, struct pool **out, struct error *e);
void pool_close(struct pool *p); /* nothing may be lent; NULL is fine */

/*
 * Lends a connection that looks alive, opening one when needed.  ERR_CANCELLED when cancelled while waiting; ERR_TOO_MANY after
 * patience->timeout_ms; else what the opener says.
 */
MUST_CHECK bool pool_take(struct pool *p, const char *key, const struct patience *patience, struct pool_item **out, struct error *e);

/* Gives it back; healthy false closes it. */
void pool_give(struct pool *p, struct pool_item *item, bool healthy);

/* Closes what is idle, and what is lent as soon as it comes back: the server behind the pool is another one now. */
void pool_renew(struct pool *p);

#endif
