/* tables: columns, units, rules, contribution. */
#include "policies/encoding.h"
#include "policies/read.h"

#include "base/text.h"

#include <string.h>

enum { VALUES_MAX = 10000 };

static bool value_ok(enum sql_type t, const char *s)
{
	int64_t i;
	struct decimal d;
	struct wr w;

	switch (t) {
	case TYPE_INT2:
		return number_i64(s, INT16_MIN, INT16_MAX, &i) && (s[0] != '0' || !s[1]) && s[0] != '+' && !text_starts(s, "-0");
	case TYPE_INT4:
		return number_i64(s, INT32_MIN, INT32_MAX, &i) && (s[0] != '0' || !s[1]) && s[0] != '+' && !text_starts(s, "-0");
	case TYPE_INT8:
		return number_i64(s, INT64_MIN, INT64_MAX, &i) && (s[0] != '0' || !s[1]) && s[0] != '+' && !text_starts(s, "-0");
	case TYPE_NUMERIC:
		wr_init_heap(&w, 256);
		if (!decimal_parse(s, &d))
			return false;
		decimal_put(&w, d);
		bool same = wr_ok(&w) && text_eq(wr_text(&w), s);
		wr_free(&w);
		return same;
	case TYPE_DATE:
		return strlen(s) == 10 && s[4] == '-' && s[7] == '-';
	case TYPE_TEXT:
		return true;
	default:
		return false;
	}
}

static void read_values(struct reader *r, const struct yaml_node *n, struct policy_column *c)
{
	if (!n || !read_is(r, n, YAML_LIST, "values"))
		return;
	if (n->n == 0 || n->n > VALUES_MAX) {
		report_error(r->report, READ_AT(n), "", "values must list 1 to %d values", VALUES_MAX);
		return;
	}
	const char **values = read_array(r, n->n, sizeof(*values));
	if (!values)
		return;
	for (size_t i = 0; i < n->n; i++) {
		const char *s = n->items[i]->kind == YAML_SCALAR ? n->items[i]->text : NULL;
		if (!s || !value_ok(c->type, s)) {
			report_error(r->report, READ_AT(n->items[i]), "", "\"%s\" is not a %s in its canonical form", s ? s : "?",
				     sql_type_name(c->type));
			continue;
		}
		for (size_t j = 0; j < c->n_values; j++) {
			if (text_eq(values[j], s)) {
				report_error(r->report, READ_AT(n->items[i]), "", "value \"%s\" appears twice", s);
				s = NULL;
				break;
			}
		}
		if (s)
			values[c->n_values++] = s;
	}
	c->values = values;
}

