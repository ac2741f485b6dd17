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

enum { SEAL_PROGRESS_ROWS = 8192 };

struct seal_settings {
	bool allow_cleartext;   /* off: a schema with cleartext columns is refused */
	bool allow_duplicates;  /* off: equal values in one fingerprint column are refused, and so is a second NULL unless NULLs are preserved */
	bool any_name;          /* joins on columns with other names: one fingerprint key for all */
	bool preserve_nulls;    /* NULL stays NULL */
	int threads;            /* that seal, besides the one that reads and writes; 0: one for each core */
	const char *null_in;    /* csv_null.text */
	const char *null_out;   /* how NULL is written; "" */
	void (*progress)(void *ctx, int64_t rows); /* now and then; NULL: none */
	void *progress_ctx;
};

/*
 * When a column is padded to its maximum (two passes), an `in` that cannot be sought is copied first (crypto/spool.h).  Nothing is written to out before all of the input has been read and checked.
 * ERR_CRYPTO: a setting, value or duplicate forbids it; ERR_CONFIG: schema and file do not fit; ERR_IO, ERR_DISK_FULL.
 */
MUST_CHECK bool seal_file(FILE *in, const char *in_name, FILE *out, const struct schema *schema, const struct c3r_secret *secret,
			  const char *collaboration, const struct seal_settings *settings, const struct rng *r, int64_t *rows,
			  struct error *e);

struct unseal_settings {
	bool partial;             /* native format: columns or rows may be missing; cells are then bound to each other, not to the whole row */
	bool fail_on_fingerprint; /* off: fingerprints pass through as they are */
	int threads;              /* as for sealing */
	const char *null_in, *null_out;
	void (*progress)(void *ctx, int64_t rows);
	void *progress_ctx;
	int64_t *opened; /* how many sealed cells were opened and tags found right; NULL: not told */
};

/* Rows are written as they are read: a cell that does not open may come after rows that are already in out. */
MUST_CHECK bool unseal_file(FILE *in, const char *in_name, FILE *out, const struct c3r_secret *secret, const char *collaboration,
			    const struct unseal_settings *settings, int64_t *rows, struct error *e);

#endif
