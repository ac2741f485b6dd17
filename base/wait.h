/* Waiting on a condition for a while, by the monotonic clock: setting the system's time neither shortens nor prolongs it. */
#ifndef NG_BASE_WAIT_H
#define NG_BASE_WAIT_H

#include "base/compiler.h"

#include <pthread.h>

/* Instead of pthread_cond_init, for a condition that is given to wait_nanos. */
void wait_init(pthread_cond_t *c);

/* Like pthread_cond_timedwait: may return early, and for no reason. */
void wait_nanos(pthread_cond_t *c, pthread_mutex_t *held, int64_t nanos);

#endif
