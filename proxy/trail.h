/*
 * What a statement leaves in the audit log (docs/audit.md): "allowed" before its charge, "charged" after it, then "answered" before its first row may leave; or
 * "refused" (nothing was charged) or "failed" (it was).  An answer without "allowed" is one that was given before: "repeated", "answered".  Only "answered" waits
 * for the disk, and with it everything before.
 *
 * What must hold: (1) no charge without an "allowed" record in the log; (2) no row leaves before its "answered" record is on disk; (3) no true value
 * in any record: rows stand there as salted hashes.
 */
#ifndef NG_PROXY_TRAIL_H
#define NG_PROXY_TRAIL_H

#include "budget/audit.h"
#include "proxy/engine.h"
#include "proxy/params.h"

#include <pthread.h>

struct trail {
	struct audit *log;   /* NULL: the proxy asks for itself, over public tables; that leaves no trail */
	const struct session_view *view;
	const char *sql;
	const struct params *params;
	struct arena *arena;
	uint64_t question;   /* sequence number of the last "allowed" (or "repeated") record; 0: none */
	int64_t query;       /* the ledger's number of the last charge; 0: nothing was charged */
	const char *receipt; /* of the answer, when the session wants it */
};

/* Before the charge; again after a look, for the answer that it led to.  What cannot be written refuses the query. */
MUST_CHECK bool trail_allowed(struct trail *t, const struct plan *plan, struct error *e);

MUST_CHECK bool trail_charged(struct trail *t, int64_t query, struct error *e);

/* The complete answer; on disk when it returns. */
MUST_CHECK bool trail_answered(struct trail *t, const struct plan *plan, const struct released *const *released, const struct result *r,
			       struct error *e);

/* The receipt as a NOTICE, when there is one. */
MUST_CHECK bool trail_notice(const struct trail *t, struct notice *out);

/* The statement failed with *why.  Never fails: what cannot be written is logged. */
void trail_ended(struct trail *t, const struct error *why);

/* --- beside statements ----------------------------------------------------------------------------------------------------------- */

/* Refused logins: so many a second are recorded, the others counted. */
enum { LOGINS_REFUSED_A_SECOND = 10 };

struct login_meter {
	pthread_mutex_t lock;
	int64_t second;
	int noted;
	uint64_t suppressed;
};

void trail_login(struct audit *log, struct login_meter *m, const char *user, const char *member, const char *peer, bool accepted);

/* The policy that is served from now on; ledger_entry: operators' decisions up to that one are in the log (proxy/budget_watch.h); -1: there is no ledger. */
MUST_CHECK bool trail_policy(struct audit *log, const struct policy *p, int64_t ledger_entry, struct error *e);

#endif
