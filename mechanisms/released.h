/*
 * The type of public rows.  Exact rows come from the upstream and are secret; this file turns them into released rows by selection,
 * noise and thresholds, and nothing else in the program can make a struct released.  The wire writer and the sidecar accept only that type,
 * so a true value cannot reach a client by accident (SPEC G5, G6).
 *
 * What must hold:
 * (1) Fresh noise for every draw of every row; values that share a draw, and members of a joint part, show functions of the same
 *     noised numbers of their row.
 * (2) All noise of a release is drawn before the first row can be read.
 * (3) Row order is canonical: domain order for public keys, the order of the exact rows (sorted by key upstream) otherwise;
 *     it depends on no suppressed row.
 * (4) A failure of the random source or of a conversion releases nothing.
 */
#ifndef NG_MECHANISMS_RELEASED_H
#define NG_MECHANISMS_RELEASED_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/number.h"
#include "base/random.h"
#include "mechanisms/clip.h"
#include "mechanisms/joint.h"
#include "mechanisms/moments.h"
#include "mechanisms/noise.h"
#include "mechanisms/quantile.h"
#include "mechanisms/select.h"

/* Secret.  Cells as PostgreSQL text, row-major, NULL for SQL NULL. */
struct exact_rows {
	size_t n_rows, n_columns;
	const char *const *cells; /* n_rows * n_columns */
};

enum release_kind {
	RELEASE_COUNT, /* input: integer count; noised */
	RELEASE_SUM,   /* input: integer sum in grid units (NULL reads as 0); noised; result digits = sum * grid */
	RELEASE_AVG,   /* inputs: count n, centred sum S of (2x - (lo + hi)) in grid units; both noised; mean = (lo+hi)/2 + S/(2n), clamped to [lo, hi], n at least 1 */
	RELEASE_MOMENT, /* inputs: the plain parts of mechanisms/moments.h, n_parts columns; a statistic of them */
	RELEASE_QUANTILE, /* input: a histogram "index:count,..." with ascending indices; the value lo + index of a rank, in grid units */
	RELEASE_EXACT, /* input: any cell, passed through unchanged; only in a release without differential privacy (aggregation rule) */
	RELEASE_CLIPPED /* input: sums of units by magnitude (mechanisms/clip.h); their sum under a bound that is found privately over all rows of the release, noised for that bound */
};

enum release_format { FORMAT_INT8, FORMAT_DECIMAL, FORMAT_FLOAT8, FORMAT_ASIS };

/* What a column shows of a noised value: the estimate, or an end of its interval at the spec's confidence.  All follow from the same draw. */
enum release_end { END_VALUE, END_LOW, END_HIGH };

struct release_value {
	enum release_kind kind;
	enum release_format format; /* FORMAT_INT8 saturates to the int8 range; FORMAT_ASIS only with RELEASE_EXACT */
	size_t column;              /* of its (first) input in the exact rows; RELEASE_AVG: the sum is in column + 1 */
	struct noise noise;         /* of the count or sum; RELEASE_AVG: of the count; RELEASE_CLIPPED: of a sum at the widest bound; a member of a joint part: the law of its error, not sampled */
	struct noise noise_sum;     /* RELEASE_AVG only */
	struct joint_value joint;   /* COUNT, SUM with shared 0: a bound other than 0 makes it a member of the spec's joint part */
	struct decimal grid;        /* value of one grid unit (COUNT: 1) */
	i128 lo, hi;                /* RELEASE_AVG: bounds of x in grid units */
	int extra_scale;            /* AVG, MOMENT: fractional digits beyond the grid's, 0..12 */
	enum release_end end;
	size_t shared;              /* 0: draws noise of its own; k: shows what value k - 1, an earlier one of the same kind, drew for the row */
	/* RELEASE_MOMENT; bounds are in lo and hi of moment_bounds */
	enum moment what;
	size_t n_parts;
	struct moments_bounds moment_bounds;
	struct moments_noise parts[MOMENT_PARTS];
	/* RELEASE_CLIPPED */
	struct clip clip;
	/* RELEASE_QUANTILE; noise is that of each node */
	struct quantile_grid tree;
	const struct decimal *ranks; /* of all values that share the draw */
	size_t n_ranks, rank;        /* rank: which of them this value shows */
};

