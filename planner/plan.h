/*
 * SQL text + policy + session settings in; an immutable plan or a refusal out.  No I/O, no socket, no ledger, no clock.
 *
 * What must hold of every plan (tests cite the numbers):
 * (1) Nothing of the analyst's text stands in an upstream statement: it is generated from the checked tree; literals are parameters (SPEC G2).
 * (2) What has no row in the allowlist is refused (G3).
 * (3) No expression that touches protected rows can raise an error that depends on a row (G4).
 * (4) Removing all rows of one privacy unit, in all tables of that unit, moves each block's exact values by at most the sensitivity in the plan.
 * (5) EXPLAIN prints this struct; the executor runs this struct; the charge is computed from this struct.
 * (6) The same text, policy, settings and parameter values give the same plan.
 */
#ifndef NG_PLANNER_PLAN_H
#define NG_PLANNER_PLAN_H

#include "base/arena.h"
#include "base/error.h"
#include "mechanisms/released.h"
#include "policies/policy.h"

/* --- what goes in ----------------------------------------------------------------------------------------------------- */

/* Of sums: those of the policy and the query, or such as are found privately (mechanisms/clip.h).  AUTO: found where the others are missing or wide. */
enum bounds_choice { BOUNDS_AUTO, BOUNDS_POLICY, BOUNDS_PRIVATE };

enum noise_choice { MECHANISM_AUTO, MECHANISM_LAPLACE, MECHANISM_GAUSSIAN };

struct plan_settings {
	const char *analyst;            /* member whose login asks */
	const char *const *search_path; /* schemas for bare table names, in order (after pg_catalog) */
	size_t n_search_path;
	const char *timezone;           /* IANA name or "UTC"; for date_trunc and casts of timestamptz */
	struct eps epsilon;             /* of the whole statement; 0: the policy's default */
	struct delta delta;             /* likewise */
	struct decimal error;           /* accuracy first (planner/accuracy.h): the error that is wanted at the confidence; digits 0: not asked */
	bool error_percent;             /* it is a share of each value (5%: 0.05), not in the values' own units */
	const struct plan_look *look;   /* what a first look showed; NULL: there was none */
	enum noise_choice mechanism;
	enum bounds_choice bounds;
	int64_t now_micros;             /* now(), since 1970-01-01 00:00 UTC; 0: not known, and refused */
	double confidence;              /* of reported intervals, default 0.95 */
};

/* A statement parameter ($1 is params[0]).  Its type is always known (the sidecar infers it before planning). */
struct plan_param {
	uint32_t type_oid;
	bool known;       /* false while only describing: the plan is checked, but its block SQL must not run */
	const char *text; /* value in text format, NULL for SQL NULL; meaningful when known */
};

/* --- statements -------------------------------------------------------------------------------------------------------- */

enum statement_kind {
	STATEMENT_EMPTY,
	STATEMENT_QUERY,         /* SELECT, VALUES, EXPLAIN of them: plan_make decides the rest */
	STATEMENT_BEGIN,         /* BEGIN, START TRANSACTION */
	STATEMENT_COMMIT,        /* COMMIT, END */
	STATEMENT_ROLLBACK,
	STATEMENT_SAVEPOINT,     /* name */
	STATEMENT_RELEASE,       /* name */
	STATEMENT_ROLLBACK_TO,   /* name */
	STATEMENT_SET,           /* name, value (NULL: DEFAULT), local */
	STATEMENT_RESET,         /* name; NULL: RESET ALL */
	STATEMENT_SHOW,          /* name; "all" */
	STATEMENT_DISCARD,       /* name: "all", "plans", "sequences", "temp" */
	STATEMENT_PREPARE,       /* name; query text in value */
	STATEMENT_DEALLOCATE,    /* name; NULL: ALL */
	STATEMENT_DECLARE,       /* cursor: name; query text in value; binary */
	STATEMENT_FETCH,         /* cursor: name, count (INT64_MAX: ALL), forward only */
	STATEMENT_MOVE,          /* likewise */
	STATEMENT_CLOSE,         /* cursor: name; NULL: ALL */
	STATEMENT_NOTHING        /* accepted and ignored: UNLISTEN *, SET SESSION AUTHORIZATION DEFAULT, SET CONSTRAINTS, ...; name is the command tag */
};

struct statement {
	enum statement_kind kind;
	const char *text;   /* this statement alone, without surrounding white space or semicolon */
	int offset;         /* characters before it in the whole string: added to error positions by the caller */
	const char *name, *value;
	int64_t count;
	bool local, binary;
};

struct statements {
	const struct statement *items;
	size_t n; /* 0: an empty query string */
};

/*
 * Splits and classifies a query string.  Limits on bytes, tokens and depth come before the parser (ERR_TOO_COMPLEX); DML, DDL, COPY, DO and everything else not
 * listed above is refused (42501 with the rule's name).  Positions in *e refer to the whole string.  The arena keeps the parse trees.
 */
MUST_CHECK bool statements_parse(struct arena *a, const char *sql, struct statements *out, struct error *e);

/* --- what comes out ---------------------------------------------------------------------------------------------------- */

