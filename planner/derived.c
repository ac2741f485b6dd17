#include "planner/derived.h"

#include "base/mem.h"
#include "base/text.h"
#include "planner/ast.h"
#include "planner/post.h"
#include "planner/sealed.h"
#include "policies/encoding.h"

typedef PgQuery__Node Node;

/* --- what a derived relation looks like from outside -------------------------------------------------------------------------- */

static bool grow_columns(struct derived *d, const struct planning *p, struct error *e)
{
	size_t n = d->table.n_columns, cap = d->cap_columns, caps[4] = { cap, cap, cap, cap };

	if (n == POLICY_COLUMNS_MAX) {
		fail(e, ERR_TOO_COMPLEX, "a sub-select over protected rows may have at most %d columns", POLICY_COLUMNS_MAX);
		error_rule(e, "limits");
		return error_hint(e, "Select fewer columns.");
	}
	d->columns = arena_grow(p->arena, d->columns, n, &d->cap_columns, sizeof(*d->columns));
	d->links = arena_grow(p->arena, d->links, n, &caps[0], sizeof(*d->links));
	d->is_unit = arena_grow(p->arena, d->is_unit, n, &caps[1], sizeof(*d->is_unit));
	d->forms = arena_grow(p->arena, d->forms, n, &caps[2], sizeof(*d->forms));
	d->magnitudes = arena_grow(p->arena, d->magnitudes, n, &caps[3], sizeof(*d->magnitudes));
	d->table.columns = d->columns;
	return d->columns && d->links && d->is_unit && d->forms && d->magnitudes ? true : fail_memory(e);
}

bool derived_add_column(struct derived *d, const struct planning *p, const char *name, const struct expr *x, struct error *e)
{
	const size_t n = d->table.n_columns;

	if (!grow_columns(d, p, e))
		return false;
	struct policy_column *c = &d->columns[n];
	if (x->kind == EXPR_COLUMN) {
		*c = *expr_policy_column(x);
		c->values = x->scan->nullable || (d->rel && d->rel->full) ? NULL : c->values;
		c->n_values = c->values ? c->n_values : 0;
		c->unique = false;
	} else {
		*c = (struct policy_column){ .type = x->type, .encoding = ENCODING_CLEARTEXT };
	}
	c->name = name;
	c->has_bounds = x->range.known;
	c->lo = x->range.lo;
	c->hi = x->range.hi;
	c->grid = x->range.grid.digits > 0 ? x->range.grid : (struct decimal){ 1, type_is_integer(x->type) ? 0 : 2 };
	d->links[n] = unit_link(x);
	d->is_unit[n] = unit_is_column(x);
	d->forms[n] = x->form;
	d->magnitudes[n] = x->magnitude;
	d->table.n_columns = n + 1;
	return true;
}

static const struct policy_table *protected_table(const struct rel *r)
{
	for (size_t i = 0; i < r->n_scans; i++) {
		if (r->scans[i]->table->rule == RULE_DIFFERENTIAL_PRIVACY)
			return r->scans[i]->table;
	}
	return NULL;
}

/* The rule of rows made from these scans: differential privacy, or public. */
static bool take_rule(struct derived *d, const char *name, struct error *e)
{
	struct unit_flow flow;
	const struct policy_table *protected = protected_table(d->rel);

	for (size_t i = 0; i < d->rel->n_scans; i++) {
		const struct policy_table *t = d->rel->scans[i]->table;
		if (t->rule == RULE_DIFFERENTIAL_PRIVACY || t->rule == RULE_PUBLIC)
			continue;
		fail(e, ERR_RULE, "%s.%s may not be read in such a sub-select", t->schema, t->name);
		error_rule(e, table_rule_name(t->rule));
		error_detail(e, "rule \"%s\" of its owner \"%s\": its tables stand in FROM directly", table_rule_name(t->rule), t->owner);
		error_hint(e, "Join it at the top of the query.");
		return planning_at(d->rel->planning, -1, e);
	}
	if (!unit_follow(d->rel, &flow, e))
		return false;
	d->unit = flow.unit;
	d->owner_moves = flow.owner_moves;
	d->table.schema = "";
	d->table.name = name ? name : "sub-select";
	d->table.rule = protected ? RULE_DIFFERENTIAL_PRIVACY : RULE_PUBLIC;
	d->table.owner = protected ? protected->owner : "";
	d->table.unit_name = flow.name;
	d->table.max_rows = flow.max_rows;
	d->table.max_groups = flow.max_groups;
	return true;
}

