#include "planner/semijoin.h"

#include "base/mem.h"
#include "base/text.h"
#include "planner/derived.h"
#include "planner/post.h"

typedef PgQuery__Node Node;

enum { PAIRS_MAX = 16 };

/* What is compared: an expression of the outer rows with one of the inner rows. */
struct pairs {
	struct expr *outer[PAIRS_MAX], *inner[PAIRS_MAX];
	size_t n;
};

static const char correlated[] =
	"A condition between inner and outer columns must be an equality: ... WHERE inner.unit = outer.unit AND (conditions on inner columns alone).";

static bool refuse(const struct binder *b, int location, struct error *e, const char *message, const char *hint)
{
	return rel_refuse(b->rel, location, e, "sub-selects", message, hint);
}

static const struct cte *scope_of(const struct binder *b)
{
	return b->scope ? b->scope : b->rel->scope;
}

static bool add_pair(const struct binder *b, struct pairs *p, struct expr *outer, struct expr *inner, int location, struct error *e)
{
	struct expr *ignored;

	if (p->n == PAIRS_MAX)
		return refuse(b, location, e, "too many columns are compared with this sub-select", "Compare the unit alone.");
	/* checks types and encodings, and types literals */
	if (!bind_compare(b, "=", outer, inner, location, &ignored, e))
		return false;
	p->outer[p->n] = ignored->args[0];
	p->inner[p->n++] = ignored->args[1];
	return true;
}

/* --- correlated conditions ------------------------------------------------------------------------------------------------------ */

static bool is_equality(const Node *n)
{
	return n->node_case == PG_QUERY__NODE__NODE_A_EXPR && n->a_expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP && n->a_expr->n_name == 1 &&
	       text_eq(n->a_expr->name[0]->string->sval, "=") && n->a_expr->lexpr;
}

/* inner = outer, in either order. */
static bool bind_correlated(const struct binder *b, const struct binder *inner, const PgQuery__AExpr *x, struct pairs *p, bool *done,
			    struct error *e)
{
	const Node *sides[] = { x->lexpr, x->rexpr };
	struct error ignored = ERROR_INIT;
	struct expr *in, *out;

	*done = false;
	for (size_t i = 0; i < 2; i++) {
		if (!bind_expr(inner, sides[i], &in, &ignored) || !bind_expr(b, sides[1 - i], &out, &ignored))
			continue;
		*done = true;
		return add_pair(b, p, out, in, x->location, e);
	}
	return true;
}

/* A top-level conjunct of the inner WHERE: of inner columns alone, or an equality with an outer one. */
static bool bind_inner_where(const struct binder *b, const struct binder *inner, const Node *n, struct pairs *p, struct error *e)
{
	struct error own = ERROR_INIT;
	struct expr *x;
	bool done;

	if (n->node_case == PG_QUERY__NODE__NODE_BOOL_EXPR && n->bool_expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR) {
		for (size_t i = 0; i < n->bool_expr->n_args; i++) {
			if (!bind_inner_where(b, inner, n->bool_expr->args[i], p, e))
				return false;
		}
		return true;
	}
	if (bind_condition(inner, n, "WHERE", &x, &own))
		return rel_add_condition(inner->rel, x, e);
	if (is_equality(n)) {
		if (!bind_correlated(b, inner, n->a_expr, p, &done, e))
			return false;
		if (done)
			return true;
	}
	struct error outer = ERROR_INIT;
	if (own.code == ERR_NO_COLUMN || own.code == ERR_NO_TABLE) {
		if (bind_condition(b, n, "WHERE", &x, &outer))
			return refuse(b, -1, e, "a condition on outer columns alone cannot stand inside this sub-select", "Move it to the outer WHERE.");
		e->position = own.position;
		return refuse(b, -1, e, "this correlated sub-select is not supported over protected rows", correlated);
	}
	*e = own;
	return false;
}

/* --- binding ------------------------------------------------------------------------------------------------------------------- */

