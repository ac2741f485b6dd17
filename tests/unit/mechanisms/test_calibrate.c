/* Scales never fall below sensitivity over budget, and the discrete law's own delta decides. */
#include "mechanisms/calibrate.h"

#include <criterion/criterion.h>
#include <math.h>

/* a * b compared with c * d, exactly: 128 by 64 bits each. */
static int compare_products(u128 a, uint64_t b, u128 c, uint64_t d)
{
	u128 low1 = (u128)(uint64_t)a * b, high1 = (a >> 64) * b + (low1 >> 64);
	u128 low2 = (u128)(uint64_t)c * d, high2 = (c >> 64) * d + (low2 >> 64);

	if (high1 != high2)
		return high1 > high2 ? 1 : -1;
	return ((uint64_t)low1 > (uint64_t)low2) - ((uint64_t)low1 < (uint64_t)low2);
}

Test(calibrate, simple_laplace_scales_are_exact_and_reduced)
{
	struct noise n;
	struct error e;

	cr_assert(calibrate_laplace(7, (struct eps){ EPS_ONE / 2 }, &n, &e));
	cr_expect(n.kind == NOISE_LAPLACE && n.num == 14 && n.den == 1);
	cr_assert(calibrate_laplace(1, (struct eps){ 3 * EPS_ONE }, &n, &e));
	cr_expect(n.num == 1 && n.den == 3);
	cr_assert(calibrate_laplace(0, (struct eps){ EPS_ONE }, &n, &e));
	cr_expect(n.num == 1 && n.den == 1, "no sensitivity still gets noise");
}

Test(calibrate, laplace_scales_are_never_rounded_down)
{
	static const uint64_t picos[] = { 1, 3, 7, 999999999989, EPS_ONE, 3 * EPS_ONE + 1, 99999999999971 };

	for (size_t i = 0; i < ARRAY_LEN(picos); i++) {
		for (int bits = 0; bits < 86; bits++) {
			const u128 l1 = ((u128)1 << bits) + 1;
			struct noise n;
			struct error e;
			if (!calibrate_laplace(l1, (struct eps){ picos[i] }, &n, &e)) {
				cr_expect(e.code == ERR_BAD_PARAMETER);
				continue;
			}
			cr_expect(n.num >= 1 && n.num <= NOISE_NUM_MAX && n.den >= 1);
			/* num / den >= l1 10^12 / pico */
			cr_expect(compare_products(n.num, picos[i], l1 * EPS_ONE, n.den) >= 0, "l1 = 2^%d + 1, epsilon %lu", bits, (unsigned long)picos[i]);
			double ratio = (double)n.num / (double)n.den / ((double)l1 * 1e12 / (double)picos[i]);
			cr_expect(ratio < 1.001 || n.den < 1000, "l1 = 2^%d + 1, epsilon %lu: %g", bits, (unsigned long)picos[i], ratio);
		}
	}
}

Test(calibrate, gaussian_variances_are_never_rounded_down_and_hardly_up)
{
	static const uint64_t picos[] = { 1, 3, 5000000000, EPS_ONE / 8, EPS_ONE, 7 * EPS_ONE + 1 };

	for (size_t i = 0; i < ARRAY_LEN(picos); i++) {
		for (int bits = 0; bits < 80; bits++) {
			const u128 l2 = ((u128)1 << bits) + (bits > 4);
			struct noise n;
			struct error e;
			if (!calibrate_gaussian(l2, (struct rho){ picos[i] }, &n, &e)) {
				cr_expect(e.code == ERR_BAD_PARAMETER);
				continue;
			}
			/* num / den >= l2 10^12 / (2 pico) */
			cr_expect(compare_products(n.num, 2 * picos[i], l2 * EPS_ONE, n.den) >= 0, "l2^2 = 2^%d, rho %lu", bits, (unsigned long)picos[i]);
			double exact = (double)l2 * 1e12 / (2.0 * (double)picos[i]);
			cr_expect((double)n.num / (double)n.den <= exact * (1 + 1.0 / 4096) + 1.0 / 4096, "l2^2 = 2^%d, rho %lu", bits, (unsigned long)picos[i]);
		}
	}
}

