#include "planner/unit.h"

#include "base/text.h"
#include "planner/derived.h"

static bool is_dp(const struct scan *s)
{
	return s->table->rule == RULE_DIFFERENTIAL_PRIVACY;
}

bool unit_is_column(const struct expr *x)
{
	if (x->kind != EXPR_COLUMN || !is_dp(x->scan))
		return false;
	if (x->scan->derived)
		return x->scan->derived->is_unit[x->column];
	return !x->scan->table->via && x->column == x->scan->table->unit_column;
}

struct link unit_link(const struct expr *x)
{
	const struct link none = { 0 };

	if (x->kind != EXPR_COLUMN || !is_dp(x->scan))
		return none;
	const struct policy_table *t = x->scan->table;
	if (x->scan->derived)
		return x->scan->derived->links[x->column];
	if (t->via && x->column == t->unit_column)
		return (struct link){ t->via, t->via_column };
	return t->columns[x->column].unique ? (struct link){ t, x->column } : none;
}

bool unit_ties(const struct expr *x, const struct expr *y)
{
	struct link l = unit_link(x), m = unit_link(y);

	if (unit_is_column(x) && unit_is_column(y))
		return text_eq(x->scan->table->unit_name, y->scan->table->unit_name);
	return l.table && l.table == m.table && l.column == m.column;
}

/* --- components ------------------------------------------------------------------------------------------------------------- */

static const struct expr *tie(const struct expr *c)
{
	bool equal = c->kind == EXPR_COMPARE && text_eq(c->op, "=") && c->args[0]->kind == EXPR_COLUMN && c->args[1]->kind == EXPR_COLUMN;

	return equal && unit_ties(c->args[0], c->args[1]) ? c : NULL;
}

static void merge(size_t *component, size_t n, size_t x, size_t y)
{
	size_t from = component[x], to = component[y];

	for (size_t i = 0; i < n; i++) {
		if (component[i] == from)
			component[i] = to;
	}
}

/*
 * A conjunct of WHERE holds for every row that counts.  A condition of an outer join holds only where its scan has a row: it ties that scan to one
 * partner, and never two partners to each other.
 */
static void find_components(const struct rel *r, size_t *component)
{
	for (size_t i = 0; i < r->n_scans; i++)
		component[i] = i;
	for (size_t i = 0; i < r->n_conjuncts; i++) {
		const struct expr *c = tie(r->conjuncts[i]);
		if (c)
			merge(component, r->n_scans, c->args[0]->scan->number - 1, c->args[1]->scan->number - 1);
	}
	for (size_t i = 0; i < r->n_scans; i++) {
		const struct scan *s = r->scans[i];
		for (size_t j = 0; s->nullable && j < s->n_on; j++) {
			const struct expr *c = tie(s->on[j]);
			if (!c || (c->args[0]->scan == s) == (c->args[1]->scan == s))
				continue;
			merge(component, r->n_scans, c->args[0]->scan->number - 1, c->args[1]->scan->number - 1);
			break;
		}
	}
}

/* --- rows ------------------------------------------------------------------------------------------------------------------- */

/* s has at most one row for each row of the scan behind x: the condition compares one of its unique columns with a column of another scan. */
static const struct scan *found_by(const struct scan *s, const struct expr *c)
{
	if (c->kind != EXPR_COMPARE || !text_eq(c->op, "=") || c->args[0]->kind != EXPR_COLUMN || c->args[1]->kind != EXPR_COLUMN)
		return NULL;
	for (size_t i = 0; i < 2; i++) {
		const struct expr *own = c->args[i], *other = c->args[1 - i];
		bool multiplies = s->table->rule == RULE_DIFFERENTIAL_PRIVACY && other->scan->table->rule == RULE_PUBLIC;
		if (own->scan == s && other->scan != s && expr_policy_column(own)->unique && !multiplies)
			return other->scan;
	}
	return NULL;
}

static bool leads_to(const struct scan *const *finder, const struct scan *from, const struct scan *to)
{
	while (from && from != to)
		from = finder[from->number - 1];
	return from != NULL;
}

static void find_finders(const struct rel *r, const struct scan **finder)
{
	for (size_t i = 0; i < r->n_scans; i++) {
		const struct scan *s = r->scans[i], *by = NULL;
		for (size_t j = 0; j < r->n_conjuncts && !by && !r->full; j++) {
			by = found_by(s, r->conjuncts[j]);
			by = by && leads_to(finder, by, s) ? NULL : by;
		}
		for (size_t j = 0; s->nullable && j < s->n_on && !by; j++) {
			by = found_by(s, s->on[j]);
			by = by && leads_to(finder, by, s) ? NULL : by;
		}
		finder[i] = by;
	}
}

/* Some public table may have several rows for one protected row. */
static bool is_wild(const struct rel *r, const struct scan *const *finder)
{
	bool wild = false;

	for (size_t i = 0; i < r->n_scans; i++)
		wild = wild || (!is_dp(r->scans[i]) && !finder[i]);
	return wild;
}

