#include "planner/rel.h"

#include "base/text.h"

bool expr_equal(const struct expr *a, const struct expr *b)
{
	if (a->kind != b->kind || a->type != b->type || a->n_args != b->n_args || a->scan != b->scan || a->select != b->select)
		return false;
	if (a->kind == EXPR_COLUMN && a->column != b->column)
		return false;
	if (a->kind == EXPR_UNKNOWN_PARAM && a->column != b->column)
		return false;
	if (a->function != b->function || !text_eq(a->op, b->op) || !text_eq(a->text, b->text))
		return false;
	for (size_t i = 0; i < a->n_args; i++) {
		if (!expr_equal(a->args[i], b->args[i]))
			return false;
	}
	return true;
}

const struct policy_column *expr_policy_column(const struct expr *x)
{
	BUG_IF(x->kind != EXPR_COLUMN);
	return &x->scan->table->columns[x->column];
}

const struct policy_table *expr_policy_table(const struct expr *x)
{
	BUG_IF(x->kind != EXPR_COLUMN);
	return x->scan->table;
}

bool expr_is_constant(const struct expr *x)
{
	if (x->kind == EXPR_COLUMN || x->kind == EXPR_UNIT || x->kind == EXPR_IN_SELECT)
		return false;
	for (size_t i = 0; i < x->n_args; i++) {
		if (!expr_is_constant(x->args[i]))
			return false;
	}
	return true;
}

struct expr *expr_copy(struct arena *a, const struct expr *x)
{
	struct expr *c = arena_new(a, struct expr);

	if (c)
		*c = *x;
	return c;
}
