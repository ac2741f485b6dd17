/*
 * The one reader for untrusted bytes and the one writer for everything built.  Failure sticks: a bad reader returns zeros and
 * NULLs, a bad writer ignores puts; one check at the end (rd_end, wr_ok) decides.  Lengths are compared with what is left, never added
 * to a pointer.  Integers are big-endian, as on the wire and in sealed cells.
 */
#ifndef NG_BASE_BYTES_H
#define NG_BASE_BYTES_H

#include "base/arena.h"
#include "base/compiler.h"

struct rd {
	const uint8_t *p;
	size_t left; /* p[0..left) is readable */
	bool bad;    /* never clears */
};

struct rd rd_of(const void *p, size_t n);
const uint8_t *rd_take(struct rd *r, size_t n); /* n bytes, or NULL */
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
int32_t rd_i32(struct rd *r);
const char *rd_cstr(struct rd *r); /* up to and including its zero byte; "" when bad, so never NULL */
MUST_CHECK bool rd_end(const struct rd *r); /* all consumed and nothing bad */

/*
 * Writer over an arena (arena != NULL) or over the heap (wr_init_heap; free with wr_free).  Holds at most max bytes, counted from
 * birth; more latches bad.  The bytes are always followed by a zero byte that does not count, so wr_text() is a C string.
 */
struct wr {
	uint8_t *p;
	size_t n, room, max;
	struct arena *arena; /* NULL: heap */
	bool bad;            /* never clears */
};

void wr_init(struct wr *w, struct arena *a, size_t max);
void wr_init_heap(struct wr *w, size_t max);
void wr_free(struct wr *w);  /* heap writers only; wipes */
void wr_clear(struct wr *w); /* forgets the bytes, keeps the room and the bad latch */

void wr_put(struct wr *w, const void *p, size_t n);
void wr_u8(struct wr *w, uint8_t v);
void wr_u16(struct wr *w, uint16_t v);
void wr_u32(struct wr *w, uint32_t v);
void wr_u64(struct wr *w, uint64_t v);
void wr_cstr(struct wr *w, const char *s); /* with its zero byte */
void wr_str(struct wr *w, const char *s);  /* without */
PRINTF_LIKE(2, 3) void wr_fmt(struct wr *w, const char *fmt, ...);

/* Reserves four bytes for a length, returns where; wr_len_end writes there the count of bytes since `at`, itself included. */
MUST_CHECK size_t wr_len_begin(struct wr *w);
void wr_len_end(struct wr *w, size_t at);

MUST_CHECK bool wr_ok(const struct wr *w);
const char *wr_text(const struct wr *w); /* zero-terminated; "" when empty or bad */

/* SQL quoting: "name" with inner quotes doubled; 'literal' with quotes doubled (standard_conforming_strings on). */
void wr_sql_name(struct wr *w, const char *name);
void wr_sql_literal(struct wr *w, const char *s);

/* JSON string with quotes, escapes for control characters (C0, DEL, C1), quotes, backslashes. */
void wr_json(struct wr *w, const char *s);

/* n bytes of UTF-8 from outside as part of one line on a person's terminal: every control character becomes a blank. */
void wr_plain(struct wr *w, const char *s, size_t n);

#endif
