/*
 * Whole files: clear CSV -> sealed CSV, and back.  Streaming, in bounded memory; rows of the output are ordered by a random nonce, which is a secret
 * shuffle.  Errors name file, line and column; what was written before an error is the caller's to discard (base/file.h: file_out).
 */
#ifndef NG_CRYPTO_SEAL_H
#define NG_CRYPTO_SEAL_H

#include "base/random.h"
#include "crypto/c3r.h"
#include "crypto/schema.h"

#include <stdio.h>

struct seal_settings {
	bool allow_cleartext;   /* off: a schema with cleartext columns is refused */
	bool allow_duplicates;  /* off: equal fingerprints in one column are refused */
	bool any_name;          /* joins on columns with other names: one fingerprint key for all */
	bool preserve_nulls;    /* NULL stays NULL */
	const char *null_in;    /* csv_null.text */
	const char *null_out;   /* how NULL is written; "" */
	void (*progress)(void *ctx, int64_t rows); /* now and then; NULL: none */
	void *progress_ctx;
};

/* in must be seekable when a column is padded to its maximum (two passes). */
MUST_CHECK bool seal_file(FILE *in, const char *in_name, FILE *out, const struct schema *schema, const struct c3r_secret *secret,
			  const char *collaboration, const struct seal_settings *settings, const struct rng *r, int64_t *rows,
			  struct error *e);

struct unseal_settings {
	bool fail_on_fingerprint;
	const char *null_in, *null_out;
};

MUST_CHECK bool unseal_file(FILE *in, const char *in_name, FILE *out, const struct c3r_secret *secret, const char *collaboration,
			    const struct unseal_settings *settings, int64_t *rows, struct error *e);

#endif
