#include "proxy/repeat.h"

#include "base/log.h"
#include "base/text.h"
#include "proxy/engine_state.h"

enum { DIGEST_BYTES_MAX = 64 << 20, FORMAT = 1, VERSION_ARENA = 64 << 20 };

/* A new field of these decides what is released: it belongs into the digest below. */
_Static_assert(sizeof(struct release_spec) == 304 && sizeof(struct release_value) == 1104 && sizeof(struct clip) == 176 && sizeof(struct plan_charge) == 40, "put the new field into the digest");

/* --- what a question is ------------------------------------------------------------------------------------------------------------ */

/* Absent and empty differ, and no text runs into the next. */
static void put_text(struct wr *w, const char *s)
{
	wr_u8(w, s != NULL);
	if (s)
		wr_cstr(w, s);
}

static void put_i128(struct wr *w, i128 v)
{
	wr_u64(w, (uint64_t)((u128)v >> 64));
	wr_u64(w, (uint64_t)(u128)v);
}

static void put_decimal(struct wr *w, struct decimal d)
{
	put_i128(w, d.digits);
	wr_u32(w, (uint32_t)d.scale);
}

static void put_noise(struct wr *w, const struct noise *n)
{
	wr_u8(w, (uint8_t)n->kind);
	put_i128(w, (i128)n->num);
	wr_u64(w, n->den);
}

static void put_texts(struct wr *w, const char *const *texts, size_t n, int but)
{
	wr_u64(w, n);
	for (size_t i = 0; i < n; i++)
		put_text(w, (int)i + 1 == but ? NULL : texts[i]);
}

static void put_moments(struct wr *w, const struct release_value *v)
{
	const struct moments_bounds *b = &v->moment_bounds;
	const i128 ends[] = { b->lo_x, b->hi_x, b->lo_y, b->hi_y };

	wr_u8(w, (uint8_t)v->what);
	wr_u64(w, v->n_parts);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		put_i128(w, ends[i]);
	put_decimal(w, b->grid_x);
	put_decimal(w, b->grid_y);
	for (size_t i = 0; i < v->n_parts; i++) {
		wr_u32(w, v->parts[i].shift);
		put_i128(w, (i128)v->parts[i].linf);
		put_noise(w, &v->parts[i].noise);
	}
}

static void put_clip(struct wr *w, const struct clip *c)
{
	put_i128(w, c->cap);
	wr_u32(w, c->first);
	wr_u64(w, c->steps);
	wr_u64(w, c->groups);
	put_noise(w, &c->test);
	put_i128(w, c->enough);
	wr_u64(w, c->choice.pico);
	put_i128(w, c->penalty);
	wr_u8(w, c->gaussian);
	wr_u64(w, c->epsilon.pico);
	wr_u64(w, c->rho.pico);
}

static void put_value(struct wr *w, const struct release_value *v, double confidence)
{
	wr_u8(w, (uint8_t)v->kind);
	wr_u8(w, (uint8_t)v->format);
	wr_u64(w, v->column);
	put_noise(w, &v->noise);
	put_noise(w, &v->noise_sum);
	put_i128(w, v->joint.bound);
	put_noise(w, &v->joint.noise);
	put_decimal(w, v->grid);
	put_i128(w, v->lo);
	put_i128(w, v->hi);
	wr_u32(w, (uint32_t)v->extra_scale);
	wr_u8(w, (uint8_t)v->end);
	wr_u64(w, v->shared);
	if (v->kind == RELEASE_MOMENT)
		put_moments(w, v);
	if (v->kind == RELEASE_CLIPPED)
		put_clip(w, &v->clip);
	wr_u64(w, v->n_ranks);
	for (size_t i = 0; i < v->n_ranks; i++)
		put_decimal(w, v->ranks[i]);
	wr_u64(w, v->rank);
	wr_u64(w, v->tree.buckets);
	wr_u32(w, v->tree.branching);
	if (v->end != END_VALUE)
		wr_fmt(w, "%.17g", confidence);
}

