/*
 * Intervals and the current time, as far as they are constants: column + interval '3 days', a - b > interval '1 hour', extract(epoch FROM a - b), now().
 * There is no interval type over protected rows; an interval is a constant of the query or the difference of two times in seconds.
 */
#ifndef NG_PLANNER_TEMPORAL_H
#define NG_PLANNER_TEMPORAL_H

#include "planner/bind.h"

/* An operator with an interval on one side.  *out NULL: none is there, it is an ordinary operator. */
MUST_CHECK bool temporal_operator(const struct binder *b, const char *op, const PgQuery__AExpr *x, struct expr **out, struct error *e);

/* extract(epoch FROM a - b), date_part('epoch', a - b) of two times.  *out NULL: another call. */
MUST_CHECK bool temporal_epoch(const struct binder *b, const char *name, const PgQuery__FuncCall *f, struct expr **out, struct error *e);

/* now(), current_timestamp, current_date, localtimestamp: the moment the statement was planned.  date: as a day in the session's zone; local: without zone. */
MUST_CHECK bool temporal_now(const struct binder *b, bool date, bool local, int location, struct expr **out, struct error *e);

#endif