bool derived_rows(const struct rel *r, struct rel *inner, struct expr *const *outputs, const char *const *names, size_t n,
		  struct derived **out, struct error *e)
{
	struct arena *a = r->planning->arena;
	struct derived *d = arena_new(a, struct derived);

	if (!d)
		return fail_memory(e);
	*d = (struct derived){ .kind = DERIVED_ROWS, .rel = inner, .n_outputs = n };
	d->outputs = arena_array(a, n + 1, struct expr *);
	d->as_number = arena_array(a, n + 1, bool);
	if (!d->outputs || !d->as_number)
		return fail_memory(e);
	if (!take_rule(d, NULL, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		d->outputs[i] = outputs[i];
		if (!derived_add_column(d, r->planning, names[i], outputs[i], e))
			return false;
	}
	*out = d;
	return true;
}

bool derived_tables(const struct rel *r, const struct policy_table ***tables, size_t *n, size_t *cap, struct error *e);

static bool add_table(const struct rel *r, const struct policy_table *t, const struct policy_table ***tables, size_t *n, size_t *cap,
		      struct error *e)
{
	for (; t; t = t->via) {
		bool seen = false;
		for (size_t i = 0; i < *n; i++)
			seen = seen || (*tables)[i] == t;
		if (seen)
			continue;
		const struct policy_table **grown = arena_grow(r->planning->arena, *tables, *n, cap, sizeof(*grown));
		if (!grown)
			return fail_memory(e);
		*tables = grown;
		(*tables)[(*n)++] = t;
	}
	return true;
}

static bool tables_of(const struct derived *d, const struct policy_table ***tables, size_t *n, size_t *cap, struct error *e)
{
	for (size_t i = 0; i < d->n_arms; i++) {
		if (!tables_of(d->arms[i], tables, n, cap, e))
			return false;
	}
	return !d->rel || derived_tables(d->rel, tables, n, cap, e);
}

bool derived_tables(const struct rel *r, const struct policy_table ***tables, size_t *n, size_t *cap, struct error *e)
{
	for (size_t i = 0; i < r->n_scans; i++) {
		const struct scan *s = r->scans[i];
		if (!(s->derived ? tables_of(s->derived, tables, n, cap, e) : add_table(r, s->table, tables, n, cap, e)))
			return false;
	}
	for (size_t i = 0; i < r->n_selects; i++) {
		if (!tables_of(r->selects[i], tables, n, cap, e))
			return false;
	}
	return true;
}

bool derived_owned_by(struct derived *d, const struct planning *p, const char *owner)
{
	struct derived *one[] = { d };
	const struct rel alone = { .planning = p, .selects = one, .n_selects = 1 };
	const struct policy_table **tables = NULL;
	struct error ignored = ERROR_INIT;
	size_t n = 0, cap = 0;

	if (!derived_tables(&alone, &tables, &n, &cap, &ignored))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (tables[i]->rule == RULE_DIFFERENTIAL_PRIVACY && !text_eq(tables[i]->owner, owner))
			return false;
	}
	return true;
}

/* --- a relation becomes one scan ---------------------------------------------------------------------------------------------- */

static bool wrap_columns(struct expr *const *exprs, size_t n, struct expr **outputs, size_t *n_outputs, size_t *index)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = 0;
		while (at < *n_outputs && !expr_equal(outputs[at], exprs[i]))
			at++;
		if (at == *n_outputs)
			outputs[(*n_outputs)++] = exprs[i];
		index[i] = at;
	}
	return true;
}

static bool outer_names(struct rel *r, struct scan *s, const struct visible *v, const size_t *index, struct visible *out, struct error *e)
{
	struct expr **exprs = arena_array(r->planning->arena, v->n + 1, struct expr *);

	if (!exprs)
		return fail_memory(e);
	for (size_t i = 0; i < v->n; i++) {
		exprs[i] = rel_column(r, s, index[i]);
		if (!exprs[i])
			return fail_memory(e);
	}
	*out = *v;
	out->exprs = exprs;
	return true;
}

