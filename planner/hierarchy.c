#include "planner/hierarchy.h"

#include "base/text.h"
#include "mechanisms/consistent.h"
#include "planner/block_parts.h"
#include "planner/facts.h"

/* A block and its place in the plan. */
struct level {
	const struct block *block;
	size_t number;
};

/* The place of a key among another block's keys; SIZE_MAX: it is none of them. */
static size_t place_of(const struct key *k, const struct block *b)
{
	for (size_t i = 0; i < b->n_keys; i++) {
		if (text_eq(b->keys[i].name, k->name))
			return i;
	}
	return SIZE_MAX;
}

static bool within(const struct block *coarse, const struct block *fine)
{
	for (size_t i = 0; i < coarse->n_keys; i++) {
		if (place_of(&coarse->keys[i], fine) == SIZE_MAX)
			return false;
	}
	return true;
}

/* Every row lies in the key's domain: of itself, or as WHERE says.  (Values that a policy lists leave rows out.) */
static bool is_complete(const struct block *b, const struct key *k, bool *complete, struct error *e)
{
	struct facts f;

	*complete = k->closed || k->asked;
	if (*complete)
		return true;
	if (!facts_find(&b->rel, k->expr, &f, e))
		return false;
	*complete = f.values != NULL;
	for (size_t i = 0; i < f.n_values; i++) {
		bool listed = false;
		for (size_t j = 0; j < k->n_domain; j++)
			listed = listed || text_eq(k->domain[j], f.values[i]);
		*complete = *complete && listed;
	}
	return true;
}

/* Condition 3, for an aggregate of a block: what one unit adds to a total is what it adds to the parts. */
static bool adds_up(const struct block *b, const struct aggregate *g)
{
	const bool once = b->max_groups == 1 && !g->filter; /* whatever group is sampled, the unit counts in it */

	switch (g->kind) {
	case AGGREGATE_ROWS:
		return b->single || (once && b->max_rows == 1);
	case AGGREGATE_UNITS:
		return b->single || (once && !g->arg->scan->nullable && !g->arg->scan->derived);
	case AGGREGATE_COUNT:
		return b->single;
	case AGGREGATE_SUM:
		return b->single && !g->clipped && !g->distinct;
	default:
		return false;
	}
}

/* Which values add up at all levels; false when none does. */
static bool additive_values(const struct level *levels, size_t n, bool *additive)
{
	bool any = false;

	for (size_t v = 0; v < levels[0].block->n_aggregates; v++) {
		additive[v] = true;
		for (size_t l = 0; l < n; l++)
			additive[v] = additive[v] && adds_up(levels[l].block, &levels[l].block->aggregates[v]);
		any = any || additive[v];
	}
	return any;
}

/* The coarsest first; sets of as many keys keep their order. */
static void sort_levels(struct level *levels, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		const struct level at = levels[i];
		size_t j = i;
		for (; j > 0 && levels[j - 1].block->n_keys > at.block->n_keys; j--)
			levels[j] = levels[j - 1];
		levels[j] = at;
	}
}

/* Conditions 1 and 2. */
static bool is_chain(const struct plan *plan, const struct level *levels, size_t n, bool *chain, struct error *e)
{
	*chain = n >= 2 && n <= CONSISTENT_LEVELS_MAX;
	for (size_t l = 0; l < n && *chain; l++) {
		const struct release_spec *s = &plan->blocks[levels[l].number].spec;
		*chain = s->private_noise && s->selection == SELECT_ALL && (l + 1 == n || within(levels[l].block, levels[l + 1].block));
	}
	for (size_t i = 0; *chain && i < levels[n - 1].block->n_keys; i++) {
		const struct key *k = &levels[n - 1].block->keys[i];
		if (place_of(k, levels[0].block) == SIZE_MAX && !is_complete(levels[n - 1].block, k, chain, e))
			return false;
	}
	return true;
}

static bool add_hierarchy(struct arena *a, const struct level *levels, size_t n, bool *additive, struct plan_hierarchy *out, struct error *e)
{
	size_t *blocks = arena_array(a, n, size_t);
	const size_t **from = arena_array(a, n, const size_t *);

	if (!blocks || !from)
		return fail_memory(e);
	for (size_t l = 0; l < n; l++) {
		const struct block *b = levels[l].block;
		size_t *places = arena_array(a, b->n_keys + 1, size_t);
		if (!places)
			return fail_memory(e);
		for (size_t i = 0; i < b->n_keys && l + 1 < n; i++)
			places[i] = place_of(&b->keys[i], levels[l + 1].block);
		from[l] = places;
		blocks[l] = levels[l].number;
	}
	*out = (struct plan_hierarchy){ .blocks = blocks, .n = n, .from = from, .additive = additive };
	return true;
}

bool hierarchy_find(const struct post *post, struct plan *plan, struct error *e)
{
	struct arena *a = post->planning->arena;
	struct plan_hierarchy *made = arena_array(a, post->n_families + 1, struct plan_hierarchy);

	if (!made)
		return fail_memory(e);
	plan->hierarchies = made;
	for (size_t i = 0; i < post->n_families; i++) {
		const struct post_family *family = &post->families[i];
		struct level *levels = arena_array(a, family->n + 1, struct level);
		bool *additive = arena_array(a, plan->blocks[family->first].spec.n_values + 1, bool), chain;
		if (!levels || !additive)
			return fail_memory(e);
		for (size_t j = 0; j < family->n; j++)
			levels[j] = (struct level){ post->blocks[family->first + j], family->first + j };
		sort_levels(levels, family->n);
		if (!is_chain(plan, levels, family->n, &chain, e))
			return false;
		if (!chain || !additive_values(levels, family->n, additive))
			continue;
		if (!add_hierarchy(a, levels, family->n, additive, &made[plan->n_hierarchies++], e))
			return false;
	}
	return true;
}
