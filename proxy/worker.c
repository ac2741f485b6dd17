#include "proxy/loop.h"

#include "proxy/wire_limits.h"

#include <signal.h>

bool queue_open(struct queue *q)
{
	*q = (struct queue){ .first = NULL };
	if (pthread_mutex_init(&q->lock, NULL) != 0)
		return false;
	if (pthread_cond_init(&q->wake, NULL) == 0)
		return true;
	(void)pthread_mutex_destroy(&q->lock);
	return false;
}

void queue_free(struct queue *q)
{
	(void)pthread_cond_destroy(&q->wake);
	(void)pthread_mutex_destroy(&q->lock);
}

void queue_close(struct queue *q)
{
	(void)pthread_mutex_lock(&q->lock);
	q->closed = true;
	(void)pthread_cond_broadcast(&q->wake);
	(void)pthread_mutex_unlock(&q->lock);
}

void queue_put(struct queue *q, struct session *one)
{
	one->queued = NULL;
	(void)pthread_mutex_lock(&q->lock);
	if (q->last)
		q->last->queued = one;
	else
		q->first = one;
	q->last = one;
	(void)pthread_cond_signal(&q->wake);
	(void)pthread_mutex_unlock(&q->lock);
}

/* Waits for a session; NULL when the queue is closed and empty. */
static struct session *queue_take(struct queue *q)
{
	(void)pthread_mutex_lock(&q->lock);
	while (!q->first && !q->closed)
		(void)pthread_cond_wait(&q->wake, &q->lock);
	struct session *one = q->first;
	if (one) {
		q->first = one->queued;
		if (!q->first)
			q->last = NULL;
	}
	(void)pthread_mutex_unlock(&q->lock);
	return one;
}

static void set_current(struct worker *w, struct session *one)
{
	(void)pthread_mutex_lock(&w->lock);
	w->current = one;
	(void)pthread_mutex_unlock(&w->lock);
}

int64_t worker_check_deadline(struct worker *w, int64_t now)
{
	int64_t deadline = INT64_MAX;

	(void)pthread_mutex_lock(&w->lock);
	if (w->current) {
		int64_t at = atomic_load(&w->current->deadline);
		if (at != 0 && at <= now)
			cancel_raise(&w->current->cancel, CANCEL_BY_TIMEOUT);
		else if (at != 0)
			deadline = at;
	}
	(void)pthread_mutex_unlock(&w->lock);
	return deadline;
}

static void run(struct worker *w, struct session *one, struct wr *out, struct arena *arena)
{
	enum turn turn = TURN_END;

	if (one->doom != DOOM_NONE) {
		session_doomed(one, out);
	} else {
		set_current(w, one);
		turn = session_turn(one, out, arena);
		set_current(w, NULL); /* before anybody else may have it */
	}
	/* a writer that ran full or out of memory is of no more use */
	if (out->bad) {
		wr_free(out);
		wr_init_heap(out, WIRE_MAX_OUT);
	}
	switch (turn) {
	case TURN_WAIT_READ:
		loop_park(w->server, one, false);
		break;
	case TURN_WAIT_WRITE:
		loop_park(w->server, one, true);
		break;
	case TURN_MORE:
		loop_queue(w->server, one);
		break;
	case TURN_END:
		loop_end(w->server, one);
		break;
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct wr out;
	struct arena arena;
	struct session *one;
	sigset_t all;

	(void)sigfillset(&all); /* signals are the main thread's */
	(void)pthread_sigmask(SIG_BLOCK, &all, NULL);
	wr_init_heap(&out, WIRE_MAX_OUT);
	arena_init(&arena, QUERY_ARENA_CAP);
	while ((one = queue_take(w->queue)) != NULL)
		run(w, one, &out, &arena);
	wr_free(&out);
	arena_reset(&arena);
	return NULL;
}

bool worker_start(struct worker *w, size_t stack)
{
	pthread_attr_t attr;

	if (pthread_attr_init(&attr) != 0)
		return false;
	bool good = pthread_mutex_init(&w->lock, NULL) == 0;
	if (good && (pthread_attr_setstacksize(&attr, stack) != 0 || pthread_create(&w->thread, &attr, worker_main, w) != 0)) {
		(void)pthread_mutex_destroy(&w->lock);
		good = false;
	}
	(void)pthread_attr_destroy(&attr);
	w->running = good;
	return good;
}

void worker_join(struct worker *w)
{
	if (!w->running)
		return;
	(void)pthread_join(w->thread, NULL);
	(void)pthread_mutex_destroy(&w->lock);
	w->running = false;
}
