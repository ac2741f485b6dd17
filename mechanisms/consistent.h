/*
 * Totals that agree with their parts: post-processing of releases that count the same rows at several levels, as ROLLUP does.
 *
 * Each level was noised on its own, with variance s_l^2 a value.  Among all numbers in which every total is the sum of its parts, those with the least weighted
 * squares to what was released (weights 1/s_l^2) have the least variance of all unbiased linear estimates (Gauss, Markov), so none is worse than what was
 * released.  For levels whose groups all have f parts they are found in one pass up and one down: Hay, Rastogi, Miklau, Suciu, "Boosting the Accuracy of
 * Differentially Private Histograms Through Consistency" (2010), section 3, here with a known variance for each level.  Pure post-processing: no charge.
 *
 * What must hold:
 * (1) A function of released numbers and public noise scales alone: the same releases give the same result, and nothing random is drawn.
 * (2) In the result, every total is exactly the sum of its parts, in grid units; releases that agree already stay as they are.
 * (3) Unbiased: rounding to grid units, at most one unit, goes up or down by a hash of the released numbers, favouring no group.
 * (4) Interval ends are those of the estimate's own law: its variance and fourth cumulant follow from the weights.
 * (5) A value that cannot be adjusted (a number at the end of its type, levels without the shape of a tree) stays as released in all levels.
 *
 * Doubles see only what the levels disagree by, which is noise; the sums themselves are 128-bit integers.
 */
#ifndef NG_MECHANISMS_CONSISTENT_H
#define NG_MECHANISMS_CONSISTENT_H

#include "mechanisms/released.h"

enum { CONSISTENT_LEVELS_MAX = 32 };

struct consistent_level {
	const struct release_spec *spec; /* the same values at every level, in the same order; SELECT_ALL */
	const struct released *released;
	const size_t *from;              /* [spec->n_keys]: the place of each key among those of the next, finer level; unread at the finest */
};

/*
 * levels: the coarsest first, 2 to CONSISTENT_LEVELS_MAX.  additive: of each value of the specs, whether a total's exact value is the sum of its parts' exact
 * values; only RELEASE_COUNT and RELEASE_SUM may be.  Ends of their intervals follow them.  out[i]: the rows of level i.  ERR_NO_MEMORY.
 */
MUST_CHECK bool consistent_make(const struct consistent_level *levels, size_t n, const bool *additive, struct arena *a, const struct released **out,
				struct error *e);

/* The law of an estimate: that of a level's rows after the adjustment. */
struct consistent_law {
	double variance, fourth; /* fourth cumulant */
};

/* noise: of each level, the coarsest first; parts: how many rows of level i + 1 a row of level i has, for i < n - 1. */
void consistent_laws(const struct noise *const *noise, const double *parts, size_t n, struct consistent_law *out);

#endif
