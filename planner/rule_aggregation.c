/* The aggregation rule: alone (exact values, small rows dropped), or beside differential privacy as a further restriction. */
#include "planner/rule_checks.h"

#include "base/text.h"
#include "planner/derived.h"

static bool restricted(const struct expr *x)
{
	return x->kind == EXPR_COLUMN && x->scan->table->aggregation.restricts;
}

static const struct expr *some_restricted(const struct expr *x)
{
	const struct expr *found = restricted(x) ? x : NULL;

	for (size_t i = 0; !found && i < x->n_args; i++)
		found = some_restricted(x->args[i]);
	return found;
}

/* Only listed functions may be applied to its columns; operators and casts are no functions. */
static bool check_scalars(const struct block *b, const struct expr *x, struct error *e)
{
	const struct expr *column = x->kind == EXPR_CALL ? some_restricted(x) : NULL;

	if (column && !x->function->is_operator && x->function->args[0] != ARG_NONE) {
		const struct policy_table *t = column->scan->table;
		const struct name_list *l = &t->aggregation.scalar_functions;
		if (l->items && !name_list_has(l, x->function->name)) {
			fail(e, ERR_RULE, "function %s may not be applied to columns of %s.%s", x->function->name, t->schema, t->name);
			error_rule(e, "aggregation: scalar_functions");
			error_detail(e, "rule \"aggregation\" of its owner \"%s\" lists the functions", t->owner);
			error_hint(e, "Use the column as it is, or apply the function to the result.");
			return planning_at(b->planning, x->location, e);
		}
	}
	for (size_t i = 0; i < x->n_args; i++) {
		if (!check_scalars(b, x->args[i], e))
			return false;
	}
	return true;
}

/* Every column of such a table inside x must be a dimension, or in conditions a filter. */
static bool only_dimensions(const struct block *b, const struct expr *x, bool condition, struct error *e)
{
	if (restricted(x) && !column_set_has(&x->scan->table->aggregation.dimensions, x->column) &&
	    !(condition && column_set_has(&x->scan->table->aggregation.filters, x->column)))
		return rule_refuse_column(b, x, "used here",
					  condition ? "Only the table's dimension and filter columns may stand in conditions."
						    : "Only the table's dimension columns may be filtered on or grouped by.", e);
	for (size_t i = 0; i < x->n_args; i++) {
		if (!only_dimensions(b, x->args[i], condition, e))
			return false;
	}
	return check_scalars(b, x, e);
}

/* A condition that joins one pair of tables: on join columns only, with OR only where the rules allow it. */
static bool check_join(const struct block *b, const struct expr *c, bool inside_or, struct error *e)
{
	for (size_t i = 0; i < c->n_args; i++) {
		const struct expr *x = c->args[i];
		if (c->kind != EXPR_COMPARE) {
			if (!check_join(b, x, inside_or || c->kind == EXPR_OR, e))
				return false;
			continue;
		}
		if (!restricted(x))
			continue;
		if (!column_set_has(&x->scan->table->aggregation.joins, x->column))
			return rule_refuse_column(b, x, "joined on", "Join on one of the table's join columns.", e);
		if (inside_or && !x->scan->table->aggregation.allow_or)
			return rule_refuse_column(b, x, "joined on with OR", "Combine join conditions with AND.", e);
	}
	return true;
}

static bool check_condition(const struct block *b, const struct expr *c, struct error *e)
{
	const struct scan *pair[2] = { NULL, NULL };

	return rule_join_pair(c, pair) ? check_join(b, c, false, e) : only_dimensions(b, c, true, e);
}

/* Where it is grouped, united, or compared with IN, the table's columns have other names: its lists would say nothing there. */
static bool check_direct(const struct block *b, struct error *e)
{
	struct arena *a = b->planning->arena;
	struct rel inside = b->rel;
	const struct policy_table **tables = NULL;
	size_t n = 0, cap = 0;

	inside.scans = arena_array(a, b->rel.n_scans + 1, struct scan *);
	inside.n_scans = 0;
	if (!inside.scans)
		return fail_memory(e);
	for (size_t i = 0; i < b->rel.n_scans; i++) {
		if (b->rel.scans[i]->derived)
			inside.scans[inside.n_scans++] = b->rel.scans[i];
	}
	if (!derived_tables(&inside, &tables, &n, &cap, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!tables[i]->aggregation.restricts)
			continue;
		fail(e, ERR_RULE, "%s.%s may be read in FROM directly only", tables[i]->schema, tables[i]->name);
		error_rule(e, "aggregation");
		error_detail(e, "rule \"aggregation\" of its owner \"%s\" lists what each column may be used for", tables[i]->owner);
		return error_hint(e, "Join it at the top of the query, not in a sub-select that groups, in UNION ALL or in IN (SELECT ...).");
	}
	return true;
}