Test(calibrate, what_cannot_be_reached_is_refused)
{
	struct noise n = { .num = 77 };
	struct error e;

	cr_expect(!calibrate_laplace(1, (struct eps){ 0 }, &n, &e) && e.code == ERR_BAD_PARAMETER);
	cr_expect(!calibrate_gaussian(1, (struct rho){ 0 }, &n, &e) && e.code == ERR_BAD_PARAMETER);
	cr_expect(!calibrate_laplace(~(u128)0, (struct eps){ EPS_ONE }, &n, &e) && e.code == ERR_BAD_PARAMETER);
	cr_expect(!calibrate_laplace((u128)1 << 87, (struct eps){ 1 }, &n, &e) && e.code == ERR_BAD_PARAMETER);
	cr_expect(!calibrate_gaussian(~(u128)0, (struct rho){ 1 }, &n, &e) && e.code == ERR_BAD_PARAMETER);
	cr_expect(!calibrate_gaussian((u128)1 << 87, (struct rho){ 1 }, &n, &e) && e.code == ERR_BAD_PARAMETER);
	cr_expect(!calibrate_gaussian_approx(1, (struct eps){ EPS_ONE }, (struct delta){ 0 }, &n, &e) && e.code == ERR_BAD_PARAMETER);
	cr_expect(n.num == 77);
}

/* delta of the continuous Gaussian (Balle, Wang 2018). */
static double continuous_delta(double sigma, double d, double eps)
{
	double a = d / (2 * sigma) - eps * sigma / d, b = -d / (2 * sigma) - eps * sigma / d;

	return 0.5 * erfc(-a / sqrt(2)) - exp(eps) * 0.5 * erfc(-b / sqrt(2));
}

