/*
 * The doors to libpg_query: limits before the parser, parsing into an arena, a generic walk over every node, deparsing.  Nothing else calls it.
 */
#ifndef NG_PLANNER_AST_H
#define NG_PLANNER_AST_H

#include "base/arena.h"
#include "base/error.h"

#include <pg_query/pg_query.pb-c.h>

/*
 * Measured: unpacking takes ~1.9 KB of stack per nested term, and left-recursive chains (1+1+...) are never stopped by the parser.  So every token that could
 * nest is counted before parsing; with 1,500 of them a parse stays below 4 MB of stack.
 */
enum { SQL_BYTES_MAX = 256 * 1024, SQL_TOKENS_MAX = 20000, SQL_NESTING_MAX = 1500 };

/* Parses a query string; the tree lives in the arena and may be changed in place.  54001, 42601 (with position), 22021. */
MUST_CHECK bool ast_parse(struct arena *a, const char *sql, const PgQuery__ParseResult **out, struct error *e);

/* SQL text of one statement. */
MUST_CHECK bool ast_deparse(struct arena *a, PgQuery__Node *statement, const char **sql, struct error *e);

/*
 * Calls visit(ctx, node, e) for every node below m (not for m itself), parents first.  visit says whether to look inside; false with *e filled (code
 * not ERR_NONE) stops the walk.
 */
typedef bool (*ast_visit)(void *ctx, PgQuery__Node *node, struct error *e);
MUST_CHECK bool ast_walk(ProtobufCMessage *m, ast_visit visit, void *ctx, struct error *e);

/* The same for one node itself, then below it. */
MUST_CHECK bool ast_walk_node(PgQuery__Node *n, ast_visit visit, void *ctx, struct error *e);

/* Character position (from 1) of a byte offset; 0 when unknown. */
int ast_position(const char *sql, int location);

#endif
