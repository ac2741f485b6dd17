/*
 * Rounding to whole numbers whose sums are given: along a line, and in a table with given sums of rows and of columns.
 *
 * Estimates are first moved, evenly, so that their sums are the given ones; then each is rounded down or up, up as often as its fraction says, so no cell is
 * favoured.  A line: systematic rounding of the running sum from a fair start.  A table: while there are cells that are not whole, some of them form a cycle, row and
 * column in turns, as no row and no column has just one; along it cells are raised and lowered in turns until one is whole, in the direction that keeps all
 * means (Cox, "A Constructive Procedure for Unbiased Controlled Rounding", 1987).
 */
#ifndef NG_MECHANISMS_CONTROLLED_H
#define NG_MECHANISMS_CONTROLLED_H

#include "base/arena.h"

/* Fair bits that follow from a seed. */
struct coins {
	uint64_t state;
};

uint64_t coins_next(struct coins *c);

/* out[i]: x[i] rounded, with sum total; n at least 1.  False when a number is beyond 2^61 and nothing can be said of fractions. */
MUST_CHECK bool controlled_line(const double *x, size_t n, i128 total, struct coins *c, i128 *out);

/* Work space for tables of so many cells. */
struct controlled;
struct controlled *controlled_new(struct arena *a, size_t cells); /* NULL without memory */

/*
 * out: x, a table of rows * columns row by row, rounded, with the sums of each row and each column.  The sums of row_sums and of column_sums are equal.  False as above.
 */
MUST_CHECK bool controlled_table(struct controlled *t, const double *x, size_t rows, size_t columns, const i128 *row_sums, const i128 *column_sums,
				 struct coins *c, i128 *out);

#endif
