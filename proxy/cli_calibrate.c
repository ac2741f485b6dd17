#include "base/bytes.h"
#include "mechanisms/analytic.h"
#include "mechanisms/calibrate.h"
#include "mechanisms/loss.h"
#include "mechanisms/select.h"
#include "proxy/calibrate_request.h"
#include "proxy/cli.h"
#include "proxy/cli_plan.h"

#include <math.h>

static const char usage[] =
	"usage: noisegate calibrate --epsilon E [--delta D] [--mechanism auto|laplace|gaussian] [--account pure|approx|zcdp]\n"
	"                           [--l0 N] [--l1 N] [--l2 N] [--linf N] [--select [--minimum-units N]] [--confidence C] [--lattice N]\n"
	"       noisegate calibrate --rho R [...]                            for a price in a zCDP account\n"
	"       noisegate calibrate --sigma S|--scale B [--epsilon E] [...]  what given noise guarantees\n"
	"       noisegate calibrate --mechanism selection --epsilon E --delta D [--l0 GROUPS] [--units N]\n"
	"\n"
	"Prints, as JSON, the noise that reaches a guarantee: scale, expected error, interval, threshold for group selection.\n"
	"\n"
	"  --l0, --l1, --l2, --linf  what one unit can change: groups, sums, in the units that are noised (default: 1 count)\n"
	"  --select                  also a threshold on the noised count of units, paid from delta\n"
	"  --confidence C            of the interval (0.95)\n"
	"  --lattice N               noise on a lattice N times finer than the units\n"
	"\n"
	"Exit status: 0 done, 1 a figure that cannot be used, 2 wrong usage.\n";

static const char *law_name(const struct noise *n)
{
	return n->kind == NOISE_LAPLACE ? "discrete laplace" : "discrete gaussian";
}

static double parameter(const struct noise *n)
{
	double s = (double)n->num / (double)n->den;

	return n->kind == NOISE_LAPLACE ? s : sqrt(s);
}

static bool finer(struct sensitivity *s, uint64_t lattice, struct error *e)
{
	if (__builtin_mul_overflow(s->l1, (u128)lattice, &s->l1) || __builtin_mul_overflow(s->linf, (u128)lattice, &s->linf) ||
	    __builtin_mul_overflow(s->l2_squared, (u128)lattice * lattice, &s->l2_squared))
		return fail(e, ERR_CONFIG, "the sensitivity is too large for this lattice");
	return true;
}

/* The given scale (squared for Gaussian noise) as an exact fraction on the lattice. */
static bool given_noise(const struct request *r, struct noise *out, struct error *e)
{
	bool gaussian = r->mode == MODE_GAUSSIAN;
	struct decimal s = r->scale;
	i128 num = s.digits, den = 1;
	bool fits = s.scale <= (gaussian ? 9 : 18) && !__builtin_mul_overflow(num, (i128)r->lattice, &num);

	for (int i = 0; fits && i < s.scale; i++)
		den *= 10;
	if (gaussian) {
		fits = fits && !__builtin_mul_overflow(num, num, &num);
		den *= den;
	}
	if (!fits || num > (i128)NOISE_NUM_MAX)
		return fail(e, ERR_CONFIG, "%s has too many digits", gaussian ? "sigma" : "scale");
	*out = (struct noise){ gaussian ? NOISE_GAUSSIAN : NOISE_LAPLACE, (u128)num, (uint64_t)den };
	return true;
}

static void put_noise(struct wr *w, const struct request *r, const struct noise *n)
{
	const double unit = (double)r->lattice;
	double width = n->num == 0 ? 0 : noise_half_width(n, r->confidence);
	double coverage = n->num == 0 ? 1 : 1 - 2 * noise_tail(n, (i128)width + 1);

	wr_fmt(w, "{\"law\": \"%s\", \"%s\": %.15g, \"%s\": \"", law_name(n), n->kind == NOISE_LAPLACE ? "scale" : "sigma", parameter(n) / unit,
	       n->kind == NOISE_LAPLACE ? "scale_exact" : "variance_exact");
	number_put_i128(w, (i128)n->num);
	wr_fmt(w, "/%llu\", \"standard_deviation\": %.9g, \"mean_absolute_error\": %.9g, \"confidence\": %.9g, \"half_width\": %.12g, \"coverage\": %.9g}",
	       (unsigned long long)n->den, n->num ? noise_deviation(n) / unit : 0, n->num ? noise_mean_absolute(n) / unit : 0, r->confidence,
	       width / unit, coverage);
}

static void put_norms(struct wr *w, const struct sensitivity *s)
{
	wr_str(w, ",\n \"sensitivity\": {\"l0\": ");
	number_put_i128(w, (i128)s->l0);
	wr_str(w, ", \"l1\": ");
	number_put_i128(w, (i128)s->l1);
	wr_str(w, ", \"l2_squared\": ");
	number_put_i128(w, (i128)s->l2_squared);
	wr_str(w, ", \"linf\": ");
	number_put_i128(w, (i128)s->linf);
	wr_str(w, "}");
}

