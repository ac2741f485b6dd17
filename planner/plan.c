#include "planner/plan.h"

#include "base/text.h"
#include "planner/accuracy.h"
#include "planner/ast.h"
#include "planner/explain.h"
#include "planner/hierarchy.h"
#include "planner/post.h"
#include "planner/template.h"

typedef PgQuery__Node Node;

static bool refuse(const struct planning *p, struct error *e, const char *rule, const char *message, const char *hint)
{
	fail(e, ERR_RULE, "%s", message);
	error_rule(e, rule);
	error_hint(e, "%s", hint);
	return planning_at(p, 0, e);
}

/* --- row-level statements: previews of nothing, or refused -------------------------------------------------------------- */

static bool is_false(const Node *n)
{
	if (!n)
		return false;
	if (n->node_case == PG_QUERY__NODE__NODE_A_CONST && n->a_const->val_case == PG_QUERY__A__CONST__VAL_BOOLVAL)
		return !n->a_const->boolval->boolval;
	if (n->node_case != PG_QUERY__NODE__NODE_A_EXPR || n->a_expr->n_name != 1 || !n->a_expr->lexpr)
		return false;
	const Node *l = n->a_expr->lexpr, *r = n->a_expr->rexpr;
	const char *op = n->a_expr->name[0]->string->sval;
	if (l->node_case != PG_QUERY__NODE__NODE_A_CONST || r->node_case != PG_QUERY__NODE__NODE_A_CONST ||
	    l->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL || r->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL)
		return false;
	bool equal = l->a_const->ival->ival == r->a_const->ival->ival;
	return text_eq(op, "=") ? !equal : text_eq(op, "<>") && equal;
}

static bool is_zero(const Node *n)
{
	return n && n->node_case == PG_QUERY__NODE__NODE_A_CONST && n->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL &&
	       n->a_const->ival->ival == 0;
}

/* Asks for no rows at all, only for names and types. */
static bool is_probe(const PgQuery__SelectStmt *s)
{
	return is_zero(s->limit_count) || (is_false(s->where_clause) && s->op == PG_QUERY__SET_OPERATION__SETOP_NONE);
}

static const struct policy_table *some_table(const struct planning *p, const PgQuery__SelectStmt *s)
{
	const struct policy_table *t = NULL;
	const struct cte *cte;
	struct error ignored = ERROR_INIT;

	for (size_t i = 0; i < s->n_from_clause && !t; i++) {
		if (s->from_clause[i]->node_case == PG_QUERY__NODE__NODE_RANGE_VAR &&
		    !planning_table(p, NULL, s->from_clause[i]->range_var, &cte, &t, &ignored))
			return NULL;
	}
	return t;
}

static bool refuse_rows(const struct planning *p, const PgQuery__SelectStmt *s, struct error *e)
{
	const struct policy_table *t = some_table(p, s);

	if (t) {
		fail(e, ERR_RULE, "row-level output from %s.%s is not allowed", t->schema, t->name);
		error_detail(e, "rule \"%s\" of its owner \"%s\"",
			     table_rule_name(t->rule), t->owner);
		error_hint(e, "Ask for statistics: SELECT count(*) FROM %s.%s, or SELECT x, avg(y) ... GROUP BY x.", t->schema, t->name);
	} else {
		fail(e, ERR_RULE, "row-level output from protected tables is not allowed");
		error_hint(e, "Ask for statistics: SELECT count(*), avg(x) ... GROUP BY ...");
	}
	error_rule(e, "row-level output");
	return planning_at(p, 0, e);
}

/* What BI tools ask to learn column names: typed, and empty because the sidecar's tables are. */
static bool plan_preview(const struct planning *p, PgQuery__SelectStmt *s, struct plan *plan, struct error *e)
{
	bool probe = is_probe(s);

	if (!probe && (!s->limit_count || s->op != PG_QUERY__SET_OPERATION__SETOP_NONE))
		return refuse_rows(p, s, e);
	if (!post_check_free(p, NULL, s, true, e))
		return false;
	plan->kind = PLAN_SIDECAR;
	plan->sidecar_sql = p->sql;
	if (!probe)
		plan->notice = "preview: rows of protected tables are never shown";
	return true;
}