static bool check_tie(const struct binder *b, struct derived *d, const struct pairs *p, int location, struct error *e)
{
	if (d->table.rule == RULE_PUBLIC)
		return true;
	d->protected_select = true;
	for (d->tie = 0; d->tie < p->n; d->tie++) {
		const struct expr *outer = p->outer[d->tie], *inner = p->inner[d->tie];
		if (inner->kind == EXPR_COLUMN && outer->kind == EXPR_COLUMN && unit_ties(outer, inner))
			return true;
	}
	fail(e, ERR_RULE, "this sub-select over protected rows must be compared by their privacy unit");
	error_rule(e, "joins: privacy unit");
	error_detail(e, "Otherwise one person's rows would decide whether another's are counted.");
	error_hint(e, "Write unit IN (SELECT unit FROM ... WHERE ...), or aggregate in a CTE.");
	return planning_at(b->rel->planning, location, e);
}

static bool keep_select(struct rel *r, struct derived *d, struct error *e)
{
	struct derived **grown = arena_grow(r->planning->arena, r->selects, r->n_selects, &r->cap_selects, sizeof(*grown));

	if (!grown)
		return fail_memory(e);
	r->selects = grown;
	r->selects[r->n_selects++] = d;
	return true;
}

static bool finish(const struct binder *b, struct rel *inner, struct pairs *p, int location, struct expr **out, struct error *e)
{
	struct expr *x = expr_make(b, EXPR_IN_SELECT, TYPE_BOOL, location, p->n);
	const char **names = arena_array(b->rel->planning->arena, p->n + 1, const char *);

	if (!x || !names)
		return fail_memory(e);
	for (size_t i = 0; i < p->n; i++)
		names[i] = "value";
	if (!derived_rows(b->rel, inner, p->inner, names, p->n, &x->select, e))
		return false;
	for (size_t i = 0; i < p->n; i++) {
		const struct expr *l = p->outer[i], *r = p->inner[i];
		x->args[i] = p->outer[i];
		x->select->as_number[i] = sql_type_is_number(l->type) && (l->type != r->type || l->form == FORM_NUMERIC || r->form == FORM_NUMERIC);
	}
	*out = x;
	return check_tie(b, x->select, p, location, e) && keep_select(b->rel, x->select, e);
}

static bool left_side(const struct binder *b, const Node *n, struct expr **out, size_t *count, struct error *e)
{
	*count = 0;
	if (!n)
		return true;
	if (n->node_case != PG_QUERY__NODE__NODE_ROW_EXPR) {
		*count = 1;
		return bind_expr(b, n, &out[0], e);
	}
	if (n->row_expr->n_args > PAIRS_MAX)
		return refuse(b, n->row_expr->location, e, "too many columns are compared with this sub-select", "Compare fewer.");
	for (size_t i = 0; i < n->row_expr->n_args; i++) {
		if (!bind_expr(b, n->row_expr->args[i], &out[i], e))
			return false;
	}
	*count = n->row_expr->n_args;
	return true;
}

/* Its rows are bound as a sub-select in FROM would be, so that per-unit groups may stand here too. */
static bool bind_whole(const struct binder *b, struct rel *inner, const PgQuery__SelectStmt *s, struct names *names, struct error *e)
{
	return derived_bind(inner, s, scope_of(b), "select", 0, NULL, -1, names, e);
}

/* FROM and WHERE of a plain sub-select, with conditions on outer columns taken out of it. */
static bool bind_parts(const struct binder *b, struct rel *inner, const PgQuery__SelectStmt *s, struct names *names, struct pairs *p,
		       struct error *e)
{
	const struct binder in = { .rel = inner, .names = names, .scope = scope_of(b) };

	if (s->limit_count || s->limit_offset)
		return refuse(b, -1, e, "LIMIT is not allowed in this sub-select", "Drop it.");
	return rel_bind_tables(inner, s, scope_of(b), names, e) && (!s->where_clause || bind_inner_where(b, &in, s->where_clause, p, e));
}

static bool check_source(const struct binder *b, const PgQuery__SelectStmt *s, int location, bool *grouped, struct error *e)
{
	enum query_kind k;

	if (!source_kind(b->rel->planning, scope_of(b), s, &k, e))
		return false;
	if (k == QUERY_RAW) {
		*grouped = post_aggregates(s) || s->op != PG_QUERY__SET_OPERATION__SETOP_NONE || s->with_clause;
		return true;
	}
	if (k == QUERY_FREE)
		return refuse(b, location, e, "this sub-select reads no table of the policy", "Write a list: x IN (1, 2, 3).");
	return refuse(b, location, e, "a noised result cannot decide which protected rows are counted",
		      "Group the sub-select by the privacy unit, or run it first and write its result as constants.");
}

