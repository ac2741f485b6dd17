#include "base/wait.h"

#include <time.h>

void wait_init(pthread_cond_t *c)
{
	pthread_condattr_t a;

	BUG_IF(pthread_condattr_init(&a) != 0 || pthread_condattr_setclock(&a, CLOCK_MONOTONIC) != 0 || pthread_cond_init(c, &a) != 0);
	(void)pthread_condattr_destroy(&a);
}

void wait_nanos(pthread_cond_t *c, pthread_mutex_t *held, int64_t nanos)
{
	enum { SECOND = 1000000000 };
	struct timespec until;

	BUG_IF(clock_gettime(CLOCK_MONOTONIC, &until) != 0);
	nanos += until.tv_nsec;
	until.tv_sec += nanos / SECOND;
	until.tv_nsec = nanos % SECOND;
	(void)pthread_cond_timedwait(c, held, &until);
}
