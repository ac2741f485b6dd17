#include "planner/accuracy.h"

#include <math.h>

enum { EPSILON_STEPS = 40, LOOK_SHARE = 10 };

/* A value that is not this many half-widths away from zero cannot be told from zero: a percentage of it means nothing. */
static const double TELLS_FROM_ZERO = 2;

static bool known_beforehand(const struct release_value *v)
{
	return v->kind == RELEASE_COUNT || v->kind == RELEASE_SUM;
}

static bool makes_demand(const struct plan_block *b, size_t value)
{
	return b->columns[b->spec.n_keys + value].noised && b->spec.values[value].end == END_VALUE;
}

static double width_at(const struct plan_block *b, size_t value)
{
	return b->columns[b->spec.n_keys + value].half_width;
}

/* --- choosing ------------------------------------------------------------------------------------------------------------------- */

/* By how much the worst value misses what is wanted, at the price at which the blocks are closed: at most 1 is reached. */
static double miss(const struct accuracy_try *t)
{
	const struct plan_look *look = t->settings->look;
	const double wanted = decimal_double(t->settings->error);
	double worst = 0;

	for (size_t i = 0; i < t->n_blocks; i++) {
		const struct plan_block *b = &t->blocks[i];
		for (size_t j = 0; j < b->spec.n_values; j++) {
			double now = 0;
			if (!makes_demand(b, j))
				continue;
			if (!look)
				now = width_at(b, j) / wanted;
			else if (look->values[i][j].excess > 0)
				now = look->values[i][j].excess * noise_deviation(&b->spec.values[j].noise) / look->values[i][j].deviation;
			worst = now > worst ? now : worst;
		}
	}
	return worst;
}

enum beforehand { NO_DEMAND, KNOWN, UNKNOWN };

/* What the blocks tell of the error without data. */
static enum beforehand beforehand(const struct accuracy_try *t)
{
	bool noised = false, unknown = t->settings->error_percent;

	for (size_t i = 0; i < t->n_blocks; i++) {
		for (size_t j = 0; j < t->blocks[i].spec.n_values; j++) {
			noised = noised || makes_demand(&t->blocks[i], j);
			unknown = unknown || (makes_demand(&t->blocks[i], j) && !known_beforehand(&t->blocks[i].spec.values[j]));
		}
	}
	return !noised ? NO_DEMAND : unknown ? UNKNOWN : KNOWN;
}

static const char *wanted_text(const struct accuracy_try *t)
{
	const struct plan_settings *s = t->settings;

	return arena_printf(t->arena, "±%.6g%s at %g%%", decimal_double(s->error) * (s->error_percent ? 100 : 1), s->error_percent ? "%" : "", s->confidence * 100);
}

static bool out_of_reach(const struct accuracy_try *t, double by, struct error *e)
{
	const struct plan_look *look = t->settings->look;
	const char *wanted = wanted_text(t);

	if (!wanted)
		return fail_memory(e);
	fail(e, ERR_RULE, "the wanted error of %s cannot be reached", wanted);
	error_rule(e, "budget: per query");
	error_detail(e, "With all that one query may spend (epsilon %.6g) the error is about %.3g times that.%s", eps_double(t->most), by,
		     look ? " Only the first look was run and charged." : "");
	return error_hint(e, "Ask for fewer values or groups, or accept a larger error.");
}

static struct eps at_least(const struct accuracy_try *t, struct eps epsilon)
{
	return epsilon.pico < t->least.pico ? t->least : epsilon;
}

/* The least epsilon up to hi, to a thousandth, at which nothing misses.  The blocks were closed at hi. */
static struct eps least(const struct accuracy_try *t, struct eps hi, struct delta delta)
{
	struct eps lo = { 1 };

	for (int i = 0; i < EPSILON_STEPS && hi.pico - lo.pico > hi.pico / 1000; i++) {
		struct eps middle = { lo.pico + (hi.pico - lo.pico) / 2 };
		struct error ignored = ERROR_INIT;
		bool reached = t->close(t->ctx, middle, delta, t->blocks, &ignored) && miss(t) <= 1;
		*(reached ? &hi : &lo) = middle;
	}
	return hi;
}

static bool choose_look(const struct accuracy_try *t, struct plan *plan, struct eps *epsilon, struct delta *delta, struct error *e)
{
	const char *wanted = wanted_text(t);

	*epsilon = at_least(t, (struct eps){ t->usual.pico / LOOK_SHARE + 1 });
	*delta = (struct delta){ delta->atto / LOOK_SHARE };
	plan->rough = true;
	if (wanted && t->most.pico > epsilon->pico)
		plan->accuracy = arena_printf(t->arena, "%s depends on the data: this is a first look (epsilon %.6g); what it shows decides the epsilon of the answer, at most %.6g more",
					      wanted, eps_double(*epsilon), eps_double((struct eps){ t->most.pico - epsilon->pico }));
	if (wanted && (t->most.pico <= epsilon->pico || t->most.pico - epsilon->pico < t->least.pico)) {
		fail(e, ERR_RULE, "one query may spend too little for noisegate.error");
		error_rule(e, "budget: per query");
		return error_hint(e, "SET noisegate.error = default.");
	}
	return plan->accuracy ? true : fail_memory(e);
}

