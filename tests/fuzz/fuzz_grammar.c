/*
 * Statements made of the corpus's own trees: parts of the same kind are exchanged between two statements, then planned.  No crash; a refusal has a message;
 * and every upstream statement, parsed again, holds nothing but the plan's vocabulary: tables of the policy, qualified functions, operators and types.
 */
#include "planner/ast.h"
#include "tests/corpus/corpus.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef PgQuery__Node Node;

static struct corpus corpus;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	corpus_open(&corpus);
	return 0;
}

/* --- trees ------------------------------------------------------------------------------------------------------------------------ */

struct nodes {
	Node *items[512];
	size_t n;
};

/* Expressions, FROM items and sub-selects: whole parts that can stand for one another. */
static bool collect(void *ctx, Node *n, struct error *e)
{
	struct nodes *all = ctx;

	(void)e;
	switch (n->node_case) {
	case PG_QUERY__NODE__NODE_COLUMN_REF:
	case PG_QUERY__NODE__NODE_A_CONST:
	case PG_QUERY__NODE__NODE_A_EXPR:
	case PG_QUERY__NODE__NODE_BOOL_EXPR:
	case PG_QUERY__NODE__NODE_FUNC_CALL:
	case PG_QUERY__NODE__NODE_CASE_EXPR:
	case PG_QUERY__NODE__NODE_TYPE_CAST:
	case PG_QUERY__NODE__NODE_NULL_TEST:
	case PG_QUERY__NODE__NODE_COALESCE_EXPR:
	case PG_QUERY__NODE__NODE_SUB_LINK:
	case PG_QUERY__NODE__NODE_RANGE_VAR:
	case PG_QUERY__NODE__NODE_JOIN_EXPR:
	case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
	case PG_QUERY__NODE__NODE_RES_TARGET:
	case PG_QUERY__NODE__NODE_GROUPING_SET:
	case PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR:
		if (all->n < sizeof(all->items) / sizeof(*all->items))
			all->items[all->n++] = n;
		break;
	default:
		break;
	}
	return true;
}

static int family(const Node *n)
{
	switch (n->node_case) {
	case PG_QUERY__NODE__NODE_RANGE_VAR:
	case PG_QUERY__NODE__NODE_JOIN_EXPR:
	case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
		return 1;
	case PG_QUERY__NODE__NODE_RES_TARGET:
		return 2;
	case PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR:
		return 3;
	default:
		return 0;
	}
}

/* --- vocabulary ---------------------------------------------------------------------------------------------------------------------- */

static void complain(const char *sql, const char *what)
{
	fprintf(stderr, "foreign %s in: %s\n", what, sql);
	abort();
}

static bool qualified(size_t n, Node *const *parts)
{
	return n == 2 && strcmp(parts[0]->string->sval, "pg_catalog") == 0;
}

static bool is_source(const PgQuery__RangeVar *v)
{
	for (size_t i = 0; i < corpus.policy->n_tables; i++) {
		const struct policy_table *t = &corpus.policy->tables[i];
		if (strcmp(t->source_schema, v->schemaname) == 0 && strcmp(t->source_name, v->relname) == 0)
			return true;
	}
	return false;
}

/* Names that the emitter gives: t1, c2, k3, p4, p4_2, u, v5, s, g, q, h, w, i, n, r. */
static bool is_ours(const char *s)
{
	return strlen(s) <= 12 && strspn(s, "abcdefghijklmnopqrstuvw_0123456789") == strlen(s);
}

/* Strings of the analyst are parameters.  What stands in the text is ours: short words, and the patterns of casts from text. */
static bool is_our_literal(const char *s)
{
	static const char *const patterns[] = {
		"^ *[-+]?[0-9]{1,30} *\\Z",
		"^ *[-+]?([0-9]{1,30}([.][0-9]{0,30})?|[.][0-9]{1,30}) *\\Z",
		"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\\Z",
	};

	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		if (strcmp(s, patterns[i]) == 0)
			return true;
	}
	return strlen(s) <= 24;
}

