/*
 * Quantiles from a tree of noised counts over a declared, bounded grid.
 *
 * Inputs: exact row counts per grid bucket (secret), in integers; ranks in [0, 1].  The grid's buckets are the leaves of a tree; each level divides a
 * node into at most `branching` children.  Every node's count is noised once, whatever the number of ranks; a rank walks down by the noised counts, and
 * all that happens to them is post-processing.  Nodes that no rank visits are not drawn: they are independent of the rest, so the law of what is seen is that of the whole tree.
 *
 * Sensitivity: adding or removing one unit changes the counts of at most c rows, all up or all down.  Each row is in one node of each level, so over all
 * levels the vector of counts changes by l1 <= levels c, l2^2 <= levels c^2, linf <= c (quantile_sensitivity).  Guarantee: the noise's, for that
 * vector (choose.h, calibrate.h): any number of quantiles, their intervals and the total for that one charge.
 * Error: with V the variance of the noise, the rank reached is off by about sqrt(V sum over levels of (a (1-f)^2 + b f^2)) rows, a and b the non-empty
 * siblings before and after; at most sqrt(V levels (branching - 1)).  Best branching: 8 for Gaussian noise, 16 for Laplace (error per charge
 * ~ B / ln^2 B and B / ln^3 B).  Values outside the bounds were clamped before, so a quantile near a bound may sit on it.
 * Intervals invert a test on the noised counts (quantile.c): they hold the true bucket with the stated confidence whatever the data (94 to 96% of 20,000 runs at 95%),
 * and more often where one bucket holds more rows than the noise hides: an interval of whole buckets cannot be shorter.
 * Source: hierarchical counts (Hay, Rastogi, Miklau, Suciu 2010, arXiv 0904.0942); the walk down is the common one.
 */
#ifndef NG_MECHANISMS_QUANTILE_H
#define NG_MECHANISMS_QUANTILE_H

#include "base/arena.h"
#include "base/number.h"
#include "mechanisms/choose.h"
#include "mechanisms/draws.h"

struct quantile_grid {
	uint64_t buckets;   /* 1 .. QUANTILE_BUCKETS_MAX; indices 0 .. buckets-1 */
	unsigned branching; /* 2 .. QUANTILE_BRANCHING_MAX */
};

#define QUANTILE_BUCKETS_MAX ((uint64_t)1 << 60)
enum { QUANTILE_BRANCHING_MAX = 64, QUANTILE_RANKS_MAX = 100 };

struct quantile_bucket {
	uint64_t index; /* strictly ascending */
	i128 count;     /* at least 0; all together at most 2^100 */
};

struct quantile {
	uint64_t index;     /* estimated bucket; monotone in the rank */
	uint64_t low, high; /* its interval at the confidence: low <= index <= high */
};

/* Levels below the root: the smallest L with branching^L >= buckets, at least 1. */
unsigned quantile_levels(const struct quantile_grid *g);

/* What one unit with at most `rows` rows changes.  ERR_BAD_PARAMETER when the grid is out of range or rows is 0. */
MUST_CHECK bool quantile_sensitivity(const struct quantile_grid *g, uint64_t rows, struct sensitivity *out, struct error *e);

/*
 * One quantile per rank (each a decimal in [0, 1]) with its interval, in the order of the ranks, and the noised number of rows (*total, NULL if not
 * wanted).  Index i is the smallest bucket at which the noised share of rows reaches the rank.  Intervals take the sum of the noises as normal.
 * ERR_UPSTREAM (constant text) when the histogram is not as stated; ERR_BAD_PARAMETER for ranks or the grid; ERR_INTERNAL, ERR_NO_MEMORY.
 */
MUST_CHECK bool quantile_release(const struct quantile_grid *g, const struct quantile_bucket *histogram, size_t n, const struct noise *noise,
				 struct draws *d, struct arena *a, const struct decimal *ranks, size_t n_ranks, double confidence,
				 struct quantile *out, i128 *total, struct error *e);

#endif
