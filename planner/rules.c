/* Analysis rules: which tables may be combined how, the privacy unit of the block, and what the aggregation rule lists. */
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

static bool check_units(struct block *b, struct error *e)
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

static bool check_budgets(const struct block *b, struct error *e)
{
	const struct planning *p = b->planning;

	for (size_t i = 0; i < b->n_tables; i++) {
		const struct policy_table *t = b->tables[i];
		if (t->rule != RULE_DIFFERENTIAL_PRIVACY || policy_find_budget(p->policy, t, p->settings->analyst))
			continue;
		fail(e, ERR_RULE, "analyst \"%s\" has no budget for %s.%s", p->settings->analyst, t->schema, t->name);
		error_rule(e, "budget");
		error_detail(e, "Its owner \"%s\" has granted none in the policy.", t->owner);
		return error_hint(e, "Ask \"%s\" for a budget, or leave the table out.", t->owner);
	}
	return true;
}

/* --- aggregation rule --------------------------------------------------------------------------------------------------- */

static bool refuse_column(const struct block *b, const struct expr *x, const char *use, const char *hint, struct error *e)
{
	const struct policy_table *t = expr_policy_table(x);

	fail(e, ERR_RULE, "column \"%s\" of %s.%s may not be %s", expr_policy_column(x)->name, t->schema, t->name, use);
	error_rule(e, "aggregation");
	error_detail(e, "rule \"aggregation\" of its owner \"%s\"", t->owner);
	error_hint(e, "%s", hint);
	return planning_at(b->planning, x->location, e);
}

/* Every column of an aggregation table inside x must be a dimension. */
static bool only_dimensions(const struct block *b, const struct expr *x, struct error *e)
{
	if (x->kind == EXPR_COLUMN && x->scan->table->rule == RULE_AGGREGATION &&
	    !column_set_has(&x->scan->table->aggregation.dimensions, x->column))
		return refuse_column(b, x, "used here", "Only the table's dimension columns may be filtered on or grouped by.", e);
	for (size_t i = 0; i < x->n_args; i++) {
		if (!only_dimensions(b, x->args[i], e))
			return false;
	}
	return true;
}

static bool is_join(const struct expr *c)
{
	return c->kind == EXPR_COMPARE && text_eq(c->op, "=") && c->args[0]->kind == EXPR_COLUMN && c->args[1]->kind == EXPR_COLUMN &&
	       c->args[0]->scan != c->args[1]->scan;
}

static bool join_allowed(const struct expr *x)
{
	const struct policy_table *t = x->scan->table;

	return t->rule != RULE_AGGREGATION || column_set_has(&t->aggregation.joins, x->column);
}

static bool check_aggregation_conditions(const struct block *b, struct error *e)
{
	const struct rel *r = &b->rel;

	for (size_t i = 0; i < r->n_conjuncts; i++) {
		const struct expr *c = r->conjuncts[i];
		if (!is_join(c)) {
			if (!only_dimensions(b, c, e))
				return false;
			continue;
		}
		for (size_t j = 0; j < 2; j++) {
			if (!join_allowed(c->args[j]))
				return refuse_column(b, c->args[j], "joined on", "Join on one of the table's join columns.", e);
		}
	}
	for (size_t i = 0; i < r->n_scans; i++) {
		for (size_t j = 0; r->scans[i]->nullable && j < r->scans[i]->n_on; j++) {
			if (!only_dimensions(b, r->scans[i]->on[j], e))
				return false;
		}
	}
	return true;
}

/* Reached from a table of the querying member through join conditions. */
static bool check_join_required(const struct block *b, const struct scan *s, struct error *e)
{
	const struct rel *r = &b->rel;
	const struct policy_table *t = s->table;

	if (!t->aggregation.join_required || text_eq(t->owner, b->planning->settings->analyst))
		return true;
	for (size_t i = 0; i < r->n_conjuncts; i++) {
		const struct expr *c = r->conjuncts[i];
		for (size_t j = 0; is_join(c) && j < 2; j++) {
			if (c->args[j]->scan == s &&
			    text_eq(c->args[1 - j]->scan->table->owner, b->planning->settings->analyst))
				return true;
		}
	}
	fail(e, ERR_RULE, "%s.%s must be joined with a table of \"%s\"", t->schema, t->name, b->planning->settings->analyst);
	error_rule(e, "aggregation: join_required");
	error_detail(e, "rule \"aggregation\" of its owner \"%s\": only the overlap with the querying member's own table may be asked about", t->owner);
	return error_hint(e, "Add JOIN ... ON one of its join columns.");
}

bool block_check_tables(struct block *b, struct error *e)
{
	bool aggregation = false;

	for (size_t i = 0; i < b->n_tables; i++) {
		b->dp = b->dp || b->tables[i]->rule == RULE_DIFFERENTIAL_PRIVACY;
		aggregation = aggregation || b->tables[i]->rule == RULE_AGGREGATION;
	}
	if (b->dp && aggregation) {
		fail(e, ERR_RULE, "tables under differential_privacy and under aggregation cannot be combined in one query yet");
		error_rule(e, "mixed rules");
		return error_hint(e, "Ask about each on its own and combine the results.");
	}
	if (b->dp)
		return check_budgets(b, e) && check_units(b, e);
	if (!aggregation)
		return true;
	for (size_t i = 0; i < b->rel.n_scans; i++) {
		if (b->rel.scans[i]->table->rule == RULE_AGGREGATION && !check_join_required(b, b->rel.scans[i], e))
			return false;
	}
	return check_aggregation_conditions(b, e);
}

bool block_check_key(struct block *b, const struct expr *key, struct error *e)
{
	return only_dimensions(b, key, e);
}

static enum agg_function function_of(const struct aggregate *g)
{
	switch (g->kind) {
	case AGGREGATE_SUM:
		return AGG_SUM;
	case AGGREGATE_AVG:
		return AGG_AVG;
	case AGGREGATE_UNITS:
	case AGGREGATE_DISTINCT:
		return AGG_COUNT_DISTINCT;
	default:
		return AGG_COUNT;
	}
}

bool block_check_aggregate(struct block *b, const struct aggregate *g, int location, struct error *e)
{
	bool aggregation = false;

	for (size_t i = 0; i < b->n_tables; i++)
		aggregation = aggregation || b->tables[i]->rule == RULE_AGGREGATION;
	if (!aggregation)
		return true;
	if (g->filter && !only_dimensions(b, g->filter, e))
		return false;
	if (!g->arg || g->arg->kind != EXPR_COLUMN) {
		fail(e, ERR_RULE, "under the rule \"aggregation\" aggregates take one plain column");
		error_rule(e, "aggregation");
		error_hint(e, "Write count(column), sum(column) or avg(column) with a column that the rule lists.");
		return planning_at(b->planning, location, e);
	}
	const struct policy_table *t = expr_policy_table(g->arg);
	if (t->rule == RULE_AGGREGATION && !column_set_has(&t->aggregation.aggregates[function_of(g)], g->arg->column))
		return refuse_column(b, g->arg, "aggregated this way", "The rule lists the functions of each column.", e);
	return true;
}
