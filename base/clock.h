/* Time as a seam: the daemon passes the system clock, tests pass their own. */
#ifndef NG_BASE_CLOCK_H
#define NG_BASE_CLOCK_H

#include "base/compiler.h"

struct wall_time {
	int64_t micros; /* since 1970-01-01 UTC */
};

struct span {
	int64_t nanos; /* a duration, from the monotonic clock */
};

struct clock {
	struct wall_time (*now)(void *ctx);
	void *ctx;
};

/* The system's real-time clock. */
struct clock clock_system(void);
struct wall_time clock_now(const struct clock *c);

/* Monotonic time since an arbitrary start, for measuring and timeouts. */
struct span clock_monotonic(void);

/* Civil date in UTC of a wall time. */
struct civil {
	int year, month, day, hour, minute, second; /* month, day from 1 */
	int weekday;                                /* 0 Sunday .. 6 */
};
struct civil civil_from_wall(struct wall_time t);
struct wall_time wall_from_civil(struct civil c); /* weekday is ignored */

enum { WALL_TEXT = 32 };

/* "2026-11-20T22:47:09.123456Z" into out (WALL_TEXT bytes). */
void wall_text(struct wall_time t, char *out);

#endif
