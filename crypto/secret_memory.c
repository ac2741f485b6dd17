#include "crypto/secret_memory.h"

#include <openssl/crypto.h>
#include <pthread.h>

enum { HEAP = 256 << 10, LEAST = 32 };

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_up(void)
{
	if (!CRYPTO_secure_malloc_initialized())
		(void)CRYPTO_secure_malloc_init(HEAP, LEAST); /* without it OpenSSL falls back to ordinary memory */
}

void *secret_new(size_t n)
{
	(void)pthread_once(&once, set_up);
	return OPENSSL_secure_zalloc(n);
}

void secret_delete(void *p, size_t n)
{
	OPENSSL_secure_clear_free(p, n);
}