bool derived_wrap(struct rel *r, struct rel *inner, const struct names *names, struct names *out, struct scan **scan, struct error *e)
{
	struct arena *a = r->planning->arena;
	size_t total = names->merged.n, n = 0;
	struct derived *d;
	struct visible v;

	for (size_t i = 0; i < names->n; i++)
		total += names->tables[i].n;
	struct expr **outputs = arena_array(a, total + 1, struct expr *);
	size_t *index = arena_array(a, total + 1, size_t), at = 0;
	const char **column_names = arena_array(a, total + 1, const char *);
	if (!outputs || !index || !column_names)
		return fail_memory(e);
	for (size_t i = 0; i <= names->n; i++) {
		const struct visible *t = i < names->n ? &names->tables[i] : &names->merged;
		if (!wrap_columns(t->exprs, t->n, outputs, &n, index + at))
			return false;
		for (size_t j = 0; j < t->n; j++)
			column_names[index[at + j]] = t->names[j];
		at += t->n;
	}
	if (!derived_rows(r, inner, outputs, column_names, n, &d, e) || !rel_add_scan(r, &d->table, d, -1, scan, e))
		return false;
	if (names->n > 0)
		d->table.name = names->tables[0].alias;
	at = 0;
	for (size_t i = 0; i < names->n; i++) {
		if (!outer_names(r, *scan, &names->tables[i], index + at, &v, e) || !rel_add_visible(r, out, &v, -1, e))
			return false;
		at += names->tables[i].n;
	}
	if (names->merged.n > 0) {
		if (!outer_names(r, *scan, &names->merged, index + at, &out->merged, e))
			return false;
		out->cap_merged = out->merged.n;
	}
	return true;
}

/* --- sub-selects ---------------------------------------------------------------------------------------------------------------- */

/* Clauses that a row-level SELECT inside FROM must not have: they look at several rows at once. */
static bool check_plain(const struct rel *r, const PgQuery__SelectStmt *s, struct error *e)
{
	static const char hint[] = "Only projection, WHERE, joins and GROUP BY of the privacy unit may stand inside; sort, limit and deduplicate the aggregated result.";

	if (s->op != PG_QUERY__SET_OPERATION__SETOP_NONE)
		return rel_refuse(r, -1, e, "set operations", "only UNION ALL is supported over protected rows", hint);
	if (s->n_sort_clause > 0)
		return rel_refuse(r, -1, e, "protected part: ORDER BY", "ORDER BY is not allowed over protected rows", hint);
	if (s->limit_count || s->limit_offset)
		return rel_refuse(r, -1, e, "protected part: LIMIT", "LIMIT and OFFSET are not allowed over protected rows", hint);
	if (s->n_window_clause > 0)
		return rel_refuse(r, -1, e, "window functions", "WINDOW is not allowed over protected rows", hint);
	if (s->n_locking_clause > 0)
		return rel_refuse(r, -1, e, "statement: locking", "row locks are not allowed over protected rows", "Drop FOR UPDATE.");
	if (s->n_values_lists > 0)
		return rel_refuse(r, -1, e, "protected part: VALUES", "VALUES cannot be joined with protected rows", "Write constants in WHERE.");
	return true;
}

static const char *target_name(const PgQuery__ResTarget *t)
{
	const char *name = t->name && *t->name ? t->name : post_column_name(t->val);

	return name ? name : "?column?";
}

struct targets {
	const char **names;
	struct expr **exprs;
	size_t n, cap_names, cap_exprs;
	bool untyped; /* literals wait for the type of their column in the other arms of a UNION */
};

static bool add_target(const struct rel *r, struct targets *t, const char *name, struct expr *x, struct error *e)
{
	t->names = arena_grow(r->planning->arena, t->names, t->n, &t->cap_names, sizeof(*t->names));
	t->exprs = arena_grow(r->planning->arena, t->exprs, t->n, &t->cap_exprs, sizeof(*t->exprs));
	if (!t->names || !t->exprs)
		return fail_memory(e);
	t->names[t->n] = name;
	t->exprs[t->n++] = x;
	return true;
}

