/* What samples prove about epsilon and rho: never more than is true, nearly all of it, and more than claimed when the noise is too small. */
#include "proxy/privacy_bound.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { N = 20000 };

static uint64_t state;

static double uniform(void) /* in (0, 1) */
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((double)((state ^ state >> 33) >> 11) + 0.5) * 0x1p-53;
}

static double laplace(double b)
{
	double u = uniform() - 0.5;

	return u < 0 ? b * log(1 + 2 * u) : -b * log(1 - 2 * u);
}

static double gauss(void)
{
	return sqrt(-2 * log(uniform())) * cos(2 * 3.14159265358979323846 * uniform());
}

Test(privacy_bound, proportions_are_those_of_clopper_and_pearson)
{
	/* 0 of n: 1 - alpha^(1/n); n of n: alpha^(1/n) */
	cr_expect(bound_proportion_low(0, 10, 0.05) == 0);
	cr_expect(fabs(bound_proportion_high(0, 10, 0.05) - (1 - pow(0.05, 0.1))) < 1e-9);
	cr_expect(fabs(bound_proportion_low(10, 10, 0.05) - pow(0.05, 0.1)) < 1e-9);
	/* 5 of 20 at 97.5%: the textbook interval 0.0866 to 0.4910 */
	cr_expect(fabs(bound_proportion_low(5, 20, 0.025) - 0.08657) < 1e-4);
	cr_expect(fabs(bound_proportion_high(5, 20, 0.025) - 0.49105) < 1e-4);
	cr_expect(fabs(bound_proportion_low(50000, 100000, 0.001) - 0.49511) < 1e-4);
}

/* Draws a training and a testing half of each side; the bound of the testing half. */
static double measured(bool gaussian, double present, double scale)
{
	static double x[2][2][N];
	const double alpha = 0.05 / 20;

	for (int half = 0; half < 2; half++) {
		for (int i = 0; i < N; i++) {
			x[half][0][i] = present + (gaussian ? scale * gauss() : laplace(scale));
			x[half][1][i] = gaussian ? scale * gauss() : laplace(scale);
		}
	}
	const struct bound_samples training = { x[0][0], x[0][1], N, N }, testing = { x[1][0], x[1][1], N, N };
	if (gaussian)
		return bound_rho(&testing, bound_choose_line(&training, alpha), alpha);
	return bound_epsilon(&testing, bound_choose_event(&training, 0, alpha), 0, alpha);
}

Test(privacy_bound, laplace_noise_proves_nearly_its_epsilon_and_not_more)
{
	static const double claims[] = { 0.5, 1, 2 };

	for (size_t i = 0; i < 3; i++) {
		for (state = 1; state < 9; state++) {
			uint64_t seed = state;
			double e = measured(false, 1, 1 / claims[i]);
			cr_expect(e <= claims[i] && e > 0.8 * claims[i], "epsilon %g, seed %lu: %g", claims[i], (unsigned long)seed, e);
			state = seed;
		}
	}
}

Test(privacy_bound, laplace_noise_15_percent_too_small_is_proven)
{
	static const double claims[] = { 1, 2 };

	for (size_t i = 0; i < 2; i++) {
		for (state = 1; state < 9; state++) {
			uint64_t seed = state;
			double e = measured(false, 1, 0.85 / claims[i]);
			cr_expect(e > claims[i], "epsilon %g, seed %lu: %g", claims[i], (unsigned long)seed, e);
			state = seed;
		}
	}
}

Test(privacy_bound, gaussian_noise_proves_nearly_its_rho_and_noise_15_percent_too_small_more)
{
	static const double claims[] = { 0.25, 0.5, 1 };

	for (size_t i = 0; i < 3; i++) {
		for (state = 1; state < 9; state++) {
			uint64_t seed = state;
			double sigma = 1 / sqrt(2 * claims[i]), rho = measured(true, 1, sigma);
			cr_expect(rho <= claims[i] && rho > 0.75 * claims[i], "rho %g, seed %lu: %g", claims[i], (unsigned long)seed, rho);
			rho = measured(true, 1, 0.85 * sigma);
			cr_expect(rho > claims[i], "rho %g, seed %lu, small noise: %g", claims[i], (unsigned long)seed, rho);
			state = seed;
		}
	}
}

Test(privacy_bound, delta_is_taken_off)
{
	static double ones[1000], zeros[1000];

	for (int i = 0; i < 1000; i++) /* an answer seen in 5% of the cases with the person, never without */
		ones[i] = i < 50 ? 1 : 0;
	const struct bound_samples s = { ones, zeros, 1000, 1000 };
	cr_expect(bound_epsilon(&s, (struct bound_event){ .threshold = 1 }, 0, 0.05) > 1);
	cr_expect(bound_epsilon(&s, (struct bound_event){ .threshold = 1 }, 0.06, 0.05) == 0);
}

Test(privacy_bound, equal_answers_prove_nothing)
{
	static double same[100];
	const struct bound_samples s = { same, same, 100, 100 };

	cr_expect(bound_epsilon(&s, bound_choose_event(&s, 0, 0.05), 0, 0.05) == 0);
	cr_expect(bound_rho(&s, bound_choose_line(&s, 0.05), 0.05) == 0);
}

Test(privacy_bound, nothing_proves_more_than_answers_without_noise)
{
	static double ones[500], zeros[500];

	for (int i = 0; i < 500; i++)
		ones[i] = 1;
	const struct bound_samples s = { ones, zeros, 500, 500 };
	const double e = bound_epsilon(&s, bound_choose_event(&s, 0, 0.01), 0, 0.01), rho = bound_rho(&s, (struct bound_line){ .slope = 6, .lo = 0, .hi = 1 }, 0.01);
	cr_expect(fabs(bound_epsilon_reach(500, 500, 0, 0.01) - e) < 1e-9);
	cr_expect(rho > 1 && rho <= bound_rho_reach(500, 500, 0.01) + 1e-9, "%g of %g", rho, bound_rho_reach(500, 500, 0.01));
	cr_expect(bound_epsilon_reach(4, 4, 0, 0.01) < 0.5 && bound_rho_reach(4, 4, 0.01) == 0);
}
