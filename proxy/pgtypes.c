#include "proxy/pgtypes.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "base/text.h"

#include <math.h>

static const struct {
	uint32_t oid;
	int16_t length;
} types[] = {
	[TYPE_BOOL] = { OID_BOOL, 1 },
	[TYPE_INT2] = { OID_INT2, 2 },
	[TYPE_INT4] = { OID_INT4, 4 },
	[TYPE_INT8] = { OID_INT8, 8 },
	[TYPE_NUMERIC] = { OID_NUMERIC, -1 },
	[TYPE_FLOAT8] = { OID_FLOAT8, 8 },
	[TYPE_TEXT] = { OID_TEXT, -1 },
	[TYPE_DATE] = { OID_DATE, 4 },
	[TYPE_TIMESTAMP] = { OID_TIMESTAMP, 8 },
	[TYPE_TIMESTAMPTZ] = { OID_TIMESTAMPTZ, 8 },
	[TYPE_UUID] = { OID_UUID, 16 },
};
_Static_assert(ARRAY_LEN(types) == TYPE_COUNT, "a row per type");

struct field pgtype_field(enum sql_type t, const char *name)
{
	return (struct field){ .name = name, .type_oid = types[t].oid, .type_length = types[t].length, .type_modifier = -1 };
}

/* Counts from March, so that the leap day is the last of its year. */
int64_t pgtype_days(int64_t year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1, era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 730425; /* 0000-03-01 to 2000-01-01 */
}

static void put_date(struct wr *w, int64_t days)
{
	int64_t z = days + 730425, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153, year = yoe + era * 400;
	int day = (int)(doy - (153 * mp + 2) / 5 + 1), month = (int)(mp < 10 ? mp + 3 : mp - 9);

	if (month <= 2)
		year++;
	wr_fmt(w, "%04lld-%02d-%02d", (long long)(year > 0 ? year : 1 - year), month, day);
}

/* PostgreSQL marks years before 1 at the very end. */
static const char *era_of(int64_t days)
{
	return days < pgtype_days(1, 1, 1) ? " BC" : "";
}

