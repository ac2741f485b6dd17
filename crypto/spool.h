/*
 * Temporary files that tell nothing: nameless (TMPDIR, else /tmp), encrypted with AES-256-CTR under a key that was drawn for the file and is written
 * nowhere.  What is on the disk shows, then or later, how long it was.
 */
#ifndef NG_CRYPTO_SPOOL_H
#define NG_CRYPTO_SPOOL_H

#include "base/error.h"
#include "base/random.h"

#include <stdio.h>

/*
 * Written once from its beginning; then sought to its beginning, and read, as often as wanted.  Nothing is written after the first seek; no other place can
 * be sought.  fclose removes it and wipes the key.  ERR_IO, ERR_DISK_FULL, ERR_CRYPTO: *out is untouched.
 */
MUST_CHECK bool spool_open(const struct rng *r, FILE **out, struct error *e);

/* A stream that can be read once (called `name` in errors) made into one that can be read again: all of it, at its beginning. */
MUST_CHECK bool spool_copy(FILE *in, const char *name, const struct rng *r, FILE **out, struct error *e);

#endif
