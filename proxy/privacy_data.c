#include "proxy/privacy_data.h"

#include "base/text.h"

enum { SQL_MAX = 4 << 20 };

/* Runs and frees the text of w. */
static bool run(PGconn *pg, struct wr *w, struct error *e)
{
	bool ok = wr_ok(w) ? true : fail_memory(e);

	if (ok) {
		PGresult *r = PQexec(pg, wr_text(w));
		ok = PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK;
		if (!ok)
			fail(e, ERR_WRONG_STATE, "could not make the rows of the audit: %s", PQerrorMessage(pg));
		PQclear(r);
	}
	wr_free(w);
	return ok;
}

static struct wr begin(void)
{
	struct wr w;

	wr_init_heap(&w, SQL_MAX);
	return w;
}

static void put_source(struct wr *w, const struct policy_table *t)
{
	wr_sql_name(w, t->source_schema);
	wr_str(w, ".");
	wr_sql_name(w, t->source_name);
}

bool data_make_relations(PGconn *pg, const struct policy *p, struct error *e)
{
	for (size_t i = 0; i < p->n_tables; i++) {
		const struct policy_table *t = &p->tables[i];
		struct wr w = begin();
		wr_str(&w, "SET client_min_messages = error; CREATE SCHEMA IF NOT EXISTS ");
		wr_sql_name(&w, t->source_schema);
		wr_str(&w, "; CREATE UNLOGGED TABLE IF NOT EXISTS ");
		put_source(&w, t);
		wr_str(&w, " (");
		for (size_t c = 0; c < t->n_columns; c++) {
			wr_str(&w, c > 0 ? ", " : "");
			wr_sql_name(&w, t->columns[c].name);
			wr_fmt(&w, " pg_catalog.%s%s", sql_type_name(t->columns[c].type), t->columns[c].unique ? " UNIQUE" : "");
		}
		wr_str(&w, ")");
		if (!run(pg, &w, e))
			return false;
	}
	return true;
}

/* --- values -------------------------------------------------------------------------------------------------------------------------- */

/* The person u as a value of this type: the same in every table. */
static void put_person(struct wr *w, enum sql_type type)
{
	switch (type) {
	case TYPE_TEXT:
		wr_str(w, "'u' || u");
		break;
	case TYPE_UUID:
		wr_str(w, "pg_catalog.md5('u' || u)::pg_catalog.uuid");
		break;
	default:
		wr_fmt(w, "u::pg_catalog.%s", sql_type_name(type));
	}
}

/* A bound as the nearest whole number inside. */
static long long whole(struct decimal d, bool up)
{
	i128 v = 0;

	if (up ? !decimal_ceil_div(d, (struct decimal){ 1, 0 }, &v) : !decimal_floor_div(d, (struct decimal){ 1, 0 }, &v))
		return 0;
	return v > INT64_MAX ? INT64_MAX : v < INT64_MIN ? INT64_MIN : (long long)v;
}

/* Far beyond the bound that is further from zero, as far as the type reaches: it must be clamped.  The others stand in the middle, or half at each end. */
static void put_measure(struct wr *w, const struct policy_column *c, const struct probe *p)
{
	const long long lo = whole(c->lo, true), hi = whole(c->hi, false);
	const bool down = decimal_double(c->lo) < 0 && -decimal_double(c->lo) > decimal_double(c->hi);
	const char *far = c->type == TYPE_INT2 ? "32000" : c->type == TYPE_INT4 ? "2000000000" : "9000000000000000";

	if (p->kind == PROBE_WIDE) {
		wr_fmt(w, "(CASE WHEN heavy THEN %s ELSE 1 + u %% 100 END)::pg_catalog.%s", far, sql_type_name(c->type));
		return;
	}
	if (!c->has_bounds) {
		char number[40] = "j";
		if (p->distinct)
			snprintf(number, sizeof(number), "(j %% %zu)", p->distinct);
		if (c->type == TYPE_TEXT)
			wr_fmt(w, "CASE WHEN heavy THEN 'v' || u || '_' || %s ELSE 'v' END", number);
		else if (c->type == TYPE_DATE || c->type == TYPE_TIMESTAMP)
			wr_fmt(w, "pg_catalog.date '2001-01-01' + CASE WHEN heavy THEN %s ELSE 0 END", number);
		else
			wr_fmt(w, "CASE WHEN heavy THEN %s ELSE 0 END", number);
		return;
	}
	if (p->kind == PROBE_MEDIAN) {
		wr_fmt(w, "(CASE WHEN heavy THEN %s%s WHEN u %% 2 = 0 THEN %lld ELSE %lld END)::pg_catalog.%s", down ? "-" : "", far, lo, hi, sql_type_name(c->type));
		return;
	}
	wr_fmt(w, "(CASE WHEN heavy THEN %s%s ELSE %lld END)::pg_catalog.%s", down ? "-" : "", far, lo + (hi - lo) / 2, sql_type_name(c->type));
}

