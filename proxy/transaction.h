/*
 * Transactions are state of the session alone: nothing upstream is held open and no charge is ever rolled back.  What rolls back is settings
 * and portals.
 */
#ifndef NG_PROXY_TRANSACTION_H
#define NG_PROXY_TRANSACTION_H

#include "proxy/session.h"

/* Before each statement outside a block; ended by tx_end_implicit at Sync, or at the end of a Query. */
void tx_begin_implicit(struct session *s);
void tx_end_implicit(struct session *s);

/* A statement failed: a block is aborted, an implicit transaction rolled back. */
void tx_fail(struct session *s);

/* 25P02 for a statement that an aborted transaction does not take. */
MUST_CHECK bool tx_allows(const struct session *s, enum statement_kind kind, struct error *e);

/* BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, ROLLBACK TO; *tag is the command tag. */
MUST_CHECK bool tx_command(struct session *s, const struct statement *st, const char **tag, struct error *e);

/* Rolls back whatever is open and forgets it: DISCARD ALL and the end of the session. */
void tx_forget(struct session *s);

char tx_status(const struct session *s); /* 'I', 'T' or 'E' */

#endif
