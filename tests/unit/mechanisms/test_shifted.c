/* Noise that is never negative: its law is exact, its delta is what the definition gives, and no smaller shift would do. */
#include "mechanisms/shifted.h"
#include "tests/support/unit_rng.h"
#include "tests/unit/mechanisms/law.h"

#include <criterion/criterion.h>
#include <string.h>

static struct eps eps_of(double v)
{
	struct eps e;

	cr_assert(eps_round_up(v, &e));
	return e;
}

static struct delta delta_of(double v)
{
	struct delta d;

	cr_assert(delta_round_up(v, &d));
	return d;
}

/* P[S + L = x] from the definition, for x in 0 .. 2 shift. */
static double mass(const struct shifted *s, uint64_t shift, double x)
{
	double all = 0;

	for (double y = 0; y <= 2 * (double)shift; y++)
		all += law_mass(&s->noise, y - (double)shift);
	return law_mass(&s->noise, x - (double)shift) / all;
}

/* The smallest delta for which counts k and k + 1 are (epsilon, delta)-close, from the definition, in both directions. */
static double true_delta(const struct shifted *s, uint64_t shift, double epsilon)
{
	double up = 0, down = 0;

	for (double x = -1; x <= 2 * (double)shift + 1; x++) {
		double p = x < 0 || x > 2 * (double)shift ? 0 : mass(s, shift, x), q = x - 1 < 0 ? 0 : mass(s, shift, x - 1);
		up += fmax(0, p - exp(epsilon) * q);
		down += fmax(0, q - exp(epsilon) * p);
	}
	return fmax(up, down);
}

static const struct {
	double epsilon, delta;
} cases[] = { { 1, 1e-6 }, { 0.5, 1e-9 }, { 0.1, 1e-5 }, { 3, 1e-3 }, { 0.25, 0.01 } };

Test(shifted, delta_is_met_and_not_by_much_more_than_needed)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		double epsilon = cases[i].epsilon, delta = cases[i].delta;
		struct shifted s;
		struct error e;
		cr_assert(shifted_calibrate(eps_of(epsilon), delta_of(delta), 4000, &s, &e), "%s", e.message);
		cr_expect(true_delta(&s, s.shift, epsilon) <= delta * (1 + 1e-9), "epsilon %g, delta %g: %g", epsilon, delta, true_delta(&s, s.shift, epsilon));
		/* the tail stands for one mass: at most ln(1 / (1 - exp(-epsilon))) / epsilon too many */
		double slack = -log(1 - exp(-epsilon)) / epsilon + 2;
		cr_expect(slack >= (double)s.shift - 1 || true_delta(&s, s.shift - (uint64_t)slack, epsilon) > delta, "epsilon %g: shift %d is wasteful", epsilon,
			  (int)s.shift);
	}
}

Test(shifted, samples_have_the_law)
{
	enum { DRAWS = 200000 };
	const struct rng r = unit_rng_system();

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		static int counts[1000];
		struct shifted s;
		struct error e;
		double chi = 0, rest = DRAWS, rest_expect = DRAWS;
		int cells = 0;
		cr_assert(shifted_calibrate(eps_of(cases[i].epsilon), delta_of(cases[i].delta), 499, &s, &e));
		memset(counts, 0, sizeof(counts));
		for (int d = 0; d < DRAWS; d++) {
			uint64_t x;
			cr_assert(shifted_sample(&s, &r, &x, &e));
			cr_assert(x <= 2 * s.shift);
			counts[x]++;
		}
		for (uint64_t x = 0; x <= 2 * s.shift; x++) {
			double expect = DRAWS * mass(&s, s.shift, (double)x);
			if (expect < 20)
				continue;
			chi += (counts[x] - expect) * (counts[x] - expect) / expect;
			rest -= counts[x];
			rest_expect -= expect;
			cells++;
		}
		if (rest_expect >= 20) {
			chi += (rest - rest_expect) * (rest - rest_expect) / rest_expect;
			cells++;
		}
		cr_expect(law_chi_z(chi, cells - 1) < Z_ALARM, "epsilon %g: chi-square %g over %d cells", cases[i].epsilon, chi, cells);
	}
}

Test(shifted, what_cannot_be_is_refused)
{
	struct unit_rng u;
	struct rng r = unit_rng(&u, 1);
	struct shifted s;
	struct error e;
	uint64_t x = 77;

	cr_expect(!shifted_calibrate(eps_of(1), (struct delta){ 0 }, 100, &s, &e) && e.code == ERR_BAD_PARAMETER);
	cr_expect(!shifted_calibrate((struct eps){ 0 }, delta_of(1e-6), 100, &s, &e) && e.code == ERR_BAD_PARAMETER);
	cr_expect(!shifted_calibrate(eps_of(0.001), delta_of(1e-9), 100, &s, &e) && strstr(e.message, "200 dummies"), "%s", e.message);
	cr_assert(shifted_calibrate(eps_of(1), delta_of(1e-6), 100, &s, &e));
	u.fail_after = u.drawn + 1;
	cr_expect(!shifted_sample(&s, &r, &x, &e) && e.code == ERR_INTERNAL && x == 77);
}
