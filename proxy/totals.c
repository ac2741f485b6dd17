#include "proxy/totals.h"

#include "mechanisms/consistent.h"

static bool adjust(const struct plan *plan, const struct plan_hierarchy *h, const struct released **rows, struct arena *a, struct error *e)
{
	struct consistent_set sets[CONSISTENT_SETS_MAX];
	const struct released *made[CONSISTENT_SETS_MAX];

	BUG_IF(h->n > CONSISTENT_SETS_MAX);
	for (size_t i = 0; i < h->n; i++)
		sets[i] = (struct consistent_set){ &plan->blocks[h->first + i].spec, rows[h->first + i], h->keys[i] };
	if (!consistent_make(sets, h->n, h->additive, a, made, e))
		return false;
	for (size_t i = 0; i < h->n; i++)
		rows[h->first + i] = made[i];
	return true;
}

bool totals_adjust(const struct plan *plan, const struct released **released, struct arena *a, const struct released ***out, struct error *e)
{
	*out = released;
	if (plan->n_hierarchies == 0)
		return true;
	const struct released **rows = arena_array(a, plan->n_blocks + 1, const struct released *);
	if (!rows)
		return fail_memory(e);
	for (size_t i = 0; i < plan->n_blocks; i++)
		rows[i] = released[i];
	for (size_t i = 0; i < plan->n_hierarchies; i++) {
		if (!adjust(plan, &plan->hierarchies[i], rows, a, e))
			return false;
	}
	*out = rows;
	return true;
}
