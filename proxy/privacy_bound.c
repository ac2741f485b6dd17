#include "proxy/privacy_bound.h"

#include "base/mem.h"

#include <math.h>

/* --- proportions ---------------------------------------------------------------------------------------------------------------- */

/* The continued fraction of the incomplete beta function by Lentz's method; converges fast for x below (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
	const double tiny = 1e-300;
	double c = 1, d = 1 - (a + b) * x / (a + 1);

	d = 1 / (fabs(d) < tiny ? tiny : d);
	double value = d;
	for (int m = 1; m < 10000; m++) {
		const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		const double terms[2] = { even, odd };
		double step = 1;
		for (int i = 0; i < 2; i++) {
			d = 1 + terms[i] * d;
			c = 1 + terms[i] / c;
			d = 1 / (fabs(d) < tiny ? tiny : d);
			c = fabs(c) < tiny ? tiny : c;
			step = c * d;
			value *= step;
		}
		if (fabs(step - 1) < 1e-14)
			break;
	}
	return value;
}

/* P[X >= hits] for X binomial (n, p), 1 <= hits <= n. */
static double binomial_tail(size_t hits, size_t n, double p)
{
	const double a = (double)hits, b = (double)(n - hits) + 1;

	if (p <= 0 || p >= 1)
		return p <= 0 ? 0 : 1;
	const double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(p) + b * log1p(-p));
	if (p < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, p) / a;
	return 1 - front * beta_fraction(b, a, 1 - p) / b;
}

