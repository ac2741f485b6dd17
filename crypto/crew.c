#include "crypto/crew.h"

#include "base/mem.h"

#include <pthread.h>

struct thread {
	struct crew *crew;
	void *worker;
	pthread_t id;
};

/* (1) back <= begun <= given <= back + n_jobs; job i is slot i % n_jobs.  (2) done[slot] belongs to jobs in back..given. */
struct crew {
	pthread_mutex_t lock;
	pthread_cond_t work_there, job_done;
	crew_work work;
	void *const *jobs;
	bool *done;
	size_t n_jobs;
	uint64_t given, begun, back;
	bool stopping;
	struct thread threads[CREW_MAX];
	size_t n_threads;
};

static void *run(void *arg)
{
	struct thread *t = arg;
	struct crew *c = t->crew;

	(void)pthread_mutex_lock(&c->lock);
	for (;;) {
		while (!c->stopping && c->begun == c->given)
			(void)pthread_cond_wait(&c->work_there, &c->lock);
		if (c->stopping)
			break;
		size_t slot = c->begun++ % c->n_jobs;
		(void)pthread_mutex_unlock(&c->lock);
		c->work(t->worker, c->jobs[slot]);
		(void)pthread_mutex_lock(&c->lock);
		c->done[slot] = true;
		(void)pthread_cond_signal(&c->job_done);
	}
	(void)pthread_mutex_unlock(&c->lock);
	return NULL;
}

bool crew_start(struct crew **out, crew_work work, void *const *workers, size_t n_workers, void *const *jobs, size_t n_jobs, struct error *e)
{
	struct crew *c = mem_alloc(1, sizeof(*c));

	BUG_IF(n_workers < 1 || n_workers > CREW_MAX || n_jobs < 1);
	bool *done = mem_alloc(n_jobs, sizeof(*done));
	if (!c || !done) {
		mem_free(c);
		mem_free(done);
		return fail_memory(e);
	}
	*c = (struct crew){ .work = work, .jobs = jobs, .n_jobs = n_jobs, .done = done };
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_cond_init(&c->work_there, NULL);
	(void)pthread_cond_init(&c->job_done, NULL);
	for (size_t i = 0; i < n_workers; i++) {
		struct thread *t = &c->threads[i];
		*t = (struct thread){ .crew = c, .worker = workers[i] };
		if (pthread_create(&t->id, NULL, run, t) != 0)
			break;
		c->n_threads++;
	}
	if (c->n_threads == 0) { /* fewer than asked for will do */
		crew_stop(c);
		return fail(e, ERR_NO_MEMORY, "could not start a thread");
	}
	*out = c;
	return true;
}

/* given and back are written by the caller's thread only, so it may read them without the lock. */
void *crew_idle(struct crew *c)
{
	return c->given - c->back < c->n_jobs ? c->jobs[c->given % c->n_jobs] : NULL;
}

void crew_give(struct crew *c)
{
	(void)pthread_mutex_lock(&c->lock);
	c->done[c->given % c->n_jobs] = false;
	c->given++;
	(void)pthread_cond_signal(&c->work_there);
	(void)pthread_mutex_unlock(&c->lock);
}

void *crew_take(struct crew *c)
{
	size_t slot = c->back % c->n_jobs;

	if (c->back == c->given)
		return NULL;
	(void)pthread_mutex_lock(&c->lock);
	while (!c->done[slot])
		(void)pthread_cond_wait(&c->job_done, &c->lock);
	(void)pthread_mutex_unlock(&c->lock);
	return c->jobs[slot];
}

void crew_back(struct crew *c)
{
	(void)pthread_mutex_lock(&c->lock);
	c->back++;
	(void)pthread_mutex_unlock(&c->lock);
}

void crew_stop(struct crew *c)
{
	if (!c)
		return;
	(void)pthread_mutex_lock(&c->lock);
	c->stopping = true;
	(void)pthread_cond_broadcast(&c->work_there);
	(void)pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < c->n_threads; i++)
		(void)pthread_join(c->threads[i].id, NULL);
	(void)pthread_cond_destroy(&c->work_there);
	(void)pthread_cond_destroy(&c->job_done);
	(void)pthread_mutex_destroy(&c->lock);
	mem_free(c->done);
	mem_free(c);
}
