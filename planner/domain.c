/* Public domains of group keys: from the policy's values and from booleans, narrowed by conditions on constants. */
#include "planner/block_parts.h"

#include "base/text.h"

/* +1 the condition admits the value, 0 it does not speak about this column, -1 it excludes the value. */
static int admits(const struct expr *c, const struct expr *column, const char *value)
{
	if (c->kind == EXPR_OR && c->n_args > 0) {
		int any = -1;
		for (size_t i = 0; i < c->n_args; i++) {
			int one = admits(c->args[i], column, value);
			if (one == 0)
				return 0;
			if (one > 0)
				any = 1;
		}
		return any;
	}
	if (c->kind != EXPR_COMPARE || !text_eq(c->op, "="))
		return 0;
	for (size_t i = 0; i < 2; i++) {
		const struct expr *x = c->args[i], *y = c->args[1 - i];
		if (expr_equal(x, column) && y->kind == EXPR_CONST && y->text && y->type == column->type)
			return text_eq(y->text, value) ? 1 : -1;
	}
	return 0;
}

static bool admitted(const struct block *b, const struct expr *column, const char *value)
{
	for (size_t i = 0; i < b->rel.n_conjuncts; i++) {
		if (admits(b->rel.conjuncts[i], column, value) < 0)
			return false;
	}
	return true;
}

bool block_key_domain(struct block *b, struct key *k, struct error *e)
{
	static const char *const booleans[] = { "false", "true", NULL };

	k->domain = NULL;
	if (k->expr->type == TYPE_BOOL) {
		k->domain = booleans;
		k->n_domain = ARRAY_LEN(booleans);
		return true;
	}
	if (k->expr->kind != EXPR_COLUMN || k->expr->scan->nullable || !expr_policy_column(k->expr)->values)
		return true;
	const struct policy_column *c = expr_policy_column(k->expr);
	const char **kept = arena_array(b->planning->arena, c->n_values ? c->n_values : 1, const char *);
	if (!kept)
		return fail_memory(e);
	k->n_domain = 0;
	for (size_t i = 0; i < c->n_values; i++) {
		if (admitted(b, k->expr, c->values[i]))
			kept[k->n_domain++] = c->values[i];
	}
	k->domain = kept;
	return true;
}

bool block_all_public(const struct block *b, size_t *product)
{
	*product = 1;
	for (size_t i = 0; i < b->n_keys; i++) {
		if (!b->keys[i].domain)
			return false;
		if (__builtin_mul_overflow(*product, b->keys[i].n_domain, product))
			*product = SIZE_MAX;
	}
	return true;
}
