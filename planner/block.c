#include "planner/block_parts.h"

#include "base/mem.h"
#include "base/text.h"
#include "planner/derived.h"
#include "planner/post.h"
#include "planner/sealed.h"

typedef PgQuery__Node Node;

static bool refuse(const struct block *b, int location, struct error *e, const char *rule, const char *message, const char *hint)
{
	fail(e, ERR_RULE, "%s", message);
	error_rule(e, rule);
	error_hint(e, "%s", hint);
	return planning_at(b->planning, location, e);
}

/* For people: a column's name, or what kind of expression it is. */
const char *block_label(const struct expr *x)
{
	if (x->kind == EXPR_COLUMN)
		return expr_policy_column(x)->name;
	if (x->kind == EXPR_CALL && x->function->total && x->n_args > 0 && x->args[x->n_args - 1]->kind == EXPR_COLUMN)
		return expr_policy_column(x->args[x->n_args - 1])->name;
	return "expression";
}

static bool open_key(struct block *b, const Node *n, struct key *k, size_t number, struct error *e)
{
	const struct binder binder = { .rel = &b->rel, .names = &b->names };
	struct arena *a = b->planning->arena;

	if (!bind_expr(&binder, n, &k->expr, e) || !bind_usable(&binder, k->expr, e) || !bind_as(&binder, k->expr, TYPE_TEXT, e))
		return false;
	if (!block_check_key(b, k->expr, e))
		return false;
	if (k->expr->type == TYPE_FLOAT8 && b->dp)
		return refuse(b, k->expr->location, e, "GROUP BY: float", "double precision values cannot be group keys",
			      "Cast or round to a number of digits: round(x::numeric, 2), x::integer.");
	k->name = arena_printf(a, "k%zu", number);
	k->label = block_label(k->expr);
	return k->name ? true : fail_memory(e);
}

/*
 * Lists the tables, and checks their rules.  Again when a key or an aggregate brought a sub-select (FILTER (WHERE x IN (SELECT ...))): its tables are read,
 * so they are charged for and their rules hold.
 */
static bool check_tables(struct block *b, struct error *e)
{
	size_t cap = 0;

	b->tables = NULL;
	b->n_tables = 0;
	b->n_checked = b->rel.n_selects;
	return derived_tables(&b->rel, &b->tables, &b->n_tables, &cap, e) && block_check_tables(b, b->distinct, e);
}

bool block_check_again(struct block *b, struct error *e)
{
	return b->n_checked == b->rel.n_selects || check_tables(b, e);
}

bool block_open(const struct planning *p, const struct cte *scope, const PgQuery__SelectStmt *s, bool rows, struct block **out, struct error *e)
{
	struct block *b = arena_new(p->arena, struct block);

	if (!b)
		return fail_memory(e);
	*b = (struct block){ .planning = p, .rel = { .planning = p, .scope = scope }, .rows = rows, .distinct = s->n_distinct_clause > 0 };
	b->cap_keys = rows ? POLICY_COLUMNS_MAX : BLOCK_KEYS_MAX;
	b->keys = arena_array(p->arena, b->cap_keys, struct key);
	if (!b->keys)
		return fail_memory(e);
	if (!rel_bind_from(&b->rel, s, scope, &b->names, e) || !check_tables(b, e))
		return false;
	*out = b;
	return true;
}

size_t block_keys(const struct block *b)
{
	return b->n_keys;
}

bool block_subset(const struct block *b, const bool keep[BLOCK_KEYS_MAX], struct block **out, struct error *e)
{
	struct arena *a = b->planning->arena;
	struct block *c = arena_new(a, struct block);

	if (!c)
		return fail_memory(e);
	*c = *b;
	c->keys = arena_array(a, BLOCK_KEYS_MAX, struct key);
	c->aggregates = arena_array(a, b->n_aggregates + 1, struct aggregate);
	if (!c->keys || !c->aggregates)
		return fail_memory(e);
	if (b->n_aggregates > 0)
		mem_copy(c->aggregates, b->aggregates, b->n_aggregates * sizeof(*c->aggregates));
	c->n_keys = 0;
	for (size_t i = 0; i < b->n_keys; i++) {
		if (keep[i])
			c->keys[c->n_keys++] = b->keys[i];
	}
	*out = c;
	return true;
}

bool block_group(struct block *b, const Node *n, size_t *number, struct error *e)
{
	struct key k = { 0 };

	if (b->n_keys == BLOCK_KEYS_MAX)
		return refuse(b, -1, e, "GROUP BY", "at most 16 group keys are supported", "Group by fewer columns.");
	if (!open_key(b, n, &k, b->n_keys + 1, e) || !block_check_again(b, e))
		return false;
	for (size_t i = 0; i < b->n_keys; i++) {
		if (expr_equal(b->keys[i].expr, k.expr)) {
			*number = i;
			return true;
		}
	}
	*number = b->n_keys;
	b->expression_keys = b->expression_keys || k.expr->kind != EXPR_COLUMN;
	b->keys[b->n_keys++] = k;
	return true;
}

