/* Totals of ROLLUP and CUBE agree with their rows: the adjustment of what a plan's hierarchies released.  Behind the last release, before anything leaves. */
#ifndef NG_PROXY_TOTALS_H
#define NG_PROXY_TOTALS_H

#include "planner/plan.h"

/*
 * released: one a block, as they were made, kept and perhaps repeated; *out: those that are shown, which are released itself when nothing is adjusted.  The same
 * releases of the same plan give the same rows.  ERR_NO_MEMORY.
 */
MUST_CHECK bool totals_adjust(const struct plan *plan, const struct released **released, struct arena *a, const struct released ***out,
			      struct error *e);

#endif
