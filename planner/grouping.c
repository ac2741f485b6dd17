#include "planner/grouping.h"

#include "base/mem.h"
#include "base/text.h"

typedef PgQuery__Node Node;

/* Sets of keys, as an item of GROUP BY gives them. */
struct sets {
	size_t n;
	bool keys[GROUPING_SETS_MAX][BLOCK_KEYS_MAX];
};

struct reading {
	const struct planning *p;
	struct block *block;
	const PgQuery__SelectStmt *select;
	bool several;
};

static bool refuse(const struct planning *p, int location, struct error *e, const char *rule, const char *message, const char *hint)
{
	fail(e, ERR_RULE, "%s", message);
	error_rule(e, rule);
	error_hint(e, "%s", hint);
	return planning_at(p, location, e);
}

bool select_simple_name(const Node *n, const char **name)
{
	if (n->node_case != PG_QUERY__NODE__NODE_COLUMN_REF || n->column_ref->n_fields != 1 ||
	    n->column_ref->fields[0]->node_case != PG_QUERY__NODE__NODE_STRING)
		return false;
	*name = n->column_ref->fields[0]->string->sval;
	return true;
}

static bool target_is(const PgQuery__ResTarget *t, const char *name)
{
	return t->name && text_eq(t->name, name);
}

Node *select_target(const PgQuery__SelectStmt *s, const char *name)
{
	for (size_t i = 0; i < s->n_target_list; i++) {
		if (target_is(s->target_list[i]->res_target, name))
			return s->target_list[i]->res_target->val;
	}
	return NULL;
}

bool select_ordinal(const Node *n, int *value)
{
	if (n->node_case != PG_QUERY__NODE__NODE_A_CONST || n->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL)
		return false;
	*value = n->a_const->ival->ival;
	return true;
}

/* --- one expression ----------------------------------------------------------------------------------------------------------------- */

static bool add_alias(struct reading *r, const Node *g, const char *name, bool *keys, struct error *e)
{
	const PgQuery__SelectStmt *s = r->select;
	size_t first = 0, named = 0, at;

	for (size_t i = 0; i < s->n_target_list; i++) {
		if (!target_is(s->target_list[i]->res_target, name))
			continue;
		if (!block_group(r->block, s->target_list[i]->res_target->val, &at, e))
			return false;
		first = named++ == 0 ? at : first;
		keys[at] = true;
		if (at == first)
			continue;
		/* several targets of one name are fine while they are the same expression */
		fail(e, ERR_AMBIGUOUS_COLUMN, "GROUP BY \"%.100s\" is ambiguous", name);
		error_hint(e, "Give the columns different aliases.");
		return planning_at(r->p, g->column_ref->location, e);
	}
	return true;
}

/* An expression, an ordinal, an alias, or a row of them: its keys are added to the set. */
static bool add_keys(struct reading *r, const Node *g, bool *keys, struct error *e)
{
	const PgQuery__SelectStmt *s = r->select;
	const char *name;
	int ordinal;
	size_t at;

	if (g->node_case == PG_QUERY__NODE__NODE_ROW_EXPR && g->row_expr->row_format == PG_QUERY__COERCION_FORM__COERCE_IMPLICIT_CAST) {
		for (size_t i = 0; i < g->row_expr->n_args; i++) { /* (a, b) is a, b */
			if (!add_keys(r, g->row_expr->args[i], keys, e))
				return false;
		}
		return true;
	}
	if (select_ordinal(g, &ordinal)) {
		if (ordinal < 1 || (size_t)ordinal > s->n_target_list) {
			fail(e, ERR_COLUMN_REFERENCE, "GROUP BY position %d is not in select list", ordinal);
			error_hint(e, "There are %zu columns.", s->n_target_list);
			return planning_at(r->p, g->a_const->location, e);
		}
		g = s->target_list[ordinal - 1]->res_target->val;
	} else if (select_simple_name(g, &name) && !block_has_column(r->block, name) && select_target(s, name)) {
		return add_alias(r, g, name, keys, e);
	}
	if (!block_group(r->block, g, &at, e))
		return false;
	keys[at] = true;
	return true;
}

/* --- sets ----------------------------------------------------------------------------------------------------------------------------- */

static bool too_many(const struct reading *r, struct error *e)
{
	return refuse(r->p, -1, e, "limits", "at most 32 grouping sets are supported", "Ask fewer groupings in one query.");
}

static bool append(const struct reading *r, struct sets *to, const bool *keys, struct error *e)
{
	if (to->n == GROUPING_SETS_MAX)
		return too_many(r, e);
	mem_copy(to->keys[to->n++], keys, sizeof(to->keys[0]));
	return true;
}

static void merge(bool *to, const bool *from)
{
	for (size_t i = 0; i < BLOCK_KEYS_MAX; i++)
		to[i] = to[i] || from[i];
}

static bool item_sets(struct reading *r, const Node *n, struct sets *out, struct error *e);

