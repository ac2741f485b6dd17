/* Relations: tables with their projections, derived relations as nested SELECTs, joins and conditions. */
#include "planner/derived.h"
#include "planner/emit.h"

void emit_mark(const struct expr *x)
{
	if (x->kind == EXPR_COLUMN)
		x->scan->used[x->column] = true;
	if (x->kind == EXPR_UNIT)
		x->scan->unit_used = true;
	for (size_t i = 0; i < x->n_args; i++)
		emit_mark(x->args[i]);
}

static void mark_rel(const struct rel *r)
{
	for (size_t i = 0; i < r->n_conjuncts; i++)
		emit_mark(r->conjuncts[i]);
	for (size_t i = 0; i < r->n_scans; i++) {
		for (size_t j = 0; j < r->scans[i]->n_on; j++)
			emit_mark(r->scans[i]->on[j]);
	}
}

static void emit_projected(struct emit *m, const char *table, const struct policy_column *c)
{
	bool text = c->type == TYPE_TEXT;

	wr_fmt(&m->w, "%s%s.", text ? "(" : "", table);
	wr_sql_name(&m->w, c->name);
	wr_str(&m->w, text ? "::pg_catalog.text COLLATE pg_catalog.\"C\")" : "");
}

static void emit_source(struct emit *m, const struct policy_table *t, const char *alias)
{
	wr_sql_name(&m->w, t->source_schema);
	wr_str(&m->w, ".");
	wr_sql_name(&m->w, t->source_name);
	wr_fmt(&m->w, " AS %s", alias);
}

/* The tables on the way to the unit: each has one row for a row of the one before, by a unique column. */
static const struct policy_table *emit_path(struct emit *m, const struct policy_table *t, const char **alias)
{
	*alias = "s";
	for (size_t step = 1; t->via; step++) {
		const char *next = arena_printf(m->arena, "v%zu", step);
		if (!next) {
			m->no_memory = true;
			return t;
		}
		wr_str(&m->w, " JOIN ");
		emit_source(m, t->via, next);
		wr_str(&m->w, " ON (");
		emit_projected(m, *alias, &t->columns[t->unit_column]);
		wr_str(&m->w, " OPERATOR(pg_catalog.=) ");
		emit_projected(m, next, &t->via->columns[t->via_column]);
		wr_str(&m->w, ")");
		*alias = next;
		t = t->via;
	}
	return t;
}

/* (SELECT s.email::pg_catalog.text COLLATE "C" AS c1, ... FROM schema.table AS s) AS t1: text is compared as bytes from here on. */
static void emit_table(struct emit *m, const struct scan *s)
{
	const struct policy_table *t = s->table;
	const char *separator = "", *alias = "s";
	struct wr path = m->w;

	/* the path is written aside first: the unit stands in the select list before it */
	wr_init(&m->w, m->arena, EMIT_MAX);
	const struct policy_table *last = s->unit_used ? emit_path(m, t, &alias) : t;
	const char *joins = wr_text(&m->w);
	path.bad = path.bad || !wr_ok(&m->w);
	m->w = path;
	wr_str(&m->w, "(SELECT ");
	for (size_t i = 0; i < t->n_columns; i++) {
		if (!s->used[i])
			continue;
		wr_str(&m->w, separator);
		emit_projected(m, "s", &t->columns[i]);
		wr_fmt(&m->w, " AS c%zu", i + 1);
		separator = ", ";
	}
	if (s->unit_used) {
		wr_str(&m->w, separator);
		emit_projected(m, alias, &last->columns[last->unit_column]);
		wr_str(&m->w, " AS u");
		separator = ", ";
	}
	wr_str(&m->w, *separator ? " FROM " : "true AS c0 FROM ");
	emit_source(m, t, "s");
	if (s->unit_used)
		wr_str(&m->w, joins);
	wr_str(&m->w, ")");
}

