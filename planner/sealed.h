/*
 * What sealed columns may be used for inside the protected part: the uses that policies/encoding.h gives each encoding, refused with the column, whose it
 * is, how it was sealed, and what to write instead.  bind_usable and bind_comparable (planner/bind.h) live here, too.
 *
 * What must hold: cells of a joinable encoding are compared for equality with cells of their own domain, and with nothing else.  In particular never with
 * constants: whoever holds the key could ask for one guessed value after the other.
 */
#ifndef NG_PLANNER_SEALED_H
#define NG_PLANNER_SEALED_H

#include "planner/bind.h"

/* A column whose cells are not its values. */
MUST_CHECK bool sealed_is(const struct expr *x);

/* Refuses a comparison of sealed columns that cannot mean anything, or would tell too much; true also when neither side is sealed. */
MUST_CHECK bool sealed_compare(const struct binder *b, const char *op, const struct expr *l, const struct expr *r, int location, struct error *e);

/* Refuses a sealed column as a column of a result: list and custom rules carry what can be opened; public tables show everything. */
MUST_CHECK bool sealed_carry(const struct binder *b, const struct expr *x, struct error *e);

/* Refuses to take the cells of two columns for one column's: UNION ALL. */
MUST_CHECK bool sealed_unite(const struct binder *b, const struct expr *x, const struct expr *y, struct error *e);

/* The column that names the unit of rows, whichever relation it comes through. */
const struct policy_column *sealed_unit(const struct expr *unit);

#endif
