#include "proxy/introspect.h"

#include "base/text.h"
#include "mechanisms/loss.h"
#include "policies/encoding.h"

#include <strings.h>

enum { JSON_MAX = 4 << 20, ROW_MAX = 64 << 10, HISTORY_ROWS = 1000 }; /* a row: 4,000 bytes of SQL, each at most six in JSON */

static void put_text(struct wr *w, const char *s)
{
	if (s)
		wr_sql_literal(w, s);
	else
		wr_str(w, "NULL");
}

static void put_values(struct wr *w, const struct policy_column *c)
{
	if (!c->values) {
		wr_str(w, "NULL");
		return;
	}
	wr_str(w, "ARRAY[");
	for (size_t i = 0; i < c->n_values; i++) {
		wr_str(w, i ? ", " : "");
		put_text(w, c->values[i]);
	}
	wr_str(w, "]::text[]");
}

static void put_column(struct wr *w, const struct policy_table *t, size_t i)
{
	const struct policy_column *c = &t->columns[i];

	wr_str(w, "INSERT INTO noisegate.columns VALUES (");
	put_text(w, t->schema);
	wr_str(w, ", ");
	put_text(w, t->name);
	wr_str(w, ", ");
	put_text(w, c->name);
	wr_fmt(w, ", %zu, '%s', '%s', ", i + 1, sql_type_name(c->type), encoding_name(c->encoding));
	if (c->has_bounds)
		decimal_put(w, c->lo);
	else
		wr_str(w, "NULL");
	wr_str(w, ", ");
	if (c->has_bounds)
		decimal_put(w, c->hi);
	else
		wr_str(w, "NULL");
	wr_str(w, ", ");
	put_values(w, c);
	wr_fmt(w, ", %s, %s, ", c->unique ? "true" : "false", t->unit_name && i == t->unit_column ? "true" : "false");
	put_text(w, c->comment);
	wr_str(w, ");");
}

static void put_columns_of(struct wr *w, const struct policy_table *t, const struct column_set *s)
{
	const char *separator = "";

	for (size_t i = 0; i < t->n_columns; i++) {
		if (!column_set_has(s, i))
			continue;
		wr_fmt(w, "%s%s", separator, t->columns[i].name);
		separator = ", ";
	}
	if (!*separator)
		wr_str(w, "none");
}

static void put_rule(struct wr *w, const struct policy_table *t, const char *field, struct wr *value)
{
	wr_str(w, "INSERT INTO noisegate.rules VALUES (");
	put_text(w, t->schema);
	wr_str(w, ", ");
	put_text(w, t->name);
	wr_str(w, ", ");
	put_text(w, t->owner);
	wr_fmt(w, ", '%s', '%s', ", table_rule_name(t->rule), field);
	put_text(w, wr_text(value));
	wr_str(w, ");");
	w->bad = w->bad || !wr_ok(value);
	wr_clear(value);
}

static void put_set(struct wr *w, const struct policy_table *t, const char *field, const struct column_set *s, struct wr *v)
{
	put_columns_of(v, t, s);
	put_rule(w, t, field, v);
}

static void put_aggregation(struct wr *w, const struct policy_table *t, struct wr *v)
{
	static const char *const functions[] = { [AGG_COUNT] = "count", [AGG_COUNT_DISTINCT] = "count_distinct", [AGG_SUM] = "sum",
						 [AGG_SUM_DISTINCT] = "sum_distinct", [AGG_AVG] = "avg", [AGG_MIN] = "min", [AGG_MAX] = "max",
						 [AGG_STDDEV] = "stddev", [AGG_VARIANCE] = "variance" };
	const struct aggregation_rule *a = &t->aggregation;

	for (size_t f = 0; f < AGG_FUNCTIONS; f++) {
		wr_fmt(v, "%s: ", functions[f]);
		put_columns_of(v, t, &a->aggregates[f]);
		put_rule(w, t, "aggregates", v);
	}
	put_set(w, t, "dimensions", &a->dimensions, v);
	put_set(w, t, "filters", &a->filters, v);
	put_set(w, t, "joins", &a->joins, v);
	if (a->join_required) {
		wr_str(v, "querying_member");
		put_rule(w, t, "join_required", v);
	}
}

