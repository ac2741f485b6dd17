/* Refresh windows in UTC, each from 00:00: days, weeks from a weekday on, months from a day on. */
#ifndef NG_BUDGET_WINDOW_H
#define NG_BUDGET_WINDOW_H

#include "base/clock.h"
#include "policies/policy.h"

struct window {
	struct wall_time start, end; /* end 0: never refreshes; then start is 0 too */
};

/* day: of a weekly window 1 Monday .. 7 Sunday, of a monthly one 1..28; 0 is taken as 1. */
struct window window_at(enum refresh refresh, int day, struct wall_time now);

#endif
