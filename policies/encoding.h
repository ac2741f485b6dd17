/*
 * Encodings of sealed columns: what each may be used for, and when two columns can hold equal values (SPEC 8.2, 8.3).  The proxy has no keys: it goes by
 * what the policy says a column was sealed with.
 *
 * What must hold: two columns of one domain give equal cells for equal values; of two columns of different domains nothing may be concluded from cells, so
 * they are never compared.  A domain is made of encoding, format, key and, unless one key serves all columns (joins: any_name), the name at sealing.
 */
#ifndef NG_POLICIES_ENCODING_H
#define NG_POLICIES_ENCODING_H

#include "policies/policy.h"

/* As the policy spells it: "fingerprint". */
const char *encoding_name(enum encoding x);

/* Cells of one domain may be compared with each other, counted distinct, grouped by inside the protected part, and name a privacy unit. */
MUST_CHECK bool encoding_joins(enum encoding x);

/* Cells are worth showing: holders of the key (or the vault) can open them. */
MUST_CHECK bool encoding_carried(enum encoding x);

/* Who holds the key can make the cell of a guessed value. */
MUST_CHECK bool encoding_guessable(enum encoding x);

/* The first difference between two columns' domains. */
enum domain_difference { DOMAIN_SAME, DOMAIN_ENCODING, DOMAIN_FORMAT, DOMAIN_KEY, DOMAIN_JOINS, DOMAIN_NAME };
MUST_CHECK enum domain_difference encoding_difference(const struct policy_column *x, const struct policy_column *y);

/* How a column was sealed, from another: a derived column that carries the cells of `from`. */
void encoding_copy(struct policy_column *to, const struct policy_column *from);

/* What every cell of the column begins with, whatever its value; NULL: nothing is known of that (cleartext, tokens, beacons). */
const char *encoding_prefix(const struct policy_column *c);

/* A beacon's term: ceil(bits / 4) lower-case hexadecimal digits, the value below 2^bits. */
MUST_CHECK bool encoding_is_term(const struct policy_column *beacon, const char *text);

#endif
