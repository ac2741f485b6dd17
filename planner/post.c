#include "planner/post.h"

#include "base/mem.h"
#include "base/text.h"
#include "planner/grouping.h"
#include "planner/sealed_rows.h"

typedef PgQuery__Node Node;

static const struct {
	const char *name;
} aggregate_names[] = { { "count" }, { "sum" }, { "avg" }, { "min" }, { "max" }, { "var_pop" }, { "var_samp" }, { "variance" }, { "stddev" },
			{ "stddev_pop" }, { "stddev_samp" }, { "corr" }, { "covar_pop" }, { "covar_samp" }, { "array_agg" }, { "string_agg" },
			{ "bool_and" }, { "bool_or" }, { "every" }, { "bit_and" }, { "bit_or" }, { "bit_xor" }, { "json_agg" }, { "jsonb_agg" },
			{ "json_object_agg" }, { "jsonb_object_agg" }, { "mode" }, { "percentile_cont" }, { "percentile_disc" }, { "xmlagg" },
			{ "regr_slope" }, { "regr_intercept" }, { "regr_r2" }, { "regr_count" }, { "regr_avgx" }, { "regr_avgy" }, { "regr_sxx" },
			{ "regr_sxy" }, { "regr_syy" }, { "range_agg" } };

bool post_is_aggregate(const PgQuery__FuncCall *f)
{
	const Node *last = f->n_funcname > 0 ? f->funcname[f->n_funcname - 1] : NULL;

	if (f->over || !last || last->node_case != PG_QUERY__NODE__NODE_STRING)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(aggregate_names); i++) {
		if (text_eq(aggregate_names[i].name, last->string->sval))
			return true;
	}
	return false;
}

static bool refuse(const struct planning *p, int location, struct error *e, const char *rule, const char *message, const char *hint)
{
	fail(e, ERR_RULE, "%s", message);
	error_rule(e, rule);
	error_hint(e, "%s", hint);
	return planning_at(p, location, e);
}

