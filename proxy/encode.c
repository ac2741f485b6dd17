#include "proxy/encode.h"

#include "base/bytes.h"
#include "base/number.h"
#include "base/text.h"
#include "proxy/pgtypes.h"

#include <errno.h>

/* Each writes the value's bytes; false when the text cannot be one. */
typedef bool encoder(struct wr *w, const char *s);

static bool put_bool(struct wr *w, const char *s)
{
	bool yes = text_eq(s, "t") || text_eq(s, "true");

	wr_u8(w, yes);
	return yes || text_eq(s, "f") || text_eq(s, "false");
}

static bool put_int2(struct wr *w, const char *s)
{
	int64_t v;

	if (!number_i64(s, INT16_MIN, INT16_MAX, &v))
		return false;
	wr_u16(w, (uint16_t)v);
	return true;
}

static bool put_int4(struct wr *w, const char *s)
{
	int64_t v;

	if (!number_i64(s, INT32_MIN, INT32_MAX, &v))
		return false;
	wr_u32(w, (uint32_t)v);
	return true;
}

static bool put_oid(struct wr *w, const char *s)
{
	int64_t v;

	if (!number_i64(s, 0, UINT32_MAX, &v))
		return false;
	wr_u32(w, (uint32_t)v);
	return true;
}

static bool put_int8(struct wr *w, const char *s)
{
	int64_t v;

	if (!number_i64(s, INT64_MIN, INT64_MAX, &v))
		return false;
	wr_u64(w, (uint64_t)v);
	return true;
}

static bool put_text(struct wr *w, const char *s)
{
	wr_str(w, s);
	return true;
}

/* Whole string; PostgreSQL's NaN and Infinity are among what strtod reads, and the process never leaves the C locale. */
static bool read_double(const char *s, double *out)
{
	char *end = NULL;

	*out = strtod(s, &end);
	return end != s && *end == '\0';
}

static bool put_float8(struct wr *w, const char *s)
{
	union {
		double d;
		uint64_t u;
	} v;

	if (!read_double(s, &v.d))
		return false;
	if (v.d != v.d)
		v.u = UINT64_C(0x7ff8000000000000);
	wr_u64(w, v.u);
	return true;
}

static bool put_float4(struct wr *w, const char *s)
{
	char *end = NULL;
	union {
		float f;
		uint32_t u;
	} v = { .f = strtof(s, &end) };

	if (end == s || *end != '\0')
		return false;
	if (v.f != v.f)
		v.u = 0x7fc00000;
	wr_u32(w, v.u);
	return true;
}

/* The decimal digits of a plain number, with their place: digit i counts 10^(point - 1 - i). */
struct digits {
	const char *whole, *fraction;
	size_t n_whole, n_fraction;
	bool negative;
};

static bool split_number(const char *s, struct digits *d)
{
	*d = (struct digits){ .negative = *s == '-' };
	if (*s == '-' || *s == '+')
		s++;
	d->whole = s;
	d->n_whole = strspn(s, "0123456789");
	s += d->n_whole;
	d->fraction = s;
	if (*s == '.') {
		d->fraction = s + 1;
		d->n_fraction = strspn(s + 1, "0123456789");
		s += 1 + d->n_fraction;
	}
	while (d->n_whole > 0 && d->whole[0] == '0') {
		d->whole++;
		d->n_whole--;
	}
	return *s == '\0' && d->n_whole < 131073 && d->n_fraction < 16384;
}

/* The group of four digits number i: 0 stands right before the point, 1 before that, -1 right behind it. */
static unsigned group_at(const struct digits *d, long i)
{
	unsigned v = 0;

	for (long k = 0; k < 4; k++) {
		long place = i * 4 + 3 - k; /* power of ten of this digit */
		char c = '0';
		if (place >= 0 && (size_t)place < d->n_whole)
			c = d->whole[d->n_whole - 1 - (size_t)place];
		else if (place < 0 && (size_t)(-place - 1) < d->n_fraction)
			c = d->fraction[-place - 1];
		v = v * 10 + (unsigned)(c - '0');
	}
	return v;
}

