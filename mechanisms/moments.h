/*
 * Mean, variance, covariance, correlation and regression from noised, centred moments.
 *
 * Inputs: for each row x (and y) in grid units within declared bounds, X = 2x - (lo + hi), so |X| <= wx = hi - lo; the parts are exact sums over the rows:
 *   n, sum X, sum (2 X^2 - wx^2), sum Y, sum (2 Y^2 - wy^2), sum X Y.
 * The second-order parts are centred (Chebyshev's basis): half the noise of a plain sum of squares.
 *
 * Sensitivity: a unit with at most `rows` rows in at most `groups` groups changes each part by at most rows times 1, wx, wx^2, wy, wy^2, wx wy in each
 * group.  A part with a larger bound than 2^40 is rounded to multiples of 2^shift before the noise, and its bound up to whole steps.
 * Guarantee: the terms are split equally over the parts (for Gaussian noise that is the best split: in the worst row all parts are extreme at once), so
 * the release as a whole costs the terms.  The statistics and their intervals are post-processing; doubles touch noised values only.
 * Error: propagated from each part's noise (first order); results are clamped to what the bounds allow.
 * Source: reference B6.
 */
#ifndef NG_MECHANISMS_MOMENTS_H
#define NG_MECHANISMS_MOMENTS_H

#include "base/number.h"
#include "mechanisms/choose.h"
#include "mechanisms/draws.h"
#include "mechanisms/interval.h"

enum moment_part { MOMENT_N, MOMENT_X, MOMENT_XX, MOMENT_Y, MOMENT_YY, MOMENT_XY, MOMENT_PARTS };

/* A mean needs the first two parts, a variance the first three, all others all six. */
enum { MOMENTS_OF_MEAN = 2, MOMENTS_OF_VARIANCE = 3, MOMENTS_OF_PAIR = 6 };

struct moments_bounds {
	i128 lo_x, hi_x, lo_y, hi_y; /* grid units, lo <= hi, each below 2^60 in size; y is read for pairs only */
	struct decimal grid_x, grid_y;
};

/* How one part is noised: in steps of 2^shift. */
struct moments_noise {
	unsigned shift;
	struct noise noise;
	u128 linf; /* by how many of them one unit moves it in a group: what the noise was calibrated for */
};

/* Noised parts; public. */
struct moments {
	struct moments_bounds bounds;
	size_t n_parts;
	i128 part[MOMENT_PARTS];
	struct moments_noise noise[MOMENT_PARTS];
	uint64_t coin; /* decides the last step of the count's interval */
};

enum moment {
	MOMENT_MEAN,       /* of x; regr_avgx */
	MOMENT_MEAN_Y,     /* regr_avgy */
	MOMENT_VAR_POP,    /* of x */
	MOMENT_VAR_SAMP,
	MOMENT_STDDEV_POP,
	MOMENT_STDDEV_SAMP,
	MOMENT_COVAR_POP,
	MOMENT_COVAR_SAMP,
	MOMENT_CORR,
	MOMENT_SLOPE,      /* regr_slope(y, x) and so on: x explains y, SQL's second argument */
	MOMENT_INTERCEPT,
	MOMENT_R2,
	MOMENT_SXX,
	MOMENT_SYY,
	MOMENT_SXY,
	MOMENT_COUNT
};

/* The parts that a statistic needs. */
size_t moments_needed(enum moment what);

/*
 * Noise for each of the first n_parts parts.  ERR_BAD_PARAMETER when bounds are reversed or too wide, or no noise reaches the terms.
 */
MUST_CHECK bool moments_calibrate(const struct moments_bounds *b, size_t n_parts, uint64_t rows, uint64_t groups, const struct choose_terms *terms,
				  struct moments_noise noise[MOMENT_PARTS], struct error *e);

/*
 * Noises exact parts (secret).  plain[] holds n, sum X, sum X^2, sum Y, sum Y^2, sum XY as the upstream gives them; the squares are centred here, exactly.
 * ERR_UPSTREAM (constant text) when a sum overflows or n is negative; ERR_INTERNAL when randomness fails; *out untouched then.
 */
MUST_CHECK bool moments_release(const struct moments_bounds *b, size_t n_parts, const i128 plain[MOMENT_PARTS],
				const struct moments_noise noise[MOMENT_PARTS], struct draws *d, struct moments *out, struct error *e);

/*
 * A statistic in the column's own units, with its interval at confidence in (0, 1).  Null where SQL's is: samples of fewer than two rows, a slope or
 * correlation without spread, by the noised figures.
 */
struct estimate moments_estimate(const struct moments *m, enum moment what, double confidence);

#endif
