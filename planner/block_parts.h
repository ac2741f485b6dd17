/* Inside of a block under construction; shared by the files that build it, nobody else. */
#ifndef NG_PLANNER_BLOCK_PARTS_H
#define NG_PLANNER_BLOCK_PARTS_H

#include "mechanisms/released.h"
#include "planner/bind.h"
#include "planner/emit.h"
#include "planner/functions.h"
#include "planner/unit.h"

enum aggregate_kind {
	AGGREGATE_ROWS,     /* count(*) */
	AGGREGATE_COUNT,    /* count(x) */
	AGGREGATE_UNITS,    /* count(distinct unit) */
	AGGREGATE_DISTINCT, /* count(distinct x) */
	AGGREGATE_SUM,
	AGGREGATE_AVG,
	AGGREGATE_MOMENT,   /* variances, covariances, correlation, regression: statistics of noised moments */
	AGGREGATE_QUANTILE, /* percentiles, min, max: ranks of a noised tree of counts */
	AGGREGATE_OTHER     /* any other of PostgreSQL's: exact releases only */
};

struct aggregate {
	enum aggregate_kind kind;
	const char *function;      /* its name in PostgreSQL */
	struct expr *arg, *filter; /* NULL when there is none; MOMENT: arg is x, the second argument of a pair's function */
	struct expr *arg_y;        /* MOMENT of a pair: y, the first argument */
	enum sql_type type;
	const char *name, *label;
	struct decimal grid; /* DP: one grid unit of arg, and the clamp in grid units */
	i128 lo, hi;
	struct decimal grid_y;
	i128 lo_y, hi_y;
	bool clipped;        /* SUM: its bound is found privately */
	i128 cap;            /* clipped: one unit adds at most so many grid units, whatever is found; at least 1 */
	bool distinct;       /* sum(DISTINCT x): exact releases only */
	enum moment what;    /* MOMENT */
	size_t n_parts;      /* MOMENT: that it and all that share its draw need */
	struct decimal rank; /* QUANTILE */
	size_t rank_at;      /* QUANTILE: index of its rank among those of the draw */
	enum release_end end;
	size_t shared;       /* 0: noised on its own; k: shows the draw of aggregate k - 1 */
};

struct key {
	struct expr *expr;
	const char *name, *label;
	const char *const *domain; /* public values in text, NULL entry for SQL NULL; NULL: private */
	size_t n_domain;
	bool asked;  /* the domain is read from a public table when the query runs; domain is NULL */
	bool closed; /* no row can lie outside the domain: it needs no filter upstream */
};

struct block {
	const struct planning *planning;
	struct rel rel;
	struct names names;
	struct key *keys;
	size_t n_keys;
	bool expression_keys; /* some key is more than a column */
	struct aggregate *aggregates;
	size_t n_aggregates, cap_aggregates;
	const struct policy_table **tables;
	size_t n_tables;
	size_t n_checked;   /* sub-selects of rel that tables and checks know of */
	bool distinct;
	bool rows;          /* row-level output: the keys are its columns */
	size_t cap_keys;
	bool dp;            /* some table is under differential privacy; else the release is exact */
	struct expr *unit;  /* dp: of a row */
	const char *unit_name;
	bool owner_moves;   /* dp: as in struct unit_flow */
	int64_t max_rows, max_groups; /* dp: in force */
	bool single;          /* dp: as in struct unit_flow */
	const struct policy_table *floor; /* dp: the table whose overlap floor holds (planner/overlap.h), or NULL */
	struct expr **found;  /* with a floor: columns of LEFT JOINs that must not be NULL for a unit to count */
	size_t n_found;
};

/* Refuses what the tables' analysis rules do not allow in FROM; finds the unit. */
MUST_CHECK bool block_check_tables(struct block *b, bool distinct, struct error *e);

/* The same again when an expression brought a sub-select since: whose rows may leave is known before anything is made of it. */
MUST_CHECK bool block_check_again(struct block *b, struct error *e);

/* Refuses an aggregate that a rule does not allow (aggregation rule: listed functions over bare columns). */
MUST_CHECK bool block_check_aggregate(struct block *b, const struct aggregate *g, int location, struct error *e);

/* Refuses a group key that the aggregation rule does not list as a dimension. */
MUST_CHECK bool block_check_key(struct block *b, const struct expr *key, struct error *e);

/* An aggregate call as a released column; the same call twice is one. */
MUST_CHECK bool block_aggregate(struct block *b, const PgQuery__FuncCall *f, int *column, struct error *e);

/* noise_low(aggregate), noise_high(aggregate): true when f is one of them and *column is its column; false with *e empty: it is another function. */
MUST_CHECK bool block_interval_end(struct block *b, const PgQuery__FuncCall *f, int *column, struct error *e);

/* For people: a column's name, or what kind of expression it is. */
const char *block_label(const struct expr *x);

/* The public domain of a key, narrowed by conjuncts that compare it with constants; leaves domain NULL for private keys. */
MUST_CHECK bool block_key_domain(struct block *b, struct key *k, struct error *e);

/* True when all keys are public; *product is the number of combinations (saturating), *asked whether some are counted only when the query runs. */
MUST_CHECK bool block_all_public(const struct block *b, size_t *product, bool *asked);

/* The statement that reads a key's domain from its public table. */
MUST_CHECK bool block_domain_sql(const struct block *b, const struct key *k, struct plan_domain *out, struct error *e);

/* What one part of a block's draws may cost, and how many groups one unit reaches (l0). */
struct part_price {
	bool gaussian;
	struct eps epsilon;
	struct rho rho;
	uint64_t groups;
};

/* Noise for a value that one unit changes by at most linf in each of the price's groups, out of 1/share_of_part of the price. */
MUST_CHECK bool part_noise(const struct part_price *p, u128 linf, unsigned share_of_part, struct noise *out, struct error *e);

/*
 * Correlated noise (mechanisms/joint.h) for the counts and sums of one sign, out of the parts that they were given, where that lowers the error of all of them; else
 * *out has no members and nothing changes.  counts_units: the statement counts a group's units anyway; else it must from now on, in the column after the keys, and the
 * values move up by one.  ERR_NO_MEMORY.
 */
MUST_CHECK bool joint_choose(const struct block *b, const struct part_price *p, bool counts_units, struct release_value *values, struct plan_column *columns,
			     struct joint *out, struct error *e);

/* The aggregate (index + 1) that counts a group's units, whose noised value can decide whether the group is shown at no further cost; 0: none does. */
size_t selection_units_value(const struct block *b);

/* Private keys: the rule by which groups are shown (mechanisms/select.h), out of one part or of the shown count.  Fills the spec and the figures' delta. */
MUST_CHECK bool selection_choose(const struct block *b, struct delta delta, const struct part_price *p, struct plan_block *out, struct error *e);

/* The rule in words; NULL when memory runs out. */
const char *selection_text(struct arena *a, const struct plan_block *b);

/* Some sum's bound is found privately. */
bool block_has_clipped(const struct block *b);

/* ", width_bucket(...) AS b1" for each such sum q.p1 of a unit: its bucket, whose thresholds are the bounds plus one, as sums are whole. */
void emit_clip_buckets(struct emit *m, const struct block *b);

/* The buckets of a sum that hold a unit, as text: bucket:count:total:sign,... */
void emit_clipped_total(struct emit *m, const struct aggregate *g, size_t number);

/* SQL of the block; fills sql, params, seed_param. ranked: at most max_groups groups a unit are sampled. */
MUST_CHECK bool block_emit(struct block *b, bool ranked, bool count_units, struct plan_block *out, struct error *e);

#endif
