/* Asks a probe's statement through the wire in both worlds, many times, and turns the answers into what they prove. */
#ifndef NG_PROXY_PRIVACY_ASK_H
#define NG_PROXY_PRIVACY_ASK_H

#include "proxy/privacy_probe.h"
#include "proxy/privacy_world.h"

/* One trial after the other; a trial is spread * n_values numbers, NAN where a group was not shown or a value was NULL. */
struct answers {
	double *cells[SIDES];
	size_t n[SIDES]; /* trials */
	size_t width;
};

/* Until both sides have enough trials or the time (clock_monotonic) has come; at least one answer a side.  The arrays are freed with answers_free. */
MUST_CHECK bool answers_get(struct world *w, const struct probe *p, size_t enough, int64_t until_nanos, struct answers *out, struct error *e);
void answers_free(struct answers *a);

/*
 * The bound that is wrong with probability at most alpha: on epsilon; on rho (gaussian); on delta (PROBE_LONE).  The first half of the trials chooses
 * the event or the line, the second half makes the bound.  -1: no memory, or fewer trials
 * than could show even answers without any noise to exceed the claim.
 */
double answers_prove(const struct answers *a, const struct probe *p, double alpha);

#endif
