/*
 * The privacy unit of rows: which scans of a relation are tied to one unit, whose it is, and how many rows of one unit a joined row set can have.
 * What must hold: every row of the relation with a unit that is not NULL was made from rows of that unit (and of public tables) alone.
 */
#ifndef NG_PLANNER_UNIT_H
#define NG_PLANNER_UNIT_H

#include "planner/rel.h"

/* Equal values in a unique column, or in columns that refer to it, mean rows of one unit. */
struct link {
	const struct policy_table *table; /* NULL: none */
	size_t column;
};

struct unit_flow {
	struct expr *unit;    /* NULL: no protected table */
	const char *name;
	int64_t max_rows, max_groups; /* products of the tables' contributions; rows found by a unique column do not multiply */
	bool single;          /* a unit has at most one row, as unique columns say: the contributions bound nothing */
	bool owner_moves;     /* removing only one owner's rows of a unit may move its other rows instead of removing them (outer joins, NOT IN) */
};

/* A column whose value is NULL or the unit of its row. */
MUST_CHECK bool unit_is_column(const struct expr *x);

struct link unit_link(const struct expr *x);

/* Equality of these two columns means rows of one unit. */
MUST_CHECK bool unit_ties(const struct expr *x, const struct expr *y);

/* Follows the unit through a relation; refuses protected tables that are not tied to each other. */
MUST_CHECK bool unit_follow(struct rel *r, struct unit_flow *out, struct error *e);

#endif
