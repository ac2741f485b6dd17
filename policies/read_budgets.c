/* budgets: limits, what one query may cost, windows, accounting. */
#include "policies/read.h"

#include "base/text.h"

#include <string.h>

/* False when it stands there and cannot be used: what is compared with it then says nothing. */
static bool read_eps(struct reader *r, const struct yaml_node *n, const char *what, struct eps *out)
{
	struct decimal d;
	struct eps v;

	if (!n)
		return true;
	if (!read_decimal(r, n, what, &d))
		return false;
	if (!eps_from_decimal(d, &v) || v.pico == 0 || v.pico > 100 * EPS_ONE) {
		report_error(r->report, READ_AT(n), "", "%s must be above 0 and at most 100, with at most 12 decimals", what);
		return false;
	}
	*out = v;
	return true;
}

static bool read_delta(struct reader *r, const struct yaml_node *n, const char *what, struct delta *out)
{
	struct decimal d;
	struct delta v;

	if (!n)
		return true;
	if (!read_decimal(r, n, what, &d))
		return false;
	if (!delta_from_decimal(d, &v) || v.atto > DELTA_ONE / 1000) {
		report_error(r->report, READ_AT(n), "it should be far below 1 / number of people", "%s must be from 0 to 0.001", what);
		return false;
	}
	if (v.atto > DELTA_ONE / 100000)
		report_warning(r->report, READ_AT(n), "%s above 1e-5: with more than 100,000 people someone may be exposed", what);
	*out = v;
	return true;
}

/* whole: the budget's own epsilon and delta could be used. */
static void read_per_query(struct reader *r, const struct yaml_node *n, struct policy_budget *b, bool whole_epsilon, bool whole_delta)
{
	static const char *const keys[] = { "epsilon", "min_epsilon", "max_epsilon", "delta", "max_delta" };

	b->query_epsilon.pico = b->epsilon.pico / 10 < EPS_ONE / 2 ? b->epsilon.pico / 10 : EPS_ONE / 2;
	b->query_max_epsilon = b->epsilon;
	b->query_delta.atto = b->delta.atto / 100;
	b->query_max_delta = b->delta;
	if (!read_is(r, n, YAML_MAP, "per_query"))
		return;
	read_known(r, n, "per_query", keys, ARRAY_LEN(keys), NULL);
	bool epsilons = read_eps(r, read_get(n, "epsilon"), "epsilon", &b->query_epsilon), deltas = read_delta(r, read_get(n, "delta"), "delta", &b->query_delta);
	epsilons = read_eps(r, read_get(n, "min_epsilon"), "min_epsilon", &b->query_min_epsilon) && epsilons;
	epsilons = read_eps(r, read_get(n, "max_epsilon"), "max_epsilon", &b->query_max_epsilon) && epsilons && whole_epsilon;
	deltas = read_delta(r, read_get(n, "max_delta"), "max_delta", &b->query_max_delta) && deltas && whole_delta;
	if (epsilons && b->query_epsilon.pico > b->query_max_epsilon.pico)
		report_error(r->report, READ_AT(n), "", "per_query.epsilon is above per_query.max_epsilon");
	if (epsilons && b->query_min_epsilon.pico > b->query_epsilon.pico)
		report_error(r->report, READ_AT(n), "", "per_query.min_epsilon is above per_query.epsilon");
	if (epsilons && b->query_max_epsilon.pico > b->epsilon.pico)
		report_error(r->report, READ_AT(n), "", "a query may cost more than the whole budget");
	if (deltas && (b->query_delta.atto > b->query_max_delta.atto || b->query_max_delta.atto > b->delta.atto))
		report_error(r->report, READ_AT(n), "", "per_query.delta, max_delta and delta must not decrease in this order");
}

/* "customers" (of the owner) or "brand.customers". */
static void find_table(struct reader *r, const struct yaml_node *n, struct policy_budget *b)
{
	const char *name = read_text(r, n, "table", NULL);
	size_t found = 0;

	if (!name)
		return;
	for (size_t i = 0; i < r->policy->n_tables; i++) {
		const struct policy_table *t = &r->policy->tables[i];
		const char *dot = strchr(name, '.');
		bool match = dot ? text_eq(dot + 1, t->name) && strlen(t->schema) == (size_t)(dot - name) && text_starts(name, t->schema)
				 : text_eq(name, t->name) && text_eq(b->owner, t->owner);
		if (!match)
			continue;
		found++;
		b->schema = t->schema;
		b->table = t->name;
		if (!text_eq(t->owner, b->owner))
			report_error(r->report, READ_AT(n), "", "table %s.%s belongs to \"%s\"", t->schema, t->name, t->owner);
		if (t->rule != RULE_DIFFERENTIAL_PRIVACY)
			report_error(r->report, READ_AT(n), "", "table %s.%s is not under differential_privacy: a budget has no meaning",
				     t->schema, t->name);
	}
	if (found == 0)
		report_error(r->report, READ_AT(n), "", "unknown table \"%s\" of \"%s\"", name, b->owner);
	else if (found > 1)
		report_error(r->report, READ_AT(n), "write schema.table", "table \"%s\" is ambiguous", name);
}

