/*
 * Overlap floors: a table's owner may ask that answers about it joined with another owner's be released only when enough units are shared
 * (policy: overlap: { minimum }).
 *
 * The law: n units have rows that the answer is about, in tables of every owner.  Adding or removing a unit changes n by at most 1.  N = n + Z is a noised
 * count, Z as for any count (discrete Laplace or Gaussian), paid with one part of the block's price.  The answer is released when N >= minimum, else one
 * constant refusal.  So an answer is released with probability P(Z >= minimum - n).
 *
 * What must hold: (1) the refusal is a function of N alone, which is released under differential privacy, so floors compose like any other value.
 * (2) No join of another owner's table escapes the count: what is counted are units for which the joined rows are there.  Where a join stands in a place
 * that cannot be counted so (CASE, OR, NOT, FILTER, UNION ALL, FULL JOIN), the statement is refused when planned.
 */
#ifndef NG_PLANNER_OVERLAP_H
#define NG_PLANNER_OVERLAP_H

#include "planner/block_parts.h"

/* Decides whether a floor holds for the block, when all of its columns are known: b->floor, NULL for none.  ERR_RULE: it cannot be checked. */
MUST_CHECK bool overlap_find(struct block *b, struct error *e);

/* The statement and release of the noised count of b->floor. */
MUST_CHECK bool overlap_emit(const struct block *b, const struct noise *noise, struct plan_block *out, struct error *e);

#endif
