#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rd rd_of(const void *p, size_t n)
{
	return (struct rd){ .p = p, .left = n };
}

const uint8_t *rd_take(struct rd *r, size_t n)
{
	if (r->bad || n > r->left) { /* never p + n > end: that sum can wrap */
		r->bad = true;
		return NULL;
	}
	const uint8_t *at = r->p;
	if (n > 0)
		r->p += n;
	r->left -= n;
	return at;
}

static uint64_t rd_uint(struct rd *r, size_t n)
{
	const uint8_t *p = rd_take(r, n);
	uint64_t v = 0;

	if (!p)
		return 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t rd_u8(struct rd *r)
{
	return (uint8_t)rd_uint(r, 1);
}

uint16_t rd_u16(struct rd *r)
{
	return (uint16_t)rd_uint(r, 2);
}

uint32_t rd_u32(struct rd *r)
{
	return (uint32_t)rd_uint(r, 4);
}

uint64_t rd_u64(struct rd *r)
{
	return rd_uint(r, 8);
}

int32_t rd_i32(struct rd *r)
{
	return (int32_t)rd_u32(r);
}

const char *rd_cstr(struct rd *r)
{
	if (r->bad || r->left == 0) {
		r->bad = true;
		return "";
	}
	const uint8_t *zero = memchr(r->p, 0, r->left);
	if (!zero) {
		r->bad = true;
		return "";
	}
	return (const char *)rd_take(r, (size_t)(zero - r->p) + 1);
}

bool rd_end(const struct rd *r)
{
	return !r->bad && r->left == 0;
}

void wr_init(struct wr *w, struct arena *a, size_t max)
{
	*w = (struct wr){ .max = max, .arena = a };
}

void wr_init_heap(struct wr *w, size_t max)
{
	*w = (struct wr){ .max = max };
}

void wr_free(struct wr *w)
{
	BUG_IF(w->arena != NULL);
	if (w->p)
		explicit_bzero(w->p, w->room);
	free(w->p);
	*w = (struct wr){ .max = w->max };
}

void wr_clear(struct wr *w)
{
	w->n = 0;
	if (w->p)
		w->p[0] = 0;
}

/* Makes room for n more bytes and the zero behind them. */
static bool wr_room(struct wr *w, size_t n)
{
	if (w->bad || n > w->max - w->n) {
		w->bad = true;
		return false;
	}
	if (w->p && n < w->room - w->n)
		return true;
	size_t room = w->room ? w->room : 64;
	while (room - w->n <= n) {
		if (room > SIZE_MAX / 2) {
			w->bad = true;
			return false;
		}
		room *= 2;
	}
	uint8_t *p = w->arena ? arena_alloc(w->arena, room, 1) : malloc(room);
	if (!p) {
		w->bad = true;
		return false;
	}
	if (w->p && w->n > 0)
		memcpy(p, w->p, w->n);
	if (!w->arena && w->p) {
		explicit_bzero(w->p, w->n);
		free(w->p);
	}
	w->p = p;
	w->room = room;
	return true;
}

void wr_put(struct wr *w, const void *p, size_t n)
{
	if (!wr_room(w, n))
		return;
	if (n > 0)
		memcpy(w->p + w->n, p, n);
	w->n += n;
	w->p[w->n] = 0;
}

static void wr_uint(struct wr *w, uint64_t v, size_t n)
{
	uint8_t b[8];

	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	wr_put(w, b, n);
}

void wr_u8(struct wr *w, uint8_t v)
{
	wr_uint(w, v, 1);
}

void wr_u16(struct wr *w, uint16_t v)
{
	wr_uint(w, v, 2);
}

void wr_u32(struct wr *w, uint32_t v)
{
	wr_uint(w, v, 4);
}

void wr_u64(struct wr *w, uint64_t v)
{
	wr_uint(w, v, 8);
}

void wr_cstr(struct wr *w, const char *s)
{
	wr_put(w, s, strlen(s) + 1);
}

void wr_str(struct wr *w, const char *s)
{
	wr_put(w, s, strlen(s));
}

void wr_fmt(struct wr *w, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0 || !wr_room(w, (size_t)n)) {
		w->bad = true;
		return;
	}
	va_start(args, fmt);
	(void)vsnprintf((char *)w->p + w->n, (size_t)n + 1, fmt, args);
	va_end(args);
	w->n += (size_t)n;
}

size_t wr_len_begin(struct wr *w)
{
	size_t at = w->n;

	wr_u32(w, 0);
	return at;
}

void wr_len_end(struct wr *w, size_t at)
{
	if (w->bad)
		return;
	size_t n = w->n - at;
	if (n > INT32_MAX) {
		w->bad = true;
		return;
	}
	for (size_t i = 0; i < 4; i++)
		w->p[at + i] = (uint8_t)(n >> (8 * (3 - i)));
}

bool wr_ok(const struct wr *w)
{
	return !w->bad;
}

const char *wr_text(const struct wr *w)
{
	return w->p && !w->bad ? (const char *)w->p : "";
}

static void wr_quoted(struct wr *w, const char *s, char quote)
{
	wr_u8(w, (uint8_t)quote);
	for (; *s; s++) {
		if (*s == quote)
			wr_u8(w, (uint8_t)quote);
		wr_u8(w, (uint8_t)*s);
	}
	wr_u8(w, (uint8_t)quote);
}

void wr_sql_name(struct wr *w, const char *name)
{
	wr_quoted(w, name, '"');
}

void wr_sql_literal(struct wr *w, const char *s)
{
	wr_quoted(w, s, '\'');
}

/* A control character of one byte, or of two (U+0080 to U+009F, of which some terminals obey CSI and OSC): how many bytes it has; 0: another character. */
static size_t control(const char *s, size_t n)
{
	const unsigned char *c = (const unsigned char *)s;

	if (c[0] < 0x20 || c[0] == 0x7f)
		return 1;
	return n > 1 && c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f ? 2 : 0;
}

void wr_json(struct wr *w, const char *s)
{
	wr_u8(w, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		size_t n = control(s, 2); /* what follows is at least the zero byte */
		if (c == '"' || c == '\\')
			wr_fmt(w, "\\%c", c);
		else if (n > 0)
			wr_fmt(w, "\\u%04x", (unsigned char)s[n - 1]); /* of U+0080 to U+009F the second byte is the number */
		else
			wr_u8(w, c);
		s += n > 1;
	}
	wr_u8(w, '"');
}

void wr_plain(struct wr *w, const char *s, size_t n)
{
	for (size_t i = 0, k; i < n; i += k ? k : 1) {
		k = control(s + i, n - i);
		wr_u8(w, k ? (uint8_t)' ' : (uint8_t)s[i]);
	}
}
