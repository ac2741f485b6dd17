#include "proxy/calibrate_request.h"

#include "base/text.h"
#include "mechanisms/loss.h"
#include "proxy/cli_numbers.h"

#include <getopt.h>
#include <math.h>

struct texts {
	const char *epsilon, *delta, *rho, *l0, *l1, *l2, *linf, *scale, *sigma, *mechanism, *account, *confidence, *lattice, *minimum, *units;
	bool select, help;
};

static bool read_texts(int argc, char **argv, struct texts *t)
{
	static const struct option known[] = {
		{ "epsilon", 1, NULL, 0 }, { "delta", 1, NULL, 1 },    { "rho", 1, NULL, 2 },	       { "l0", 1, NULL, 3 },
		{ "l1", 1, NULL, 4 },	   { "l2", 1, NULL, 5 },       { "linf", 1, NULL, 6 },	       { "scale", 1, NULL, 7 },
		{ "sigma", 1, NULL, 8 },   { "mechanism", 1, NULL, 9 }, { "account", 1, NULL, 10 },    { "confidence", 1, NULL, 11 },
		{ "lattice", 1, NULL, 12 }, { "minimum-units", 1, NULL, 13 }, { "units", 1, NULL, 14 }, { "select", 0, NULL, 15 },
		{ "help", 0, NULL, 16 },   { "json", 0, NULL, 17 },    { NULL, 0, NULL, 0 },
	};
	const char **to[] = { &t->epsilon, &t->delta, &t->rho,	     &t->l0,	  &t->l1,	  &t->l2,      &t->linf, &t->scale,
			      &t->sigma,   &t->mechanism, &t->account, &t->confidence, &t->lattice, &t->minimum, &t->units };
	int id;

	optind = 1;
	while ((id = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (id == 15)
			t->select = true;
		else if (id == 16)
			t->help = true;
		else if (id == 17)
			continue; /* as other commands take it; there is no other format */
		else if (id < 0 || id >= (int)ARRAY_LEN(to))
			return false;
		else
			*to[id] = optarg;
	}
	return optind == argc;
}

static bool pick(const char *what, const char *text, const char *const *names, size_t n, size_t *out, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		if (text_eq(text, names[i])) {
			*out = i;
			return true;
		}
	}
	fail(e, ERR_CONFIG, "unknown %s \"%.40s\"", what, text);
	return error_hint(e, "Known: %s, %s, %s%s%s.", names[0], names[1], names[2], n > 3 ? ", " : "", n > 3 ? names[3] : "");
}

static bool read_norms(const struct texts *t, struct request *r, struct error *e)
{
	uint64_t l0 = 0, l1 = 0, l2 = 0, linf = 0;

	if ((t->l0 && !cli_integer("l0", t->l0, INT64_MAX, &l0, e)) || (t->l1 && !cli_integer("l1", t->l1, INT64_MAX, &l1, e)) ||
	    (t->l2 && !cli_integer("l2", t->l2, INT64_MAX, &l2, e)) || (t->linf && !cli_integer("linf", t->linf, INT64_MAX, &linf, e)))
		return false;
	if (!t->l1 && !t->l2) { /* a count of rows or units by default */
		l0 = l0 ? l0 : 1;
		linf = linf ? linf : 1;
	}
	r->norms = (struct sensitivity){ .l0 = l0, .l1 = l1, .l2_squared = (u128)l2 * l2, .linf = linf };
	if (!sensitivity_complete(&r->norms, e))
		return false;
	if ((r->select || r->mode == MODE_SELECTION) && r->norms.linf != 1) {
		fail(e, ERR_CONFIG, "groups are selected by a count of units, which one unit changes by 1");
		return error_hint(e, "Leave out linf; l0 is the number of groups that one unit can touch.");
	}
	return true;
}

static bool read_epsilon(const struct texts *t, struct request *r, struct error *e)
{
	struct decimal d;

	r->has_epsilon = t->epsilon != NULL;
	if (!t->epsilon)
		return true;
	if (r->given && (text_eq(t->epsilon, "inf") || text_eq(t->epsilon, "infinity"))) {
		r->epsilon = INFINITY;
		return true;
	}
	if ((!r->given && !cli_epsilon("epsilon", t->epsilon, ROUND_DOWN, &r->terms.epsilon, e)) ||
	    !cli_decimal("epsilon", t->epsilon, r->given, &d, e))
		return false;
	r->epsilon = decimal_double(d);
	return true;
}

