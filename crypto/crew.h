/*
 * An ordered pipeline: one thread fills jobs, others work on them, the first gets them back in the order in which it gave them.  A fixed number of
 * jobs circulates, so memory stays bounded and a slow end holds back the fast one.
 */
#ifndef NG_CRYPTO_CREW_H
#define NG_CRYPTO_CREW_H

#include "base/error.h"

enum { CREW_MAX = 16 };

struct crew;

/* Works on a job with what belongs to the calling thread alone. */
typedef void (*crew_work)(void *worker, void *job);

/* One thread for each of workers[0..n_workers), at most CREW_MAX; both arrays must live until crew_stop. */
MUST_CHECK bool crew_start(struct crew **out, crew_work work, void *const *workers, size_t n_workers, void *const *jobs, size_t n_jobs, struct error *e);

/* The next job to fill, NULL when all are out.  crew_give sends it on. */
void *crew_idle(struct crew *c);
void crew_give(struct crew *c);

/* Waits for the oldest job that was given, NULL when none is out.  crew_back makes it idle again. */
void *crew_take(struct crew *c);
void crew_back(struct crew *c);

/* Ends the threads when they have finished what they work on; what else was given is not worked on.  NULL is fine. */
void crew_stop(struct crew *c);

#endif
