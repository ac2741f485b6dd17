#include "proxy/notice.h"

#include "base/bytes.h"
#include "base/number.h"

enum { NOTICE_BYTES_MAX = 1 << 16, FIGURES_MAX = 12 };

/* The interval of a mean follows from the noised count that is shown beside it; without one, or with several rows, there is no single figure. */
static bool mean_half_width(const struct plan_block *b, const struct released *r, size_t value, double confidence, double *out)
{
	const struct release_value *v = &b->spec.values[value];
	int64_t count;

	if (released_rows(r) != 1)
		return false;
	for (size_t i = 0; i < b->spec.n_values; i++) {
		const char *cell = released_cell(r, 0, b->spec.n_keys + i);
		if (b->spec.values[i].kind != RELEASE_COUNT || !cell || !number_i64(cell, 1, INT64_MAX, &count))
			continue;
		*out = noise_half_width(&v->noise_sum, confidence) * decimal_double(v->grid) / (2.0 * (double)count);
		return true;
	}
	return false;
}

static void put_clipped(struct wr *w, const struct plan_block *b, const struct released *r, size_t value, double confidence)
{
	const struct release_value *v = &b->spec.values[value];
	const char *label = b->columns[b->spec.n_keys + value].label;
	const i128 bound = released_bound(r, value);
	struct noise noise;
	struct error ignored = ERROR_INIT;

	if (!clip_noise(&v->clip, bound, &noise, &ignored)) { /* it was drawn from */
		wr_fmt(w, "%s: see noise_low, noise_high", label);
		return;
	}
	const double unit = decimal_double(v->grid);
	wr_fmt(w, "%s ±%.4g with at most %.6g of one unit, a bound found privately", label, noise_half_width(&noise, confidence) * unit, (double)bound * unit);
}

static void put_figures(struct wr *w, const struct plan *plan, const struct released *const *released, double confidence)
{
	size_t shown = 0;

	for (size_t b = 0; b < plan->n_blocks; b++) {
		const struct plan_block *block = &plan->blocks[b];
		for (size_t i = 0; i < block->spec.n_values; i++) {
			const struct plan_column *c = &block->columns[block->spec.n_keys + i];
			double mean;
			if (!c->noised || block->spec.values[i].end != END_VALUE)
				continue;
			if (shown == FIGURES_MAX) {
				wr_str(w, ", ... (EXPLAIN shows all)");
				return;
			}
			wr_str(w, shown++ ? ", " : " ");
			if (block->spec.values[i].kind == RELEASE_COUNT || block->spec.values[i].kind == RELEASE_SUM)
				wr_fmt(w, "%s ±%.4g", c->label, c->half_width);
			else if (block->spec.values[i].kind == RELEASE_CLIPPED)
				put_clipped(w, block, released[b], i, confidence);
			else if (block->spec.values[i].kind == RELEASE_AVG && mean_half_width(block, released[b], i, confidence, &mean))
				wr_fmt(w, "%s about ±%.4g", c->label, mean);
			else
				wr_fmt(w, "%s: see noise_low, noise_high", c->label);
		}
	}
}

static void put_price(struct wr *w, const struct plan_charge *c)
{
	if (c->budget->accounting != ACCOUNTING_ZCDP) {
		wr_str(w, "epsilon ");
		eps_put(w, c->epsilon);
	} else {
		wr_fmt(w, "rho %.3g", rho_double(c->rho));
	}
	if (c->delta.atto > 0)
		wr_fmt(w, " and delta %.3g", delta_double(c->delta));
	wr_fmt(w, " to %s.%s", c->budget->schema, c->budget->table);
}

/* Epsilon left of the limit, rounded down to four digits: never more than there is. */
static void put_left(struct wr *w, const struct account_state *st)
{
	struct eps left = { .pico = st->epsilon_remaining.pico / 100000000 * 100000000 };

	eps_put(w, left);
	wr_str(w, " of ");
	eps_put(w, st->epsilon_limit);
}

bool notice_noise(const struct plan *plan, const struct released *const *released, double confidence, struct ledger *l, struct arena *a,
		  struct notice *out, struct error *e)
{
	struct wr w;

	wr_init(&w, a, NOTICE_BYTES_MAX);
	wr_fmt(&w, "noise at %.4g%%:", confidence * 100);
	put_figures(&w, plan, released, confidence);
	for (size_t i = 0; i < plan->n_charges; i++) {
		struct account_state st;
		struct error ignored = ERROR_INIT;
		wr_str(&w, i ? ", " : "; charged ");
		put_price(&w, &plan->charges[i]);
		if (!ledger_state(l, plan->charges[i].budget, &st, &ignored))
			continue;
		wr_str(&w, " (epsilon ");
		put_left(&w, &st);
		wr_str(&w, " remains)");
	}
	if (plan->n_charges == 0)
		wr_str(&w, "; an earlier answer again: nothing was charged");
	if (!wr_ok(&w))
		return fail_memory(e);
	*out = (struct notice){ .severity = "NOTICE", .sqlstate = "00000", .message = wr_text(&w) };
	return true;
}

/* What would remain after the query, or that it would be refused. */
static bool put_after(struct wr *w, const struct plan_charge *c, struct ledger *l, const struct account_state *now, struct error *e)
{
	const struct policy_budget *b = c->budget;
	const struct charge asked = { .budget = b, .epsilon = c->epsilon, .rho = c->rho, .delta = c->delta };
	struct account_state all, then = *now;

	if (b->together && !ledger_state(l, b->together, &all, e))
		return false;
	if (!account_fits(b, now, &asked)) {
		wr_str(w, now->frozen ? "; it is frozen: this query would be refused" : "; not enough for this query");
		return true;
	}
	if (b->together && !account_fits(b->together, &all, &asked)) {
		wr_str(w, all.frozen ? "; that of all analysts together is frozen: this query would be refused"
				     : "; that of all analysts together is not enough for this query");
		return true;
	}
	if (b->accounting == ACCOUNTING_ZCDP ? !rho_add(then.rho, c->rho, &then.rho) : !eps_add(then.epsilon, c->epsilon, &then.epsilon))
		return fail(e, ERR_INTERNAL, "a charge that fits cannot be added");
	account_report(b, &then);
	wr_str(w, ", ");
	put_left(w, &then);
	wr_str(w, " after this one");
	return true;
}

bool notice_remaining(const struct plan *plan, struct ledger *l, struct arena *a, const char **lines, size_t *n, struct error *e)
{
	for (size_t i = 0; i < plan->n_charges; i++) {
		const struct policy_budget *b = plan->charges[i].budget;
		struct account_state st;
		char end[WALL_TEXT];
		struct wr w;
		if (!ledger_state(l, b, &st, e))
			return false;
		wr_init(&w, a, NOTICE_BYTES_MAX);
		wr_fmt(&w, "Budget of %s.%s for \"%s\": epsilon ", b->schema, b->table, b->analyst);
		put_left(&w, &st);
		wr_fmt(&w, " remains after %lld queries", (long long)st.queries);
		if (!put_after(&w, &plan->charges[i], l, &st, e))
			return false;
		if (st.window_end.micros) {
			wall_text(st.window_end, end);
			wr_fmt(&w, "; refreshes %.10s", end);
		}
		if (!wr_ok(&w))
			return fail_memory(e);
		lines[(*n)++] = wr_text(&w);
	}
	return true;
}
