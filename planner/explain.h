/* EXPLAIN: the plan in lines for people, exactly what the executor would run. */
#ifndef NG_PLANNER_EXPLAIN_H
#define NG_PLANNER_EXPLAIN_H

#include "planner/plan.h"

MUST_CHECK bool explain_plan(struct arena *a, const struct plan_settings *s, struct plan *plan, struct error *e);

/* The mechanism of a block as JSON, for the ledger: kinds, scales, sensitivities, thresholds. */
MUST_CHECK bool explain_json(struct wr *w, const struct plan_block *b);

#endif
