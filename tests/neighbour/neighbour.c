/*
 * What if one person were removed?  Two databases that differ in one unit (in all tables), the same query: 20,000 releases of each, in process.
 *  - the exact values move by at most the plan's sensitivity (here: by exactly that much, the unit is the heaviest allowed);
 *  - the observed likelihood ratio of a distinguishing event is consistent with the claimed epsilon (Clopper-Pearson at 1 - 1e-7);
 *  - the spread of the noise is that of sensitivity / epsilon within 5%; mutants of the plan that are wrong by 10% and more must be flagged.
 *
 * usage: neighbour DSN POLICY, a policy with tables one.visits (all units) and two.visits (one unit fewer)
 */
#include "crypto/random.h"
#include "planner/plan.h"
#include "policies/load.h"

#include <libpq-fe.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 20000 };

static struct arena plans;
static struct rng source;
static int failures;

static void report(bool ok, const char *name, const char *fact)
{
	printf("%sok %s: %s\n", ok ? "" : "not ", name, fact);
	failures += !ok;
}

static const struct plan *plan_of(const struct policy *p, const char *sql)
{
	static const char *const path[] = { "one" };
	const struct plan_settings s = { .analyst = "lab", .search_path = path, .n_search_path = 1, .timezone = "UTC", .confidence = 0.95 };
	const struct plan *plan = NULL;
	struct error e;

	if (!plan_make(&plans, p, &s, sql, NULL, 0, &plan, &e)) {
		fprintf(stderr, "%s: %s\n", sql, e.message);
		exit(1);
	}
	return plan;
}

static struct exact_rows run(PGconn *c, const struct plan_block *b)
{
	const char **values = arena_array(&plans, b->n_params + 1, const char *);

	for (size_t i = 0; i < b->n_params; i++)
		values[i] = b->params[i];
	if (b->seed_param)
		values[b->seed_param - 1] = "424242";
	PGresult *r = PQexecParams(c, b->sql, (int)b->n_params, NULL, values, NULL, NULL, 0);
	if (PQresultStatus(r) != PGRES_TUPLES_OK) {
		fprintf(stderr, "%s\n", PQerrorMessage(c));
		exit(1);
	}
	size_t rows = (size_t)PQntuples(r), columns = (size_t)PQnfields(r);
	const char **cells = arena_array(&plans, rows * columns + 1, const char *);
	for (size_t i = 0; i < rows * columns; i++)
		cells[i] = PQgetisnull(r, (int)(i / columns), (int)(i % columns)) ? NULL : arena_strdup(&plans, PQgetvalue(r, (int)(i / columns), (int)(i % columns)));
	PQclear(r);
	return (struct exact_rows){ rows, columns, cells };
}

/* Releases of the value in a block's first row, as plain numbers (grid units for counts and sums). */
static void sample(const struct release_spec *s, const struct exact_rows *rows, double *out)
{
	struct arena a;
	struct error e;

	arena_init(&a, 1 << 20);
	for (int i = 0; i < RUNS; i++) {
		const struct released *r;
		if (!release_make(s, rows, &source, &a, &r, &e))
			exit(1);
		out[i] = strtod(released_cell(r, 0, 0), NULL);
		arena_reset(&a);
	}
}

/* Upper and lower ends of a binomial proportion, by bisection on the tail (Clopper-Pearson), one-sided error alpha. */
static double binomial_tail(int x, double p) /* P[X >= x] */
{
	double sum = 0, lp = log(p), lq = log1p(-p);

	for (int k = x; k <= RUNS; k++) {
		double t = exp(lgamma(RUNS + 1.0) - lgamma(k + 1.0) - lgamma(RUNS - k + 1.0) + k * lp + (RUNS - k) * lq);
		sum += t;
		if (k > x + 50 && t < sum * 1e-15)
			break;
	}
	return sum;
}

