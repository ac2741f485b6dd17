/*
 * The life of one query, and the only file that knows planner, ledger, upstream and mechanisms at once.  The order is the guarantee: nothing that
 * reads protected data stands above the charge (SPEC G5), and what stands below the release knows only released rows.
 */
#include "base/log.h"
#include "planner/accuracy.h"
#include "proxy/engine_state.h"
#include "proxy/introspect.h"
#include "proxy/notice.h"
#include "proxy/params.h"
#include "proxy/present.h"
#include "proxy/quantum.h"
#include "proxy/repeat.h"
#include "proxy/totals.h"
#include "proxy/trail.h"

enum phase { PHASE_PLAN, PHASE_CONNECT, PHASE_LEDGER, PHASE_UPSTREAM, PHASE_NOISE, PHASE_POST, PHASES };

struct query {
	struct engine *g;
	const struct session_view *view;
	const char *sql;
	struct formats formats;
	struct arena *arena;
	struct params params;
	const struct plan *plan;
	const struct plan *look;          /* accuracy first: what was run and charged before it, or NULL */
	const struct released **released; /* one a block */
	struct trail trail;
	struct upstream_lease *lease;     /* once one is needed, until the answer leaves */
	struct asked {
		const struct plan *plan;
		const struct released **released;
		struct repeat repeat;
		bool charged;
	} asked[2];                       /* the look, if there is one, and the answer */
	size_t n_asked;
	int64_t start;
	int64_t mark, micros[PHASES];
};

/* Adds the time since the last call to a phase. */
static void clock_phase(struct query *q, enum phase p)
{
	int64_t now = clock_monotonic().nanos;

	if (q->mark)
		q->micros[p] += (now - q->mark) / 1000;
	q->mark = now;
}

static void log_times(const struct query *q, const struct result *r)
{
	log_event(LOG_DEBUG, "query finished", LOG_NUM("plan_us", q->micros[PHASE_PLAN]), LOG_NUM("connect_us", q->micros[PHASE_CONNECT]),
		  LOG_NUM("ledger_us", q->micros[PHASE_LEDGER]), LOG_NUM("upstream_us", q->micros[PHASE_UPSTREAM]),
		  LOG_NUM("noise_us", q->micros[PHASE_NOISE]), LOG_NUM("post_us", q->micros[PHASE_POST]),
		  LOG_NUM("rows", (int64_t)r->n_rows));
}

/* --- the charge -------------------------------------------------------------------------------------------------------------- */

static bool charge(struct query *q, struct error *e)
{
	const struct plan *plan = q->plan;
	struct ledger_entry entry = { .user = q->view->user, .analyst = q->view->analyst, .sql = q->sql };
	struct charge *items = arena_array(q->arena, plan->n_charges + 1, struct charge);
	int64_t query_id = 0;

	if (!trail_allowed(&q->trail, plan, e))
		return false;
	if (plan->n_charges == 0) /* aggregation rules and public tables spend nothing */
		return true;
	if (!items)
		return fail_memory(e);
	for (size_t i = 0; i < plan->n_charges; i++) {
		const struct plan_charge *c = &plan->charges[i];
		items[i] = (struct charge){ .budget = c->budget, .epsilon = c->epsilon, .rho = c->rho, .delta = c->delta, .mechanism = c->mechanism };
	}
	return ledger_charge(q->g->ledger, &(struct charges){ .items = items, .n = plan->n_charges }, &entry, &query_id, e) &&
	       trail_charged(&q->trail, query_id, e);
}

/* --- exact rows, and their release ---------------------------------------------------------------------------------------------- */

/* The block's parameters with the seed for sampling contributions: fresh, secret, and of no data (the noise has its own randomness). */
static bool block_params(struct query *q, const struct plan_block *b, const char *const **out, struct error *e)
{
	const char **params = arena_array(q->arena, b->n_params + 1, const char *);
	int64_t seed;

	*out = NULL;
	if (!params)
		return fail_memory(e);
	for (size_t i = 0; i < b->n_params; i++)
		params[i] = b->params[i];
	if (b->seed_param > 0) {
		BUG_IF((size_t)b->seed_param > b->n_params);
		if (!rng_fill(&q->g->random, &seed, sizeof(seed)))
			return fail(e, ERR_INTERNAL, "the random source failed");
		params[b->seed_param - 1] = arena_printf(q->arena, "%lld", (long long)seed);
		if (!params[b->seed_param - 1])
			return fail_memory(e);
	}
	*out = params;
	return true;
}