/* The account: as asked, or the one that the given figures speak of. */
static bool settle_account(const struct texts *t, struct request *r, struct error *e)
{
	static const char *const names[] = { [CHOOSE_PURE] = "pure", [CHOOSE_APPROX] = "approx", [CHOOSE_ZCDP] = "zcdp" };
	size_t account = t->rho ? CHOOSE_ZCDP : r->mode == MODE_GAUSSIAN || (t->delta && !r->select) ? CHOOSE_APPROX : CHOOSE_PURE;

	if (t->account && !pick("account", t->account, names, ARRAY_LEN(names), &account, e))
		return false;
	r->terms.account = (enum choose_account)account;
	if (t->rho && account != CHOOSE_ZCDP)
		return fail(e, ERR_CONFIG, "a rho can be paid only in a zcdp account");
	if (t->rho && t->epsilon && !r->given)
		return fail(e, ERR_CONFIG, "give epsilon or rho, not both");
	if (t->rho ? !cli_rho("rho", t->rho, ROUND_DOWN, &r->terms.rho, e)
		   : account == CHOOSE_ZCDP && !r->given && !loss_rho_of_pure(r->terms.epsilon, &r->terms.rho))
		return e->code != ERR_NONE ? false : fail(e, ERR_CONFIG, "epsilon is too large for a zcdp account");
	if (r->mode == MODE_GAUSSIAN && account == CHOOSE_PURE)
		return fail(e, ERR_CONFIG, "Gaussian noise cannot be paid from a pure account");
	bool needs = r->select || r->mode == MODE_SELECTION || (account == CHOOSE_APPROX && r->mode == MODE_GAUSSIAN);
	if (needs && !r->given && !t->delta)
		return fail(e, ERR_CONFIG, "this needs a delta");
	return true;
}

static bool read_request(const struct texts *t, struct request *r, struct error *e)
{
	static const char *const modes[] = { [MODE_AUTO] = "auto", [MODE_LAPLACE] = "laplace", [MODE_GAUSSIAN] = "gaussian", [MODE_SELECTION] = "selection" };
	const char *scale = t->scale ? t->scale : t->sigma;
	size_t mode = t->sigma ? MODE_GAUSSIAN : t->scale ? MODE_LAPLACE : MODE_AUTO;
	struct decimal c;

	*r = (struct request){ .lattice = 1, .minimum = 1, .confidence = 0.95, .select = t->select, .given = scale != NULL };
	if (t->mechanism && !pick("mechanism", t->mechanism, modes, ARRAY_LEN(modes), &mode, e))
		return false;
	r->mode = (enum mode)mode;
	if (r->given && (r->mode != (t->sigma ? MODE_GAUSSIAN : MODE_LAPLACE) || (t->sigma && t->scale)))
		return fail(e, ERR_CONFIG, "sigma is of Gaussian noise, scale of Laplace noise");
	if (!read_epsilon(t, r, e) || (t->delta && !cli_delta("delta", t->delta, ROUND_DOWN, &r->delta, e)) || !settle_account(t, r, e) ||
	    !read_norms(t, r, e) || (scale && !cli_decimal(t->sigma ? "sigma" : "scale", scale, t->sigma != NULL, &r->scale, e)) ||
	    (t->lattice && !cli_integer("lattice", t->lattice, 1000000, &r->lattice, e)) ||
	    (t->minimum && !cli_integer("minimum-units", t->minimum, INT64_MAX, &r->minimum, e)) ||
	    (t->units && !cli_integer("units", t->units, 100000, &r->units, e)))
		return false;
	if (t->confidence && (!cli_decimal("confidence", t->confidence, false, &c, e) || (r->confidence = decimal_double(c)) >= 1)) {
		if (e->code == ERR_NONE)
			fail(e, ERR_CONFIG, "confidence must be below 1");
		return error_hint(e, "It must be above 0 and below 1.");
	}
	if (r->lattice > 1 && r->select)
		return fail(e, ERR_CONFIG, "a threshold is a count of units: it takes no finer lattice");
	return true;
}

/* How delta is shared: Laplace noise needs none, so all of it is the threshold's; Gaussian noise in an approx account takes half. */
static void share_delta(struct request *r)
{
	r->selecting = r->delta;
	r->terms.delta = r->delta;
	if (r->select && r->terms.account == CHOOSE_APPROX && r->mode != MODE_LAPLACE) {
		r->selecting.atto = r->delta.atto / 2;
		r->terms.delta.atto = r->delta.atto - r->selecting.atto;
	}
}

enum request_outcome calibrate_request(int argc, char **argv, struct request *r, struct error *e)
{
	struct texts t = { 0 };

	if (!read_texts(argc, argv, &t))
		return REQUEST_USAGE;
	if (t.help)
		return REQUEST_HELP;
	if (!t.epsilon && !t.rho && !t.scale && !t.sigma)
		return REQUEST_USAGE;
	if (!read_request(&t, r, e))
		return REQUEST_REFUSED;
	share_delta(r);
	return REQUEST_READY;
}
