/* The aggregates whose intervals are measured, with data and noise of several sizes. */
#ifndef NG_TESTS_COVERAGE_CASES_H
#define NG_TESTS_COVERAGE_CASES_H

#include "tests/unit/mechanisms/coverage.h"

enum { COVERAGE_CASES_MAX = 200, COVERAGE_GRID = 1 << 16 };

static const char *const coverage_statistics[] = {
	[MOMENT_MEAN] = "regr_avgx", [MOMENT_MEAN_Y] = "regr_avgy", [MOMENT_VAR_POP] = "var_pop", [MOMENT_VAR_SAMP] = "var_samp",
	[MOMENT_STDDEV_POP] = "stddev_pop", [MOMENT_STDDEV_SAMP] = "stddev_samp", [MOMENT_COVAR_POP] = "covar_pop", [MOMENT_COVAR_SAMP] = "covar_samp",
	[MOMENT_CORR] = "corr", [MOMENT_SLOPE] = "regr_slope", [MOMENT_INTERCEPT] = "regr_intercept", [MOMENT_R2] = "regr_r2", [MOMENT_SXX] = "regr_sxx",
	[MOMENT_SYY] = "regr_syy", [MOMENT_SXY] = "regr_sxy", [MOMENT_COUNT] = "regr_count",
};

static inline const char *coverage_text(struct arena *a, i128 v)
{
	struct wr w;

	wr_init(&w, a, 64);
	decimal_put(&w, (struct decimal){ v, 0 });
	return wr_text(&w);
}

/* x and y in grid units (a quarter and a tenth), y following x loosely; deterministic. */
static inline void coverage_rows(int n, int *x, int *y)
{
	uint64_t s = 99991;

	for (int i = 0; i < n; i++) {
		s = s * 6364136223846793005u + 1442695040888963407u;
		double u = (double)(s >> 40) / 16777216.0, v = (double)(s >> 16 & 0xffffff) / 16777216.0;
		x[i] = (int)(-20 + 500 * u * sqrt(v));
		y[i] = (int)(150 + 1.3 * x[i] + 300 * v);
	}
}

struct coverage_cases {
	struct coverage_case list[COVERAGE_CASES_MAX];
	size_t n;
	struct arena arena;
};

static inline struct coverage_case *coverage_add(struct coverage_cases *all, const char *name, const char *law)
{
	struct coverage_case *c = &all->list[all->n++];

	if (all->n > COVERAGE_CASES_MAX)
		abort();
	snprintf(c->name, sizeof(c->name), "%s, %s", name, law);
	return c;
}

