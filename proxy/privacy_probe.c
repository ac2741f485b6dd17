#include "proxy/privacy_probe.h"

#include "base/text.h"
#include "planner/plan.h"
#include "proxy/privacy_query.h"

enum {
	ROWS_MAX = 60000,     /* of one world, about */
	KEY_ENOUGH = 16,      /* fewer groups are not worth a GROUP BY */
	BEYOND = 4            /* PROBE_GROUPS: times max_groups */
};

/* Where a statement's proof is cheapest: many trials or a large step, see docs/privacy-audit.md. */
#define EPSILON_LAPLACE (2 * EPS_ONE)
#define EPSILON_GAUSSIAN EPS_ONE

/* Of a statement about groups of one person: rare enough to be a delta, often enough to be counted. */
#define PROBE_DELTA (DELTA_ONE / 1000)

const char *probe_kind_name(enum probe_kind kind)
{
	static const char *const names[PROBE_KINDS] = {
		[PROBE_COUNT] = "count",	   [PROBE_PLAIN] = "count, one row", [PROBE_UNITS] = "count people",   [PROBE_SUM] = "sum",
		[PROBE_WIDE] = "sum without bounds",
		[PROBE_AVG] = "avg",		   [PROBE_TWO] = "two values",	     [PROBE_STDDEV] = "stddev",	       [PROBE_DISTINCT] = "count distinct",
		[PROBE_MEDIAN] = "percentile",	   [PROBE_SUBSELECT] = "per-unit sub-select", [PROBE_GROUPS] = "beyond max_groups",
		[PROBE_SELECTION] = "private keys", [PROBE_LONE] = "private keys, one person", [PROBE_JOIN] = "join across owners",
	};
	return names[kind];
}

/* --- what the engine would do with it ------------------------------------------------------------------------------------------------ */

/* The account of a table allows no more than this in one query. */
static void cap_epsilon(const struct policy *p, const struct probe *probe, const struct policy_table *t, struct eps *epsilon, bool *zcdp)
{
	const struct policy_budget *b = t ? policy_find_budget(p, t, probe->analyst) : NULL;

	if (!b)
		return;
	*zcdp = *zcdp && b->accounting == ACCOUNTING_ZCDP;
	if (b->query_max_epsilon.pico < epsilon->pico)
		epsilon->pico = b->query_max_epsilon.pico;
}

/* Nor less than this. */
static void raise_epsilon(const struct policy *p, struct probe *probe, const struct policy_table *t)
{
	const struct policy_budget *b = t ? policy_find_budget(p, t, probe->analyst) : NULL;

	if (b && b->query_min_epsilon.pico > probe->epsilon.pico)
		probe->epsilon = b->query_min_epsilon;
}

static void choose_epsilon(const struct policy *p, struct probe *probe)
{
	struct eps epsilon = { UNIT_MAX };
	bool zcdp = true;

	cap_epsilon(p, probe, probe->table, &epsilon, &zcdp);
	cap_epsilon(p, probe, probe->other, &epsilon, &zcdp);
	const uint64_t best = zcdp && probe->kind != PROBE_LONE ? EPSILON_GAUSSIAN : EPSILON_LAPLACE;
	probe->epsilon.pico = epsilon.pico < best ? epsilon.pico : best;
	raise_epsilon(p, probe, probe->table);
	raise_epsilon(p, probe, probe->other);
	if (probe->kind == PROBE_LONE)
		probe->delta.atto = PROBE_DELTA;
}

static bool plan_of(struct arena *a, const struct policy *p, struct probe *probe, const struct plan **out, struct error *e)
{
	static const char *const path[] = { "public" };
	const struct plan_settings s = { .analyst = probe->analyst, .search_path = path, .n_search_path = 1, .timezone = "UTC", .confidence = 0.95,
					 .epsilon = probe->epsilon, .delta = probe->delta };

	probe->sql = query_sql(a, probe);
	if (!probe->sql)
		return fail_memory(e);
	probe->refused = ERROR_INIT;
	*out = NULL;
	if (plan_make(a, p, &s, probe->sql, NULL, 0, out, &probe->refused))
		return true;
	return probe->refused.code == ERR_NO_MEMORY ? fail_memory(e) : true;
}

