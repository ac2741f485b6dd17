#include "mechanisms/compose.h"

#include "mechanisms/analytic.h"
#include "mechanisms/loss.h"

#include <math.h>

/* Doubles here are sums of at most 10^9 terms of one sign, or libm calls: this covers their rounding, for figures that are only information. */
static const double raise = 1 + 1e-9;

static bool too_large(struct error *e)
{
	return fail(e, ERR_BAD_PARAMETER, "the list's total is beyond what can be accounted (epsilon 9223372)");
}

static bool has_epsilon(const struct use *u)
{
	return u->kind != USE_GAUSSIAN && u->kind != USE_ZCDP;
}

static double real_delta(struct delta d)
{
	return delta_double(d) * (1 + 1e-15);
}

bool compose_price(struct use *u, struct error *e)
{
	struct rho pure;
	bool ok = true;

	switch (u->kind) {
	case USE_PURE:
	case USE_APPROX:
		ok = loss_rho_of_pure(u->epsilon, &u->rho);
		break;
	case USE_BOUNDED_RANGE: {
		double x = eps_double(u->epsilon);
		ok = loss_rho_of_pure(u->epsilon, &pure) && rho_round_up(x * x / 8 * (1 + 1e-14), &u->rho);
		if (ok && pure.pico < u->rho.pico)
			u->rho = pure;
		break;
	}
	case USE_LAPLACE:
		ok = loss_rho_of_laplace(u->epsilon, u->steps, &u->rho);
		break;
	case USE_GAUSSIAN:
	case USE_ZCDP:
		break;
	}
	return ok ? true : too_large(e);
}

static bool add_times(uint64_t *sum, uint64_t v, uint64_t times, uint64_t max)
{
	uint64_t product, total;

	if (__builtin_mul_overflow(v, times, &product) || __builtin_add_overflow(*sum, product, &total) || total > max)
		return false;
	*sum = total;
	return true;
}

static bool sum_up(struct use *uses, size_t n, struct totals *t, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		struct use *u = &uses[i];
		if (!compose_price(u, e))
			return false;
		if ((has_epsilon(u) && !add_times(&t->epsilon.pico, u->epsilon.pico, u->count, UNIT_MAX)) ||
		    !add_times(&t->rho.pico, u->rho.pico, u->count, UNIT_MAX))
			return too_large(e);
		if (!add_times(&t->delta.atto, u->delta.atto, u->count, DELTA_ONE))
			return fail(e, ERR_BAD_PARAMETER, "the deltas of the list add up to more than 1");
		t->uses += u->count;
	}
	return true;
}

/* The Renyi divergence of order alpha > 1 of one use, as bound by its kind. */
static double renyi(const struct use *u, double alpha)
{
	const double x = eps_double(u->epsilon), wide = (2 * alpha - 1) * x;
	/* randomized response is the worst epsilon-DP mechanism; with p = e^x/(1+e^x): p^a (1-p)^(1-a) + (1-p)^a p^(1-a) */
	double pure = x + (log1p(exp(-wide)) - log1p(exp(-x))) / (alpha - 1);

	if (u->kind == USE_GAUSSIAN || u->kind == USE_ZCDP)
		return alpha * rho_double(u->rho);
	if (u->kind == USE_BOUNDED_RANGE)
		return fmin(pure, alpha * x * x / 8);
	if (u->kind != USE_LAPLACE)
		return pure;
	if (u->steps == 0)
		return x + log((alpha + (alpha - 1) * exp(-wide)) / (2 * alpha - 1)) / (alpha - 1);
	/* the sum of P^alpha Q^(1-alpha) over the lattice: both outer geometric series and the one between the centres */
	double rate = x / (double)u->steps, ratio = (2 * alpha - 1) * rate;
	double between = exp(-ratio) * expm1(-ratio * ((double)u->steps - 1)) / expm1(-ratio);
	double outer = (1 + exp(-wide)) / -expm1(-rate);
	return x + log(tanh(rate / 2) * (outer + between)) / (alpha - 1);
}

static double renyi_epsilon(const struct use *uses, size_t n, double delta, double log_order)
{
	double less = exp(log_order), alpha = 1 + less, sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += renyi(&uses[i], alpha) * (double)uses[i].count;
	return sum + (-log(delta) - alpha * log1p(1 / less) - log_order) / less; /* Canonne, Kamath, Steinke, Proposition 12 */
}

/* What a method gives: nothing when it has no bound, or one beyond the unit. */
static struct total total_of(double epsilon)
{
	struct total t = { 0 };

	t.defined = eps_round_up(epsilon < 0 ? 0 : epsilon, &t.epsilon);
	return t;
}

static struct total by_renyi(const struct use *uses, size_t n, double delta)
{
	double best = 0, least = INFINITY;

