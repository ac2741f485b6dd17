/*
 * What the conjuncts of WHERE say about an expression's values, from constants of the query alone: never from data.  A row for which a fact does not
 * hold is not counted, so a fact may serve as a domain of group keys and as a bound of sums.
 */
#ifndef NG_PLANNER_FACTS_H
#define NG_PLANNER_FACTS_H

#include "planner/rel.h"

struct facts {
	bool not_null;             /* some comparison is true of it */
	const char *const *values; /* it equals one of these constants; NULL: not known */
	size_t n_values;
	/* bounds, both ends included: of numbers, and of dates and timestamps (microseconds since 1970-01-01 00:00, without a zone) */
	bool has_lo, has_hi;
	struct decimal lo, hi;
	int64_t lo_micros, hi_micros;
};

/* Only the bounds and not_null. */
void facts_bounds(const struct rel *r, const struct expr *x, struct facts *out);

/* Narrows a number's range by what the query says.  Sums clamp to the range, so what a range promises need not be true of every row. */
void facts_narrow(const struct rel *r, struct expr *x);

MUST_CHECK bool facts_find(const struct rel *r, const struct expr *x, struct facts *out, struct error *e);

#endif