/* The columns of "*" or "t.*". */
static bool expand_star(const struct rel *r, const struct names *inner, const PgQuery__ColumnRef *c, struct targets *out, struct error *e)
{
	const char *only = c->n_fields > 1 ? c->fields[c->n_fields - 2]->string->sval : NULL;
	bool found = false;

	for (size_t t = 0; t < inner->n; t++) {
		const struct visible *v = &inner->tables[t];
		if (only && !text_eq(only, v->alias))
			continue;
		found = true;
		for (size_t i = 0; i < v->n; i++) {
			if (!add_target(r, out, v->names[i], v->exprs[i], e))
				return false;
		}
	}
	if (!found) {
		fail(e, ERR_NO_TABLE, "missing FROM-clause entry for table \"%s\"", only ? only : "*");
		return planning_at(r->planning, c->location, e);
	}
	return true;
}

static bool is_star(const Node *n)
{
	return n->node_case == PG_QUERY__NODE__NODE_COLUMN_REF &&
	       n->column_ref->fields[n->column_ref->n_fields - 1]->node_case == PG_QUERY__NODE__NODE_A_STAR;
}

enum { UNFOLDED_MAX = 10000 };

/*
 * Inlining makes expressions share sub-trees, so that forty nested "SELECT x || x AS x" would unfold to 2^40 nodes.  Everything later walks the unfolded
 * tree: its size is bounded here, where the sharing comes from.
 */
static bool count_nodes(const struct expr *x, size_t *left)
{
	if (*left == 0)
		return false;
	(*left)--;
	for (size_t i = 0; i < x->n_args; i++) {
		if (!count_nodes(x->args[i], left))
			return false;
	}
	return true;
}

static bool check_size(const struct rel *r, const struct expr *x, struct error *e)
{
	size_t left = UNFOLDED_MAX;

	if (count_nodes(x, &left))
		return true;
	fail(e, ERR_TOO_COMPLEX, "the expressions of nested sub-selects grow too large");
	error_rule(e, "limits");
	error_hint(e, "An inner column is used several times, level by level: compute it once, or with fewer levels.");
	return planning_at(r->planning, x->location, e);
}

static bool bind_targets(const struct binder *b, const PgQuery__SelectStmt *s, struct targets *out, struct error *e)
{
	for (size_t i = 0; i < s->n_target_list; i++) {
		const PgQuery__ResTarget *t = s->target_list[i]->res_target;
		struct expr *x;
		if (is_star(t->val) && !b->groups) {
			if (!expand_star(b->rel, b->names, t->val->column_ref, out, e))
				return false;
			continue;
		}
		if (!bind_expr(b, t->val, &x, e) || (!out->untyped && !bind_as(b, x, TYPE_TEXT, e)) || !check_size(b->rel, x, e) ||
		    !add_target(b->rel, out, target_name(t), x, e))
			return false;
	}
	return true;
}

static bool open_with(struct rel *r, const PgQuery__SelectStmt *s, const struct cte **scope, struct error *e)
{
	struct cte *opened;

	for (size_t i = 0; s->with_clause && i < s->with_clause->n_ctes; i++) {
		if (!post_open_cte(r->planning, *scope, s->with_clause->ctes[i]->common_table_expr, &opened, e))
			return false;
		*scope = opened;
	}
	return true;
}

/* The columns of a sub-select, as expressions over scans that join r's. */
static bool bind_select(struct rel *r, const PgQuery__SelectStmt *s, const struct cte *scope, const char *alias, struct targets *out,
			struct error *e);

/* SELECT ... GROUP BY unit, or DISTINCT with the unit among the columns. */
static bool bind_grouped(struct rel *r, const PgQuery__SelectStmt *s, const struct cte *scope, const char *alias, struct targets *out,
			 struct error *e)
{
	struct names inner = { 0 };
	struct unit_flow flow;
	struct grouped g;
	struct expr *having;
	const struct binder b = { .rel = r, .names = &inner, .scope = scope, .groups = &g };

	if (!grouped_open(r, s, scope, alias, &g, &inner, e) || !bind_targets(&b, s, out, e))
		return false;
	if (!unit_follow(g.derived->rel, &flow, e)) /* again: FILTER may have brought a sub-select of another owner's rows */
		return false;
	g.derived->owner_moves = flow.owner_moves;
	return !s->having_clause || (bind_condition(&b, s->having_clause, "HAVING", &having, e) && rel_add_condition(r, having, e));
}

