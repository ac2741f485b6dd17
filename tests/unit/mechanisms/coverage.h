/*
 * How often the intervals of a release hold the true (bounded) value, over many releases of the same exact rows: for the unit tests and for
 * `make coverage-intervals`.  Everything goes through release_make(), as text, as a client sees it.
 */
#ifndef NG_TESTS_COVERAGE_H
#define NG_TESTS_COVERAGE_H

#include "mechanisms/released.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COVERAGE_ROWS_MAX = 20000 };

/* One aggregate: its value, whose ends come from the same draw, over the exact cells of one row. */
struct coverage_case {
	char name[120];
	struct release_value value;
	const char *cells[MOMENT_PARTS];
	size_t n_cells;
	double truth;
	struct joint joint;          /* with members: the value is one, the others follow; the units are in the cell after its own */
	struct release_value beside[4];
};

struct coverage {
	double inside;  /* share of runs with low <= truth <= high */
	double missing; /* share of runs without an interval (NULL) */
	double width;   /* mean, relative to |truth| */
};

/* -1 on failure of a release; otherwise 0. */
static inline int coverage_measure(const struct coverage_case *c, const struct rng *r, double confidence, int runs, struct coverage *out)
{
	struct release_value v[7] = { c->value, c->value, c->value };
	const size_t beside = c->joint.members > 0 ? c->joint.members - 1 : 0;
	const struct exact_rows rows = { 1, c->n_cells, c->cells };
	const struct release_spec spec = { .private_noise = true, .selection = SELECT_ALL, .values = v, .n_values = 3 + beside, .confidence = confidence, .joint = c->joint };
	struct coverage sum = { 0 };
	struct arena a;

	v[1].end = END_LOW;
	v[2].end = END_HIGH;
	v[1].shared = v[2].shared = 1;
	v[1].joint = v[2].joint = (struct joint_value){ 0 };
	for (size_t i = 0; i < beside; i++)
		v[3 + i] = c->beside[i];
	arena_init(&a, 64 << 20);
	for (int i = 0; i < runs; i++) {
		const struct released *shown;
		struct error e;
		if (!release_make(&spec, &rows, r, &a, &shown, &e))
			return -1;
		const char *low = released_cell(shown, 0, 1), *high = released_cell(shown, 0, 2);
		if (!low || !high) {
			sum.missing++;
		} else {
			/* ends are shown with the digits of the value: half a digit either way is no miss */
			double lo = strtod(low, NULL), hi = strtod(high, NULL), half = pow(10, -c->value.grid.scale - c->value.extra_scale) / 2;
			if (c->value.kind == RELEASE_COUNT || c->value.kind == RELEASE_SUM || c->value.kind == RELEASE_QUANTILE)
				half = 1e-9;
			sum.inside += lo - half <= c->truth && c->truth <= hi + half;
			sum.width += (hi - lo) / fabs(c->truth);
		}
		arena_reset(&a);
	}
	*out = (struct coverage){ sum.inside / runs, sum.missing / runs, sum.width / runs };
	return 0;
}

#endif