/* Counts, distinct counts and sums differ in what the upstream counts, not in their noise. */
static inline void coverage_add_counts(struct coverage_cases *all)
{
	static const struct { const char *name; struct noise noise; } laws[] = {
		{ "laplace 1/2", { NOISE_LAPLACE, 1, 2 } }, { "laplace 1", { NOISE_LAPLACE, 1, 1 } },	{ "laplace 2", { NOISE_LAPLACE, 2, 1 } },
		{ "laplace 10", { NOISE_LAPLACE, 10, 1 } }, { "gaussian 1", { NOISE_GAUSSIAN, 1, 1 } }, { "gaussian 3.3", { NOISE_GAUSSIAN, 109, 10 } },
		{ "gaussian 40", { NOISE_GAUSSIAN, 1600, 1 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
		struct coverage_case *c = coverage_add(all, i % 2 ? "count(distinct)" : "count", laws[i].name);
		c->value = (struct release_value){ .kind = RELEASE_COUNT, .format = FORMAT_INT8, .noise = laws[i].noise, .grid = { 1, 0 } };
		c->cells[0] = "1000";
		c->n_cells = 1;
		c->truth = 1000;
		c = coverage_add(all, "sum", laws[i].name);
		c->value = (struct release_value){ .kind = RELEASE_SUM, .format = FORMAT_DECIMAL, .noise = laws[i].noise, .grid = { 5, 2 } };
		c->cells[0] = "-123456";
		c->n_cells = 1;
		c->truth = -123456 * 0.05;
	}
}

/* Members of joint parts, with their errors from a rounding's to many. */
static inline void coverage_add_joint(struct coverage_cases *all)
{
	static const i128 bounds[] = { 1, -40, 3, 100000, 2 };
	static const struct { const char *name; uint64_t rho; } prices[] = { { "rho 2", 2 * EPS_ONE }, { "rho 0.3", 3 * EPS_ONE / 10 }, { "rho 0.01", EPS_ONE / 100 } };
	struct error e;

	for (size_t p = 0; p < ARRAY_LEN(prices); p++) {
		for (size_t members = 2; members <= ARRAY_LEN(bounds); members++) {
			for (size_t first = 0; first < members; first++) {
				char what[64];
				snprintf(what, sizeof(what), "value %zu of %zu with correlated noise", first + 1, members);
				struct coverage_case *c = coverage_add(all, what, prices[p].name);
				if (!joint_plan(members, 1, (struct rho){ prices[p].rho }, &c->joint, &e))
					abort();
				c->joint.column = 1;
				for (size_t i = 0; i < members; i++) {
					struct release_value *v = i == 0 ? &c->value : &c->beside[i - 1];
					*v = (struct release_value){ .kind = RELEASE_SUM, .format = FORMAT_INT8, .column = i == 0 ? 0 : 2, .grid = { 1, 0 } };
					if (!joint_member(&c->joint, bounds[(first + i) % members], &v->joint, &v->noise, &e))
						abort();
				}
				c->cells[0] = first == 1 ? "-7000" : "7000";
				c->cells[1] = "500";
				c->cells[2] = "0";
				c->n_cells = 3;
				c->truth = first == 1 ? -7000 : 7000;
			}
		}
	}
}

/* avg of n rows: noises of `ratio` rows' deviations. */
static inline void coverage_add_average(struct coverage_cases *all, const char *what, const int *x, int n, enum noise_kind kind, u128 scale)
{
	char law[64];
	i128 sum = 0;
	double mean = 0;

	snprintf(law, sizeof(law), "%s %u, %d rows", kind == NOISE_LAPLACE ? "laplace" : "gaussian", (unsigned)scale, n);
	struct coverage_case *c = coverage_add(all, what, law);
	for (int i = 0; i < n; i++) {
		sum += 2 * x[i] - 460;
		mean += x[i] * 0.25 / n;
	}
	c->value = (struct release_value){ .kind = RELEASE_AVG, .format = FORMAT_DECIMAL, .lo = -20, .hi = 480, .grid = { 25, 2 }, .extra_scale = 6,
					   .noise = { kind, kind == NOISE_LAPLACE ? scale : scale * scale, 1 },
					   .noise_sum = { kind, kind == NOISE_LAPLACE ? scale * 500 : scale * scale * 250000, 1 } };
	c->cells[0] = coverage_text(&all->arena, n);
	c->cells[1] = coverage_text(&all->arena, sum);
	c->n_cells = 2;
	c->truth = mean;
}

static inline void coverage_statistics_of(const int *xs, const int *ys, int n, double *out)
{
	double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;

	for (int i = 0; i < n; i++) {
		mx += xs[i] * 0.25 / n;
		my += ys[i] * 0.1 / n;
	}
	for (int i = 0; i < n; i++) {
		double a = xs[i] * 0.25 - mx, b = ys[i] * 0.1 - my;
		xx += a * a;
		yy += b * b;
		xy += a * b;
	}
	const double all[MOMENT_COUNT + 1] = { mx, my, xx / n, xx / (n - 1), sqrt(xx / n), sqrt(xx / (n - 1)), xy / n, xy / (n - 1), xy / sqrt(xx * yy), xy / xx,
					       my - xy / xx * mx, xy * xy / (xx * yy), xx, yy, xy, n };
	for (int i = 0; i <= MOMENT_COUNT; i++)
		out[i] = all[i];
}

static inline void coverage_add_moments(struct coverage_cases *all, const int *x, const int *y, int n, const struct choose_terms *terms, const char *name)
{
	const struct moments_bounds bounds = { .lo_x = -20, .hi_x = 480, .lo_y = 100, .hi_y = 1100, .grid_x = { 25, 2 }, .grid_y = { 1, 1 } };
	i128 plain[MOMENT_PARTS] = { 0 };
	double want[MOMENT_COUNT + 1];
	char law[64];
	struct error e;

	snprintf(law, sizeof(law), "%s, %d rows", name, n);
	for (int i = 0; i < n; i++) {
		const i128 a = 2 * x[i] - 460, b = 2 * y[i] - 1200, row[MOMENT_PARTS] = { 1, a, a * a, b, b * b, a * b };
		for (int k = 0; k < MOMENT_PARTS; k++)
			plain[k] += row[k];
	}
	coverage_statistics_of(x, y, n, want);
	for (int what = 0; what <= MOMENT_COUNT; what++) {
		struct coverage_case *c = coverage_add(all, coverage_statistics[what], law);
		const size_t parts = what >= MOMENT_VAR_POP && what <= MOMENT_STDDEV_SAMP ? MOMENTS_OF_VARIANCE : MOMENTS_OF_PAIR;
		c->value = (struct release_value){ .kind = RELEASE_MOMENT, .format = FORMAT_FLOAT8, .grid = { 25, 2 }, .extra_scale = 10, .what = (enum moment)what,
						   .n_parts = parts, .moment_bounds = bounds };
		if (!moments_calibrate(&bounds, parts, 1, 1, terms, c->value.parts, &e))
			abort();
		for (size_t k = 0; k < parts; k++)
			c->cells[k] = coverage_text(&all->arena, plain[k]);
		c->n_cells = parts;
		c->truth = want[what];
	}
}

enum coverage_shape { SHAPE_BELL, SHAPE_FLAT, SHAPE_TAIL };

/* `rows` values on a grid of GRID steps, fine enough that few share a step: x at which the shape's distribution function is p. */
static inline int coverage_value(enum coverage_shape shape, double p)
{
	double z = -6;

	if (shape == SHAPE_FLAT)
		return (int)(p * COVERAGE_GRID);
	if (shape == SHAPE_TAIL)
		return (int)fmin(COVERAGE_GRID - 1, -log1p(-p) * COVERAGE_GRID / 12);
	for (double step = 6; step > 1e-9; step /= 2)
		z += 0.5 * erfc(-(z + step) / sqrt(2)) < p ? step : 0;
	return (int)((0.4 + 0.08 * z) * COVERAGE_GRID);
}

static inline void coverage_add_quantiles(struct coverage_cases *all, enum coverage_shape shape, int rows, const struct noise *noise, unsigned branching,
					  const char *name)
{
	static const char *const shapes[] = { "bell", "flat", "tail" };
	static const struct decimal ranks[] = { { 5, 2 }, { 25, 2 }, { 5, 1 }, { 9, 1 }, { 99, 2 } };
	static const double values[] = { 0.05, 0.25, 0.5, 0.9, 0.99 };
	int counts[COVERAGE_GRID] = { 0 };
	bool first = true;
	char law[64];
	struct wr w;

	for (int i = 0; i < rows; i++)
		counts[coverage_value(shape, (i + 0.5) / rows)]++;
	wr_init(&w, &all->arena, 4 << 20);
	for (int i = 0; i < COVERAGE_GRID; i++) {
		if (counts[i] > 0) {
			const char *one = arena_printf(&all->arena, "%s%d:%d", first ? "" : ",", i, counts[i]);
			wr_put(&w, one, strlen(one));
			first = false;
		}
	}
	const char *histogram = wr_text(&w);
	snprintf(law, sizeof(law), "%s, %s of %d rows", name, shapes[shape], rows);
	for (size_t k = 0; k < ARRAY_LEN(ranks); k++) {
		char what[32];
		snprintf(what, sizeof(what), "percentile %g", values[k]);
		struct coverage_case *c = coverage_add(all, what, law);
		c->value = (struct release_value){ .kind = RELEASE_QUANTILE, .format = FORMAT_INT8, .noise = *noise, .grid = { 1, 0 }, .lo = 0, .hi = COVERAGE_GRID - 1,
						   .tree = { COVERAGE_GRID, branching }, .ranks = &ranks[k], .n_ranks = 1 };
		c->cells[0] = histogram;
		c->n_cells = 1;
		int before = 0, at = 0;
		while (before + counts[at] < values[k] * rows - 1e-9)
			before += counts[at++];
		c->truth = at;
	}
}

static inline void coverage_all(struct coverage_cases *all)
{
	static int x[COVERAGE_ROWS_MAX], y[COVERAGE_ROWS_MAX], high[COVERAGE_ROWS_MAX];
	const struct choose_terms zcdp = { .account = CHOOSE_ZCDP, .rho = { EPS_ONE / 50 } }, pure = { .account = CHOOSE_PURE, .epsilon = { 2 * EPS_ONE } },
				  poor = { .account = CHOOSE_PURE, .epsilon = { EPS_ONE / 2 } };
	static const struct noise gaussian = { NOISE_GAUSSIAN, 25, 1 }, laplace = { NOISE_LAPLACE, 8, 1 };

	all->n = 0;
	arena_init(&all->arena, 256 << 20);
	coverage_rows(COVERAGE_ROWS_MAX, x, y);
	for (int i = 0; i < COVERAGE_ROWS_MAX; i++)
		high[i] = 470 + i % 10;
	coverage_add_counts(all);
	coverage_add_joint(all);
	for (int n = 30; n <= 3000; n *= 10) {
		coverage_add_average(all, "avg", x, n, NOISE_LAPLACE, 2);
		coverage_add_average(all, "avg", x, n, NOISE_GAUSSIAN, 5);
		coverage_add_average(all, "avg near a bound", high, n, NOISE_GAUSSIAN, 2); /* where the count's noise weighs as much as the sum's */
	}
	coverage_add_moments(all, x, y, 3000, &zcdp, "gaussian");
	coverage_add_moments(all, x, y, 3000, &pure, "laplace");
	coverage_add_moments(all, x, y, 500, &poor, "laplace, poor");
	for (int shape = SHAPE_BELL; shape <= SHAPE_TAIL; shape++) {
		coverage_add_quantiles(all, (enum coverage_shape)shape, 5000, &gaussian, 8, "gaussian 5");
		coverage_add_quantiles(all, (enum coverage_shape)shape, 5000, &laplace, 16, "laplace 8");
	}
}

#endif