static void read_analyst(struct reader *r, const struct yaml_node *n, struct policy_budget *b)
{
	b->analyst = read_text(r, n, "analyst", "?");
	if (text_eq(b->analyst, "*")) /* all analysts together */
		return;
	const struct policy_member *m = policy_find_member(r->policy, b->analyst);
	if (n && !m)
		report_error(r->report, READ_AT(n), "", "unknown member \"%s\"", b->analyst);
	else if (n && m && !(m->abilities & ABILITY_QUERY))
		report_error(r->report, READ_AT(n), "", "member \"%s\" lacks the ability query", b->analyst);
}

/* none, daily, weekly, monthly; or { weekly: friday }, { monthly: 15 }. */
static void read_refresh(struct reader *r, const struct yaml_node *n, struct policy_budget *b)
{
	static const char *const windows[] = { "none", "daily", "weekly", "monthly" };
	static const char *const keys[] = { "weekly", "monthly" };
	static const char *const days[] = { "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday" };

	b->refresh_day = 1;
	if (!n || n->kind != YAML_MAP) {
		b->refresh = (enum refresh)read_choice(r, n, "refresh", windows, ARRAY_LEN(windows), 0);
		return;
	}
	read_known(r, n, "refresh", keys, ARRAY_LEN(keys), NULL);
	const struct yaml_node *weekly = read_get(n, "weekly"), *monthly = read_get(n, "monthly");
	if ((weekly != NULL) == (monthly != NULL))
		report_error(r->report, READ_AT(n), "for example refresh: { monthly: 15 }", "refresh takes either weekly or monthly");
	b->refresh = weekly ? REFRESH_WEEKLY : REFRESH_MONTHLY;
	b->refresh_day = weekly ? read_choice(r, weekly, "weekly", days, ARRAY_LEN(days), 0) + 1 : (int)read_int(r, monthly, "monthly", 1, 28, 1);
}

static void read_budget(struct reader *r, const struct yaml_node *n, struct policy_budget *b)
{
	static const char *const keys[] = { "owner", "table", "analyst", "epsilon", "delta", "per_query", "refresh", "accounting" };
	static const char *const methods[] = { "pure", "zcdp", "approx" };

	*b = (struct policy_budget){ .owner = "?", .schema = "?", .table = "?", .analyst = "?", .epsilon = { EPS_ONE } };
	if (!read_is(r, n, YAML_MAP, "a budget"))
		return;
	read_known(r, n, "a budget", keys, ARRAY_LEN(keys), NULL);
	const struct yaml_node *owner = read_need(r, n, "owner", "a budget");
	b->owner = read_text(r, owner, "owner", "?");
	if (owner && !policy_find_member(r->policy, b->owner))
		report_error(r->report, READ_AT(owner), "", "unknown member \"%s\"", b->owner);
	else
		find_table(r, read_need(r, n, "table", "a budget"), b);
	read_analyst(r, read_need(r, n, "analyst", "a budget"), b);
	bool epsilon = read_eps(r, read_need(r, n, "epsilon", "a budget"), "epsilon", &b->epsilon), delta = read_delta(r, read_get(n, "delta"), "delta", &b->delta);
	b->accounting = (enum accounting)read_choice(r, read_get(n, "accounting"), "accounting", methods, ARRAY_LEN(methods), 0);
	read_refresh(r, read_get(n, "refresh"), b);
	if (b->accounting == ACCOUNTING_ZCDP && delta && b->delta.atto == 0)
		report_error(r->report, READ_AT(n), "for example delta: 1e-6", "accounting zcdp needs a delta above 0");
	read_per_query(r, read_get(n, "per_query"), b, epsilon, delta);
}

/* Every budget finds the one of all analysts of its table together.  Both add up the same currency, or one could not be charged for the other. */
static void join_budgets(struct reader *r, const struct yaml_node *budgets, struct policy_budget *b)
{
	for (size_t i = 0; i < budgets->n; i++) {
		for (size_t j = 0; j < budgets->n; j++) {
			if (!text_eq(b[j].analyst, "*") || text_eq(b[i].analyst, "*") || !text_eq(b[i].schema, b[j].schema) || !text_eq(b[i].table, b[j].table))
				continue;
			b[i].together = &b[j];
			if ((b[i].accounting == ACCOUNTING_ZCDP) != (b[j].accounting == ACCOUNTING_ZCDP))
				report_error(r->report, READ_AT(budgets->items[i]), "", "accounting %s does not add up with the %s of analyst \"*\"",
					     accounting_name(b[i].accounting), accounting_name(b[j].accounting));
		}
	}
}

void read_budgets(struct reader *r, const struct yaml_node *budgets)
{
	if (!read_is(r, budgets, YAML_LIST, "budgets"))
		return;
	struct policy_budget *b = read_array(r, budgets->n, sizeof(*b));
	if (!b)
		return;
	r->policy->budgets = b;
	for (size_t i = 0; i < budgets->n; i++) {
		read_budget(r, budgets->items[i], &b[i]);
		for (size_t j = 0; j < i; j++) {
			if (text_eq(b[i].schema, b[j].schema) && text_eq(b[i].table, b[j].table) && text_eq(b[i].analyst, b[j].analyst) &&
			    !text_eq(b[i].table, "?"))
				report_error(r->report, READ_AT(budgets->items[i]), "", "a second budget of \"%s\" for %s.%s", b[i].analyst,
					     b[i].schema, b[i].table);
		}
		r->policy->n_budgets = i + 1;
	}
	join_budgets(r, budgets, b);
}