/* Domains that are read from public tables take their place in the spec: no protected table stands in these statements. */
static bool read_domains(struct query *q, struct upstream_lease *lease, const struct plan_block *b, struct release_spec *spec, struct error *e)
{
	const char *const **domains = arena_array(q->arena, spec->n_keys + 1, const char *const *);
	size_t *counts = arena_array(q->arena, spec->n_keys + 1, size_t);

	if (!domains || !counts)
		return fail_memory(e);
	for (size_t i = 0; i < spec->n_keys; i++) {
		const struct plan_domain *d = &b->domains[i];
		struct exact_rows rows;
		domains[i] = spec->domains[i];
		counts[i] = spec->n_domain[i];
		if (!d->sql)
			continue;
		if (!upstream_run(lease, d->sql, d->params, d->n_params, q->view->cancelled, q->arena, &rows, e))
			return false;
		const char **values = arena_array(q->arena, rows.n_rows + 1, const char *);
		if (!values)
			return fail_memory(e);
		size_t n = 0;
		bool null = d->with_null;
		for (size_t j = 0; j < rows.n_rows; j++) {
			null = null || !rows.cells[j];
			if (rows.cells[j])
				values[n++] = rows.cells[j];
		}
		if (null)
			values[n++] = NULL;
		domains[i] = values;
		counts[i] = n;
	}
	spec->domains = domains;
	spec->n_domain = counts;
	return true;
}

/*
 * Why no release could be made of rows.  That a cell was no number, or that there were too many rows, or too long ones, to hold is as much about data as what the
 * upstream says: it gets the same error.  The size of public domains is not.
 */
static bool not_released(const struct release_spec *spec, struct error *e)
{
	bool of_data = e->code == ERR_UPSTREAM || e->code == ERR_NO_MEMORY || (e->code == ERR_TOO_COMPLEX && spec->selection != SELECT_ALL);

	return of_data ? upstream_failed(e) : false;
}

/* A noised count decides whether anything is released; the refusal tells no more than that it fell short. */
static bool check_overlap(struct query *q, struct upstream_lease *lease, const struct plan_overlap *o, struct error *e)
{
	const struct released *count;
	struct exact_rows exact;
	int64_t units;

	if (!upstream_run(lease, o->sql, o->params, o->n_params, q->view->cancelled, q->arena, &exact, e))
		return false;
	clock_phase(q, PHASE_UPSTREAM);
	if (!release_make(&o->spec, &exact, &q->g->random, q->arena, &count, e))
		return not_released(&o->spec, e);
	clock_phase(q, PHASE_NOISE);
	if (!number_i64(released_cell(count, 0, 0), INT64_MIN, INT64_MAX, &units))
		return fail(e, ERR_INTERNAL, "a released count is no number");
	if (units >= o->table->overlap)
		return true;
	fail(e, ERR_RULE, "too few units are shared for an answer about %s.%s joined with another owner's table", o->table->schema, o->table->name);
	error_rule(e, "overlap");
	error_detail(e, "Its owner \"%s\" asks for at least %lld; a noised count of them fell short, and the query was charged.", o->table->owner,
		     (long long)o->table->overlap);
	return error_hint(e, "Ask with fewer conditions.");
}

static bool check_overlaps(struct query *q, struct upstream_lease *lease, struct error *e)
{
	for (size_t i = 0; i < q->plan->n_blocks; i++) {
		const struct plan_overlap *o = q->plan->blocks[i].overlap;
		if (o && !check_overlap(q, lease, o, e))
			return false;
	}
	return true;
}

static bool give_row(void *ctx, const char *const *cells, size_t n, struct error *e)
{
	return release_row(ctx, cells, n, e);
}

/* Every group of a public domain and nothing about it: costs nothing, so not even how long it takes may come from rows. */
static bool reads_rows(const struct release_spec *s)
{
	return s->selection != SELECT_ALL || s->n_values > 0;
}

static bool release_block(struct query *q, struct upstream_lease *lease, const struct plan_block *b, const struct released **out, struct error *e)
{
	struct release_spec spec = b->spec;
	struct releasing *made;
	const char *const *params;

	if (!block_params(q, b, &params, e) || (b->domains && !read_domains(q, lease, b, &spec, e)) ||
	    (q->plan->rough && !accuracy_spec(q->arena, &spec, e)) || !release_begin(&spec, &q->g->random, q->arena, &made, e))
		return false;
	const struct upstream_reader reader = { .give = give_row, .ctx = made };
	if (reads_rows(&spec) && !upstream_each(lease, b->sql, params, b->n_params, q->view->cancelled, &reader, e))
		return not_released(&spec, e);
	clock_phase(q, PHASE_UPSTREAM);
	if (!release_end(made, out, e))
		return not_released(&spec, e);
	clock_phase(q, PHASE_NOISE);
	return true;
}