static bool multiply(const struct rel *r, const struct scan *const *finder, struct unit_flow *out, struct error *e)
{
	bool wild = is_wild(r, finder);

	out->single = !wild && !r->full;
	for (size_t i = 0; i < r->n_scans; i++) {
		const struct scan *s = r->scans[i];
		if (!is_dp(s))
			continue;
		const struct policy_table *t = s->table;
		bool once = finder[i] || (!s->derived && !t->via && !wild && t->columns[t->unit_column].unique);
		out->single = out->single && once;
		int64_t rows = once ? 1 : t->max_rows, groups = once && !finder[i] ? 1 : t->max_groups;
		if (r->full) { /* a row may come from either side alone */
			out->max_rows = rows > out->max_rows ? rows : out->max_rows;
		} else if (__builtin_mul_overflow(out->max_rows, rows, &out->max_rows) || out->max_rows > INT32_MAX) {
			fail(e, ERR_TOO_COMPLEX, "joining these tables lets one person contribute too many rows");
			error_rule(e, "contribution");
			return error_hint(e, "Join fewer tables, or ask the owners for a smaller contribution.max_rows.");
		}
		if (__builtin_mul_overflow(out->max_groups, groups, &out->max_groups) || out->max_groups > INT32_MAX)
			out->max_groups = INT32_MAX;
	}
	return true;
}

/* --- the unit of a row ------------------------------------------------------------------------------------------------------ */

/* A table that reaches its unit through p finds it in a scan of p that is joined to it anyway, and is spared reading p again. */
static const struct scan *parent_of(const struct rel *r, const struct scan *s)
{
	const struct policy_table *t = s->table;

	if (s->derived || !t->via || r->full)
		return NULL;
	size_t n = s->nullable ? s->n_on : r->n_conjuncts;
	for (size_t i = 0; i < n; i++) {
		const struct expr *c = tie(s->nullable ? s->on[i] : r->conjuncts[i]);
		for (size_t j = 0; c && j < 2; j++) {
			const struct expr *own = c->args[j], *other = c->args[1 - j];
			if (own->scan == s && own->column == t->unit_column && other->scan->table == t->via && !other->scan->derived &&
			    other->column == t->via_column && (!other->scan->nullable || s->nullable) && other->scan != s)
				return other->scan;
		}
	}
	return NULL;
}

static const struct policy_column *unit_column(const struct policy_table *t)
{
	while (t->via)
		t = t->via;
	return &t->columns[t->unit_column];
}

static struct expr *unit_expr(const struct rel *r, struct scan *s)
{
	struct expr *x = arena_new(r->planning->arena, struct expr);

	if (!x)
		return NULL;
	while (s->parent)
		s = r->scans[s->parent->number - 1];
	*x = (struct expr){ .kind = EXPR_UNIT, .location = -1, .scan = s };
	if (s->derived) {
		x->type = s->derived->kind == DERIVED_UNION ? s->derived->arms[0]->unit->type : s->derived->unit->type;
	} else {
		x->type = unit_column(s->table)->type;
		if (!s->table->via) {
			x->kind = EXPR_COLUMN;
			x->column = s->table->unit_column;
		}
	}
	return x;
}

/* What to write for an untied table. */
static const char *hint_column(const struct scan *s)
{
	return s->derived ? "the unit" : s->table->columns[s->table->unit_column].name;
}

static const char *schema_of(const struct scan *s, const char **dot)
{
	*dot = *s->table->schema ? "." : "";
	return s->table->schema;
}

static bool refuse_join(const struct rel *r, const struct scan *x, const struct scan *y, struct error *e)
{
	const struct policy_table *t = x->table, *u = y->table;
	const char *dot_t, *dot_u, *schema_t = schema_of(x, &dot_t), *schema_u = schema_of(y, &dot_u);

	fail(e, ERR_RULE, "%s%s%s and %s%s%s must be joined on their privacy unit", schema_t, dot_t, t->name, schema_u, dot_u, u->name);
	error_rule(e, "joins: privacy unit");
	error_detail(e, "Both are protected by the rule differential_privacy of \"%s\" and \"%s\"; any other join would let one person's rows multiply another's.",
		     t->owner, u->owner);
	error_hint(e, "Write JOIN %s%s%s ON %s.%s = %s.%s, and put other conditions into WHERE.", schema_u, dot_u, u->name, t->name,
		   hint_column(x), u->name, hint_column(y));
	return planning_at(r->planning, -1, e);
}

