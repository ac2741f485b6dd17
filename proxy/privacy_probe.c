#include "proxy/privacy_probe.h"

#include "base/text.h"
#include "planner/plan.h"

enum {
	ROWS_MAX = 60000,     /* of one world, about */
	KEY_VALUES = 1000,    /* of a column that the policy does not limit */
	KEY_ENOUGH = 16,      /* fewer groups are not worth a GROUP BY */
	BEYOND = 4            /* PROBE_GROUPS: times max_groups */
};

/* Where a statement's proof is cheapest: many trials or a large step, see docs/privacy-audit.md. */
#define EPSILON_LAPLACE (2 * EPS_ONE)
#define EPSILON_GAUSSIAN EPS_ONE

/* Of a statement about groups of one person: rare enough to be a delta, often enough to be counted. */
#define PROBE_DELTA (DELTA_ONE / 100)

const char *probe_kind_name(enum probe_kind kind)
{
	static const char *const names[PROBE_KINDS] = {
		[PROBE_COUNT] = "count",	   [PROBE_PLAIN] = "count, one row", [PROBE_UNITS] = "count people",   [PROBE_SUM] = "sum",
		[PROBE_AVG] = "avg",		   [PROBE_TWO] = "two values",	     [PROBE_STDDEV] = "stddev",	       [PROBE_DISTINCT] = "count distinct",
		[PROBE_MEDIAN] = "percentile",	   [PROBE_SUBSELECT] = "per-unit sub-select", [PROBE_GROUPS] = "beyond max_groups",
		[PROBE_SELECTION] = "private keys", [PROBE_LONE] = "private keys, one person", [PROBE_JOIN] = "join across owners",
	};
	return names[kind];
}

/* --- columns ------------------------------------------------------------------------------------------------------------------------- */

static bool is_integer(enum sql_type t)
{
	return t == TYPE_INT2 || t == TYPE_INT4 || t == TYPE_INT8;
}

static bool usable(const struct policy_table *t, size_t i)
{
	const struct policy_column *c = &t->columns[i];

	return i != t->unit_column && !c->unique && c->encoding == ENCODING_CLEARTEXT;
}

/* How many public groups the column can give. */
static size_t key_values(const struct policy_column *c)
{
	i128 lo, hi;

	if (c->values)
		return c->n_values;
	if (is_integer(c->type) && c->has_bounds) {
		if (!decimal_ceil_div(c->lo, (struct decimal){ 1, 0 }, &lo) || !decimal_floor_div(c->hi, (struct decimal){ 1, 0 }, &hi) || hi < lo)
			return 0;
		return hi - lo >= KEY_VALUES ? KEY_VALUES : (size_t)(hi - lo) + 1;
	}
	return is_integer(c->type) || c->type == TYPE_TEXT || c->type == TYPE_DATE ? KEY_VALUES : 0;
}

/* The column to group by: the most groups, and first those that are measured by nobody. */
static size_t pick_key(const struct policy_table *t, size_t not)
{
	size_t best = t->n_columns, most = 0;

	for (size_t i = 0; i < t->n_columns; i++) {
		const size_t n = i != not && usable(t, i) ? key_values(&t->columns[i]) : 0;
		if (n > most) {
			most = n;
			best = i;
		}
	}
	return best;
}

/* A bounded number with the widest range that is not the best key, if there is a choice. */
static size_t pick_measure(const struct policy_table *t)
{
	const size_t key = pick_key(t, t->n_columns);
	size_t best = t->n_columns;

	for (size_t i = 0; i < t->n_columns; i++) {
		if (usable(t, i) && t->columns[i].has_bounds && !t->columns[i].values && (best == t->n_columns || best == key))
			best = i;
	}
	return best;
}

/* A quantile's tree has the fewer levels to share its noise the narrower the bounds are. */
static size_t pick_narrow(const struct policy_table *t)
{
	size_t best = t->n_columns;
	double least = 0;

	for (size_t i = 0; i < t->n_columns; i++) {
		const struct policy_column *c = &t->columns[i];
		const double width = (decimal_double(c->hi) - decimal_double(c->lo)) / decimal_double(c->grid);
		if (usable(t, i) && c->has_bounds && !c->values && (best == t->n_columns || width < least)) {
			best = i;
			least = width;
		}
	}
	return best;
}

