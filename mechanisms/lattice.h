/*
 * Tables over subsets of the same axes, as grouping sets are over keys, and the order in which they can be rounded so that all agree.
 *
 * A set is a bit mask: bit i, axis i.  A table has a cell for each combination of its axes' values, the last axis fastest.
 */
#ifndef NG_MECHANISMS_LATTICE_H
#define NG_MECHANISMS_LATTICE_H

#include "base/arena.h"

enum { LATTICE_SETS_MAX = 32, LATTICE_AXES_MAX = 16, LATTICE_STEPS_MAX = 192 };

#define LATTICE_NONE SIZE_MAX

struct lattice {
	size_t n_axes, size[LATTICE_AXES_MAX]; /* sizes at least 1 */
	size_t n;                              /* sets */
	uint32_t sets[LATTICE_SETS_MAX];       /* one may stand twice */
};

/* The axes that every set has. */
uint32_t lattice_common(const struct lattice *l);

/* Cells of a table; SIZE_MAX when there are more than that. */
size_t lattice_cells(const struct lattice *l, uint32_t set);

/* How far apart two cells of a table are that differ by one along one of its axes. */
size_t lattice_stride(const struct lattice *l, uint32_t set, size_t axis);

/* For each cell of the table over part, a subset of set: its place in the table over set, at the first value of the other axes.  NULL without memory. */
MUST_CHECK size_t *lattice_places(const struct lattice *l, uint32_t set, uint32_t part, struct arena *a);

/*
 * One table of whole numbers, made of those of steps before it.  Neither first nor second: each cell is rounded.  first: cells are rounded so that their sums are
 * first's cells.  second too: first's and second's, whose axes together are the step's (two crossing dimensions always have such numbers: Cox 1987).
 * derived: the sums of first's cells, whose axes are more than the step's.
 */
struct lattice_step {
	uint32_t set;
	size_t first, second; /* LATTICE_NONE: there is none */
	bool derived;
};

struct lattice_plan {
	size_t n;
	struct lattice_step steps[LATTICE_STEPS_MAX]; /* every set of the lattice is among them; others help, and nobody sees them */
};

/*
 * In the tables that the steps make, any two agree in the sums over the axes that they share.
 *
 * Sets closed under intersection, of which none has more than two largest subsets among them, need no derived step: chains, crossing pairs, trees of them; unions
 * of subsets are added where that helps.  Of other sets, as CUBE of three keys, some tables are derived from the one that has all axes; of CUBE (a, b, c) one
 * of the tables of two keys, the one whose cells are sums over the shortest axis.  False when none has all axes: then there is no plan.
 */
MUST_CHECK bool lattice_plan(const struct lattice *l, struct lattice_plan *out);

#endif
