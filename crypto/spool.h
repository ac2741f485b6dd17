/*
 * A stream that can be read once made into one that can be read again: a copy in a nameless temporary file (TMPDIR, else /tmp), encrypted with
 * AES-256-CTR under a key that was drawn for it and is written nowhere.  What is on the disk tells nothing, then or later, but how long it is.
 */
#ifndef NG_CRYPTO_SPOOL_H
#define NG_CRYPTO_SPOOL_H

#include "base/error.h"
#include "base/random.h"

#include <stdio.h>

/*
 * Copies all of in (called `name` in errors).  *out can be read, told, and sought to its beginning; fclose removes it and wipes the key.
 * ERR_IO, ERR_DISK_FULL, ERR_CRYPTO: *out is untouched.
 */
MUST_CHECK bool spool_copy(FILE *in, const char *name, const struct rng *r, FILE **out, struct error *e);

#endif
