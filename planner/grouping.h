/* GROUP BY: its items as keys of a block, and the sets that ROLLUP, CUBE and GROUPING SETS make of them. */
#ifndef NG_PLANNER_GROUPING_H
#define NG_PLANNER_GROUPING_H

#include "planner/block.h"

enum { GROUPING_SETS_MAX = 32, GROUPING_CALLS_MAX = 32 };

struct grouping {
	bool several;  /* more than the one set of a plain GROUP BY */
	size_t n_sets;
	bool sets[GROUPING_SETS_MAX][BLOCK_KEYS_MAX]; /* [set][key]: grouped by */
	/* GROUPING(a, b): the keys it names, the last one being the lowest bit */
	size_t n_calls;
	struct {
		size_t keys[BLOCK_KEYS_MAX], n;
	} calls[GROUPING_CALLS_MAX];
};

/* Reads GROUP BY, adding keys to the block: ordinals and, where no input column has the name, output aliases, as PostgreSQL does. */
MUST_CHECK bool grouping_read(const struct planning *p, struct block *b, const PgQuery__SelectStmt *s, struct grouping *out, struct error *e);

/* Notes a GROUPING(...) call; *number is the place of its value among those of the block's relation. */
MUST_CHECK bool grouping_call(const struct planning *p, struct block *b, struct grouping *g, const PgQuery__GroupingFunc *f, size_t *number,
			      struct error *e);

/* The value of a GROUPING call in a set. */
unsigned grouping_value(const struct grouping *g, size_t call, size_t set);

/* Names and ordinals in a select list. */
bool select_simple_name(const PgQuery__Node *n, const char **name);
bool select_ordinal(const PgQuery__Node *n, int *value);
PgQuery__Node *select_target(const PgQuery__SelectStmt *s, const char *name);

#endif
