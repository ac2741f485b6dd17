/*
 * Accuracy first: noisegate.error asks for an error, and the least epsilon that is expected to reach it is spent.
 *
 * The error of a count or a sum follows from the noise alone, so an absolute error over counts and sums is one plan.  A percentage, and the error of
 * averages, variances and percentiles, depend on the data, which may be looked at only through noise.  Then the question is asked twice: a first look at a
 * tenth of the usual epsilon (and delta), and, with what its released rows show, the answer.  Each is charged before it is run.  The second epsilon is a
 * function of released rows, so the two compose like any two questions of an adaptive analyst, and an account that is a privacy filter covers them.
 * When the look is accurate enough already, it is the answer.
 *
 * With noisegate.epsilon set, that is the most the statement may spend; else what the owners allow one query.
 */
#ifndef NG_PLANNER_ACCURACY_H
#define NG_PLANNER_ACCURACY_H

#include "planner/plan.h"

/* What a look showed, for planning the answer.  Public: made of released rows. */
struct plan_look {
	struct eps epsilon;    /* of the look: the answer has that much less left */
	struct delta delta;
	bool seen;             /* some value made a demand; else the answer is asked at the usual epsilon */
	size_t n_blocks;
	const struct look_value {
		double excess;    /* how many times too wide its widest interval is; 0: no demand */
		double deviation; /* of its noise in the look */
	} *const *values;      /* for each block one for each value */
};

/* How plan.c closes its blocks at a price; repeatable. */
struct accuracy_try {
	bool (*close)(void *ctx, struct eps epsilon, struct delta delta, struct plan_block *blocks, struct error *e);
	void *ctx;
	struct arena *arena;
	struct plan_block *blocks;
	size_t n_blocks;
	const struct plan_settings *settings;
	struct eps usual, most; /* epsilon of the statement without noisegate.error, and what it may be at most; 0: nothing is charged */
	struct eps least;       /* what a plan costs at least, a look or an answer */
};

/*
 * Chooses *epsilon and *delta (given: what the statement may spend).  plan->rough is set when this is a look, plan->accuracy to a line for EXPLAIN.
 * ERR_RULE when the error is out of reach.
 */
MUST_CHECK bool accuracy_choose(const struct accuracy_try *t, struct plan *plan, struct eps *epsilon, struct delta *delta, struct error *e);

/* The spec of a look's block with the interval ends that its values need, as further values behind those of the plan. */
MUST_CHECK bool accuracy_spec(struct arena *a, struct release_spec *spec, struct error *e);

/* Reads the releases of a look, made with accuracy_spec, one for each block.  *reached: they are accurate enough. */
MUST_CHECK bool accuracy_read(struct arena *a, const struct plan *plan, const struct released *const *released, const struct plan_settings *s,
			      struct plan_look *out, bool *reached, struct error *e);

/* The sum of two plans' charges, for telling what a look and its answer cost together.  NULL without memory. */
MUST_CHECK const struct plan *accuracy_both(struct arena *a, const struct plan *look, const struct plan *answer);

#endif
