/* Analysis rules: who may ask about which tables, and what the aggregation rule of an owner lists. */
#include "planner/block_parts.h"

#include "base/text.h"

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

static bool check_units(struct block *b, struct error *e)
{
	struct unit_flow flow;

	if (!unit_follow(&b->rel, &flow, e))
		return false;
	if (!flow.unit) { /* protected tables inside IN (SELECT ...) alone: nothing of theirs is counted by unit */
		fail(e, ERR_RULE, "protected tables stand in a sub-select only");
		error_rule(e, "joins: privacy unit");
		return error_hint(e, "Read a protected table in FROM.");
	}
	b->unit = flow.unit;
	b->unit_name = flow.name;
	b->max_rows = flow.max_rows;
	b->max_groups = flow.max_groups;
	b->owner_moves = flow.owner_moves;
	return true;
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
	if (g->kind != AGGREGATE_COUNT && g->kind != AGGREGATE_DISTINCT && g->kind != AGGREGATE_UNITS && g->kind != AGGREGATE_SUM && g->kind != AGGREGATE_AVG)
		return refuse_column(b, g->arg, "aggregated this way", "The rule lists the functions of each column.", e);
	const struct policy_table *t = expr_policy_table(g->arg);
	if (t->rule == RULE_AGGREGATION && !column_set_has(&t->aggregation.aggregates[function_of(g)], g->arg->column))
		return refuse_column(b, g->arg, "aggregated this way", "The rule lists the functions of each column.", e);
	return true;
}
