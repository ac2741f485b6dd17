#include "proxy/privacy_ask.h"

#include "base/mem.h"
#include "proxy/privacy_bound.h"

#include <math.h>

/* Where each value stands with and without the person, learned from training trials. */
struct place {
	double present, absent, step; /* medians; how far the means are apart, signed, never 0 */
};

enum scoring { SCORE_LEAST, SCORE_SUM, SCORE_SHOWN, SCORINGS };

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double middle(const struct answers *a, const struct probe *p, enum world_side side, size_t value, double *room, double *mean)
{
	const size_t n = a->n[side] / 2 * p->spread;
	size_t kept = 0;

	*mean = 0;
	for (size_t i = 0; i < n; i++) {
		const double x = a->cells[side][i * p->n_values + value];
		if (isnan(x))
			continue;
		room[kept++] = x;
		*mean += x;
	}
	if (kept == 0)
		return 0;
	*mean /= (double)kept;
	qsort(room, kept, sizeof(*room), ascending);
	return room[kept / 2];
}

static bool learn(const struct answers *a, const struct probe *p, struct place *places)
{
	const size_t most = a->n[SIDE_PRESENT] > a->n[SIDE_ABSENT] ? a->n[SIDE_PRESENT] : a->n[SIDE_ABSENT];
	double *room = mem_alloc(most * p->spread + 1, sizeof(*room));

	for (size_t v = 0; room && v < p->n_values; v++) {
		double with, without;
		places[v].present = middle(a, p, SIDE_PRESENT, v, room, &with);
		places[v].absent = middle(a, p, SIDE_ABSENT, v, room, &without);
		places[v].step = with == without ? 1 : with - without;
	}
	mem_free(room);
	return room != NULL;
}

/*
 * One number for a trial.  LEAST: every value is at least as far as this; on Laplace noise that event loses epsilon in all of them at once.  SUM: the
 * likelihood ratio of Gaussian noise.  SHOWN: how many groups.  A group that is not shown says what a value without the person says, and less.
 */
static double score(const struct probe *p, const struct place *places, const double *cells, enum scoring how)
{
	double least = INFINITY, sum = 0;

	for (size_t i = 0; i < p->spread * p->n_values; i++) {
		const struct place *q = &places[i % p->n_values];
		const bool shown = !isnan(cells[i]);
		const double far = shown ? (cells[i] - q->present) / q->step : -1e9;
		least = far < least ? far : least;
		sum += how == SCORE_SHOWN ? shown : shown ? (cells[i] - q->absent) / q->step : -1;
	}
	return how == SCORE_LEAST ? least : sum;
}

/* Scores of one half of the trials of a side; the caller frees. */
static double *scores(const struct answers *a, const struct probe *p, const struct place *places, enum world_side side, int half, enum scoring how, size_t *n)
{
	const size_t first = half ? a->n[side] / 2 : 0, last = half ? a->n[side] : a->n[side] / 2;
	double *out = mem_alloc(last - first + 1, sizeof(*out));

	for (size_t i = first; out && i < last; i++)
		out[i - first] = score(p, places, a->cells[side] + i * a->width, how);
	*n = last - first;
	return out;
}

struct halves {
	struct bound_samples samples[2]; /* training, testing */
	double *owned[4];
};

static bool halves_make(const struct answers *a, const struct probe *p, const struct place *places, enum scoring how, struct halves *out)
{
	for (int half = 0; half < 2; half++) {
		struct bound_samples *s = &out->samples[half];
		s->present = out->owned[2 * half] = scores(a, p, places, SIDE_PRESENT, half, how, &s->n_present);
		s->absent = out->owned[2 * half + 1] = scores(a, p, places, SIDE_ABSENT, half, how, &s->n_absent);
	}
	return out->owned[0] && out->owned[1] && out->owned[2] && out->owned[3];
}

static void halves_free(struct halves *h)
{
	for (size_t i = 0; i < ARRAY_LEN(h->owned); i++)
		mem_free(h->owned[i]);
}

static double prove_epsilon(const struct answers *a, const struct probe *p, const struct place *places, double alpha)
{
	double most = -1, measured = -1;

	for (enum scoring how = SCORE_LEAST; how <= SCORE_SUM; how++) {
		struct halves h = { 0 };
		if (halves_make(a, p, places, how, &h)) {
			const struct bound_event event = bound_choose_event(&h.samples[0], p->claimed_delta, alpha);
			const double promised = bound_epsilon(&h.samples[0], event, p->claimed_delta, alpha);
			if (promised > most) {
				most = promised;
				measured = bound_epsilon(&h.samples[1], event, p->claimed_delta, alpha);
			}
		}
		halves_free(&h);
	}
	return measured;
}

static double prove_rho(const struct answers *a, const struct probe *p, const struct place *places, double alpha)
{
	struct halves h = { 0 };
	double rho = -1;

	if (halves_make(a, p, places, SCORE_SUM, &h))
		rho = bound_rho(&h.samples[1], bound_choose_line(&h.samples[0], alpha), alpha);
	halves_free(&h);
	return rho;
}

/* A group that nobody has rows in is never shown; if it is, what epsilon allows is taken off. */
static double prove_delta(const struct answers *a, const struct probe *p, const struct place *places, double alpha)
{
	struct halves h = { 0 };
	double delta = -1;

	if (halves_make(a, p, places, SCORE_SHOWN, &h)) {
		const struct bound_samples *s = &h.samples[1];
		size_t with = 0, without = 0;
		for (size_t i = 0; i < s->n_present; i++)
			with += s->present[i] > 0;
		for (size_t i = 0; i < s->n_absent; i++)
			without += s->absent[i] > 0;
		delta = bound_proportion_low(with, s->n_present, alpha / 2);
		if (without > 0)
			delta -= exp(eps_double(p->epsilon)) * bound_proportion_high(without, s->n_absent, alpha / 2);
		delta = delta > 0 ? delta : 0;
	}
	halves_free(&h);
	return delta;
}

static bool enough(const struct answers *a, const struct probe *p, double alpha)
{
	const size_t present = a->n[SIDE_PRESENT] - a->n[SIDE_PRESENT] / 2, absent = a->n[SIDE_ABSENT] - a->n[SIDE_ABSENT] / 2;

	if (a->n[SIDE_PRESENT] < 4 || a->n[SIDE_ABSENT] < 4)
		return false;
	if (p->kind == PROBE_LONE)
		return bound_proportion_low(present, present, alpha / 2) > p->claimed_delta;
	return (p->gaussian ? bound_rho_reach(present, absent, alpha) : bound_epsilon_reach(present, absent, p->claimed_delta, alpha)) > p->claimed;
}

double answers_prove(const struct answers *a, const struct probe *p, double alpha)
{
	struct place places[PROBE_VALUES_MAX] = { 0 };

	if (!enough(a, p, alpha) || !learn(a, p, places))
		return -1;
	if (p->kind == PROBE_LONE)
		return prove_delta(a, p, places, alpha);
	return p->gaussian ? prove_rho(a, p, places, alpha) : prove_epsilon(a, p, places, alpha);
}