static bool put_special_numeric(struct wr *w, const char *s)
{
	uint16_t sign = text_eq(s, "NaN") ? 0xC000 : text_eq(s, "Infinity") ? 0xD000 : text_eq(s, "-Infinity") ? 0xF000 : 0;

	if (!sign)
		return false;
	wr_u16(w, 0);
	wr_u16(w, 0);
	wr_u16(w, sign);
	wr_u16(w, sign == 0xC000 ? 0 : 32); /* what PostgreSQL sends for them */
	return true;
}

static bool put_numeric(struct wr *w, const char *s)
{
	struct digits d;

	if (!split_number(s, &d))
		return put_special_numeric(w, s);
	if (d.n_whole == 0 && d.n_fraction == 0 && !strpbrk(s, "0123456789"))
		return false;
	long first = (long)((d.n_whole + 3) / 4) - 1, last = -(long)((d.n_fraction + 3) / 4);
	while (first >= last && group_at(&d, first) == 0)
		first--;
	while (last <= first && group_at(&d, last) == 0)
		last++;
	bool zero = first < last;
	wr_u16(w, zero ? 0 : (uint16_t)(first - last + 1));
	wr_u16(w, zero ? 0 : (uint16_t)(int16_t)first);
	wr_u16(w, !zero && d.negative ? 0x4000 : 0);
	wr_u16(w, (uint16_t)d.n_fraction);
	for (long i = first; !zero && i >= last; i--)
		wr_u16(w, (uint16_t)group_at(&d, i));
	return true;
}

/* --- dates and times: "2024-02-29 12:34:56.789+02:30 BC" in parts ------------------------------------------------------- */

/* Reads digits (at least one, at most nine) and moves on. */
static bool take_number(const char **s, int *out)
{
	size_t n = strspn(*s, "0123456789");
	int v = 0;

	if (n == 0 || n > 9)
		return false;
	for (size_t i = 0; i < n; i++)
		v = v * 10 + ((*s)[i] - '0');
	*s += n;
	*out = v;
	return true;
}

