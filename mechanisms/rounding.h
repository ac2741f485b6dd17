/* Tables over a lattice rounded to whole numbers that agree: the steps of a plan (mechanisms/lattice.h), each by controlled rounding. */
#ifndef NG_MECHANISMS_ROUNDING_H
#define NG_MECHANISMS_ROUNDING_H

#include "base/error.h"
#include "mechanisms/controlled.h"
#include "mechanisms/lattice.h"

struct rounding;

/* Memory for tables over a lattice, and its plan; both must outlive it.  ERR_NO_MEMORY. */
MUST_CHECK bool rounding_open(const struct lattice *l, const struct lattice_plan *plan, struct arena *a, struct rounding **out, struct error *e);

/*
 * base[t] + off[t]: estimates of the cells of table t, which agree but for what doubles cannot tell.  whole[t]: near them, and exactly the same sums wherever two
 * tables share axes.  False when numbers are too large; whole is undefined then.
 */
MUST_CHECK bool rounding_run(struct rounding *r, i128 *const *base, double *const *off, struct coins *c, i128 *const *whole);

#endif
