/*
 * Units of privacy loss as types: epsilon, rho (zCDP) and delta must not add up by accident.  Integer decimals, so that ten
 * charges of 0.1 fit a budget of 1 exactly.  Charges are rounded up, limits down; every sum is checked; overflow fails closed.
 */
#ifndef NG_BASE_UNITS_H
#define NG_BASE_UNITS_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/number.h"

struct eps {
	uint64_t pico; /* epsilon in 1e-12; at most UNIT_MAX */
};

struct rho {
	uint64_t pico; /* zCDP rho in 1e-12; at most UNIT_MAX */
};

struct delta {
	uint64_t atto; /* delta in 1e-18; at most DELTA_ONE */
};

#define EPS_SCALE 12
#define DELTA_SCALE 18
#define EPS_ONE UINT64_C(1000000000000)
#define DELTA_ONE UINT64_C(1000000000000000000)
#define UNIT_MAX (INT64_MAX) /* fits an SQLite integer */

/* False on overflow past UNIT_MAX (DELTA_ONE); *sum untouched. */
MUST_CHECK bool eps_add(struct eps a, struct eps b, struct eps *sum);
MUST_CHECK bool rho_add(struct rho a, struct rho b, struct rho *sum);
MUST_CHECK bool delta_add(struct delta a, struct delta b, struct delta *sum);

/* Exact decimals with at most 12 (18) fractional digits, in (0, ...]; zero is allowed; false otherwise. */
MUST_CHECK bool eps_from_decimal(struct decimal d, struct eps *out);
MUST_CHECK bool delta_from_decimal(struct decimal d, struct delta *out);

/* Directed rounding from a double >= 0 that is itself a bound in the same direction; false when NaN, negative or too large. */
MUST_CHECK bool eps_round_up(double v, struct eps *out);
MUST_CHECK bool rho_round_up(double v, struct rho *out);
MUST_CHECK bool rho_round_down(double v, struct rho *out);
MUST_CHECK bool delta_round_up(double v, struct delta *out);

/* For calibration and display. */
double eps_double(struct eps e);
double rho_double(struct rho r);
double delta_double(struct delta d);

/* Shortest exact decimal text: "0.5", "0.000001". */
void eps_put(struct wr *w, struct eps e);
void rho_put(struct wr *w, struct rho r);
void delta_put(struct wr *w, struct delta d);

#endif
