#include "planner/overlap.h"

#include "base/mem.h"
#include "base/text.h"
#include "planner/derived.h"
#include "planner/sealed.h"
#include "policies/encoding.h"

enum { OWNERS_MAX = 64 };

/* Owners of tables whose rows are about units: protected, or joinable by cells. */
struct owners {
	const char *names[OWNERS_MAX];
	size_t n;
};

struct walk {
	const struct block *b;
	const struct policy_table *floor;
	struct owners present; /* every row of the block has rows of these */
	bool crosses;          /* some condition joins cells or units of different owners */
};

static bool about_units(const struct policy_table *t)
{
	bool found = t->rule == RULE_DIFFERENTIAL_PRIVACY;

	for (size_t i = 0; !found && i < t->n_columns; i++)
		found = t->columns[i].encoding != ENCODING_CLEARTEXT && encoding_joins(t->columns[i].encoding);
	return found;
}

static bool has(const struct owners *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++) {
		if (text_eq(o->names[i], name))
			return true;
	}
	return false;
}

static bool has_all(const struct owners *o, const struct owners *of)
{
	for (size_t i = 0; i < of->n; i++) {
		if (!has(o, of->names[i]))
			return false;
	}
	return true;
}

static bool add_tables(struct owners *o, const struct rel *r, struct error *e)
{
	const struct policy_table **tables = NULL;
	size_t n = 0, cap = 0;

	if (!derived_tables(r, &tables, &n, &cap, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!about_units(tables[i]) || has(o, tables[i]->owner))
			continue;
		if (o->n == OWNERS_MAX)
			return fail(e, ERR_TOO_COMPLEX, "a query may join tables of at most %d owners", OWNERS_MAX);
		o->names[o->n++] = tables[i]->owner;
	}
	return true;
}

static bool owners_of_scan(const struct rel *r, const struct scan *s, struct owners *o, struct error *e)
{
	struct scan *one[] = { r->scans[s->number - 1] };
	const struct rel alone = { .planning = r->planning, .scans = one, .n_scans = 1 };

	return add_tables(o, &alone, e);
}

static bool owners_of_select(const struct rel *r, struct derived *d, struct owners *o, struct error *e)
{
	const struct rel alone = { .planning = r->planning, .selects = &d, .n_selects = 1 };

	return add_tables(o, &alone, e);
}

static bool refuse(const struct walk *w, int location, struct error *e)
{
	const struct policy_table *t = w->floor;

	fail(e, ERR_RULE, "this join across owners cannot be counted for the overlap that %s.%s asks for", t->schema, t->name);
	error_rule(e, "overlap");
	error_detail(e, "Its owner \"%s\" lets answers out only about at least %lld units shared with another owner.", t->owner, (long long)t->overlap);
	error_hint(e, "Join with JOIN or LEFT JOIN ... ON at the top of the query, or with IN (SELECT ...) as a whole condition; not inside CASE, OR, NOT, FILTER, UNION ALL or FULL JOIN.");
	return planning_at(w->b->planning, location, e);
}

/* --- conditions that join ----------------------------------------------------------------------------------------------------------- */

/* Whether x equates cells or units of different owners; *both gets the owners on its two sides. */
static bool crosses(const struct rel *r, const struct expr *x, struct owners *both, bool *out, struct error *e)
{
	struct owners sides[2] = { { .n = 0 }, { .n = 0 } };

	*out = false;
	if (x->kind == EXPR_COMPARE && ((sealed_is(x->args[0]) && sealed_is(x->args[1])) || unit_ties(x->args[0], x->args[1]))) {
		for (size_t i = 0; i < 2; i++) {
			if (!owners_of_scan(r, x->args[i]->scan, &sides[i], e) || !owners_of_scan(r, x->args[i]->scan, both, e))
				return false;
		}
	} else if (x->kind == EXPR_IN_SELECT) {
		bool cells = x->select->protected_select;
		for (size_t i = 0; i < x->n_args; i++) {
			cells = cells || sealed_is(x->args[i]);
			if (x->args[i]->kind == EXPR_COLUMN && !owners_of_scan(r, x->args[i]->scan, &sides[0], e))
				return false;
		}
		if (!cells)
			return true;
		if (!owners_of_select(r, x->select, &sides[1], e) || !owners_of_select(r, x->select, both, e))
			return false;
	} else {
		return true;
	}
	*out = sides[0].n > 1 || sides[1].n > 1 || !has_all(&sides[0], &sides[1]) || !has_all(&sides[1], &sides[0]);
	return true;
}

static bool walk_derived(struct walk *w, const struct rel *r, struct derived *d, struct error *e);

