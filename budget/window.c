#include "budget/window.h"

struct window window_at(enum refresh refresh, int day_of, struct wall_time now)
{
	const int64_t day = INT64_C(86400) * 1000000;
	struct civil c = civil_from_wall(now);
	struct window w = { { 0 }, { 0 } };
	const int first = day_of > 0 ? day_of : 1;

	c.hour = c.minute = c.second = 0;
	switch (refresh) {
	case REFRESH_NONE:
		break;
	case REFRESH_DAILY:
		w.start = wall_from_civil(c);
		w.end.micros = w.start.micros + day;
		break;
	case REFRESH_WEEKLY:
		w.start.micros = wall_from_civil(c).micros - day * ((c.weekday + 7 - first % 7) % 7);
		w.end.micros = w.start.micros + 7 * day;
		break;
	case REFRESH_MONTHLY:
		if (c.day < first) { /* the window began in the month before */
			c.year -= c.month == 1;
			c.month = c.month == 1 ? 12 : c.month - 1;
		}
		c.day = first;
		w.start = wall_from_civil(c);
		c.year += c.month == 12;
		c.month = c.month % 12 + 1;
		w.end = wall_from_civil(c);
		break;
	}
	return w;
}
