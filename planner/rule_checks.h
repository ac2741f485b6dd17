/* One check for each analysis rule; block.c calls the dispatchers in rules.c only. */
#ifndef NG_PLANNER_RULE_CHECKS_H
#define NG_PLANNER_RULE_CHECKS_H

#include "planner/block_parts.h"

/* Fails 42501 naming the rule, the table and its owner. */
MUST_CHECK bool rule_refuse(const struct block *b, const struct policy_table *t, int location, const char *what, const char *hint, struct error *e);

/* column "x" of s.t may not be <use> */
MUST_CHECK bool rule_refuse_column(const struct block *b, const struct expr *x, const char *use, const char *hint, struct error *e);

/* column = column of two scans. */
bool rule_is_join(const struct expr *c);

/*
 * A condition that joins exactly one pair of scans: column = column, or AND and OR of such, every branch of which joins the same two.  (An OR whose other
 * branch joins something else would let every row through.)  pair starts as NULLs.
 */
MUST_CHECK bool rule_join_pair(const struct expr *c, const struct scan *pair[2]);

/* s is a table of the querying member, or joined to one through conditions on columns, over others if need be. */
bool rule_reaches_own(const struct block *b, const struct scan *s);

/* aggregation: join columns, dimensions, filters, scalar functions in the conditions; join_required. */
MUST_CHECK bool rule_aggregation_conditions(const struct block *b, struct error *e);
MUST_CHECK bool rule_aggregation_key(const struct block *b, const struct expr *key, struct error *e);
MUST_CHECK bool rule_aggregation_value(const struct block *b, const struct aggregate *g, int location, struct error *e);

/* custom: who may ask what; comparisons; what may come out. */
MUST_CHECK bool rule_custom_tables(const struct block *b, struct error *e);
MUST_CHECK bool rule_custom_output(const struct block *b, const struct expr *x, struct error *e);
MUST_CHECK bool rule_custom_value(const struct block *b, const struct aggregate *g, int location, struct error *e);

/* Row-level output: public tables, own ones, list, custom. */
MUST_CHECK bool rule_rows_tables(const struct block *b, bool distinct, struct error *e);
MUST_CHECK bool rule_rows_output(const struct block *b, const struct expr *x, struct error *e);

#endif