static bool bind_pairs(const struct binder *b, const PgQuery__SubLink *l, const PgQuery__SelectStmt *s, struct rel *inner, bool exists,
		       bool grouped, struct pairs *p, struct error *e)
{
	struct names names = { 0 };
	struct expr *left[PAIRS_MAX], *x;
	size_t n = 0;
	const struct binder in = { .rel = inner, .names = &names, .scope = scope_of(b) };

	if (!left_side(b, exists ? NULL : l->testexpr, left, &n, e))
		return false;
	if (grouped) {
		if (exists)
			return refuse(b, l->location, e, "EXISTS over groups is not supported", "Write unit IN (SELECT unit ... GROUP BY unit HAVING ...).");
		if (!bind_whole(b, inner, s, &names, e))
			return false;
		if (names.tables[0].n != n)
			return refuse(b, l->location, e, "the sub-select has another number of columns", "Select as many as are compared.");
		for (size_t i = 0; i < n; i++) {
			if (!add_pair(b, p, left[i], names.tables[0].exprs[i], l->location, e))
				return false;
		}
		return true;
	}
	if (!bind_parts(b, inner, s, &names, p, e))
		return false;
	if (!exists && s->n_target_list != n)
		return refuse(b, l->location, e, "the sub-select has another number of columns", "Select as many as are compared.");
	for (size_t i = 0; i < n; i++) {
		if (!bind_expr(&in, s->target_list[i]->res_target->val, &x, e) || !add_pair(b, p, left[i], x, l->location, e))
			return false;
	}
	return p->n > 0 || refuse(b, l->location, e, "EXISTS needs a condition that ties it to the outer row", correlated);
}

/*
 * GROUP BY 1 reads a node of the select list again: the same sub-select compared with the same expressions is the same condition.  (A CTE that is used
 * twice shares nodes too, with other scans behind the names.)
 */
static bool reuse(const struct binder *b, const PgQuery__SubLink *l, struct expr **out, struct error *e)
{
	struct expr *left[PAIRS_MAX];
	size_t n;

	*out = NULL;
	for (size_t i = 0; i < b->rel->n_selects; i++) {
		const struct expr *bound = b->rel->selects[i]->bound;
		if (b->rel->selects[i]->origin != l)
			continue;
		if (!left_side(b, l->testexpr, left, &n, e))
			return false;
		bool same = n == bound->n_args;
		for (size_t j = 0; same && j < n; j++)
			same = expr_equal(left[j], bound->args[j]);
		if (!same)
			continue;
		*out = expr_copy(b->rel->planning->arena, bound);
		return *out ? true : fail_memory(e);
	}
	return true;
}

bool semijoin_bind(const struct binder *b, const PgQuery__SubLink *l, struct expr **out, struct error *e)
{
	bool exists = l->sub_link_type == PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK, grouped = false;
	bool any = l->sub_link_type == PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK &&
		   (l->n_oper_name == 0 || (l->n_oper_name == 1 && text_eq(l->oper_name[0]->string->sval, "=")));
	struct pairs p = { .n = 0 };

	if (any && !reuse(b, l, out, e))
		return false;
	if (any && *out)
		return true;
	if ((!exists && !any) || l->subselect->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
		return refuse(b, l->location, e, "this kind of sub-select is not supported inside the protected part",
			      "Supported: x IN (SELECT ...), EXISTS (SELECT ... WHERE inner.unit = outer.unit). A scalar one: run it first, and write its result as a constant.");
	const PgQuery__SelectStmt *s = l->subselect->select_stmt;
	struct rel *inner = rel_inside(b->rel, scope_of(b));
	if (!inner)
		return fail_memory(e);
	if (!check_source(b, s, l->location, &grouped, e) || !bind_pairs(b, l, s, inner, exists, grouped, &p, e))
		return false;
	if (!finish(b, inner, &p, l->location, out, e))
		return false;
	if (!exists) {
		(*out)->select->origin = l;
		(*out)->select->bound = *out;
		return true;
	}
	/* EXISTS is never NULL */
	struct expr *test = expr_make(b, EXPR_BOOL_TEST, TYPE_BOOL, l->location, 1);
	if (!test)
		return fail_memory(e);
	test->op = "IS TRUE";
	test->args[0] = *out;
	*out = test;
	return true;
}
