/* The custom rule: approved templates, or any query of named members within thresholds and comparison controls. */
#include "planner/rule_checks.h"

#include "base/text.h"

static bool is_custom(const struct expr *x)
{
	return x->kind == EXPR_COLUMN && x->scan->table->rule == RULE_CUSTOM;
}

static bool approved(const struct block *b, const struct policy_table *t)
{
	const struct policy_template *running = b->planning->template;

	for (size_t i = 0; running && i < t->custom.templates.n; i++) {
		if (text_eq(t->custom.templates.items[i], running->name))
			return true;
	}
	return t->custom.any_query;
}

/* What a comparison compares its columns with: constants, or other columns. */
static bool check_comparison(const struct block *b, const struct expr *x, const struct expr *other, struct error *e)
{
	if (!is_custom(x) || !x->scan->table->custom.controls)
		return true;
	const struct custom_rule *c = &x->scan->table->custom;
	bool literal = expr_is_constant(other);
	bool identity = false;
	for (size_t i = 0; i < x->scan->table->aggregation.n_constraints; i++)
		identity = identity || x->scan->table->aggregation.constraints[i].column == x->column;
	if (literal && (identity || !column_set_has(&c->literal_comparisons, x->column)))
		return rule_refuse_column(b, x, "compared with a constant", "The rule's comparisons list the columns that may be.", e);
	if (!literal && !column_set_has(&c->column_comparisons, x->column))
		return rule_refuse_column(b, x, "compared with a column", "The rule's comparisons list the columns that may be.", e);
	return true;
}

/* Under comparison controls a column of the table stands in conditions only as one side of a comparison. */
static bool check_condition(const struct block *b, const struct expr *x, struct error *e)
{
	if (x->kind == EXPR_COMPARE)
		return check_comparison(b, x->args[0], x->args[1], e) && check_comparison(b, x->args[1], x->args[0], e) &&
		       (x->args[0]->kind == EXPR_COLUMN || check_condition(b, x->args[0], e)) &&
		       (x->args[1]->kind == EXPR_COLUMN || check_condition(b, x->args[1], e));
	if (is_custom(x) && x->scan->table->custom.controls)
		return rule_refuse_column(b, x, "used in this condition", "Compare it directly with what the rule's comparisons allow.", e);
	for (size_t i = 0; i < x->n_args; i++) {
		if (!check_condition(b, x->args[i], e))
			return false;
	}
	return true;
}

bool rule_custom_tables(const struct block *b, struct error *e)
{
	const struct rel *r = &b->rel;

	for (size_t i = 0; i < b->n_tables; i++) {
		const struct policy_table *t = b->tables[i];
		if (t->rule == RULE_CUSTOM && !approved(b, t))
			return rule_refuse(b, t, -1, "may be asked about by approved templates only", "SELECT * FROM template(...): noisegate.rules lists them.", e);
	}
	for (size_t i = 0; i < r->n_conjuncts; i++) {
		if (!check_condition(b, r->conjuncts[i], e))
			return false;
	}
	for (size_t i = 0; i < r->n_scans; i++) {
		for (size_t j = 0; j < r->scans[i]->n_on; j++) {
			if (!check_condition(b, r->scans[i]->on[j], e))
				return false;
		}
	}
	return true;
}

bool rule_custom_output(const struct block *b, const struct expr *x, struct error *e)
{
	if (is_custom(x) && column_set_has(&x->scan->table->custom.disallowed_output, x->column))
		return rule_refuse_column(b, x, "part of a result", "It may be used in conditions and joins only.", e);
	for (size_t i = 0; i < x->n_args; i++) {
		if (!rule_custom_output(b, x->args[i], e))
			return false;
	}
	return true;
}

static bool columns_only(const struct block *b)
{
	bool found = false;

	for (size_t i = 0; i < b->n_tables; i++)
		found = found || (b->tables[i]->rule == RULE_CUSTOM && b->tables[i]->custom.columns_only);
	return found;
}

bool rule_custom_value(const struct block *b, const struct aggregate *g, int location, struct error *e)
{
	const struct expr *const args[] = { g->arg, g->arg_y };

	if (g->filter && !check_condition(b, g->filter, e))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(args); i++) {
		if (args[i] && !rule_custom_output(b, args[i], e))
			return false;
		if (!args[i] || args[i]->kind == EXPR_COLUMN || !columns_only(b))
			continue;
		fail(e, ERR_RULE, "aggregates take plain columns here");
		error_rule(e, "custom: thresholds");
		error_detail(e, "A threshold of the rule \"custom\" allows expressions: columns.");
		error_hint(e, "Aggregate the column itself.");
		return planning_at(b->planning, location, e);
	}
	return true;
}
