#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static struct wall_time system_now(void *ctx UNUSED)
{
	struct timespec ts;

	BUG_IF(clock_gettime(CLOCK_REALTIME, &ts) != 0);
	return (struct wall_time){ (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000 };
}

struct clock clock_system(void)
{
	return (struct clock){ .now = system_now };
}

struct wall_time clock_now(const struct clock *c)
{
	return c->now(c->ctx);
}

struct span clock_monotonic(void)
{
	struct timespec ts;

	BUG_IF(clock_gettime(CLOCK_MONOTONIC, &ts) != 0);
	return (struct span){ (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec };
}

static time_t whole_seconds(struct wall_time t)
{
	return (time_t)(t.micros >= 0 ? t.micros / 1000000 : -((-t.micros + 999999) / 1000000));
}

struct civil civil_from_wall(struct wall_time t)
{
	time_t s = whole_seconds(t);
	struct tm tm;

	BUG_IF(gmtime_r(&s, &tm) == NULL);
	return (struct civil){ .year = tm.tm_year + 1900, .month = tm.tm_mon + 1, .day = tm.tm_mday,
			       .hour = tm.tm_hour, .minute = tm.tm_min, .second = tm.tm_sec, .weekday = tm.tm_wday };
}

struct wall_time wall_from_civil(struct civil c)
{
	struct tm tm = { .tm_year = c.year - 1900, .tm_mon = c.month - 1, .tm_mday = c.day,
			 .tm_hour = c.hour, .tm_min = c.minute, .tm_sec = c.second };

	return (struct wall_time){ (int64_t)timegm(&tm) * 1000000 };
}

void wall_text(struct wall_time t, char *out)
{
	struct civil c = civil_from_wall(t);
	int64_t micros = t.micros - (int64_t)whole_seconds(t) * 1000000;

	(void)snprintf(out, WALL_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", c.year, c.month, c.day, c.hour, c.minute,
		       c.second, (int)micros);
}
