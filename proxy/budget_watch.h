/* Operators' decisions about budgets, from the ledger's chain into the audit log: whoever made them, and whether or not a proxy was running then. */
#ifndef NG_PROXY_BUDGET_WATCH_H
#define NG_PROXY_BUDGET_WATCH_H

#include "budget/audit.h"
#include "budget/ledger.h"

#include <pthread.h>

struct budget_watch {
	pthread_mutex_t lock; /* of ledger and seen: the log's thread looks while another may change them */
	struct ledger *ledger;
	struct audit *audit;
	int64_t seen; /* entries up to here have been looked at */
};

/* Records what was decided since the log last looked (a new log begins with what comes after now), and goes on about once a second until audit_close. */
MUST_CHECK bool budget_watch_start(struct budget_watch *w, struct ledger *l, struct audit *a, struct error *e);

/* Looks into another ledger from now on, at what comes after now; the old one is not used when it returns. */
MUST_CHECK bool budget_watch_use(struct budget_watch *w, struct ledger *l, struct error *e);

#endif
