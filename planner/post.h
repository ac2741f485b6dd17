/*
 * Post-processing: the statement around the blocks, rewritten for the sidecar.  Every protected SELECT that aggregates becomes a relation over
 * released rows; everything else must pass the sidecar's allowlist.
 */
#ifndef NG_PLANNER_POST_H
#define NG_PLANNER_POST_H

#include "planner/ast.h"
#include "planner/block.h"

/* The grouping sets of one SELECT: so many blocks, from the first on. */
struct post_family {
	size_t first, n;
};

struct post {
	const struct planning *planning;
	struct block **blocks; /* in the order of their parameters */
	size_t n_blocks, cap_blocks;
	struct post_family *families; /* of ROLLUP and the like */
	size_t n_families, cap_families;
	size_t n_aliases;      /* of blocks opened so far */
	int next_param;        /* the next free parameter number */
	bool dropped;          /* some CTE was left out: the text is no longer the client's */
	bool rows;             /* the statement itself may show rows: of tables without noise */
	bool direct;           /* the statement is one block whose outputs are its columns */
	struct plan_output *outputs;
	size_t n_outputs;
};

/* An aggregate function call (not a window function). */
MUST_CHECK bool post_is_aggregate(const PgQuery__FuncCall *f);

/* True for GROUP BY, HAVING, or an aggregate call in the select list or ORDER BY. */
MUST_CHECK bool post_aggregates(const PgQuery__SelectStmt *s);

/* A CTE as a new innermost scope; refuses recursive and data-modifying ones. */
MUST_CHECK bool post_open_cte(const struct planning *p, const struct cte *scope, const PgQuery__CommonTableExpr *c, struct cte **out,
			      struct error *e);

/* Rewrites a statement of kind QUERY_NOISED in place, opening its blocks. */
MUST_CHECK bool post_rewrite(struct post *p, PgQuery__SelectStmt *s, struct error *e);

/* Refuses relations, functions, operators and types that the sidecar must not see.  policy_tables: previews name mirror tables. */
MUST_CHECK bool post_check_free(const struct planning *p, const struct cte *scope, PgQuery__SelectStmt *s, bool policy_tables,
				struct error *e);

/* One node of an expression that the sidecar evaluates; not recursive. */
MUST_CHECK bool post_check_node(const struct planning *p, const PgQuery__Node *n, struct error *e);

/*
 * PostgreSQL's name for a result column without alias (parse_target.c's rules).  NULL when it is that of a sub-select's column which "*" or VALUES
 * names: PostgreSQL finds it again after the rewriting.
 */
const char *post_column_name(const PgQuery__Node *n);

#endif
