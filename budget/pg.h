/* A blocking libpq connection for what the ledger keeps in PostgreSQL: its tables, or its anchor. */
#ifndef NG_BUDGET_PG_H
#define NG_BUDGET_PG_H

#include "base/error.h"

#include <libpq-fe.h>

/*
 * Connects; the password is taken from the environment variable or the file (owner-only) when named.  ERR_LEDGER says `what` could not be reached, and nothing
 * of the connection string; ERR_CONFIG when the password cannot be had.  *out is NULL on failure.
 */
MUST_CHECK bool pg_open(const char *dsn, const char *password_env, const char *password_file, const char *what, PGconn **out, struct error *e);

#endif
