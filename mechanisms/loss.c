#include "mechanisms/loss.h"

#include <math.h>

/*
 * Bounds below are evaluated once, in extended precision (64 bits), at an argument that was searched for in doubles; the sum of the magnitudes of all
 * terms times this covers every rounding, as each operation and libm call here errs by less than one part in 2^62.
 */
static const long double ulps = 0x1p-57L;

bool loss_rho_of_pure(struct eps epsilon, struct rho *out)
{
	double e = eps_double(epsilon);

	return rho_round_up(e * tanh(e / 2) * (1 + 1e-14), out);
}

static long double least_of(long double a, long double b)
{
	return a < b ? a : b;
}

struct eps loss_pure_of_rho(struct rho rho)
{
	struct eps lo = { 0 }, hi = { 30 * EPS_ONE };

	while (hi.pico - lo.pico > 1) {
		struct eps middle = { lo.pico + (hi.pico - lo.pico) / 2 };
		struct rho cost;
		bool within = loss_rho_of_pure(middle, &cost) && cost.pico <= rho.pico;
		*(within ? &lo : &hi) = middle;
	}
	return lo;
}

struct eps loss_range_of_rho(struct rho rho)
{
	return (struct eps){ (uint64_t)number_root((u128)rho.pico * 8 * EPS_ONE) };
}

bool loss_rho_of_laplace(struct eps epsilon, uint64_t sensitivity, struct rho *out)
{
	const long double e = (long double)epsilon.pico / (long double)EPS_ONE;
	const long double lost = -expm1l(-e); /* 1 - exp(-epsilon) */
	long double price = e - lost;         /* continuous: sensitivity 0 */
	struct rho pure;

	if (!loss_rho_of_pure(epsilon, &pure))
		return false;
	if (sensitivity > 0) {
		long double rate = e / (long double)sensitivity;
		if (rate > 1e-4L)
			price = rate > 10000 ? e : e - rate * lost / sinhl(rate);
		else /* rate / sinh(rate) >= 1 - rate^2 / 6 */
			price += lost * rate * rate / 6;
	}
	price = least_of(price + (e + lost) * ulps, (long double)pure.pico / (long double)EPS_ONE);
	if (!rho_round_up(nextafter((double)price, INFINITY), out))
		return false;
	out->pico = out->pico < pure.pico ? out->pico : pure.pico;
	return true;
}

/* Picos of sensitivity * den / num, rounded up: exactly while the product fits 128 bits, in doubles rounded up beyond. */
static bool ratio_up(u128 sensitivity, u128 num, u128 den, uint64_t *pico)
{
	u128 top;

	if (num == 0)
		return false;
	if (!__builtin_mul_overflow(sensitivity, den, &top) && !__builtin_mul_overflow(top, (u128)EPS_ONE, &top)) {
		u128 up = top / num + (top % num != 0);
		if (up > (u128)UNIT_MAX)
			return false;
		*pico = (uint64_t)up;
		return true;
	}
	struct eps bound;
	if (!eps_round_up((double)sensitivity / (double)num * (double)den * (1 + 1e-15), &bound))
		return false;
	*pico = bound.pico;
	return true;
}

bool loss_eps_of_laplace(u128 l1, u128 num, u128 den, struct eps *out)
{
	return ratio_up(l1, num, den, &out->pico);
}

bool loss_rho_of_gaussian(u128 l2_squared, u128 num, u128 den, struct rho *out)
{
	uint64_t twice;

	if (!ratio_up(l2_squared, num, den, &twice))
		return false;
	out->pico = twice / 2 + twice % 2;
	return true;
}

/* An upper bound on ln delta at alpha = 1 + exp(x). */
static double log_delta(double rho, double epsilon, double x)
{
	long double a1 = expl((long double)x), alpha = 1 + a1, log_term = alpha * log1pl(1 / a1), price = alpha * (long double)rho;
	long double value = a1 * (price - (long double)epsilon) - log_term - logl(a1); /* ln(1 - 1/alpha) = -log1p(1/(alpha-1)) */
	long double size = a1 * (price + (long double)epsilon) + log_term + fabsl(logl(a1));

	return nextafter((double)(value + size * ulps), INFINITY);
}

/* An upper bound on epsilon at alpha = 1 + exp(x). */
static double epsilon_at(double rho, double delta, double x)
{
	long double a1 = expl((long double)x), alpha = 1 + a1, log_term = alpha * log1pl(1 / a1), price = alpha * (long double)rho;
	long double value = price + (-logl((long double)delta) - log_term - logl(a1)) / a1;
	long double size = price + (fabsl(logl((long double)delta)) + log_term + fabsl(logl(a1))) / a1;

	return nextafter((double)(value + size * ulps), INFINITY);
}

/* Minimum over x of f, by a scan and a golden-section search; any x gives a valid bound, so a poor minimum is only loose. */
static double least(double (*f)(double, double, double), double p, double q)
{
	double best = -30;

	for (double x = -30; x <= 40; x += 0.25) {
		if (f(p, q, x) < f(p, q, best))
			best = x;
	}
	double lo = best - 0.25, hi = best + 0.25;
	for (int i = 0; i < 80; i++) {
		double a = lo + (hi - lo) * 0.381966, b = lo + (hi - lo) * 0.618034;
		if (f(p, q, a) < f(p, q, b))
			hi = b;
		else
			lo = a;
	}
	double m = f(p, q, (lo + hi) / 2);
	return m < f(p, q, best) ? m : f(p, q, best);
}

bool loss_rho_limit(struct eps epsilon, struct delta delta, struct rho *out)
{
	const double e = eps_double(epsilon), goal = nextafter(log(delta_double(delta)) * (1 + 1e-15), -INFINITY);
	double lo = 0, hi = e;

	if (epsilon.pico == 0 || delta.atto == 0)
		return false;
	for (int i = 0; i < 100; i++) {
		double mid = (lo + hi) / 2;
		if (least(log_delta, mid, e) <= goal)
			lo = mid;
		else
			hi = mid;
	}
	return rho_round_down(lo * (1 - 1e-15), out);
}

double loss_eps_of_rho(struct rho rho, struct delta delta)
{
	if (rho.pico == 0)
		return 0;
	/* the units as doubles err by one part in 2^53: raised and lowered by more */
	double e = least(epsilon_at, rho_double(rho) * (1 + 1e-15), delta_double(delta) * (1 - 1e-15));
	return e > 0 ? e : 0;
}
