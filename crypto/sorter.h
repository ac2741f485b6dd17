/*
 * Sorts records by a 32-byte key in bounded memory: sorted runs in temporary files, merged while reading back.  The files lie in TMPDIR (or /tmp), have
 * mode 0600 and no name any more when the first byte is written, so nothing is left behind however the process ends.  They take about as much room as
 * what was added.  Records with equal keys come out in any order.
 */
#ifndef NG_CRYPTO_SORTER_H
#define NG_CRYPTO_SORTER_H

#include "base/error.h"

enum { SORTER_KEY = 32, SORTER_RUN_BYTES = 12 << 20, SORTER_RUNS_MAX = 128, SORTER_BUFFER = 32 << 10 };

struct sorter;

MUST_CHECK bool sorter_open(struct sorter **out, struct error *e);
void sorter_close(struct sorter *s); /* NULL is fine */

MUST_CHECK bool sorter_add(struct sorter *s, const uint8_t key[SORTER_KEY], const void *payload, size_t n, struct error *e);

/* Calls each(ctx, key, payload, n, e) in key order, once, after the last add; stops when it returns false. */
typedef bool (*sorter_each)(void *ctx, const uint8_t *key, const void *payload, size_t n, struct error *e);
MUST_CHECK bool sorter_finish(struct sorter *s, sorter_each each, void *ctx, struct error *e);

#endif