static void emit_output(struct emit *m, const struct derived *d, size_t i)
{
	(d->as_number[i] ? emit_number : emit_expr)(m, d->outputs[i]);
}

/* SELECT outputs AS c1, ..., unit AS u FROM ... WHERE ... */
static void emit_rows(struct emit *m, const struct derived *d, const bool *used, bool unit_used, bool not_null)
{
	const char *separator = "";

	mark_rel(d->rel);
	for (size_t i = 0; i < d->n_outputs; i++) {
		if (!used || used[i] || not_null)
			emit_mark(d->outputs[i]);
	}
	if (unit_used && d->unit)
		emit_mark(d->unit);
	wr_str(&m->w, "SELECT ");
	for (size_t i = 0; i < d->n_outputs; i++) {
		if (used && !used[i])
			continue;
		wr_str(&m->w, separator);
		emit_output(m, d, i);
		wr_fmt(&m->w, " AS c%zu", i + 1);
		separator = ", ";
	}
	if (unit_used && d->unit) {
		wr_str(&m->w, separator);
		emit_expr(m, d->unit);
		wr_str(&m->w, " AS u");
		separator = ", ";
	}
	if (!*separator)
		wr_str(&m->w, "true AS c0");
	emit_from_where(m, d->rel, "");
	for (size_t i = 0; not_null && i < d->n_outputs; i++) {
		wr_str(&m->w, " AND (");
		emit_output(m, d, i);
		wr_str(&m->w, ") IS NOT NULL");
	}
}

static void emit_inner_aggregate(struct emit *m, const struct inner_aggregate *g, bool number)
{
	wr_fmt(&m->w, "pg_catalog.%s(%s", g->function, g->distinct ? "DISTINCT " : "");
	if (g->arg)
		(number ? emit_number : emit_expr)(m, g->arg);
	else
		wr_str(&m->w, "*");
	wr_str(&m->w, ")");
	if (!g->filter)
		return;
	wr_str(&m->w, " FILTER (WHERE ");
	emit_expr(m, g->filter);
	wr_str(&m->w, ")");
}

/* All keys, the aggregates that are used, the unit; the keys are grouped by even where nothing reads them. */
static void emit_groups(struct emit *m, const struct derived *d, const bool *used)
{
	const size_t keys = d->n_outputs;
	size_t columns = keys;

	mark_rel(d->rel);
	for (size_t i = 0; i < keys; i++)
		emit_mark(d->outputs[i]);
	for (size_t i = 0; i < d->n_aggregates; i++) {
		if (d->aggregates[i].arg)
			emit_mark(d->aggregates[i].arg);
		if (d->aggregates[i].filter)
			emit_mark(d->aggregates[i].filter);
	}
	if (d->unit)
		emit_mark(d->unit);
	wr_str(&m->w, "SELECT ");
	for (size_t i = 0; i < keys; i++) {
		wr_str(&m->w, i > 0 ? ", " : "");
		emit_expr(m, d->outputs[i]);
		wr_fmt(&m->w, " AS c%zu", i + 1);
	}
	if (d->unit) {
		wr_str(&m->w, ", ");
		emit_expr(m, d->unit);
		wr_str(&m->w, " AS u");
		columns++;
	}
	for (size_t i = 0; i < d->n_aggregates; i++) {
		if (used && !used[keys + i])
			continue;
		wr_str(&m->w, ", ");
		emit_inner_aggregate(m, &d->aggregates[i], d->forms[keys + i] == FORM_NUMERIC);
		wr_fmt(&m->w, " AS c%zu", keys + i + 1);
	}
	emit_from_where(m, d->rel, "");
	if (d->unit) {
		wr_str(&m->w, " AND (");
		emit_expr(m, d->unit);
		wr_str(&m->w, ") IS NOT NULL");
	}
	for (size_t i = 0; i < columns; i++)
		wr_fmt(&m->w, "%s%zu", i == 0 ? " GROUP BY " : ", ", i + 1);
}

