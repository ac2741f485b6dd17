/*
 * Row-level results (list, custom, public tables) show cells as they are.  What stands around a block is PostgreSQL's own over the released rows, so it
 * would compute with cells as if they were values, and be wrong without a word: upper(note), note || 'x'.
 */
#ifndef NG_PLANNER_SEALED_ROWS_H
#define NG_PLANNER_SEALED_ROWS_H

#include "planner/block.h"

/* Refuses targets and ORDER BY that compute with cells; the statement must still be as it was written, with its stars expanded. */
MUST_CHECK bool sealed_rows(struct block *b, const PgQuery__SelectStmt *s, struct error *e);

#endif
