/* SHA-256, HMAC-SHA256, PBKDF2, Base64 over OpenSSL, with errors as booleans. */
#ifndef NG_CRYPTO_HASH_H
#define NG_CRYPTO_HASH_H

#include "base/bytes.h"

enum { SHA256_SIZE = 32 };

MUST_CHECK bool hash_sha256(const void *p, size_t n, uint8_t out[SHA256_SIZE]);
MUST_CHECK bool hash_hmac(const void *key, size_t n_key, const void *p, size_t n, uint8_t out[SHA256_SIZE]);
MUST_CHECK bool hash_pbkdf2(const char *password, size_t n, const void *salt, size_t n_salt, int iterations, uint8_t out[SHA256_SIZE]);

/* Standard alphabet, padded, no line breaks. */
void base64_put(struct wr *w, const void *p, size_t n);

/* Strict: length a multiple of 4, padding only at the end, no blanks.  At most max bytes; *n how many. */
MUST_CHECK bool base64_read(const char *s, size_t length, uint8_t *out, size_t max, size_t *n);

#endif