static double lower_end(int x, double alpha)
{
	double lo = 0, hi = 1;

	for (int i = 0; i < 60 && x > 0; i++) {
		double mid = (lo + hi) / 2;
		if (binomial_tail(x, mid) < alpha)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static double upper_end(int x, double alpha)
{
	return 1 - lower_end(RUNS - x, alpha);
}

/* The largest epsilon that the two samples prove, over thresholds chosen on a grid. */
static double proven_epsilon(const double *d, const double *d2, double from, double to)
{
	double best = 0;

	for (int i = 0; i <= 16; i++) {
		double t = from + (to - from) * i / 16;
		int x = 0, y = 0;
		for (int j = 0; j < RUNS; j++) {
			x += d[j] >= t;
			y += d2[j] >= t;
		}
		const double alpha = 1e-7 / 68; /* four bounds at 17 thresholds */
		double up = log(lower_end(x, alpha) / upper_end(y, alpha)), down = log(lower_end(RUNS - y, alpha) / upper_end(RUNS - x, alpha));
		best = up > best ? up : best;
		best = down > best ? down : best;
	}
	return best;
}

static double spread(const double *x, double centre)
{
	double sum = 0;

	for (int i = 0; i < RUNS; i++)
		sum += fabs(x[i] - centre);
	return sum / RUNS;
}

/* Mean absolute value of discrete Laplace with scale b. */
static double laplace_spread(double b)
{
	return 1 / sinh(1 / b);
}

static double one[RUNS], two[RUNS];

static bool consistent(const struct release_spec *s, const struct exact_rows *d, const struct exact_rows *d2, double epsilon, double sensitivity)
{
	double unit = decimal_double(s->values[0].grid), a = strtod(d->cells[0], NULL), b = strtod(d2->cells[0], NULL);
	sample(s, d, one);
	sample(s, d2, two);
	double ratio = spread(one, a * unit) / unit / laplace_spread(sensitivity / epsilon);
	double proven = proven_epsilon(one, two, b * unit, a * unit);
	return fabs(a - b) <= sensitivity && proven <= epsilon && ratio > 0.95 && ratio < 1.05;
}

static struct release_spec scaled(const struct release_spec *s, struct release_value *v, unsigned num, unsigned den)
{
	struct release_spec m = *s;

	*v = s->values[0];
	v->noise.num = v->noise.num * num;
	v->noise.den = v->noise.den * den;
	v->noise_sum.num = v->noise_sum.num * num;
	v->noise_sum.den = v->noise_sum.den * den;
	m.values = v;
	return m;
}

/* Count or sum: one released number. */
static void test_value(PGconn *c, const struct policy *p, const char *name, const char *sql, const char *sql2, double sensitivity)
{
	const struct plan_block *b = &plan_of(p, sql)->blocks[0], *b2 = &plan_of(p, sql2)->blocks[0];
	struct exact_rows d = run(c, b), d2 = run(c, b2);
	double epsilon = eps_double(b->figures.epsilon);
	struct release_value v;
	struct release_spec m;
	char fact[160];

	double moved = fabs(strtod(d.cells[0], NULL) - strtod(d2.cells[0], NULL));
	snprintf(fact, sizeof(fact), "one unit moves it by %g, at most %g, the plan says %g", moved, sensitivity, (double)b->columns[0].linf);
	report(moved == sensitivity && (double)b->columns[0].linf == sensitivity, name, fact);
	bool ok = consistent(&b->spec, &d, &d2, epsilon, sensitivity);
	snprintf(fact, sizeof(fact), "20,000 releases of each are consistent with epsilon %g (they prove %.3f)", epsilon, proven_epsilon(one, two, strtod(d2.cells[0], NULL) * decimal_double(b->spec.values[0].grid), strtod(d.cells[0], NULL) * decimal_double(b->spec.values[0].grid)));
	report(ok, name, fact);
	m = scaled(&b->spec, &v, 9, 10);
	report(!consistent(&m, &d, &d2, epsilon, sensitivity), name, "mutant: noise 10% too small is flagged");
	m = scaled(&b->spec, &v, 1, 2);
	report(!consistent(&m, &d, &d2, epsilon, sensitivity), name, "mutant: noise halved is flagged");
	m = scaled(&b->spec, &v, 11, 10);
	report(!consistent(&m, &d, &d2, epsilon, sensitivity), name, "mutant: noise 10% too large is flagged");
	report(!consistent(&b->spec, &d, &d2, epsilon, sensitivity / 2), name, "mutant: a cap twice as high as the plan says is flagged");
}

/* Average: two noised parts, looked at through specs that release each of them alone. */
static void test_average(PGconn *c, const struct policy *p, const char *sql, const char *sql2)
{
	const struct plan_block *b = &plan_of(p, sql)->blocks[0], *b2 = &plan_of(p, sql2)->blocks[0];
	struct exact_rows d = run(c, b), d2 = run(c, b2);
	const struct release_value *v = &b->spec.values[0];
	const double epsilon = eps_double(b->figures.epsilon), moved[2] = { fabs(strtod(d.cells[0], NULL) - strtod(d2.cells[0], NULL)), fabs(strtod(d.cells[1], NULL) - strtod(d2.cells[1], NULL)) };
	double bound[2] = { 5, 5.0 * 100 }; /* max_rows, max_rows * (hi - lo) */
	char fact[160];

	for (size_t part = 0; part < 2; part++) {
		struct release_value alone = { .kind = RELEASE_COUNT, .format = FORMAT_DECIMAL, .column = part, .noise = part ? v->noise_sum : v->noise, .grid = { 1, 0 } }, mutant;
		struct release_spec s = { .private_noise = true, .selection = SELECT_ALL, .values = &alone, .n_values = 1 };
		const struct exact_rows e1 = { 1, 2, d.cells }, e2 = { 1, 2, d2.cells };
		const char *name = part ? "avg, its centred sum" : "avg, its count";
		snprintf(fact, sizeof(fact), "one unit moves it by %g, at most %g", moved[part], bound[part]);
		report(moved[part] <= bound[part], name, fact);
		sample(&s, &e1, one);
		double ratio = spread(one, strtod(d.cells[part], NULL)) / laplace_spread(bound[part] / (epsilon / 2));
		snprintf(fact, sizeof(fact), "noise is that of half of epsilon %g (ratio %.3f)", epsilon, ratio);
		report(ratio > 0.95 && ratio < 1.05, name, fact);
		s = scaled(&s, &mutant, 1, 2); /* epsilon not split */
		sample(&s, &e1, one);
		ratio = spread(one, strtod(d.cells[part], NULL)) / laplace_spread(bound[part] / (epsilon / 2));
		report(!(ratio > 0.95 && ratio < 1.05), name, "mutant: epsilon not split between the two parts is flagged");
	}
	sample(&b->spec, &d, one);
	sample(&b2->spec, &d2, two);
	double lo = 1e9, hi = -1e9;
	for (int i = 0; i < RUNS; i++) {
		lo = one[i] < lo ? one[i] : lo;
		hi = one[i] > hi ? one[i] : hi;
	}
	double proven = proven_epsilon(one, two, lo, hi);
	snprintf(fact, sizeof(fact), "20,000 averages of each are consistent with epsilon %g (they prove %.3f)", epsilon, proven);
	report(proven <= epsilon, "avg", fact);
}

int main(int argc, char **argv)
{
	static struct policy_report problems;
	const struct policy *p;
	struct error e;

	if (argc != 3)
		return 2;
	arena_init(&plans, (size_t)1 << 30);
	source = random_system();
	PGconn *c = PQconnectdb(argv[1]);
	if (PQstatus(c) != CONNECTION_OK || !policy_load(&plans, argv[2], &p, &problems, &e)) {
		fprintf(stderr, "%s%s\n", PQerrorMessage(c), problems.n ? e.message : "");
		return 1;
	}
	test_value(c, p, "count", "SELECT count(*) FROM one.visits", "SELECT count(*) FROM two.visits", 5);
	test_value(c, p, "count distinct", "SELECT count(DISTINCT person) FROM one.visits", "SELECT count(DISTINCT person) FROM two.visits", 1);
	test_value(c, p, "sum", "SELECT sum(amount) FROM one.visits", "SELECT sum(amount) FROM two.visits", 500);
	test_average(c, p, "SELECT avg(amount) FROM one.visits", "SELECT avg(amount) FROM two.visits");
	test_value(c, p, "joined count", "SELECT count(*) FROM one.visits v JOIN one.people q ON v.person = q.person",
		   "SELECT count(*) FROM two.visits v JOIN two.people q ON v.person = q.person", 5);
	PQfinish(c);
	return failures > 0;
}