static void read_bounds(struct reader *r, const struct yaml_node *n, const struct yaml_node *grid, struct policy_column *c)
{
	bool number = sql_type_is_number(c->type), whole = number && c->type != TYPE_NUMERIC && c->type != TYPE_FLOAT8;
	struct decimal width;
	int order;
	i128 lo, hi;

	c->grid = whole ? (struct decimal){ 1, 0 } : (struct decimal){ 1, 2 };
	if ((n || grid) && !number) {
		report_error(r->report, READ_AT(n ? n : grid), "", "%s is for numbers; \"%s\" is %s", n ? "bounds" : "grid", c->name,
			     sql_type_name(c->type));
		return;
	}
	if (grid && read_decimal(r, grid, "grid", &c->grid) && (c->grid.digits <= 0 || (whole && (c->grid.digits != 1 || c->grid.scale)))) {
		report_error(r->report, READ_AT(grid), "", whole ? "the grid of an integer is 1" : "grid must be above 0");
		c->grid = whole ? (struct decimal){ 1, 0 } : (struct decimal){ 1, 2 };
	}
	if (!n || !read_is(r, n, YAML_LIST, "bounds"))
		return;
	if (n->n != 2) {
		report_error(r->report, READ_AT(n), "for example [0, 500]", "bounds must be two numbers");
		return;
	}
	if (!read_decimal(r, n->items[0], "the lower bound", &c->lo) || !read_decimal(r, n->items[1], "the upper bound", &c->hi))
		return;
	if (!decimal_compare(c->lo, c->hi, &order) || order > 0)
		report_error(r->report, READ_AT(n), "the smaller number comes first", "the lower bound is above the upper bound");
	else if (order == 0)
		report_error(r->report, READ_AT(n), "the range that values are known to lie in, for example [0, 500]",
			     "the bounds are equal: every value would count as the same number");
	else if (decimal_add(c->hi, (struct decimal){ -c->lo.digits, c->lo.scale }, &width) && decimal_compare(c->grid, width, &order) && order > 0)
		report_error(r->report, READ_AT(grid ? grid : n), "a finer grid", "the grid is wider than the bounds: nothing between them could be told apart");
	else if (!decimal_floor_div(c->lo, c->grid, &lo) || !decimal_ceil_div(c->hi, c->grid, &hi) || lo < -((i128)1 << 53) ||
		 hi > (i128)1 << 53)
		report_error(r->report, READ_AT(n), whole ? "tighter bounds" : "a coarser grid or tighter bounds",
			     "the bounds are beyond 2^53 steps of the grid (%s)", whole ? "9007199254740992" : "9007199254740992 times the grid");
	else
		c->has_bounds = true;
}

static void read_column(struct reader *r, const struct yaml_node *name, const struct yaml_node *n, const char *owner, struct policy_column *c)
{
	static const char *const keys[] = { "type", "encoding", "key", "joins", "format", "sealed_as", "bits", "bounds",
					    "grid", "values", "unique", "domain", "comment" };

	*c = (struct policy_column){ .name = read_name(r, name, "a column's name"), .type = TYPE_TEXT, .grid = { 1, 2 } };
	if (!c->name)
		c->name = "?";
	if (!read_is(r, n, YAML_MAP, "a column"))
		return;
	read_known(r, n, "a column", keys, ARRAY_LEN(keys), NULL);
	const struct yaml_node *type = read_need(r, n, "type", "a column");
	const char *type_name = read_text(r, type, "type", NULL);
	bool typed = type_name && sql_type_parse(type_name, &c->type);
	if (type_name && !typed)
		report_error(r->report, READ_AT(type),
			     "boolean, smallint, integer, bigint, numeric, double precision, text, date, timestamp, timestamptz, uuid",
			     "unknown type \"%s\"", type_name);
	read_sealing(r, n, owner, typed, c);
	c->comment = read_text(r, read_get(n, "comment"), "comment", NULL);
	c->unique = read_bool(r, read_get(n, "unique"), "unique", false);
	c->domain = read_bool(r, read_get(n, "domain"), "domain", false);
	const struct yaml_node *values = read_get(n, "values");
	if (values && c->encoding != ENCODING_CLEARTEXT)
		report_error(r->report, READ_AT(values), "", "a %s column has no public values", encoding_name(c->encoding));
	else if (typed || !type_name)
		read_values(r, values, c);
	if (typed)
		read_bounds(r, read_get(n, "bounds"), read_get(n, "grid"), c);
}

static void read_columns(struct reader *r, const struct yaml_node *n, struct policy_table *t)
{
	if (!read_is(r, n, YAML_MAP, "columns"))
		return;
	if (n->n == 0 || n->n > POLICY_COLUMNS_MAX) {
		report_error(r->report, READ_AT(n), "", "a table has 1 to %d columns", POLICY_COLUMNS_MAX);
		return;
	}
	struct policy_column *columns = read_array(r, n->n, sizeof(*columns));
	if (!columns)
		return;
	for (size_t i = 0; i < n->n; i++)
		read_column(r, n->keys[i], n->items[i], t->owner, &columns[i]);
	t->columns = columns;
	t->n_columns = n->n;
}