bool post_open_cte(const struct planning *p, const struct cte *scope, const PgQuery__CommonTableExpr *c, struct cte **out, struct error *e)
{
	struct cte *made = arena_new(p->arena, struct cte);

	if (!made)
		return fail_memory(e);
	if (c->cterecursive || c->search_clause || c->cycle_clause)
		return refuse(p, c->location, e, "recursive CTEs", "recursive WITH is not allowed", "Write it without RECURSIVE.");
	if (c->ctequery->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
		return refuse(p, c->location, e, "statement: DML", "only SELECT may stand in WITH", "Noisegate only reads.");
	*made = (struct cte){ .next = scope, .name = c->ctename, .query = c->ctequery->select_stmt, .expr = c, .outer = scope };
	if (!source_kind(p, scope, made->query, &made->kind, e))
		return false;
	*out = made;
	return true;
}

static bool rewrite(struct post *p, const struct cte *scope, PgQuery__SelectStmt *s, struct error *e);

struct rewriting {
	struct post *post;
	const struct cte *scope;
	struct block *block;    /* NULL: only sub-selects and the allowlist */
	struct grouping *grouping; /* of the block */
	const char *alias;      /* of the block's relation */
	bool only_columns;      /* cleared when anything but a block column is met */
};

static bool to_name(struct rewriting *w, Node *n, const char *column, struct error *e)
{
	struct arena *a = w->post->planning->arena;
	PgQuery__ColumnRef *c = arena_new(a, PgQuery__ColumnRef);
	Node **fields = arena_array(a, 2, Node *);
	Node *nodes = arena_array(a, 2, Node);
	PgQuery__String *strings = arena_array(a, 2, PgQuery__String);

	if (!c || !fields || !nodes || !strings)
		return fail_memory(e);
	const char *parts[] = { w->alias, column };
	for (size_t i = 0; i < 2; i++) {
		pg_query__string__init(&strings[i]);
		pg_query__node__init(&nodes[i]);
		strings[i].sval = arena_strdup(a, parts[i]);
		if (!strings[i].sval)
			return fail_memory(e);
		nodes[i].node_case = PG_QUERY__NODE__NODE_STRING;
		nodes[i].string = &strings[i];
		fields[i] = &nodes[i];
	}
	pg_query__column_ref__init(c);
	c->n_fields = 2;
	c->fields = fields;
	n->node_case = PG_QUERY__NODE__NODE_COLUMN_REF;
	n->column_ref = c;
	return true;
}

/* GROUPING(a, b) is known of each set: a column of the relation. */
static bool rewrite_grouping(struct rewriting *w, Node *n, struct error *e)
{
	size_t number;

	if (!grouping_call(w->post->planning, w->block, w->grouping, n->grouping_func, &number, e))
		return false;
	const char *name = arena_printf(w->post->planning->arena, "g%zu", number + 1);
	w->only_columns = false;
	return name ? to_name(w, n, name, e) : fail_memory(e);
}

static bool rewrite_sublink(struct rewriting *w, PgQuery__SubLink *l, struct error *e)
{
	enum query_kind k;

	if (l->subselect->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
		return refuse(w->post->planning, l->location, e, "sub-selects", "this sub-select is not supported", "Use a CTE.");
	if (!query_kind(w->post->planning, w->scope, l->subselect->select_stmt, &k, e))
		return false;
	if (k == QUERY_RAW)
		return refuse(w->post->planning, l->location, e, "row-level output", "a sub-select over protected rows must aggregate",
			      "Select count(*), sum(x) or avg(x) in it.");
	return rewrite(w->post, w->scope, l->subselect->select_stmt, e);
}

static bool rewrite_visit(void *ctx, Node *n, struct error *e)
{
	struct rewriting *w = ctx;
	int column = -1;

	if (n->node_case == PG_QUERY__NODE__NODE__NOT_SET || n->node_case == PG_QUERY__NODE__NODE_STRING)
		return false;
	bool structural = n->node_case == PG_QUERY__NODE__NODE_LIST || n->node_case == PG_QUERY__NODE__NODE_WINDOW_DEF ||
			  n->node_case == PG_QUERY__NODE__NODE_SORT_BY || n->node_case == PG_QUERY__NODE__NODE_CASE_WHEN;
	if (w->block && n->node_case == PG_QUERY__NODE__NODE_GROUPING_FUNC) {
		(void)!rewrite_grouping(w, n, e);
		return false;
	}
	if (w->block && !structural) {
		if (!block_column(w->block, n, &column, e))
			return false;
		if (column >= 0) {
			(void)!to_name(w, n, block_column_name(w->block, column), e);
			return false;
		}
	}
	if (!structural)
		w->only_columns = false;
	if (n->node_case == PG_QUERY__NODE__NODE_SUB_LINK) {
		if (n->sub_link->testexpr && !ast_walk_node(n->sub_link->testexpr, rewrite_visit, w, e))
			return false;
		(void)!rewrite_sublink(w, n->sub_link, e);
		return false;
	}
	if (n->node_case == PG_QUERY__NODE__NODE_TYPE_CAST) /* its type name holds no expressions but has nodes */
		return post_check_node(w->post->planning, n, e) && ast_walk_node(n->type_cast->arg, rewrite_visit, w, e) && false;
	if (n->node_case == PG_QUERY__NODE__NODE_COLUMN_REF)
		return false;
	return post_check_node(w->post->planning, n, e);
}

static bool rewrite_list(struct rewriting *w, Node **nodes, size_t n, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		if (!ast_walk_node(nodes[i], rewrite_visit, w, e))
			return false;
	}
	return true;
}

/* ORDER BY n and ORDER BY alias name output columns, as in DISTINCT ON: they stay. */
static bool is_output(const PgQuery__SelectStmt *s, const Node *n)
{
	const char *name;
	int ordinal;

	return select_ordinal(n, &ordinal) || (select_simple_name(n, &name) && select_target(s, name));
}

static bool rewrite_distinct(struct rewriting *w, const PgQuery__SelectStmt *s, struct error *e)
{
	for (size_t i = 0; i < s->n_distinct_clause; i++) {
		if (!is_output(s, s->distinct_clause[i]) && !ast_walk_node(s->distinct_clause[i], rewrite_visit, w, e))
			return false;
	}
	return true;
}

static bool rewrite_sort(struct rewriting *w, const PgQuery__SelectStmt *s, struct error *e)
{
	for (size_t i = 0; i < s->n_sort_clause; i++) {
		const PgQuery__SortBy *by = s->sort_clause[i]->sort_by;
		if (!post_check_node(w->post->planning, s->sort_clause[i], e) ||
		    (!is_output(s, by->node) && !ast_walk_node(by->node, rewrite_visit, w, e)))
			return false;
	}
	return true;
}

/* Every target gets the name that it would have had, before its expression changes. */
static bool name_targets(struct post *p, PgQuery__SelectStmt *s, struct error *e)
{
	for (size_t i = 0; i < s->n_target_list; i++) {
		PgQuery__ResTarget *t = s->target_list[i]->res_target;
		if (t->name && *t->name)
			continue;
		const char *name = post_column_name(t->val);
		if (!name)
			continue; /* a sub-select's own: it survives the rewriting */
		t->name = arena_strdup(p->planning->arena, name);
		if (!t->name)
			return fail_memory(e);
	}
	return true;
}

/* SELECT * of row-level output: every column by its name. */
static bool expand_stars(struct post *p, const struct block *b, PgQuery__SelectStmt *s, struct error *e)
{
	struct arena *a = p->planning->arena;
	size_t total = s->n_target_list + s->n_target_list * block_star(b, NULL), n = 0;
	Node **targets = arena_array(a, total + 1, Node *);

	if (!targets)
		return fail_memory(e);
	for (size_t i = 0; i < s->n_target_list; i++) {
		const Node *v = s->target_list[i]->res_target->val;
		bool star = v->node_case == PG_QUERY__NODE__NODE_COLUMN_REF &&
			    v->column_ref->fields[v->column_ref->n_fields - 1]->node_case == PG_QUERY__NODE__NODE_A_STAR;
		if (!star) {
			targets[n++] = s->target_list[i];
			continue;
		}
		const char *only = v->column_ref->n_fields > 1 ? v->column_ref->fields[v->column_ref->n_fields - 2]->string->sval : NULL;
		for (size_t j = 0; j < block_star(b, only); j++) {
			const char *alias, *name;
			const PgQuery__ParseResult *tree;
			struct wr w;
			block_star_column(b, only, j, &alias, &name);
			wr_init(&w, a, 4096);
			wr_str(&w, "SELECT ");
			wr_sql_name(&w, alias);
			wr_str(&w, ".");
			wr_sql_name(&w, name);
			wr_str(&w, " AS ");
			wr_sql_name(&w, name);
			if (!wr_ok(&w))
				return fail_memory(e);
			if (!ast_parse(a, wr_text(&w), &tree, e))
				return false;
			targets[n++] = tree->stmts[0]->stmt->select_stmt->target_list[0];
		}
	}
	s->target_list = targets;
	s->n_target_list = n;
	return true;
}

/* --- a block becomes a relation over released rows --------------------------------------------------------------------------- */

/* One set's rows: its own columns from the released cells, keys that it does not group by as NULL, its GROUPING values. */
static void put_set(struct wr *w, struct post *p, const struct block *all, const struct block *b, const struct grouping *g, size_t set)
{
	const size_t n = block_columns(b), keys = block_keys(all);

	wr_str(w, "SELECT ");
	for (size_t i = 0; i < block_columns(all); i++) {
		const char *name = block_column_name(all, (int)i), *type = sql_type_name(block_column_type(all, (int)i));
		bool here = !g->several || i >= keys || g->sets[set][i];
		wr_str(w, i ? ", " : "");
		if (here)
			wr_fmt(w, "u.%s::pg_catalog.%s AS %s", name, type, name);
		else
			wr_fmt(w, "NULL::pg_catalog.%s AS %s", type, name);
	}
	for (size_t i = 0; i < g->n_calls; i++)
		wr_fmt(w, ", %u::pg_catalog.int4 AS g%zu", grouping_value(g, i, set), i + 1);
	if (n == 0)
		return;
	wr_str(w, " FROM ROWS FROM (");
	for (size_t i = 0; i < n; i++)
		wr_fmt(w, "%spg_catalog.unnest($%d::pg_catalog.text[])", i ? ", " : "", p->next_param++);
	wr_str(w, ") AS u(");
	for (size_t i = 0; i < n; i++)
		wr_fmt(w, "%s%s", i ? ", " : "", block_column_name(b, (int)i));
	wr_str(w, ")");
}

static bool keep_block(struct post *p, struct block *b, struct error *e)
{
	struct block **grown = arena_grow(p->planning->arena, p->blocks, p->n_blocks, &p->cap_blocks, sizeof(*grown));

	if (!grown)
		return fail_memory(e);
	if (p->n_blocks >= 32) {
		fail(e, ERR_TOO_COMPLEX, "at most 32 protected sub-queries are supported in one statement");
		return error_rule(e, "limits");
	}
	p->blocks = grown;
	p->blocks[p->n_blocks++] = b;
	return true;
}

static bool keep_family(struct post *p, size_t first, struct error *e)
{
	struct post_family *grown = arena_grow(p->planning->arena, p->families, p->n_families, &p->cap_families, sizeof(*grown));

	if (!grown)
		return fail_memory(e);
	p->families = grown;
	p->families[p->n_families++] = (struct post_family){ first, p->n_blocks - first };
	return true;
}

/* The statement's result is the block's columns as they are: no sidecar needed.  (timestamptz is shown in the session's zone: by the sidecar.) */
static bool note_direct(struct post *p, const struct block *b, const PgQuery__SelectStmt *s, struct error *e)
{
	p->outputs = arena_array(p->planning->arena, s->n_target_list, struct plan_output);
	if (!p->outputs)
		return fail_memory(e);
	for (size_t i = 0; i < s->n_target_list; i++) {
		const PgQuery__ResTarget *t = s->target_list[i]->res_target;
		const char *column = t->val->column_ref->fields[1]->string->sval;
		for (size_t c = 0; c < block_columns(b); c++) {
			if (!text_eq(column, block_column_name(b, (int)c)))
				continue;
			p->outputs[i] = (struct plan_output){ t->name, c };
			if (block_column_type(b, (int)c) == TYPE_TIMESTAMPTZ)
				return true;
		}
	}
	p->n_outputs = s->n_target_list;
	p->direct = true;
	return true;
}

/* The block, or one block for each grouping set (the statement's epsilon is divided between them), as a relation of released rows. */
static bool block_relation(struct post *p, struct block *b, const struct grouping *g, const char *alias, Node **out, struct error *e)
{
	struct arena *a = p->planning->arena;
	const size_t first = p->n_blocks;
	const PgQuery__ParseResult *tree;
	struct wr w;

	wr_init(&w, a, 1 << 20);
	wr_str(&w, "SELECT 1 FROM (");
	for (size_t i = 0; i < g->n_sets; i++) {
		struct block *one = b;
		if (g->several && !block_subset(b, g->sets[i], &one, e))
			return false;
		/* GROUP BY () of keys alone is one row without a question */
		if (block_columns(one) > 0 && !keep_block(p, one, e))
			return false;
		wr_str(&w, i ? " UNION ALL " : "");
		put_set(&w, p, b, one, g, i);
	}
	wr_fmt(&w, ") AS %s", alias);
	if (!wr_ok(&w))
		return fail_memory(e);
	if (p->n_blocks > first + 1 && !keep_family(p, first, e))
		return false;
	if (!ast_parse(a, wr_text(&w), &tree, e))
		return false;
	*out = tree->stmts[0]->stmt->select_stmt->from_clause[0];
	return true;
}

static bool rewrite_block(struct post *p, const struct cte *scope, PgQuery__SelectStmt *s, bool top, bool rows, struct error *e)
{
	struct arena *a = p->planning->arena;
	struct grouping grouping;
	struct rewriting w = { .post = p, .scope = scope, .only_columns = true, .grouping = &grouping };
	PgQuery__WithClause *with = s->with_clause; /* what is left of it are results, which stay; the row-level ones are in scope */
	Node *relation = NULL;

	w.alias = arena_printf(a, "ng%zu", ++p->n_aliases);
	if (!w.alias)
		return fail_memory(e);
	s->with_clause = NULL;
	if (!block_open(p->planning, scope, s, rows, &w.block, e) || (rows && !expand_stars(p, w.block, s, e)) || !name_targets(p, s, e) ||
	    (rows && !sealed_rows(w.block, s, e)))
		return false;
	s->with_clause = with;
	if (!grouping_read(p->planning, w.block, s, &grouping, e))
		return false;
	/* ORDER BY first: its expressions are compared with keys before the targets that they share nodes with change */
	bool plain = s->n_sort_clause == 0 && !s->having_clause && s->n_distinct_clause == 0 && !s->limit_count && !s->limit_offset &&
		     s->n_window_clause == 0 && !grouping.several;
	if (!rewrite_sort(&w, s, e))
		return false;
	w.only_columns = true;
	for (size_t i = 0; i < s->n_target_list; i++) {
		if (!ast_walk_node(s->target_list[i]->res_target->val, rewrite_visit, &w, e))
			return false;
	}
	bool columns_only = w.only_columns;
	if ((s->having_clause && !ast_walk_node(s->having_clause, rewrite_visit, &w, e)) ||
	    !rewrite_distinct(&w, s, e) || !rewrite_list(&w, s->window_clause, s->n_window_clause, e) ||
	    (s->limit_count && !ast_walk_node(s->limit_count, rewrite_visit, &w, e)) ||
	    (s->limit_offset && !ast_walk_node(s->limit_offset, rewrite_visit, &w, e)))
		return false;
	if (s->n_locking_clause > 0 || s->into_clause)
		return refuse(p->planning, -1, e, "statement: locking", "FOR UPDATE and INTO are not allowed", "Drop the clause.");
	if (block_columns(w.block) == 0)
		return refuse(p->planning, -1, e, "aggregates", "the query aggregates nothing", "Select count(*), sum(x) or avg(x).");
	if (top && plain && columns_only && !note_direct(p, w.block, s, e))
		return false;
	Node **from = arena_array(a, 1, Node *);
	if (!from)
		return fail_memory(e);
	/* blocks inside this one are complete by now: parameters are numbered in the order of the list */
	if (!block_relation(p, w.block, &grouping, w.alias, &relation, e))
		return false;
	from[0] = relation;
	s->from_clause = from;
	s->n_from_clause = 1;
	s->where_clause = s->having_clause;
	s->having_clause = NULL;
	s->n_group_clause = 0;
	s->group_distinct = 0;
	return true;
}

/* --- post-processing over aggregated results --------------------------------------------------------------------------------- */

static bool rewrite_from(struct post *p, const struct cte *scope, struct rewriting *w, Node *n, struct error *e)
{
	const struct policy_table *table;
	const struct cte *cte;

	switch (n->node_case) {
	case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
		return rewrite(p, scope, n->range_subselect->subquery->select_stmt, e);
	case PG_QUERY__NODE__NODE_JOIN_EXPR:
		return rewrite_from(p, scope, w, n->join_expr->larg, e) && rewrite_from(p, scope, w, n->join_expr->rarg, e) &&
		       (!n->join_expr->quals || ast_walk_node(n->join_expr->quals, rewrite_visit, w, e));
	case PG_QUERY__NODE__NODE_RANGE_VAR:
		if (!planning_table(p->planning, scope, n->range_var, &cte, &table, e))
			return false;
		if (cte)
			return true;
		return refuse(p->planning, n->range_var->location, e, "mixed sources", "catalog tables cannot be joined with aggregated results",
			      "Ask two queries.");
	case PG_QUERY__NODE__NODE_RANGE_FUNCTION:
		return ast_walk(&n->range_function->base, rewrite_visit, w, e);
	default:
		return refuse(p->planning, -1, e, "protected part: FROM", "this FROM item is not supported", "Use tables, sub-selects and joins.");
	}
}

static bool rewrite_outer(struct post *p, const struct cte *scope, PgQuery__SelectStmt *s, struct error *e)
{
	struct rewriting w = { .post = p, .scope = scope };

	for (size_t i = 0; i < s->n_from_clause; i++) {
		if (!rewrite_from(p, scope, &w, s->from_clause[i], e))
			return false;
	}
	for (size_t i = 0; i < s->n_target_list; i++) {
		if (!ast_walk_node(s->target_list[i]->res_target->val, rewrite_visit, &w, e))
			return false;
	}
	if (s->n_locking_clause > 0 || s->into_clause)
		return refuse(p->planning, -1, e, "statement: locking", "FOR UPDATE and INTO are not allowed", "Drop the clause.");
	return (!s->where_clause || ast_walk_node(s->where_clause, rewrite_visit, &w, e)) &&
	       (!s->having_clause || ast_walk_node(s->having_clause, rewrite_visit, &w, e)) &&
	       rewrite_list(&w, s->group_clause, s->n_group_clause, e) && rewrite_list(&w, s->distinct_clause, s->n_distinct_clause, e) &&
	       rewrite_list(&w, s->window_clause, s->n_window_clause, e) && rewrite_list(&w, s->sort_clause, s->n_sort_clause, e) &&
	       rewrite_list(&w, s->values_lists, s->n_values_lists, e) &&
	       (!s->limit_count || ast_walk_node(s->limit_count, rewrite_visit, &w, e)) &&
	       (!s->limit_offset || ast_walk_node(s->limit_offset, rewrite_visit, &w, e));
}

struct mention {
	const char *name;
	bool found;
};

static bool find_mention(void *ctx, Node *n, struct error *e UNUSED)
{
	struct mention *m = ctx;

	if (n->node_case == PG_QUERY__NODE__NODE_RANGE_VAR && text_eq(n->range_var->relname, m->name))
		m->found = true;
	return !m->found;
}

/* Whether a name is mentioned by the CTEs that stay behind this one, or by the query itself. */
static bool is_mentioned(PgQuery__SelectStmt *s, size_t cte, const bool *keep)
{
	PgQuery__WithClause *with = s->with_clause;
	struct mention m = { .name = with->ctes[cte]->common_table_expr->ctename };
	struct error ignored = ERROR_INIT;

	for (size_t i = cte + 1; i < with->n_ctes && !m.found; i++) {
		if (keep[i])
			(void)!ast_walk_node(with->ctes[i], find_mention, &m, &ignored);
	}
	s->with_clause = NULL;
	(void)!ast_walk(&s->base, find_mention, &m, &ignored);
	s->with_clause = with;
	return m.found;
}

/*
 * WITH: row-level CTEs were inlined into their blocks and disappear, as do those that nothing mentions (PostgreSQL would not run them, so they must
 * not be charged); the others are rewritten where they stand.
 */
static bool rewrite_with(struct post *p, const struct cte **scope, PgQuery__SelectStmt *s, struct error *e)
{
	PgQuery__WithClause *with = s->with_clause;
	bool *keep = arena_array(p->planning->arena, with->n_ctes, bool);
	size_t kept = 0;

	if (!keep)
		return fail_memory(e);
	for (size_t i = with->n_ctes; i-- > 0;)
		keep[i] = is_mentioned(s, i, keep);
	for (size_t i = 0; i < with->n_ctes; i++) {
		PgQuery__CommonTableExpr *c = with->ctes[i]->common_table_expr;
		struct cte *opened;
		if (!post_open_cte(p->planning, *scope, c, &opened, e))
			return false;
		if (keep[i] && opened->kind != QUERY_RAW) {
			if (!rewrite(p, *scope, c->ctequery->select_stmt, e))
				return false;
			with->ctes[kept++] = with->ctes[i];
		} else {
			p->dropped = true;
		}
		*scope = opened;
	}
	with->n_ctes = kept;
	if (kept == 0)
		s->with_clause = NULL;
	return true;
}

static bool rewrite_any(struct post *p, const struct cte *scope, PgQuery__SelectStmt *s, bool top, struct error *e)
{
	const bool statement = top;
	enum query_kind k;

	if (!query_kind(p->planning, scope, s, &k, e))
		return false;
	if (s->with_clause) {
		top = false;
		if (!rewrite_with(p, &scope, s, e))
			return false;
	}
	if (s->op != PG_QUERY__SET_OPERATION__SETOP_NONE && s->larg) {
		struct rewriting w = { .post = p, .scope = scope };
		return rewrite_any(p, scope, s->larg, false, e) && rewrite_any(p, scope, s->rarg, false, e) &&
		       rewrite_list(&w, s->sort_clause, s->n_sort_clause, e) &&
		       (!s->limit_count || ast_walk_node(s->limit_count, rewrite_visit, &w, e)) &&
		       (!s->limit_offset || ast_walk_node(s->limit_offset, rewrite_visit, &w, e));
	}
	if (k == QUERY_RAW && statement && p->rows)
		return rewrite_block(p, scope, s, top, true, e);
	if (k == QUERY_RAW) {
		refuse(p->planning, -1, e, "row-level output", "row-level output from protected tables is not allowed",
		       "Aggregate: SELECT count(*), avg(x) ... GROUP BY ...");
		return error_detail(e, "One branch of the statement returns rows of a protected table.");
	}
	if (k == QUERY_FREE)
		return post_check_free(p->planning, scope, s, false, e);
	bool from_raw = false;
	PgQuery__SelectStmt from_only = *s;
	from_only.n_target_list = 0;
	from_only.n_group_clause = 0;
	from_only.having_clause = NULL;
	from_only.n_sort_clause = 0;
	from_only.where_clause = NULL;
	from_only.with_clause = NULL;
	if (s->n_from_clause > 0) {
		if (!query_kind(p->planning, scope, &from_only, &k, e))
			return false;
		from_raw = k == QUERY_RAW;
	}
	return from_raw ? rewrite_block(p, scope, s, top, false, e) : rewrite_outer(p, scope, s, e);
}

static bool rewrite(struct post *p, const struct cte *scope, PgQuery__SelectStmt *s, struct error *e)
{
	return rewrite_any(p, scope, s, false, e);
}

bool post_rewrite(struct post *p, PgQuery__SelectStmt *s, struct error *e)
{
	return rewrite_any(p, NULL, s, true, e);
}