/* --- sharing the statement's epsilon -------------------------------------------------------------------------------------- */

struct account {
	const struct policy_budget *budget;
	size_t blocks; /* that touch it */
};

struct accounts {
	struct account items[64];
	size_t n;
};

static bool note_account(struct accounts *a, const struct policy_budget *b, struct error *e)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->items[i].budget == b) {
			a->items[i].blocks++;
			return true;
		}
	}
	if (a->n == ARRAY_LEN(a->items)) {
		fail(e, ERR_TOO_COMPLEX, "a statement may touch at most %zu budgets", ARRAY_LEN(a->items));
		return error_rule(e, "limits");
	}
	a->items[a->n++] = (struct account){ b, 1 };
	return true;
}

static const struct policy_budget *budget_of(const struct planning *p, const struct policy_table *t)
{
	return t->rule == RULE_DIFFERENTIAL_PRIVACY ? policy_find_budget(p->policy, t, p->settings->analyst) : NULL;
}

static bool collect_accounts(const struct post *post, struct accounts *out, struct error *e)
{
	for (size_t i = 0; i < post->n_blocks; i++) {
		const struct policy_table *const *tables;
		size_t n = block_tables(post->blocks[i], &tables);
		for (size_t j = 0; j < n; j++) {
			const struct policy_budget *b = budget_of(post->planning, tables[j]);
			if (b && !note_account(out, b, e))
				return false;
		}
	}
	return true;
}

/* The statement's epsilon and delta: the session's, or the smallest of the budgets' defaults; capped by every budget. */
static bool statement_price(const struct planning *p, const struct accounts *a, struct eps *epsilon, struct delta *delta, struct error *e)
{
	*epsilon = p->settings->epsilon;
	*delta = p->settings->delta;
	for (size_t i = 0; i < a->n; i++) {
		const struct policy_budget *b = a->items[i].budget;
		if (p->settings->epsilon.pico == 0 && (epsilon->pico == 0 || b->query_epsilon.pico < epsilon->pico))
			*epsilon = b->query_epsilon;
		if (p->settings->delta.atto == 0 && (i == 0 || b->query_delta.atto < delta->atto))
			*delta = b->query_delta;
	}
	for (size_t i = 0; i < a->n; i++) {
		const struct policy_budget *b = a->items[i].budget;
		bool over = epsilon->pico > b->query_max_epsilon.pico;
		if (epsilon->pico < b->query_min_epsilon.pico) {
			fail(e, ERR_RULE, "noisegate.epsilon is below what one query on %s.%s costs", b->schema, b->table);
			error_rule(e, "budget: per query");
			error_detail(e, "Its owner \"%s\" asks for at least epsilon %.6g a query.", b->owner, eps_double(b->query_min_epsilon));
			return error_hint(e, "SET noisegate.epsilon to a larger value, and get less noise for it.");
		}
		if (!over && delta->atto <= b->query_max_delta.atto)
			continue;
		fail(e, ERR_RULE, "noisegate.%s is above what one query on %s.%s may cost", over ? "epsilon" : "delta", b->schema, b->table);
		error_rule(e, "budget: per query");
		error_detail(e, "Its owner \"%s\" allows at most %s %.6g a query.", b->owner, over ? "epsilon" : "delta",
			     over ? eps_double(b->query_max_epsilon) : delta_double(b->query_max_delta));
		return error_hint(e, "SET noisegate.%s to a smaller value.", over ? "epsilon" : "delta");
	}
	return true;
}

static bool block_price(const struct post *post, const struct accounts *a, const struct block *b, struct eps epsilon, struct delta delta,
			struct block_share *out)
{
	const struct policy_table *const *tables;
	size_t n = block_tables(b, &tables), most = 1;

