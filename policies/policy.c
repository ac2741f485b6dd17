#include "policies/policy.h"

#include "base/text.h"

static const struct {
	const char *name;
	enum sql_type type;
} type_names[] = {
	{ "bool", TYPE_BOOL },		{ "int2", TYPE_INT2 },	       { "int4", TYPE_INT4 },
	{ "int8", TYPE_INT8 },		{ "numeric", TYPE_NUMERIC },   { "float8", TYPE_FLOAT8 },
	{ "text", TYPE_TEXT },		{ "date", TYPE_DATE },	       { "timestamp", TYPE_TIMESTAMP },
	{ "timestamptz", TYPE_TIMESTAMPTZ }, { "uuid", TYPE_UUID },    /* other spellings from here on */
	{ "boolean", TYPE_BOOL },	{ "smallint", TYPE_INT2 },     { "integer", TYPE_INT4 },
	{ "int", TYPE_INT4 },		{ "bigint", TYPE_INT8 },       { "decimal", TYPE_NUMERIC },
	{ "double precision", TYPE_FLOAT8 }, { "float", TYPE_FLOAT8 }, { "varchar", TYPE_TEXT },
	{ "timestamp without time zone", TYPE_TIMESTAMP }, { "timestamp with time zone", TYPE_TIMESTAMPTZ },
};

const char *sql_type_name(enum sql_type t)
{
	for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
		if (type_names[i].type == t)
			return type_names[i].name;
	}
	BUG_IF(true);
}

bool sql_type_parse(const char *name, enum sql_type *out)
{
	for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
		if (text_eq(type_names[i].name, name)) {
			*out = type_names[i].type;
			return true;
		}
	}
	return false;
}

bool sql_type_is_number(enum sql_type t)
{
	return t == TYPE_INT2 || t == TYPE_INT4 || t == TYPE_INT8 || t == TYPE_NUMERIC || t == TYPE_FLOAT8;
}

bool column_set_has(const struct column_set *s, size_t column)
{
	return column < POLICY_COLUMNS_MAX && (s->bits[column / 64] >> (column % 64) & 1);
}

void column_set_add(struct column_set *s, size_t column)
{
	BUG_IF(column >= POLICY_COLUMNS_MAX);
	s->bits[column / 64] |= UINT64_C(1) << (column % 64);
}

const char *accounting_name(enum accounting a)
{
	static const char *const names[] = { [ACCOUNTING_PURE] = "pure", [ACCOUNTING_ZCDP] = "zcdp", [ACCOUNTING_APPROX] = "approx" };

	return names[a];
}

const char *table_rule_name(enum table_rule r)
{
	static const char *const names[] = { [RULE_PUBLIC] = "public", [RULE_DIFFERENTIAL_PRIVACY] = "differential_privacy",
					     [RULE_AGGREGATION] = "aggregation", [RULE_LIST] = "list", [RULE_CUSTOM] = "custom" };

	return names[r];
}

bool name_list_has(const struct name_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++) {
		if (text_eq_nocase(l->items[i], name))
			return true;
	}
	return false;
}

const struct policy_template *policy_find_template(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_templates; i++) {
		if (text_eq(p->templates[i].name, name))
			return &p->templates[i];
	}
	return NULL;
}

const struct policy_member *policy_find_member(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_members; i++) {
		if (text_eq(p->members[i].name, name))
			return &p->members[i];
	}
	return NULL;
}

const struct policy_login *policy_find_login(const struct policy *p, const char *user)
{
	for (size_t i = 0; i < p->n_logins; i++) {
		if (text_eq(p->logins[i].user, user))
			return &p->logins[i];
	}
	return NULL;
}

const struct policy_key *policy_find_key(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_keys; i++) {
		if (text_eq(p->keys[i].name, name))
			return &p->keys[i];
	}
	return NULL;
}

const struct policy_unit *policy_find_unit(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_units; i++) {
		if (text_eq(p->units[i].name, name))
			return &p->units[i];
	}
	return NULL;
}

const struct policy_table *policy_find_table(const struct policy *p, const char *schema, const char *name)
{
	for (size_t i = 0; i < p->n_tables; i++) {
		if (text_eq(p->tables[i].schema, schema) && text_eq(p->tables[i].name, name))
			return &p->tables[i];
	}
	return NULL;
}

size_t policy_find_column(const struct policy_table *t, const char *name)
{
	size_t i = 0;

	while (i < t->n_columns && !text_eq(t->columns[i].name, name))
		i++;
	return i;
}

const struct policy_budget *policy_find_budget(const struct policy *p, const struct policy_table *t, const char *analyst)
{
	for (size_t i = 0; i < p->n_budgets; i++) {
		const struct policy_budget *b = &p->budgets[i];
		if (text_eq(b->schema, t->schema) && text_eq(b->table, t->name) && text_eq(b->analyst, analyst))
			return b;
	}
	return NULL;
}
