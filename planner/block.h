/*
 * One protected query block, from its AST to a plan_block: binding of FROM, WHERE and GROUP BY over protected rows, unit flow, analysis rules,
 * bounding, cost, emission.  The select list around it (HAVING, ORDER BY, arithmetic over aggregates) is post-processing and belongs to planner/post.
 */
#ifndef NG_PLANNER_BLOCK_H
#define NG_PLANNER_BLOCK_H

#include "planner/plan.h"

#include <pg_query/pg_query.pb-c.h>

/* What a query expression stands for.  Decided once per SELECT by query_kind(). */
enum query_kind {
	QUERY_FREE,   /* touches no policy table: catalogs, constants, VALUES */
	QUERY_RAW,    /* rows of policy tables, one to one: may only stand in the FROM of a block */
	QUERY_NOISED, /* a block, or post-processing over blocks: its rows are public */
};

/* A CTE in scope, innermost first. */
struct cte {
	const struct cte *next;
	const char *name;
	const PgQuery__SelectStmt *query;
	const PgQuery__CommonTableExpr *expr; /* for its column aliases */
	enum query_kind kind;
	const struct cte *outer; /* scope in which query itself is read (WITH is not recursive) */
};

/* What all of planning one statement shares. */
struct planning {
	struct arena *arena;
	const struct policy *policy;
	const struct plan_settings *settings;
	const struct plan_param *params;
	size_t n_params;
	const char *sql; /* for positions */
	const struct policy_template *template; /* the approved query that runs, or NULL */
};

/* Fails at an AST location (byte offset, -1 unknown): converts to a 1-based character position.  Use after fail(). */
bool planning_at(const struct planning *p, int location, struct error *e);
#ifdef __clang_analyzer__ /* as in base/error.h: always false */
#define planning_at(p, location, e) (planning_at(p, location, e), false)
#endif

/*
 * Resolves a table name against CTEs (*cte) and the policy (*table), by schema or along the search path.  Neither: both NULL and true when the name is
 * (or, bare, may be) in pg_catalog or information_schema; else ERR_NO_TABLE.
 */
MUST_CHECK bool planning_table(const struct planning *p, const struct cte *scope, const PgQuery__RangeVar *v, const struct cte **cte,
			       const struct policy_table **table, struct error *e);

/* True when rows of a SELECT's tables may be shown at all: none is protected by noise or aggregation (their other rules are checked later). */
MUST_CHECK bool planning_shows_rows(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s);

/* Kind of a SELECT under a scope.  Mixes that cannot work (protected rows beside catalogs or noised rows in one FROM) are refused here. */
MUST_CHECK bool query_kind(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s, enum query_kind *out,
			   struct error *e);

/* As query_kind, of a SELECT that stands in a FROM: what groups by the privacy unit gives rows of one unit each, and is RAW there. */
MUST_CHECK bool source_kind(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s, enum query_kind *out,
			    struct error *e);

struct block; /* one under construction, in the arena */

/*
 * Binds FROM and WHERE of a SELECT whose FROM is RAW; the rules of its tables are checked here.  rows: it does not aggregate, and each expression over
 * its columns becomes a column of the result.
 */
MUST_CHECK bool block_open(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s, bool rows, struct block **out,
			   struct error *e);

/* The columns of "*" (only NULL) or "only.*": how many, and the alias and name of each. */
size_t block_star(const struct block *b, const char *only);
void block_star_column(const struct block *b, const char *only, size_t i, const char **alias, const char **name);

enum { BLOCK_KEYS_MAX = 16 };

/*
 * Adds a group key (an expression over input columns; ordinals and aliases are resolved by the caller); *number is its place among the keys.  The same
 * key twice is one.
 */
MUST_CHECK bool block_group(struct block *b, const PgQuery__Node *key, size_t *number, struct error *e);

/* How many keys the block has: they are its first columns. */
size_t block_keys(const struct block *b);

/* The same block with some of its keys, for one of several grouping sets; columns keep their names.  Only when all columns are known. */
MUST_CHECK bool block_subset(const struct block *b, const bool keep[BLOCK_KEYS_MAX], struct block **out, struct error *e);

/* True when an input column has this name (also when it is ambiguous). */
MUST_CHECK bool block_has_column(const struct block *b, const char *name);

/*
 * If expr is an aggregate call, or equal to a group key (the same expression), gives its column index
 * in the released row (-1 otherwise: the caller looks inside).  The same aggregate asked twice gives the same column.
 */
MUST_CHECK bool block_column(struct block *b, const PgQuery__Node *expr, int *column, struct error *e);

/* Name (k1, a2, ...) and type of a released column; valid until and after close. */
const char *block_column_name(const struct block *b, int column);
enum sql_type block_column_type(const struct block *b, int column);
size_t block_columns(const struct block *b);

/* Tables that the block reads (each once), and their budgets for the analyst (NULL where the table's rule needs none). */
size_t block_tables(const struct block *b, const struct policy_table *const **tables);

/*
 * What the block may spend: epsilon and delta of this block (already split between the blocks of the statement), and whether every
 * touched account is zCDP (then Gaussian noise can be paid).
 */
struct block_share {
	struct eps epsilon;
	struct delta delta;
	bool all_zcdp;
	bool converts; /* none is pure, and there is a delta: Gaussian noise can be paid as (epsilon, half of delta) where an account is approx */
};

/* Chooses bounding, mechanism and scales, emits the SQL.  A block without an aggregate (GROUP BY alone) releases its keys only. */
MUST_CHECK bool block_close(struct block *b, const struct block_share *share, struct plan_block *out, struct error *e);

#endif