/* The account that is charged least decides: the guarantee must hold for it too. */
static void read_claim(struct probe *probe, const struct plan *plan)
{
	probe->gaussian = plan->blocks[0].figures.epsilon.pico == 0;
	probe->claimed = probe->gaussian ? rho_double(plan->blocks[0].figures.rho) : eps_double(plan->price);
	for (size_t i = 0; i < plan->n_charges; i++) {
		const struct plan_charge *c = &plan->charges[i];
		if (probe->gaussian && c->rho.pico > 0 && rho_double(c->rho) < probe->claimed)
			probe->claimed = rho_double(c->rho);
		probe->claimed_delta = i == 0 || delta_double(c->delta) < probe->claimed_delta ? delta_double(c->delta) : probe->claimed_delta;
	}
}

/* --- rows -------------------------------------------------------------------------------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many people a group of private keys needs, about, to be shown as often as not; at least 2. */
static size_t half_shown(const struct release_spec *s)
{
	const double n = s->selection == SELECT_OPTIMAL ? select_law_half(&s->law) : (double)(s->threshold + (i128)(s->minimum_units - 1));

	return n < 2 ? 2 : n > ROWS_MAX ? ROWS_MAX : (size_t)n;
}

/* The schema lets a person have one row. */
static bool unit_once(const struct probe *p)
{
	return !p->table->via && p->table->columns[p->table->unit_column].unique;
}

/* More rows than count, where the schema lets a person have several. */
static void choose_rows(struct probe *p, const struct plan *plan)
{
	const struct plan_block *b = &plan->blocks[0];
	const size_t cap = (size_t)(b->figures.max_rows < ROWS_MAX / 4 ? b->figures.max_rows : ROWS_MAX / 4);
	const bool once = unit_once(p);

	p->rows = once ? 1 : 2 * cap + 1;
	if (query_private_keys(p->kind))
		p->rows = once ? 1 : cap;
	if (p->kind == PROBE_SUBSELECT && !once && p->measure < p->table->n_columns) { /* cap groups of cap rows */
		p->distinct = least(cap, 100);
		p->rows = p->distinct * p->distinct;
	}
	p->other_rows = 1;
	if (p->other && once && !p->other->columns[p->other->unit_column].unique)
		p->other_rows = 2 * cap + 1;
	p->background = 2;
	if (p->kind == PROBE_MEDIAN) /* the median of 40 is a tie that one more decides */
		p->background = 40;
	if (p->kind == PROBE_SELECTION) /* with the person the group is shown in about half of the cases, without it lacks one */
		p->background = half_shown(&b->spec) - 1;
	if (p->kind == PROBE_WIDE) /* enough to find a bound among */
		p->background = 300;
	if (p->kind == PROBE_LONE)
		p->background = (size_t)b->spec.minimum_units - 1;
}

static void choose_trials(struct probe *p, size_t available)
{
	const size_t a_trial = p->spread * (p->rows * p->other_rows + p->background);

	BUG_IF(a_trial == 0);
	p->trials = least(available, PROBE_GROUPS_MAX + p->spread) / p->spread;
	p->trials = least(p->trials, ROWS_MAX / a_trial + 1);
	p->n_groups = p->trials * p->spread;
}

/* Without keys a statement is one trial. */
static bool ask_plainly(struct arena *a, const struct policy *p, struct probe *probe, struct error *e)
{
	const struct plan *plan;

	probe->groups = NULL;
	probe->n_groups = 0;
	probe->trials = probe->spread = 1;
	if (!plan_of(a, p, probe, &plan, e))
		return false;
	if (plan) {
		read_claim(probe, plan);
		choose_rows(probe, plan);
	}
	return true;
}

static bool shares_a_bound(const struct plan *plan)
{
	bool shares = false;

	for (size_t i = 0; i < plan->blocks[0].spec.n_values; i++)
		shares = shares || plan->blocks[0].spec.values[i].kind == RELEASE_CLIPPED;
	return shares;
}