bool block_has_column(const struct block *b, const char *name)
{
	for (size_t t = 0; t < b->names.n; t++) {
		for (size_t i = 0; i < b->names.tables[t].n; i++) {
			if (text_eq(b->names.tables[t].names[i], name))
				return true;
		}
	}
	return false;
}

/* An expression of row-level output: a column of its own, unless it is a constant or needs more than one row. */
static bool row_column(struct block *b, const Node *n, int *column, struct error *e)
{
	const struct binder binder = { .rel = &b->rel, .names = &b->names };
	struct error ignored = ERROR_INIT;
	struct key k = { 0 };

	if (!bind_expr(&binder, n, &k.expr, &ignored) || !bind_as(&binder, k.expr, TYPE_TEXT, &ignored)) {
		if (n->node_case == PG_QUERY__NODE__NODE_COLUMN_REF)
			*e = ignored;
		return n->node_case != PG_QUERY__NODE__NODE_COLUMN_REF;
	}
	if (expr_is_constant(k.expr))
		return true;
	for (size_t i = 0; i < b->n_keys; i++) {
		if (expr_equal(b->keys[i].expr, k.expr)) {
			*column = (int)i;
			return true;
		}
	}
	if (b->n_keys == b->cap_keys)
		return refuse(b, -1, e, "limits", "a result may have at most 256 columns", "Select fewer columns.");
	if (!block_check_key(b, k.expr, e) || !sealed_carry(&binder, k.expr, e))
		return false;
	k.name = arena_printf(b->planning->arena, "k%zu", b->n_keys + 1);
	k.label = block_label(k.expr);
	*column = (int)b->n_keys;
	b->keys[b->n_keys++] = k;
	return k.name ? true : fail_memory(e);
}

size_t block_star(const struct block *b, const char *only)
{
	size_t n = 0;

	for (size_t t = 0; t < b->names.n; t++)
		n += !only || text_eq(only, b->names.tables[t].alias) ? b->names.tables[t].n : 0;
	return n;
}

void block_star_column(const struct block *b, const char *only, size_t i, const char **alias, const char **name)
{
	for (size_t t = 0; t < b->names.n; t++) {
		const struct visible *v = &b->names.tables[t];
		if (only && !text_eq(only, v->alias))
			continue;
		if (i < v->n) {
			*alias = v->alias;
			*name = v->names[i];
			return;
		}
		i -= v->n;
	}
	BUG_IF(true);
}

static bool find_column(struct block *b, const Node *expr, int *column, struct error *e)
{
	const struct binder binder = { .rel = &b->rel, .names = &b->names };
	struct error ignored = ERROR_INIT;
	struct expr *x;

	*column = -1;
	if (b->rows)
		return row_column(b, expr, column, e);
	if (expr->node_case == PG_QUERY__NODE__NODE_FUNC_CALL && post_is_aggregate(expr->func_call))
		return block_aggregate(b, expr->func_call, column, e);
	if (expr->node_case == PG_QUERY__NODE__NODE_FUNC_CALL && block_interval_end(b, expr->func_call, column, e))
		return true;
	if (e->code != ERR_NONE)
		return false;
	if (expr->node_case == PG_QUERY__NODE__NODE_A_CONST || expr->node_case == PG_QUERY__NODE__NODE_PARAM_REF)
		return true;
	if (expr->node_case != PG_QUERY__NODE__NODE_COLUMN_REF && !b->expression_keys)
		return true; /* spares binding every level of a long expression again */
	bool column_ref = expr->node_case == PG_QUERY__NODE__NODE_COLUMN_REF;
	if (!bind_expr(&binder, expr, &x, &ignored)) {
		if (!column_ref)
			return true; /* no group key; the caller looks inside */
		*e = ignored;
		return false;
	}
	for (size_t i = 0; i < b->n_keys; i++) {
		if (expr_equal(b->keys[i].expr, x)) {
			*column = (int)i;
			return true;
		}
	}
	if (column_ref) {
		fail(e, ERR_GROUPING, "column \"%s\" must appear in the GROUP BY clause or be used in an aggregate function",
		     block_label(x));
		error_rule(e, "row-level output");
		error_hint(e, "Group by it, or aggregate it.");
		return planning_at(b->planning, x->location, e);
	}
	return true;
}

bool block_column(struct block *b, const Node *expr, int *column, struct error *e)
{
	return find_column(b, expr, column, e) && block_check_again(b, e);
}

size_t block_columns(const struct block *b)
{
	return b->n_keys + b->n_aggregates;
}

const char *block_column_name(const struct block *b, int column)
{
	size_t i = (size_t)column;

	BUG_IF(column < 0 || i >= block_columns(b));
	return i < b->n_keys ? b->keys[i].name : b->aggregates[i - b->n_keys].name;
}

enum sql_type block_column_type(const struct block *b, int column)
{
	size_t i = (size_t)column;

	BUG_IF(column < 0 || i >= block_columns(b));
	return i < b->n_keys ? b->keys[i].expr->type : b->aggregates[i - b->n_keys].type;
}

size_t block_tables(const struct block *b, const struct policy_table *const **tables)
{
	*tables = b->tables;
	return b->n_tables;
}
