/* What a query tells beside its rows: one NOTICE with error bars and what was charged, and EXPLAIN's lines on what remains.  Public figures only. */
#ifndef NG_PROXY_NOTICE_H
#define NG_PROXY_NOTICE_H

#include "budget/ledger.h"
#include "proxy/engine.h"

/*
 * "noise at 95%: count(*) ±12, sum(spend) ±80; charged epsilon 0.5 to brand.customers (9.5 of 10 remain)".  released: one a block.
 * False only without memory; a ledger that cannot be read leaves the remaining budget out.
 */
MUST_CHECK bool notice_noise(const struct plan *plan, const struct released *const *released, double confidence, struct ledger *l,
			     struct arena *a, struct notice *out, struct error *e);

/* One line per charge: what remains of its budget now.  Appended to lines[*n..]; room must be there for plan->n_charges. */
MUST_CHECK bool notice_remaining(const struct plan *plan, struct ledger *l, struct arena *a, const char **lines, size_t *n, struct error *e);

#endif