/* --- UNION ALL -------------------------------------------------------------------------------------------------------------------- */

enum { ARMS_MAX = 16 };

struct arms {
	struct derived *items[ARMS_MAX];
	size_t n;
};

static bool bind_arm(struct rel *r, const PgQuery__SelectStmt *s, const struct cte *scope, struct arms *arms, struct error *e)
{
	struct rel *inner = rel_inside(r, scope);
	struct targets t = { .untyped = true };

	if (s->op == PG_QUERY__SET_OPERATION__SETOP_UNION && s->all && s->n_sort_clause == 0 && !s->limit_count && !s->limit_offset)
		return bind_arm(r, s->larg, scope, arms, e) && bind_arm(r, s->rarg, scope, arms, e);
	if (!inner)
		return fail_memory(e);
	if (arms->n == ARMS_MAX)
		return rel_refuse(r, -1, e, "limits", "at most 16 arms of UNION ALL are supported", "Ask two queries.");
	return bind_select(inner, s, scope, NULL, &t, e) &&
	       derived_rows(r, inner, t.exprs, t.names, t.n, &arms->items[arms->n++], e);
}

static bool refuse_arms(const struct rel *r, const char *message, struct error *e)
{
	return rel_refuse(r, -1, e, "set operations", message, "All arms of UNION ALL read tables of one privacy unit and have the same columns.");
}

/* A person whom the arms name by different cells would pass for two: nothing would bound what both together contribute. */
static bool refuse_units(const struct rel *r, const struct derived *x, const struct derived *y, struct error *e)
{
	const struct policy_column *c = sealed_unit(x->unit), *d = sealed_unit(y->unit);

	fail(e, ERR_RULE, "the privacy units of these arms of UNION ALL cannot be told to be the same");
	error_rule(e, "set operations");
	error_detail(e, "\"%s\" of \"%s\" is %s, \"%s\" of \"%s\" is %s; or they were sealed with different keys or settings: one person would count as two.", c->name,
		     x->table.owner, encoding_name(c->encoding), d->name, y->table.owner, encoding_name(d->encoding));
	error_hint(e, "Ask about each on its own and add the results.");
	return planning_at(r->planning, -1, e);
}

/* One column of all arms: its common type, and the widest of their ranges. */
static bool union_column(struct rel *r, const struct arms *arms, size_t column, struct derived *d, struct error *e)
{
	const struct binder b = { .rel = r };
	struct expr *x[ARMS_MAX];
	struct expr *cover = expr_make(&b, EXPR_COALESCE, TYPE_TEXT, -1, arms->n);
	struct link link = arms->items[0]->links[column];
	bool unit = true, number = false;

	if (!cover)
		return fail_memory(e);
	for (size_t i = 0; i < arms->n; i++) {
		x[i] = arms->items[i]->outputs[column];
		if (!sealed_unite(&b, x[0], x[i], e))
			return false;
	}
	if (!bind_common_type(&b, x, arms->n, &cover->type, -1, e))
		return false;
	for (size_t i = 0; i < arms->n; i++) {
		const struct derived *arm = arms->items[i];
		arm->outputs[column] = cover->args[i] = x[i];
		number = number || x[i]->form == FORM_NUMERIC || (sql_type_is_number(x[i]->type) && x[i]->type != x[0]->type);
		unit = unit && arm->is_unit[column];
		if (arm->links[column].table != link.table || arm->links[column].column != link.column)
			link.table = NULL;
	}
	for (size_t i = 0; i < arms->n; i++)
		arms->items[i]->as_number[column] = number;
	bind_cover(cover);
	cover->form = number ? FORM_NUMERIC : FORM_NATIVE;
	if (!derived_add_column(d, r->planning, arms->items[0]->columns[column].name, cover, e))
		return false;
	encoding_copy(&d->columns[column], &arms->items[0]->columns[column]);
	d->links[column] = link;
	d->is_unit[column] = unit;
	return true;
}

