/*
 * Which groups of private keys are shown.  A count of the group's units that the query shows anyway decides at no further cost; else the optimal law, or a
 * threshold on a count that is noised for this alone, whichever shows a group from fewer units on at the same price.
 */
#include "planner/block_parts.h"

size_t selection_units_value(const struct block *b)
{
	for (size_t i = 0; i < b->n_aggregates; i++) {
		const struct aggregate *g = &b->aggregates[i];
		bool counts = g->kind == AGGREGATE_UNITS || (g->kind == AGGREGATE_ROWS && b->max_rows == 1);
		if (counts && !g->filter && g->shared == 0)
			return i + 1;
	}
	return 0;
}

/* The largest minimum among the tables: what each owner asks for holds. */
static uint64_t minimum_units(const struct block *b)
{
	int64_t most = 1;

	for (size_t i = 0; i < b->n_tables; i++)
		most = b->tables[i]->min_units > most ? b->tables[i]->min_units : most;
	return (uint64_t)most;
}

static bool no_delta(struct error *e)
{
	fail(e, ERR_RULE, "group keys that are not public need a delta, and the budget has none");
	error_rule(e, "group selection");
	error_detail(e, "Whether a group exists may tell about one person; a group is shown only if enough people are in it, by a rule that costs a delta.");
	return error_hint(e, "Group by columns with public values (docs/policy.md: values), or ask the owner for a delta.");
}

bool selection_choose(const struct block *b, struct delta delta, const struct part_price *p, struct plan_block *out, struct error *e)
{
	struct release_spec *s = &out->spec;

	if (delta.atto == 0)
		return no_delta(e);
	out->figures.delta = delta;
	s->units_column = b->n_keys;
	s->minimum_units = minimum_units(b);
	s->units_value = selection_units_value(b);
	s->selection = SELECT_THRESHOLD;
	if (s->units_value > 0)
		return select_threshold(&s->values[s->units_value - 1].noise, p->groups, delta, &s->threshold, e);

	bool optimal = p->gaussian ? select_law_zcdp(p->rho, p->groups, delta, s->minimum_units, &s->law)
				   : select_law_pure(p->epsilon, p->groups, delta, s->minimum_units, &s->law);
	if (!optimal || p->gaussian) {
		if (!part_noise(p, 1, 1, &s->units_noise, e) || !select_threshold(&s->units_noise, p->groups, delta, &s->threshold, e))
			return false;
		optimal = optimal && select_law_half(&s->law) < (double)(s->threshold + (i128)(s->minimum_units - 1));
	}
	if (optimal)
		s->selection = SELECT_OPTIMAL;
	return true;
}

const char *selection_text(struct arena *a, const struct plan_block *b)
{
	const struct release_spec *s = &b->spec;
	struct wr w;

	wr_init(&w, a, 256);
	if (s->selection == SELECT_OPTIMAL) {
		wr_fmt(&w, "private keys: optimal selection, half of the time from %.0f units on", select_law_half(&s->law));
	} else {
		wr_str(&w, s->units_value ? "private keys: shown when the noised count of units reaches "
					  : "private keys: shown when a noised count of units reaches ");
		number_put_i128(&w, s->threshold + (i128)(s->minimum_units - 1));
	}
	if (s->minimum_units > 1)
		wr_fmt(&w, ", never below %llu", (unsigned long long)s->minimum_units);
	wr_str(&w, " (delta ");
	delta_put(&w, b->figures.delta);
	wr_str(&w, ")");
	return wr_ok(&w) ? wr_text(&w) : NULL;
}