static void put_minimums(struct wr *w, const struct policy_table *t, struct wr *v)
{
	for (size_t i = 0; i < t->aggregation.n_constraints; i++) {
		const struct output_constraint *c = &t->aggregation.constraints[i];
		wr_fmt(v, "at least %lld distinct %s", (long long)c->minimum, t->columns[c->column].name);
		put_rule(w, t, t->rule == RULE_CUSTOM ? "thresholds" : "output", v);
	}
}

static void put_names(struct wr *w, const struct policy_table *t, const char *field, const struct name_list *l, struct wr *v)
{
	for (size_t i = 0; i < l->n; i++) {
		wr_str(v, l->items[i]);
		put_rule(w, t, field, v);
	}
}

static void put_sealing(struct wr *w, const struct policy_table *t, struct wr *v)
{
	for (size_t i = 0; i < t->n_columns; i++) {
		if (!t->columns[i].searched)
			continue;
		wr_fmt(v, "%s: terms of %u bits", t->columns[i].name, t->columns[i].bits);
		put_rule(w, t, "beacons", v);
	}
	if (t->overlap > 0) {
		wr_fmt(v, "joined with another owner's table: at least %lld shared units, by a noised count", (long long)t->overlap);
		put_rule(w, t, "overlap", v);
	}
}

static void put_rules(struct wr *w, const struct policy_table *t)
{
	struct wr v;

	wr_init_heap(&v, 1 << 16);
	wr_str(&v, table_rule_name(t->rule));
	put_rule(w, t, "rule", &v);
	if (t->aggregation.restricts)
		put_aggregation(w, t, &v);
	put_minimums(w, t, &v);
	put_sealing(w, t, &v);
	if (t->rule == RULE_LIST) {
		put_set(w, t, "columns", &t->list.columns, &v);
		put_set(w, t, "joins", &t->list.joins, &v);
	}
	if (t->rule == RULE_CUSTOM) {
		put_names(w, t, "analyses", &t->custom.templates, &v);
		put_set(w, t, "disallowed_output", &t->custom.disallowed_output, &v);
	}
	put_names(w, t, "analysts", &t->analysts, &v);
	wr_free(&v);
}

static void put_table(struct wr *w, const struct policy_table *t)
{
	wr_str(w, "INSERT INTO noisegate.tables VALUES (");
	put_text(w, t->schema);
	wr_str(w, ", ");
	put_text(w, t->name);
	wr_str(w, ", ");
	put_text(w, t->owner);
	wr_fmt(w, ", '%s', ", table_rule_name(t->rule));
	put_text(w, t->unit_name);
	if (t->rule == RULE_DIFFERENTIAL_PRIVACY)
		wr_fmt(w, ", %lld, %lld, ", (long long)t->max_rows, (long long)t->max_groups);
	else
		wr_str(w, ", NULL, NULL, ");
	put_text(w, t->comment);
	wr_str(w, ");");
	for (size_t i = 0; i < t->n_columns; i++)
		put_column(w, t, i);
	put_rules(w, t);
}

