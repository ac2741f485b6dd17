#include "proxy/sidecar_schema.h"

#include "base/text.h"
#include "policies/encoding.h"
#include "proxy/introspect.h"

void sidecar_database_name(const char *collaboration, char out[SIDECAR_NAME_MAX])
{
	size_t n = 0;

	for (const char *c = collaboration; *c && n < SIDECAR_NAME_MAX - 2; c++) {
		bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '-' || *c == '_';
		out[n++] = plain ? *c : '_';
	}
	out[n] = '\0';
	if (n == 0 || text_eq(out, "postgres") || text_starts(out, "template")) {
		out[n++] = '_';
		out[n] = '\0';
	}
}

/* A login with a name that the server keeps for itself (pg_*, public) makes this fail, and with it the start: better than a login that half works. */
void sidecar_roles_sql(struct wr *w, const struct policy *p)
{
	wr_str(w, "REVOKE ALL ON DATABASE postgres FROM PUBLIC; REVOKE ALL ON DATABASE template1 FROM PUBLIC;");
	for (size_t i = 0; i < p->n_logins; i++) {
		wr_str(w, "CREATE ROLE ");
		wr_sql_name(w, p->logins[i].user);
		wr_str(w, " LOGIN;");
	}
}

void sidecar_database_sql(struct wr *w, const struct policy *p)
{
	char name[SIDECAR_NAME_MAX];

	sidecar_database_name(p->collaboration, name);
	wr_str(w, "CREATE DATABASE ");
	wr_sql_name(w, name);
}

static void put_type(struct wr *w, const struct policy_column *c)
{
	wr_fmt(w, "pg_catalog.%s", sql_type_name(c->encoding == ENCODING_CLEARTEXT ? c->type : TYPE_TEXT));
}

static void put_table_name(struct wr *w, const struct policy_table *t)
{
	wr_sql_name(w, t->schema);
	wr_str(w, ".");
	wr_sql_name(w, t->name);
}

/* A comment's text is collected apart, as it is quoted whole. */
static void column_comment(struct wr *c, const struct policy_table *t, size_t i)
{
	const struct policy_column *col = &t->columns[i];

	wr_str(c, col->comment ? col->comment : "");
	const char *next = c->n ? "; " : "";
	if (col->encoding != ENCODING_CLEARTEXT) {
		wr_fmt(c, "%s%s", next, encoding_name(col->encoding));
		wr_str(c, col->key ? ", key " : "");
		wr_str(c, col->key ? col->key : "");
		next = "; ";
	}
	if (t->unit_name && !t->via && t->unit_column == i) {
		wr_fmt(c, "%sprivacy unit %s", next, t->unit_name);
		next = "; ";
	}
	if (col->has_bounds) {
		wr_fmt(c, "%sbounds ", next);
		decimal_put(c, col->lo);
		wr_str(c, " to ");
		decimal_put(c, col->hi);
		next = "; ";
	}
	for (size_t v = 0; v < col->n_values && v < 20; v++)
		wr_fmt(c, "%s%s", v == 0 ? next : ", ", v == 0 ? "values " : ""), wr_str(c, col->values[v] ? col->values[v] : "NULL");
	if (col->n_values > 20)
		wr_fmt(c, ", ... (%zu)", col->n_values);
}

static void table_comment(struct wr *c, const struct policy_table *t)
{
	wr_fmt(c, "%s%sowner %s; ", t->comment ? t->comment : "", t->comment ? "; " : "", t->owner);
	switch (t->rule) {
	case RULE_PUBLIC:
		wr_str(c, "public");
		break;
	case RULE_DIFFERENTIAL_PRIVACY:
		wr_fmt(c, "differential privacy per %s: at most %lld rows and %lld groups each", t->unit_name, (long long)t->max_rows,
		       (long long)t->max_groups);
		break;
	case RULE_AGGREGATION:
	case RULE_LIST:
	case RULE_CUSTOM:
		wr_fmt(c, "%s rule", table_rule_name(t->rule));
		break;
	}
}

static void put_comment(struct wr *w, const char *what, const struct policy_table *t, const char *column, struct wr *c)
{
	if (c->n == 0)
		return;
	wr_fmt(w, "COMMENT ON %s ", what);
	put_table_name(w, t);
	if (column) {
		wr_str(w, ".");
		wr_sql_name(w, column);
	}
	wr_str(w, " IS ");
	wr_sql_literal(w, wr_text(c));
	wr_str(w, ";");
	w->bad = w->bad || !wr_ok(c);
}

static void put_table(struct wr *w, const struct policy_table *t)
{
	struct wr c;

	wr_init_heap(&c, 1 << 16);
	wr_str(w, "CREATE TABLE ");
	put_table_name(w, t);
	wr_str(w, " (");
	for (size_t i = 0; i < t->n_columns; i++) {
		wr_str(w, i ? ", " : "");
		wr_sql_name(w, t->columns[i].name);
		wr_str(w, " ");
		put_type(w, &t->columns[i]);
	}
	wr_str(w, "); GRANT SELECT, REFERENCES ON ");
	put_table_name(w, t);
	wr_str(w, " TO PUBLIC;");
	table_comment(&c, t);
	put_comment(w, "TABLE", t, NULL, &c);
	for (size_t i = 0; i < t->n_columns; i++) {
		wr_clear(&c);
		column_comment(&c, t, i);
		put_comment(w, "COLUMN", t, t->columns[i].name, &c);
	}
	wr_free(&c);
}

/*
 * Grants go to PUBLIC, not to each login: an access list is readable by everyone, and would name the other parties' logins.  REFERENCES is what lets
 * information_schema show constraints.
 */
void sidecar_mirror_sql(struct wr *w, const struct policy *p)
{
	char database[SIDECAR_NAME_MAX];

	sidecar_database_name(p->collaboration, database);
	wr_str(w, "REVOKE TEMPORARY, CREATE ON DATABASE ");
	wr_sql_name(w, database);
	wr_str(w, " FROM PUBLIC; REVOKE CREATE ON SCHEMA public FROM PUBLIC;");
	/* so that the types of noise_low(count(*)) are known; the planner replaces every call that runs */
	wr_str(w, "CREATE FUNCTION pg_catalog.noise_low(anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE AS 'SELECT $1';"
		  "CREATE FUNCTION pg_catalog.noise_high(anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE AS 'SELECT $1';");
	for (size_t i = 0; i < p->n_tables; i++) {
		wr_str(w, "CREATE SCHEMA IF NOT EXISTS ");
		wr_sql_name(w, p->tables[i].schema);
		wr_str(w, "; GRANT USAGE ON SCHEMA ");
		wr_sql_name(w, p->tables[i].schema);
		wr_str(w, " TO PUBLIC;");
		put_table(w, &p->tables[i]);
	}
	introspect_schema_sql(w, p);
}
