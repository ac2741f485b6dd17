/*
 * Least squares over tables that count the same rows by different sets of keys (mechanisms/lattice.h), each noised on its own, with one variance a table.
 *
 * Every table is a sum of orthogonal effects, one for each subset S of its axes: what depends on the values of S together and vanishes when summed over any one
 * of them (the total; what each value of a differs from others; what pairs (a, b) differ beyond that; ...).  The effect S of the table summed over all other axes
 * is seen by every table T that has S, with independent noise of covariance v_T * (cells of T) / (cells of S) times the same matrix for all T.  So the best linear
 * unbiased estimate weights effects by the inverse of v_T * (cells of T), effect by effect (Gauss, Markov; the algebra is that of balanced analysis of variance, as
 * in Xiao, He, Zhang, Kifer, "An Optimal and Scalable Matrix Mechanism for Noisy Marginals", 2023).  For chains it is that of Hay et al. 2010.
 *
 * Effects are taken as differences to an axis' first value, in integers: doubles see only by how much the tables' effects differ, which is noise.
 */
#ifndef NG_MECHANISMS_EFFECTS_H
#define NG_MECHANISMS_EFFECTS_H

#include "base/error.h"
#include "mechanisms/lattice.h"
#include "mechanisms/noise.h"

struct effects {
	const struct lattice *l;
	size_t cells[LATTICE_SETS_MAX];
	i128 *seen[LATTICE_SETS_MAX]; /* effects of what was released */
};

/* Memory for estimates over a lattice, which must outlive it. */
MUST_CHECK bool effects_open(struct effects *f, const struct lattice *l, struct arena *a, struct error *e);

/*
 * noise: of each table; released: their numbers.  off[t][i]: the estimate of a cell, minus what was released; exactly 0 where all effects agree.  False when
 * sums do not fit 128 bits; off is undefined then.
 */
MUST_CHECK bool effects_estimate(struct effects *f, const struct noise *const *noise, i128 *const *released, double *const *off);

/* The law of an estimate, the same for all cells of a table. */
struct effects_law {
	double variance, fourth; /* fourth cumulant */
};

/* out[t]: of table t.  The arena is used for the time of the call.  ERR_NO_MEMORY. */
MUST_CHECK bool effects_laws(const struct lattice *l, const struct noise *const *noise, struct arena *a, struct effects_law *out, struct error *e);

#endif
