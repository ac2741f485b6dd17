/* Inside of the server, shared by listen.c, loop.c, worker.c and server.c. */
#ifndef NG_PROXY_LOOP_H
#define NG_PROXY_LOOP_H

#include "policies/policy.h"
#include "proxy/session.h"

#include <pthread.h>

enum { LISTENERS_MAX = 8, WORKERS_MAX = 256, WORKER_STACK = 16 << 20, LOGIN_SPARE = 256 };

/* Sessions with something to do, first come first served. */
struct queue {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct session *first, *last;
	bool closed;
};

struct server;

struct worker {
	struct server *server;
	struct queue *queue;
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;
	struct session *current; /* under lock: what it runs now, for deadlines */
};

struct server {
	struct session_host host;
	const struct policy_server *policy;
	int listeners[LISTENERS_MAX];
	size_t n_listeners;
	int port;
	bool accepting; /* false for a moment when descriptors run out */
	int epoll, event;
	atomic_bool stop;

	pthread_mutex_t lock; /* the list, its counters, owner and doom of every session */
	struct session *sessions;
	atomic_size_t n_sessions; /* changed under lock, read anywhere */
	uint64_t last_id;

	struct queue work, logins;
	struct worker *workers; /* the last one serves logins */
	size_t n_workers;
};

/* --- listen.c --- */
MUST_CHECK bool listen_open(struct server *s, struct error *e);
void listen_accept(struct server *s, int listener);
void listen_close(struct server *s);

/* --- loop.c --- */
/* Waits, hands sessions over, ends idle ones; returns when stopped and no session is left. */
void loop_run(struct server *s);
/* A new session enters the list and waits for its first byte.  False: it does not (the caller frees it). */
MUST_CHECK bool loop_add(struct server *s, struct session *one);
/* A worker gives a session back, or ends it. */
void loop_park(struct server *s, struct session *one, bool for_write);
void loop_end(struct server *s, struct session *one);
/* Whoever owns a session lets a worker run it. */
void loop_queue(struct server *s, struct session *one);
/* Makes the loop look at stop and deadlines.  Async-signal-safe. */
void loop_wake(struct server *s);

/* --- worker.c --- */
MUST_CHECK bool queue_open(struct queue *q);
void queue_close(struct queue *q); /* lets its workers go */
void queue_free(struct queue *q);
void queue_put(struct queue *q, struct session *one);
MUST_CHECK bool worker_start(struct worker *w, size_t stack);
void worker_join(struct worker *w);
/* Cancels what ran past its deadline; the nearest deadline ahead, or INT64_MAX. */
int64_t worker_check_deadline(struct worker *w, int64_t now);

#endif
