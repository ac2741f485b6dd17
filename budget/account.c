#include "budget/account.h"

#include "base/text.h"
#include "mechanisms/loss.h"

#include <pthread.h>

void account_order(struct account_orders *o, const struct account_key *key, const struct window *w, const struct entry *x)
{
	const bool self = text_eq(x->key.analyst, key->analyst) && text_eq(x->key.relation, key->relation);
	bool *frozen = self ? &o->frozen_self : text_eq(x->key.relation, ACCOUNT_ALL) ? &o->frozen_all : &o->frozen_table;
	const struct spent more = { .epsilon = x->epsilon, .delta = x->delta };

	switch (x->kind) {
	case ENTRY_FREEZE:
	case ENTRY_UNFREEZE:
		*frozen = x->kind == ENTRY_FREEZE;
		break;
	case ENTRY_LIMIT:
		if (self) {
			o->limit = x->epsilon;
			o->limit_delta = x->delta;
		}
		break;
	case ENTRY_TOP_UP:
		if (self && entry_day(x->at) >= entry_day(w->start))
			spent_add(&o->top_up, &more);
		break;
	case ENTRY_CHARGE:
	case ENTRY_RECOVERY: /* counted in the account's days */
	case ENTRY_KINDS:
		break;
	}
}

static struct eps least_eps(struct eps a, uint64_t max)
{
	return (struct eps){ a.pico < max ? a.pico : max };
}

/*
 * Finding the limit in rho takes a search of tens of milliseconds, and limits are few and rarely change: the last ones are remembered.  Only the arguments
 * decide the result, so it does not matter who computed it.
 */
static struct rho rho_limit(struct eps epsilon, struct delta delta)
{
	enum { KEPT = 64 };
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct {
		struct eps epsilon;
		struct delta delta;
		struct rho limit;
	} kept[KEPT];
	const size_t at = (size_t)((epsilon.pico * UINT64_C(0x9E3779B97F4A7C15)) ^ (delta.atto * UINT64_C(0xC2B2AE3D27D4EB4F))) >> 58;
	struct rho limit = { 0 };

	(void)pthread_mutex_lock(&lock);
	bool known = kept[at].epsilon.pico == epsilon.pico && kept[at].delta.atto == delta.atto;
	if (known)
		limit = kept[at].limit;
	(void)pthread_mutex_unlock(&lock);
	if (known) /* an empty place says that epsilon 0 and delta 0 have the limit 0, which is so */
		return limit;
	if (!loss_rho_limit(epsilon, delta, &limit))
		limit.pico = 0;
	(void)pthread_mutex_lock(&lock);
	kept[at].epsilon = epsilon;
	kept[at].delta = delta;
	kept[at].limit = limit;
	(void)pthread_mutex_unlock(&lock);
	return limit;
}

/* The part of delta that pays for converting rho to epsilon. */
static struct delta conversion(const struct policy_budget *b, const struct account_state *s)
{
	return (struct delta){ b->query_max_delta.atto == 0 ? s->delta_whole.atto : s->delta_whole.atto / 2 };
}

static void zcdp_state(const struct policy_budget *b, struct account_state *s)
{
	const struct delta converts = conversion(b, s);
	struct rho earlier = { 0 };

	s->delta_limit.atto = s->delta_whole.atto - converts.atto;
	s->rho_limit = rho_limit(s->epsilon_limit, converts);
	/* charges made while the account was pure or approx count at the price of any mechanism of that total */
	if (s->epsilon.pico > 0 && (!loss_rho_of_pure(s->epsilon, &earlier) || !rho_add(s->rho, earlier, &s->rho)))
		s->rho.pico = (uint64_t)UNIT_MAX;
}

void account_state_of(const struct policy_budget *b, const struct window *w, const struct account_orders *o, const struct spent *spent, struct account_state *out)
{
	struct account_state s = { .window_start = w->start, .window_end = w->end, .epsilon = spent->epsilon, .rho = spent->rho, .delta = spent->delta,
				   .queries = spent->queries, .frozen = o->frozen_self || o->frozen_table || o->frozen_all };
	struct spent limit = { .epsilon = o->limit.pico > 0 ? o->limit : b->epsilon, .delta = o->limit.pico > 0 ? o->limit_delta : b->delta };

	spent_add(&limit, &o->top_up);
	s.epsilon_limit = least_eps(limit.epsilon, ACCOUNT_EPSILON_MAX);
	s.delta_whole.atto = limit.delta.atto < ACCOUNT_DELTA_MAX ? limit.delta.atto : ACCOUNT_DELTA_MAX;
	s.delta_limit = s.delta_whole;
	if (b->accounting == ACCOUNTING_ZCDP) {
		zcdp_state(b, &s);
	} else if (b->accounting == ACCOUNTING_PURE) {
		s.closed = s.rho.pico > 0;
	} else if (s.rho.pico > 0) {
		const struct delta half = { s.delta_whole.atto / 2 };
		struct eps earlier;
		s.delta_limit.atto -= half.atto;
		if (!eps_round_up(loss_eps_of_rho(s.rho, half), &earlier) || !eps_add(s.epsilon, earlier, &s.epsilon))
			s.epsilon.pico = (uint64_t)UNIT_MAX;
	}
	*out = s;
}

