/* What may be asked of a table: its rule's parts, who may ask, and approved templates. */
#include "policies/policy.h"
#include "policies/read.h"

#include "base/text.h"

static void read_column_list(struct reader *r, const struct yaml_node *n, const struct policy_table *t, const char *what,
			     struct column_set *out)
{
	size_t column;

	if (!read_is(r, n, YAML_LIST, what))
		return;
	for (size_t i = 0; i < n->n; i++) {
		if (read_column_of(r, n->items[i], t, what, &column))
			column_set_add(out, column);
	}
}

static void read_aggregates(struct reader *r, const struct yaml_node *n, struct policy_table *t)
{
	static const char *const keys[] = { "columns", "functions" };
	static const char *const functions[] = { [AGG_COUNT] = "count",	  [AGG_COUNT_DISTINCT] = "count_distinct", [AGG_SUM] = "sum",
						 [AGG_SUM_DISTINCT] = "sum_distinct", [AGG_AVG] = "avg", [AGG_MIN] = "min", [AGG_MAX] = "max",
						 [AGG_STDDEV] = "stddev",  [AGG_VARIANCE] = "variance" };

	if (!read_is(r, n, YAML_LIST, "aggregates"))
		return;
	for (size_t i = 0; i < n->n; i++) {
		const struct yaml_node *entry = n->items[i];
		struct column_set columns = { { 0 } };
		if (!read_is(r, entry, YAML_MAP, "an entry of aggregates"))
			continue;
		read_known(r, entry, "an entry of aggregates", keys, ARRAY_LEN(keys), NULL);
		read_column_list(r, read_need(r, entry, "columns", "an entry of aggregates"), t, "columns", &columns);
		const struct yaml_node *f = read_need(r, entry, "functions", "an entry of aggregates");
		if (!read_is(r, f, YAML_LIST, "functions"))
			continue;
		for (size_t j = 0; j < f->n; j++) {
			int which = read_choice(r, f->items[j], "a function", functions, ARRAY_LEN(functions), -1);
			for (size_t k = 0; which >= 0 && k < t->n_columns; k++) {
				if (column_set_has(&columns, k))
					column_set_add(&t->aggregation.aggregates[which], k);
			}
		}
	}
}

static void read_names(struct reader *r, const struct yaml_node *n, const char *what, struct name_list *out)
{
	if (!read_is(r, n, YAML_LIST, what))
		return;
	const char **names = read_array(r, n->n + 1, sizeof(*names));
	for (size_t i = 0; names && i < n->n; i++) {
		const char *name = read_text(r, n->items[i], what, NULL);
		if (name)
			names[out->n++] = name;
	}
	out->items = names;
}

static bool read_or(struct reader *r, const struct yaml_node *n)
{
	static const char *const operators[] = { "and", "or" };
	bool found = false;

	if (!read_is(r, n, YAML_LIST, "join_operators"))
		return false;
	for (size_t i = 0; i < n->n; i++)
		found = read_choice(r, n->items[i], "a join operator", operators, ARRAY_LEN(operators), 0) == 1 || found;
	return found;
}

/* outputs: { spend: 10, city: 0 } */
static void read_output_minimums(struct reader *r, const struct yaml_node *n, const struct policy_table *t, struct output_constraint *o)
{
	if (!read_is(r, n, YAML_MAP, "outputs"))
		return;
	struct output_minimum *m = read_array(r, n->n + 1, sizeof(*m));
	for (size_t i = 0; m && i < n->n; i++) {
		if (!read_column_of(r, n->keys[i], t, "outputs", &m[o->n_outputs].column))
			continue;
		m[o->n_outputs].minimum = read_int(r, n->items[i], "a minimum", 0, 100000, 2);
		if (m[o->n_outputs++].minimum == 1)
			report_error(r->report, READ_AT(n->items[i]), "", "a minimum is 0 or at least 2");
	}
	o->outputs = m;
}