static bool ask_by_group(struct arena *a, const struct policy *p, struct probe *probe, struct error *e)
{
	const bool private_keys = query_private_keys(probe->kind);
	const size_t available = query_groups_available(probe);
	const struct plan *plan;

	if (!query_groups(a, probe, available, e) || !plan_of(a, p, probe, &plan, e) || !plan)
		return probe->refused.code != ERR_NONE && e->code == ERR_NONE;
	read_claim(probe, plan);
	choose_rows(probe, plan);
	probe->spread = (size_t)plan->blocks[0].figures.max_groups;
	/* Laplace noise that is split over the groups of one person hides most of its loss in events too rare to count */
	const bool tight = (probe->gaussian || probe->spread == 1 || private_keys || probe->kind == PROBE_GROUPS) && !shares_a_bound(plan);
	if (probe->kind == PROBE_GROUPS)
		probe->spread *= BEYOND;
	if (!tight || (unit_once(probe) && probe->spread > 1) || probe->spread * probe->n_values > PROBE_CELLS_MAX || probe->spread > available ||
	    private_keys != (plan->blocks[0].spec.selection != SELECT_ALL)) {
		if (private_keys || probe->kind == PROBE_GROUPS) {
			probe->sql = NULL;
			return true;
		}
		return ask_plainly(a, p, probe, e);
	}
	choose_trials(probe, available);
	return plan_of(a, p, probe, &plan, e); /* for the groups that are used */
}

bool probe_make(struct arena *a, const struct policy *p, enum probe_kind kind, const struct policy_table *t, const struct policy_table *other,
		const char *analyst, struct probe *out, struct error *e)
{
	struct probe probe = { .kind = kind, .table = t, .other = other, .analyst = analyst, .refused = ERROR_INIT };
	bool ok = true;

	*e = ERROR_INIT;
	if (query_columns(&probe)) {
		const bool many = query_groups_available(&probe) >= KEY_ENOUGH;
		choose_epsilon(p, &probe);
		if (kind != PROBE_PLAIN && kind != PROBE_WIDE && many)
			ok = ask_by_group(a, p, &probe, e);
		else if (kind != PROBE_GROUPS)
			ok = ask_plainly(a, p, &probe, e);
	}
	*out = probe;
	return ok;
}

/* --- all of a policy ------------------------------------------------------------------------------------------------------------------------- */

struct list {
	struct arena *arena;
	const struct policy *policy;
	struct probe *items;
	size_t n, cap;
};

static bool add(struct list *l, enum probe_kind kind, const struct policy_table *t, const struct policy_table *other, const char *analyst, struct error *e)
{
	struct probe *grown = arena_grow(l->arena, l->items, l->n, &l->cap, sizeof(*grown));

	if (!grown)
		return fail_memory(e);
	l->items = grown;
	if (!probe_make(l->arena, l->policy, kind, t, other, analyst, &l->items[l->n], e))
		return false;
	l->n += l->items[l->n].sql != NULL; /* a class that the table has no columns for is left out */
	return true;
}

static bool add_table(struct list *l, const struct policy_table *t, const char *analyst, struct error *e)
{
	for (int kind = 0; kind < PROBE_KINDS; kind++) {
		if (kind != PROBE_JOIN && !add(l, (enum probe_kind)kind, t, NULL, analyst, e))
			return false;
	}
	return true;
}

static bool add_joins(struct list *l, const struct policy_table *t, const char *analyst, struct error *e)
{
	const struct policy *p = l->policy;

	for (size_t i = 0; i < p->n_tables; i++) {
		const struct policy_table *u = &p->tables[i];
		if (text_eq(u->owner, t->owner) || u->rule != RULE_DIFFERENTIAL_PRIVACY || u->via || !text_eq(u->unit_name, t->unit_name) ||
		    !policy_find_budget(p, u, analyst) || u < t) /* each pair once */
			continue;
		if (!add(l, PROBE_JOIN, t, u, analyst, e))
			return false;
	}
	return true;
}

bool probes_make(struct arena *a, const struct policy *p, struct probe **out, size_t *n, struct error *e)
{
	struct list l = { .arena = a, .policy = p };

	for (size_t i = 0; i < p->n_tables; i++) {
		const struct policy_table *t = &p->tables[i];
		unsigned asked = 0; /* one analyst for each way of accounting: the mechanisms are the same */
		for (size_t j = 0; j < p->n_budgets && t->rule == RULE_DIFFERENTIAL_PRIVACY; j++) {
			const struct policy_budget *b = &p->budgets[j];
			if (policy_find_budget(p, t, b->analyst) != b || asked & (1U << b->accounting))
				continue;
			asked |= 1U << b->accounting;
			if (!add_table(&l, t, b->analyst, e) || !add_joins(&l, t, b->analyst, e))
				return false;
		}
	}
	*out = l.items;
	*n = l.n;
	return true;
}
