/*
 * Two worlds for an audit of the guarantee: a private PostgreSQL with two databases, one with a person and one without, and in front of each the real
 * engine and listener of this program, with the deployed policy but for what must not be touched: the upstream, the ledger, the listener and the log-ins
 * are throw-away, and budgets are ample.  Nothing of the deployment is asked, charged or read but the policy.
 */
#ifndef NG_PROXY_PRIVACY_WORLD_H
#define NG_PROXY_PRIVACY_WORLD_H

#include "base/arena.h"
#include "base/error.h"
#include "policies/policy.h"

#include <libpq-fe.h>

enum world_side { SIDE_PRESENT, SIDE_ABSENT, SIDES };

/* What one account can hold at most, whatever the policy says (budget/account.h), less a margin: world_renew before more is spent. */
#define WORLD_EPSILON 900
#define WORLD_RHO 600
#define WORLD_DELTA 0.004

/* The largest delta that one statement may spend here: a rare event must be seen often enough to be counted. */
#define WORLD_DELTA_MAX (DELTA_ONE / 1000)

struct world;

/* Loads the policy file twice, starts PostgreSQL, engines and listeners (a few seconds).  ERR_CONFIG when the policy cannot be read. */
MUST_CHECK bool world_open(const char *policy_path, struct world **out, struct error *e);
void world_close(struct world *w); /* stops and removes everything; NULL is fine */

/* The policy as the engines have it.  Same as deployed but for what the head of this file says. */
const struct policy *world_policy(const struct world *w);

/* A connection of the PostgreSQL's owner to a side's database, to put rows there.  Lives as long as the world. */
PGconn *world_database(struct world *w, enum world_side side);

/* A new connection through the wire as a login of this member; the caller ends it with PQfinish. */
MUST_CHECK bool world_connect(struct world *w, enum world_side side, const char *member, PGconn **out, struct error *e);

/* Begins new ledgers: nothing is spent of any budget.  No statement may run meanwhile. */
MUST_CHECK bool world_renew(struct world *w, struct error *e);

#endif