static bool bind_union(struct rel *r, const PgQuery__SelectStmt *s, const struct cte *scope, const char *alias, struct targets *out,
		       struct error *e)
{
	struct arena *a = r->planning->arena;
	struct derived *d = arena_new(a, struct derived);
	struct arms arms = { .n = 0 };
	struct scan *scan;

	if (!d)
		return fail_memory(e);
	*d = (struct derived){ .kind = DERIVED_UNION };
	if (!bind_arm(r, s, scope, &arms, e))
		return false;
	const struct derived *first = arms.items[0];
	d->table = first->table;
	d->table.name = alias ? alias : "union";
	d->table.columns = NULL;
	d->table.n_columns = 0;
	struct derived **copy = arena_array(a, arms.n, struct derived *);
	if (!copy)
		return fail_memory(e);
	mem_copy(copy, arms.items, arms.n * sizeof(*copy));
	d->arms = copy;
	d->n_arms = arms.n;
	for (size_t i = 1; i < arms.n; i++) {
		const struct derived *arm = arms.items[i];
		if (arm->n_outputs != first->n_outputs)
			return refuse_arms(r, "each arm of UNION ALL must have the same number of columns", e);
		if (arm->table.rule != first->table.rule || !text_eq(arm->table.unit_name, first->table.unit_name))
			return refuse_arms(r, "arms of UNION ALL must belong to one privacy unit", e);
		if (arm->unit && encoding_difference(sealed_unit(first->unit), sealed_unit(arm->unit)) != DOMAIN_SAME)
			return refuse_units(r, first, arm, e);
		d->owner_moves = d->owner_moves || arm->owner_moves || !derived_owned_by(arms.items[i], r->planning, first->table.owner) ||
				 !derived_owned_by(arms.items[0], r->planning, first->table.owner);
		if (__builtin_add_overflow(d->table.max_rows, arm->table.max_rows, &d->table.max_rows) || d->table.max_rows > INT32_MAX ||
		    __builtin_add_overflow(d->table.max_groups, arm->table.max_groups, &d->table.max_groups))
			return rel_refuse(r, -1, e, "contribution", "this union lets one person contribute too many rows", "Unite fewer tables.");
	}
	for (size_t i = 0; i < first->n_outputs; i++) {
		if (!union_column(r, &arms, i, d, e))
			return false;
	}
	if (!rel_add_scan(r, &d->table, d, -1, &scan, e))
		return false;
	for (size_t i = 0; i < d->table.n_columns; i++) {
		struct expr *x = rel_column(r, scan, i);
		if (!x)
			return fail_memory(e);
		if (!add_target(r, out, d->columns[i].name, x, e))
			return false;
	}
	return true;
}

static bool bind_select(struct rel *r, const PgQuery__SelectStmt *s, const struct cte *scope, const char *alias, struct targets *out,
			struct error *e)
{
	struct names inner = { 0 };
	struct binder b = { .rel = r, .names = &inner };

	if (!open_with(r, s, &scope, e))
		return false;
	b.scope = scope;
	if (s->op == PG_QUERY__SET_OPERATION__SETOP_UNION && s->all && s->n_sort_clause == 0 && !s->limit_count && !s->limit_offset)
		return bind_union(r, s, scope, alias, out, e);
	if (!check_plain(r, s, e))
		return false;
	if (s->n_distinct_clause > 0 || post_aggregates(s))
		return bind_grouped(r, s, scope, alias, out, e);
	return rel_bind_from(r, s, scope, &inner, e) && bind_targets(&b, s, out, e);
}

bool derived_bind(struct rel *r, const PgQuery__SelectStmt *s, const struct cte *scope, const char *alias, size_t n_aliases,
		  Node *const *aliases, int location, struct names *names, struct error *e)
{
	struct targets t = { 0 };

	if (!bind_select(r, s, scope, alias, &t, e))
		return false;
	if (n_aliases > t.n)
		return rel_refuse(r, location, e, "names", "more column aliases than columns", "Name at most as many as there are.");
	for (size_t i = 0; i < n_aliases; i++)
		t.names[i] = aliases[i]->string->sval;
	const struct visible v = { .alias = alias, .names = t.names, .exprs = t.exprs, .n = t.n };
	return rel_add_visible(r, names, &v, location, e);
}