void account_report(const struct policy_budget *b, struct account_state *s)
{
	s->epsilon_reported = s->epsilon;
	if (s->closed)
		s->epsilon_reported = s->epsilon.pico > s->epsilon_limit.pico ? s->epsilon : s->epsilon_limit;
	if (b->accounting == ACCOUNTING_ZCDP && !eps_round_up(loss_eps_of_rho(s->rho, conversion(b, s)), &s->epsilon_reported))
		s->epsilon_reported.pico = (uint64_t)UNIT_MAX;
	bool left = s->epsilon_reported.pico < s->epsilon_limit.pico;
	s->epsilon_remaining.pico = left ? s->epsilon_limit.pico - s->epsilon_reported.pico : 0;
}

bool account_fits(const struct policy_budget *b, const struct account_state *s, const struct charge *c)
{
	uint64_t delta;
	struct eps eps;
	struct rho rho;

	if (s->frozen || s->closed || __builtin_add_overflow(s->delta.atto, c->delta.atto, &delta) || delta > s->delta_limit.atto)
		return false;
	if (b->accounting == ACCOUNTING_ZCDP)
		return rho_add(s->rho, c->rho, &rho) && rho.pico <= s->rho_limit.pico;
	return eps_add(s->epsilon, c->epsilon, &eps) && eps.pico <= s->epsilon_limit.pico;
}

static int64_t whole(uint64_t limit, uint64_t spent, uint64_t each)
{
	return each == 0 ? INT64_MAX : limit > spent ? (int64_t)((limit - spent) / each) : 0;
}

int64_t account_holds(const struct policy_budget *b, const struct account_state *s, const struct charge *c)
{
	int64_t n = b->accounting == ACCOUNTING_ZCDP ? whole(s->rho_limit.pico, s->rho.pico, c->rho.pico) : whole(s->epsilon_limit.pico, s->epsilon.pico, c->epsilon.pico);
	int64_t by_delta = whole(s->delta_limit.atto, s->delta.atto, c->delta.atto);

	if (s->frozen || s->closed || s->delta.atto > s->delta_limit.atto)
		return 0;
	return by_delta < n ? by_delta : n;
}

static bool together(const struct policy_budget *b)
{
	return text_eq(b->analyst, ACCOUNT_ALL);
}

static void put_figures(struct wr *w, const struct policy_budget *b, const struct account_state *s, const struct charge *c)
{
	wr_str(w, "limit epsilon ");
	eps_put(w, s->epsilon_limit);
	wr_fmt(w, ", spent %.6g, left %.6g; this query asks ", eps_double(s->epsilon_reported), eps_double(s->epsilon_remaining));
	if (b->accounting != ACCOUNTING_ZCDP)
		wr_fmt(w, "epsilon %.6g", eps_double(c->epsilon));
	else
		wr_fmt(w, "rho %.6g of the %.6g left", rho_double(c->rho),
		       s->rho_limit.pico > s->rho.pico ? rho_double(s->rho_limit) - rho_double(s->rho) : 0.0);
	if (c->delta.atto > 0)
		wr_fmt(w, " and delta %.3g of the %.3g left", delta_double(c->delta),
		       s->delta_limit.atto > s->delta.atto ? delta_double(s->delta_limit) - delta_double(s->delta) : 0.0);
}

bool account_refuse(const struct policy_budget *b, struct account_state *s, const struct charge *c, struct error *e)
{
	struct wr w;
	char end[WALL_TEXT], who[160];

	(void)snprintf(who, sizeof(who), together(b) ? "all analysts together" : "analyst \"%s\"", b->analyst);
	if (s->frozen) {
		fail(e, ERR_BUDGET, "the privacy budget of %s.%s for %s is frozen", b->schema, b->table, who);
		error_rule(e, "budget");
		return error_hint(e, "Ask \"%s\": an operator unfreezes it with `noisegate budget unfreeze`.", b->owner);
	}
	account_report(b, s);
	fail(e, ERR_BUDGET, "privacy budget of %s.%s for %s is exhausted", b->schema, b->table, who);
	error_rule(e, "budget");
	wr_init_heap(&w, 400);
	put_figures(&w, b, s, c);
	error_detail(e, "%s.", wr_text(&w));
	wr_free(&w);
	if (s->window_end.micros == 0)
		return error_hint(e, "Ask \"%s\" for more budget, or repeat the question with a smaller noisegate.epsilon.", b->owner);
	wall_text(s->window_end, end);
	end[10] = '\0';
	return error_hint(e, "A new window opens on %s; a smaller noisegate.epsilon may still fit.", end);
}
