#include "crypto/sorter.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In memory a record is key, length (native u32), payload; the same bytes in a run file. */
enum { HEADER = SORTER_KEY + sizeof(uint32_t), PAYLOAD_MAX = 64 << 20 };

struct run {
	FILE *f;
	char *buffer; /* of f */
	uint8_t header[HEADER];
	uint8_t *payload;
	size_t n, cap;
	bool more;
	int level; /* how many merges its records went through */
};

/* A record in memory by the first bytes of its key, which nearly always decide the order, and by where it begins. */
struct item {
	uint64_t prefix;
	uint32_t offset;
};

struct sorter {
	uint8_t *bytes;
	size_t used, cap;
	struct item *items;
	size_t n, cap_items;
	struct run runs[SORTER_RUNS_MAX];
	size_t n_runs;
};

static const char hint[] = "Temporary files lie in the directory that TMPDIR names, else in /tmp, and take about as much room as the output.";

static bool io_failed(struct error *e)
{
	int why = errno;

	fail(e, why == ENOSPC ? ERR_DISK_FULL : ERR_IO, "could not use a temporary file: %s", why ? strerror(why) : "it is shorter than what was written");
	return error_hint(e, "%s", hint);
}

static bool key_less(const uint8_t *a, const uint8_t *b)
{
	for (size_t i = 0; i < SORTER_KEY; i++) {
		if (a[i] != b[i])
			return a[i] < b[i];
	}
	return false;
}

bool sorter_open(struct sorter **out, struct error *e)
{
	struct sorter *s = mem_alloc(1, sizeof(*s));

	if (!s)
		return fail_memory(e);
	s->cap = SORTER_RUN_BYTES;
	s->cap_items = SORTER_RUN_BYTES / 64;
	s->bytes = mem_alloc(s->cap, 1);
	s->items = mem_alloc(s->cap_items, sizeof(*s->items));
	if (s->bytes && s->items) {
		*out = s;
		return true;
	}
	sorter_close(s);
	return fail_memory(e);
}

static void run_close(struct run *r)
{
	if (r->f)
		(void)fclose(r->f);
	mem_free(r->buffer);
	mem_free(r->payload);
	*r = (struct run){ 0 };
}

void sorter_close(struct sorter *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_runs; i++)
		run_close(&s->runs[i]);
	mem_free(s->bytes);
	mem_free(s->items);
	mem_free(s);
}

static int by_key(const void *a, const void *b, void *bytes)
{
	const struct item *x = a, *y = b;

	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	const uint8_t *p = (const uint8_t *)bytes + x->offset, *q = (const uint8_t *)bytes + y->offset;
	return key_less(p, q) ? -1 : key_less(q, p);
}

/* Nobody else can open it: the name is gone before the first byte is written. */
static bool run_open(struct run *r, struct error *e)
{
	*r = (struct run){ 0 };
	if (!file_nameless(&r->f, e))
		return error_hint(e, "%s", hint);
	r->buffer = mem_alloc(1, SORTER_BUFFER);
	if (r->buffer && setvbuf(r->f, r->buffer, _IOFBF, SORTER_BUFFER) == 0)
		return true;
	run_close(r);
	return fail_memory(e);
}

static bool write_record(FILE *f, const uint8_t *record, size_t n, struct error *e)
{
	return fwrite_unlocked(record, 1, n, f) == n ? true : io_failed(e);
}

static bool flushed(FILE *f, struct error *e)
{
	return fflush(f) == 0 ? true : io_failed(e);
}

static size_t record_size(const uint8_t *record)
{
	uint32_t n;

	mem_copy(&n, record + SORTER_KEY, sizeof(n));
	return HEADER + n;
}

static bool merge(struct run *runs, size_t n_runs, sorter_each each, void *ctx, struct error *e);

static bool append_record(void *ctx, const uint8_t *key, const void *payload, size_t n, struct error *e)
{
	FILE *f = ctx;
	uint32_t length = (uint32_t)n;

	return write_record(f, key, SORTER_KEY, e) && write_record(f, (const uint8_t *)&length, sizeof(length), e) &&
	       write_record(f, payload, n, e);
}

/*
 * Makes room for more runs without ever opening more files: the newest runs that went through equally many merges become one.  Since each level fills up
 * before the next is touched, a record is rewritten once for the first 100 GB, twice for far more than any disk.
 */
