#include "crypto/c3r_value.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum value_type { TYPE_STRING = 1, TYPE_BIGINT, TYPE_BOOLEAN, TYPE_CHAR, TYPE_DATE, TYPE_DECIMAL, TYPE_DOUBLE, TYPE_FLOAT, TYPE_INT, TYPE_SMALLINT,
		  TYPE_TIMESTAMP, TYPE_VARCHAR };

static void put_date(struct wr *out, int32_t days)
{
	int64_t z = (int64_t)days + 719468, era = (z >= 0 ? z : z - 146096) / 146097; /* civil from days, proleptic Gregorian */
	int64_t doe = z - era * 146097, yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153, month = mp < 10 ? mp + 3 : mp - 9;

	wr_fmt(out, "%04lld-%02lld-%02lld", (long long)(yoe + era * 400 + (month <= 2)), (long long)month, (long long)(doy - (153 * mp + 2) / 5 + 1));
}

static bool put_text(struct wr *out, struct rd *r, const char **why)
{
	size_t n = r->left;
	const uint8_t *p = rd_take(r, n);

	if (!p || !text_utf8(p, n)) {
		*why = "its value is not UTF-8 text";
		return false;
	}
	wr_put(out, p, n);
	return true;
}

/*
 * The fewest digits that read back as the same number, in Java's notation: 1.5, 100.0, 1.0E7, 1.0E-5.  The number is printed, never computed with.
 */
static void put_floating(struct wr *out, double v, bool single)
{
	char digits[40];
	int precision = 0;

	if (isnan(v) || isinf(v)) {
		wr_str(out, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
		return;
	}
	do
		(void)snprintf(digits, sizeof(digits), "%.*e", precision, v);
	while (++precision < 17 && (single ? strtof(digits, NULL) != (float)v : strtod(digits, NULL) < v || strtod(digits, NULL) > v));
	char *mark = strchr(digits, 'e'), *lead = digits + (digits[0] == '-');
	int exponent = (int)strtol(mark + 1, NULL, 10);
	*mark = '\0';
	if (signbit(v))
		wr_u8(out, '-');
	size_t n = strlen(lead);
	if (n > 1) { /* drops the point behind the first digit */
		mem_move(lead + 1, lead + 2, n - 1);
		n--;
	}
	if (exponent < -3 || exponent >= 7) {
		wr_fmt(out, "%c.%sE%d", lead[0], n > 1 ? lead + 1 : "0", exponent);
		return;
	}
	if (exponent < 0) {
		wr_fmt(out, "0.%.*s%s", -exponent - 1, "000", lead);
		return;
	}
	for (size_t i = 0; i <= (size_t)exponent; i++)
		wr_u8(out, i < n ? (uint8_t)lead[i] : '0');
	wr_fmt(out, ".%s", n > (size_t)exponent + 1 ? lead + exponent + 1 : "0");
}

static bool put_floating_bits(struct wr *out, struct rd *r, bool single)
{
	uint32_t narrow;
	uint64_t wide;
	float f;
	double d;

	if (single) {
		narrow = rd_u32(r);
		mem_copy(&f, &narrow, sizeof(f));
		d = (double)f;
	} else {
		wide = rd_u64(r);
		mem_copy(&d, &wide, sizeof(d));
	}
	if (!rd_end(r))
		return false;
	put_floating(out, d, single);
	return true;
}

static bool put_timestamp(struct wr *out, struct rd *r)
{
	static const int64_t per_second[] = { 1000, 1000000, 1000000000 };
	uint8_t utc = rd_u8(r);
	uint32_t unit = rd_u32(r);
	int64_t value = (int64_t)rd_u64(r);

	if (!rd_end(r) || utc > 1 || unit >= ARRAY_LEN(per_second))
		return false;
	int64_t seconds = value / per_second[unit], rest = value % per_second[unit];
	if (rest < 0) {
		rest += per_second[unit];
		seconds--;
	}
	struct tm tm;
	time_t t = seconds;
	if (!(utc ? gmtime_r(&t, &tm) : localtime_r(&t, &tm))) /* without the flag the client prints in the machine's zone */
		return false;
	long long micros = (long long)(unit == 0 ? rest * 1000 : unit == 1 ? rest : rest / 1000);
	wr_fmt(out, "%04lld-%02d-%02d %02d:%02d:%02d.%06lld", (long long)tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	       micros);
	return true;
}

static bool put_boolean(struct wr *out, struct rd *r)
{
	uint8_t v = rd_u8(r);

	wr_str(out, v ? "true" : "false");
	return rd_end(r) && v <= 1;
}

bool c3r_value_put(struct wr *out, unsigned type, struct rd *r, const char **why)
{
	switch (type) {
	case TYPE_STRING:
	case TYPE_CHAR:
		return put_text(out, r, why);
	case TYPE_VARCHAR: /* maximum length first */
		(void)rd_u32(r);
		return put_text(out, r, why);
	case TYPE_DECIMAL: /* precision and scale first; the text has them already */
		(void)rd_u64(r);
		return put_text(out, r, why);
	case TYPE_BIGINT:
		wr_fmt(out, "%lld", (long long)(int64_t)rd_u64(r));
		return rd_end(r);
	case TYPE_INT:
		wr_fmt(out, "%d", rd_i32(r));
		return rd_end(r);
	case TYPE_SMALLINT:
		wr_fmt(out, "%d", (int16_t)rd_u16(r));
		return rd_end(r);
	case TYPE_BOOLEAN:
		return put_boolean(out, r);
	case TYPE_DATE:
		put_date(out, rd_i32(r));
		return rd_end(r);
	case TYPE_DOUBLE:
	case TYPE_FLOAT:
		return put_floating_bits(out, r, type == TYPE_FLOAT);
	case TYPE_TIMESTAMP:
		return put_timestamp(out, r);
	default:
		*why = "its value type is unknown";
		return false;
	}
}