/*
 * whole: every row that counts meets x (WHERE, inner joins); else it may as well be false for some of them.  Sub-selects are walked where an expression uses them: one
 * that stands in a column which nothing reads joins nothing.
 */
static bool walk_expr(struct walk *w, const struct rel *r, const struct expr *x, bool whole, struct error *e)
{
	struct owners both = { .n = 0 };
	bool found;

	if (!crosses(r, x, &both, &found, e))
		return false;
	if (found && !whole)
		return refuse(w, x->location, e);
	w->crosses = w->crosses || found;
	if (x->kind == EXPR_IN_SELECT && !walk_derived(w, r, x->select, e))
		return false;
	for (size_t i = 0; found && r == &w->b->rel && i < both.n; i++) { /* inside, rows may themselves be missing */
		if (!has(&w->present, both.names[i]) && w->present.n < OWNERS_MAX)
			w->present.names[w->present.n++] = both.names[i];
	}
	whole = whole && (x->kind == EXPR_AND || (x->kind == EXPR_BOOL_TEST && text_eq(x->op, "IS TRUE")));
	for (size_t i = 0; i < x->n_args; i++) {
		if (!walk_expr(w, r, x->args[i], whole, e))
			return false;
	}
	return true;
}

static bool walk_rel(struct walk *w, const struct rel *r, bool top, struct error *e);

static bool walk_aggregates(struct walk *w, const struct derived *d, struct error *e)
{
	for (size_t i = 0; i < d->n_aggregates; i++) {
		const struct inner_aggregate *g = &d->aggregates[i];
		if ((g->arg && !walk_expr(w, d->rel, g->arg, false, e)) || (g->filter && !walk_expr(w, d->rel, g->filter, false, e)))
			return false;
	}
	return true;
}

static bool walk_derived(struct walk *w, const struct rel *r, struct derived *d, struct error *e)
{
	struct owners all = { .n = 0 };

	if (!owners_of_select(r, d, &all, e))
		return false;
	if (d->owner_moves || (d->kind == DERIVED_UNION && all.n > 1))
		return refuse(w, -1, e);
	for (size_t i = 0; i < d->n_arms; i++) {
		if (!walk_derived(w, r, d->arms[i], e))
			return false;
	}
	for (size_t i = 0; d->rel && i < d->n_outputs; i++) {
		if (!walk_expr(w, d->rel, d->outputs[i], false, e))
			return false;
	}
	return !d->rel || (walk_aggregates(w, d, e) && walk_rel(w, d->rel, false, e));
}

/* Conditions of an outer join drop no row: at the top the rows of s that they find are asked for by overlap_emit, inside nothing could ask. */
static bool walk_on(struct walk *w, const struct rel *r, const struct scan *s, bool top, struct error *e)
{
	struct walk aside = *w;

	for (size_t i = 0; s->nullable && i < s->n_on; i++) {
		const struct expr *x = s->on[i];
		bool own = x->kind == EXPR_COMPARE && (x->args[0]->scan == s || x->args[1]->scan == s);
		if (!walk_expr(&aside, r, x, top && own, e))
			return false;
	}
	w->crosses = aside.crosses;
	return true;
}

static bool walk_rel(struct walk *w, const struct rel *r, bool top, struct error *e)
{
	for (size_t i = 0; i < r->n_conjuncts; i++) {
		if (!walk_expr(w, r, r->conjuncts[i], !r->full, e))
			return false;
	}
	for (size_t i = 0; i < r->n_scans; i++) {
		const struct scan *s = r->scans[i];
		if (!walk_on(w, r, s, top, e) || (s->derived && !walk_derived(w, r, s->derived, e)))
			return false;
	}
	return true;
}

static bool walk_results(struct walk *w, struct error *e)
{
	const struct block *b = w->b;

	for (size_t i = 0; i < b->n_keys; i++) {
		if (!walk_expr(w, &b->rel, b->keys[i].expr, false, e))
			return false;
	}
	for (size_t i = 0; i < b->n_aggregates; i++) {
		const struct expr *parts[] = { b->aggregates[i].arg, b->aggregates[i].arg_y, b->aggregates[i].filter };
		for (size_t j = 0; j < ARRAY_LEN(parts); j++) {
			if (parts[j] && !walk_expr(w, &b->rel, parts[j], false, e))
				return false;
		}
	}
	return true;
}

/* --- the floor ---------------------------------------------------------------------------------------------------------------------- */

static bool another_owner(const struct block *b, const struct policy_table *t)
{
	bool found = false;

	for (size_t i = 0; i < b->n_tables; i++)
		found = found || (about_units(b->tables[i]) && !text_eq(b->tables[i]->owner, t->owner));
	return found;
}

