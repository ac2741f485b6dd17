#include "planner/types.h"

#include "base/bytes.h"
#include "base/text.h"

static const struct {
	uint32_t oid;
	enum sql_type type;
} oids[] = {
	{ 16, TYPE_BOOL },	{ 20, TYPE_INT8 },   { 21, TYPE_INT2 },	      { 23, TYPE_INT4 },	{ 25, TYPE_TEXT },
	{ 701, TYPE_FLOAT8 },	{ 1082, TYPE_DATE }, { 1114, TYPE_TIMESTAMP }, { 1184, TYPE_TIMESTAMPTZ }, { 1700, TYPE_NUMERIC },
	{ 2950, TYPE_UUID },	/* spellings of the same values from here on: type_oid() takes the first */
	{ 19, TYPE_TEXT },	{ 700, TYPE_FLOAT8 }, { 705, TYPE_TEXT },      { 1042, TYPE_TEXT },	{ 1043, TYPE_TEXT },
};

uint32_t type_oid(enum sql_type t)
{
	for (size_t i = 0; i < ARRAY_LEN(oids); i++) {
		if (oids[i].type == t)
			return oids[i].oid;
	}
	BUG_IF(true);
}

bool type_from_oid(uint32_t oid, enum sql_type *out)
{
	for (size_t i = 0; i < ARRAY_LEN(oids); i++) {
		if (oids[i].oid == oid) {
			*out = oids[i].type;
			return true;
		}
	}
	return false;
}

bool type_is_integer(enum sql_type t)
{
	return t == TYPE_INT2 || t == TYPE_INT4 || t == TYPE_INT8;
}

struct decimal type_lowest(enum sql_type t)
{
	return (struct decimal){ t == TYPE_INT2 ? INT16_MIN : t == TYPE_INT4 ? INT32_MIN : (i128)INT64_MIN, 0 };
}

struct decimal type_highest(enum sql_type t)
{
	return (struct decimal){ t == TYPE_INT2 ? INT16_MAX : t == TYPE_INT4 ? INT32_MAX : (i128)INT64_MAX, 0 };
}

/* Exactly n digits at *s, advanced; their value in *out. */
static bool digits(const char **s, int n, int *out)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		char c = (*s)[i];
		if (c < '0' || c > '9')
			return false;
		v = v * 10 + (c - '0');
	}
	*s += n;
	*out = v;
	return true;
}

static bool literal_char(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static bool read_date(const char **s)
{
	static const int month_days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year, month, day;

	if (!digits(s, 4, &year) || !literal_char(s, '-') || !digits(s, 2, &month) || !literal_char(s, '-') || !digits(s, 2, &day))
		return false;
	if (year < 1 || month < 1 || month > 12 || day < 1)
		return false;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return day <= month_days[month - 1] + (month == 2 && leap);
}

/* [T ]HH:MM[:SS[.f{1,6}]], optional as a whole: a date alone is midnight. */
static bool read_time(const char **s)
{
	int hour, minute, second = 0;

	if (**s != ' ' && **s != 'T')
		return true;
	(*s)++;
	if (!digits(s, 2, &hour) || !literal_char(s, ':') || !digits(s, 2, &minute))
		return false;
	if (**s == ':') {
		(*s)++;
		if (!digits(s, 2, &second))
			return false;
		if (**s == '.') {
			(*s)++;
			int n = 0, ignored;
			while (n < 6 && digits(s, 1, &ignored))
				n++;
			if (n == 0)
				return false;
		}
	}
	return hour < 24 && minute < 60 && second < 60;
}

/* Z, +HH or +HH:MM. */
static bool read_zone(const char **s)
{
	int hour, minute = 0;

	if (literal_char(s, 'Z'))
		return true;
	if (!literal_char(s, '+') && !literal_char(s, '-'))
		return false;
	if (!digits(s, 2, &hour))
		return false;
	if (**s == ':') {
		(*s)++;
		if (!digits(s, 2, &minute))
			return false;
	}
	return hour <= 14 && minute < 60;
}

static bool read_uuid(const char *s)
{
	size_t i = 0;

	for (; s[i]; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		bool hex = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f') || (s[i] >= 'A' && s[i] <= 'F');
		if (dash ? s[i] != '-' : !hex)
			return false;
	}
	return i == 36;
}

static const char *read_bool(const char *s)
{
	static const char *const truths[] = { "true", "t", "yes", "y", "on", "1" };
	static const char *const lies[] = { "false", "f", "no", "n", "off", "0" };

	for (size_t i = 0; i < ARRAY_LEN(truths); i++) {
		if (text_eq_nocase(s, truths[i]))
			return "true";
		if (text_eq_nocase(s, lies[i]))
			return "false";
	}
	return NULL;
}

static const char *read_number(struct arena *a, enum sql_type t, const char *s)
{
	struct decimal d;
	struct wr w;
	int64_t i;

	if (type_is_integer(t)) {
		if (!number_i64(s, (int64_t)type_lowest(t).digits, (int64_t)type_highest(t).digits, &i))
			return NULL;
		return arena_printf(a, "%lld", (long long)i);
	}
	if (!decimal_parse(s, &d))
		return NULL;
	wr_init(&w, a, 256);
	decimal_put(&w, d);
	return wr_ok(&w) ? wr_text(&w) : NULL;
}

bool type_read(struct arena *a, enum sql_type t, const char *text, const char **canonical, struct error *e)
{
	const char *s = text, *changed = NULL;
	bool as_is = t == TYPE_TEXT; /* the text itself is canonical */

	if (t == TYPE_BOOL)
		changed = read_bool(text);
	else if (sql_type_is_number(t))
		changed = read_number(a, t, text);
	else if (t == TYPE_UUID)
		as_is = read_uuid(text);
	else if (t == TYPE_DATE)
		as_is = read_date(&s) && !*s;
	else if (t == TYPE_TIMESTAMP)
		as_is = read_date(&s) && read_time(&s) && !*s;
	else if (t == TYPE_TIMESTAMPTZ) /* without a zone the emitter reads it in the session's time zone */
		as_is = read_date(&s) && read_time(&s) && (!*s || (read_zone(&s) && !*s));
	if (!as_is && !changed) {
		fail(e, ERR_BAD_VALUE, "\"%s\" cannot be read as %s", text, sql_type_name(t));
		if (t == TYPE_DATE)
			return error_hint(e, "Write dates as YYYY-MM-DD, between the years 1 and 9999.");
		if (t == TYPE_TIMESTAMP || t == TYPE_TIMESTAMPTZ)
			return error_hint(e, "Write timestamps as YYYY-MM-DD HH:MM:SS, between the years 1 and 9999.");
		return error_hint(e, "Write a constant of type %s.", sql_type_name(t));
	}
	*canonical = as_is ? text : changed;
	return true;
}
