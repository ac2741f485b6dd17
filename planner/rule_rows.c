/* Row-level output: all of public tables and of the member's own free ones, the overlap under the list rule, what the custom rule approves. */
#include "planner/rule_checks.h"

#include "base/text.h"

static bool is_list(const struct expr *x)
{
	return x->kind == EXPR_COLUMN && x->scan->table->rule == RULE_LIST;
}

static bool check_list_join(const struct block *b, const struct expr *c, bool inside_or, struct error *e)
{
	for (size_t i = 0; i < c->n_args; i++) {
		const struct expr *x = c->args[i];
		if (c->kind != EXPR_COMPARE) {
			if (!check_list_join(b, x, inside_or || c->kind == EXPR_OR, e))
				return false;
			continue;
		}
		if (!is_list(x))
			continue;
		if (!column_set_has(&x->scan->table->list.joins, x->column))
			return rule_refuse_column(b, x, "joined on", "Join on one of the table's join columns.", e);
		if (inside_or && !x->scan->table->list.allow_or)
			return rule_refuse_column(b, x, "joined on with OR", "Combine join conditions with AND.", e);
	}
	return true;
}

/* Other conditions compare listed columns and search beacons, without functions. */
static bool check_list_filter(const struct block *b, const struct expr *x, bool inside_call, struct error *e)
{
	const bool beacon = is_list(x) && expr_policy_column(x)->searched;
	if (is_list(x) && (inside_call || !(beacon || column_set_has(&x->scan->table->list.columns, x->column))))
		return rule_refuse_column(b, x, "used in this condition", "Compare the rule's listed columns, without functions.", e);
	bool call = inside_call || (x->kind == EXPR_CALL && !x->function->is_operator);
	for (size_t i = 0; i < x->n_args; i++) {
		if (!check_list_filter(b, x->args[i], call, e))
			return false;
	}
	return true;
}

static bool check_list_condition(const struct block *b, const struct expr *x, struct error *e)
{
	const struct scan *pair[2] = { NULL, NULL };

	return rule_join_pair(x, pair) ? check_list_join(b, x, false, e) : check_list_filter(b, x, false, e);
}

static bool check_list(const struct block *b, const struct scan *s, bool distinct, struct error *e)
{
	const struct policy_table *t = s->table;
	const struct rel *r = &b->rel;

	if (!distinct)
		return rule_refuse(b, t, -1, "is listed without repetitions", "Write SELECT DISTINCT.", e);
	if (!rule_reaches_own(b, s))
		return rule_refuse(b, t, -1, "must be joined with a table of the querying member", "Add JOIN ... ON one of its join columns: only the overlap is listed.", e);
	for (size_t i = 0; i < r->n_conjuncts; i++) {
		if (!check_list_condition(b, r->conjuncts[i], e))
			return false;
	}
	return !s->nullable || rule_refuse(b, t, -1, "may not stand in an outer join", "Use INNER JOIN: only the overlap is listed.", e);
}

bool rule_rows_tables(const struct block *b, bool distinct, struct error *e)
{
	for (size_t i = 0; i < b->n_tables; i++) {
		const struct policy_table *t = b->tables[i];
		if (t->rule == RULE_DIFFERENTIAL_PRIVACY || t->rule == RULE_AGGREGATION)
			return rule_refuse(b, t, -1, "may not be shown row by row", "Ask for statistics: SELECT count(*) ... GROUP BY ...", e);
		if (t->rule == RULE_CUSTOM && t->aggregation.n_constraints > 0)
			return rule_refuse(b, t, -1, "may not be shown row by row: its rule has thresholds", "Aggregate: count, sum, avg.", e);
	}
	for (size_t i = 0; i < b->rel.n_scans; i++) {
		const struct scan *s = b->rel.scans[i];
		if (s->nullable) {
			for (size_t j = 0; j < s->n_on; j++) {
				if (!check_list_condition(b, s->on[j], e))
					return false;
			}
		}
		if (s->table->rule == RULE_LIST && !check_list(b, s, distinct, e))
			return false;
	}
	return true;
}

bool rule_rows_output(const struct block *b, const struct expr *x, struct error *e)
{
	if (is_list(x) && !column_set_has(&x->scan->table->list.columns, x->column))
		return rule_refuse_column(b, x, "listed", "The rule names the columns that may be.", e);
	for (size_t i = 0; i < x->n_args; i++) {
		if (is_list(x->args[i]))
			return rule_refuse_column(b, x->args[i], "computed with", "List the column itself.", e);
		if (!rule_rows_output(b, x->args[i], e))
			return false;
	}
	return true;
}
