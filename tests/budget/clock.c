/* LD_PRELOAD: the system's real-time clock, moved by NOISEGATE_TEST_SHIFT seconds. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *ts)
{
	const char *shift = getenv("NOISEGATE_TEST_SHIFT");
	int rc = (int)syscall(SYS_clock_gettime, id, ts);

	if (rc == 0 && id == CLOCK_REALTIME && shift)
		ts->tv_sec += atol(shift);
	return rc;
}
