/* JOIN in FROM: inner, left, right, full; ON and USING. */
#ifndef NG_PLANNER_JOIN_H
#define NG_PLANNER_JOIN_H

#include "planner/rel.h"

/* Adds the join's scans and conditions to the relation and its columns to the names. */
MUST_CHECK bool join_bind(struct rel *r, const PgQuery__JoinExpr *j, const struct cte *scope, struct names *names, struct error *e);

#endif