static bool compact(struct sorter *s, struct error *e)
{
	int level = s->runs[s->n_runs - 1].level;
	size_t from = s->n_runs - 1;
	struct run all;

	while (from > 0 && s->runs[from - 1].level == level)
		from--;
	if (s->n_runs - from < 2)
		from = 0;
	if (!run_open(&all, e))
		return false;
	all.level = s->runs[from].level + 1;
	if (!merge(s->runs + from, s->n_runs - from, append_record, all.f, e) || !flushed(all.f, e)) {
		run_close(&all);
		return false;
	}
	for (size_t i = from; i < s->n_runs; i++)
		run_close(&s->runs[i]);
	s->runs[from] = all;
	s->n_runs = from + 1;
	return true;
}

static bool spill(struct sorter *s, struct error *e)
{
	if (s->n_runs == SORTER_RUNS_MAX && !compact(s, e))
		return false;
	qsort_r(s->items, s->n, sizeof(*s->items), by_key, s->bytes);
	struct run *r = &s->runs[s->n_runs];
	if (!run_open(r, e))
		return false;
	s->n_runs++;
	for (size_t i = 0; i < s->n; i++) {
		const uint8_t *record = s->bytes + s->items[i].offset;
		if (!write_record(r->f, record, record_size(record), e))
			return false;
	}
	s->n = s->used = 0;
	return flushed(r->f, e);
}

bool sorter_add(struct sorter *s, const uint8_t key[SORTER_KEY], const void *payload, size_t n, struct error *e)
{
	uint32_t length = (uint32_t)n;

	if (n > SORTER_RUN_BYTES - HEADER)
		return fail(e, ERR_IO, "a row is longer than %d bytes", SORTER_RUN_BYTES - HEADER);
	if ((s->cap - s->used < HEADER + n || s->n == s->cap_items) && !spill(s, e))
		return false;
	struct rd prefix = rd_of(key, sizeof(uint64_t));
	s->items[s->n++] = (struct item){ rd_u64(&prefix), (uint32_t)s->used };
	mem_copy(s->bytes + s->used, key, SORTER_KEY);
	mem_copy(s->bytes + s->used + SORTER_KEY, &length, sizeof(length));
	mem_copy(s->bytes + s->used + HEADER, payload, n);
	s->used += HEADER + n;
	return true;
}

static bool run_next(struct run *r, struct error *e)
{
	uint32_t n;

	errno = 0;
	size_t got = fread(r->header, 1, HEADER, r->f);
	r->more = got == HEADER;
	if (!r->more)
		return got == 0 && !ferror(r->f) ? true : io_failed(e);
	mem_copy(&n, r->header + SORTER_KEY, sizeof(n));
	if (n > r->cap) {
		uint8_t *grown = n > PAYLOAD_MAX ? NULL : mem_grow(r->payload, n, 1);
		if (!grown)
			return fail_memory(e);
		r->payload = grown;
		r->cap = n;
	}
	r->n = n;
	return fread(r->payload, 1, n, r->f) == n ? true : io_failed(e);
}

static void sift(struct run **heap, size_t n, size_t at)
{
	for (;;) {
		size_t least = at, left = 2 * at + 1;
		for (size_t c = left; c < n && c < left + 2; c++) {
			if (key_less(heap[c]->header, heap[least]->header))
				least = c;
		}
		if (least == at)
			return;
		struct run *swap = heap[at];
		heap[at] = heap[least];
		heap[least] = swap;
		at = least;
	}
}

static bool merge(struct run *runs, size_t n_runs, sorter_each each, void *ctx, struct error *e)
{
	struct run *heap[SORTER_RUNS_MAX];
	size_t n = 0;

	/* run_next leaves each run on its first record; the least of them is always on top */
	for (size_t i = 0; i < n_runs; i++) {
		rewind(runs[i].f);
		if (!run_next(&runs[i], e))
			return false;
		if (runs[i].more)
			heap[n++] = &runs[i];
	}
	for (size_t i = n; i > 0; i--)
		sift(heap, n, i - 1);
	while (n > 0) {
		struct run *r = heap[0];
		if (!each(ctx, r->header, r->payload, r->n, e) || !run_next(r, e))
			return false;
		if (!r->more)
			heap[0] = heap[--n];
		sift(heap, n, 0);
	}
	return true;
}

bool sorter_finish(struct sorter *s, sorter_each each, void *ctx, struct error *e)
{
	if (s->n_runs > 0) {
		if (s->n > 0 && !spill(s, e))
			return false;
		mem_free(s->bytes); /* the runs' buffers take its place */
		mem_free(s->items);
		s->bytes = NULL;
		s->items = NULL;
		return merge(s->runs, s->n_runs, each, ctx, e);
	}
	qsort_r(s->items, s->n, sizeof(*s->items), by_key, s->bytes);
	for (size_t i = 0; i < s->n; i++) {
		const uint8_t *record = s->bytes + s->items[i].offset;
		if (!each(ctx, record, record + HEADER, record_size(record) - HEADER, e))
			return false;
	}
	return true;
}
