/* Compares a policy with the upstream: relations and columns exist, types can be read as declared, cells of sealed columns look sealed. */
#ifndef NG_PROXY_UPSTREAM_CHECK_H
#define NG_PROXY_UPSTREAM_CHECK_H

#include "base/bytes.h"
#include "base/error.h"
#include "policies/policy.h"

#include <libpq-fe.h>

/* Reads catalogs only, never a row.  ERR_CONFIG names the first table or column that does not fit; ERR_UPSTREAM when it cannot be asked. */
MUST_CHECK bool upstream_check(const struct policy *p, struct error *e);

/*
 * ERR_CONFIG unless every text of the database has a way into UTF-8: else PostgreSQL fails on the row that has none, which would show.  From SQL_ASCII, where a text
 * is any bytes, it is not asked to find one: see upstream.c.
 */
MUST_CHECK bool upstream_check_encoding(const PGconn *conn, struct error *e);

/*
 * Looks at a thousand cells of each sealed column, for the operator alone: a column that holds something else than its encoding's cells was probably loaded
 * without being sealed.  Writes a line for each such column, which shows no cell.  False: the upstream cannot be asked.
 */
MUST_CHECK bool upstream_check_cells(const struct policy *p, struct wr *warnings, struct error *e);

#endif