void introspect_schema_sql(struct wr *w, const struct policy *p)
{
	wr_str(w, "CREATE SCHEMA noisegate; GRANT USAGE ON SCHEMA noisegate TO PUBLIC;"
		  "CREATE TABLE noisegate.tables (table_schema text, table_name text, owner text, rule text, unit text, max_rows bigint, max_groups bigint, comment text);"
		  "CREATE TABLE noisegate.columns (table_schema text, table_name text, column_name text, ordinal_position int, type text, encoding text,"
		  " lower_bound numeric, upper_bound numeric, public_values text[], is_unique boolean, is_unit boolean, comment text);"
		  "CREATE TABLE noisegate.rules (table_schema text, table_name text, owner text, rule text, field text, value text);"
		  "CREATE VIEW noisegate.budget AS SELECT * FROM jsonb_to_recordset(COALESCE(NULLIF(current_setting('noisegate.budget_rows', true), ''), '[]')::jsonb)"
		  " AS b(table_schema text, table_name text, owner text, accounting text, epsilon_limit numeric, epsilon_spent numeric, epsilon_remaining numeric,"
		  " delta_limit numeric, delta_spent numeric, queries bigint, refresh text, window_end timestamptz, query_epsilon numeric, max_query_epsilon numeric, default_queries_left bigint);"
		  "CREATE VIEW noisegate.queries AS SELECT * FROM jsonb_to_recordset(COALESCE(NULLIF(current_setting('noisegate.query_rows', true), ''), '[]')::jsonb)"
		  " AS q(query_id bigint, at timestamptz, login text, table_schema text, table_name text, owner text, accounting text, epsilon numeric, rho numeric, delta numeric, sql text, receipt text);"
		  "COMMENT ON VIEW noisegate.budget IS 'what your member may still spend; reading it is free';"
		  "COMMENT ON VIEW noisegate.queries IS 'the last charges of your member, newest first';");
	for (size_t i = 0; i < p->n_tables; i++)
		put_table(w, &p->tables[i]);
	for (size_t i = 0; i < p->n_templates; i++) {
		wr_str(w, "INSERT INTO noisegate.rules (rule, field, value) VALUES ('custom', 'template', ");
		put_text(w, p->templates[i].name);
		wr_str(w, ");");
	}
	wr_str(w, "GRANT SELECT ON ALL TABLES IN SCHEMA noisegate TO PUBLIC;");
}

bool introspect_mentioned(const char *sql, const struct plan_settings *settings)
{
	for (size_t i = 0; i < settings->n_search_path; i++) {
		if (text_eq(settings->search_path[i], "noisegate"))
			return true;
	}
	for (const char *s = sql; *s; s++) {
		if ((*s == 'n' || *s == 'N') && strncasecmp(s, "noisegate", 9) == 0)
			return true;
	}
	return false;
}

/* How many default queries still fit, in this account and in that of all analysts together (NULL: none). */
static int64_t queries_left(const struct policy_budget *b, const struct account_state *st, const struct account_state *all)
{
	struct charge one = { .budget = b, .epsilon = b->query_epsilon };

	if (!loss_rho_of_pure(b->query_epsilon, &one.rho))
		return 0;
	int64_t own = account_holds(b, st, &one), together = all ? account_holds(b->together, all, &one) : own;
	return own < together ? own : together;
}

static void put_budget(struct wr *w, const struct policy_budget *b, const struct account_state *st, const struct account_state *all)
{
	static const char *const refreshes[] = { [REFRESH_NONE] = "none", [REFRESH_DAILY] = "daily", [REFRESH_WEEKLY] = "weekly", [REFRESH_MONTHLY] = "monthly" };
	char end[WALL_TEXT];

	wr_str(w, "{\"table_schema\":");
	wr_json(w, b->schema);
	wr_str(w, ",\"table_name\":");
	wr_json(w, b->table);
	wr_str(w, ",\"owner\":");
	wr_json(w, b->owner);
	wr_fmt(w, ",\"accounting\":\"%s\",\"epsilon_limit\":", accounting_name(b->accounting));
	eps_put(w, st->epsilon_limit);
	wr_str(w, ",\"epsilon_spent\":");
	eps_put(w, st->epsilon_reported);
	wr_str(w, ",\"epsilon_remaining\":");
	eps_put(w, st->epsilon_remaining);
	wr_str(w, ",\"delta_limit\":");
	delta_put(w, st->delta_whole);
	wr_str(w, ",\"delta_spent\":");
	delta_put(w, st->delta);
	wr_fmt(w, ",\"queries\":%lld,\"refresh\":\"%s\",\"window_end\":", (long long)st->queries, refreshes[b->refresh]);
	if (st->window_end.micros) {
		wall_text(st->window_end, end);
		wr_json(w, end);
	} else {
		wr_str(w, "null");
	}
	wr_str(w, ",\"query_epsilon\":");
	eps_put(w, b->query_epsilon);
	wr_str(w, ",\"max_query_epsilon\":");
	eps_put(w, b->query_max_epsilon);
	wr_fmt(w, ",\"default_queries_left\":%lld}", (long long)queries_left(b, st, all));
}