/* Values of a unique column: one a row. */
static void put_unique(struct wr *w, enum sql_type type)
{
	if (type == TYPE_TEXT)
		wr_str(w, "'r' || pg_catalog.row_number() OVER ()");
	else if (type == TYPE_UUID)
		wr_str(w, "pg_catalog.md5('r' || pg_catalog.row_number() OVER ())::pg_catalog.uuid");
	else if (type == TYPE_DATE || type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMPTZ)
		wr_str(w, "pg_catalog.timestamptz '2000-01-01 00:00+00' + pg_catalog.row_number() OVER () * interval '1 day'");
	else
		wr_fmt(w, "(pg_catalog.row_number() OVER ())::pg_catalog.%s", sql_type_name(type));
}

/* --- rows ------------------------------------------------------------------------------------------------------------------------------ */

/* Who has a row where: person u, group g, the j-th there. */
static bool make_cast(PGconn *pg, const struct probe *p, bool present, struct error *e)
{
	const bool narrow = p->table->columns[p->table->unit_column].type == TYPE_INT2;
	const size_t groups = p->trials * p->spread;
	struct wr w = begin();

	wr_str(&w, "DROP TABLE IF EXISTS audit_cast, audit_group;"
		   " CREATE UNLOGGED TABLE audit_group AS SELECT (n - 1)::int4 AS g, name FROM pg_catalog.unnest(ARRAY[");
	for (size_t g = 0; g < groups; g++) {
		wr_str(&w, g > 0 ? "," : "");
		wr_sql_literal(&w, p->groups ? p->groups[g] : "");
	}
	wr_str(&w, "]::text[]) WITH ORDINALITY x (name, n);"
		   " CREATE UNLOGGED TABLE audit_cast AS");
	wr_fmt(&w, " SELECT (g * %zu + b)::int8 AS u, g, 1 AS j, false AS heavy FROM pg_catalog.generate_series(0, %zu) g, pg_catalog.generate_series(1, %zu) b",
	       p->background, groups - 1, p->background);
	if (present)
		wr_fmt(&w, " UNION ALL SELECT (%d + t)::int8, g, j, true FROM pg_catalog.generate_series(0, %zu) t,"
			   " pg_catalog.generate_series(t * %zu, t * %zu + %zu) g, pg_catalog.generate_series(1, %zu) j",
		       narrow ? 20000 : 1000000, p->trials - 1, p->spread, p->spread, p->spread - 1, p->rows);
	return run(pg, &w, e);
}

static bool empty(PGconn *pg, const struct policy *p, struct error *e)
{
	struct wr w = begin();
	bool first = true;

	for (size_t i = 0; i < p->n_tables; i++) {
		if (p->tables[i].rule != RULE_DIFFERENTIAL_PRIVACY)
			continue;
		wr_str(&w, first ? "TRUNCATE " : ", ");
		put_source(&w, &p->tables[i]);
		first = false;
	}
	return run(pg, &w, e);
}

