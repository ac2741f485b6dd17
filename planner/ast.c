#include "planner/ast.h"

#include "base/mem.h"
#include "base/text.h"

#include <pg_query.h>
#include <string.h>

static void *allocate(void *arena, size_t n)
{
	return arena_alloc(arena, n ? n : 1, 1);
}

static void release(void *arena UNUSED, void *p UNUSED)
{
}

int ast_position(const char *sql, int location)
{
	size_t n = strlen(sql);

	if (location < 0 || (size_t)location > n)
		return 0;
	return (int)text_chars(sql, (size_t)location) + 1;
}

static bool too_complex(struct error *e, const char *what, int limit)
{
	fail(e, ERR_TOO_COMPLEX, "the statement has more than %d %s", limit, what);
	error_rule(e, "limits");
	return error_hint(e, "Split it, or use IN (...) and parameters instead of long chains.");
}

/*
 * Tokens that cannot deepen the tree: names, constants, list separators, closing brackets, words that are names or open a clause.  Of the unreserved
 * words only AT (TIME ZONE) nests.
 */
static bool is_flat(const PgQuery__ScanToken *token)
{
	PgQuery__Token t = token->token;

	if (token->keyword_kind == PG_QUERY__KEYWORD_KIND__UNRESERVED_KEYWORD)
		return t != PG_QUERY__TOKEN__AT;
	return t == PG_QUERY__TOKEN__ASCII_41 || t == PG_QUERY__TOKEN__ASCII_93 || t == PG_QUERY__TOKEN__ASCII_59 || t == PG_QUERY__TOKEN__AS ||
	       t == PG_QUERY__TOKEN__FROM || t == PG_QUERY__TOKEN__WHERE || t == PG_QUERY__TOKEN__ON || t == PG_QUERY__TOKEN__THEN ||
	       t == PG_QUERY__TOKEN__ELSE || t == PG_QUERY__TOKEN__END_P || t == PG_QUERY__TOKEN__WHEN || t == PG_QUERY__TOKEN__NULL_P ||
	       t == PG_QUERY__TOKEN__TRUE_P || t == PG_QUERY__TOKEN__FALSE_P || t == PG_QUERY__TOKEN__ORDER || t == PG_QUERY__TOKEN__GROUP_P ||
	       t == PG_QUERY__TOKEN__ASC || t == PG_QUERY__TOKEN__DESC || t == PG_QUERY__TOKEN__ICONST || t == PG_QUERY__TOKEN__FCONST || t == PG_QUERY__TOKEN__SCONST || t == PG_QUERY__TOKEN__IDENT ||
	       t == PG_QUERY__TOKEN__PARAM || t == PG_QUERY__TOKEN__ASCII_44 || t == PG_QUERY__TOKEN__ASCII_46 ||
	       t == PG_QUERY__TOKEN__SQL_COMMENT || t == PG_QUERY__TOKEN__C_COMMENT;
}

static bool syntax_error(const PgQueryError *from, struct error *e)
{
	fail(e, ERR_SYNTAX, "%s", from->message ? from->message : "syntax error");
	return error_at(e, from->cursorpos > 0 ? from->cursorpos : 0); /* in characters already */
}

static bool check_tokens(const char *sql, struct error *e)
{
	PgQueryScanResult scan = pg_query_scan(sql);
	bool ok = false;

	if (scan.error) {
		syntax_error(scan.error, e);
		goto out;
	}
	PgQuery__ScanResult *tokens = pg_query__scan_result__unpack(NULL, scan.pbuf.len, (const uint8_t *)scan.pbuf.data);
	if (!tokens) {
		fail_memory(e);
		goto out;
	}
	size_t nesting = 0;
	for (size_t i = 0; i < tokens->n_tokens; i++)
		nesting += !is_flat(tokens->tokens[i]);
	if (tokens->n_tokens > SQL_TOKENS_MAX)
		too_complex(e, "tokens", SQL_TOKENS_MAX);
	else if (nesting > SQL_NESTING_MAX)
		too_complex(e, "operators, keywords and parentheses", SQL_NESTING_MAX);
	else
		ok = true;
	pg_query__scan_result__free_unpacked(tokens, NULL);
out:
	pg_query_free_scan_result(scan);
	return ok;
}

