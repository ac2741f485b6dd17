#include "base/mem.h"
#include "crypto/random.h"
#include "proxy/engine_state.h"
#include "proxy/params.h"
#include "proxy/present.h"
#include "proxy/repeat.h"
#include "proxy/usage.h"

static bool open_audit(struct engine *g, const struct policy *p, struct error *e)
{
	const struct audit_options o = { .policy = &p->audit, .collaboration = p->collaboration, .version = NOISEGATE_VERSION, .clock = g->clock,
					 .random = g->random };

	return audit_open(&o, &g->audit, e) && budget_watch_start(&g->budget_watch, g->ledger, g->audit, e) &&
	       trail_policy(g->audit, p, g->budget_watch.seen, e);
}

static bool open_answers(struct engine *g, const struct policy_answers *p, struct error *e)
{
	return !p->repeat_free || answers_open(p->path, p->bytes, p->keep_ms, &g->clock, &g->answers, e);
}

bool engine_open(struct snapshot *policy, struct engine **out, struct error *e)
{
	struct engine *g = mem_alloc(1, sizeof(*g));

	if (!g)
		return fail_memory(e);
	g->policy = snapshot_hold(policy);
	g->random = random_system();
	g->clock = clock_system();
	pthread_mutex_init(&g->logins.lock, NULL);
	const struct policy *p = policy->policy;
	if (!repeat_check(p, e) || !ledger_open_policy(p, &g->clock, &g->ledger, e) || !open_audit(g, p, e) || !open_answers(g, &p->answers, e) || !upstream_open(p, &g->upstream, e) ||
	    !sidecar_open(p, &g->sidecar, e)) {
		engine_close(g);
		return false;
	}
	*out = g;
	return true;
}

void engine_close(struct engine *g)
{
	if (!g)
		return;
	sidecar_close(g->sidecar);
	upstream_close(g->upstream);
	audit_close(g->audit); /* its thread looks into the ledger */
	answers_close(g->answers);
	ledger_close(g->ledger);
	pthread_mutex_destroy(&g->logins.lock);
	snapshot_drop(g->policy);
	mem_free(g);
}

bool engine_use_ledger(struct engine *g, const char *path, struct error *e)
{
	struct ledger *other = NULL;

	if (!ledger_open(path, &g->clock, &other, e))
		return false;
	if (!budget_watch_use(&g->budget_watch, other, e)) {
		ledger_close(other);
		return false;
	}
	ledger_close(g->ledger);
	g->ledger = other;
	return true;
}

struct snapshot *engine_policy(struct engine *g)
{
	return snapshot_hold(g->policy);
}

const char *engine_server_version(struct engine *g)
{
	return sidecar_version(g->sidecar);
}

static bool describe_fields(struct engine *g, const struct session_view *v, const struct plan *plan, const struct params *p,
			    const char *sql, struct arena *a, struct description *out, struct error *e)
{
	const uint32_t *types = NULL;
	size_t n = 0;

	if (plan->explain) {
		struct field *line = arena_new(a, struct field);
		if (!line)
			return fail_memory(e);
		*line = present_line_field();
		out->fields = line;
		out->n_fields = 1;
		return true;
	}
	if (plan->n_outputs > 0) {
		out->n_fields = plan->n_outputs;
		return present_direct_fields(plan, a, &out->fields, e);
	}
	struct description d;
	bool own_text = plan->sidecar_sql == sql;
	if (!params_and_columns(p, plan, a, &types, &n, e) ||
	    !sidecar_describe(g->sidecar, v, plan->sidecar_sql, types, n, own_text, a, &d, e))
		return false;
	out->fields = d.fields;
	out->n_fields = d.n_fields;
	if (plan->kind == PLAN_SIDECAR)
		return true;
	return present_without_origin(&out->fields, out->n_fields, a, e);
}

bool engine_describe(struct engine *g, const struct session_view *s, const char *sql, const uint32_t *param_oids, size_t n_params,
		     struct arena *a, struct description *out, struct error *e)
{
	const struct plan *plan = NULL;
	struct params p;
	struct description d = { 0 };

	*e = ERROR_INIT;
	if (!params_infer(g->sidecar, g->policy->policy, s, sql, param_oids, n_params, a, &p, e) ||
	    !plan_make(a, g->policy->policy, &s->plan, sql, p.plan, p.n, &plan, e) ||
	    !describe_fields(g, s, plan, &p, sql, a, &d, e)) {
		if (!plan)
			engine_refused(g, s->user, s->analyst, sql, e);
		return false;
	}
	d.param_oids = p.types;
	d.n_params = p.n;
	*out = d;
	return true;
}

void engine_refused(struct engine *g, const char *user, const char *member, const char *sql, const struct error *why)
{
	const struct session_view who = { .user = user, .analyst = member };
	struct trail t = { .log = g->audit, .view = &who, .sql = sql };

	trail_ended(&t, why);
}

void engine_login(struct engine *g, const char *user, const char *member, const char *peer, bool accepted)
{
	trail_login(g->audit, &g->logins, user, member, peer, accepted);
}
