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
	uint8_t pushed[4]; /* bytes read ahead, the next one last */
	size_t n_pushed;
	bool began;
};

MUST_CHECK bool csv_open(struct csv_reader *r, FILE *f, const char *name, struct error *e);
void csv_close(struct csv_reader *r); /* not the file */

/* The next record; *end at the end of the file.  Errors name file and line. */
MUST_CHECK bool csv_next(struct csv_reader *r, bool *end, struct error *e);

/* Which fields mean NULL. */
struct csv_null {
	const char *text; /* NULL: blank and "" do; blank: only a blank does; "\"\"": only a quoted empty field does; else fields equal to it do */
};
MUST_CHECK bool csv_is_null(const struct csv_null *null, const struct csv_field *f);

/*
 * Appends one field, quoted when it must be.  value NULL is written as null_out: "" for blank, "\"\"" for an empty quoted field, else a text like any
 * other.  An empty value is written so that it does not look like a blank NULL.  first: no comma before it.
 */
void csv_put(struct wr *w, const char *value, size_t n, bool first, const char *null_out);

/* Ends the row that began at `start`.  A row of one empty field is written as "": a blank line is no row to any reader. */
void csv_end(struct wr *w, size_t start);

/* Appends a value in quotes, whatever it is; no comma. */
void csv_put_quoted(struct wr *w, const char *value, size_t n);

#endif