static bool take_char(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static bool take_date(const char **s, int *year, int *month, int *day)
{
	return take_number(s, year) && take_char(s, '-') && take_number(s, month) && take_char(s, '-') && take_number(s, day) &&
	       *month >= 1 && *month <= 12 && *day >= 1 && *day <= 31;
}

/* "12:34:56.789" as microseconds. */
static bool take_time(const char **s, int64_t *micros)
{
	int hour, minute, second, scale = 100000;

	if (!take_number(s, &hour) || !take_char(s, ':') || !take_number(s, &minute) || !take_char(s, ':') || !take_number(s, &second))
		return false;
	*micros = ((int64_t)hour * 3600 + (int64_t)minute * 60 + second) * 1000000;
	if (!take_char(s, '.'))
		return true;
	for (; **s >= '0' && **s <= '9'; (*s)++, scale /= 10)
		*micros += (int64_t)(**s - '0') * scale;
	return true;
}

/* "+02", "-03:30", "+00:19:32": microseconds east of Greenwich. */
static bool take_zone(const char **s, int64_t *east)
{
	bool west = **s == '-';
	int hour, minute = 0, second = 0;

	if (!take_char(s, west ? '-' : '+') || !take_number(s, &hour) || (take_char(s, ':') && !take_number(s, &minute)) ||
	    (take_char(s, ':') && !take_number(s, &second)))
		return false;
	*east = ((int64_t)hour * 3600 + (int64_t)minute * 60 + second) * 1000000 * (west ? -1 : 1);
	return true;
}

static bool take_era(const char **s, int *year)
{
	if (text_eq(*s, " BC")) {
		*s += 3;
		*year = 1 - *year;
	}
	return **s == '\0';
}

static bool is_infinity(const char *s, bool *minus)
{
	*minus = *s == '-';
	return text_eq(s + *minus, "infinity");
}

static bool put_date(struct wr *w, const char *s)
{
	int year, month, day;
	bool minus;

	if (is_infinity(s, &minus)) {
		wr_u32(w, (uint32_t)(minus ? INT32_MIN : INT32_MAX));
		return true;
	}
	if (!take_date(&s, &year, &month, &day) || !take_era(&s, &year))
		return false;
	wr_u32(w, (uint32_t)pgtype_days(year, month, day));
	return true;
}

static bool put_moment(struct wr *w, const char *s, bool zoned)
{
	int year, month, day;
	int64_t time, east = 0;
	bool minus;

	if (is_infinity(s, &minus)) {
		wr_u64(w, (uint64_t)(minus ? INT64_MIN : INT64_MAX));
		return true;
	}
	if (!take_date(&s, &year, &month, &day) || !take_char(&s, ' ') || !take_time(&s, &time) || (zoned && !take_zone(&s, &east)) ||
	    !take_era(&s, &year))
		return false;
	wr_u64(w, (uint64_t)(pgtype_days(year, month, day) * INT64_C(86400000000) + time - east));
	return true;
}

static bool put_timestamp(struct wr *w, const char *s)
{
	return put_moment(w, s, false);
}

static bool put_timestamptz(struct wr *w, const char *s)
{
	return put_moment(w, s, true);
}

static bool put_uuid(struct wr *w, const char *s)
{
	int digits = 0;
	unsigned byte = 0;

	for (; *s; s++) {
		if (*s == '-')
			continue;
		bool letter = (*s >= 'a' && *s <= 'f') || (*s >= 'A' && *s <= 'F');
		if (digits >= 32 || (!letter && (*s < '0' || *s > '9')))
			return false;
		byte = byte << 4 | (unsigned)(letter ? (*s | 0x20) - 'a' + 10 : *s - '0');
		if (++digits % 2 == 0)
			wr_u8(w, (uint8_t)byte);
	}
	return digits == 32;
}

static const struct {
	uint32_t oid;
	encoder *put;
} encoders[] = {
	{ OID_INT8, put_int8 },           { OID_TEXT, put_text },       { OID_NUMERIC, put_numeric },         { OID_INT4, put_int4 },
	{ OID_FLOAT8, put_float8 },       { OID_BOOL, put_bool },       { OID_DATE, put_date },               { OID_TIMESTAMPTZ, put_timestamptz },
	{ OID_TIMESTAMP, put_timestamp }, { OID_UUID, put_uuid },       { OID_INT2, put_int2 },               { OID_NAME, put_text },
	{ OID_VARCHAR, put_text },        { OID_BPCHAR, put_text },     { OID_UNKNOWN, put_text },            { OID_JSON, put_text },
	{ OID_OID, put_oid },             { OID_FLOAT4, put_float4 },
};

static encoder *find(uint32_t oid)
{
	for (size_t i = 0; i < ARRAY_LEN(encoders); i++)
		if (encoders[i].oid == oid)
			return encoders[i].put;
	return NULL;
}

bool encode_knows(uint32_t type_oid)
{
	return find(type_oid) != NULL;
}

bool encode_binary(uint32_t type_oid, const char *text, struct arena *a, struct cell *out, struct error *e)
{
	encoder *put = find(type_oid);
	struct wr w;

	wr_init(&w, a, (size_t)1 << 30);
	if (!put || !put(&w, text))
		return fail(e, ERR_INTERNAL, "a value of type %u cannot be sent in binary format", (unsigned)type_oid);
	if (!wr_ok(&w))
		return fail_memory(e);
	*out = (struct cell){ .data = (const uint8_t *)wr_text(&w), .length = (int32_t)w.n };
	return true;
}
