/*
 * Group selection: a group that only one unit's rows create must stay hidden with probability at least 1 - delta over all of the (at most `groups`)
 * groups that the unit touches, and whether it is shown must tell little about any one unit.  Two rules; both decided here and nowhere else.
 *
 * Optimal law.  A group of n units is shown with probability p(n); p(0) = 0, p(n) = min(p(n-1) e^e + d, 1 - e^-e (1 - p(n-1) - d), 1), where one group may
 * cost (e, d) and d = 1 - (1 - delta)^(1/groups).  No rule that costs (e, d) a group shows any group more often.
 *   Guarantee: each group's bit is (e, d)-DP for units that come or go, so over all groups (groups e, delta)-DP, and delta-approximate
 *   groups e tanh(e/2)-zCDP.  Source: Desfontaines, Voss, Gipson, Mandayam 2022, arXiv 2006.03684, Theorem 1; prices: reference B7.
 *   Exactness: p is a table of integers over 2^63, rounded so that both inequalities hold for the integers themselves; a group is shown iff 63 random bits
 *   are below its entry.
 *
 * Threshold.  A group is shown iff its noised count of units >= threshold; the noise is charged where it is calibrated.  The threshold comes from the discrete
 * law that is sampled: the smallest integer T with P[X >= T - 1] <= d (a lone unit contributes exactly 1).
 *
 * Minimum of units N: both rules see n - (N - 1), and fewer than N are never shown.  Removing one unit from N moves the law from that of 1 to that of 0, so
 * the guarantees stand.  Without a minimum N = 1: groups without any unit are never shown.
 */
#ifndef NG_MECHANISMS_SELECT_H
#define NG_MECHANISMS_SELECT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/random.h"
#include "base/units.h"
#include "mechanisms/noise.h"

struct select_law {
	struct eps epsilon; /* of one group, above 0 */
	double delta;       /* of one group, rounded down */
	uint64_t minimum;   /* N, at least 1 */
};

/*
 * The law for a unit that touches at most groups >= 1 groups, within a pure price for all of them, or a zCDP price.  False, without an error, when it does
 * not apply: epsilon or delta of one group are too small for a table; use a threshold then.
 */
MUST_CHECK bool select_law_pure(struct eps price, uint64_t groups, struct delta delta, uint64_t minimum, struct select_law *out);
MUST_CHECK bool select_law_zcdp(struct rho price, uint64_t groups, struct delta delta, uint64_t minimum, struct select_law *out);

/* The number of units from which a group is shown at least half of the time; for display and for choosing between the rules. */
double select_law_half(const struct select_law *law);

enum { SELECT_STEPS_MAX = 1 << 16 };
#define SELECT_ALWAYS (UINT64_C(1) << 63)

/* p(0), p(1), ... in 2^-63; the last entry, and all behind it, are SELECT_ALWAYS.  The minimum is not in it: index with n - (minimum - 1). */
struct select_table {
	const uint64_t *keep;
	size_t n;
};

MUST_CHECK bool select_table_make(const struct select_law *law, struct arena *a, struct select_table *out, struct error *e);

/* One draw for a group of `units` units.  ERR_INTERNAL when the random source fails. */
MUST_CHECK bool select_draw(const struct select_law *law, const struct select_table *t, i128 units, const struct rng *r, bool *keep, struct error *e);

/* The threshold for noise n, a unit touching at most groups >= 1 groups, and delta > 0.  ERR_BAD_PARAMETER when delta is 0. */
MUST_CHECK bool select_threshold(const struct noise *n, uint64_t groups, struct delta delta, i128 *threshold, struct error *e);

/* The delta that a threshold really costs, rounded up: 1 - (1 - P[X >= threshold - 1])^groups. */
double select_delta(const struct noise *n, uint64_t groups, i128 threshold);

/* The threshold rule itself; `threshold` is that of select_threshold, whatever the minimum. */
static inline bool select_keeps(i128 units, i128 noised_units, i128 threshold, uint64_t minimum)
{
	return units >= (i128)minimum && noised_units - (i128)(minimum - 1) >= threshold;
}

#endif
