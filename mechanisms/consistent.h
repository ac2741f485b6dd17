/*
 * Totals that agree with their parts: post-processing of releases that count the same rows by different sets of keys, as ROLLUP, CUBE and GROUPING SETS do.
 *
 * Each set was noised on its own.  Among all numbers in which any two sets agree in what they say of the keys they share, those with the least weighted squares to
 * what was released (weights 1/variance) have the least variance of all unbiased linear estimates, so none is worse than what was released
 * (mechanisms/effects.h); then they are rounded to whole grid units (mechanisms/rounding.h).  Pure post-processing: no charge.
 *
 * What must hold:
 * (1) A function of released numbers and public noise scales alone: the same releases give the same result, and nothing random is drawn.
 * (2) In the result, every total is exactly the sum of its parts, in grid units, and so are any two sums over sets of what both count; releases that agree already
 *     stay as they are.
 * (3) Unbiased: rounding to grid units goes up or down by a hash of the released numbers, favouring no group.
 * (4) Interval ends are those of the estimate's own law: its variance and fourth cumulant follow from the weights.
 * (5) A value that cannot be adjusted (a number at the end of its type, sets of different domains, more than CONSISTENT_CELLS_MAX cells) stays as released in all sets.
 *
 * Doubles see only what the sets disagree by, which is noise; the numbers themselves are 128-bit integers.
 */
#ifndef NG_MECHANISMS_CONSISTENT_H
#define NG_MECHANISMS_CONSISTENT_H

#include "mechanisms/lattice.h"
#include "mechanisms/released.h"

enum { CONSISTENT_SETS_MAX = LATTICE_SETS_MAX, CONSISTENT_KEYS_MAX = LATTICE_AXES_MAX, CONSISTENT_CELLS_MAX = 1 << 20 };

struct consistent_set {
	const struct release_spec *spec; /* the same values in every set, in the same order; SELECT_ALL */
	const struct released *released;
	const size_t *keys;              /* [spec->n_keys]: which of the keys of all sets each is, below CONSISTENT_KEYS_MAX */
};

/* Whether sets of keys of these sizes can be made to agree (lattice_plan), within CONSISTENT_CELLS_MAX cells of what is released and what helps. */
MUST_CHECK bool consistent_possible(const struct lattice *l);

/*
 * sets: 2 to CONSISTENT_SETS_MAX.  additive: of each value of the specs, whether sums of exact values over a key agree between any two sets; only
 * RELEASE_COUNT and RELEASE_SUM may be.  Ends of their intervals follow them.  out[i]: the rows of set i.  ERR_NO_MEMORY.
 */
MUST_CHECK bool consistent_make(const struct consistent_set *sets, size_t n, const bool *additive, struct arena *a, const struct released **out,
				struct error *e);

#endif
