/*
 * Memory for secrets that outlive a function: from OpenSSL's secure heap, locked against swap where the system allows it, between guard pages,
 * left out of core dumps, wiped when freed.
 */
#ifndef NG_CRYPTO_SECRET_MEMORY_H
#define NG_CRYPTO_SECRET_MEMORY_H

#include "base/compiler.h"

/* n zeroed bytes, or NULL.  The first call sets the heap up (256 KiB for the process); when that is full, ordinary memory, still wiped. */
MUST_CHECK void *secret_new(size_t n);

/* Wipes and frees what secret_new(n) gave; NULL is fine. */
void secret_delete(void *p, size_t n);

#endif