/* What is counted distinct, and what a private key is: a column with as many values as there are rows. */
static size_t pick_free(const struct policy_table *t, size_t not)
{
	static const enum sql_type types[] = { TYPE_TEXT, TYPE_INT4, TYPE_INT8, TYPE_DATE, TYPE_TIMESTAMP };

	for (size_t k = 0; k < ARRAY_LEN(types); k++) {
		for (size_t i = 0; i < t->n_columns; i++) {
			const struct policy_column *c = &t->columns[i];
			if (usable(t, i) && i != not && c->type == types[k] && !c->values && !c->has_bounds)
				return i;
		}
	}
	return t->n_columns;
}

/* --- text ------------------------------------------------------------------------------------------------------------------------------ */

static void put_table(struct wr *w, const struct policy_table *t)
{
	wr_sql_name(w, t->schema);
	wr_str(w, ".");
	wr_sql_name(w, t->name);
}

/* The text of group g as an answer shows it. */
static const char *group_text(struct arena *a, const struct policy_column *c, size_t g)
{
	i128 lo = 1;

	if (c->values)
		return c->values[g];
	if (c->type == TYPE_TEXT)
		return arena_printf(a, "g%05zu", g);
	if (c->type == TYPE_DATE || c->type == TYPE_TIMESTAMP) { /* 28 days a month, 12 months a year: all exist */
		const char *clock = c->type == TYPE_TIMESTAMP ? " 00:00:00" : "";
		return arena_printf(a, "%04zu-%02zu-%02zu%s", 2000 + g / 336, 1 + g / 28 % 12, 1 + g % 28, clock);
	}
	if (c->has_bounds && !decimal_ceil_div(c->lo, (struct decimal){ 1, 0 }, &lo))
		return NULL;
	return arena_printf(a, "%lld", (long long)lo + (long long)g);
}

static bool make_groups(struct arena *a, struct probe *p, size_t n, struct error *e)
{
	p->groups = arena_array(a, n + 1, const char *);
	for (size_t g = 0; p->groups && g < n; g++) {
		p->groups[g] = group_text(a, &p->table->columns[p->key], g);
		if (!p->groups[g])
			return fail_memory(e);
	}
	p->n_groups = n;
	return p->groups ? true : fail_memory(e);
}

/* WHERE that makes the key's domain public. */
static void put_condition(struct wr *w, const struct probe *p, const char *alias)
{
	const struct policy_column *c = &p->table->columns[p->key];

	if (p->kind == PROBE_SELECTION || p->kind == PROBE_LONE || c->values)
		return;
	wr_fmt(w, " WHERE %s", alias);
	wr_sql_name(w, c->name);
	if (is_integer(c->type)) {
		wr_fmt(w, " BETWEEN %s AND %s", p->groups[0], p->groups[p->n_groups - 1]);
		return;
	}
	wr_str(w, " IN (");
	for (size_t g = 0; g < p->n_groups; g++) {
		wr_str(w, g > 0 ? ", " : "");
		wr_sql_literal(w, p->groups[g]);
	}
	wr_str(w, ")");
}

static void put_column(struct wr *w, const struct probe *p, const char *alias, size_t column)
{
	wr_str(w, alias);
	wr_sql_name(w, p->table->columns[column].name);
}

static void put_value(struct wr *w, const struct probe *p, const char *alias)
{
	switch (p->kind) {
	case PROBE_UNITS:
		wr_str(w, "count(DISTINCT ");
		put_column(w, p, alias, p->table->unit_column);
		break;
	case PROBE_DISTINCT:
		wr_str(w, "count(DISTINCT ");
		put_column(w, p, alias, p->measure);
		break;
	case PROBE_TWO:
	case PROBE_SUM:
		wr_str(w, p->kind == PROBE_TWO ? "count(*), sum(" : "sum(");
		put_column(w, p, alias, p->measure);
		break;
	case PROBE_AVG:
		wr_str(w, "avg(");
		put_column(w, p, alias, p->measure);
		break;
	case PROBE_STDDEV:
		wr_str(w, "stddev_pop(");
		put_column(w, p, alias, p->measure);
		break;
	case PROBE_MEDIAN:
		wr_str(w, "percentile_disc(0.5) WITHIN GROUP (ORDER BY ");
		put_column(w, p, alias, p->measure);
		break;
	default:
		wr_str(w, "count(*");
	}
	wr_str(w, ")");
}

/*
 * A person's own rows are counted first, then these counts are added up.  Where there is a column to tell the rows of a person apart, a person has as many
 * large counts as the price allows for; else one, of which only a part of the price can be seen.
 */
