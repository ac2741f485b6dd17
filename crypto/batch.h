/* Some rows of a CSV file, copied out of the reader so that another thread can work on them. */
#ifndef NG_CRYPTO_BATCH_H
#define NG_CRYPTO_BATCH_H

#include "crypto/csv.h"

enum { BATCH_ROWS = 256, BATCH_BYTES = 32 << 10 };

struct batch_field {
	size_t at, n; /* its text in bytes, zero-terminated */
	bool quoted;
};

struct batch {
	struct wr bytes;
	struct batch_field *fields; /* row i has fields[i * width .. (i + 1) * width) */
	size_t cap_fields, width;
	int64_t lines[BATCH_ROWS]; /* where each row begins in the file */
	size_t n;
};

void batch_init(struct batch *b);
void batch_free(struct batch *b); /* wipes */

/* Forgets the rows; those to come have `width` fields. */
void batch_clear(struct batch *b, size_t width);

/* True when no row should be added: many rows, or many bytes. */
MUST_CHECK bool batch_full(const struct batch *b);

/* Copies the reader's current row, which must have `width` fields. */
MUST_CHECK bool batch_add(struct batch *b, const struct csv_reader *csv, struct error *e);

/* Field i of a row, valid until the batch is cleared. */
struct csv_field batch_get(const struct batch *b, size_t row, size_t i);

#endif