static bool check_join_required(const struct block *b, const struct scan *s, struct error *e)
{
	const struct policy_table *t = s->table;

	if (!t->aggregation.join_required || rule_reaches_own(b, s))
		return true;
	fail(e, ERR_RULE, "%s.%s must be joined with a table of \"%s\"", t->schema, t->name, b->planning->settings->analyst);
	error_rule(e, "aggregation: join_required");
	error_detail(e, "rule \"aggregation\" of its owner \"%s\": only the overlap with the querying member's own table may be asked about", t->owner);
	return error_hint(e, "Add JOIN ... ON one of its join columns.");
}

bool rule_aggregation_conditions(const struct block *b, struct error *e)
{
	const struct rel *r = &b->rel;

	if (!check_direct(b, e))
		return false;
	for (size_t i = 0; i < r->n_conjuncts; i++) {
		if (!check_condition(b, r->conjuncts[i], e))
			return false;
	}
	for (size_t i = 0; i < r->n_scans; i++) {
		const struct scan *s = r->scans[i];
		for (size_t j = 0; s->nullable && j < s->n_on; j++) {
			if (!check_condition(b, s->on[j], e))
				return false;
		}
		if (s->table->aggregation.restricts && !check_join_required(b, s, e))
			return false;
	}
	return true;
}

bool rule_aggregation_key(const struct block *b, const struct expr *key, struct error *e)
{
	return only_dimensions(b, key, false, e);
}

static int function_of(const struct aggregate *g)
{
	static const struct {
		const char *name;
		enum agg_function function;
	} others[] = { { "min", AGG_MIN }, { "max", AGG_MAX }, { "stddev", AGG_STDDEV }, { "stddev_samp", AGG_STDDEV }, { "stddev_pop", AGG_STDDEV },
		       { "variance", AGG_VARIANCE }, { "var_samp", AGG_VARIANCE }, { "var_pop", AGG_VARIANCE } };

	switch (g->kind) {
	case AGGREGATE_SUM:
		return g->distinct ? AGG_SUM_DISTINCT : AGG_SUM;
	case AGGREGATE_AVG:
		return g->distinct ? -1 : AGG_AVG;
	case AGGREGATE_UNITS:
	case AGGREGATE_DISTINCT:
		return AGG_COUNT_DISTINCT;
	case AGGREGATE_ROWS:
	case AGGREGATE_COUNT:
		return AGG_COUNT;
	default:
		break;
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (text_eq(others[i].name, g->function))
			return (int)others[i].function;
	}
	return -1;
}

bool rule_aggregation_value(const struct block *b, const struct aggregate *g, int location, struct error *e)
{
	const struct policy_table *some = NULL;

	for (size_t i = 0; i < b->n_tables && !some; i++)
		some = b->tables[i]->aggregation.restricts ? b->tables[i] : NULL;
	if (!some)
		return true;
	if (g->filter && !only_dimensions(b, g->filter, true, e))
		return false;
	if (!g->arg || g->arg->kind != EXPR_COLUMN || g->arg_y) {
		fail(e, ERR_RULE, "under the rule \"aggregation\" aggregates take one plain column");
		error_rule(e, "aggregation");
		error_detail(e, "rule \"aggregation\" of the owner \"%s\" of %s.%s", some->owner, some->schema, some->name);
		error_hint(e, "Write count(column), sum(column) or avg(column) with a column that the rule lists.");
		return planning_at(b->planning, location, e);
	}
	int function = function_of(g);
	if (restricted(g->arg) &&
	    (function < 0 || !column_set_has(&g->arg->scan->table->aggregation.aggregates[function], g->arg->column)))
		return rule_refuse_column(b, g->arg, "aggregated this way", "The rule lists the functions of each column.", e);
	return true;
}