Test(calibrate, published_deltas_are_reached_on_a_fine_lattice)
{
	static const struct { double sigma, d, eps, delta; } rows[] = {
		{ 10, 1, 0.1, 0.008751768145810 }, { 10, 5, 1.0986122886681098, 0.004159742234000802 }, { 1, 1, 1.0986122886681098, 0.10985556344445052 },
		{ 0.5, 1, 1e-9, 0.6826894921370859 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		/* a lattice of 1/1000: sigma and sensitivity a thousand times larger */
		const struct noise n = { NOISE_GAUSSIAN, (u128)llround(rows[i].sigma * rows[i].sigma * 1e6), 1 };
		double delta = calibrate_gaussian_delta(&n, (uint64_t)(rows[i].d * 1000), rows[i].eps);
		cr_expect(fabs(delta / rows[i].delta - 1) < 1e-5, "row %zu: %.12g", i, delta);
		cr_expect(fabs(continuous_delta(rows[i].sigma, rows[i].d, rows[i].eps) / rows[i].delta - 1) < 1e-6);
	}
}

Test(calibrate, the_continuous_formula_under_delivers_on_integers)
{
	const struct noise one = { NOISE_GAUSSIAN, 1, 1 };
	double lo = 0.1, hi = 100;

	cr_expect(fabs(calibrate_gaussian_delta(&one, 1, 1) - 0.1414) < 1e-4); /* the continuous law says 0.1269 */
	cr_expect(fabs(continuous_delta(1, 1, 1) - 0.1269) < 1e-4);
	for (int i = 0; i < 100; i++) {
		double mid = (lo + hi) / 2;
		if (continuous_delta(mid, 1, 2) > 1e-6)
			lo = mid;
		else
			hi = mid;
	}
	const struct noise n = { NOISE_GAUSSIAN, (u128)llround(hi * hi * 1e9), 1000000000 };
	cr_expect(fabs(calibrate_gaussian_delta(&n, 1, 2) / 1.10e-6 - 1) < 0.01, "%g", calibrate_gaussian_delta(&n, 1, 2));
}

Test(calibrate, delta_is_what_the_law_itself_gives_event_by_event)
{
	static const struct { u128 num; uint64_t den, d; double eps; } rows[] = { { 1, 1, 1, 1 }, { 1, 4, 1, 2 }, { 10, 1, 3, 0.5 }, { 1000, 3, 7, 0.1 }, { 1, 4096, 1, 1000 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct noise n = { NOISE_GAUSSIAN, rows[i].num, rows[i].den };
		long double s2 = (long double)rows[i].num / (long double)rows[i].den, all = 0, truth = 0;
		for (int x = -3000; x <= 3000; x++)
			all += expl(-(long double)x * x / (2 * s2));
		for (int x = -3000; x <= 3000; x++) { /* sum of (P(x) - e^eps P(x + d)) where positive */
			long double y = x + (long double)rows[i].d, p = expl(-(long double)x * x / (2 * s2)), q = expl((long double)rows[i].eps - y * y / (2 * s2));
			truth += p > q ? p - q : 0;
		}
		double delta = calibrate_gaussian_delta(&n, rows[i].d, rows[i].eps);
		cr_expect(delta >= truth / all * (1 - 1e-12L) && delta <= truth / all * (1 + 1e-7L), "row %zu: %g vs %Lg", i, delta, truth / all);
	}
}

Test(calibrate, published_sigmas_are_reached_on_a_fine_lattice)
{
	static const struct { double eps, delta, d, sigma; } rows[] = {
		{ 1.098612288668, 1e-5, 1, 3.42466239791 }, { 1.386294361120, 2e-5, 3, 7.98491161555 }, { 1, 1e-5, 1, 3.73063163482 }, { 1, 1e-6, 1, 4.22467888933 },
		{ 10, 1e-6, 1, 0.541086831818 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct noise n;
		struct error e;
		cr_assert(calibrate_gaussian_approx((uint64_t)(rows[i].d * 1000), (struct eps){ (uint64_t)llround(rows[i].eps * 1e12) },
						    (struct delta){ (uint64_t)llround(rows[i].delta * 1e18) }, &n, &e));
		double sigma = noise_deviation(&n) / 1000;
		cr_expect(sigma > rows[i].sigma * (1 - 1e-5) && sigma < rows[i].sigma * (1 + 1e-5), "row %zu: %.9g", i, sigma);
		cr_expect(calibrate_gaussian_delta(&n, (uint64_t)(rows[i].d * 1000), rows[i].eps) <= rows[i].delta);
	}
}

Test(calibrate, the_approximate_scale_is_the_smallest_that_holds)
{
	static const double epsilons[] = { 0.5, 1, 2, 5, 10, 20 }, deltas[] = { 1e-3, 1e-6, 1e-9 };

	for (size_t i = 0; i < ARRAY_LEN(epsilons); i++) {
		for (size_t j = 0; j < ARRAY_LEN(deltas); j++) {
			struct noise n;
			struct error e;
			cr_assert(calibrate_gaussian_approx(1, (struct eps){ (uint64_t)llround(epsilons[i] * 1e12) },
							    (struct delta){ (uint64_t)llround(deltas[j] * 1e18) }, &n, &e));
			struct noise less = { NOISE_GAUSSIAN, n.num - 1 - n.num / 1000000, n.den };
			cr_expect(calibrate_gaussian_delta(&n, 1, epsilons[i]) <= deltas[j]);
			cr_expect(calibrate_gaussian_delta(&less, 1, epsilons[i]) > deltas[j], "epsilon %g delta %g", epsilons[i], deltas[j]);
		}
	}
}

Test(calibrate, laplace_scales_that_leave_the_range_are_never_rounded_down)
{
	/* l1 odd, epsilon 2^15 / 10^12: the scale is l1 10^12 / 2^15 = l1 5^12 / 8, whose numerator is odd and above 2^110 */
	for (unsigned k = 0; k < 20; k++) {
		const u128 l1 = ((u128)1 << 84) + 2 * k + 1, exact = l1 * 244140625;
		struct noise n;
		struct error e;
		cr_assert(calibrate_laplace(l1, (struct eps){ 1 << 15 }, &n, &e));
		cr_expect(n.num <= NOISE_NUM_MAX && n.den < 8);
		cr_expect(n.num * 8 >= exact * n.den, "l1 = 2^84 + %u", 2 * k + 1);
	}
}
