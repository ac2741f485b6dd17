/* Refresh windows in UTC: days at 00:00, weeks on Monday, months on the first. */
#ifndef NG_BUDGET_WINDOW_H
#define NG_BUDGET_WINDOW_H

#include "base/clock.h"
#include "policies/policy.h"

struct window {
	struct wall_time start, end; /* end 0: never refreshes; then start is 0 too */
};

struct window window_at(enum refresh refresh, struct wall_time now);

#endif
