/* CSV as the AWS client reads and writes it (docs/sealed-columns.md has the rules), streaming. */
#ifndef NG_CRYPTO_CSV_H
#define NG_CRYPTO_CSV_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdio.h>

enum { CSV_COLUMNS_MAX = 10000, CSV_RECORD_MAX = 16 << 20 };

struct csv_field {
	const char *text; /* zero-terminated; valid until the next record */
	size_t n;
	bool quoted;
};

struct csv_reader {
	FILE *f;
	const char *name; /* for errors */
	int64_t line;     /* where the current record began */
	int64_t at_line;  /* where reading stands */
	struct wr bytes;  /* of the current record */
	struct csv_field *fields;
	size_t *starts;
	size_t n_fields, cap_fields;
	int pushed; /* a character read ahead, or EOF */
	bool began;
};

MUST_CHECK bool csv_open(struct csv_reader *r, FILE *f, const char *name, struct error *e);
void csv_close(struct csv_reader *r); /* not the file */

/* The next record; *end at the end of the file.  Errors name file and line. */
MUST_CHECK bool csv_next(struct csv_reader *r, bool *end, struct error *e);

/* Which fields mean NULL: unset (blank and ""), blank only, quoted empty only, or a text. */
struct csv_null {
	const char *text; /* NULL: unset */
};
MUST_CHECK bool csv_is_null(const struct csv_null *null, const struct csv_field *f);

/* Appends one field; value NULL is written as null_out ("" for blank).  first: no comma before it. */
void csv_put(struct wr *w, const char *value, size_t n, bool first, const char *null_out);

#endif
