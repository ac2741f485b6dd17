/* Approved queries: SELECT * FROM template(...), CALL template(...). */
#ifndef NG_PLANNER_TEMPLATE_H
#define NG_PLANNER_TEMPLATE_H

#include "planner/block.h"

/*
 * If the statement is a call of a template of the policy: the template and its SQL with every :name replaced by its argument, cast to the declared type.
 * Arguments are constants.  Anything else leaves both as they are.  42883 for a wrong number of arguments.
 */
MUST_CHECK bool template_expand(const struct planning *p, const PgQuery__Node *statement, const struct policy_template **out, const char **sql,
				struct error *e);

#endif