/* A column of s that its own ON equates with a column elsewhere, by cells or by the unit: not NULL exactly where s has a row. */
static struct expr *found_column(const struct scan *s)
{
	for (size_t i = 0; i < s->n_on; i++) {
		const struct expr *c = s->on[i];
		if (c->kind != EXPR_COMPARE || !text_eq(c->op, "=") || c->args[0]->kind != EXPR_COLUMN || c->args[1]->kind != EXPR_COLUMN)
			continue;
		for (size_t j = 0; j < 2; j++) {
			bool tells = sealed_is(c->args[j]) || unit_is_column(c->args[j]) || unit_link(c->args[j]).table;
			if (c->args[j]->scan == s && c->args[1 - j]->scan != s && tells)
				return c->args[j];
		}
	}
	return NULL;
}

/* Scans whose rows must be there for a unit to count: LEFT JOINs that bring an owner who is not there otherwise. */
static bool missing(const struct walk *w, struct expr **columns, size_t *n, struct error *e)
{
	const struct rel *r = &w->b->rel;
	struct owners present = w->present;

	*n = 0;
	for (size_t i = 0; i < r->n_scans; i++) {
		const struct scan *s = r->scans[i];
		if (!s->nullable && s->table->rule == RULE_DIFFERENTIAL_PRIVACY && !owners_of_scan(r, s, &present, e))
			return false;
	}
	for (size_t i = 0; i < r->n_scans; i++) {
		const struct scan *s = r->scans[i];
		struct owners brings = { .n = 0 };
		struct expr *column = s->nullable ? found_column(s) : NULL;
		if (!column)
			continue;
		if (!owners_of_scan(r, s, &brings, e))
			return false;
		if (!has_all(&present, &brings))
			columns[(*n)++] = column;
	}
	return true;
}

bool overlap_find(struct block *b, struct error *e)
{
	struct walk w = { .b = b };

	b->floor = NULL;
	b->n_found = 0;
	for (size_t i = 0; i < b->n_tables; i++) {
		const struct policy_table *t = b->tables[i];
		if (t->overlap > 0 && t->rule == RULE_DIFFERENTIAL_PRIVACY && (!w.floor || t->overlap > w.floor->overlap) && another_owner(b, t))
			w.floor = t;
	}
	if (!w.floor)
		return true;
	if (!walk_rel(&w, &b->rel, true, e) || !walk_results(&w, e))
		return false;
	if (!w.crosses)
		return true;
	b->floor = w.floor;
	b->found = arena_array(b->planning->arena, b->rel.n_scans + 1, struct expr *);
	if (!b->found)
		return fail_memory(e);
	return missing(&w, b->found, &b->n_found, e);
}

bool overlap_emit(const struct block *b, const struct noise *noise, struct plan_block *out, struct error *e)
{
	struct arena *a = b->planning->arena;
	const size_t before = b->rel.n_conjuncts;
	struct block counted = *b;
	struct plan_block made = { .sql = NULL };
	struct plan_overlap *o = arena_new(a, struct plan_overlap);
	struct release_value *value = arena_new(a, struct release_value);
	struct expr **conjuncts = arena_array(a, before + b->n_found + 1, struct expr *);

	if (!o || !value || !conjuncts)
		return fail_memory(e);
	if (before > 0)
		mem_copy(conjuncts, b->rel.conjuncts, before * sizeof(*conjuncts));
	for (size_t i = 0; i < b->n_found; i++) {
		const struct binder binder = { .rel = &counted.rel };
		struct expr *there = expr_make(&binder, EXPR_IS_NOT_NULL, TYPE_BOOL, -1, 1);
		if (!there)
			return fail_memory(e);
		there->args[0] = b->found[i];
		conjuncts[before + i] = there;
	}
	counted.rel.conjuncts = conjuncts;
	counted.rel.n_conjuncts = before + b->n_found;
	counted.n_keys = counted.n_aggregates = 0;
	if (!block_emit(&counted, false, true, &made, e))
		return false;
	BUG_IF(made.seed_param > 0);
	*value = (struct release_value){ .kind = RELEASE_COUNT, .format = FORMAT_INT8, .noise = *noise, .grid = { 1, 0 } };
	*o = (struct plan_overlap){ .sql = made.sql, .params = made.params, .n_params = made.n_params, .table = b->floor };
	o->spec = (struct release_spec){ .private_noise = true, .selection = SELECT_ALL, .values = value, .n_values = 1, .confidence = b->planning->settings->confidence };
	out->overlap = o;
	return true;
}