/* The price of any epsilon-DP mechanism, or the exact one when every changed coordinate changes equally. */
static bool laplace_rho(const struct sensitivity *s, const struct noise *n, struct eps epsilon, struct rho *out)
{
	struct rho each, exact = { UNIT_MAX };
	u128 times = s->l1 / s->linf, product;
	struct eps one;

	if (s->l1 % s->linf == 0 && s->linf <= UINT64_MAX && loss_eps_of_laplace(s->linf, n->num, n->den, &one) &&
	    loss_rho_of_laplace(one, (uint64_t)s->linf, &each) && !__builtin_mul_overflow(times, (u128)each.pico, &product) && product < UNIT_MAX)
		exact.pico = (uint64_t)product;
	if (!loss_rho_of_pure(epsilon, out))
		*out = exact;
	else if (exact.pico < out->pico)
		*out = exact;
	return out->pico < UNIT_MAX;
}

/* What one release with this noise costs in each currency. */
static void put_price(struct wr *w, const struct request *r, const struct noise *n, const struct sensitivity *fine)
{
	struct rho rho = { 0 };
	struct eps epsilon;

	wr_str(w, ",\n \"price\": {");
	if (n->kind == NOISE_LAPLACE && loss_eps_of_laplace(fine->l1, n->num, n->den, &epsilon)) {
		wr_str(w, "\"epsilon\": ");
		eps_put(w, epsilon);
		if (laplace_rho(fine, n, epsilon, &rho)) {
			wr_str(w, ", \"rho\": ");
			rho_put(w, rho);
		}
	}
	if (n->kind == NOISE_GAUSSIAN && loss_rho_of_gaussian(fine->l2_squared, n->num, n->den, &rho)) {
		wr_str(w, "\"rho\": ");
		rho_put(w, rho);
	}
	if (n->kind == NOISE_GAUSSIAN && r->has_epsilon && fine->l0 == 1 && fine->linf <= UINT64_MAX) {
		double delta = n->num == 0 ? 1 : isinf(r->epsilon) ? 0 : calibrate_gaussian_delta(n, (uint64_t)fine->linf, r->epsilon);
		wr_fmt(w, "%s\"delta\": %.16g", n->num ? ", " : "", delta);
	}
	wr_str(w, "}");
}

/* The textbook laws on the reals, for comparison. */
static void put_continuous(struct wr *w, const struct request *r, const struct noise *n)
{
	const double l2 = sqrt((double)r->norms.l2_squared), delta = delta_double(r->terms.delta);
	double s = parameter(n) / (double)r->lattice;

	wr_str(w, ",\n \"continuous\": {");
	if (n->kind == NOISE_LAPLACE) {
		wr_fmt(w, "\"scale\": %.15g}", r->has_epsilon && !r->given && r->terms.account != CHOOSE_ZCDP ? (double)r->norms.l1 / r->epsilon : s);
		return;
	}
	if (!r->given)
		s = r->terms.account == CHOOSE_ZCDP ? l2 / sqrt(2 * rho_double(r->terms.rho)) : analytic_gaussian_sigma(l2, r->epsilon, delta);
	wr_fmt(w, "\"sigma\": %.15g", s);
	if (r->has_epsilon)
		wr_fmt(w, ", \"delta\": %.16g", analytic_gaussian_delta(s, l2, r->epsilon));
	wr_str(w, "}");
}

static bool put_threshold(struct wr *w, const struct request *r, const struct noise *n, struct delta delta, struct error *e)
{
	const uint64_t groups = (uint64_t)r->norms.l0;
	const double goal = delta_double(delta), s = parameter(n);
	i128 threshold;

	if (!select_threshold(n, groups, delta, &threshold, e))
		return false;
	wr_fmt(w, ",\n \"selection\": {\"rule\": \"noised units >= threshold\", \"groups\": %llu, \"delta_target\": ", (unsigned long long)groups);
	delta_put(w, delta);
	wr_fmt(w, ", \"delta\": %.12g, \"threshold\": ", select_delta(n, groups, threshold));
	number_put_i128(w, threshold + (i128)r->minimum - 1);
	double t = n->kind == NOISE_LAPLACE ? analytic_laplace_threshold((double)groups / s, goal, groups) : analytic_gaussian_threshold(s, goal, groups);
	wr_fmt(w, ", \"minimum_units\": %llu, \"continuous_threshold\": ", (unsigned long long)r->minimum);
	if (isfinite(t))
		wr_fmt(w, "%.15g}", t + (double)r->minimum - 1);
	else
		wr_str(w, "null}"); /* a delta that is 1 in double precision: any threshold does */
	return true;
}

