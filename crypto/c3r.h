/*
 * Cells in the format of AWS C3R (version 02): fingerprints, sealed values, their keys.  docs/sealed-columns.md has the table of bytes.
 * Cell text is what stands in a CSV file or a column.
 */
#ifndef NG_CRYPTO_C3R_H
#define NG_CRYPTO_C3R_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/random.h"
#include "crypto/hash.h"
#include "crypto/secret.h"

enum { C3R_NONCE = 32, C3R_CELL_MAX = 16383, C3R_PAD_MAX = 10000, C3R_PADDED_MAX = 12000, C3R_SECRET_MIN = 32, C3R_SECRET_MAX = 1024, UUID_TEXT = 37 };

/* The collaboration's shared secret, decoded. */
struct c3r_secret {
	uint8_t bytes[C3R_SECRET_MAX];
	size_t n;
};

/* Strict base64 of at least 32 bytes; trailing line end allowed. */
MUST_CHECK bool c3r_secret_read(const char *text, struct c3r_secret *out, struct error *e);

/* A UUID in its canonical lower-case form. */
MUST_CHECK bool c3r_uuid(const char *text, char out[UUID_TEXT], struct error *e);

/* HKDF-SHA256 (RFC 5869) with one block: salt the collaboration, info the label and behind it the column. */
MUST_CHECK bool c3r_expand(const struct c3r_secret *s, const char *collaboration, const char *label, const char *column, struct secret_key *out);

/* Root key (sealing), and a fingerprint column's key: of its own, or the root key when joins on columns with other names are allowed. */
MUST_CHECK bool c3r_root_key(const struct c3r_secret *s, const char *collaboration, struct secret_key *out);
MUST_CHECK bool c3r_column_key(const struct c3r_secret *s, const char *collaboration, const char *column, bool any_name, struct secret_key *out);

/* A fingerprint column's key made ready for many values; one thread at a time.  NULL without memory. */
struct hash_mac *c3r_column_mac(const struct c3r_secret *s, const char *collaboration, const char *column, bool any_name);

/* "02:hmac:..." of a text value; value NULL: of 32 random bytes, so that NULLs never join.  mac (32 bytes) may be NULL. */
MUST_CHECK bool c3r_fingerprint(struct hash_mac *k, const char *value, size_t n, const struct rng *r, struct wr *out, uint8_t *mac);

/* Contexts that sealing and opening reuse from cell to cell; one thread at a time, and not both directions with one.  NULL without memory. */
struct c3r_work;
struct c3r_work *c3r_work_new(void);
void c3r_work_free(struct c3r_work *w); /* wipes; NULL is fine */

/* Starts a row: its nonce is shared by its sealed columns, and must never be used for another row. */
MUST_CHECK bool c3r_row_begin(struct c3r_work *w, const struct secret_key *root, const uint8_t nonce[C3R_NONCE]);

/*
 * "02:enc:..." of a value (NULL: a sealed NULL) padded to `padded` encoded bytes (0: no padding; else more than the value has bytes).  At most once
 * a row for each column name, which decides the IV.  False, with nothing in out, when it does not fit or OpenSSL fails.
 */
MUST_CHECK bool c3r_seal(struct c3r_work *w, const char *column, const char *value, size_t n, size_t padded, struct wr *out);

enum c3r_cell { CELL_CLEAR, CELL_SEALED, CELL_FINGERPRINT, CELL_OTHER_VERSION };
enum c3r_cell c3r_kind(const char *text, size_t n);

/* Opens a sealed cell; *null for a sealed NULL.  out gets the value as text.  *why says what is wrong with it. */
MUST_CHECK bool c3r_open(struct c3r_work *w, const struct secret_key *root, const char *cell, size_t n, struct wr *out, bool *null, const char **why);

#endif
