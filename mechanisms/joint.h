/*
 * Correlated Gaussian noise for d counts and sums of one group of units (Lebeda 2024, "Better Gaussian Mechanism using Correlated Noise", arXiv 2408.06853),
 * in integers.
 *
 * What must hold: each unit that is in the group changes value i by an amount between 0 and its bound B_i (positive or negative, never both ways) and the group's
 * number of units c by exactly one; a unit that is not in it changes neither.  At most k groups hold a unit.
 *
 * What is noised, with L the lattice, is c_L = L c and z_i = L (2 x_i - B_i c).  A unit moves c_L by L and z_i by L (2 v - B_i) with v between 0 and B_i: at most L |B_i|.
 * With variances L^2 B_i^2 s^2 for z_i and L^2 s^2 / w^2 for c_L, s^2 = k (d + w^2) / (2 rho), independent discrete Gaussians, each z_i costs
 * k / (2 s^2) and c_L costs k w^2 / (2 s^2) (Canonne, Kamath, Steinke 2020, Theorem 4, in any dimension): rho in all.  Each variance is rounded up.
 *
 * What is shown is a function of what was noised: x_i = (z_i + B_i c_L) / 2L, rounded.  Its error has variance B_i^2 s^2 (1 + 1/w^2) / 4; with w^2 near sqrt(d) that is
 * B_i^2 k (sqrt(d) + 1)^2 / (8 rho), where a draw for each value alone at rho/d has B_i^2 k d / (2 rho): 15% less deviation at d = 2, 28% at 5.  The lattice makes
 * that error continuous but for the last rounding, which adds 1/12.
 */
#ifndef NG_MECHANISMS_JOINT_H
#define NG_MECHANISMS_JOINT_H

#include "base/error.h"
#include "base/units.h"
#include "mechanisms/noise.h"

enum { JOINT_LATTICE = 256 };

/* What all members of a joint part share. */
struct joint {
	size_t members;     /* d; 0: there is no joint part, and nothing else is read */
	uint64_t groups;    /* k */
	struct rho rho;     /* of all members together */
	struct noise units; /* of c_L */
	size_t column;      /* of c in the exact rows */
};

/* One member. */
struct joint_value {
	i128 bound;         /* B; 0: no member */
	struct noise noise; /* of z */
};

/* Fills *out but for its column; members at least 2.  ERR_BAD_PARAMETER when a figure leaves the samplers' range; *out untouched then. */
MUST_CHECK bool joint_plan(size_t members, uint64_t groups, struct rho rho, struct joint *out, struct error *e);

/* The noise of a member with this bound, not 0, and the law of the error of what is shown of it (a variance; never sampled).  Errors as above. */
MUST_CHECK bool joint_member(const struct joint *j, i128 bound, struct joint_value *out, struct noise *shown, struct error *e);

/* Exact numbers to what is noised: L c, and z of a member.  False when the number does not fit. */
MUST_CHECK bool joint_units(i128 units, i128 *out);
MUST_CHECK bool joint_mix(const struct joint_value *v, i128 x, i128 units, i128 *out);

/* Post-processing: a member's value from its noised z and the noised L c, to the nearest integer, halves up.  False when it does not fit. */
MUST_CHECK bool joint_recover(const struct joint_value *v, i128 z, i128 units, i128 *out);

#endif
