/* How noised numbers look: post-processing of one row's draws into text.  Nothing here is secret. */
#ifndef NG_MECHANISMS_SHOWN_H
#define NG_MECHANISMS_SHOWN_H

#include "mechanisms/released.h"

/* What one value drew for one row. */
struct drawn {
	i128 x, sum;                /* COUNT, SUM, CLIPPED: x; AVG: count and centred sum */
	uint64_t coin;              /* COUNT, SUM, CLIPPED: decides the interval's last step (noise_half_width_fair) */
	struct noise noise;         /* CLIPPED: what was drawn */
	struct moments moments;     /* MOMENT */
	struct quantile *quantiles; /* QUANTILE, one for each rank */
};

/*
 * The text of value v, whose draw was made by `source` (v itself, or the value that it shares with).  *out NULL is SQL NULL.  False when the number does
 * not fit its format, or there is no memory.
 */
MUST_CHECK bool shown_text(struct arena *a, const struct release_value *v, const struct release_value *source, const struct drawn *d,
			   double confidence, const char **out);

/* units * grid as text, saturated to int8 where that is the format; grid digits may be other than 1 (0.05).  NULL when it does not fit, or without memory. */
const char *shown_units(struct arena *a, const struct release_value *v, i128 units);

#endif
