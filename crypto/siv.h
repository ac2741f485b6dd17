/* AES-256-SIV (RFC 5297) with one associated string: deterministic authenticated encryption; equal inputs give equal outputs, and nothing else shows. */
#ifndef NG_CRYPTO_SIV_H
#define NG_CRYPTO_SIV_H

#include "base/compiler.h"

enum { SIV_TAG = 16, SIV_KEY = 64 };

/* out: SIV_TAG + n bytes, the tag first.  n and n_bound at least 1, at most 1 MiB.  False when OpenSSL fails. */
MUST_CHECK bool siv_seal(const uint8_t key[SIV_KEY], const void *bound, size_t n_bound, const uint8_t *in, size_t n, uint8_t *out);

/* in: SIV_TAG + n bytes; out: n bytes, which hold nothing useful when it returns false (another key, other associated bytes, a changed input). */
MUST_CHECK bool siv_open(const uint8_t key[SIV_KEY], const void *bound, size_t n_bound, const uint8_t *in, size_t n, uint8_t *out);

/* The two halves of a SIV key from 32 or more bytes of key, each HMAC-SHA256 under its own label: name + " mac", name + " cipher". */
MUST_CHECK bool siv_derive(const void *key, size_t n_key, const char *name, uint8_t out[SIV_KEY]);

#endif
