/*
 * Ed25519 signatures (RFC 8032): the key pair of an audit log.  Key files are PEM as `openssl` writes and reads them: the private key in PKCS#8,
 * readable by its owner alone; the public one as SubjectPublicKeyInfo.
 */
#ifndef NG_CRYPTO_SIGN_H
#define NG_CRYPTO_SIGN_H

#include "base/bytes.h"
#include "base/error.h"

enum { SIGN_PUBLIC = 32, SIGN_SIGNATURE = 64 };

struct sign_key; /* immutable: any thread may sign */

/* A fresh private key as PEM, and its public half as PEM. */
MUST_CHECK bool sign_generate(struct wr *private_pem, struct wr *public_pem, struct error *e);

/* ERR_CRYPTO when others may read the file, or when it holds no Ed25519 private key. */
MUST_CHECK bool sign_key_load(const char *path, struct sign_key **out, struct error *e);
void sign_key_free(struct sign_key *k); /* NULL is fine */

void sign_key_public(const struct sign_key *k, uint8_t out[SIGN_PUBLIC]);

/* False only when OpenSSL or memory fails. */
MUST_CHECK bool sign_make(const struct sign_key *k, const void *p, size_t n, uint8_t out[SIGN_SIGNATURE]);

MUST_CHECK bool sign_public_load(const char *path, uint8_t out[SIGN_PUBLIC], struct error *e);

/* True when the signature is that key's over these bytes. */
MUST_CHECK bool sign_verify(const uint8_t public_key[SIGN_PUBLIC], const void *p, size_t n, const uint8_t signature[SIGN_SIGNATURE]);

#endif