static void emit_derived(struct emit *m, const struct derived *d, const bool *used, bool unit_used)
{
	switch (d->kind) {
	case DERIVED_ROWS:
		emit_rows(m, d, used, unit_used, false);
		break;
	case DERIVED_GROUPS:
		emit_groups(m, d, used);
		break;
	case DERIVED_UNION:
		for (size_t i = 0; i < d->n_arms; i++) {
			wr_str(&m->w, i > 0 ? " UNION ALL " : "");
			emit_rows(m, d->arms[i], used, unit_used, false);
		}
		break;
	}
}

static void emit_scan(struct emit *m, const struct scan *s)
{
	if (s->derived) {
		wr_str(&m->w, "(");
		emit_derived(m, s->derived, s->used, s->unit_used);
		wr_str(&m->w, ")");
	} else {
		emit_table(m, s);
	}
	wr_fmt(&m->w, " AS t%zu", s->number);
}

static void emit_conditions(struct emit *m, struct expr *const *conditions, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		wr_str(&m->w, i > 0 ? " AND " : "");
		emit_expr(m, conditions[i]);
	}
	if (n == 0)
		wr_str(&m->w, "true");
}

static void emit_full(struct emit *m, const struct rel *r)
{
	wr_str(&m->w, " FROM ");
	emit_scan(m, r->scans[0]);
	wr_str(&m->w, " FULL JOIN ");
	emit_scan(m, r->scans[1]);
	wr_str(&m->w, " ON ");
	emit_conditions(m, r->conjuncts, r->n_conjuncts);
	wr_str(&m->w, " WHERE true");
}

void emit_from_where(struct emit *m, const struct rel *r, const char *also)
{
	if (r->full) {
		emit_full(m, r);
		wr_str(&m->w, also);
		return;
	}
	wr_str(&m->w, " FROM ");
	for (size_t i = 0; i < r->n_scans; i++) {
		const struct scan *s = r->scans[i];
		if (i > 0)
			wr_str(&m->w, s->nullable ? " LEFT JOIN " : " CROSS JOIN ");
		emit_scan(m, s);
		if (!s->nullable)
			continue;
		wr_str(&m->w, " ON ");
		emit_conditions(m, s->on, s->n_on);
	}
	wr_str(&m->w, " WHERE true");
	for (size_t i = 0; i < r->n_conjuncts; i++) {
		wr_str(&m->w, " AND ");
		/* a whole condition that is NULL is as good as false: the plain form can be planned as a join */
		(r->conjuncts[i]->kind == EXPR_IN_SELECT ? emit_in_rows : emit_expr)(m, r->conjuncts[i]);
	}
	wr_str(&m->w, also);
}

/*
 * NULLs of the sub-select are left out: in NOT IN one person's NULL would otherwise take everyone's rows away.  A row without a unit of its own to compare
 * gives NULL whatever the sub-select holds: SQL's answer depends on whether the sub-select is empty, that is, on other persons.
 */
void emit_in_select(struct emit *m, const struct expr *x)
{
	if (!x->select->protected_select) {
		emit_in_rows(m, x);
		return;
	}
	wr_str(&m->w, "(CASE WHEN (");
	emit_expr(m, x->args[x->select->tie]);
	wr_str(&m->w, ") IS NOT NULL THEN ");
	emit_in_rows(m, x);
	wr_str(&m->w, " END)");
}

void emit_in_rows(struct emit *m, const struct expr *x)
{
	const struct derived *d = x->select;

	wr_str(&m->w, "((");
	for (size_t i = 0; i < x->n_args; i++) {
		wr_str(&m->w, i > 0 ? ", " : "");
		(d->as_number[i] ? emit_number : emit_expr)(m, x->args[i]);
	}
	wr_str(&m->w, ") OPERATOR(pg_catalog.=) ANY (");
	emit_rows(m, d, NULL, false, true);
	wr_str(&m->w, "))");
}
