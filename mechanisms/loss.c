#include "mechanisms/loss.h"

#include <math.h>

bool loss_rho_of_pure(struct eps epsilon, struct rho *out)
{
	double e = eps_double(epsilon);

	return rho_round_up(e * tanh(e / 2) * (1 + 1e-14), out);
}

/* log of (alpha - 1)-form of the bound at alpha = 1 + exp(x). */
static double log_delta(double rho, double epsilon, double x)
{
	double a1 = exp(x), alpha = 1 + a1;

	return a1 * (alpha * rho - epsilon) - alpha * log1p(1 / a1) - x; /* ln(1 - 1/alpha) = -log1p(1/(alpha-1)) */
}

static double epsilon_at(double rho, double delta, double x)
{
	double a1 = exp(x), alpha = 1 + a1;

	return alpha * rho + (-log(delta) - alpha * log1p(1 / a1) - x) / a1;
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
	const double e = eps_double(epsilon), goal = log(delta_double(delta));
	double lo = 0, hi = e;

	if (epsilon.pico == 0 || delta.atto == 0)
		return false;
	for (int i = 0; i < 100; i++) {
		double mid = (lo + hi) / 2;
		if (least(log_delta, mid, e) + 1e-9 <= goal)
			lo = mid;
		else
			hi = mid;
	}
	return rho_round_down(lo * (1 - 1e-12), out);
}

double loss_eps_of_rho(struct rho rho, struct delta delta)
{
	if (rho.pico == 0)
		return 0;
	double e = least(epsilon_at, rho_double(rho), delta_double(delta));
	return e > -1e-12 ? (e + 1e-12) * (1 + 1e-9) : 0;
}