static void put_spec(struct wr *w, const struct release_spec *s)
{
	wr_u64(w, s->n_keys);
	wr_u8(w, (uint8_t)s->selection);
	for (size_t i = 0; s->selection == SELECT_ALL && s->domains && i < s->n_keys; i++)
		put_texts(w, s->domains[i], s->n_domain[i], 0);
	wr_u64(w, s->units_column);
	wr_u64(w, s->minimum_units);
	wr_u64(w, s->units_value);
	put_noise(w, &s->units_noise);
	put_i128(w, s->threshold);
	wr_u64(w, s->law.epsilon.pico);
	wr_fmt(w, "%.17g", s->law.delta);
	wr_u64(w, s->law.minimum);
	wr_u64(w, s->joint.members);
	wr_u64(w, s->joint.groups);
	wr_u64(w, s->joint.rho.pico);
	put_noise(w, &s->joint.units);
	wr_u64(w, s->joint.column);
	wr_u64(w, s->n_minimums);
	for (size_t i = 0; i < s->n_minimums; i++) {
		wr_u64(w, s->minimums[i].column);
		wr_u64(w, (uint64_t)s->minimums[i].minimum);
	}
	wr_u64(w, s->n_values);
	for (size_t i = 0; i < s->n_values; i++)
		put_value(w, &s->values[i], s->confidence);
}

static void put_block(struct wr *w, const struct plan_block *b)
{
	put_text(w, b->sql);
	put_texts(w, b->params, b->n_params, b->seed_param);
	for (size_t i = 0; b->domains && i < b->spec.n_keys; i++) {
		put_text(w, b->domains[i].sql);
		put_texts(w, b->domains[i].params, b->domains[i].n_params, 0);
		wr_u8(w, b->domains[i].with_null);
	}
	put_spec(w, &b->spec);
	wr_u8(w, b->overlap != NULL);
	if (b->overlap) { /* what was released passed it */
		put_text(w, b->overlap->sql);
		put_texts(w, b->overlap->params, b->overlap->n_params, 0);
		put_spec(w, &b->overlap->spec);
		wr_u64(w, (uint64_t)b->overlap->table->overlap);
	}
}

static void put_plan(struct wr *w, const struct plan *plan)
{
	wr_u8(w, plan->rough);
	for (size_t i = 0; i < plan->n_blocks; i++) {
		if (!plan->blocks[i].spec.private_noise)
			continue;
		wr_u64(w, i);
		put_block(w, &plan->blocks[i]);
		if (plan->rough) /* a look releases intervals of its own */
			wr_fmt(w, "%.17g", plan->blocks[i].spec.confidence);
	}
	for (size_t i = 0; i < plan->n_charges; i++) {
		const struct plan_charge *c = &plan->charges[i];
		put_text(w, c->budget->owner);
		put_text(w, c->budget->schema);
		put_text(w, c->budget->table);
		put_text(w, c->budget->analyst);
		wr_u8(w, (uint8_t)c->budget->accounting);
		wr_u64(w, c->epsilon.pico);
		wr_u64(w, c->rho.pico);
		wr_u64(w, c->delta.atto);
		put_text(w, c->mechanism);
	}
}

/* --- what says that the data is the same ---------------------------------------------------------------------------------------------- */

/* As nobody in particular: no table of one's own, no account, no settings. */
static struct session_view nobody(const struct session_view *v)
{
	return (struct session_view){ .user = "", .analyst = "", .internal = true, .cancelled = v ? v->cancelled : NULL,
				      .plan = { .analyst = "", .timezone = "UTC", .confidence = 0.95, .now_micros = v ? v->plan.now_micros : 1 } };
}

bool repeat_check(const struct policy *p, struct error *e)
{
	const struct session_view v = nobody(NULL);
	const struct plan *plan;
	struct statements parsed;
	struct error why = ERROR_INIT;
	struct arena a;

	if (!p->answers.version)
		return true;
	arena_init(&a, VERSION_ARENA);
	bool ok = statements_parse(&a, p->answers.version, &parsed, &why) && parsed.n == 1 && parsed.items[0].kind == STATEMENT_QUERY &&
		  plan_make(&a, p, &v.plan, p->answers.version, NULL, 0, &plan, &why) && !plan->explain && plan->n_charges == 0;
	for (size_t i = 0; ok && i < plan->n_blocks; i++)
		for (size_t j = 0; j < plan->blocks[i].n_tables; j++)
			ok = ok && plan->blocks[i].tables[j]->rule == RULE_PUBLIC;
	arena_reset(&a);
	if (ok)
		return true;
	fail(e, ERR_CONFIG, "answers.version must be one query over public tables only");
	if (why.code != ERR_NONE)
		error_detail(e, "%s", why.message);
	return error_hint(e, "For example: SELECT max(loaded_at) FROM shop.loads, where shop.loads has the rule public.");
}

