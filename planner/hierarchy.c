#include "planner/hierarchy.h"

#include "base/text.h"
#include "mechanisms/consistent.h"
#include "planner/block_parts.h"
#include "planner/facts.h"

/* The sets of a family: its blocks, and their keys by name, each once. */
struct family {
	struct block *const *blocks;
	size_t first, n; /* of the plan's blocks */
	struct lattice lattice;
	const char *names[CONSISTENT_KEYS_MAX];
	size_t *keys[CONSISTENT_SETS_MAX]; /* [set][its keys]: which of the names */
};

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
	for (size_t i = 0; *complete && i < f.n_values; i++) {
		bool listed = false;
		for (size_t j = 0; j < k->n_domain; j++)
			listed = listed || text_eq(k->domain[j], f.values[i]);
		*complete = listed;
	}
	return true;
}

/* No two sets have a key in common. */
static bool are_apart(const struct family *f)
{
	uint32_t seen = 0;

	for (size_t i = 0; i < f->n; i++) {
		if (seen & f->lattice.sets[i])
			return false;
		seen |= f->lattice.sets[i];
	}
	return true;
}

/* Condition 3, for an aggregate of a block: what one unit adds to a total is what it adds to the parts. */
static bool adds_up(const struct block *b, const struct aggregate *g, bool apart)
{
	/* whatever group is sampled, the unit counts in the total of all; but two sets that share a key may sample groups that differ in it */
	const bool once = apart && b->max_groups == 1 && !g->filter;

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

/* Which values add up in all sets; false when none does. */
static bool additive_values(const struct family *f, bool *additive)
{
	const bool apart = are_apart(f);
	bool any = false;

	for (size_t v = 0; v < f->blocks[0]->n_aggregates; v++) {
		additive[v] = true;
		for (size_t i = 0; i < f->n; i++)
			additive[v] = additive[v] && adds_up(f->blocks[i], &f->blocks[i]->aggregates[v], apart);
		any = any || additive[v];
	}
	return any;
}

/* Numbers the keys.  *possible: they and the sets are not too many. */
static bool number_keys(struct arena *a, struct family *f, bool *possible, struct error *e)
{
	*possible = f->n >= 2 && f->n <= CONSISTENT_SETS_MAX;
	for (size_t i = 0; i < f->n && *possible; i++) {
		const struct block *b = f->blocks[i];
		f->keys[i] = arena_array(a, b->n_keys + 1, size_t);
		if (!f->keys[i])
			return fail_memory(e);
		for (size_t j = 0; j < b->n_keys && *possible; j++) {
			size_t *key = &f->keys[i][j];
			while (*key < f->lattice.n_axes && !text_eq(f->names[*key], b->keys[j].name))
				++*key;
			*possible = *key < CONSISTENT_KEYS_MAX;
			if (!*possible)
				continue;
			if (*key == f->lattice.n_axes) {
				f->names[f->lattice.n_axes] = b->keys[j].name;
				/* what is asked when the query runs is counted then */
				f->lattice.size[f->lattice.n_axes++] = b->keys[j].n_domain > 0 ? b->keys[j].n_domain : 1;
			}
			f->lattice.sets[i] |= (uint32_t)1 << *key;
		}
	}
	f->lattice.n = f->n;
	return true;
}

/* Conditions 1 and 2. */
static bool is_public(const struct plan *plan, const struct family *f, bool *public, struct error *e)
{
	const uint32_t common = lattice_common(&f->lattice);

	*public = true;
	for (size_t i = 0; i < f->n && *public; i++) {
		const struct release_spec *s = &plan->blocks[f->first + i].spec;
		*public = s->private_noise && s->selection == SELECT_ALL;
		for (size_t j = 0; j < f->blocks[i]->n_keys && *public; j++) {
			if (!((common >> f->keys[i][j]) & 1) && !is_complete(f->blocks[i], &f->blocks[i]->keys[j], public, e))
				return false;
		}
	}
	return true;
}

static bool find_one(struct arena *a, struct family *f, struct plan *plan, struct plan_hierarchy *out, struct error *e)
{
	bool *additive = arena_array(a, plan->blocks[f->first].spec.n_values + 1, bool), possible;
	const size_t **keys = arena_array(a, f->n + 1, const size_t *);

	if (!additive || !keys)
		return fail_memory(e);
	if (!number_keys(a, f, &possible, e))
		return false;
	if (!possible || !consistent_possible(&f->lattice))
		return true;
	if (!is_public(plan, f, &possible, e))
		return false;
	if (!possible || !additive_values(f, additive))
		return true;
	for (size_t i = 0; i < f->n; i++)
		keys[i] = f->keys[i];
	*out = (struct plan_hierarchy){ .first = f->first, .n = f->n, .keys = keys, .additive = additive };
	plan->n_hierarchies++;
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
		const struct post_family *p = &post->families[i];
		struct family f = { .blocks = &post->blocks[p->first], .first = p->first, .n = p->n };
		if (!find_one(a, &f, plan, &made[plan->n_hierarchies], e))
			return false;
	}
	return true;
}
