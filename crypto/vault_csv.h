/*
 * Whole CSV files through a token vault, by a schema:  columns: [{ sourceHeader, targetHeader, type: token | cleartext, domain, keepLength }].
 * Columns that the schema does not name are dropped.  NULLs (blank fields) stay NULL.  Rows stay in their order.
 */
#ifndef NG_CRYPTO_VAULT_CSV_H
#define NG_CRYPTO_VAULT_CSV_H

#include "crypto/schema.h"
#include "crypto/vault.h"

#include <stdio.h>

enum { TOKEN_COLUMNS_MAX = 1600 };

struct token_column {
	const char *source, *target; /* normalised headers; target: source when not given */
	const char *domain;          /* columns of one domain share their tokens; source when not given */
	bool token, keep_length;     /* token false: copied */
};

struct token_schema {
	struct token_column *columns;
	size_t n;
};

/* JSON or YAML; errors name line and column of `name`. */
MUST_CHECK bool token_schema_read(struct arena *a, const char *name, const char *text, size_t n, struct token_schema *out, struct error *e);

/*
 * in -> out.  back: values for tokens, from target columns to source columns; an unknown token is an error.  *cells: how many were replaced.
 * Errors name line and column, never a value.  What was written before an error is the caller's to discard.
 */
MUST_CHECK bool token_file(struct vault *v, const struct token_schema *schema, bool back, FILE *in, const char *in_name, FILE *out, int64_t *cells,
			   struct error *e);

#endif