/* The hash of the version's rows, each cell with its length. */
static bool read_version(struct engine *g, const struct session_view *v, struct arena *a, uint8_t out[SHA256_SIZE], struct error *e)
{
	const struct session_view own = nobody(v);
	const char *sql = g->policy->policy->answers.version;
	struct result rows = { 0 };
	struct wr w;

	wr_init(&w, a, DIGEST_BYTES_MAX);
	put_text(&w, sql);
	if (sql && !engine_run(g, &own, sql, NULL, 0, NULL, 0, a, &rows, e))
		return false;
	for (size_t i = 0; i < rows.n_rows * rows.n_fields; i++) {
		wr_u32(&w, (uint32_t)rows.cells[i].length);
		if (rows.cells[i].length > 0)
			wr_put(&w, rows.cells[i].data, (size_t)rows.cells[i].length);
	}
	return wr_ok(&w) && hash_sha256(w.p, w.n, out) ? true : fail_memory(e);
}

static bool make_key(struct engine *g, const struct session_view *v, const struct plan *plan, const uint8_t version[SHA256_SIZE], struct arena *a,
		     struct answer_key *out, struct error *e)
{
	const struct policy *p = g->policy->policy;
	struct wr w;

	wr_init(&w, a, DIGEST_BYTES_MAX);
	wr_u8(&w, FORMAT);
	put_text(&w, p->collaboration);
	put_text(&w, p->upstream.dsn);
	put_text(&w, v->plan.analyst);
	put_text(&w, v->plan.timezone);
	wr_put(&w, version, SHA256_SIZE);
	put_plan(&w, plan);
	return wr_ok(&w) && hash_sha256(w.p, w.n, out->digest) ? true : fail_memory(e);
}

/* --- asking ------------------------------------------------------------------------------------------------------------------------- */

static size_t count_noised(const struct plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n_blocks; i++)
		n += plan->blocks[i].spec.private_noise;
	return n;
}

bool repeat_begin(struct engine *g, const struct session_view *v, const struct plan *plan, struct arena *a, const struct repeat *before,
		  const struct released **released, struct repeat *out, struct error *e)
{
	struct repeat r = { .answers = g->answers, .n = count_noised(plan) };
	size_t n = 0;

	*out = (struct repeat){ 0 };
	if (!g->answers || r.n == 0 || plan->n_charges == 0)
		return true;
	r.noised = arena_array(a, r.n, const struct released *);
	if (!r.noised)
		return fail_memory(e);
	if (before)
		for (size_t i = 0; i < SHA256_SIZE; i++)
			r.version[i] = before->version[i];
	else if (!read_version(g, v, a, r.version, e))
		return false;
	if (!make_key(g, v, plan, r.version, a, &r.key, e))
		return false;
	enum answer_state state = answers_begin(g->answers, &r.key, before ? NULL : v->cancelled, a, r.noised, r.n, e);
	if (state == ANSWER_FAILED)
		return false;
	if (state == ANSWER_BUSY)
		return true;
	r.found = state == ANSWER_FOUND;
	for (size_t i = 0; r.found && i < plan->n_blocks; i++) {
		if (plan->blocks[i].spec.private_noise)
			released[i] = r.noised[n++];
	}
	*out = r;
	return true;
}

void repeat_end(struct repeat *r, const struct plan *plan, const struct released *const *released)
{
	size_t n = 0;

	if (!r->answers || r->found)
		return;
	for (size_t i = 0; released && i < plan->n_blocks; i++) {
		if (plan->blocks[i].spec.private_noise)
			r->noised[n++] = released[i];
	}
	if (!answers_end(r->answers, &r->key, released ? r->noised : NULL, r->n))
		log_event(LOG_WARNING, "an answer could not be kept: asked again, it will be charged again");
	r->answers = NULL;
}

bool repeat_known(struct engine *g, const struct session_view *v, const struct plan *plan, struct arena *a)
{
	struct error ignored = ERROR_INIT;
	uint8_t version[SHA256_SIZE];
	struct answer_key key;

	return g->answers && plan->n_charges > 0 && count_noised(plan) > 0 && read_version(g, v, a, version, &ignored) &&
	       make_key(g, v, plan, version, a, &key, &ignored) && answers_has(g->answers, &key);
}
