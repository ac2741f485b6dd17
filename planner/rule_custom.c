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

static bool is_controlled(const struct expr *x)
{
	return is_custom(x) && x->scan->table->custom.controls;
}

/* A column whose distinct values a threshold counts. */
static bool is_identity(const struct expr *x)
{
	const struct aggregation_rule *a = &x->scan->table->aggregation;
	bool found = false;

	for (size_t i = 0; i < a->n_constraints; i++)
		found = found || a->constraints[i].column == x->column;
	return found;
}

/* What a comparison compares its columns with: constants, or other columns. */
static bool check_comparison(const struct block *b, const struct expr *x, const struct expr *other, struct error *e)
{
	if (!is_controlled(x))
		return true;
	const struct custom_rule *c = &x->scan->table->custom;
	bool literal = expr_is_constant(other);
	if (literal && (is_identity(x) || !column_set_has(&c->literal_comparisons, x->column)))
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
	if (is_controlled(x))
		return rule_refuse_column(b, x, "used in this condition", "Compare it directly with what the rule's comparisons allow.", e);
	for (size_t i = 0; i < x->n_args; i++) {
		if (!check_condition(b, x->args[i], e))
			return false;
	}
	return true;
}

static bool names_part(enum arg_class c)
{
	return c == ARG_UNIT || c == ARG_FIELD || c == ARG_FORMAT || c == ARG_ZONE || c == ARG_DIGITS;
}

/* Every column inside x counts as compared with other. */
static bool check_combined(const struct block *b, const struct expr *x, const struct expr *other, struct error *e)
{
	for (size_t i = 0; i < x->n_args; i++) {
		if (!check_combined(b, x->args[i], other, e))
			return false;
	}
	return check_comparison(b, x, other, e);
}

static bool check_value(const struct block *b, const struct expr *x, struct error *e);

static bool check_parts(const struct block *b, const struct expr *x, bool combines, struct error *e)
{
	for (size_t i = 0; i < x->n_args; i++) {
		const struct expr *arg = x->args[i];
		if (!check_value(b, arg, e))
			return false;
		if (is_controlled(arg) && is_identity(arg))
			return rule_refuse_column(b, arg, "computed with", "A column of a threshold stands in a result as it is.", e);
		for (size_t j = 0; combines && j < x->n_args; j++) {
			bool part = x->kind == EXPR_CALL && j < ARRAY_LEN(x->function->args) && names_part(x->function->args[j]);
			if (i != j && !part && !check_combined(b, arg, x->args[j], e))
				return false;
		}
	}
	return true;
}

/*
 * Keys and aggregate arguments under comparison controls.  A column that may not be compared with constants could be compared all the same by a
 * group key, a CASE, NULLIF, strpos or arithmetic; so what combines columns with something else counts as a comparison with it.  Units of dates, digits
 * and formats compare nothing.
 */
static bool check_value(const struct block *b, const struct expr *x, struct error *e)
{
	switch (x->kind) {
	case EXPR_COLUMN:
	case EXPR_CONST:
		return true;
	case EXPR_CALL:
	case EXPR_NULLIF:
	case EXPR_GREATEST:
	case EXPR_LEAST:
		return check_parts(b, x, true, e);
	case EXPR_COALESCE:
		return check_parts(b, x, false, e);
	case EXPR_CASE:
		for (size_t i = 0; i + 1 < x->n_args; i += 2) {
			if (!check_condition(b, x->args[i], e) || !check_value(b, x->args[i + 1], e))
				return false;
		}
		return x->n_args % 2 == 0 || check_value(b, x->args[x->n_args - 1], e);
	default:
		return check_condition(b, x, e);
	}
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

static bool allowed_output(const struct block *b, const struct expr *x, struct error *e)
{
	if (is_custom(x) && column_set_has(&x->scan->table->custom.disallowed_output, x->column))
		return rule_refuse_column(b, x, "part of a result", "It may be used in conditions and joins only.", e);
	for (size_t i = 0; i < x->n_args; i++) {
		if (!allowed_output(b, x->args[i], e))
			return false;
	}
	return true;
}

bool rule_custom_output(const struct block *b, const struct expr *x, struct error *e)
{
	return allowed_output(b, x, e) && check_value(b, x, e);
}

/* A table whose threshold lets aggregates take bare columns only. */
static const struct policy_table *columns_only(const struct block *b)
{
	for (size_t i = 0; i < b->n_tables; i++) {
		if (b->tables[i]->rule == RULE_CUSTOM && b->tables[i]->custom.columns_only)
			return b->tables[i];
	}
	return NULL;
}

bool rule_custom_value(const struct block *b, const struct aggregate *g, int location, struct error *e)
{
	const struct expr *const args[] = { g->arg, g->arg_y };
	const struct policy_table *t = columns_only(b);

	if (g->filter && !check_condition(b, g->filter, e))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(args); i++) {
		if (!args[i])
			continue;
		if (args[i]->kind == EXPR_COLUMN || !t) {
			if (!rule_custom_output(b, args[i], e))
				return false;
			continue;
		}
		fail(e, ERR_RULE, "aggregates beside %s.%s take plain columns", t->schema, t->name);
		error_rule(e, "custom: thresholds");
		error_detail(e, "rule \"custom\" of its owner \"%s\": a threshold has expressions: columns", t->owner);
		error_hint(e, "Aggregate the column itself.");
		return planning_at(b->planning, location, e);
	}
	return true;
}
