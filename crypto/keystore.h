/*
 * Key stores: who holds the key-encryption key (KEK) under which a key file is wrapped.  A store makes a KEK for a new key file and gives the
 * same KEK back later, or refuses; it never sees the wrapped key, and knows nothing of key files (crypto/key.h) beyond some bytes that it binds.
 *
 * A new kind is one file that defines a struct keystore, and one line in the table of keystore.c.  What must hold for every kind:
 * (1) open() gives exactly the 32 bytes that make() gave, or fails with ERR_KEY_REFUSED and says why;
 * (2) nothing in the slot or the locator is secret: they stand in the key file in the clear;
 * (3) kek is in memory from secret_new() (crypto/secret_memory.h); copies that a store makes are wiped.
 */
#ifndef NG_CRYPTO_KEYSTORE_H
#define NG_CRYPTO_KEYSTORE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/random.h"
#include "crypto/secret.h"

enum { KEYSTORE_SLOT_MAX = 4096, KEYSTORE_LOCATOR_MAX = 1024, KEYSTORE_ASK_MAX = 512 };

/* What a store may use. */
struct keystore_request {
	const char *locator; /* what stands after "kind:", "" when nothing */
	/* A passphrase or PIN, zero-terminated, into out; confirm: for a new one, which a person types twice. */
	bool (*ask)(void *ctx, const char *what, bool confirm, char *out, size_t room, struct error *e);
	void *ask_ctx;
	const struct rng *rng;
	struct arena *arena;
};

struct keystore {
	const char *name; /* "file" */
	const char *form; /* "file:PATH", for usage and errors */

	/* Whether a new secret must be named to rotate (another file, another token key): the old one would still open what is new. */
	bool rotates_by_name;

	/* The locator as it is kept in the key file: complete, absolute, one line of at most KEYSTORE_LOCATOR_MAX bytes. */
	bool (*locate)(const struct keystore_request *q, struct wr *locator, struct error *e);

	/* A fresh KEK for a new key file; slot gets what open() will need (at most KEYSTORE_SLOT_MAX).  bound: authenticated where the store can. */
	bool (*make)(const struct keystore_request *q, const char *bound, size_t n_bound, struct wr *slot, uint8_t kek[SECRET_KEY], struct error *e);

	/* That KEK again. */
	bool (*open)(const struct keystore_request *q, const char *bound, size_t n_bound, struct rd slot, uint8_t kek[SECRET_KEY], struct error *e);

	/* Destroys what the store keeps outside the key file, so that nothing wrapped under it opens again.  NULL: it keeps nothing. */
	bool (*destroy)(const struct keystore_request *q, struct error *e);
};

/* The store of a name, or NULL. */
const struct keystore *keystore_named(const char *name, size_t n);

/* Splits "kind" or "kind:locator".  ERR_BAD_PARAMETER lists the kinds. */
MUST_CHECK bool keystore_parse(const char *spec, const struct keystore **kind, const char **locator, struct error *e);

extern const struct keystore keystore_file, keystore_passphrase, keystore_pkcs11, keystore_tpm;

#endif
