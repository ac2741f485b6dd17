/*
 * Raw memory for objects that outlive an arena (sessions, pools, ledgers).  Everything a query allocates uses base/arena.h.
 * These are the only doors to the allocator outside base/, and so the place where tests inject allocation failure.
 */
#ifndef NG_BASE_MEM_H
#define NG_BASE_MEM_H

#include "base/compiler.h"

/* Zeroed memory for n objects of size bytes; NULL when it cannot be had or n * size overflows.  n * size may be 0. */
MUST_CHECK void *mem_alloc(size_t n, size_t size);

/* Grows to n objects of size bytes; the old block is untouched on failure (NULL). */
MUST_CHECK void *mem_grow(void *p, size_t n, size_t size);

/* A zero-terminated copy of s, or NULL. */
MUST_CHECK char *mem_strdup(const char *s);

/* Frees p; NULL is fine. */
void mem_free(void *p);

/* Copies n bytes; the regions must not overlap.  n may be 0, then the pointers may be NULL. */
void mem_copy(void *to, const void *from, size_t n);

/* As mem_copy, for overlapping regions. */
void mem_move(void *to, const void *from, size_t n);

/* True when the n bytes are equal.  Not for secrets: see crypto/secret.h. */
MUST_CHECK bool mem_equal(const void *a, const void *b, size_t n);

/* Overwrites n bytes with zeros in a way that the compiler keeps. */
void mem_wipe(void *p, size_t n);

#endif
