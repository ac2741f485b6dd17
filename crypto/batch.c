#include "crypto/batch.h"

#include "base/mem.h"

void batch_init(struct batch *b)
{
	*b = (struct batch){ 0 };
	wr_init_heap(&b->bytes, (size_t)CSV_RECORD_MAX + BATCH_BYTES + CSV_COLUMNS_MAX);
}

void batch_free(struct batch *b)
{
	wr_free(&b->bytes);
	mem_free(b->fields);
	b->fields = NULL;
}

void batch_clear(struct batch *b, size_t width)
{
	wr_clear(&b->bytes);
	b->width = width;
	b->n = 0;
}

bool batch_full(const struct batch *b)
{
	return b->n == BATCH_ROWS || b->bytes.n >= BATCH_BYTES;
}

static bool room(struct batch *b, size_t fields)
{
	if (fields <= b->cap_fields)
		return true;
	size_t cap = fields * 2;
	struct batch_field *grown = mem_grow(b->fields, cap, sizeof(*grown));
	if (!grown)
		return false;
	b->fields = grown;
	b->cap_fields = cap;
	return true;
}

bool batch_add(struct batch *b, const struct csv_reader *csv, struct error *e)
{
	size_t base = b->bytes.n;

	BUG_IF(csv->n_fields != b->width || b->n == BATCH_ROWS);
	if (!room(b, (b->n + 1) * b->width))
		return fail_memory(e);
	wr_put(&b->bytes, csv->bytes.p, csv->bytes.n);
	if (!wr_ok(&b->bytes))
		return fail_memory(e);
	struct batch_field *to = b->fields + b->n * b->width;
	for (size_t i = 0; i < b->width; i++) {
		const struct csv_field *f = &csv->fields[i];
		to[i] = (struct batch_field){ base + (size_t)(f->text - (const char *)csv->bytes.p), f->n, f->quoted };
	}
	b->lines[b->n++] = csv->line;
	return true;
}

struct csv_field batch_get(const struct batch *b, size_t row, size_t i)
{
	const struct batch_field *f = &b->fields[row * b->width + i];

	return (struct csv_field){ .text = (const char *)b->bytes.p + f->at, .n = f->n, .quoted = f->quoted };
}