/* A column named by a scalar; false when reported. */
bool read_column_of(struct reader *r, const struct yaml_node *n, const struct policy_table *t, const char *what, size_t *out)
{
	const char *name = read_text(r, n, what, NULL);
	char hint[160] = "";
	const char *names[POLICY_COLUMNS_MAX];

	if (!name || t->n_columns == 0)
		return false;
	*out = policy_find_column(t, name);
	if (*out < t->n_columns)
		return true;
	for (size_t i = 0; i < t->n_columns; i++)
		names[i] = t->columns[i].name;
	const char *near = text_nearest(name, names, t->n_columns);
	if (near)
		(void)snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	report_error(r->report, READ_AT(n), hint, "%s: the table has no column \"%s\"", what, name);
	return false;
}

static void read_unit(struct reader *r, const struct yaml_node *table, struct policy_table *t)
{
	const struct yaml_node *n = read_need(r, table, "unit", "a table under differential_privacy");

	if (!read_is(r, n, YAML_MAP, "unit"))
		return;
	if (n->n != 1) {
		report_error(r->report, READ_AT(n), "for example unit: { person: email }", "unit must name one privacy unit and its column");
		return;
	}
	const struct policy_unit *u = policy_find_unit(r->policy, n->keys[0]->text);
	if (!u) {
		report_error(r->report, READ_AT(n->keys[0]), "declare it under privacy_units", "unknown privacy unit \"%s\"", n->keys[0]->text);
		return;
	}
	const struct yaml_node *column = n->items[0];
	t->unit_name = u->name;
	if (column->kind == YAML_SCALAR && strstr(column->text, "->"))
		return; /* read_unit_paths, when all tables are known */
	if (!read_column_of(r, column, t, "unit", &t->unit_column))
		return;
	const struct policy_column *c = &t->columns[t->unit_column];
	if (!encoding_joins(c->encoding))
		report_error(r->report, READ_AT(column), "a fingerprint column can be a unit", "a %s column cannot be a privacy unit", encoding_name(c->encoding));
	else if (c->type != u->type)
		report_error(r->report, READ_AT(column), "", "column \"%s\" is %s, the unit \"%s\" is %s", c->name, sql_type_name(c->type),
			     u->name, sql_type_name(u->type));
}

/* The parts of "column -> schema.table.column", in place; false when it has another shape. */
static bool split_path(char *text, char *parts[4])
{
	char *arrow = strstr(text, "->"), *rest = arrow + 2;

	*arrow = '\0';
	while (arrow > text && arrow[-1] == ' ')
		*--arrow = '\0';
	parts[0] = text;
	rest += strspn(rest, " ");
	for (size_t i = 1; i < 4; i++) {
		parts[i] = rest;
		rest = strchr(rest, '.');
		if (!rest)
			return i == 3 && *parts[3] && *parts[0];
		*rest++ = '\0';
	}
	return false;
}

/* unit: { person: "order_id -> shop.orders.order_id" }: the row of that table, and so its unit, is found by a unique column. */
static void read_unit_path(struct reader *r, const struct yaml_node *n, struct policy_table *t)
{
	static const char shape[] = "for example { person: \"order_id -> shop.orders.order_id\" }";
	char *parts[4], *text = arena_strdup(r->arena, n->text);

	if (!text)
		return;
	if (!split_path(text, parts)) {
		report_error(r->report, READ_AT(n), shape, "a path to the unit is written column -> schema.table.column");
		return;
	}
	size_t column = policy_find_column(t, parts[0]);
	const struct policy_table *to = policy_find_table(r->policy, parts[1], parts[2]);
	size_t target = to ? policy_find_column(to, parts[3]) : 0;
	if (column == t->n_columns || !to || target == to->n_columns || to == t) {
		report_error(r->report, READ_AT(n), shape, "%s: there is no column \"%s\"",
			     column == t->n_columns ? t->name : parts[2], column == t->n_columns ? parts[0] : parts[3]);
		return;
	}
	const struct policy_column *from = &t->columns[column], *unique = &to->columns[target];
	if (!unique->unique)
		report_error(r->report, READ_AT(n), "", "column \"%s\" of %s.%s must be declared unique: true, so that a row has one unit", unique->name,
			     to->schema, to->name);
	if (from->type != unique->type || encoding_difference(from, unique) != DOMAIN_SAME)
		report_error(r->report, READ_AT(n), "", "columns \"%s\" and \"%s\" have different types or encodings, or were sealed with different keys or join settings",
			     from->name, unique->name);
	if (!to->unit_name || !text_eq(to->unit_name, t->unit_name))
		report_error(r->report, READ_AT(n), "", "%s.%s does not have the privacy unit \"%s\"", to->schema, to->name, t->unit_name);
	t->unit_column = column;
	t->via = to;
	t->via_column = target;
}

