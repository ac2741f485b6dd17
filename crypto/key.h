/*
 * Keys at rest: a collaboration's secret, alone in a file (Base64, mode 0600) or wrapped in a versioned key file under a key store's KEK.
 * docs/keys.md describes the file byte by byte.
 *
 * What must hold:
 * (1) a wrapped key file with any byte changed, added or removed does not open (AES-256-SIV, RFC 5297, over the secret, with every line before it
 *     as associated data; the text has one form only);
 * (2) it opens only for the context that it was wrapped for, when the caller says which it expects;
 * (3) its secret goes only to the caller's struct, whose pages are locked; on failure that is wiped.
 */
#ifndef NG_CRYPTO_KEY_H
#define NG_CRYPTO_KEY_H

#include "crypto/c3r.h"
#include "crypto/keystore.h"

enum { KEY_ID = 8, KEY_ID_TEXT = 2 * KEY_ID + 1, KEY_FILE_MAX = 16384, KEY_CONTEXT_MAX = 128 };

/* What a key is for.  Each "-" or a word of letters, digits and . _ : @ / + - ; NULL in an expectation: any. */
struct key_context {
	const char *collaboration, *member, *purpose;
};

/* A wrapped key file taken apart; texts live in the arena that read it. */
struct key_file {
	char id[KEY_ID_TEXT];
	struct key_context context;
	const char *created; /* UTC, to the second */
	const struct keystore *store;
	const char *locator;
	const char *text; /* the file, from its first byte */
	size_t n_context; /* up to and with the locator's line: what the store may bind */
	size_t n_bound;   /* up to and with the slot's line: the associated data */
	const uint8_t *slot, *wrapped;
	size_t n_slot, n_wrapped;
	bool destroyed; /* a tombstone: id, context and dates only */
};

/*
 * The identifier of a secret, in hexadecimal: 8 bytes of HMAC-SHA256(secret, "noisegate key id v1").  Public: it stands in sealed headers and is
 * what members compare; it tells nothing about a secret of 32 random bytes.
 */
MUST_CHECK bool key_id(const struct c3r_secret *s, char out[KEY_ID_TEXT]);

/* Whether a file's text is a wrapped key file (and not a plain secret). */
MUST_CHECK bool key_is_wrapped(const char *text);

/* Takes a wrapped key file apart without opening it.  ERR_KEY_REFUSED: not well-formed, or of a later version. */
MUST_CHECK bool key_parse(struct arena *a, const char *text, size_t n, struct key_file *out, struct error *e);

/* Writes a key file for s: q->locator as given to `store`.  `now` is its date.  ERR_BAD_PARAMETER for a context that is not made of words. */
MUST_CHECK bool key_wrap(const struct c3r_secret *s, const struct key_context *context, const struct keystore *store,
			 const struct keystore_request *q, const struct wr *now, struct wr *out, struct error *e);

/* Opens; q->locator "": the file's own.  ERR_KEY_REFUSED, ERR_KEY_DESTROYED, or what the store says. */
MUST_CHECK bool key_unwrap(const struct key_file *f, const struct key_context *expect, const struct keystore_request *q, struct c3r_secret *out,
			   struct error *e);

/* What remains of a destroyed key: its id, context and dates. */
void key_tombstone(const struct key_file *f, const struct wr *now, struct wr *out);

/*
 * The one way to a secret from a path, whichever kind of file stands there.  A plain secret has no context to check.  spec: another way to the KEK
 * than the file's ("file:/new/place"), or NULL.
 */
MUST_CHECK bool key_load(const char *path, const struct key_context *expect, const char *spec, const struct keystore_request *q,
			 struct c3r_secret *out, struct error *e);

#endif