	*out = (struct block_share){ .all_zcdp = true, .converts = delta.atto > 1 };
	for (size_t i = 0; i < n; i++) {
		const struct policy_budget *budget = budget_of(post->planning, tables[i]);
		for (size_t j = 0; budget && j < a->n; j++) {
			if (a->items[j].budget == budget && a->items[j].blocks > most)
				most = a->items[j].blocks;
		}
		out->all_zcdp = out->all_zcdp && (!budget || budget->accounting == ACCOUNTING_ZCDP);
		out->converts = out->converts && (!budget || budget->accounting != ACCOUNTING_PURE);
	}
	out->epsilon.pico = epsilon.pico / most;
	out->delta.atto = delta.atto / most;
	return true;
}

static bool touches(const struct plan_block *b, const struct policy_budget *budget)
{
	for (size_t i = 0; i < b->n_tables; i++) {
		if (text_eq(b->tables[i]->schema, budget->schema) && text_eq(b->tables[i]->name, budget->table))
			return true;
	}
	return false;
}

static bool make_charges(const struct planning *p, const struct accounts *a, struct plan *plan, struct error *e)
{
	struct plan_charge *charges = arena_array(p->arena, a->n ? a->n : 1, struct plan_charge);
	size_t n = 0;

	if (!charges)
		return fail_memory(e);
	for (size_t i = 0; i < a->n; i++) {
		struct plan_charge c = { .budget = a->items[i].budget };
		const char *separator = "";
		struct wr w;
		bool ok = true;
		wr_init(&w, p->arena, 1 << 20);
		wr_str(&w, "[");
		for (size_t j = 0; j < plan->n_blocks; j++) {
			const struct plan_block *b = &plan->blocks[j];
			if (!touches(b, c.budget))
				continue;
			ok = ok && eps_add(c.epsilon, b->figures.epsilon, &c.epsilon) && rho_add(c.rho, b->figures.rho, &c.rho) &&
			     delta_add(c.delta, b->figures.delta, &c.delta);
			wr_str(&w, separator);
			separator = ",";
			ok = explain_json(&w, b) && ok;
		}
		wr_str(&w, "]");
		if (!ok || !wr_ok(&w))
			return fail(e, ERR_TOO_COMPLEX, "the statement's charge cannot be computed");
		c.mechanism = wr_text(&w);
		if (c.budget->accounting != ACCOUNTING_ZCDP)
			c.rho.pico = 0;
		else
			c.epsilon.pico = 0;
		if (c.epsilon.pico > 0 || c.rho.pico > 0 || c.delta.atto > 0)
			charges[n++] = c;
	}
	plan->charges = charges;
	plan->n_charges = n;
	return true;
}

static bool close_at(const struct post *post, const struct accounts *a, struct eps epsilon, struct delta delta, struct plan_block *blocks,
		     struct error *e)
{
	for (size_t i = 0; i < post->n_blocks; i++) {
		struct block_share share;
		if (!block_price(post, a, post->blocks[i], epsilon, delta, &share) || !block_close(post->blocks[i], &share, &blocks[i], e))
			return false;
	}
	return true;
}

struct closing {
	const struct post *post;
	const struct accounts *accounts;
};

static bool close_try(void *ctx, struct eps epsilon, struct delta delta, struct plan_block *blocks, struct error *e)
{
	const struct closing *c = ctx;

	return close_at(c->post, c->accounts, epsilon, delta, blocks, e);
}

/* What the statement may spend at most, for noisegate.error: what the analyst says, or what all owners allow; 0 when nothing is charged. */
static struct eps most_epsilon(const struct planning *p, const struct accounts *a)
{
	struct eps most = { 0 };

	for (size_t i = 0; i < a->n; i++) {
		struct eps allowed = a->items[i].budget->query_max_epsilon;
		most = i == 0 || allowed.pico < most.pico ? allowed : most;
	}
	return a->n > 0 && p->settings->epsilon.pico > 0 ? p->settings->epsilon : most;
}

