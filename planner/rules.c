/* Analysis rules: every rule of every table of a query must hold.  Which check belongs to which rule is decided here. */
#include "planner/rule_checks.h"

#include "base/text.h"

bool rule_refuse(const struct block *b, const struct policy_table *t, int location, const char *what, const char *hint, struct error *e)
{
	fail(e, ERR_RULE, "%s.%s %s", t->schema, t->name, what);
	error_rule(e, table_rule_name(t->rule));
	error_detail(e, "rule \"%s\" of its owner \"%s\"", table_rule_name(t->rule), t->owner);
	error_hint(e, "%s", hint);
	return planning_at(b->planning, location, e);
}

bool rule_refuse_column(const struct block *b, const struct expr *x, const char *use, const char *hint, struct error *e)
{
	const struct policy_table *t = expr_policy_table(x);
	const char *rule = t->aggregation.restricts ? "aggregation" : table_rule_name(t->rule);

	fail(e, ERR_RULE, "column \"%s\" of %s.%s may not be %s", expr_policy_column(x)->name, t->schema, t->name, use);
	error_rule(e, rule);
	error_detail(e, "rule \"%s\" of its owner \"%s\"", rule, t->owner);
	error_hint(e, "%s", hint);
	return planning_at(b->planning, x->location, e);
}

bool rule_is_join(const struct expr *c)
{
	return c->kind == EXPR_COMPARE && text_eq(c->op, "=") && c->args[0]->kind == EXPR_COLUMN && c->args[1]->kind == EXPR_COLUMN &&
	       c->args[0]->scan != c->args[1]->scan;
}

bool rule_join_pair(const struct expr *c, const struct scan *pair[2])
{
	if (rule_is_join(c)) {
		const struct scan *x = c->args[0]->scan, *y = c->args[1]->scan;
		if (!pair[0]) {
			pair[0] = x;
			pair[1] = y;
		}
		return (pair[0] == x && pair[1] == y) || (pair[0] == y && pair[1] == x);
	}
	if (c->kind != EXPR_OR && c->kind != EXPR_AND)
		return false;
	for (size_t i = 0; i < c->n_args; i++) {
		if (!rule_join_pair(c->args[i], pair))
			return false;
	}
	return c->n_args > 0;
}

static bool spread(const struct expr *c, bool *reached)
{
	const struct scan *pair[2] = { NULL, NULL };

	if (!rule_join_pair(c, pair))
		return false;
	size_t x = pair[0]->number - 1, y = pair[1]->number - 1;
	if (reached[x] == reached[y])
		return false;
	reached[x] = reached[y] = true;
	return true;
}

bool rule_reaches_own(const struct block *b, const struct scan *s)
{
	const struct rel *r = &b->rel;
	bool *reached = arena_array(b->planning->arena, r->n_scans + 1, bool), more = true;

	if (!reached)
		return false;
	for (size_t i = 0; i < r->n_scans; i++)
		reached[i] = text_eq(r->scans[i]->table->owner, b->planning->settings->analyst);
	while (more) {
		more = false;
		for (size_t i = 0; i < r->n_conjuncts; i++)
			more = spread(r->conjuncts[i], reached) || more;
	}
	return reached[s->number - 1];
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

static bool check_analysts(const struct block *b, struct error *e)
{
	const char *analyst = b->planning->settings->analyst;

	for (size_t i = 0; i < b->n_tables; i++) {
		const struct policy_table *t = b->tables[i];
		bool named = false;
		for (size_t j = 0; j < t->analysts.n; j++)
			named = named || text_eq(t->analysts.items[j], analyst);
		if (!t->analysts.items || named || text_eq(t->owner, analyst))
			continue;
		return rule_refuse(b, t, -1, "may not be asked about by this member", "Its policy lists the members who may.", e);
	}
	return true;
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
	b->single = flow.single;
	return true;
}

/* Tables that stand in sub-selects are checked where they are bound: only public and noised ones may. */
static bool check_list(const struct block *b, struct error *e)
{
	for (size_t i = 0; !b->rows && i < b->n_tables; i++) {
		if (b->tables[i]->rule == RULE_LIST)
			return rule_refuse(b, b->tables[i], -1, "may only be listed", "Write SELECT DISTINCT with its listed columns, joined with a table of yours.", e);
	}
	return true;
}

bool block_check_tables(struct block *b, bool distinct, struct error *e)
{
	const struct policy_table *exact = NULL;

	for (size_t i = 0; i < b->n_tables; i++) {
		b->dp = b->dp || b->tables[i]->rule == RULE_DIFFERENTIAL_PRIVACY;
		if (b->tables[i]->rule != RULE_DIFFERENTIAL_PRIVACY && b->tables[i]->rule != RULE_PUBLIC)
			exact = b->tables[i];
	}
	if (!check_analysts(b, e))
		return false;
	if (b->dp && exact) {
		fail(e, ERR_RULE, "tables under differential_privacy and under %s cannot be combined in one query", table_rule_name(exact->rule));
		error_rule(e, "mixed rules");
		error_detail(e, "%s.%s of \"%s\" answers exactly, and what its rule drops or shows would tell about the protected rows.", exact->schema,
			     exact->name, exact->owner);
		return error_hint(e, "Ask about each on its own and combine the results.");
	}
	if (!check_list(b, e) || !rule_custom_tables(b, e) || (b->rows && !rule_rows_tables(b, distinct, e)) || !rule_aggregation_conditions(b, e))
		return false;
	return !b->dp || (check_budgets(b, e) && check_units(b, e));
}

bool block_check_key(struct block *b, const struct expr *key, struct error *e)
{
	if (!rule_custom_output(b, key, e))
		return false;
	return b->rows ? rule_rows_output(b, key, e) : rule_aggregation_key(b, key, e);
}

bool block_check_aggregate(struct block *b, const struct aggregate *g, int location, struct error *e)
{
	return rule_custom_value(b, g, location, e) && rule_aggregation_value(b, g, location, e);
}