double bound_proportion_low(size_t hits, size_t n, double alpha)
{
	double lo = 0, hi = 1;

	if (hits == 0)
		return 0;
	for (int i = 0; i < 100; i++) {
		double mid = (lo + hi) / 2;
		if (binomial_tail(hits, n, mid) < alpha)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

double bound_proportion_high(size_t hits, size_t n, double alpha)
{
	return 1 - bound_proportion_low(n - hits, n, alpha);
}

/* --- (epsilon, delta) ------------------------------------------------------------------------------------------------------------- */

struct counts {
	size_t more, n_more, less, n_less; /* the event's hits where it is likelier, and where it is rarer */
};

static size_t at_least(const double *x, size_t n, double threshold)
{
	size_t hits = 0;

	for (size_t i = 0; i < n; i++)
		hits += x[i] >= threshold;
	return hits;
}

static struct counts count(const struct bound_samples *s, struct bound_event event)
{
	const size_t present = at_least(s->present, s->n_present, event.threshold), absent = at_least(s->absent, s->n_absent, event.threshold);

	if (event.low)
		return (struct counts){ s->n_absent - absent, s->n_absent, s->n_present - present, s->n_present };
	return (struct counts){ present, s->n_present, absent, s->n_absent };
}

static double proven(const struct counts *c, double delta, double alpha)
{
	const double more = bound_proportion_low(c->more, c->n_more, alpha / 2) - delta, less = bound_proportion_high(c->less, c->n_less, alpha / 2);

	return more > less ? log(more / less) : 0;
}

double bound_epsilon(const struct bound_samples *s, struct bound_event event, double delta, double alpha)
{
	const struct counts c = count(s, event);

	return proven(&c, delta, alpha);
}

double bound_epsilon_reach(size_t n_present, size_t n_absent, double delta, double alpha)
{
	const struct counts c = { n_present, n_present, 0, n_absent };

	return n_present > 0 && n_absent > 0 ? proven(&c, delta, alpha) : 0;
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* All scores of both sides, sorted; the caller frees.  NULL without memory. */
static double *pooled(const struct bound_samples *s)
{
	double *all = mem_alloc(s->n_present + s->n_absent, sizeof(*all));

	if (!all)
		return NULL;
	mem_copy(all, s->present, s->n_present * sizeof(*all));
	mem_copy(all + s->n_present, s->absent, s->n_absent * sizeof(*all));
	qsort(all, s->n_present + s->n_absent, sizeof(*all), ascending);
	return all;
}

struct bound_event bound_choose_event(const struct bound_samples *training, double delta, double alpha)
{
	enum { CANDIDATES = 128 };
	const size_t n = training->n_present + training->n_absent;
	struct bound_event best = { .threshold = n ? training->present[0] : 0 };
	double most = -1, last = NAN;
	double *all = pooled(training);

	for (size_t i = 0; all && i <= CANDIDATES; i++) {
		const double threshold = all[i * (n - 1) / CANDIDATES];
		if (threshold == last)
			continue;
		last = threshold;
		for (int low = 0; low < 2; low++) {
			const struct bound_event event = { threshold, low };
			const double e = bound_epsilon(training, event, delta, alpha);
			if (e > most) {
				most = e;
				best = event;
			}
		}
	}
	mem_free(all);
	return best;
}

/* --- zCDP --------------------------------------------------------------------------------------------------------------------------- */

/* A function of a score within [from, to]. */
struct mapped {
	const struct bound_line *line;
	bool exponential;
	double from, to;
};

static double value(const struct mapped *m, double score)
{
	const struct bound_line *l = m->line;
	const double s = l->low ? -score : score, f = l->slope * (s < l->lo ? l->lo : s > l->hi ? l->hi : s);

	return m->exponential ? exp(f) : f;
}

/* How far the mean of n bounded values may be from its expectation, one side, with probability 1 - alpha. */
static double mean_of(const struct mapped *m, const double *x, size_t n, double alpha, double *slack)
{
	double sum = 0, squares = 0;

	for (size_t i = 0; i < n; i++)
		sum += value(m, x[i]);
	const double mean = sum / (double)n;
	for (size_t i = 0; i < n; i++)
		squares += (value(m, x[i]) - mean) * (value(m, x[i]) - mean);
	const double variance = squares / ((double)n - 1), l = log(2 / alpha);
	*slack = sqrt(2 * variance * l / (double)n) + 7 * (m->to - m->from) * l / (3 * ((double)n - 1));
	return mean;
}

double bound_rho(const struct bound_samples *s, struct bound_line line, double alpha)
{
	const double from = line.slope * line.lo, to = line.slope * line.hi;
	const struct mapped f = { &line, false, from, to }, ef = { &line, true, exp(from), exp(to) };
	double slack, slack_e;

	if (s->n_present < 2 || s->n_absent < 2)
		return 0;
	const double one = mean_of(&f, line.low ? s->absent : s->present, line.low ? s->n_absent : s->n_present, alpha / 2, &slack);
	const double other = mean_of(&ef, line.low ? s->present : s->absent, line.low ? s->n_present : s->n_absent, alpha / 2, &slack_e);
	const double rho = one - slack - log(other + slack_e);
	return rho > 0 ? rho : 0;
}

static double mean(const double *x, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += x[i];
	return sum / (double)n;
}

static double variance(const double *x, size_t n)
{
	const double m = mean(x, n);
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (x[i] - m) * (x[i] - m);
	return sum / (double)n;
}

struct bound_line bound_choose_line(const struct bound_samples *training, double alpha)
{
	static const double steepness[] = { 0.4, 0.55, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5 }, cut[] = { 0, 0.002, 0.01, 0.03, 0.08 };
	const size_t n = training->n_present + training->n_absent;
	double *all = pooled(training);
	struct bound_line best = { 0 };
	double most = -1;

	if (!all || training->n_present < 2 || training->n_absent < 2) {
		mem_free(all);
		return best;
	}
	const double spread = (variance(training->present, training->n_present) + variance(training->absent, training->n_absent)) / 2;
	const double moved = mean(training->present, training->n_present) - mean(training->absent, training->n_absent);
	for (size_t i = 0; spread > 0 && i < ARRAY_LEN(steepness) * ARRAY_LEN(cut) * 2; i++) {
		const size_t skip = (size_t)(cut[i / 2 % ARRAY_LEN(cut)] * (double)n);
		const double lo = all[skip], hi = all[n - 1 - skip];
		struct bound_line line = { .slope = steepness[i / 2 / ARRAY_LEN(cut)] * moved / spread, .low = i % 2 };
		line.lo = line.low ? -hi : lo;
		line.hi = line.low ? -lo : hi;
		const double rho = line.slope > 0 ? bound_rho(training, line, alpha) : 0;
		if (rho > most) {
			most = rho;
			best = line;
		}
	}
	mem_free(all);
	return best;
}

/* Without noise f is B with the person and -B without; of B - log(e^-B + slack) the best B. */
double bound_rho_reach(size_t n_present, size_t n_absent, double alpha)
{
	double most = 0;

	for (int i = 1; n_present > 1 && n_absent > 1 && i < 100; i++) {
		const double b = 0.1 * i, l = log(4 / alpha);
		const double rho = b - 14 * b * l / (3 * ((double)n_present - 1)) - log(exp(-b) + 7 * (exp(b) - exp(-b)) * l / (3 * ((double)n_absent - 1)));
		most = rho > most ? rho : most;
	}
	return most;
}
