/*
 * Cells of Noisegate's own format, version 1 (docs/native-format.md has the bytes and test vectors).  Against the C3R format: a sealed cell is bound to
 * its collaboration, file, row and column; every row carries a tag over all its cells, every file one over its rows' number; every use has its own key.
 *
 * Keys: HKDF-SHA256(salt = collaboration UUID, secret, label), the labels "noisegate/1/seal", "noisegate/1/row", "noisegate/1/fingerprint/" + column,
 * "noisegate/1/deterministic/mac/" + column and "noisegate/1/deterministic/enc/" + column; the column is empty where one key serves all columns.
 */
#ifndef NG_CRYPTO_NATIVE_H
#define NG_CRYPTO_NATIVE_H

#include "base/bytes.h"
#include "base/random.h"
#include "crypto/c3r.h"

enum { NATIVE_KEY_ID = 4, NATIVE_FILE = 8, NATIVE_ROW = 16, NATIVE_VALUE_MAX = 12000, NATIVE_NULL_MIN = 8 };

/* The column that holds the rows' tags; always the last one.  In a file as it was sealed, the file's own tag follows the name. */
#define NATIVE_ROW_COLUMN "noisegate_row"
#define NATIVE_FILE_COLUMN NATIVE_ROW_COLUMN ":"

enum native_cell { NATIVE_NONE, NATIVE_SEALED, NATIVE_DETERMINISTIC, NATIVE_FINGERPRINT, NATIVE_TAG, NATIVE_OTHER };
enum native_cell native_kind(const char *text, size_t n);

/* Where a row belongs: both parts are random, the row's also orders the file. */
struct native_place {
	uint8_t file[NATIVE_FILE], row[NATIVE_ROW];
};

/* A collaboration's keys and contexts; one thread at a time.  NULL without memory; free wipes, NULL is fine. */
struct native_work;
struct native_work *native_work_new(const struct c3r_secret *s, const char *collaboration);
void native_work_free(struct native_work *w);

/* A column's key for fingerprints, ready for many values, and for deterministic cells.  one_key: the same for all columns. */
struct native_siv_key {
	uint8_t bytes[2 * SECRET_KEY];
};
struct hash_mac *native_column_mac(const struct c3r_secret *s, const char *collaboration, const char *column, bool one_key);
MUST_CHECK bool native_siv_key(const struct c3r_secret *s, const char *collaboration, const char *column, bool one_key, struct native_siv_key *out);

/*
 * Sealing.  value NULL: a sealed NULL, which looks like any other value.  padded: value bytes that the cell pretends to hold, at least n.  False, with
 * nothing in out, when it does not fit or OpenSSL fails.  native_row_begin comes before the row's first native_seal; no column twice in one row.
 */
MUST_CHECK bool native_row_begin(struct native_work *w, const struct native_place *at);
MUST_CHECK bool native_seal(struct native_work *w, const char *column, const char *value, size_t n, size_t padded, struct wr *out);
MUST_CHECK bool native_deterministic(struct native_work *w, const struct native_siv_key *k, const char *value, size_t n, size_t padded,
				     const struct rng *r, struct wr *out);
MUST_CHECK bool native_fingerprint(struct hash_mac *k, const char *value, size_t n, const struct rng *r, struct wr *out, uint8_t mac[32]);

/* The tag over a row: begin with the digest of the column names, each cell's text in order, end.  The place is part of it. */
void native_names_add(struct wr *names, const char *name, size_t n); /* the digest is SHA-256 of names */
void native_tag_begin(struct native_work *w, const struct native_place *at, const uint8_t names[32]);
void native_tag_cell(struct native_work *w, const char *text, size_t n);
MUST_CHECK bool native_tag_put(struct native_work *w, struct wr *out);

/* The file's tag, over its number, how many rows it has and their column names: appends NATIVE_FILE_COLUMN and the tag. */
MUST_CHECK bool native_file_put(struct native_work *w, const uint8_t file[NATIVE_FILE], const uint8_t names[32], uint64_t rows, struct wr *out);

/* Opening.  *why says what is wrong, at most until the next call. */
MUST_CHECK bool native_place_of(struct native_work *w, const char *cell, size_t n, struct native_place *out, const char **why); /* of a tag or sealed cell */
MUST_CHECK bool native_open(struct native_work *w, const char *column, const char *cell, size_t n, struct wr *out, bool *null, const char **why);
MUST_CHECK bool native_open_deterministic(struct native_work *w, const struct native_siv_key *k, const char *cell, size_t n, struct wr *out, bool *null,
					  const char **why);
MUST_CHECK bool native_tag_check(struct native_work *w, const char *cell, size_t n, const char **why); /* after native_tag_begin and its cells */
MUST_CHECK bool native_file_check(struct native_work *w, const char *text, size_t n, const uint8_t names[32], uint8_t file[NATIVE_FILE], uint64_t *rows,
				  const char **why); /* text: as native_file_put wrote it */

#endif
