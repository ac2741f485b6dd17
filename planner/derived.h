/*
 * Relations inside the protected part that cannot be flattened into their surroundings: they are emitted as nested SELECTs and look like one table.
 * Each row of a derived relation belongs to one privacy unit (or the relation is public), so that removing a unit removes its rows and changes no other.
 */
#ifndef NG_PLANNER_DERIVED_H
#define NG_PLANNER_DERIVED_H

#include "planner/bind.h"
#include "planner/unit.h"

enum derived_kind {
	DERIVED_ROWS,   /* projections of a relation's rows */
	DERIVED_GROUPS, /* GROUP BY with the unit among the keys: aggregates of one unit's rows */
	DERIVED_UNION   /* UNION ALL of arms */
};

/* An exact aggregate over rows of one unit; its value is as private as a row's. */
struct inner_aggregate {
	const char *function; /* count, sum, avg, min, max, bool_and, bool_or */
	bool distinct;
	struct expr *arg, *filter; /* arg NULL: count(*) */
};

struct derived {
	enum derived_kind kind;
	struct rel *rel;          /* ROWS, GROUPS: what it reads */
	struct expr **outputs;    /* over rel's scans; ROWS: every column; GROUPS: the keys, which come first */
	size_t n_outputs;
	struct inner_aggregate *aggregates; /* GROUPS: the columns behind the keys */
	size_t n_aggregates;
	bool *as_number;          /* of each output: emitted as numeric */
	struct derived *const *arms; /* UNION: ROWS, of as many outputs as columns */
	size_t n_arms;

	struct expr *unit;        /* over rel's scans, NULL: public; arms have their own */
	struct link *links;       /* of each column: what it identifies, table NULL: nothing */
	bool *is_unit;            /* of each column: it is NULL or the unit of its row */
	bool owner_moves;         /* as in struct unit_flow */
	enum expr_form *forms;    /* of each column */
	int *magnitudes;
	struct policy_table table; /* as seen from outside: columns with types, bounds, encodings; rule, unit's name, caps */
	struct policy_column *columns;
	size_t cap_columns;
	/* IN (SELECT ...): the node it was read from and what that became, as GROUP BY 1 reads a select list's node again */
	const void *origin;
	struct expr *bound;
	bool protected_select; /* its rows belong to units: compared with them is the outer column args[tie] */
	size_t tie;
};

enum { INNER_AGGREGATES_MAX = 64 };

/* A sub-select or CTE in FROM: its columns become names under an alias.  isolate: as one scan (*scan), else inlined where that means the same. */
MUST_CHECK bool derived_bind(struct rel *r, const PgQuery__SelectStmt *s, const struct cte *scope, const char *alias, size_t n_aliases,
			     PgQuery__Node *const *aliases, int location, struct names *names, struct error *e);

/* Everything that names sees of inner becomes the columns of one scan of r, under the same names. */
MUST_CHECK bool derived_wrap(struct rel *r, struct rel *inner, const struct names *names, struct names *out, struct scan **scan,
			     struct error *e);

/* The rows of inner, projected, as a derived relation that no scan holds (for IN). */
MUST_CHECK bool derived_rows(const struct rel *r, struct rel *inner, struct expr *const *outputs, const char *const *names, size_t n,
			     struct derived **out, struct error *e);

/* True when a sub-select's rows belong to one unit each though it aggregates: its GROUP BY (or DISTINCT) names the unit. */
MUST_CHECK bool derived_per_unit(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s);

/* True when a sub-select groups rows of public tables alone. */
MUST_CHECK bool derived_public(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s);

/* Tables of the policy that a relation reads, each once, appended to a list; paths to the unit included. */
MUST_CHECK bool derived_tables(const struct rel *r, const struct policy_table ***tables, size_t *n, size_t *cap, struct error *e);

/* Every protected table inside is this owner's (no memory: false). */
MUST_CHECK bool derived_owned_by(struct derived *d, const struct planning *p, const char *owner);

/* --- a SELECT with GROUP BY inside the protected part ------------------------------------------------------------------------ */

/* While the select list and HAVING of such a SELECT are bound: keys and aggregate calls become columns of its scan. */
struct grouped {
	struct derived *derived;
	struct scan *scan;
	const struct names *names; /* of the rows that are grouped */
	bool expression_keys;      /* some key is more than a column */
};

/* Finds what a node means there; *out NULL: neither key nor aggregate, look inside. */
MUST_CHECK bool grouped_find(const struct binder *b, const PgQuery__Node *n, struct expr **out, struct error *e);

/* Adds columns of a GROUPS relation.  The same aggregate twice is one. */
MUST_CHECK bool grouped_open(struct rel *r, const PgQuery__SelectStmt *s, const struct cte *scope, const char *alias, struct grouped *out,
			     struct names *inner_names, struct error *e);

/* Appends a column as seen from outside. */
MUST_CHECK bool derived_add_column(struct derived *d, const struct planning *p, const char *name, const struct expr *x, struct error *e);

#endif
