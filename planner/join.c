#include "planner/join.h"

#include "base/mem.h"
#include "base/text.h"
#include "planner/derived.h"

typedef PgQuery__Node Node;

static bool append_names(struct rel *r, struct names *to, const struct names *from, struct error *e)
{
	for (size_t i = 0; i < from->n; i++) {
		if (!rel_add_visible(r, to, &from->tables[i], -1, e))
			return false;
	}
	if (from->merged.n > 0 && to->merged.n == 0) {
		to->merged = from->merged;
		to->cap_merged = from->merged.n;
	}
	return true;
}

static bool add_merged(struct rel *r, struct names *names, const char *column, struct expr *x, struct error *e)
{
	struct arena *a = r->planning->arena;
	struct visible *m = &names->merged;
	const char **grown_names = arena_array(a, m->n + 1, const char *);
	struct expr **grown = arena_array(a, m->n + 1, struct expr *);

	if (!grown_names || !grown)
		return fail_memory(e);
	if (m->n > 0) {
		mem_copy(grown_names, m->names, m->n * sizeof(*grown_names));
		mem_copy(grown, m->exprs, m->n * sizeof(*grown));
	}
	grown_names[m->n] = column;
	grown[m->n] = x;
	m->names = grown_names;
	m->exprs = grown;
	m->n++;
	names->cap_merged = m->n;
	return true;
}

/* The unqualified name of a USING column: the preserved side's, in a FULL JOIN whichever is there. */
static bool merged_column(struct rel *r, enum _PgQuery__JoinType type, struct expr *x, struct expr *y, struct expr **out, struct error *e)
{
	const struct binder b = { .rel = r };
	struct expr *args[] = { x, y };
	enum sql_type t;

	*out = type == PG_QUERY__JOIN_TYPE__JOIN_RIGHT ? y : x;
	if (type != PG_QUERY__JOIN_TYPE__JOIN_FULL || expr_policy_column(x)->encoding != ENCODING_CLEARTEXT)
		return true;
	if (!bind_common_type(&b, args, 2, &t, -1, e))
		return false;
	struct expr *c = expr_make(&b, EXPR_COALESCE, t, -1, 2);
	if (!c)
		return fail_memory(e);
	mem_copy(c->args, args, sizeof(args));
	bind_cover(c);
	*out = c;
	return true;
}

/* USING (a, b): an AND of equalities, and the unqualified names. */
static bool bind_using(struct rel *r, const PgQuery__JoinExpr *j, const struct names *left, const struct names *right,
		       struct names *names, struct expr **on, struct error *e)
{
	const struct binder b = { .rel = r, .names = names };
	const int location = j->rarg->node_case == PG_QUERY__NODE__NODE_RANGE_VAR ? j->rarg->range_var->location : -1;
	struct expr *all = expr_make(&b, EXPR_AND, TYPE_BOOL, -1, j->n_using_clause);

	if (!all)
		return fail_memory(e);
	for (size_t i = 0; i < j->n_using_clause; i++) {
		const char *column = j->using_clause[i]->string->sval;
		struct expr *x, *y, *merged;
		if (!names_find(r, left, NULL, NULL, column, location, &x, e) || !names_find(r, right, NULL, NULL, column, location, &y, e) ||
		    !bind_compare(&b, "=", x, y, location, &all->args[i], e) || !merged_column(r, j->jointype, x, y, &merged, e) ||
		    !add_merged(r, names, column, merged, e))
			return false;
	}
	*on = all;
	return true;
}

static bool bind_on(struct rel *r, const PgQuery__JoinExpr *j, const struct cte *scope, const struct names *left, const struct names *right,
		    struct names *names, struct expr **on, struct error *e)
{
	const struct binder b = { .rel = r, .names = names, .scope = scope };

	if (!append_names(r, names, left, e) || !append_names(r, names, right, e))
		return false;
	if (j->n_using_clause > 0)
		return bind_using(r, j, left, right, names, on, e);
	*on = NULL;
	return !j->quals || bind_condition(&b, j->quals, "JOIN/ON", on, e);
}

/* One table of the policy under one name: its columns are NULL where an outer join finds no row, as they must be. */
static bool only_columns(const struct rel *inner, const struct names *names)
{
	if (inner->n_scans != 1 || inner->n_conjuncts > 0 || inner->scans[0]->derived || names->n != 1)
		return false;
	for (size_t i = 0; i < names->tables[0].n; i++) {
		if (names->tables[0].exprs[i]->kind != EXPR_COLUMN)
			return false;
	}
	return true;
}