/* What all owners ask of it, whatever less would do. */
static struct eps least_epsilon(const struct accounts *a)
{
	struct eps least = { 0 };

	for (size_t i = 0; i < a->n; i++) {
		struct eps asked = a->items[i].budget->query_min_epsilon;
		least = asked.pico > least.pico ? asked : least;
	}
	return least;
}

static bool close_blocks(const struct post *post, const struct accounts *a, struct plan *plan, struct error *e)
{
	const struct planning *p = post->planning;
	struct plan_block *blocks = arena_array(p->arena, post->n_blocks ? post->n_blocks : 1, struct plan_block);
	struct closing closing = { post, a };

	if (!blocks)
		return fail_memory(e);
	if (!statement_price(p, a, &plan->price, &plan->price_delta, e))
		return false;
	const struct accuracy_try t = { .close = close_try, .ctx = &closing, .arena = p->arena, .blocks = blocks, .n_blocks = post->n_blocks,
					.settings = p->settings, .usual = plan->price, .least = least_epsilon(a), .most = most_epsilon(p, a) };
	if (!accuracy_choose(&t, plan, &plan->price, &plan->price_delta, e) || !close_at(post, a, plan->price, plan->price_delta, blocks, e))
		return false;
	plan->blocks = blocks;
	plan->n_blocks = post->n_blocks;
	return true;
}

static bool plan_blocks(const struct planning *p, Node *statement, bool rows, struct plan *plan, struct error *e)
{
	struct post post = { .planning = p, .next_param = (int)p->n_params + 1, .rows = rows };
	struct accounts accounts = { .n = 0 };
	PgQuery__SelectStmt *s = statement->select_stmt;
	/* a WHERE above FROM items that are results already; a block's own WHERE is part of its question */
	bool probe = is_zero(s->limit_count) || (is_probe(s) && !post_aggregates(s));

	if (!post_rewrite(&post, s, e) || !collect_accounts(&post, &accounts, e) || !close_blocks(&post, &accounts, plan, e) ||
	    !make_charges(p, &accounts, plan, e) || !hierarchy_find(&post, plan, e))
		return false;
	plan->kind = PLAN_BLOCKS;
	if (probe || plan->n_blocks == 0) {
		/* no row of a block can reach the result: checked as if it ran, then asked of the empty tables, at no charge */
		plan->kind = PLAN_SIDECAR;
		plan->n_blocks = plan->n_charges = plan->n_hierarchies = 0;
		plan->sidecar_sql = p->sql;
		return probe || !post.dropped || ast_deparse(p->arena, statement, &plan->sidecar_sql, e);
	}
	if (post.direct) {
		plan->outputs = post.outputs;
		plan->n_outputs = post.n_outputs;
	}
	return ast_deparse(p->arena, statement, &plan->sidecar_sql, e);
}

/* --- the statement ---------------------------------------------------------------------------------------------------------- */

/* An option's value as a word; "" when it has none, "?" when it is no word. */
static const char *option_word(const PgQuery__DefElem *o)
{
	if (!o->arg)
		return "";
	if (o->arg->node_case == PG_QUERY__NODE__NODE_STRING)
		return o->arg->string->sval;
	if (o->arg->node_case == PG_QUERY__NODE__NODE_INTEGER)
		return o->arg->integer->ival == 0 ? "off" : o->arg->integer->ival == 1 ? "on" : "?";
	return "?";
}

static bool explain_option(const struct planning *p, const PgQuery__DefElem *o, struct error *e)
{
	static const char *const ignored[] = { "verbose", "costs", "settings", "generic_plan", "buffers", "wal", "timing", "summary" };
	const char *word = option_word(o);

	if (text_eq(o->defname, "analyze")) {
		if (text_eq_nocase(word, "off") || text_eq_nocase(word, "false"))
			return true;
		return refuse(p, e, "statement: EXPLAIN ANALYZE", "EXPLAIN ANALYZE is not allowed",
			      "EXPLAIN alone shows the plan, its noise and its charge, and costs nothing.");
	}
	if (text_eq(o->defname, "format"))
		return text_eq_nocase(word, "text") ||
		       refuse(p, e, "statement: EXPLAIN", "EXPLAIN has only the text format", "Drop FORMAT.");
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++) {
		if (text_eq(o->defname, ignored[i]))
			return true;
	}
	fail(e, ERR_SYNTAX, "unrecognized EXPLAIN option \"%.60s\"", o->defname);
	error_hint(e, "EXPLAIN (VERBOSE, COSTS) are accepted and change nothing.");
	return planning_at(p, o->location, e);
}

