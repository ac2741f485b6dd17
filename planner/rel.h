/*
 * The relational part of a block, flattened: scans, conjuncts, and names.  Plain sub-selects and CTEs of protected rows are inlined while binding; what
 * cannot be (per-unit groups, UNION ALL, the nullable side of an outer join) is a derived relation and stands in the list as one scan.
 */
#ifndef NG_PLANNER_REL_H
#define NG_PLANNER_REL_H

#include "planner/block.h"
#include "planner/expr.h"

struct derived;

struct scan {
	const struct policy_table *table; /* of the policy, or what a derived relation looks like from outside */
	struct derived *derived;          /* NULL: a table of the policy */
	size_t number;                    /* emitted as t<number> */
	bool used[POLICY_COLUMNS_MAX];
	bool unit_used;            /* emits its unit as t<number>.u */
	const struct scan *parent; /* the scan joined to it from which its unit follows (planner/unit.h), or NULL */
	bool nullable;             /* on the nullable side of a LEFT JOIN */
	struct expr **on;          /* its LEFT JOIN condition, conjuncts */
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
	bool full; /* two scans, FULL JOIN on the conjuncts */
	struct derived **selects; /* of IN (SELECT ...) in any expression */
	size_t n_selects, cap_selects;
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

/* FROM alone, without WHERE. */
MUST_CHECK bool rel_bind_tables(struct rel *r, const PgQuery__SelectStmt *s, const struct cte *scope, struct names *names, struct error *e);

/* One item of FROM; nested: another file's way back into the recursion. */
MUST_CHECK bool rel_bind_item(struct rel *r, const PgQuery__Node *n, const struct cte *scope, struct names *names, struct error *e);

/* Appends a scan; its table and derived are the caller's.  At most 64 per relation. */
MUST_CHECK bool rel_add_scan(struct rel *r, const struct policy_table *t, struct derived *d, int location, struct scan **out, struct error *e);

/* A column of a scan as an expression; NULL: no memory. */
struct expr *rel_column(const struct rel *r, struct scan *s, size_t column);

MUST_CHECK bool rel_add_visible(const struct rel *r, struct names *n, const struct visible *v, int location, struct error *e);

/* A new, empty relation inside r. */
struct rel *rel_inside(const struct rel *r, const struct cte *scope);

/* Fails 42501 with a rule, a hint and a position. */
MUST_CHECK bool rel_refuse(const struct rel *r, int location, struct error *e, const char *rule, const char *message, const char *hint);

/* Adds a boolean expression's top-level conjuncts. */
MUST_CHECK bool rel_add_condition(struct rel *r, struct expr *condition, struct error *e);

/* Column by optional qualifier parts and name; fails 42703/42702. */
MUST_CHECK bool names_find(const struct rel *r, const struct names *n, const char *schema, const char *table, const char *column,
			   int location, struct expr **out, struct error *e);

/* Copies an expression node so that each use has its own location. */
struct expr *expr_copy(struct arena *a, const struct expr *x);

#endif
