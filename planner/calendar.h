/* Days and microseconds of the proleptic Gregorian calendar, for constants at plan time only; values of data never pass here. */
#ifndef NG_PLANNER_CALENDAR_H
#define NG_PLANNER_CALENDAR_H

#include "base/arena.h"

#define MICROS_PER_DAY ((int64_t)86400000000)

struct civil {
	int year, month, day; /* month and day from 1 */
};

/* Days since 1970-01-01, and back. */
int64_t calendar_days(struct civil c);
struct civil calendar_civil(int64_t days);
int calendar_month_days(int year, int month);

/* "YYYY-MM-DD" or "YYYY-MM-DD HH:MM[:SS[.ffffff]]" without a zone, as microseconds since 1970-01-01 00:00.  False for anything else. */
MUST_CHECK bool calendar_read(const char *text, int64_t *micros);

/* In PostgreSQL's ISO style: "2026-01-31", "2026-01-31 12:30:00[.5]".  NULL without memory, or outside the years 1..9999. */
const char *calendar_date(struct arena *a, int64_t days);
const char *calendar_timestamp(struct arena *a, int64_t micros);

/* date_trunc for units from second to year (weeks begin on Monday).  False for other units. */
MUST_CHECK bool calendar_trunc(const char *unit, int64_t micros, int64_t *out);

/* The start of the unit behind this one (micros is a start). */
MUST_CHECK bool calendar_next(const char *unit, int64_t micros, int64_t *out);

/* Months first (the day of month is kept, or the month's last), then days and microseconds, as PostgreSQL adds an interval.  False outside the years 1..9999. */
MUST_CHECK bool calendar_add(int64_t micros, int64_t months, int64_t days, int64_t extra, int64_t *out);

#endif