/* The ledger's "schema.table" as the two columns by which the other relations join; names hold no dot. */
static void put_relation(struct wr *w, const char *relation)
{
	size_t schema = strcspn(relation, ".");
	struct wr name;

	wr_init_heap(&name, ROW_MAX);
	wr_put(&name, relation, schema);
	wr_str(w, ",\"table_schema\":");
	wr_json(w, wr_text(&name));
	wr_str(w, ",\"table_name\":");
	wr_json(w, relation + schema + (relation[schema] == '.'));
	w->bad = w->bad || !wr_ok(&name);
	wr_free(&name);
}

struct listing {
	struct wr *w;
	struct audit *log;
};

static void put_receipt(struct wr *w, struct audit *log, int64_t query)
{
	char receipt[AUDIT_RECEIPT_MAX];
	struct error e;

	if (!audit_receipt_of_query(log, (uint64_t)query, receipt, &e) || !receipt[0])
		return;
	wr_str(w, ",\"receipt\":");
	wr_json(w, receipt);
}

static bool put_query(void *ctx, const struct history_row *row)
{
	const struct listing *l = ctx;
	struct wr *w = l->w;
	char at[WALL_TEXT];

	wall_text(row->at, at);
	wr_fmt(w, "%s{\"query_id\":%lld,\"at\":", w->n > 1 ? "," : "", (long long)row->query_id);
	wr_json(w, at);
	wr_str(w, ",\"login\":");
	wr_json(w, row->user);
	put_relation(w, row->table);
	wr_str(w, ",\"owner\":");
	wr_json(w, row->owner);
	wr_str(w, ",\"accounting\":");
	wr_json(w, row->accounting);
	wr_str(w, ",\"epsilon\":");
	eps_put(w, row->epsilon);
	wr_str(w, ",\"rho\":");
	rho_put(w, row->rho);
	wr_str(w, ",\"delta\":");
	delta_put(w, row->delta);
	wr_str(w, ",\"sql\":");
	wr_json(w, row->sql);
	put_receipt(w, l->log, row->query_id);
	wr_str(w, "}");
	return w->n < JSON_MAX - ROW_MAX; /* the newest are there; older ones no longer fit */
}

bool introspect_fill(struct ledger *l, struct audit *log, const struct policy *p, struct arena *a, struct session_view *v, struct error *e)
{
	struct wr w;
	struct listing listing = { .w = &w, .log = log };
	const char *separator = "";

	wr_init(&w, a, JSON_MAX);
	wr_str(&w, "[");
	for (size_t i = 0; i < p->n_budgets; i++) {
		const struct policy_budget *b = &p->budgets[i];
		struct account_state st, all;
		if (!text_eq(b->analyst, v->analyst))
			continue;
		if (!ledger_state(l, b, &st, e) || (b->together && !ledger_state(l, b->together, &all, e)))
			return false;
		wr_str(&w, separator);
		separator = ",";
		put_budget(&w, b, &st, b->together ? &all : NULL);
	}
	wr_str(&w, "]");
	if (!wr_ok(&w))
		return fail_memory(e);
	v->budget_rows = wr_text(&w);
	wr_init(&w, a, JSON_MAX);
	wr_str(&w, "[");
	if (!ledger_history(l, NULL, v->analyst, HISTORY_ROWS, put_query, &listing, e))
		return false;
	wr_str(&w, "]");
	if (!wr_ok(&w))
		return fail_memory(e);
	v->query_rows = wr_text(&w);
	return true;
}