static void read_unit_paths(struct reader *r, const struct yaml_node *tables, struct policy_table *t)
{
	for (size_t i = 0; i < tables->n; i++) {
		const struct yaml_node *unit = read_get(tables->items[i], "unit");
		bool one = t[i].unit_name && unit && unit->kind == YAML_MAP && unit->n == 1 && unit->items[0]->kind == YAML_SCALAR;
		if (one && strstr(unit->items[0]->text, "->"))
			read_unit_path(r, unit->items[0], &t[i]);
	}
	for (size_t i = 0; i < tables->n; i++) {
		size_t steps = 0;
		for (const struct policy_table *at = &t[i]; at->via && steps <= tables->n; at = at->via)
			steps++;
		if (steps > tables->n)
			report_error(r->report, READ_AT(tables->items[i]), "", "the path from %s.%s to its unit is a circle", t[i].schema, t[i].name);
	}
}

static void read_contribution(struct reader *r, const struct yaml_node *table, struct policy_table *t)
{
	static const char *const keys[] = { "max_rows", "max_groups", "min_units" };
	const struct yaml_node *n = read_need(r, table, "contribution", "a table under differential_privacy");

	t->max_rows = t->max_groups = t->min_units = 1;
	if (!read_is(r, n, YAML_MAP, "contribution"))
		return;
	read_known(r, n, "contribution", keys, ARRAY_LEN(keys), NULL);
	t->max_rows = read_int(r, read_need(r, n, "max_rows", "contribution"), "max_rows", 1, 1000000, 1);
	t->max_groups = read_int(r, read_need(r, n, "max_groups", "contribution"), "max_groups", 1, 1000000, 1);
	if (read_get(n, "min_units"))
		t->min_units = read_int(r, read_get(n, "min_units"), "min_units", 1, 1000000, 1);
}

/* overlap: { minimum: 100 } */
static void read_overlap(struct reader *r, const struct yaml_node *n, struct policy_table *t)
{
	static const char *const keys[] = { "minimum" };

	if (!n || !read_is(r, n, YAML_MAP, "overlap"))
		return;
	read_known(r, n, "overlap", keys, ARRAY_LEN(keys), NULL);
	t->overlap = read_int(r, read_need(r, n, "minimum", "overlap"), "minimum", 2, 1000000000, 2);
}

static void read_source(struct reader *r, const struct yaml_node *n, struct policy_table *t)
{
	const struct yaml_node *source = read_get(n, "source");

	t->source_schema = t->schema;
	t->source_name = t->name;
	if (source)
		(void)read_qualified(r, source, "source", &t->source_schema, &t->source_name);
}

static bool reserved_schema(const char *s)
{
	return text_starts(s, "pg_") || text_eq(s, "information_schema") || text_eq(s, "noisegate");
}

