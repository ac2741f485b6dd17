/*
 * Group selection by thresholding a noised count of units.  A group that only one unit's rows create must stay hidden with
 * probability at least 1 - delta over all of the (at most `groups`) groups that the unit touches.
 *
 * Rule, in one place: a group is released iff noised units >= threshold.  The threshold comes from the discrete law that is
 * sampled: with delta_g = 1 - (1 - delta)^(1/groups), the smallest integer T with P[X >= T - 1] <= delta_g (a lone unit
 * contributes exactly 1).  Groups without any unit are never released.
 */
#ifndef NG_MECHANISMS_SELECT_H
#define NG_MECHANISMS_SELECT_H

#include "base/error.h"
#include "base/units.h"
#include "mechanisms/noise.h"

/* The threshold for noise n, a unit touching at most groups >= 1 groups, and delta > 0.  ERR_BAD_PARAMETER when delta is 0. */
MUST_CHECK bool select_threshold(const struct noise *n, uint64_t groups, struct delta delta, i128 *threshold, struct error *e);

/* The delta that a threshold really costs, rounded up: 1 - (1 - P[X >= threshold - 1])^groups. */
double select_delta(const struct noise *n, uint64_t groups, i128 threshold);

/* The rule itself. */
static inline bool select_keeps(i128 noised_units, i128 threshold)
{
	return noised_units >= threshold;
}

#endif
