/* Norms imply each other, both candidates cost what they may, and the better one is taken. */
#include "mechanisms/choose.h"
#include "mechanisms/calibrate.h"
#include "mechanisms/loss.h"

#include <criterion/criterion.h>
#include <math.h>

static struct sensitivity complete(struct sensitivity s)
{
	struct error e;

	cr_assert(sensitivity_complete(&s, &e), "%s", e.message);
	return s;
}

Test(choose, norms_that_are_not_given_follow_from_the_others)
{
	struct sensitivity s = complete((struct sensitivity){ .l0 = 4, .linf = 10 });
	cr_expect(s.l1 == 40 && s.l2_squared == 400);
	s = complete((struct sensitivity){ .l1 = 7 });
	cr_expect(s.l0 == 7 && s.linf == 7 && s.l2_squared == 49);
	s = complete((struct sensitivity){ .l2_squared = 50 });
	cr_expect(s.linf == 7 && s.l1 == 50 && s.l0 == 50);
	s = complete((struct sensitivity){ .l0 = 4, .l2_squared = 100 });
	cr_expect(s.l1 == 20 && s.linf == 10);
	s = complete((struct sensitivity){ .l0 = 100, .linf = 50, .l1 = 60 });
	cr_expect(s.l1 == 60 && s.l2_squared == 3000 && s.l0 == 60);
}

Test(choose, completed_norms_hold_for_every_vector_that_the_given_ones_allow)
{
	/* all vectors of three coordinates up to 4 */
	for (unsigned l0 = 0; l0 <= 3; l0++) {
		for (unsigned l1 = 0; l1 <= 12; l1 += 3) {
			for (unsigned l2 = 0; l2 <= 20; l2 += 5) {
				for (unsigned linf = 0; linf <= 4; linf++) {
					struct sensitivity given = { l0, l1, l2, linf }, s = given;
					struct error e;
					if (!sensitivity_complete(&s, &e))
						continue;
					for (unsigned v = 0; v < 125; v++) {
						unsigned x[3] = { v % 5, v / 5 % 5, v / 25 }, n0 = 0, n1 = 0, n2 = 0, top = 0;
						for (int i = 0; i < 3; i++) {
							n0 += x[i] > 0;
							n1 += x[i];
							n2 += x[i] * x[i];
							top = x[i] > top ? x[i] : top;
						}
						bool allowed = (!l0 || n0 <= l0) && (!l1 || n1 <= l1) && (!l2 || n2 <= l2) && (!linf || top <= linf);
						cr_assert(!allowed || (n0 <= s.l0 && n1 <= s.l1 && n2 <= s.l2_squared && top <= s.linf), "%u %u %u %u, vector %u", l0, l1, l2, linf, v);
					}
				}
			}
		}
	}
}

Test(choose, unbounded_vectors_are_refused)
{
	static const struct sensitivity bad[] = { { 0 }, { .l0 = 3 }, { .linf = 5 }, { .l0 = (u128)1 << 100, .linf = (u128)1 << 100 } };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct sensitivity s = bad[i];
		struct error e;
		cr_expect(!sensitivity_complete(&s, &e) && e.code == ERR_BAD_PARAMETER, "row %zu", i);
	}
}

Test(choose, laplace_in_a_zcdp_account_costs_at_most_rho_and_nearly_all_of_it)
{
	static const struct { u128 l0, l1, linf; uint64_t pico; } rows[] = { { 1, 1, 1, EPS_ONE / 100 }, { 10, 10, 1, EPS_ONE / 100 }, { 4, 3500, 1000, EPS_ONE / 2 },
									    { 1, 1, 1, 20 * EPS_ONE }, { 3, (u128)3 << 40, (u128)1 << 40, 1000000 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sensitivity s = complete((struct sensitivity){ .l0 = rows[i].l0, .l1 = rows[i].l1, .linf = rows[i].linf });
		const struct rho rho = { rows[i].pico };
		struct noise n;
		struct error e;
		cr_assert(choose_laplace_zcdp(&s, rho, &n, &e), "%s", e.message);
		/* an independent sum over the worst vector, by Kullback-Leibler divergence in extended precision */
		long double b = (long double)n.num / (long double)n.den, total = 0;
		u128 left = s.l1;
		for (u128 k = 0; k < s.l0 && left > 0; k++) {
			u128 v = left < s.linf ? left : s.linf;
			long double x = (long double)v / b;
			total += x - (1 / b) * -expm1l(-x) / sinhl(1 / b);
			left -= v;
		}
		cr_expect(total <= (long double)rho_double(rho) * (1 + 1e-12L), "row %zu: %Lg", i, total);
		cr_expect(total >= (long double)rho_double(rho) * 0.998L - 4e-12L * (long double)s.l0, "row %zu: %Lg of %g", i, total, rho_double(rho));
	}
}

Test(choose, gaussian_wins_in_zcdp_accounts_and_never_exists_in_pure_ones)
{
	for (u128 k = 1; k < 100; k *= 3) {
		struct sensitivity s = complete((struct sensitivity){ .l0 = k, .linf = 1 });
		const struct choose_terms zcdp = { .account = CHOOSE_ZCDP, .rho = { EPS_ONE / 50 } }, pure = { .account = CHOOSE_PURE, .epsilon = { EPS_ONE } };
		struct choice c;
		struct error e;
		cr_assert(choose_noise(&s, &zcdp, &c, &e));
		cr_expect(c.gaussian_wins && c.has_laplace && noise_deviation(&c.gaussian) < noise_deviation(&c.laplace), "k = %lu", (unsigned long)k);
		cr_assert(choose_noise(&s, &pure, &c, &e));
		cr_expect(!c.gaussian_wins && !c.has_gaussian);
	}
}

Test(choose, an_approx_account_switches_where_the_deviations_cross)
{
	int first = 0;

	for (unsigned k = 1; k <= 30; k++) {
		struct sensitivity s = complete((struct sensitivity){ .l0 = k, .linf = 1 });
		const struct choose_terms t = { .account = CHOOSE_APPROX, .epsilon = { EPS_ONE }, .delta = { DELTA_ONE / 1000000 } };
		struct choice c;
		struct error e;
		cr_assert(choose_noise(&s, &t, &c, &e) && c.has_laplace && c.has_gaussian);
		cr_expect(c.gaussian_wins == (noise_deviation(&c.gaussian) < noise_deviation(&c.laplace)));
		first = c.gaussian_wins && !first ? (int)k : first;
		cr_expect(!first || c.gaussian_wins, "once it wins, it stays ahead: k = %u", k);
	}
	/* the continuous law would cross at 9; the conversion that is sound for vectors of the discrete law costs a little more */
	cr_expect(first >= 9 && first <= 13, "%d", first);
}