bool accuracy_choose(const struct accuracy_try *t, struct plan *plan, struct eps *epsilon, struct delta *delta, struct error *e)
{
	const struct plan_look *look = t->settings->look;
	struct eps most = t->most, usual = t->usual;

	if (t->settings->error.digits == 0 || most.pico == 0)
		return true;
	if (look) {
		BUG_IF(look->n_blocks != t->n_blocks || look->epsilon.pico >= most.pico || look->delta.atto > delta->atto);
		most.pico -= look->epsilon.pico;
		usual.pico = usual.pico > look->epsilon.pico ? usual.pico - look->epsilon.pico : usual.pico;
		delta->atto -= look->delta.atto;
	}
	if (!t->close(t->ctx, most, *delta, t->blocks, e))
		return false;
	const enum beforehand told = beforehand(t);
	if (told == NO_DEMAND)
		return true;
	if (told == UNKNOWN && !look)
		return choose_look(t, plan, epsilon, delta, e);
	const double by = miss(t);
	if (by > 1)
		return out_of_reach(t, by, e);
	*epsilon = at_least(t, look && !look->seen ? usual : least(t, most, *delta));
	const char *wanted = wanted_text(t);
	plan->accuracy = wanted ? arena_printf(t->arena, "%s: the least epsilon is %.6g", wanted, eps_double(*epsilon)) : NULL;
	return plan->accuracy ? true : fail_memory(e);
}

/* --- the look --------------------------------------------------------------------------------------------------------------------- */

/* Widths that only the released rows tell, from the ends of their intervals. */
static bool wants_ends(const struct release_spec *s, size_t value)
{
	return s->private_noise && s->values[value].end == END_VALUE && !known_beforehand(&s->values[value]);
}

bool accuracy_spec(struct arena *a, struct release_spec *spec, struct error *e)
{
	struct release_value *values = arena_array(a, spec->n_values * 3 + 1, struct release_value);
	size_t n = spec->n_values;

	if (!values)
		return fail_memory(e);
	for (size_t i = 0; i < spec->n_values; i++)
		values[i] = spec->values[i];
	for (size_t i = 0; i < spec->n_values; i++) {
		for (int end = 0; end < 2 && wants_ends(spec, i); end++, n++) {
			values[n] = values[i];
			values[n].end = end ? END_HIGH : END_LOW;
			values[n].shared = values[i].shared > 0 ? values[i].shared : i + 1;
		}
	}
	spec->values = values;
	spec->n_values = n;
	return true;
}

static bool number_at(const struct released *r, size_t row, size_t column, double *out)
{
	const char *cell = released_cell(r, row, column);
	struct decimal d;

	if (!cell || !decimal_parse(cell, &d))
		return false;
	*out = decimal_double(d);
	return true;
}

/* The widest interval of one value over all rows, in units of what is wanted. */
static double excess_of(const struct plan_block *b, size_t value, const struct released *r, size_t ends, const struct plan_settings *s)
{
	const size_t column = b->spec.n_keys + value;
	double worst = 0;

	for (size_t row = 0; row < released_rows(r); row++) {
		double x, low, high, half = width_at(b, value), wanted = decimal_double(s->error);
		if (!number_at(r, row, column, &x))
			continue;
		if (ends > 0) {
			if (!number_at(r, row, ends, &low) || !number_at(r, row, ends + 1, &high))
				continue;
			half = fmax(high - x, x - low);
		}
		if (s->error_percent) {
			if (fabs(x) <= TELLS_FROM_ZERO * half)
				continue;
			wanted *= fabs(x);
		}
		worst = half / wanted > worst ? half / wanted : worst;
	}
	return worst;
}

bool accuracy_read(struct arena *a, const struct plan *plan, const struct released *const *released, const struct plan_settings *s,
		   struct plan_look *out, bool *reached, struct error *e)
{
	const struct look_value **blocks = arena_array(a, plan->n_blocks + 1, const struct look_value *);
	struct plan_look made = { .epsilon = plan->price, .delta = plan->price_delta, .n_blocks = plan->n_blocks, .values = blocks };

	if (!blocks)
		return fail_memory(e);
	*reached = true;
	for (size_t i = 0; i < plan->n_blocks; i++) {
		const struct plan_block *b = &plan->blocks[i];
		struct look_value *values = arena_array(a, b->spec.n_values + 1, struct look_value);
		size_t ends = b->spec.n_keys + b->spec.n_values;
		if (!values)
			return fail_memory(e);
		for (size_t j = 0; j < b->spec.n_values; j++) {
			bool own = wants_ends(&b->spec, j);
			if (makes_demand(b, j))
				values[j] = (struct look_value){ excess_of(b, j, released[i], own ? ends : 0, s), noise_deviation(&b->spec.values[j].noise) };
			ends += own ? 2 : 0;
			made.seen = made.seen || values[j].excess > 0;
			*reached = *reached && values[j].excess <= 1;
		}
		blocks[i] = values;
	}
	*reached = *reached && made.seen;
	*out = made;
	return true;
}

const struct plan *accuracy_both(struct arena *a, const struct plan *look, const struct plan *answer)
{
	struct plan *both = arena_new(a, struct plan);
	struct plan_charge *charges = arena_array(a, look->n_charges + answer->n_charges + 1, struct plan_charge);
	bool ok = both && charges;

	if (!ok)
		return NULL;
	*both = *answer;
	both->charges = charges;
	for (both->n_charges = 0; both->n_charges < answer->n_charges; both->n_charges++)
		charges[both->n_charges] = answer->charges[both->n_charges];
	for (size_t i = 0; i < look->n_charges; i++) {
		const struct plan_charge *c = &look->charges[i];
		size_t at = 0;
		while (at < both->n_charges && charges[at].budget != c->budget)
			at++;
		if (at == both->n_charges)
			charges[both->n_charges++] = (struct plan_charge){ .budget = c->budget };
		ok = ok && eps_add(charges[at].epsilon, c->epsilon, &charges[at].epsilon) && rho_add(charges[at].rho, c->rho, &charges[at].rho) &&
		     delta_add(charges[at].delta, c->delta, &charges[at].delta);
	}
	return ok ? both : NULL;
}
