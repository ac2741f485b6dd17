/*
 * The relational part of a block, flattened: scans, conjuncts, and names.  Derived tables and CTEs of protected rows are inlined while binding, so
 * that what remains is one list of scans with conditions.  The only outer join is LEFT to a plain public table.
 */
#ifndef NG_PLANNER_REL_H
#define NG_PLANNER_REL_H

#include "planner/block.h"
#include "planner/expr.h"

struct scan {
	const struct policy_table *table;
	size_t number;           /* emitted as t<number> */
	bool used[POLICY_COLUMNS_MAX];
	bool nullable;           /* on the nullable side of a LEFT JOIN: a public table */
	struct expr **on;        /* its LEFT JOIN condition, conjuncts */
	size_t n_on;
};

/* A name in scope: a table alias with its columns, each standing for an expression over scans. */
struct visible {
	const char *alias;
	const char *const *names; /* of its columns */
	struct expr *const *exprs;
	size_t n;
};

struct rel {
	const struct planning *planning;
	const struct cte *scope;
	struct scan **scans;
	size_t n_scans, cap_scans;
	struct expr **conjuncts;
	size_t n_conjuncts, cap_conjuncts;
};

/* Names visible to one SELECT's expressions. */
struct names {
	struct visible *tables;
	size_t n, cap;
	/* columns merged by USING: the unqualified name means this expression */
	struct visible merged;
	size_t cap_merged;
};

/* Binds a FROM list, adding scans and conjuncts to the relation and names to the scope. */
MUST_CHECK bool rel_bind_from(struct rel *r, const PgQuery__SelectStmt *s, const struct cte *scope, struct names *names, struct error *e);

/* Adds a boolean expression's top-level conjuncts. */
MUST_CHECK bool rel_add_condition(struct rel *r, struct expr *condition, struct error *e);

/* Column by optional qualifier parts and name; fails 42703/42702. */
MUST_CHECK bool names_find(const struct rel *r, const struct names *n, const char *schema, const char *table, const char *column,
			   int location, struct expr **out, struct error *e);

/* Copies an expression node so that each use has its own location. */
struct expr *expr_copy(struct arena *a, const struct expr *x);

#endif