/* An operand as exactly one scan of r: a table as it is, anything else as a derived relation. */
static bool bind_one(struct rel *r, const Node *n, const struct cte *scope, struct names *names, struct scan **out, struct error *e)
{
	struct rel *inner = rel_inside(r, scope);
	struct names inside = { 0 };

	if (!inner)
		return fail_memory(e);
	if (!rel_bind_item(inner, n, scope, &inside, e))
		return false;
	if (!only_columns(inner, &inside))
		return derived_wrap(r, inner, &inside, names, out, e);
	if (!rel_bind_item(r, n, scope, names, e))
		return false;
	*out = r->scans[r->n_scans - 1];
	return true;
}

static bool bind_left(struct rel *r, const PgQuery__JoinExpr *j, const struct cte *scope, struct names *names, struct error *e)
{
	bool right_kept = j->jointype == PG_QUERY__JOIN_TYPE__JOIN_RIGHT;
	const Node *kept = right_kept ? j->rarg : j->larg, *other = right_kept ? j->larg : j->rarg;
	struct names a = { 0 }, b = { 0 };
	struct scan *s;
	struct expr *on;

	if (!rel_bind_item(r, kept, scope, &a, e) || !bind_one(r, other, scope, &b, &s, e))
		return false;
	s->nullable = true;
	if (!bind_on(r, j, scope, right_kept ? &b : &a, right_kept ? &a : &b, names, &on, e))
		return false;
	size_t before = r->n_conjuncts;
	if (on && !rel_add_condition(r, on, e))
		return false;
	s->n_on = r->n_conjuncts - before;
	s->on = arena_array(r->planning->arena, s->n_on + 1, struct expr *);
	if (!s->on)
		return fail_memory(e);
	if (s->n_on > 0)
		mem_copy(s->on, r->conjuncts + before, s->n_on * sizeof(*s->on));
	r->n_conjuncts = before;
	return true;
}

/* PostgreSQL merges or hashes a FULL JOIN: each condition equates a column of one side with one of the other. */
static bool check_full(const struct rel *r, const struct rel *full, struct error *e)
{
	for (size_t i = 0; i < full->n_conjuncts; i++) {
		const struct expr *c = full->conjuncts[i];
		bool columns = c->kind == EXPR_COMPARE && text_eq(c->op, "=") && c->args[0]->kind == EXPR_COLUMN && c->args[1]->kind == EXPR_COLUMN;
		if (!columns || c->args[0]->scan == c->args[1]->scan)
			return rel_refuse(r, c->location, e, "joins: outer", "a FULL JOIN compares columns of its two sides for equality",
					  "Filter the sides in sub-selects first.");
	}
	return full->n_conjuncts > 0 || rel_refuse(r, -1, e, "joins: outer", "a FULL JOIN needs a condition", "Write ON a.unit = b.unit.");
}

static bool bind_full(struct rel *r, const PgQuery__JoinExpr *j, const struct cte *scope, struct names *names, struct error *e)
{
	struct rel *inner = rel_inside(r, scope);
	struct names left = { 0 }, right = { 0 }, both = { 0 };
	struct scan *s;
	struct expr *on;

	if (!inner)
		return fail_memory(e);
	if (!bind_one(inner, j->larg, scope, &left, &s, e) || !bind_one(inner, j->rarg, scope, &right, &s, e) ||
	    !bind_on(inner, j, scope, &left, &right, &both, &on, e) || (on && !rel_add_condition(inner, on, e)) || !check_full(r, inner, e))
		return false;
	inner->full = true;
	return derived_wrap(r, inner, &both, names, &s, e);
}

static bool bind_inner(struct rel *r, const PgQuery__JoinExpr *j, const struct cte *scope, struct names *names, struct error *e)
{
	struct names left = { 0 }, right = { 0 };
	struct expr *on;

	return rel_bind_item(r, j->larg, scope, &left, e) && rel_bind_item(r, j->rarg, scope, &right, e) &&
	       bind_on(r, j, scope, &left, &right, names, &on, e) && (!on || rel_add_condition(r, on, e));
}

bool join_bind(struct rel *r, const PgQuery__JoinExpr *j, const struct cte *scope, struct names *names, struct error *e)
{
	if (j->is_natural)
		return rel_refuse(r, -1, e, "joins: natural", "NATURAL JOIN is not supported", "Write JOIN ... ON or USING.");
	if (j->alias || j->join_using_alias)
		return rel_refuse(r, -1, e, "joins: alias", "an alias for a join is not supported", "Give the tables aliases instead.");
	switch (j->jointype) {
	case PG_QUERY__JOIN_TYPE__JOIN_INNER:
		return bind_inner(r, j, scope, names, e);
	case PG_QUERY__JOIN_TYPE__JOIN_LEFT:
	case PG_QUERY__JOIN_TYPE__JOIN_RIGHT:
		return bind_left(r, j, scope, names, e);
	case PG_QUERY__JOIN_TYPE__JOIN_FULL:
		return bind_full(r, j, scope, names, e);
	default:
		return rel_refuse(r, -1, e, "joins", "this kind of join is not supported", "Use inner, left, right or full joins.");
	}
}