/* One released column of a block, in the order of struct released: keys, then values. */
struct plan_column {
	const char *name;   /* k1, k2, ..., a1, a2, ...: how the post-processing statement calls it */
	enum sql_type type; /* its PostgreSQL type: count int8, sum(int4) int8, sum(numeric) numeric, ... */
	const char *label;  /* for people: "count(*)", "avg(spend)", "region" */
	/* figures of a noised value, for EXPLAIN, notices and error bars (values only) */
	bool noised;
	double half_width;  /* expected +- at the confidence level, in the column's own unit; AVG: 0, as it depends on the noised count */
	struct noise noise;
	i128 linf;          /* sensitivity of one group's exact value, in grid units; AVG: of its count */
	i128 linf_sum;      /* AVG: of its centred sum, in half grid units */
};

/* The public domain of a key that is read from a public table when the query runs: one column of distinct texts, canonical order. */
struct plan_domain {
	const char *sql; /* NULL: the key's domain is in the spec already */
	const char *const *params;
	size_t n_params;
	bool with_null;  /* NULL is a group too */
};

/* The noised count of units that joined tables share, read before the block; below table->overlap nothing of the statement is released. */
struct plan_overlap {
	const char *sql; /* one row, one column */
	const char *const *params;
	size_t n_params;
	struct release_spec spec;
	const struct policy_table *table;
};

/* One protected query block: one upstream statement and its release. */
struct plan_block {
	const char *sql;           /* upstream statement; returns the columns that spec reads, ordered by key (collation C, NULLs last) */
	const char *const *params; /* text values of $1.. (NULL: SQL NULL); the statement casts them itself */
	size_t n_params;
	int seed_param;            /* 1-based parameter that the executor fills with a fresh secret 64-bit integer, or 0 */
	const struct plan_domain *domains; /* one for each key, or NULL when all are in spec; read before the block, without a charge */
	struct release_spec spec;
	const struct plan_overlap *overlap; /* paid from this block's price, or NULL: no floor */
	const struct plan_column *columns;
	size_t n_columns;
	const struct policy_table *const *tables; /* every table it reads */
	size_t n_tables;
	struct {
		const char *unit;          /* privacy unit, NULL without DP */
		int64_t max_rows, max_groups; /* in force for this block; 1 and 1 when proven */
		bool owner_moves;          /* priced for one owner's rows of a unit leaving too: values change both ways, groups count twice */
		const char *bounding;      /* "none needed", "per-unit clamp", "per-unit clamp, sampled groups" */
		const char *selection;     /* "no groups", "public domain of 4 groups", "private keys: threshold 23 (delta 1e-8)" */
		const char *mechanism;     /* "discrete Laplace" or "discrete Gaussian" */
		struct eps epsilon;        /* share of this block */
		struct rho rho;
		struct delta delta;
	} figures;
};

/* Blocks that count the same rows by several sets of keys: what they release is made to agree (mechanisms/consistent.h) before it is shown. */
struct plan_hierarchy {
	size_t first, n;           /* of the plan's blocks; n at least 2 */
	const size_t *const *keys; /* [n][its keys]: which of the keys of all these blocks each is */
	const bool *additive;      /* [n_values]: whether the exact values of a total are the sums of those of its parts */
};

/* What one account pays; the proxy turns it into a ledger charge. */
struct plan_charge {
	const struct policy_budget *budget;
	struct eps epsilon;    /* pure accounts */
	struct rho rho;        /* zcdp accounts */
	struct delta delta;
	const char *mechanism; /* JSON */
};

enum plan_kind {
	PLAN_SIDECAR, /* catalogs, constants, previews as typed zero rows: sidecar_sql alone, no protected data */
	PLAN_BLOCKS   /* blocks, then (unless direct) sidecar_sql over the released rows */
};

/* A column of the direct path: which released column, under which name. */
struct plan_output {
	const char *name;
	size_t column;
};

struct plan {
	enum plan_kind kind;
	const struct plan_block *blocks;
	size_t n_blocks;

	const struct plan_hierarchy *hierarchies; /* no block is in two */
	size_t n_hierarchies;

	/* Direct: the result is block 0's released columns in this order, without the sidecar.  Else n_outputs is 0. */
	const struct plan_output *outputs;
	size_t n_outputs;

	/*
	 * The sidecar's statement.  Parameters $1..$n_params are the client's; behind them, block by block and column by column, one text[] of
	 * the released cells each ($n_params + 1 ...), which the statement casts and unnests itself.
	 */
	const char *sidecar_sql;
	size_t n_params;

	const struct plan_charge *charges;
	size_t n_charges;

	struct eps price;         /* of the statement, before it is shared by its blocks */
	struct delta price_delta;
	bool rough;               /* accuracy first: a first look; accuracy_read says what its release is good for, and plan_make makes the answer's plan */
	const char *accuracy;     /* how noisegate.error decided the price, or NULL */

	bool explain;                     /* the client asked EXPLAIN: run nothing, return explain_lines as one text column "QUERY PLAN" */
	const char *const *explain_lines; /* always filled for PLAN_BLOCKS */
	size_t n_explain_lines;

	const char *notice; /* to send before the result ("preview: no rows of protected tables are shown"), or NULL */
};

/* Plans one STATEMENT_QUERY.  Positions in *e are 1-based characters within sql.  *out lives in the arena. */
MUST_CHECK bool plan_make(struct arena *a, const struct policy *p, const struct plan_settings *s, const char *sql,
			  const struct plan_param *params, size_t n_params, const struct plan **out, struct error *e);

#endif