/* Minimum numbers of distinct values behind each row of a result: output of the aggregation rule, thresholds of the custom rule. */
static void read_minimums(struct reader *r, const struct yaml_node *n, const char *what, struct policy_table *t)
{
	static const char *const output_keys[] = { "column", "minimum" };
	static const char *const threshold_keys[] = { "column", "minimum", "expressions", "outputs" };
	static const char *const expressions[] = { "columns", "any" };
	const bool custom = t->rule == RULE_CUSTOM;

	if (!read_is(r, n, YAML_LIST, what))
		return;
	if (n->n == 0)
		report_error(r->report, READ_AT(n), "", "%s needs at least one constraint", what);
	struct output_constraint *c = read_array(r, n->n, sizeof(*c));
	for (size_t i = 0; c && i < n->n; i++) {
		struct output_constraint *o = &c[t->aggregation.n_constraints];
		if (!read_is(r, n->items[i], YAML_MAP, "an output constraint"))
			continue;
		read_known(r, n->items[i], "an output constraint", custom ? threshold_keys : output_keys, custom ? 4 : 2, NULL);
		bool found = read_column_of(r, read_need(r, n->items[i], "column", "an output constraint"), t, "column", &o->column);
		o->minimum = read_int(r, read_need(r, n->items[i], "minimum", "an output constraint"), "minimum", 2, 100000, 2);
		t->aggregation.n_constraints += found;
		read_output_minimums(r, read_get(n->items[i], "outputs"), t, o);
		if (read_choice(r, read_get(n->items[i], "expressions"), "expressions", expressions, 2, 0) == 0)
			t->custom.columns_only = true;
	}
	t->aggregation.constraints = c;
}

static void check_dimensions(struct reader *r, const struct yaml_node *n, const struct policy_table *t)
{
	const struct aggregation_rule *a = &t->aggregation;

	for (size_t i = 0; i < t->n_columns; i++) {
		bool aggregated = false;
		for (size_t f = 0; f < AGG_FUNCTIONS; f++)
			aggregated = aggregated || column_set_has(&a->aggregates[f], i);
		if (column_set_has(&a->dimensions, i) && (aggregated || column_set_has(&a->joins, i)))
			report_error(r->report, READ_AT(n), "", "column \"%s\" is a dimension and also aggregated or joined on", t->columns[i].name);
	}
}

static void read_aggregation(struct reader *r, const struct yaml_node *n, struct policy_table *t)
{
	static const char *const keys[] = { "aggregates", "dimensions", "filters", "joins", "join_operators", "join_required", "scalar_functions",
					    "output" };
	static const char *const required[] = { "querying_member" };
	struct aggregation_rule *a = &t->aggregation;

	if (!read_is(r, n, YAML_MAP, "aggregation"))
		return;
	a->restricts = true;
	read_known(r, n, "aggregation", keys, ARRAY_LEN(keys), NULL);
	read_aggregates(r, read_need(r, n, "aggregates", "aggregation"), t);
	read_column_list(r, read_get(n, "dimensions"), t, "dimensions", &a->dimensions);
	read_column_list(r, read_get(n, "filters"), t, "filters", &a->filters);
	read_column_list(r, read_get(n, "joins"), t, "joins", &a->joins);
	a->allow_or = read_or(r, read_get(n, "join_operators"));
	read_names(r, read_get(n, "scalar_functions"), "scalar_functions", &a->scalar_functions);
	a->join_required = read_choice(r, read_get(n, "join_required"), "join_required", required, 1, -1) == 0;
	const struct yaml_node *output = read_get(n, "output");
	if (t->rule == RULE_AGGREGATION)
		read_minimums(r, read_need(r, n, "output", "aggregation"), "output", t);
	else if (output)
		report_error(r->report, READ_AT(output), "a threshold on a noised count is part of differential privacy",
			     "output does not belong beside differential_privacy: dropping rows by exact counts would not be private");
	check_dimensions(r, n, t);
}

static void read_list(struct reader *r, const struct yaml_node *n, struct policy_table *t)
{
	static const char *const keys[] = { "columns", "joins", "join_operators", "beacons" };

	if (!read_is(r, n, YAML_MAP, "list"))
		return;
	read_known(r, n, "list", keys, ARRAY_LEN(keys), NULL);
	read_column_list(r, read_need(r, n, "columns", "list"), t, "columns", &t->list.columns);
	read_column_list(r, read_need(r, n, "joins", "list"), t, "joins", &t->list.joins);
	t->list.allow_or = read_or(r, read_get(n, "join_operators"));
	read_beacons(r, read_get(n, "beacons"), t);
}