/* ROLLUP: every prefix, the longest first.  CUBE: every subset, in PostgreSQL's order of bits. */
static bool combine(struct reading *r, const PgQuery__GroupingSet *g, struct sets *out, struct error *e)
{
	bool parts[BLOCK_KEYS_MAX][BLOCK_KEYS_MAX] = { { false } };
	const size_t n = g->n_content;
	bool rollup = g->kind == PG_QUERY__GROUPING_SET_KIND__GROUPING_SET_ROLLUP;

	if (n > BLOCK_KEYS_MAX || (!rollup && n > 5))
		return too_many(r, e);
	for (size_t i = 0; i < n; i++) {
		if (!add_keys(r, g->content[i], parts[i], e))
			return false;
	}
	for (size_t set = rollup ? n + 1 : (size_t)1 << n; set-- > 0;) {
		bool keys[BLOCK_KEYS_MAX] = { false };
		for (size_t i = 0; i < n; i++) {
			if (rollup ? i < set : (set >> (n - 1 - i)) & 1)
				merge(keys, parts[i]);
		}
		if (!append(r, out, keys, e))
			return false;
	}
	return true;
}

static bool grouping_sets(struct reading *r, const PgQuery__GroupingSet *g, struct sets *out, struct error *e)
{
	const bool none[BLOCK_KEYS_MAX] = { false };

	r->several = true;
	switch (g->kind) {
	case PG_QUERY__GROUPING_SET_KIND__GROUPING_SET_EMPTY:
		return append(r, out, none, e);
	case PG_QUERY__GROUPING_SET_KIND__GROUPING_SET_ROLLUP:
	case PG_QUERY__GROUPING_SET_KIND__GROUPING_SET_CUBE:
		return combine(r, g, out, e);
	case PG_QUERY__GROUPING_SET_KIND__GROUPING_SET_SETS:
		for (size_t i = 0; i < g->n_content; i++) {
			if (!item_sets(r, g->content[i], out, e))
				return false;
		}
		return true;
	default:
		return refuse(r->p, g->location, e, "GROUP BY: sets", "this grouping set is not supported", "Use ROLLUP, CUBE or GROUPING SETS.");
	}
}

static bool item_sets(struct reading *r, const Node *n, struct sets *out, struct error *e)
{
	bool keys[BLOCK_KEYS_MAX] = { false };

	if (n->node_case == PG_QUERY__NODE__NODE_GROUPING_SET)
		return grouping_sets(r, n->grouping_set, out, e);
	return add_keys(r, n, keys, e) && append(r, out, keys, e);
}

bool grouping_read(const struct planning *p, struct block *b, const PgQuery__SelectStmt *s, struct grouping *out, struct error *e)
{
	struct reading r = { .p = p, .block = b, .select = s };

	*out = (struct grouping){ .n_sets = 1 };
	for (size_t i = 0; i < s->n_group_clause; i++) {
		struct sets item = { .n = 0 }, product = { .n = 0 };
		if (!item_sets(&r, s->group_clause[i], &item, e))
			return false;
		for (size_t x = 0; x < out->n_sets; x++) {
			for (size_t y = 0; y < item.n; y++) {
				bool keys[BLOCK_KEYS_MAX] = { false };
				merge(keys, out->sets[x]);
				merge(keys, item.keys[y]);
				if (!append(&r, &product, keys, e))
					return false;
			}
		}
		out->n_sets = product.n;
		mem_copy(out->sets, product.keys, sizeof(product.keys));
	}
	out->several = r.several;
	return true;
}

bool grouping_call(const struct planning *p, struct block *b, struct grouping *g, const PgQuery__GroupingFunc *f, size_t *number,
		   struct error *e)
{
	size_t n = 0, keys[BLOCK_KEYS_MAX];
	int column;

	if (g->n_calls == GROUPING_CALLS_MAX || f->n_args > BLOCK_KEYS_MAX)
		return refuse(p, f->location, e, "limits", "too many arguments or calls of GROUPING", "Use fewer.");
	for (size_t i = 0; i < f->n_args; i++) {
		if (!block_column(b, f->args[i], &column, e))
			return false;
		if (column < 0 || (size_t)column >= block_keys(b)) {
			fail(e, ERR_GROUPING, "arguments to GROUPING must be grouping expressions of the associated query level");
			return planning_at(p, f->location, e);
		}
		keys[n++] = (size_t)column;
	}
	*number = g->n_calls;
	g->calls[g->n_calls].n = n;
	mem_copy(g->calls[g->n_calls++].keys, keys, n * sizeof(*keys));
	return true;
}

unsigned grouping_value(const struct grouping *g, size_t call, size_t set)
{
	unsigned bits = 0;

	for (size_t i = 0; i < g->calls[call].n; i++)
		bits = bits << 1 | !g->sets[set][g->calls[call].keys[i]];
	return bits;
}
