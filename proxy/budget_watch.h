/* Operators' decisions about budgets, from the ledger's chain into the audit log: whoever made them, and whether or not a proxy was running then. */
#ifndef NG_PROXY_BUDGET_WATCH_H
#define NG_PROXY_BUDGET_WATCH_H

#include "budget/audit.h"
#include "budget/ledger.h"

struct budget_watch {
	struct ledger *ledger;
	struct audit *audit;
	int64_t seen; /* entries up to here have been looked at */
};

/* Records what was decided since the log last looked (a new log begins with what comes after now), and goes on about once a second until audit_close. */
MUST_CHECK bool budget_watch_start(struct budget_watch *w, struct ledger *l, struct audit *a, struct error *e);

#endif