/* The blocks that no earlier answer has filled. */
static bool release_blocks(struct query *q, struct upstream_lease *lease, struct error *e)
{
	for (size_t i = 0; i < q->plan->n_blocks; i++) {
		if (!q->released[i] && !release_block(q, lease, &q->plan->blocks[i], &q->released[i], e))
			return false;
	}
	return true;
}

/* --- after the release: public --------------------------------------------------------------------------------------------------- */

/* One released column as the text of a text[]. */
static bool array_literal(const struct released *r, size_t column, struct arena *a, const char **out, struct error *e)
{
	struct wr w;

	wr_init(&w, a, (size_t)256 << 20);
	wr_str(&w, "{");
	for (size_t row = 0; row < released_rows(r); row++) {
		const char *cell = released_cell(r, row, column);
		wr_str(&w, row ? "," : "");
		if (!cell) {
			wr_str(&w, "NULL");
			continue;
		}
		wr_str(&w, "\"");
		for (size_t n; *cell; cell += n) {
			n = strcspn(cell, "\"\\");
			wr_put(&w, cell, n);
			if (cell[n]) {
				wr_u8(&w, '\\');
				wr_u8(&w, (uint8_t)cell[n++]);
			}
		}
		wr_str(&w, "\"");
	}
	wr_str(&w, "}");
	*out = wr_text(&w);
	return wr_ok(&w) || fail_memory(e);
}

/* The sidecar's statement with the client's parameters and, behind them, the released columns. */
static bool sidecar_source(struct query *q, struct present_source *out, struct error *e)
{
	const struct plan *plan = q->plan;
	size_t n = q->params.n, total = 0;
	const struct released **shown;
	const uint32_t *types = NULL;

	if (!params_and_columns(&q->params, plan, q->arena, &types, &total, e) || !totals_adjust(plan, q->released, q->arena, &shown, e))
		return false;
	const char **values = arena_array(q->arena, total + 1, const char *);
	int *lengths = arena_array(q->arena, total + 1, int), *formats = arena_array(q->arena, total + 1, int);
	if (!values || !lengths || !formats)
		return fail_memory(e);
	for (size_t i = 0; i < n; i++) {
		values[i] = q->params.values[i];
		lengths[i] = q->params.lengths[i];
		formats[i] = q->params.formats[i];
	}
	for (size_t b = 0; n < total; b++) {
		for (size_t c = 0; c < plan->blocks[b].n_columns; c++, n++) {
			if (!array_literal(shown[b], c, q->arena, &values[n], e))
				return false;
		}
	}
	*out = (struct present_source){ .sidecar = q->g->sidecar,
					.view = q->view,
					.statement = { .sql = plan->sidecar_sql, .n_params = n, .types = types, .values = values,
						       .lengths = lengths, .formats = formats },
					.own_text = plan->sidecar_sql == q->sql,
					.keep_origin = plan->kind == PLAN_SIDECAR };
	return true;
}

static bool post_process(struct query *q, struct result *out, struct error *e)
{
	struct present_source source;

	if (q->plan->kind == PLAN_BLOCKS && present_is_plain(q->plan, q->view, &q->formats))
		return present_released(q->plan, q->released[0], &q->formats, q->arena, out, e);
	return sidecar_source(q, &source, e) && present_sidecar(&source, &q->formats, q->arena, out, e);
}

static bool has_noise(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_blocks; i++)
		if (plan->blocks[i].spec.private_noise)
			return true;
	return false;
}

/* The plan as the notice tells it: with what was charged, which is nothing for what had been answered before. */
static const struct plan *charged_plan(struct query *q)
{
	const struct asked *first = &q->asked[0], *last = &q->asked[q->n_asked - 1];
	struct plan *told = arena_new(q->arena, struct plan);

	if (q->look && first->charged && last->charged)
		return accuracy_both(q->arena, q->look, q->plan);
	if (!told)
		return NULL;
	*told = *q->plan;
	if (!last->charged) {
		told->charges = first->plan->charges;
		told->n_charges = first->charged ? first->plan->n_charges : 0;
	}
	return told;
}

