/* What the engine owns; shared by engine.c (open, close, describe) and query.c (run) only. */
#ifndef NG_PROXY_ENGINE_STATE_H
#define NG_PROXY_ENGINE_STATE_H

#include "base/random.h"
#include "budget/answers.h"
#include "budget/ledger.h"
#include "proxy/budget_watch.h"
#include "proxy/engine.h"
#include "proxy/sidecar.h"
#include "proxy/trail.h"
#include "proxy/upstream.h"

struct engine {
	struct snapshot *policy;
	struct ledger *ledger;
	struct audit *audit;
	struct login_meter logins;
	struct budget_watch budget_watch;
	struct answers *answers; /* NULL: repeats are charged */
	struct upstream *upstream;
	struct sidecar *sidecar;
	struct rng random;
	struct clock clock;
};

#endif