static bool check(void *ctx, Node *n, struct error *e)
{
	const char *sql = ctx;

	(void)e;
	switch (n->node_case) {
	case PG_QUERY__NODE__NODE_RANGE_VAR:
		if (!is_source(n->range_var))
			complain(sql, "relation");
		break;
	case PG_QUERY__NODE__NODE_FUNC_CALL:
		if (!qualified(n->func_call->n_funcname, n->func_call->funcname))
			complain(sql, "function");
		break;
	case PG_QUERY__NODE__NODE_TYPE_CAST:
		if (!qualified(n->type_cast->type_name->n_names, n->type_cast->type_name->names))
			complain(sql, "type");
		break;
	case PG_QUERY__NODE__NODE_A_EXPR:
		if (n->a_expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP && !qualified(n->a_expr->n_name, n->a_expr->name))
			complain(sql, "operator");
		break;
	case PG_QUERY__NODE__NODE_COLUMN_REF:
		for (size_t i = 0; i < n->column_ref->n_fields; i++) {
			const Node *f = n->column_ref->fields[i];
			bool source = n->column_ref->n_fields == 2 && i == 1; /* s."policy column" */
			if (f->node_case == PG_QUERY__NODE__NODE_STRING && !source && !is_ours(f->string->sval))
				complain(sql, "name");
		}
		break;
	case PG_QUERY__NODE__NODE_A_CONST:
		if (n->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL && !is_our_literal(n->a_const->sval->sval))
			complain(sql, "literal");
		break;
	case PG_QUERY__NODE__NODE_LOCKING_CLAUSE:
	case PG_QUERY__NODE__NODE_INSERT_STMT:
	case PG_QUERY__NODE__NODE_DELETE_STMT:
	case PG_QUERY__NODE__NODE_UPDATE_STMT:
		complain(sql, "statement");
	default:
		break;
	}
	return true;
}

static void check_vocabulary(struct arena *a, const char *sql)
{
	const PgQuery__ParseResult *tree;
	struct error e = ERROR_INIT;

	if (!ast_parse(a, sql, &tree, &e)) {
		if (e.code == ERR_TOO_COMPLEX) /* our limits are for what comes from outside */
			return;
		complain(sql, e.message);
	}
	if (tree->n_stmts != 1 || tree->stmts[0]->stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT ||
	    !ast_walk_node(tree->stmts[0]->stmt, check, (void *)(uintptr_t)sql, &e))
		complain(sql, "shape");
}

/* --- one input ------------------------------------------------------------------------------------------------------------------------ */

static void plan_one(struct arena *a, const char *sql)
{
	const struct plan_settings s = corpus_settings();
	const struct plan *plan;
	struct statements st;
	struct error e = ERROR_INIT;

	if (!statements_parse(a, sql, &st, &e)) {
		if (!e.message[0])
			abort();
		return;
	}
	for (size_t i = 0; i < st.n; i++) {
		if (st.items[i].kind != STATEMENT_QUERY)
			continue;
		if (!plan_make(a, corpus.policy, &s, st.items[i].text, NULL, 0, &plan, &e)) {
			if (!e.message[0])
				abort();
			continue;
		}
		for (size_t j = 0; j < plan->n_blocks; j++)
			check_vocabulary(a, plan->blocks[j].sql);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const PgQuery__ParseResult *x, *y;
	struct nodes left = { .n = 0 }, right = { .n = 0 };
	struct error e = ERROR_INIT;
	struct arena a;
	const char *sql;

	if (size < 6)
		return 0;
	arena_init(&a, 1 << 28);
	const char *first = corpus.sql[(data[0] | data[1] << 8) % corpus.n], *second = corpus.sql[(data[2] | data[3] << 8) % corpus.n];
	if (!ast_parse(&a, first, &x, &e) || !ast_parse(&a, second, &y, &e) || !ast_walk_node(x->stmts[0]->stmt, collect, &left, &e) ||
	    !ast_walk_node(y->stmts[0]->stmt, collect, &right, &e))
		abort();
	for (size_t i = 4; i + 1 < size && i < 16 && left.n && right.n; i += 2) {
		Node *to = left.items[data[i] % left.n], *from = right.items[data[i + 1] % right.n];
		if (family(to) == family(from)) {
			Node keep = *to;
			*to = *from;
			*from = keep; /* exchanged, so that no tree contains itself */
		}
	}
	if (ast_deparse(&a, x->stmts[0]->stmt, &sql, &e))
		plan_one(&a, sql);
	arena_reset(&a);
	return 0;
}
