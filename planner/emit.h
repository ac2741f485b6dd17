/*
 * Upstream SQL from the typed tree: every name qualified, every literal a parameter, every operation in its total form.
 */
#ifndef NG_PLANNER_EMIT_H
#define NG_PLANNER_EMIT_H

#include "base/bytes.h"
#include "planner/rel.h"

enum { EMIT_MAX = 1 << 20 }; /* bytes of one upstream statement: beyond, the plan is too complex */

struct emit {
	struct arena *arena;
	const struct plan_settings *settings;
	struct wr w;
	const char **params;
	size_t n_params, cap_params;
	int timezone_param; /* 0: not used yet */
	int seed_param;     /* likewise */
	bool no_memory;
};

void emit_init(struct emit *m, const struct planning *p);

/* A parameter with a cast: $3::pg_catalog.int8.  value NULL is SQL NULL. */
void emit_param(struct emit *m, const char *value, const char *type);
void emit_param_i128(struct emit *m, i128 value, const char *type);

/* Adds a parameter without writing it; its 1-based number. */
int emit_add_param(struct emit *m, const char *value);

/* An expression as its own type (numbers may come out as numeric). */
void emit_expr(struct emit *m, const struct expr *x);

/* A number as numeric: columns guarded against NaN, infinities and values beyond 10^30 (NULL then). */
void emit_number(struct emit *m, const struct expr *x);

/* Marks the columns that an expression reads, so that scans project them. */
void emit_mark(const struct expr *x);

/* (x, y) = ANY (SELECT ...). */
void emit_in_select(struct emit *m, const struct expr *x);
/* The same where NULL and false come to the same: a whole condition, or under IS TRUE. */
void emit_in_rows(struct emit *m, const struct expr *x);

/* FROM and WHERE of a relation; `also` is written behind the conjuncts (" AND ..."), may be "". */
void emit_from_where(struct emit *m, const struct rel *r, const char *also);

MUST_CHECK bool emit_finish(struct emit *m, const char **sql, struct error *e);

#endif
