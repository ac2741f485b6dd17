/*
 * Which counts and sums of a block share correlated noise (mechanisms/joint.h).  What its header asks for is what the upstream's partials keep: a unit has one
 * partial a group, clamped to between 0 and the bound, and the column of units counts partials.
 */
#include "planner/block_parts.h"

#include "base/text.h"

/*
 * Whoever leaves, a unit as a whole or its rows at one owner, all of its partials go: else a sum could fall while the count of units stays.  Of one owner's tables
 * the unit's rows leave together; an inner join of plain tables has no row without each of them; what several owners' sub-selects and unions keep is not looked into.
 */
static bool leaves_whole(const struct block *b)
{
	const char *owner = NULL;
	bool several = false, plain = b->rel.n_selects == 0;

	for (size_t i = 0; i < b->n_tables; i++) {
		const struct policy_table *t = b->tables[i];
		if (t->rule != RULE_DIFFERENTIAL_PRIVACY)
			continue;
		several = several || (owner && !text_eq(owner, t->owner));
		owner = t->owner;
	}
	for (size_t i = 0; i < b->rel.n_scans; i++)
		plain = plain && !b->rel.scans[i]->derived;
	return !b->owner_moves && (!several || plain);
}

/* The bound of what one unit adds to a group, 0 for an aggregate that is no member: of both signs, or not a sum over units. */
static i128 bound_of(const struct aggregate *g, const struct plan_column *c)
{
	switch (g->kind) {
	case AGGREGATE_ROWS:
	case AGGREGATE_COUNT:
	case AGGREGATE_UNITS:
		return g->shared > 0 ? 0 : c->linf;
	case AGGREGATE_SUM:
		if (g->shared > 0 || g->clipped || (g->lo < 0 && g->hi > 0))
			return 0;
		return g->lo < 0 ? -c->linf : c->linf;
	default:
		return 0;
	}
}

/* Everywhere at least as good as noise for each value alone, whose law is `alone`; below a deviation of 1 the lattice decides, and it is not touched. */
static bool lowers(const struct noise *alone, const struct noise *shown)
{
	return noise_deviation(alone) >= 1 && noise_deviation(shown) < noise_deviation(alone);
}

/* Members with their noise and what is shown of them; false when some member gains nothing. */
static bool try_members(const struct block *b, const struct plan_column *columns, const struct joint *j, const struct release_value *values, struct joint_value *members,
			struct noise *shown)
{
	for (size_t i = 0; i < b->n_aggregates; i++) {
		const i128 bound = bound_of(&b->aggregates[i], &columns[b->n_keys + i]);
		struct error ignored = ERROR_INIT;
		if (bound == 0)
			continue;
		if (!joint_member(j, bound, &members[i], &shown[i], &ignored) || !lowers(&values[i].noise, &shown[i]))
			return false;
	}
	return true;
}

/* An aggregate's own value takes its member; what shows a member's draw takes the law of its error. */
static void take(const struct block *b, size_t value, const struct joint_value *members, const struct noise *shown, struct release_value *values,
		 struct plan_column *columns)
{
	const size_t shared = b->aggregates[value].shared, from = shared > 0 ? shared - 1 : value;
	struct plan_column *c = &columns[b->n_keys + value];

	if (members[from].bound == 0)
		return;
	if (shared == 0)
		values[value].joint = members[value];
	values[value].noise = shown[from];
	c->noise = shown[from];
	c->half_width = noise_half_width(&shown[from], b->planning->settings->confidence) * decimal_double(b->aggregates[from].grid);
}

bool joint_choose(const struct block *b, const struct part_price *p, bool counts_units, struct release_value *values, struct plan_column *columns, struct joint *out,
		  struct error *e)
{
	struct joint_value *members = arena_array(b->planning->arena, b->n_aggregates + 1, struct joint_value);
	struct noise *shown = arena_array(b->planning->arena, b->n_aggregates + 1, struct noise);
	struct error ignored = ERROR_INIT;
	struct joint made;
	size_t n = 0;

	*out = (struct joint){ 0 };
	if (!members || !shown)
		return fail_memory(e);
	for (size_t i = 0; i < b->n_aggregates; i++)
		n += bound_of(&b->aggregates[i], &columns[b->n_keys + i]) != 0;
	if (!p->gaussian || !leaves_whole(b) || n < 2 || (counts_units && selection_units_value(b) > 0))
		return true;
	const struct rho rho = { p->rho.pico * n }; /* a part each, of parts that add up to the whole */
	if (!joint_plan(n, p->groups, rho, &made, &ignored) || !try_members(b, columns, &made, values, members, shown))
		return true;
	for (size_t i = 0; i < b->n_aggregates; i++) {
		take(b, i, members, shown, values, columns);
		values[i].column += !counts_units; /* the units are counted in front of the values */
	}
	made.column = b->n_keys;
	*out = made;
	return true;
}