static bool refuse_units(const struct rel *r, const struct scan *x, const struct scan *y, struct error *e)
{
	const char *dot_t, *dot_u, *schema_t = schema_of(x, &dot_t), *schema_u = schema_of(y, &dot_u);

	fail(e, ERR_RULE, "%s%s%s and %s%s%s protect different privacy units", schema_t, dot_t, x->table->name, schema_u, dot_u,
	     y->table->name);
	error_rule(e, "joins: privacy unit");
	error_detail(e, "\"%s\" and \"%s\".", x->table->unit_name, y->table->unit_name);
	error_hint(e, "Aggregate each on its own and combine the results.");
	return planning_at(r->planning, -1, e);
}

/* --- owners ----------------------------------------------------------------------------------------------------------------- */

static bool same_owner(const struct rel *r, const struct scan *s, const char *owner)
{
	return s->derived ? derived_owned_by(s->derived, r->planning, owner) : text_eq(s->table->owner, owner);
}

/* The condition of WHERE that is IN this sub-select, or NULL: it stands inside another expression. */
static const struct expr *conjunct_of(const struct rel *r, const struct derived *select)
{
	for (size_t i = 0; i < r->n_conjuncts; i++) {
		if (r->conjuncts[i]->kind == EXPR_IN_SELECT && r->conjuncts[i]->select == select)
			return r->conjuncts[i];
	}
	return NULL;
}

/*
 * Without its owner's rows a sub-select as a whole condition keeps none of the unit's rows.  One whose rows move keeps others instead, unless it says yes or no to
 * the unit as a whole: then all come, or all go.
 */
static bool select_moves(const struct rel *r, struct derived *select, const char *owner)
{
	const struct expr *whole = conjunct_of(r, select);

	if (!whole)
		return !derived_owned_by(select, r->planning, owner);
	return select->owner_moves && !(whole->n_args == 1 && unit_is_column(whole->args[0]));
}

/*
 * Rows of a unit without one owner's part: an inner join drops them; on the nullable side of an outer join, or behind NOT IN, they change instead, from
 * one contribution to another (reference: two owners, either may leave).
 */
static bool owner_moves(const struct rel *r, const struct scan *first)
{
	bool moves = false;

	for (size_t i = 0; i < r->n_scans; i++) {
		const struct scan *s = r->scans[i];
		bool other = is_dp(s) && !same_owner(r, s, first->table->owner);
		moves = moves || (other && (s->nullable || r->full)) || (s->derived && s->derived->owner_moves);
	}
	for (size_t i = 0; i < r->n_selects; i++)
		moves = moves || select_moves(r, r->selects[i], first->table->owner);
	return moves;
}

static struct scan *first_protected(const struct rel *r)
{
	struct scan *nullable = NULL;

	for (size_t i = 0; i < r->n_scans; i++) {
		if (!is_dp(r->scans[i]))
			continue;
		if (!r->scans[i]->nullable)
			return r->scans[i];
		nullable = nullable ? nullable : r->scans[i];
	}
	return nullable;
}

/* Either side of a FULL JOIN may be the one that has the row. */
static bool full_unit(const struct rel *r, struct unit_flow *out, struct error *e)
{
	struct expr *x = arena_new(r->planning->arena, struct expr);

	if (!is_dp(r->scans[0]) || !is_dp(r->scans[1]))
		return true;
	if (!x)
		return fail_memory(e);
	*x = (struct expr){ .kind = EXPR_COALESCE, .type = out->unit->type, .location = -1, .n_args = 2 };
	x->args = arena_array(r->planning->arena, 2, struct expr *);
	if (!x->args)
		return fail_memory(e);
	for (size_t i = 0; i < 2; i++) {
		x->args[i] = unit_expr(r, r->scans[i]);
		if (!x->args[i])
			return fail_memory(e);
	}
	out->unit = x;
	return true;
}

bool unit_follow(struct rel *r, struct unit_flow *out, struct error *e)
{
	struct arena *a = r->planning->arena;
	size_t *component = arena_array(a, r->n_scans + 1, size_t);
	const struct scan **finder = arena_array(a, r->n_scans + 1, const struct scan *);
	struct scan *first = first_protected(r);

	*out = (struct unit_flow){ .max_rows = 1, .max_groups = 1 };
	if (!component || !finder)
		return fail_memory(e);
	if (!first)
		return true;
	find_components(r, component);
	find_finders(r, finder);
	for (size_t i = 0; i < r->n_scans; i++) {
		struct scan *s = r->scans[i];
		if (!is_dp(s) || s == first)
			continue;
		if (!text_eq(first->table->unit_name, s->table->unit_name))
			return refuse_units(r, first, s, e);
		if (component[s->number - 1] != component[first->number - 1])
			return refuse_join(r, first, s, e);
	}
	for (size_t i = 0; i < r->n_scans; i++)
		r->scans[i]->parent = parent_of(r, r->scans[i]);
	if (!multiply(r, finder, out, e))
		return false;
	out->unit = unit_expr(r, first);
	out->name = first->table->unit_name;
	out->owner_moves = owner_moves(r, first);
	if (!out->unit)
		return fail_memory(e);
	return r->full ? full_unit(r, out, e) : true;
}