/* One row a person in a table on the way to the unit: its links hold the person, its unit column too. */
static bool fill_parents(PGconn *pg, const struct policy_table *child, struct error *e)
{
	for (const struct policy_table *t = child->via; t; child = t, t = t->via) {
		const size_t link = child->via_column;
		struct wr w = begin();
		wr_str(&w, "INSERT INTO ");
		put_source(&w, t);
		wr_str(&w, " (");
		wr_sql_name(&w, t->columns[t->unit_column].name);
		for (size_t c = 0; c < t->n_columns; c++) {
			if (c == t->unit_column || (c != link && !t->columns[c].unique))
				continue;
			wr_str(&w, ", ");
			wr_sql_name(&w, t->columns[c].name);
		}
		wr_str(&w, ") SELECT ");
		put_person(&w, t->columns[t->unit_column].type);
		for (size_t c = 0; c < t->n_columns; c++) {
			if (c == t->unit_column || (c != link && !t->columns[c].unique))
				continue;
			wr_str(&w, ", ");
			if (c == link)
				put_person(&w, t->columns[c].type);
			else
				put_unique(&w, t->columns[c].type);
		}
		wr_str(&w, " FROM (SELECT DISTINCT u FROM audit_cast) x");
		if (!run(pg, &w, e))
			return false;
	}
	return true;
}

/* The probe's table: every row of the cast. */
static bool fill_table(PGconn *pg, const struct probe *p, struct error *e)
{
	const struct policy_table *t = p->table;
	struct wr w = begin();

	wr_str(&w, "INSERT INTO ");
	put_source(&w, t);
	wr_str(&w, " (");
	wr_sql_name(&w, t->columns[t->unit_column].name);
	for (size_t c = 0; c < t->n_columns; c++) {
		const bool grouped = p->groups && c == p->key;
		if (c == t->unit_column || (!grouped && c != p->measure && !t->columns[c].unique))
			continue;
		wr_str(&w, ", ");
		wr_sql_name(&w, t->columns[c].name);
	}
	wr_str(&w, ") SELECT ");
	put_person(&w, t->columns[t->unit_column].type);
	for (size_t c = 0; c < t->n_columns; c++) {
		const bool grouped = p->groups && c == p->key;
		if (c == t->unit_column || (!grouped && c != p->measure && !t->columns[c].unique))
			continue;
		wr_str(&w, ", ");
		if (grouped)
			wr_fmt(&w, "name::pg_catalog.%s", sql_type_name(t->columns[c].type));
		else if (c == p->measure)
			put_measure(&w, &t->columns[c], p);
		else
			put_unique(&w, t->columns[c].type);
	}
	wr_str(&w, " FROM audit_cast JOIN audit_group USING (g)");
	return run(pg, &w, e);
}

/* The other table of a join: rows of every person. */
static bool fill_other(PGconn *pg, const struct probe *p, struct error *e)
{
	const struct policy_table *t = p->other;
	struct wr w = begin();

	wr_str(&w, "INSERT INTO ");
	put_source(&w, t);
	wr_str(&w, " (");
	wr_sql_name(&w, t->columns[t->unit_column].name);
	for (size_t c = 0; c < t->n_columns; c++) {
		if (c != t->unit_column && t->columns[c].unique) {
			wr_str(&w, ", ");
			wr_sql_name(&w, t->columns[c].name);
		}
	}
	wr_str(&w, ") SELECT ");
	put_person(&w, t->columns[t->unit_column].type);
	for (size_t c = 0; c < t->n_columns; c++) {
		if (c != t->unit_column && t->columns[c].unique) {
			wr_str(&w, ", ");
			put_unique(&w, t->columns[c].type);
		}
	}
	wr_fmt(&w, " FROM (SELECT DISTINCT u, heavy FROM audit_cast) x, LATERAL pg_catalog.generate_series(1, CASE WHEN heavy THEN %zu ELSE 1 END) n", p->other_rows);
	return run(pg, &w, e);
}

bool data_fill(PGconn *pg, const struct policy *p, const struct probe *probe, bool present, struct error *e)
{
	if (!empty(pg, p, e) || !make_cast(pg, probe, present, e) || !fill_parents(pg, probe->table, e) || !fill_table(pg, probe, e) ||
	    (probe->other && !fill_other(pg, probe, e)))
		return false;
	struct wr w = begin();
	wr_str(&w, "ANALYZE");
	return run(pg, &w, e);
}
