/*
 * The relations noisegate.tables, columns, rules (from the policy, the same for everyone) and noisegate.budget, queries (the asking member's own, from the
 * ledger at the time of the statement).  They are ordinary relations of the sidecar, so any SQL works over them; asking costs nothing.
 */
#ifndef NG_PROXY_INTROSPECT_H
#define NG_PROXY_INTROSPECT_H

#include "base/bytes.h"
#include "budget/audit.h"
#include "budget/ledger.h"
#include "proxy/engine.h"

/* The schema with its tables, filled, and the views over the two session settings below. */
void introspect_schema_sql(struct wr *w, const struct policy *p);

/* True when a statement's text may mention one of the views, by schema or along the search path. */
bool introspect_mentioned(const char *sql, const struct plan_settings *settings);

/* What the views show, as JSON arrays, in v->budget_rows and v->query_rows. */
MUST_CHECK bool introspect_fill(struct ledger *l, struct audit *log, const struct policy *p, struct arena *a, struct session_view *v, struct error *e);

#endif
