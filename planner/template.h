/* Approved queries: SELECT * FROM template(...), CALL template(...). */
#ifndef NG_PLANNER_TEMPLATE_H
#define NG_PLANNER_TEMPLATE_H

#include "planner/block.h"

/*
 * If the statement is a call of a template of the policy: the template and its SQL with every :name replaced by its argument, cast to the declared type.
 * Arguments are constants or statement parameters ($1).  Anything else leaves both as they are.  42883 for a wrong number of arguments.
 */
MUST_CHECK bool template_expand(const struct planning *p, const PgQuery__Node *statement, const struct policy_template **out, const char **sql,
				struct error *e);

/*
 * The types of a statement's parameters by their places in a call of a template ($1 is (*types)[0]; TYPE_COUNT: it stands nowhere), under EXPLAIN too.
 * *types NULL for every other statement, and for one that cannot be parsed: others say what is wrong with it.
 */
MUST_CHECK bool template_parameters(struct arena *a, const struct policy *policy, const char *sql, const enum sql_type **types, size_t *n, struct error *e);

#endif
