/*
 * Sealing schemas: which source column becomes which target column, how.  JSON as the AWS client writes it, or the
 * same in YAML; `format: noisegate` chooses Noisegate's own cells (crypto/native.h) and allows deterministic columns and bucket pads.
 */
#ifndef NG_CRYPTO_SCHEMA_H
#define NG_CRYPTO_SCHEMA_H

#include "base/arena.h"
#include "base/error.h"

enum column_kind { COLUMN_CLEARTEXT, COLUMN_FINGERPRINT, COLUMN_SEALED, COLUMN_DETERMINISTIC };
enum pad_kind { PAD_NONE, PAD_FIXED, PAD_MAX, PAD_BUCKET };
enum cell_format { FORMAT_C3R, FORMAT_NATIVE };

enum { SCHEMA_COLUMNS_MAX = 1600, SCHEMA_NAME_MAX = 128, SCHEMA_BUCKET = 16 };

struct schema_column {
	const char *source; /* normalised header, NULL with positions */
	size_t position;    /* of the source field: with positions from the file, else filled from the header */
	const char *target; /* normalised */
	enum column_kind kind;
	enum pad_kind pad;
	size_t pad_length;
};

struct schema {
	enum cell_format format;
	bool header_row;
	size_t n_source; /* positional: number of source fields; 0 with headers */
	struct schema_column *columns;
	size_t n;
};

/* Reads a schema from text; errors name line and column of `name`. */
MUST_CHECK bool schema_read(struct arena *a, const char *name, const char *text, size_t n, struct schema *out, struct error *e);

/* A header as it is compared and as it enters keys: trimmed, lower case; false when the format does not allow it. */
MUST_CHECK bool schema_header(struct arena *a, const char *text, const char **out);

#endif
