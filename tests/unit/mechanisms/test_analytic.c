/* The continuous laws against integrals and tables that know nothing of the closed forms. */
#include "mechanisms/analytic.h"

#include <criterion/criterion.h>
#include <math.h>

/* ln of the integral of the normal density from z on, by Simpson's rule, scaled by the density at z. */
static double tail_by_integral(double z)
{
	const int steps = 40000;
	double h = 12.0 / steps, sum = 0;

	for (int i = 0; i <= steps; i++) {
		double t = h * i, f = exp(-z * t - t * t / 2);
		sum += f * (i == 0 || i == steps ? 1 : i % 2 ? 4 : 2);
	}
	return -z * z / 2 - 0.5 * log(2 * 3.14159265358979323846) + log(sum * h / 3);
}

Test(analytic, the_normal_tail_holds_far_beyond_where_doubles_end)
{
	static const double points[] = { 0, 0.5, 3, 10, 29.9, 30.1, 60, 300 };

	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		double got = analytic_log_normal_tail(points[i]), want = tail_by_integral(points[i]);
		cr_expect(fabs(got - want) <= 1e-9 * fabs(want) + 1e-12, "%g: %.15g and %.15g", points[i], got, want);
	}
	cr_expect(fabs(analytic_log_normal_tail(-3) - log1p(-exp(analytic_log_normal_tail(3)))) < 1e-14);
}

Test(analytic, gaussian_delta_is_the_mass_above_the_cut)
{
	static const struct { double sigma, d, eps; } rows[] = { { 1, 1, 0.5 }, { 3, 2, 0 }, { 0.7, 1, 4 }, { 20, 5, 0.05 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		double s = rows[i].sigma, d = rows[i].d, sum = 0, h = s / 5000;
		for (double x = -15 * s; x < 15 * s + d; x += h) { /* sum of (p - e^eps q)+ */
			double p = exp(-(x - d) * (x - d) / (2 * s * s)), q = exp(rows[i].eps - x * x / (2 * s * s));
			sum += p > q ? p - q : 0;
		}
		double want = sum * h / (s * sqrt(2 * 3.14159265358979323846)), got = analytic_gaussian_delta(s, d, rows[i].eps);
		cr_expect(fabs(got - want) < 1e-6 * want + 1e-9, "row %zu: %.12g and %.12g", i, got, want);
	}
}

Test(analytic, sigma_and_epsilon_invert_delta_and_never_fall_short)
{
	static const double epsilons[] = { 0.01, 0.5, 1, 10, 800 }, deltas[] = { 0.3, 1e-3, 1e-6, 1e-15 };

	for (size_t i = 0; i < ARRAY_LEN(epsilons); i++) {
		for (size_t j = 0; j < ARRAY_LEN(deltas); j++) {
			double s = analytic_gaussian_sigma(2, epsilons[i], deltas[j]);
			cr_expect(analytic_gaussian_delta(s, 2, epsilons[i]) <= deltas[j]);
			cr_expect(analytic_gaussian_delta(s * (1 - 1e-7), 2, epsilons[i]) > deltas[j], "(%g, %g)", epsilons[i], deltas[j]);
			double e = analytic_gdp_epsilon(2 / s, deltas[j]);
			cr_expect(fabs(e - epsilons[i]) < 1e-6 * epsilons[i], "(%g, %g): %.12g", epsilons[i], deltas[j], e);
		}
	}
	cr_expect(analytic_gdp_epsilon(0.001, 0.5) == 0);
}

Test(analytic, thresholds_cost_their_delta)
{
	for (uint64_t groups = 1; groups <= 64; groups *= 4) {
		static const double deltas[] = { 0.9, 0.02, 1e-6, 1e-12 };
		for (size_t j = 0; j < ARRAY_LEN(deltas); j++) {
			double eps = 0.7, t = analytic_laplace_threshold(eps, deltas[j], groups) - 1, b = (double)groups / eps;
			double over = t > 0 ? 0.5 * exp(-t / b) : 1 - 0.5 * exp(t / b);
			cr_expect(fabs(-expm1((double)groups * log1p(-over)) / deltas[j] - 1) < 1e-9, "laplace %lu %g", (unsigned long)groups, deltas[j]);
			double z = (analytic_gaussian_threshold(5, deltas[j], groups) - 1) / 5;
			over = 0.5 * erfc(z / sqrt(2));
			cr_expect(fabs(-expm1((double)groups * log1p(-over)) / deltas[j] - 1) < 1e-9, "gaussian %lu %g", (unsigned long)groups, deltas[j]);
		}
	}
}

Test(analytic, optimal_selection_is_private_and_cannot_keep_more)
{
	static const struct { double eps, delta; uint64_t groups; } rows[] = { { 0.5, 0.02, 1 }, { 1, 1e-9, 3 }, { 4, 1e-4, 2 }, { 0.01, 0.3, 1 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		double e = exp(rows[i].eps / (double)rows[i].groups), d = analytic_delta_per_group(rows[i].delta, rows[i].groups), last = 0;
		for (uint64_t n = 1; n < 3000; n++) {
			double p = analytic_optimal_keep(rows[i].eps, rows[i].delta, rows[i].groups, n);
			double most = fmin(fmin(last * e + d, 1 - (1 - last - d) / e), 1); /* both directions of (e, d)-DP between n - 1 and n units */
			cr_expect(fabs(p - most) < 1e-9, "row %zu, %lu units: %.12g of %.12g", i, (unsigned long)n, p, most);
			last = p;
		}
	}
}