static bool add_notices(struct query *q, struct result *out, struct error *e)
{
	struct notice *notices = arena_array(q->arena, 3, struct notice);

	if (!notices)
		return fail_memory(e);
	out->notices = notices;
	if (q->plan->notice)
		notices[out->n_notices++] = (struct notice){ .severity = "NOTICE", .sqlstate = "00000", .message = q->plan->notice };
	out->n_notices += trail_notice(&q->trail, &notices[out->n_notices]);
	if (!q->view->notices || !q->released || !has_noise(q->plan)) /* EXPLAIN releases nothing */
		return true;
	const struct plan *told = charged_plan(q);
	if (!told)
		return fail_memory(e);
	return notice_noise(told, q->released, q->view->plan.confidence, q->g->ledger, q->arena, &notices[out->n_notices++], e);
}

/* --- three kinds of statements ------------------------------------------------------------------------------------------------------ */

static bool explain(struct query *q, struct result *out, struct error *e)
{
	const struct plan *plan = q->plan;
	const char **lines = arena_array(q->arena, plan->n_explain_lines + plan->n_charges + 2, const char *);
	size_t n = 0;

	if (!lines)
		return fail_memory(e);
	for (; n < plan->n_explain_lines; n++)
		lines[n] = plan->explain_lines[n];
	if (repeat_known(q->g, q->view, plan, q->arena))
		lines[n++] = "Repeat: it has been answered before; the same answer again is free.";
	return notice_remaining(plan, q->g->ledger, q->arena, lines, &n, e) && present_lines(lines, n, &q->formats, q->arena, out, e);
}

/* What can be known to be wrong with the statement around the blocks is found before anything is charged. */
static bool check_post(struct query *q, struct error *e)
{
	struct description d = { .n_fields = q->plan->n_outputs };
	const uint32_t *types = NULL;
	size_t n = 0;

	if (!present_is_plain(q->plan, q->view, &q->formats) &&
	    (!params_and_columns(&q->params, q->plan, q->arena, &types, &n, e) ||
	     !sidecar_describe(q->g->sidecar, q->view, q->plan->sidecar_sql, types, n, false, q->arena, &d, e)))
		return false;
	return present_check_formats(&q->formats, d.n_fields, e);
}

static bool take_lease(struct query *q, struct error *e)
{
	bool ok = q->lease || upstream_take(q->g->upstream, q->view->cancelled, &q->lease, e);

	clock_phase(q, PHASE_CONNECT);
	return ok;
}

/*
 * What was answered before is given again.  Else a connection first: an upstream that is down costs nothing.  Then the charge; whatever fails after it
 * stays charged.
 */
static bool answer(struct query *q, struct error *e)
{
	struct asked *x = &q->asked[q->n_asked];
	bool missing = false;

	BUG_IF(q->n_asked == ARRAY_LEN(q->asked));
	q->released = arena_array(q->arena, q->plan->n_blocks + 1, const struct released *);
	if (!q->released)
		return fail_memory(e);
	if (!repeat_begin(q->g, q->view, q->plan, q->arena, q->look ? &q->asked[0].repeat : NULL, q->released, &x->repeat, e))
		return false;
	x->plan = q->plan;
	q->n_asked++;
	for (size_t i = 0; i < q->plan->n_blocks; i++)
		missing = missing || !q->released[i];
	if (missing && !take_lease(q, e))
		return false;
	if (!x->repeat.found) {
		bool ok = charge(q, e); /* durable; never refunded */
		clock_phase(q, PHASE_LEDGER);
		if (!ok)
			return false;
		x->charged = true;
	}
	if (!x->repeat.found && !check_overlaps(q, q->lease, e)) /* what is repeated has passed */
		return false;
	if (missing && !release_blocks(q, q->lease, e)) /* public from here on */
		return false;
	x->released = q->released;
	return true;
}

/* Accuracy first: what the look shows is public and paid for; unless it is good enough, it decides what the answer costs. */
static bool answer_after_look(struct query *q, struct error *e)
{
	struct plan_settings settings = q->view->plan;
	struct plan_look seen;
	bool reached;

	if (!accuracy_read(q->arena, q->plan, q->released, &settings, &seen, &reached, e))
		return false;
	if (reached)
		return true;
	settings.look = &seen;
	q->look = q->plan;
	if (!plan_make(q->arena, q->g->policy->policy, &settings, q->sql, q->params.plan, q->params.n, &q->plan, e))
		return false;
	clock_phase(q, PHASE_PLAN);
	BUG_IF(q->plan->rough || q->plan->n_blocks != seen.n_blocks);
	return answer(q, e);
}

