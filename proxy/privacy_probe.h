/*
 * From a policy to the questions that its guarantee is audited with: one probe a table and class of query.  A probe is a statement, what the engine claims
 * for it, and a recipe for rows: in the world where the person is present, that person contributes as much as the bounds let through, and more.
 *
 * A statement with public group keys asks about many people at once: trial i is person i, who has rows in the groups i * spread .. i * spread + spread - 1
 * and nowhere else; nobody else has rows in these groups and others.  So the trials of one answer are independent, and each compares two databases that
 * differ in one person.  What an answer decides once for all of its groups (the bound of a sum) would tie them together: such statements have no keys.
 */
#ifndef NG_PROXY_PRIVACY_PROBE_H
#define NG_PROXY_PRIVACY_PROBE_H

#include "base/arena.h"
#include "base/error.h"
#include "policies/policy.h"

enum probe_kind {
	PROBE_COUNT,    /* count(*) */
	PROBE_PLAIN,    /* count(*) without GROUP BY */
	PROBE_UNITS,    /* count(DISTINCT unit) */
	PROBE_SUM,
	PROBE_WIDE,     /* a sum without bounds: one is found privately */
	PROBE_AVG,
	PROBE_TWO,      /* two values of one statement */
	PROBE_STDDEV,
	PROBE_DISTINCT, /* count(DISTINCT x) */
	PROBE_MEDIAN,
	PROBE_SUBSELECT, /* an aggregate over groups of one person */
	PROBE_GROUPS,   /* a person in more groups than max_groups */
	PROBE_SELECTION, /* private keys: groups that are shown in about half of the cases */
	PROBE_LONE,     /* private keys: groups of one person alone */
	PROBE_JOIN,     /* two owners' tables */
	PROBE_KINDS
};

/* "count", "sum", ...: the class of query in the report. */
const char *probe_kind_name(enum probe_kind kind);

enum { PROBE_GROUPS_MAX = 1000, PROBE_VALUES_MAX = 2, PROBE_CELLS_MAX = 256 };

struct probe {
	enum probe_kind kind;
	const struct policy_table *table, *other; /* other: the second table of a join, or NULL */
	const char *analyst;                      /* member who asks */
	const char *sql;                          /* NULL: the policy has no columns for this class */
	struct error refused;                     /* code set: what the policy says to the statement */

	/* what is claimed: epsilon and delta, or (gaussian) rho */
	bool gaussian;
	struct eps epsilon; /* as asked */
	struct delta delta; /* as asked; 0: none */
	double claimed, claimed_delta;

	/* the statement's shape */
	const char **groups; /* text of the group keys, or NULL: one row without keys */
	size_t n_groups, n_values;
	size_t key, measure; /* columns of table; its n_columns when there is none */

	/* rows: for each person of a trial so many groups, and so many rows in each */
	size_t trials, spread, rows, other_rows;
	size_t distinct;   /* values of an unbounded measure that the person's rows have; 0: each its own */
	size_t background; /* other people in each group, a row each */
};

/* The probe of this kind for a table (and another, PROBE_JOIN) as asked by an analyst with a budget.  False only without memory. */
MUST_CHECK bool probe_make(struct arena *a, const struct policy *p, enum probe_kind kind, const struct policy_table *t, const struct policy_table *other,
			   const char *analyst, struct probe *out, struct error *e);

/* All probes of a policy: each protected table once for each kind of account, each pair of owners' tables of one unit once. */
MUST_CHECK bool probes_make(struct arena *a, const struct policy *p, struct probe **out, size_t *n, struct error *e);

#endif