static void read_rule(struct reader *r, const struct yaml_node *n, struct policy_table *t)
{
	static const char *const rules[] = { [RULE_PUBLIC] = "public", [RULE_DIFFERENTIAL_PRIVACY] = "differential_privacy",
					     [RULE_AGGREGATION] = "aggregation", [RULE_LIST] = "list", [RULE_CUSTOM] = "custom" };
	static const char *const part_of[] = { "unit", "contribution", "aggregation", "list", "custom", "overlap" };
	const struct yaml_node *rule = read_need(r, n, "rule", "a table");
	int which = read_choice(r, rule, "rule", rules, ARRAY_LEN(rules), -1);
	bool dp = which == RULE_DIFFERENTIAL_PRIVACY;
	bool wants[] = { dp, dp, dp || which == RULE_AGGREGATION, which == RULE_LIST, which == RULE_CUSTOM, dp };

	t->rule = which < 0 ? RULE_DIFFERENTIAL_PRIVACY : (enum table_rule)which;
	for (size_t i = 0; i < ARRAY_LEN(part_of) && which >= 0; i++) {
		const struct yaml_node *part = read_get(n, part_of[i]);
		if (part && !wants[i])
			report_error(r->report, READ_AT(part), "", "%s does not belong to the rule %s", part_of[i], rules[which]);
	}
	if (dp) {
		read_unit(r, n, t);
		read_contribution(r, n, t);
		read_overlap(r, read_get(n, "overlap"), t);
	}
	for (size_t i = 0; i < t->n_columns && which > RULE_PUBLIC; i++) {
		if (t->columns[i].domain)
			report_error(r->report, READ_AT(rule), "values: [...]", "column \"%s\": only a public table's column is a domain by itself", t->columns[i].name);
	}
	if (which >= 0)
		read_rule_parts(r, n, t);
}

static void read_table(struct reader *r, const struct yaml_node *n, struct policy_table *t)
{
	static const char *const keys[] = { "name", "owner", "source", "rule", "unit", "columns", "contribution", "aggregation",
					    "list", "custom", "analysts", "own", "overlap", "comment" };

	*t = (struct policy_table){ .schema = "?", .name = "?", .owner = "?" };
	if (!read_is(r, n, YAML_MAP, "a table"))
		return;
	read_known(r, n, "a table", keys, ARRAY_LEN(keys), NULL);
	const struct yaml_node *name = read_need(r, n, "name", "a table");
	if (read_qualified(r, name, "a table's name", &t->schema, &t->name) && reserved_schema(t->schema))
		report_error(r->report, READ_AT(name), "", "schema \"%s\" is reserved", t->schema);
	const struct yaml_node *owner = read_need(r, n, "owner", "a table");
	t->owner = read_text(r, owner, "owner", "?");
	const struct policy_member *m = policy_find_member(r->policy, t->owner);
	if (owner && !m && r->policy->n_members > 0)
		report_error(r->report, READ_AT(owner), "", "unknown member \"%s\"", t->owner);
	else if (owner && m && !(m->abilities & ABILITY_CONTRIBUTE))
		report_error(r->report, READ_AT(owner), "", "member \"%s\" lacks the ability contribute", t->owner);
	t->comment = read_text(r, read_get(n, "comment"), "comment", NULL);
	read_source(r, n, t);
	read_columns(r, read_need(r, n, "columns", "a table"), t);
	read_rule(r, n, t);
}

void read_tables(struct reader *r, const struct yaml_node *tables)
{
	if (!read_is(r, tables, YAML_LIST, "tables"))
		return;
	struct policy_table *t = read_array(r, tables->n, sizeof(*t));
	if (!t)
		return;
	r->policy->tables = t;
	for (size_t i = 0; i < tables->n; i++) {
		read_table(r, tables->items[i], &t[i]);
		if (policy_find_table(r->policy, t[i].schema, t[i].name) && !text_eq(t[i].name, "?"))
			report_error(r->report, READ_AT(tables->items[i]), "", "table %s.%s is declared twice", t[i].schema, t[i].name);
		r->policy->n_tables = i + 1;
	}
	read_unit_paths(r, tables, t);
}