static void put_head(struct wr *w, const struct request *r, const char *mechanism)
{
	static const char *const accounts[] = { "pure", "approx", "zcdp" };

	wr_fmt(w, "{\"mechanism\": \"%s\", \"account\": \"%s\"", mechanism, accounts[r->terms.account]);
	if (r->has_epsilon && isfinite(r->epsilon))
		wr_fmt(w, ", \"epsilon\": %.15g", r->epsilon);
	if (r->delta.atto > 0) {
		wr_str(w, ", \"delta\": ");
		delta_put(w, r->delta);
	}
	if (r->terms.rho.pico > 0) {
		wr_str(w, ", \"rho\": ");
		rho_put(w, r->terms.rho);
	}
	put_norms(w, &r->norms);
	if (r->lattice > 1)
		wr_fmt(w, ",\n \"lattice\": %llu", (unsigned long long)r->lattice);
}

static bool put_selection_law(struct wr *w, const struct request *r)
{
	const uint64_t groups = (uint64_t)r->norms.l0;
	const double delta = delta_double(r->delta), skip = (double)r->minimum - 1;
	struct rho rho;

	put_head(w, r, "selection");
	wr_fmt(w, ",\n \"groups\": %llu, \"delta_per_group\": %.12g, \"minimum_units\": %llu", (unsigned long long)groups,
	       analytic_delta_per_group(delta, groups), (unsigned long long)r->minimum);
	if (loss_rho_of_pure((struct eps){ r->terms.epsilon.pico / groups + (r->terms.epsilon.pico % groups != 0) }, &rho) &&
	    !__builtin_mul_overflow(rho.pico, groups, &rho.pico) && rho.pico <= UNIT_MAX) {
		wr_str(w, ",\n \"price\": {\"epsilon\": ");
		eps_put(w, r->terms.epsilon);
		wr_str(w, ", \"delta\": ");
		delta_put(w, r->delta);
		wr_str(w, ", \"rho\": ");
		rho_put(w, rho);
		wr_str(w, "}");
	}
	wr_str(w, ",\n \"keep\": [");
	for (uint64_t n = 0; n <= (r->units ? r->units : 200); n++) {
		double p = (double)n > skip ? analytic_optimal_keep(r->epsilon, delta, groups, n - (uint64_t)skip) : 0;
		wr_fmt(w, "%s%.12g", n ? ", " : "", p);
		if (p >= 1 && !r->units)
			break;
	}
	wr_str(w, "]}\n");
	return true;
}

/* The noise: given, or chosen. */
static bool settle_noise(const struct request *r, const struct sensitivity *fine, struct choice *c, struct noise *n, struct error *e)
{
	if (r->given)
		return given_noise(r, n, e);
	if (!choose_noise(fine, &r->terms, c, e))
		return false;
	bool gaussian = r->mode == MODE_GAUSSIAN || (r->mode == MODE_AUTO && c->gaussian_wins);
	if (gaussian ? !c->has_gaussian : !c->has_laplace)
		return fail(e, ERR_BAD_PARAMETER, "no %s noise reaches this guarantee", gaussian ? "Gaussian" : "Laplace");
	*n = gaussian ? c->gaussian : c->laplace;
	return true;
}

static bool put_calibration(struct wr *w, const struct request *r, struct error *e)
{
	struct sensitivity fine = r->norms;
	struct choice c = { 0 };
	struct noise n;

	if (!finer(&fine, r->lattice, e) || !settle_noise(r, &fine, &c, &n, e))
		return false;
	put_head(w, r, n.kind == NOISE_LAPLACE ? "laplace" : "gaussian");
	wr_str(w, ",\n \"noise\": ");
	put_noise(w, r, &n);
	put_continuous(w, r, &n);
	put_price(w, r, &n, &fine);
	/* Laplace noise takes nothing of delta, however it came to be chosen */
	if (r->select && n.num > 0 && !put_threshold(w, r, &n, n.kind == NOISE_LAPLACE ? r->delta : r->selecting, e))
		return false;
	if (!r->given && r->mode == MODE_AUTO && c.has_laplace && c.has_gaussian) {
		wr_str(w, ",\n \"alternative\": ");
		put_noise(w, r, c.gaussian_wins ? &c.laplace : &c.gaussian);
	}
	wr_str(w, "}\n");
	return true;
}

int cli_calibrate(int argc, char **argv)
{
	struct error e = ERROR_INIT;
	struct request r;
	struct wr w;

	switch (calibrate_request(argc, argv, &r, &e)) {
	case REQUEST_USAGE:
		return cli_usage(usage);
	case REQUEST_HELP:
		return fputs(usage, stdout) < 0 || fflush(stdout) != 0 ? EXIT_FAILED : EXIT_DONE;
	case REQUEST_REFUSED:
		return cli_error(&e);
	case REQUEST_READY:
		break;
	}
	wr_init_heap(&w, (size_t)16 << 20);
	bool ok = r.mode == MODE_SELECTION ? put_selection_law(&w, &r) : put_calibration(&w, &r, &e);
	if (ok && (!wr_ok(&w) || fputs(wr_text(&w), stdout) < 0 || fflush(stdout) != 0))
		ok = fail(&e, ERR_IO, "could not write the result");
	wr_free(&w);
	return ok ? EXIT_DONE : cli_error(&e);
}
