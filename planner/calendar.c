#include "planner/calendar.h"

#include "base/text.h"

#include <string.h>

static const int64_t second = 1000000, minute = 60000000, hour = 3600000000;

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int calendar_month_days(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	BUG_IF(month < 1 || month > 12);
	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Eras of 400 years that begin on March 1: the leap day is the last of its year. */
int64_t calendar_days(struct civil c)
{
	int64_t y = c.month > 2 ? c.year : c.year - 1;
	int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct civil calendar_civil(int64_t days)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
	int month = (int)(m < 10 ? m + 3 : m - 9);

	return (struct civil){ (int)(y + era * 400) + (month <= 2), month, (int)(of_year - (153 * m + 2) / 5) + 1 };
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* n digits at *s, or -1. */
static int take_digits(const char **s, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if ((*s)[i] < '0' || (*s)[i] > '9')
			return -1;
		v = v * 10 + ((*s)[i] - '0');
	}
	*s += n;
	return v;
}

static bool take_char(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static bool read_clock(const char *s, int64_t *out)
{
	int h = take_digits(&s, 2), m = take_char(&s, ':') ? take_digits(&s, 2) : -1, sec = 0;
	int64_t fraction = 0;

	if (h < 0 || h > 23 || m < 0 || m > 59)
		return false;
	if (take_char(&s, ':')) {
		sec = take_digits(&s, 2);
		if (sec < 0 || sec > 59)
			return false;
		if (take_char(&s, '.')) {
			int64_t unit = second;
			for (int digit; unit > 1 && (digit = take_digits(&s, 1)) >= 0;)
				fraction += digit * (unit /= 10);
		}
	}
	*out = h * hour + m * minute + sec * second + fraction;
	return *s == '\0';
}

bool calendar_read(const char *s, int64_t *micros)
{
	struct civil c = { .year = take_digits(&s, 4) };
	int64_t clock = 0;

	c.month = c.year > 0 && take_char(&s, '-') ? take_digits(&s, 2) : -1;
	c.day = c.month > 0 && take_char(&s, '-') ? take_digits(&s, 2) : -1;
	if (c.month < 1 || c.month > 12 || c.day < 1 || c.day > calendar_month_days(c.year, c.month))
		return false;
	if (*s && ((*s != ' ' && *s != 'T') || !read_clock(s + 1, &clock)))
		return false;
	*micros = calendar_days(c) * MICROS_PER_DAY + clock;
	return true;
}

static bool in_years(const struct civil *c)
{
	return c->year >= 1 && c->year <= 9999;
}

const char *calendar_date(struct arena *a, int64_t days)
{
	struct civil c = calendar_civil(days);

	return in_years(&c) ? arena_printf(a, "%04d-%02d-%02d", c.year, c.month, c.day) : NULL;
}

const char *calendar_timestamp(struct arena *a, int64_t micros)
{
	struct civil c = calendar_civil(floor_div(micros, MICROS_PER_DAY));
	int64_t clock = micros - floor_div(micros, MICROS_PER_DAY) * MICROS_PER_DAY, fraction = clock % second;
	char tail[16] = "";

	if (!in_years(&c))
		return NULL;
	if (fraction) {
		(void)snprintf(tail, sizeof(tail), ".%06lld", (long long)fraction);
		for (size_t n = strlen(tail); tail[n - 1] == '0'; n--)
			tail[n - 1] = '\0';
	}
	return arena_printf(a, "%04d-%02d-%02d %02d:%02d:%02d%s", c.year, c.month, c.day, (int)(clock / hour), (int)(clock / minute % 60),
			    (int)(clock / second % 60), tail);
}

/* Units of a fixed length, in microseconds; 0 for the others. */
static int64_t fixed_length(const char *unit)
{
	static const struct {
		const char *name;
		int64_t length;
	} units[] = { { "second", 1000000 }, { "minute", 60000000 }, { "hour", 3600000000 }, { "day", MICROS_PER_DAY } };

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (text_eq_nocase(unit, units[i].name))
			return units[i].length;
	}
	return 0;
}

static int64_t month_length(const char *unit)
{
	return text_eq_nocase(unit, "month") ? 1 : text_eq_nocase(unit, "quarter") ? 3 : text_eq_nocase(unit, "year") ? 12 : 0;
}

bool calendar_trunc(const char *unit, int64_t micros, int64_t *out)
{
	int64_t length = fixed_length(unit), months = month_length(unit), days = floor_div(micros, MICROS_PER_DAY);
	struct civil c = calendar_civil(days);

	if (length) {
		*out = floor_div(micros, length) * length;
		return true;
	}
	if (text_eq_nocase(unit, "week")) { /* 1970-01-01 was a Thursday */
		*out = (floor_div(days + 3, 7) * 7 - 3) * MICROS_PER_DAY;
		return true;
	}
	if (!months)
		return false;
	c.month = (int)((c.month - 1) / months * months) + 1;
	c.day = 1;
	*out = calendar_days(c) * MICROS_PER_DAY;
	return true;
}

bool calendar_next(const char *unit, int64_t micros, int64_t *out)
{
	int64_t length = fixed_length(unit), months = month_length(unit);

	if (text_eq_nocase(unit, "week"))
		length = 7 * MICROS_PER_DAY;
	if (length) {
		*out = micros + length;
		return true;
	}
	return months && calendar_add(micros, months, 0, 0, out);
}

bool calendar_add(int64_t micros, int64_t months, int64_t days, int64_t extra, int64_t *out)
{
	const int64_t most_months = 12 * 10000, most_days = 366 * 10000, most = most_days * MICROS_PER_DAY;
	int64_t day = floor_div(micros, MICROS_PER_DAY), clock = micros - day * MICROS_PER_DAY;
	struct civil c = calendar_civil(day);

	if (months < -most_months || months > most_months || days < -most_days || days > most_days || extra < -most || extra > most)
		return false;
	int64_t count = (int64_t)c.year * 12 + c.month - 1 + months;
	c.year = (int)floor_div(count, 12);
	c.month = (int)(count - (int64_t)c.year * 12) + 1;
	if (!in_years(&c))
		return false;
	int last = calendar_month_days(c.year, c.month);
	c.day = c.day > last ? last : c.day;
	*out = (calendar_days(c) + days) * MICROS_PER_DAY + clock + extra;
	c = calendar_civil(floor_div(*out, MICROS_PER_DAY));
	return in_years(&c);
}