enum release_selection {
	SELECT_ALL,       /* no group keys (exactly one row, even without data), or public keys: every combination of domain values appears */
	SELECT_THRESHOLD, /* private keys: a row appears iff its noised count of units reaches the threshold */
	SELECT_OPTIMAL,   /* private keys: a row appears with the probability that the optimal law gives its count of units */
	SELECT_MINIMUM    /* no DP: a row appears iff every constrained count reaches its minimum */
};

struct release_minimum {
	size_t column;
	int64_t minimum;
};

struct release_spec {
	bool private_noise; /* differential privacy: RELEASE_EXACT and SELECT_MINIMUM are refused (BUG_IF) when set, noised kinds when not */
	size_t n_keys;      /* the first n_keys columns of the exact rows */
	enum release_selection selection;

	/* SELECT_ALL with n_keys > 0: per key its public domain, in the order to show; a NULL entry stands for SQL NULL; entries are distinct.  Exact rows outside are dropped. */
	const char *const *const *domains; /* [n_keys][n_domain[i]] */
	const size_t *n_domain;

	/* SELECT_THRESHOLD, SELECT_OPTIMAL: the column that counts a group's units, and the least count that may show it */
	size_t units_column;
	uint64_t minimum_units; /* at least 1 */
	/* SELECT_THRESHOLD */
	size_t units_value;       /* 0: the count is noised for the threshold alone; k: value k - 1, a RELEASE_COUNT of the units, is what is compared, and is shown */
	struct noise units_noise; /* units_value 0 only */
	i128 threshold;           /* select_threshold of that noise */
	/* SELECT_OPTIMAL; its minimum is minimum_units */
	struct select_law law;

	/* SELECT_MINIMUM */
	const struct release_minimum *minimums;
	size_t n_minimums;

	const struct release_value *values;
	size_t n_values;
	struct joint joint; /* correlated noise for those values that have a joint.bound, all of a row at once; only without a units_value */
	double confidence; /* of interval ends, in (0, 1); read when some value asks for one */
};

/* At most this many rows in one release (product of public domains, or groups): beyond, ERR_TOO_COMPLEX. */
enum { RELEASE_ROWS_MAX = 1000000 };

struct released; /* n_keys key columns, then n_values value columns; immutable */

/*
 * A release made row by row, in the order of the exact rows, whose cells live only until release_row returns.  Groups that are not shown are forgotten at once, so that
 * how many there are, and how long their keys, decides about nothing: no limit of memory that they could reach.  Rows of public groups are kept until the end.
 * The spec, the random source and the arena must outlive it; what was begun and failed, or is given up, needs no end.  Errors are those of release_make.
 */
struct releasing;
MUST_CHECK bool release_begin(const struct release_spec *spec, const struct rng *r, struct arena *a, struct releasing **out, struct error *e);
MUST_CHECK bool release_row(struct releasing *m, const char *const *cells, size_t n_columns, struct error *e);
MUST_CHECK bool release_end(struct releasing *m, const struct released **out, struct error *e);

/*
 * The whole of it.  *out lives in the arena.  ERR_UPSTREAM (constant text) when a cell cannot be read as its kind;
 * ERR_INTERNAL when randomness fails; ERR_NO_MEMORY.
 */
MUST_CHECK bool release_make(const struct release_spec *spec, const struct exact_rows *rows, const struct rng *r, struct arena *a,
			     const struct released **out, struct error *e);

/*
 * Released rows as bytes, to be kept and shown again (budget/answers.h), and back into the arena.  released_get is another maker of a struct released:
 * it may be given only what released_put wrote.  False for bytes that no release has, or without memory.
 */
void released_put(const struct released *r, struct wr *w);
MUST_CHECK bool released_get(struct rd *in, struct arena *a, const struct released **out);

/*
 * The same rows with other cells, as many and row-major: for post-processing.  The third maker: cells may be made of cells of released rows alone, and must live
 * as long as the arena.
 */
MUST_CHECK bool released_with(const struct released *r, const char **cells, struct arena *a, const struct released **out, struct error *e);

size_t released_rows(const struct released *r);
size_t released_columns(const struct released *r);

/* Text of a cell in PostgreSQL's text format, or NULL for SQL NULL. */
const char *released_cell(const struct released *r, size_t row, size_t column);

/* RELEASE_CLIPPED: the bound that was found for a value of the spec, in grid units; public as all of a release.  0 for other kinds. */
i128 released_bound(const struct released *r, size_t value);

#endif