static void read_custom(struct reader *r, const struct yaml_node *n, struct policy_table *t)
{
	static const char *const keys[] = { "analyses", "disallowed_output", "thresholds", "comparisons", "beacons" };
	static const char *const comparison_keys[] = { "literals", "columns" };
	struct custom_rule *c = &t->custom;
	struct name_list analyses = { 0 };

	if (!read_is(r, n, YAML_MAP, "custom"))
		return;
	read_known(r, n, "custom", keys, ARRAY_LEN(keys), NULL);
	const struct yaml_node *list = read_get(n, "analyses");
	read_names(r, list, "analyses", &analyses);
	for (size_t i = 0; i < analyses.n; i++) {
		c->any_query = c->any_query || text_eq(analyses.items[i], "any_query");
		if (!text_eq(analyses.items[i], "any_query") && !policy_find_template(r->policy, analyses.items[i]))
			report_error(r->report, READ_AT(list), "any_query, or the name of a template", "there is no template \"%s\"", analyses.items[i]);
	}
	c->templates = analyses;
	if (c->any_query && t->analysts.n == 0)
		report_error(r->report, READ_AT(list), "analysts: [lab]", "any_query needs analysts: the members whose queries need no approval");
	read_column_list(r, read_get(n, "disallowed_output"), t, "disallowed_output", &c->disallowed_output);
	read_minimums(r, read_get(n, "thresholds"), "thresholds", t);
	read_beacons(r, read_get(n, "beacons"), t);
	const struct yaml_node *comparisons = read_get(n, "comparisons");
	if (!read_is(r, comparisons, YAML_MAP, "comparisons"))
		return;
	read_known(r, comparisons, "comparisons", comparison_keys, ARRAY_LEN(comparison_keys), NULL);
	c->controls = true;
	read_column_list(r, read_get(comparisons, "literals"), t, "literals", &c->literal_comparisons);
	read_column_list(r, read_get(comparisons, "columns"), t, "columns", &c->column_comparisons);
}

static void read_own(struct reader *r, const struct yaml_node *n, struct policy_table *t)
{
	static const char *const own[] = { "free" };

	if (read_choice(r, n, "own", own, 1, -1) != 0)
		return;
	struct policy_table *view = read_array(r, 1, sizeof(*view));
	if (!view)
		return;
	*view = *t;
	view->rule = RULE_PUBLIC;
	view->unit_name = NULL;
	view->via = NULL;
	view->aggregation = (struct aggregation_rule){ .restricts = false };
	t->own = view;
}

void read_rule_parts(struct reader *r, const struct yaml_node *n, struct policy_table *t)
{
	const struct yaml_node *analysts = read_get(n, "analysts");

	read_names(r, analysts, "analysts", &t->analysts);
	for (size_t i = 0; i < t->analysts.n; i++) {
		if (!policy_find_member(r->policy, t->analysts.items[i]))
			report_error(r->report, READ_AT(analysts), "", "unknown member \"%s\"", t->analysts.items[i]);
	}
	if (t->rule == RULE_AGGREGATION)
		read_aggregation(r, read_need(r, n, "aggregation", "a table under the rule aggregation"), t);
	else if (t->rule == RULE_DIFFERENTIAL_PRIVACY)
		read_aggregation(r, read_get(n, "aggregation"), t);
	else if (t->rule == RULE_LIST)
		read_list(r, read_need(r, n, "list", "a table under the rule list"), t);
	else if (t->rule == RULE_CUSTOM)
		read_custom(r, read_need(r, n, "custom", "a table under the rule custom"), t);
	read_own(r, read_get(n, "own"), t);
}

static void read_parameters(struct reader *r, const struct yaml_node *n, struct policy_template *t)
{
	if (!read_is(r, n, YAML_MAP, "parameters"))
		return;
	const char **names = read_array(r, n->n + 1, sizeof(*names));
	enum sql_type *types = read_array(r, n->n + 1, sizeof(*types));
	for (size_t i = 0; names && types && i < n->n; i++) {
		const char *type = read_text(r, n->items[i], "a parameter's type", NULL);
		names[i] = n->keys[i]->text;
		if (type && !sql_type_parse(type, &types[i]))
			report_error(r->report, READ_AT(n->items[i]), "", "unknown type \"%s\"", type);
	}
	t->parameters = names;
	t->types = types;
	t->n_parameters = names && types ? n->n : 0;
}

void read_templates(struct reader *r, const struct yaml_node *n)
{
	static const char *const keys[] = { "name", "sql", "comment", "parameters" };

	if (!read_is(r, n, YAML_LIST, "templates"))
		return;
	struct policy_template *t = read_array(r, n->n, sizeof(*t));
	if (!t)
		return;
	r->policy->templates = t;
	for (size_t i = 0; i < n->n; i++) {
		t[i] = (struct policy_template){ .name = "?", .sql = "" };
		if (!read_is(r, n->items[i], YAML_MAP, "a template"))
			continue;
		read_known(r, n->items[i], "a template", keys, ARRAY_LEN(keys), NULL);
		const char *name = read_name(r, read_need(r, n->items[i], "name", "a template"), "a template's name");
		if (name && policy_find_template(r->policy, name))
			report_error(r->report, READ_AT(n->items[i]), "", "template \"%s\" is declared twice", name);
		t[i].name = name ? name : "?";
		t[i].sql = read_text(r, read_need(r, n->items[i], "sql", "a template"), "sql", "");
		t[i].comment = read_text(r, read_get(n->items[i], "comment"), "comment", NULL);
		read_parameters(r, read_get(n->items[i], "parameters"), &t[i]);
		r->policy->n_templates = i + 1;
	}
}