static void put_subselect(struct wr *w, const struct probe *p)
{
	const bool keys = p->groups != NULL, apart = p->measure < p->table->n_columns;

	wr_str(w, "SELECT ");
	if (keys) {
		put_column(w, p, "x.", p->key);
		wr_str(w, ", ");
	}
	wr_fmt(w, "sum(least(x.n, %lld)) FROM (SELECT ", (long long)p->table->max_rows);
	put_column(w, p, "", p->table->unit_column);
	if (apart) {
		wr_str(w, ", ");
		put_column(w, p, "", p->measure);
	}
	if (keys) {
		wr_str(w, ", ");
		put_column(w, p, "", p->key);
	}
	wr_str(w, ", count(*) AS n FROM ");
	put_table(w, p->table);
	if (keys)
		put_condition(w, p, "");
	wr_str(w, " GROUP BY 1");
	wr_str(w, apart && keys ? ", 2, 3) x" : apart || keys ? ", 2) x" : ") x");
	if (keys) {
		put_condition(w, p, "x.");
		wr_str(w, " GROUP BY 1");
	}
}

static const char *make_sql(struct arena *a, const struct probe *p)
{
	const char *alias = p->other ? "a." : "";
	struct wr w;

	wr_init(&w, a, 1 << 20);
	if (p->kind == PROBE_SUBSELECT) {
		put_subselect(&w, p);
		return wr_ok(&w) ? wr_text(&w) : NULL;
	}
	wr_str(&w, "SELECT ");
	if (p->groups) {
		put_column(&w, p, alias, p->key);
		wr_str(&w, ", ");
	}
	put_value(&w, p, alias);
	wr_str(&w, " FROM ");
	put_table(&w, p->table);
	if (p->other) {
		wr_str(&w, " a JOIN ");
		put_table(&w, p->other);
		wr_str(&w, " b ON ");
		put_column(&w, p, "a.", p->table->unit_column);
		wr_str(&w, " = b.");
		wr_sql_name(&w, p->other->columns[p->other->unit_column].name);
	}
	if (p->groups) {
		put_condition(&w, p, alias);
		wr_str(&w, " GROUP BY 1");
	}
	return wr_ok(&w) ? wr_text(&w) : NULL;
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

static void choose_epsilon(const struct policy *p, struct probe *probe)
{
	struct eps epsilon = { UNIT_MAX };
	bool zcdp = true;

	cap_epsilon(p, probe, probe->table, &epsilon, &zcdp);
	cap_epsilon(p, probe, probe->other, &epsilon, &zcdp);
	const uint64_t best = zcdp && probe->kind != PROBE_LONE ? EPSILON_GAUSSIAN : EPSILON_LAPLACE;
	probe->epsilon.pico = epsilon.pico < best ? epsilon.pico : best;
	if (probe->kind == PROBE_LONE)
		probe->delta.atto = PROBE_DELTA;
}

static bool plan_of(struct arena *a, const struct policy *p, struct probe *probe, const struct plan **out, struct error *e)
{
	static const char *const path[] = { "public" };
	const struct plan_settings s = { .analyst = probe->analyst, .search_path = path, .n_search_path = 1, .timezone = "UTC", .confidence = 0.95,
					 .epsilon = probe->epsilon, .delta = probe->delta };

	probe->sql = make_sql(a, probe);
	if (!probe->sql)
		return fail_memory(e);
	probe->refused = ERROR_INIT;
	*out = NULL;
	if (plan_make(a, p, &s, probe->sql, NULL, 0, out, &probe->refused))
		return true;
	return probe->refused.code == ERR_NO_MEMORY ? fail_memory(e) : true;
}

/* The dearest account decides: what holds for it must hold for all. */
static void read_claim(struct probe *probe, const struct plan *plan)
{
	probe->gaussian = plan->blocks[0].figures.epsilon.pico == 0;
	probe->claimed = eps_double(plan->price);
	for (size_t i = 0; i < plan->n_charges; i++) {
		const struct plan_charge *c = &plan->charges[i];
		if (probe->gaussian)
			probe->claimed = i == 0 || rho_double(c->rho) < probe->claimed ? rho_double(c->rho) : probe->claimed;
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

/* More rows than count, where the schema lets a person have several. */
static void choose_rows(struct probe *p, const struct plan *plan)
{
	const struct plan_block *b = &plan->blocks[0];
	const size_t cap = (size_t)(b->figures.max_rows < ROWS_MAX / 4 ? b->figures.max_rows : ROWS_MAX / 4);
	const bool once = !p->table->via && p->table->columns[p->table->unit_column].unique;

	p->rows = once ? 1 : cap + 1;
	if (p->kind == PROBE_SELECTION || p->kind == PROBE_LONE)
		p->rows = once ? 1 : cap;
	if (p->kind == PROBE_SUBSELECT && !once && p->measure < p->table->n_columns) { /* cap groups of cap rows */
		p->distinct = least(cap, 100);
		p->rows = p->distinct * p->distinct;
	}
	p->other_rows = 1;
	if (p->other && once && !p->other->columns[p->other->unit_column].unique)
		p->other_rows = cap + 1;
	p->background = 2;
	if (p->kind == PROBE_MEDIAN) /* the median of 40 is a tie that one more decides */
		p->background = 40;
	if (p->kind == PROBE_SELECTION) /* with the person the group is shown in about half of the cases, without it lacks one */
		p->background = half_shown(&b->spec) - 1;
	if (p->kind == PROBE_LONE)
		p->background = (size_t)b->spec.minimum_units - 1;
}

static void choose_trials(struct probe *p, size_t available)
{
	const size_t a_trial = p->spread * (p->rows * p->other_rows + p->background);

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

static bool ask_by_group(struct arena *a, const struct policy *p, struct probe *probe, struct error *e)
{
	const bool private_keys = probe->kind == PROBE_SELECTION || probe->kind == PROBE_LONE;
	const size_t available = private_keys ? KEY_VALUES : key_values(&probe->table->columns[probe->key]);
	const struct plan *plan;

	if (!make_groups(a, probe, available, e) || !plan_of(a, p, probe, &plan, e) || !plan)
		return probe->refused.code != ERR_NONE && e->code == ERR_NONE;
	read_claim(probe, plan);
	choose_rows(probe, plan);
	probe->spread = (size_t)plan->blocks[0].figures.max_groups;
	/* Laplace noise that is split over the groups of one person hides most of its loss in events too rare to count */
	const bool tight = probe->gaussian || probe->spread == 1 || private_keys || probe->kind == PROBE_GROUPS;
	if (probe->kind == PROBE_GROUPS)
		probe->spread *= BEYOND;
	if (!tight || probe->spread * probe->n_values > PROBE_CELLS_MAX || probe->spread > available ||
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

/* False: the table has no column for this kind. */
static bool choose_columns(struct probe *p)
{
	const struct policy_table *t = p->table;
	const bool direct = !t->via && t->columns[t->unit_column].encoding != ENCODING_SEALED;

	p->n_values = p->kind == PROBE_TWO ? 2 : 1;
	p->measure = t->n_columns;
	switch (p->kind) {
	case PROBE_SUM:
	case PROBE_AVG:
	case PROBE_TWO:
	case PROBE_STDDEV:
		p->measure = pick_measure(t);
		break;
	case PROBE_MEDIAN:
		p->measure = pick_narrow(t);
		break;
	case PROBE_DISTINCT:
		p->measure = pick_free(t, t->n_columns);
		break;
	case PROBE_SUBSELECT:
		if (t->max_rows > 1)
			p->measure = pick_free(t, pick_key(t, t->n_columns));
		if (!direct)
			return false;
		break;
	case PROBE_UNITS:
	case PROBE_JOIN:
		if (!direct)
			return false;
		break;
	default:
		break;
	}
	const bool private_keys = p->kind == PROBE_SELECTION || p->kind == PROBE_LONE;
	p->key = private_keys ? pick_free(t, t->n_columns) : pick_key(t, p->measure);
	const bool measures = p->kind != PROBE_COUNT && p->kind != PROBE_PLAIN && p->kind != PROBE_UNITS && p->kind != PROBE_SUBSELECT &&
			      p->kind != PROBE_JOIN && p->kind != PROBE_GROUPS && !private_keys;
	return (!measures || p->measure < t->n_columns) && (!private_keys || p->key < t->n_columns);
}

bool probe_make(struct arena *a, const struct policy *p, enum probe_kind kind, const struct policy_table *t, const struct policy_table *other,
		const char *analyst, struct probe *out, struct error *e)
{
	struct probe probe = { .kind = kind, .table = t, .other = other, .analyst = analyst, .refused = ERROR_INIT };
	bool ok = true;

	*e = ERROR_INIT;
	if (choose_columns(&probe)) {
		const bool private_keys = kind == PROBE_SELECTION || kind == PROBE_LONE;
		const bool many = probe.key < t->n_columns && (private_keys || key_values(&t->columns[probe.key]) >= KEY_ENOUGH);
		choose_epsilon(p, &probe);
		if (kind != PROBE_PLAIN && many)
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
		    !policy_find_budget(p, u, analyst) || (pick_key(u, u->n_columns) < u->n_columns && u < t))
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