	for (double x = -7; x <= 12; x += 0.25) {
		double v = renyi_epsilon(uses, n, delta, x);
		if (v < least) {
			least = v;
			best = x;
		}
	}
	double lo = best - 0.25, hi = best + 0.25;
	for (int i = 0; i < 40; i++) {
		double a = lo + (hi - lo) * 0.381966, b = lo + (hi - lo) * 0.618034;
		if (renyi_epsilon(uses, n, delta, a) < renyi_epsilon(uses, n, delta, b))
			hi = b;
		else
			lo = a;
	}
	double x = (lo + hi) / 2;
	struct total t = total_of(renyi_epsilon(uses, n, delta, x) * raise);
	t.order = 1 + exp(x);
	return t;
}

/* s_i of Theorem 3.3: what delta remains at (k - 2i) epsilon. */
static double homogeneous_rest(double x, uint64_t k, uint64_t i)
{
	double sum = 0, log_all = (double)k * (x + log1p(exp(-x))), choices = 0; /* ln C(k, l) */

	for (uint64_t l = 0; l < i; l++) {
		sum += exp(choices + (double)(k - l) * x - log_all) * -expm1(-2 * (double)(i - l) * x);
		choices += log((double)(k - l)) - log((double)(l + 1));
	}
	return sum * raise;
}

static struct total homogeneous(const struct use *u, double target)
{
	const double x = eps_double(u->epsilon), keep = log1p(-real_delta(u->delta)) * (double)u->count;
	uint64_t lo = 0, hi = u->count / 2 + 1; /* lo holds, or is 0 */

	if (-expm1(keep) > target)
		return (struct total){ 0 };
	while (hi - lo > 1) {
		uint64_t mid = lo + (hi - lo) / 2;
		double rest = homogeneous_rest(x, u->count, mid), delta = -expm1(keep) + exp(keep) * rest;
		if (delta * raise <= target)
			lo = mid;
		else
			hi = mid;
	}
	return (struct total){ .defined = true, .epsilon = { u->epsilon.pico * (u->count - 2 * lo) } }; /* at most the plain sum, which fits */
}

static struct total by_advanced(const struct use *uses, size_t n, double target)
{
	enum { HOMOGENEOUS_MAX = 200000 };
	double sum = 0, squares = 0, drift = 0, keep = 0;

	if (n == 1 && has_epsilon(&uses[0]) && uses[0].count <= HOMOGENEOUS_MAX)
		return homogeneous(&uses[0], target);
	for (size_t i = 0; i < n; i++) {
		double x = eps_double(uses[i].epsilon), times = (double)uses[i].count;
		if (!has_epsilon(&uses[i]))
			return (struct total){ 0 };
		sum += times * x;
		squares += times * x * x;
		drift += times * x * tanh(x / 2);
		keep += times * log1p(-real_delta(uses[i].delta));
	}
	double slack = -expm1(log1p(-target) - keep); /* (1 - slack) prod(1 - delta_i) = 1 - target */
	if (slack <= 0)
		return (struct total){ 0 };
	return total_of(fmin(sum, drift + sqrt(2 * -log(slack) * squares)) * raise);
}

static struct total by_approx(const struct use *uses, size_t n, uint64_t left, const struct totals *t)
{
	double sum = eps_double(t->epsilon) * (1 + 1e-15);
	uint64_t sharing = 0;

	for (size_t i = 0; i < n; i++)
		sharing += has_epsilon(&uses[i]) ? 0 : uses[i].count;
	if (sharing == 0)
		return (struct total){ .defined = true, .epsilon = t->epsilon };
	if (left / sharing == 0)
		return (struct total){ 0 };
	for (size_t i = 0; i < n; i++) {
		if (!has_epsilon(&uses[i]))
			sum += loss_eps_of_rho(uses[i].rho, (struct delta){ left / sharing }) * (double)uses[i].count;
	}
	return total_of(sum * (1 + 1e-14));
}

bool compose_total(struct use *uses, size_t n, struct delta target, struct totals *out, struct error *e)
{
	struct totals t = { 0 };
	bool pure = true, gaussian = n > 0;

	if (!sum_up(uses, n, &t, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		pure = pure && has_epsilon(&uses[i]) && uses[i].delta.atto == 0;
		gaussian = gaussian && uses[i].kind == USE_GAUSSIAN;
	}
	if (pure)
		t.pure = (struct total){ .defined = true, .epsilon = t.epsilon };
	if (target.atto == 0)
		t.approx = by_approx(uses, n, 0, &t); /* no target: the plain sums, when every use has an epsilon */
	if (target.atto > 0 && target.atto >= t.delta.atto) {
		uint64_t left = target.atto - t.delta.atto;
		const double goal = delta_double(target) * (1 - 1e-15);
		t.approx = by_approx(uses, n, left, &t);
		if (left > 0) {
			t.zcdp = total_of(loss_eps_of_rho(t.rho, (struct delta){ left }));
			t.advanced = by_advanced(uses, n, goal);
			t.rdp = by_renyi(uses, n, delta_double((struct delta){ left }) * (1 - 1e-15));
		}
		if (gaussian)
			t.gdp = total_of(analytic_gdp_epsilon(sqrt(2 * rho_double(t.rho)), goal) * raise);
	}
	*out = t;
	return true;
}
