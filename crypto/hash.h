/* SHA-256, HMAC-SHA256, PBKDF2, Base64 over OpenSSL, with errors as booleans.  False only when OpenSSL or memory fails. */
#ifndef NG_CRYPTO_HASH_H
#define NG_CRYPTO_HASH_H

#include "base/bytes.h"

enum { SHA256_SIZE = 32 };

MUST_CHECK bool hash_sha256(const void *p, size_t n, uint8_t out[SHA256_SIZE]);
MUST_CHECK bool hash_hmac(const void *key, size_t n_key, const void *p, size_t n, uint8_t out[SHA256_SIZE]);
MUST_CHECK bool hash_pbkdf2(const char *password, size_t n, const void *salt, size_t n_salt, int iterations, uint8_t out[SHA256_SIZE]);

/*
 * HMAC-SHA256 with a key that stays the same over many messages (a column's fingerprints): the key is set once.  Not for two threads at a
 * time.  NULL without memory; hash_mac_free wipes, NULL is fine.
 */
struct hash_mac;
MUST_CHECK struct hash_mac *hash_mac_new(const void *key, size_t n_key);
void hash_mac_free(struct hash_mac *m);

/* The MAC of p followed by tail. */
MUST_CHECK bool hash_mac_of(struct hash_mac *m, const void *p, size_t n, uint8_t tail, uint8_t out[SHA256_SIZE]);

/* SHA-256 of what comes in pieces.  NULL without memory, which every function takes; hash_end frees, and is false when anything failed. */
struct hash_stream;
MUST_CHECK struct hash_stream *hash_begin(void);
void hash_add(struct hash_stream *s, const void *p, size_t n);
MUST_CHECK bool hash_end(struct hash_stream *s, uint8_t out[SHA256_SIZE]);

/* The digest as OpenSSL looks it up once for the process, for callers that keep a context of their own.  Is (const EVP_MD *). */
const void *hash_sha256_method(void);

/* Standard alphabet, padded, no line breaks. */
void base64_put(struct wr *w, const void *p, size_t n);

/* Strict: length a multiple of 4, padding only at the end, no blanks.  At most max bytes; *n how many. */
MUST_CHECK bool base64_read(const char *s, size_t length, uint8_t *out, size_t max, size_t *n);

#endif
