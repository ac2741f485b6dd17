/* Secrets: wiped when they leave scope, compared in constant time. */
#ifndef NG_CRYPTO_SECRET_H
#define NG_CRYPTO_SECRET_H

#include "base/compiler.h"

enum { SECRET_KEY = 32 };

/* A 32-byte key.  Declare as:  SECRET struct secret_key k; and it is wiped on every way out. */
struct secret_key {
	uint8_t bytes[SECRET_KEY];
};

void secret_wipe(void *p, size_t n);

/* Asks the kernel never to write these bytes' pages to swap.  Best effort; the lock ends with the process. */
void secret_lock(void *p, size_t n);

void secret_key_wipe(struct secret_key *k);
#define SECRET __attribute__((cleanup(secret_key_wipe)))

/* Equal or not, in time that depends on n only. */
MUST_CHECK bool secret_equal(const void *a, const void *b, size_t n);

#endif