bool ast_parse(struct arena *a, const char *sql, const PgQuery__ParseResult **out, struct error *e)
{
	size_t n = strlen(sql);
	ProtobufCAllocator allocator = { .alloc = allocate, .free = release, .allocator_data = a };

	if (n > SQL_BYTES_MAX)
		return too_complex(e, "bytes", SQL_BYTES_MAX);
	if (!text_utf8(sql, n))
		return fail(e, ERR_NUL_IN_TEXT, "invalid byte sequence for encoding \"UTF8\"");
	if (!check_tokens(sql, e))
		return false;
	PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(sql);
	if (parsed.error) {
		syntax_error(parsed.error, e);
		pg_query_free_protobuf_parse_result(parsed);
		return false;
	}
	*out = pg_query__parse_result__unpack(&allocator, parsed.parse_tree.len, (const uint8_t *)parsed.parse_tree.data);
	pg_query_free_protobuf_parse_result(parsed);
	return *out ? true : fail_memory(e);
}

bool ast_deparse(struct arena *a, PgQuery__Node *statement, const char **sql, struct error *e)
{
	PgQuery__RawStmt raw = PG_QUERY__RAW_STMT__INIT;
	PgQuery__RawStmt *list[1] = { &raw };
	PgQuery__ParseResult tree = PG_QUERY__PARSE_RESULT__INIT;
	PgQueryProtobuf packed;

	raw.stmt = statement;
	tree.version = 150000;
	tree.n_stmts = 1;
	tree.stmts = list;
	size_t n = pg_query__parse_result__get_packed_size(&tree);
	char *buffer = arena_alloc(a, n + 1, 1);
	if (!buffer)
		return fail_memory(e);
	packed.len = pg_query__parse_result__pack(&tree, (uint8_t *)buffer);
	packed.data = buffer;
	PgQueryDeparseResult text = pg_query_deparse_protobuf(packed);
	const char *copy = text.error ? NULL : arena_strdup(a, text.query);
	bool failed = text.error != NULL;
	pg_query_free_deparse_result(text);
	if (failed)
		return fail(e, ERR_SYNTAX, "this statement cannot be rewritten");
	*sql = copy;
	return copy ? true : fail_memory(e);
}

/* A message held by a field: a Node is visited, anything else is only walked. */
static bool walk_message(ProtobufCMessage *m, ast_visit visit, void *ctx, struct error *e)
{
	if (!m)
		return true;
	if (m->descriptor == &pg_query__node__descriptor)
		return ast_walk_node((PgQuery__Node *)m, visit, ctx, e);
	return ast_walk(m, visit, ctx, e);
}

bool ast_walk(ProtobufCMessage *m, ast_visit visit, void *ctx, struct error *e)
{
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		if (f->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		uint8_t *at = (uint8_t *)m + f->offset;
		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			size_t n = *(const size_t *)(const void *)((uint8_t *)m + f->quantifier_offset);
			ProtobufCMessage **items = *(ProtobufCMessage ***)(void *)at;
			for (size_t j = 0; j < n; j++) {
				if (!walk_message(items[j], visit, ctx, e))
					return false;
			}
			continue;
		}
		bool oneof = (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
		if (oneof && *(const uint32_t *)(const void *)((uint8_t *)m + f->quantifier_offset) != f->id)
			continue;
		if (!walk_message(*(ProtobufCMessage **)(void *)at, visit, ctx, e))
			return false;
	}
	return true;
}

bool ast_walk_node(PgQuery__Node *n, ast_visit visit, void *ctx, struct error *e)
{
	e->code = ERR_NONE;
	if (!visit(ctx, n, e))
		return e->code == ERR_NONE;
	return ast_walk(&n->base, visit, ctx, e);
}
