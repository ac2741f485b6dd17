#include "crypto/sorter.h"

#include "base/bytes.h"
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
	uint8_t header[HEADER];
	uint8_t *payload;
	size_t n, cap;
	bool more;
};

struct sorter {
	uint8_t *bytes;
	size_t used, cap;
	uint32_t *offsets;
	size_t n, cap_offsets;
	struct run runs[SORTER_RUNS_MAX];
	size_t n_runs;
};

static bool io_failed(struct error *e)
{
	return fail(e, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "could not use a temporary file: %s", strerror(errno));
}

bool sorter_open(struct sorter **out, struct error *e)
{
	struct sorter *s = mem_alloc(1, sizeof(*s));

	if (!s)
		return fail_memory(e);
	s->cap = SORTER_RUN_BYTES;
	s->cap_offsets = SORTER_RUN_BYTES / 64;
	s->bytes = mem_alloc(s->cap, 1);
	s->offsets = mem_alloc(s->cap_offsets, sizeof(*s->offsets));
	*out = s;
	if (s->bytes && s->offsets)
		return true;
	sorter_close(s);
	return fail_memory(e);
}

void sorter_close(struct sorter *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_runs; i++) {
		if (s->runs[i].f)
			(void)fclose(s->runs[i].f);
		mem_free(s->runs[i].payload);
	}
	mem_free(s->bytes);
	mem_free(s->offsets);
	mem_free(s);
}

static int by_key(const void *a, const void *b, void *bytes)
{
	const uint8_t *x = (const uint8_t *)bytes + *(const uint32_t *)a, *y = (const uint8_t *)bytes + *(const uint32_t *)b;

	for (size_t i = 0; i < SORTER_KEY; i++) {
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	}
	return 0;
}

/* Nobody else can open it: the name is gone before the first byte is written. */
static FILE *temporary(void)
{
	const char *dir = getenv("TMPDIR");
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/noisegate.XXXXXX", dir && *dir ? dir : "/tmp");
	int fd = mkstemp(path);
	if (fd < 0)
		return NULL;
	(void)unlink(path);
	FILE *f = fdopen(fd, "w+b");
	if (!f)
		(void)close(fd);
	return f;
}

static bool write_record(FILE *f, const uint8_t *record, size_t n, struct error *e)
{
	return fwrite_unlocked(record, 1, n, f) == n ? true : io_failed(e);
}

static size_t record_size(const uint8_t *record)
{
	uint32_t n;

	mem_copy(&n, record + SORTER_KEY, sizeof(n));
	return HEADER + n;
}

static bool merge(struct sorter *s, sorter_each each, void *ctx, struct error *e);

static bool append_record(void *ctx, const uint8_t *key, const void *payload, size_t n, struct error *e)
{
	FILE *f = ctx;
	uint32_t length = (uint32_t)n;

	return write_record(f, key, SORTER_KEY, e) && write_record(f, (const uint8_t *)&length, sizeof(length), e) &&
	       write_record(f, payload, n, e);
}

/* All runs become one, so that the number of open files stays bounded. */
static bool compact(struct sorter *s, struct error *e)
{
	FILE *f = temporary();

	if (!f)
		return io_failed(e);
	if (!merge(s, append_record, f, e)) {
		(void)fclose(f);
		return false;
	}
	for (size_t i = 0; i < s->n_runs; i++) {
		(void)fclose(s->runs[i].f);
		mem_free(s->runs[i].payload);
		s->runs[i] = (struct run){ 0 };
	}
	s->runs[0].f = f;
	s->n_runs = 1;
	return true;
}

static bool spill(struct sorter *s, struct error *e)
{
	if (s->n_runs == SORTER_RUNS_MAX && !compact(s, e))
		return false;
	qsort_r(s->offsets, s->n, sizeof(*s->offsets), by_key, s->bytes);
	FILE *f = temporary();
	if (!f)
		return io_failed(e);
	s->runs[s->n_runs++] = (struct run){ .f = f };
	for (size_t i = 0; i < s->n; i++) {
		const uint8_t *record = s->bytes + s->offsets[i];
		if (!write_record(f, record, record_size(record), e))
			return false;
	}
	s->n = s->used = 0;
	return fflush(f) == 0 ? true : io_failed(e);
}

bool sorter_add(struct sorter *s, const uint8_t key[SORTER_KEY], const void *payload, size_t n, struct error *e)
{
	uint32_t length = (uint32_t)n;

	if (n > SORTER_RUN_BYTES - HEADER)
		return fail(e, ERR_IO, "a row is longer than %d bytes", SORTER_RUN_BYTES - HEADER);
	if ((s->cap - s->used < HEADER + n || s->n == s->cap_offsets) && !spill(s, e))
		return false;
	s->offsets[s->n++] = (uint32_t)s->used;
	mem_copy(s->bytes + s->used, key, SORTER_KEY);
	mem_copy(s->bytes + s->used + SORTER_KEY, &length, sizeof(length));
	mem_copy(s->bytes + s->used + HEADER, payload, n);
	s->used += HEADER + n;
	return true;
}

static bool run_next(struct run *r, struct error *e)
{
	uint32_t n;

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

static bool heap_less(const struct run *a, const struct run *b)
{
	for (size_t i = 0; i < SORTER_KEY; i++) {
		if (a->header[i] != b->header[i])
			return a->header[i] < b->header[i];
	}
	return false;
}

static void sift(struct run **heap, size_t n, size_t at)
{
	for (;;) {
		size_t least = at, left = 2 * at + 1;
		for (size_t c = left; c < n && c < left + 2; c++) {
			if (heap_less(heap[c], heap[least]))
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

static bool merge(struct sorter *s, sorter_each each, void *ctx, struct error *e)
{
	struct run *heap[SORTER_RUNS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < s->n_runs; i++) {
		rewind(s->runs[i].f);
		if (!run_next(&s->runs[i], e))
			return false;
		if (s->runs[i].more)
			heap[n++] = &s->runs[i];
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
	if (s->n_runs > 0)
		return spill(s, e) && merge(s, each, ctx, e);
	qsort_r(s->offsets, s->n, sizeof(*s->offsets), by_key, s->bytes);
	for (size_t i = 0; i < s->n; i++) {
		const uint8_t *record = s->bytes + s->offsets[i];
		if (!each(ctx, record, record + HEADER, record_size(record) - HEADER, e))
			return false;
	}
	return true;
}