static void put_timestamp(struct wr *w, int64_t micros, const char *zone)
{
	const int64_t day = INT64_C(86400000000);

	if (micros == INT64_MAX || micros == INT64_MIN) {
		wr_str(w, micros > 0 ? "infinity" : "-infinity");
		return;
	}
	int64_t days = micros / day, rest = micros % day;
	if (rest < 0) {
		rest += day;
		days--;
	}
	put_date(w, days);
	int64_t s = rest / 1000000;
	wr_fmt(w, " %02d:%02d:%02d", (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
	if (rest % 1000000)
		wr_fmt(w, ".%06d", (int)(rest % 1000000));
	wr_fmt(w, "%s%s", zone, era_of(days));
}

static void put_float(struct wr *w, double v, int digits)
{
	if (isnan(v))
		wr_str(w, "NaN");
	else if (isinf(v))
		wr_str(w, v > 0 ? "Infinity" : "-Infinity");
	else
		wr_fmt(w, "%.*g", digits, v);
}

/* Digits to the base 10,000, weight of the first, sign, fractional digits to show. */
static bool put_numeric(struct wr *w, struct rd *r)
{
	enum { NEGATIVE = 0x4000, NAN_SIGN = 0xC000, PLUS_INFINITY = 0xD000, MINUS_INFINITY = 0xF000, DIGITS_MAX = 4096 };
	uint16_t n = rd_u16(r);
	int weight = (int16_t)rd_u16(r), sign = rd_u16(r), scale = rd_u16(r);
	struct rd digits = rd_of(rd_take(r, (size_t)n * 2), r->bad ? 0 : (size_t)n * 2);

	if (r->bad || n > DIGITS_MAX || scale > 16383 || weight > DIGITS_MAX || weight < -DIGITS_MAX)
		return false;
	if (sign == NAN_SIGN || sign == PLUS_INFINITY || sign == MINUS_INFINITY) {
		wr_str(w, sign == NAN_SIGN ? "NaN" : sign == PLUS_INFINITY ? "Infinity" : "-Infinity");
		return true;
	}
	if (sign != 0 && sign != NEGATIVE)
		return false;
	wr_str(w, sign == NEGATIVE ? "-" : "");
	if (weight < 0)
		wr_str(w, "0");
	for (int at = 0; at <= weight; at++) {
		unsigned d = at < n ? rd_u16(&digits) : 0;
		if (d > 9999)
			return false;
		wr_fmt(w, at == 0 ? "%u" : "%04u", d);
	}
	if (scale > 0)
		wr_str(w, ".");
	for (int at = weight < 0 ? -1 : weight, left = scale; left > 0; left -= 4) {
		/* groups of four after the point; those before the first stored digit are zeros */
		at++;
		int index = weight < 0 ? at - (-weight - 1) : at;
		unsigned d = index >= 0 && index < n ? rd_u16(&digits) : 0;
		char four[8];
		if (d > 9999)
			return false;
		snprintf(four, sizeof(four), "%04u", d);
		wr_put(w, four, left >= 4 ? 4 : (size_t)left);
	}
	return true;
}

static void put_uuid(struct wr *w, const uint8_t *b)
{
	for (int i = 0; i < 16; i++)
		wr_fmt(w, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
}

static bool is_text_type(uint32_t oid)
{
	return oid == OID_TEXT || oid == OID_VARCHAR || oid == OID_BPCHAR || oid == OID_NAME || oid == OID_UNKNOWN || oid == OID_JSON;
}

static void put_float_bits(struct wr *w, uint64_t bits, bool wide)
{
	union {
		uint64_t u;
		double d;
	} eight = { .u = bits };
	union {
		uint32_t u;
		float f;
	} four = { .u = (uint32_t)bits };

	if (wide)
		put_float(w, eight.d, 17);
	else
		put_float(w, (double)four.f, 9);
}

/* Reads one binary value; false when its length or content cannot be one.  *readable false: not a type that is read here. */
static bool put_binary(struct wr *w, uint32_t oid, struct rd r, bool *readable)
{
	const uint8_t *bytes;
	int64_t v;

	switch (oid) {
	case OID_BOOL:
		wr_str(w, rd_u8(&r) ? "t" : "f");
		break;
	case OID_INT2:
		wr_fmt(w, "%d", (int16_t)rd_u16(&r));
		break;
	case OID_INT4:
		wr_fmt(w, "%d", rd_i32(&r));
		break;
	case OID_OID:
		wr_fmt(w, "%u", rd_u32(&r));
		break;
	case OID_INT8:
		wr_fmt(w, "%lld", (long long)rd_u64(&r));
		break;
	case OID_FLOAT4:
		put_float_bits(w, rd_u32(&r), false);
		break;
	case OID_FLOAT8:
		put_float_bits(w, rd_u64(&r), true);
		break;
	case OID_NUMERIC:
		if (!put_numeric(w, &r))
			return false;
		break;
	case OID_DATE:
		v = rd_i32(&r);
		if (v == INT32_MAX || v == INT32_MIN) {
			wr_str(w, v > 0 ? "infinity" : "-infinity");
		} else {
			put_date(w, v);
			wr_str(w, era_of(v));
		}
		break;
	case OID_TIMESTAMP:
		put_timestamp(w, (int64_t)rd_u64(&r), "");
		break;
	case OID_TIMESTAMPTZ:
		put_timestamp(w, (int64_t)rd_u64(&r), "+00");
		break;
	case OID_UUID:
		bytes = rd_take(&r, 16);
		if (bytes)
			put_uuid(w, bytes);
		break;
	default:
		*readable = false;
		return true;
	}
	return rd_end(&r);
}

bool pgtype_param_text(const struct engine_param *p, size_t number, struct arena *a, const char **text, bool *readable, struct error *e)
{
	struct wr w;

	*text = NULL;
	*readable = true;
	if (p->length < 0)
		return true;
	if (!p->binary || is_text_type(p->type_oid)) {
		if (!text_utf8(p->data, (size_t)p->length))
			return fail(e, ERR_NUL_IN_TEXT, "value of parameter $%zu is not UTF-8 text, or holds a zero byte", number);
		*text = arena_copy(a, p->data, (size_t)p->length);
		return *text || fail_memory(e);
	}
	wr_init(&w, a, 1 << 20);
	if (!put_binary(&w, p->type_oid, rd_of(p->data, (size_t)p->length), readable))
		return fail(e, ERR_PROTOCOL, "incorrect binary data format in bind parameter %zu", number);
	if (!wr_ok(&w))
		return fail_memory(e);
	*text = *readable ? wr_text(&w) : NULL;
	return true;
}
