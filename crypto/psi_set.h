/*
 * The lists of private set intersection: an owner's values made into blinded points of a stated number, and tags compared (docs/psi.md).
 *
 * What must hold:
 * (1) a list has exactly the stated number of points, whatever the set: what is missing is filled with points of secret random strings, which cost the
 *     same work and look the same;
 * (2) its order is a uniform permutation, drawn before anything is computed;
 * (3) values, fillers and dummies are hashed under domain separation tags of their own: none ever equals one of another kind, or of another session.
 */
#ifndef NG_CRYPTO_PSI_SET_H
#define NG_CRYPTO_PSI_SET_H

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/hash.h"
#include "crypto/psi_curve.h"

#include <stdio.h>

enum { PSI_SET_MAX = 1 << 22, PSI_VALUE_MAX = 4096, PSI_DUMMIES_MAX = 1 << 18 };

/* The distinct values of a file, in byte order. */
struct psi_values {
	struct wr bytes; /* each with its zero byte */
	size_t *at;      /* where each begins */
	size_t n, cap;
};

/*
 * Reads a file: one value a line (column NULL; empty lines are left out), or the column of that name of a CSV file with a header (blank fields are left out).
 * Values are compared byte by byte.  ERR_BAD_VALUE names file and line: not UTF-8, a zero byte, longer than PSI_VALUE_MAX; ERR_TOO_COMPLEX beyond 1 GiB.
 */
MUST_CHECK bool psi_values_read(FILE *f, const char *name, const char *column, struct psi_values *out, struct error *e);
void psi_values_free(struct psi_values *v); /* wipes; a zeroed struct is fine */

struct psi_session {
	uint8_t digest[SHA256_SIZE]; /* of the session's name: the same values of another session are other points */
};
MUST_CHECK bool psi_session(const char *name, struct psi_session *out);

struct psi_list {
	const struct psi_session *session;
	const struct psi_values *values;
	size_t bound;           /* at least values->n */
	size_t dummies, chosen; /* chosen of the dummies are the agreed ones, the rest fillers */
};

/* The list of bound + dummies points, blinded, mixed.  points: room for them.  ERR_CRYPTO. */
MUST_CHECK bool psi_list_make(const struct psi_list *l, const struct rng *r, const struct secret_key *exponent, uint8_t (*points)[PSI_POINT],
			      struct error *e);

/* The agreed dummies from number `first` on, n of them, blinded, in order. */
MUST_CHECK bool psi_dummies_make(const struct psi_session *s, size_t first, size_t n, const struct secret_key *exponent, uint8_t (*points)[PSI_POINT],
				 struct error *e);

/* Tags of the powers of a peer's points.  ERR_PROTOCOL when one of them is no point. */
MUST_CHECK bool psi_tags_make(const uint8_t (*points)[PSI_POINT], size_t n, const struct secret_key *exponent, struct psi_tag *tags, struct error *e);

/*
 * Sorts by value, an order that says nothing of the points' own.  ERR_PROTOCOL when two are equal: the peer repeated an element, which would count it
 * twice.
 */
MUST_CHECK bool psi_tags_sort(struct psi_tag *tags, size_t n, struct error *e);

/* How many tags two sorted lists share. */
size_t psi_tags_common(const struct psi_tag *a, size_t n, const struct psi_tag *b, size_t m);

#endif