static bool open_explain(const struct planning *p, Node **statement, struct plan *plan, struct error *e)
{
	const PgQuery__ExplainStmt *x = (*statement)->explain_stmt;

	for (size_t i = 0; i < x->n_options; i++) {
		if (!explain_option(p, x->options[i]->def_elem, e))
			return false;
	}
	if (x->query->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
		return refuse(p, e, "statement: DML", "only SELECT can be explained", "Noisegate only reads.");
	plan->explain = true;
	*statement = x->query;
	return true;
}

static bool plan_select(const struct planning *p, Node *statement, struct plan *plan, struct error *e)
{
	PgQuery__SelectStmt *s = statement->select_stmt;
	enum query_kind kind;

	if (!query_kind(p, NULL, s, &kind, e))
		return false;
	if (kind == QUERY_RAW && !is_probe(s) && planning_shows_rows(p, NULL, s))
		return plan_blocks(p, statement, true, plan, e);
	if (kind == QUERY_RAW)
		return plan_preview(p, s, plan, e);
	if (kind == QUERY_NOISED)
		return plan_blocks(p, statement, false, plan, e);
	if (s->with_clause) /* CTEs that nothing uses may be protected: they are dropped */
		return plan_blocks(p, statement, false, plan, e);
	plan->kind = PLAN_SIDECAR;
	plan->sidecar_sql = p->sql;
	return post_check_free(p, NULL, s, false, e);
}

static bool planned(const struct planning *p, struct plan *plan, bool in_template, struct error *e)
{
	const PgQuery__ParseResult *tree;

	if (!ast_parse(p->arena, p->sql, &tree, e))
		return false;
	if (tree->n_stmts != 1)
		return fail(e, ERR_SYNTAX, "cannot insert multiple commands into a prepared statement");
	Node *statement = tree->stmts[0]->stmt;
	if (statement->node_case == PG_QUERY__NODE__NODE_EXPLAIN_STMT && !open_explain(p, &statement, plan, e))
		return false;
	struct planning approved = *p;
	if (!in_template && !template_expand(p, statement, &approved.template, &approved.sql, e))
		return false;
	if (approved.template != p->template) { /* positions are those of the template's text from here on: of no use to the analyst */
		bool ok = planned(&approved, plan, true, e);
		e->position = 0;
		return ok;
	}
	if (statement->node_case == PG_QUERY__NODE__NODE_CALL_STMT)
		return refuse(p, e, "statement: CALL", "CALL is for the policy's templates only", "noisegate.rules lists them; otherwise send plain SELECT statements.");
	if (statement->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
		return refuse(p, e, "statement", "only SELECT can be planned", "Noisegate only reads.");
	return plan_select(p, statement, plan, e);
}

bool plan_make(struct arena *a, const struct policy *policy, const struct plan_settings *settings, const char *sql,
	       const struct plan_param *params, size_t n_params, const struct plan **out, struct error *e)
{
	const struct planning p = { .arena = a, .policy = policy, .settings = settings, .params = params, .n_params = n_params, .sql = sql };
	struct plan *plan = arena_new(a, struct plan);

	*e = ERROR_INIT;
	if (!plan)
		return fail_memory(e);
	plan->n_params = n_params;
	if (!planned(&p, plan, false, e))
		return false;
	if ((plan->explain || plan->kind == PLAN_BLOCKS) && !explain_plan(a, settings, plan, e))
		return false;
	*out = plan;
	return true;
}
