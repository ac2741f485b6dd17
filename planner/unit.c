/* Privacy-unit flow: which protected tables may be joined how, the unit of the block, and how many rows of one unit a joined row set can have. */
#include "planner/block_parts.h"

#include "base/text.h"

static bool is_dp(const struct scan *s)
{
	return s->table->rule == RULE_DIFFERENTIAL_PRIVACY;
}

static bool is_unit_column(const struct expr *x)
{
	return x->kind == EXPR_COLUMN && is_dp(x->scan) && x->column == x->scan->table->unit_column;
}

/* Scans joined by equality of their unit columns fall into one component: component[i] is its smallest member. */
static void unit_components(const struct rel *r, size_t *component)
{
	bool changed = true;

	for (size_t i = 0; i < r->n_scans; i++)
		component[i] = i;
	while (changed) {
		changed = false;
		for (size_t i = 0; i < r->n_conjuncts; i++) {
			const struct expr *c = r->conjuncts[i];
			if (c->kind != EXPR_COMPARE || !text_eq(c->op, "=") || !is_unit_column(c->args[0]) || !is_unit_column(c->args[1]))
				continue;
			size_t x = c->args[0]->scan->number - 1, y = c->args[1]->scan->number - 1;
			size_t low = component[x] < component[y] ? component[x] : component[y];
			changed = changed || component[x] != low || component[y] != low;
			component[x] = component[y] = low;
		}
	}
}

static bool refuse_join(const struct block *b, const struct scan *x, const struct scan *y, struct error *e)
{
	const struct policy_table *t = x->table, *u = y->table;
	const char *cx = t->columns[t->unit_column].name, *cy = u->columns[u->unit_column].name;

	fail(e, ERR_RULE, "%s.%s and %s.%s must be joined on their privacy unit", t->schema, t->name, u->schema, u->name);
	error_rule(e, "joins: privacy unit");
	error_detail(e, "Both are protected by the rule differential_privacy of \"%s\" and \"%s\"; any other join would let one person's rows multiply another's.",
		     t->owner, u->owner);
	error_hint(e, "Write JOIN %s.%s ON %s.%s = %s.%s, and put other conditions into WHERE.", u->schema, u->name, t->name, cx, u->name, cy);
	return planning_at(b->planning, -1, e);
}

bool block_check_units(struct block *b, struct error *e)
{
	struct rel *r = &b->rel;
	size_t *component = arena_array(b->planning->arena, r->n_scans, size_t);
	const struct scan *first = NULL;

	if (!component)
		return fail_memory(e);
	unit_components(r, component);
	b->max_rows = 1;
	for (size_t i = 0; i < r->n_scans; i++) {
		struct scan *s = r->scans[i];
		if (!is_dp(s))
			continue;
		if (__builtin_mul_overflow(b->max_rows, s->table->max_rows, &b->max_rows) || b->max_rows > INT32_MAX) {
			fail(e, ERR_TOO_COMPLEX, "joining these tables lets one person contribute too many rows");
			error_rule(e, "contribution");
			return error_hint(e, "Join fewer tables, or ask the owners for a smaller contribution.max_rows.");
		}
		if (!first) {
			first = s;
			continue;
		}
		if (!text_eq(first->table->unit_name, s->table->unit_name)) {
			fail(e, ERR_RULE, "%s.%s and %s.%s protect different privacy units", first->table->schema, first->table->name,
			     s->table->schema, s->table->name);
			error_rule(e, "joins: privacy unit");
			error_detail(e, "\"%s\" and \"%s\".", first->table->unit_name, s->table->unit_name);
			error_hint(e, "Aggregate each on its own and combine the results.");
			return planning_at(b->planning, -1, e);
		}
		if (component[s->number - 1] != component[first->number - 1])
			return refuse_join(b, first, s, e);
	}
	BUG_IF(!first); /* only called when some table is protected */
	b->unit = arena_new(b->planning->arena, struct expr);
	if (!b->unit)
		return fail_memory(e);
	*b->unit = (struct expr){ .kind = EXPR_COLUMN, .type = first->table->columns[first->table->unit_column].type, .location = -1,
				  .scan = r->scans[first->number - 1], .column = first->table->unit_column };
	b->unit_name = first->table->unit_name;
	return true;
}