static bool reads_protected(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_blocks; i++)
		for (size_t j = 0; j < plan->blocks[i].n_tables; j++)
			if (plan->blocks[i].tables[j]->rule != RULE_PUBLIC)
				return true;
	return false;
}

/*
 * The answer, or its error, leaves at a multiple of the quantum.  Until then nothing that others could wait for is given up, and a cancellation that comes before
 * is as good as one that came while the upstream was at work: which of the two it was shows nowhere.
 */
static bool leave_in_time(struct query *q, bool ok, const struct result *out, struct error *e)
{
	const int64_t quantum = reads_protected(q->plan) ? q->g->policy->policy->answers.quantum_ms : 0;

	quantum_wait(q->start, quantum);
	bool dropped = quantum > 0 && atomic_load(q->view->cancelled);
	if (dropped)
		ok = fail(e, ERR_CANCELLED, "canceling statement due to user request");
	/* after the wait: the receipt of an answer that was ready but cancelled would tell that it was ready */
	ok = ok && trail_answered(&q->trail, q->plan, q->released, out, e); /* on disk: it may leave */
	for (size_t i = 0; i < q->n_asked; i++)
		repeat_end(&q->asked[i].repeat, q->asked[i].plan, dropped ? NULL : q->asked[i].released);
	upstream_give(q->g->upstream, q->lease);
	q->lease = NULL;
	return ok;
}

static bool run_blocks(struct query *q, struct result *out, struct error *e)
{
	if (!check_post(q, e))
		return false;
	clock_phase(q, PHASE_POST);
	bool ok = answer(q, e) && (!q->plan->rough || answer_after_look(q, e)) && post_process(q, out, e);
	clock_phase(q, PHASE_POST);
	return leave_in_time(q, ok, out, e);
}

static bool run_plan(struct query *q, struct result *out, struct error *e)
{
	if (q->plan->explain)
		return explain(q, out, e);
	if (q->plan->kind == PLAN_SIDECAR)
		return post_process(q, out, e);
	if (q->params.unreadable)
		return fail(e, ERR_BAD_PARAMETER, "parameter $%zu has a type that can be used here only in text format", q->params.unreadable);
	return run_blocks(q, out, e);
}

static bool run(struct query *q, const struct engine_param *params, size_t n_params, struct result *out, struct error *e)
{
	const struct policy *policy = q->g->policy->policy;

	if (!params_read(q->g->sidecar, policy, q->view, q->sql, params, n_params, q->arena, &q->params, e) ||
	    !plan_make(q->arena, policy, &q->view->plan, q->sql, q->params.plan, n_params, &q->plan, e)) /* reads no data, costs nothing */
		return false;
	clock_phase(q, PHASE_PLAN);
	if (!run_plan(q, out, e) || !add_notices(q, out, e))
		return false;
	clock_phase(q, PHASE_POST);
	log_times(q, out);
	return true;
}

/* EXPLAIN, catalogs and constants decide nothing about data: when they fail, that is no refusal. */
static bool is_decision(const struct query *q)
{
	return !q->plan || (q->plan->kind == PLAN_BLOCKS && !q->plan->explain);
}

bool engine_run(struct engine *g, const struct session_view *s, const char *sql, const struct engine_param *params, size_t n_params,
		const int16_t *formats, size_t n_formats, struct arena *a, struct result *out, struct error *e)
{
	struct query q = { .g = g, .view = s, .sql = sql, .formats = { formats, n_formats }, .arena = a,
			   .trail = { .log = s->internal ? NULL : g->audit, .view = s, .sql = sql, .arena = a } };
	struct result made = { 0 };
	struct session_view own = *s;

	*e = ERROR_INIT;
	q.trail.params = &q.params;
	clock_phase(&q, PHASE_PLAN);
	q.start = q.mark;
	if (introspect_mentioned(sql, &s->plan)) {
		q.view = &own;
		if (!introspect_fill(g->ledger, g->audit, g->policy->policy, a, &own, e))
			return false;
	}
	if (!run(&q, params, n_params, &made, e)) {
		if (is_decision(&q))
			trail_ended(&q.trail, e);
		return false;
	}
	*out = made;
	return true;
}
