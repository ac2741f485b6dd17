#include "planner/sealed_rows.h"

#include "base/text.h"
#include "planner/ast.h"
#include "planner/block_parts.h"
#include "planner/sealed.h"
#include "policies/encoding.h"

typedef PgQuery__Node Node;

static struct binder binder_of(struct block *b)
{
	return (struct binder){ .rel = &b->rel, .names = &b->names };
}

/* A column of cells that a result may show; what it may not show is refused where columns are collected (sealed_carry). */
static bool shows_cells(struct block *b, const Node *n, const struct expr **out)
{
	const struct binder binder = binder_of(b);
	struct error ignored = ERROR_INIT;
	struct expr *x;

	if (n->node_case != PG_QUERY__NODE__NODE_COLUMN_REF || !bind_expr(&binder, n, &x, &ignored) || !sealed_is(x))
		return false;
	*out = x;
	return expr_policy_table(x)->rule == RULE_PUBLIC || encoding_carried(expr_policy_column(x)->encoding);
}

static bool refuse_computing(const struct block *b, const struct expr *x, struct error *e)
{
	const struct policy_column *c = expr_policy_column(x);
	const struct policy_table *t = expr_policy_table(x);

	fail(e, ERR_RULE, "column \"%s\" of %s%s%s may only be shown as it is", c->name, t->schema, *t->schema ? "." : "", t->name);
	error_detail(e, "Its owner \"%s\" sealed it (encoding: %s): its cells are not its values.", t->owner, encoding_name(c->encoding));
	error_hint(e, "Select the column itself, and compute with what noisegate unseal or detokenize gives back.");
	error_rule(e, "sealed columns");
	return planning_at(b->planning, x->location, e);
}

/* Inside an expression of the result.  What the protected part can compute of cells (IS NULL, equality) it computes. */
static bool visit(void *ctx, Node *n, struct error *e)
{
	struct block *b = ctx;
	const struct binder binder = binder_of(b);
	struct error ignored = ERROR_INIT;
	const struct expr *cells;
	struct expr *x;

	if (n->node_case == PG_QUERY__NODE__NODE__NOT_SET || n->node_case == PG_QUERY__NODE__NODE_STRING)
		return false;
	if (n->node_case == PG_QUERY__NODE__NODE_SUB_LINK) /* its names are its own */
		return n->sub_link->testexpr && ast_walk_node(n->sub_link->testexpr, visit, ctx, e) && false;
	if (shows_cells(b, n, &cells))
		return refuse_computing(b, cells, e);
	return n->node_case != PG_QUERY__NODE__NODE_COLUMN_REF && !bind_expr(&binder, n, &x, &ignored);
}

static bool is_text(const PgQuery__TypeName *t)
{
	const char *name = t->n_names > 0 ? t->names[t->n_names - 1]->string->sval : "";

	return t->n_array_bounds == 0 && (text_eq(name, "text") || text_eq(name, "varchar"));
}

/* A column, also cast: note::text is the cell itself.  Order by cells means nothing, but is one and the same each time: pages need it. */
static bool only_shows(struct block *b, Node *n, struct error *e)
{
	while (n->node_case == PG_QUERY__NODE__NODE_TYPE_CAST && is_text(n->type_cast->type_name))
		n = n->type_cast->arg;
	return n->node_case == PG_QUERY__NODE__NODE_COLUMN_REF || ast_walk_node(n, visit, b, e);
}

bool sealed_rows(struct block *b, const PgQuery__SelectStmt *s, struct error *e)
{
	for (size_t i = 0; i < s->n_target_list; i++) {
		if (!only_shows(b, s->target_list[i]->res_target->val, e))
			return false;
	}
	for (size_t i = 0; i < s->n_sort_clause; i++) {
		if (!only_shows(b, s->sort_clause[i]->sort_by->node, e))
			return false;
	}
	return true;
}
