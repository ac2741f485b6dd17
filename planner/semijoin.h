/*
 * x IN (SELECT y ...), x = ANY (SELECT ...), EXISTS (SELECT ... WHERE inner = outer AND ...).  Over public tables any columns may be compared; over
 * protected ones the compared columns must tie the rows to one unit, so that a row's fate depends on its own unit's rows alone.
 */
#ifndef NG_PLANNER_SEMIJOIN_H
#define NG_PLANNER_SEMIJOIN_H

#include "planner/bind.h"

MUST_CHECK bool semijoin_bind(const struct binder *b, const PgQuery__SubLink *l, struct expr **out, struct error *e);

#endif
