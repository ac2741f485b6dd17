#include "proxy/upstream_check.h"

#include "base/file.h"
#include "base/text.h"
#include "policies/encoding.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

/* Types whose values, read without a cast that could fail, are what the policy says: wider declarations are fine, narrower are not. */
static bool type_fits(enum sql_type declared, const char *actual)
{
	static const struct {
		enum sql_type declared;
		const char *actual;
	} fits[] = {
		{ TYPE_BOOL, "bool" },	    { TYPE_INT2, "int2" },	  { TYPE_INT4, "int4" },      { TYPE_INT4, "int2" },
		{ TYPE_INT8, "int8" },	    { TYPE_INT8, "int4" },	  { TYPE_INT8, "int2" },      { TYPE_NUMERIC, "numeric" },
		{ TYPE_NUMERIC, "int8" },   { TYPE_NUMERIC, "int4" },	  { TYPE_NUMERIC, "int2" },   { TYPE_FLOAT8, "float8" },
		{ TYPE_FLOAT8, "float4" },  { TYPE_DATE, "date" },	  { TYPE_TIMESTAMP, "timestamp" }, { TYPE_TIMESTAMPTZ, "timestamptz" },
		{ TYPE_UUID, "uuid" },	    { TYPE_TEXT, "text" },	  { TYPE_TEXT, "varchar" },   { TYPE_TEXT, "bpchar" },
		{ TYPE_TEXT, "name" },	    { TYPE_TEXT, "citext" },
	};

	for (size_t i = 0; i < ARRAY_LEN(fits); i++) {
		if (fits[i].declared == declared && text_eq(fits[i].actual, actual))
			return true;
	}
	return false;
}

static bool check_column(const struct policy_table *t, const struct policy_column *c, PGresult *columns, struct error *e)
{
	for (int i = 0; i < PQntuples(columns); i++) {
		if (!text_eq(PQgetvalue(columns, i, 0), c->name))
			continue;
		if (c->unique && !text_eq(PQgetvalue(columns, i, 2), "t")) {
			fail(e, ERR_CONFIG, "column \"%s\" of %s.%s is declared unique, and no unique index of the upstream says so", c->name,
			     t->source_schema, t->source_name);
			return error_hint(e, "Add a unique constraint upstream, or drop `unique`: rows that share the value could be counted for the wrong person.");
		}
		if (type_fits(c->type, PQgetvalue(columns, i, 1)))
			return true;
		fail(e, ERR_CONFIG, "column \"%s\" of %s.%s is %s in the upstream, not %s", c->name, t->source_schema, t->source_name,
		     PQgetvalue(columns, i, 1), sql_type_name(c->type));
		return error_hint(e, "Declare the upstream's type in the policy, or give the proxy a view with casts.");
	}
	return fail(e, ERR_CONFIG, "the upstream's %s.%s has no column \"%s\"", t->source_schema, t->source_name, c->name);
}

static bool check_table(PGconn *conn, const struct policy_table *t, struct error *e)
{
	static const char sql[] = "SELECT a.attname, y.typname, EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique"
				  " AND i.indisvalid AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum)"
				  /* tables that inherit are read too, and no index of the parent's covers them; partitions it does cover */
				  " AND NOT (c.relkind = 'r' AND EXISTS (SELECT 1 FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid)) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
				  " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid JOIN pg_catalog.pg_type y ON y.oid = a.atttypid"
				  " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'v', 'm', 'f', 'p') AND a.attnum > 0 AND NOT a.attisdropped";
	const char *values[] = { t->source_schema, t->source_name };
	PGresult *columns = PQexecParams(conn, sql, 2, NULL, values, NULL, NULL, 0);
	bool ok = PQresultStatus(columns) == PGRES_TUPLES_OK;

	if (!ok)
		fail(e, ERR_UPSTREAM, "the upstream's catalog could not be read");
	else if (PQntuples(columns) == 0)
		ok = fail(e, ERR_CONFIG, "the upstream has no relation %s.%s, the source of %s.%s", t->source_schema, t->source_name, t->schema, t->name);
	for (size_t i = 0; ok && i < t->n_columns; i++)
		ok = check_column(t, &t->columns[i], columns, e);
	PQclear(columns);
	return ok;
}

/* NULL with *e filled when it cannot be reached; what the server says may hold more than it should, so it is not shown. */
static PGconn *connect_once(const struct policy_upstream *u, struct error *e)
{
	char *password = u->password_env ? getenv(u->password_env) : NULL;
	struct arena a;
	PGconn *conn = NULL;
	size_t n;

	arena_init(&a, 65536);
	if (!u->password_file || file_read_secret(&a, u->password_file, 4096, &password, &n, e)) {
		if (password)
			password[strcspn(password, "\r\n")] = '\0';
		const char *const names[] = { "dbname", "password", "connect_timeout", NULL };
		const char *const values[] = { u->dsn, password, "10", NULL };
		conn = PQconnectdbParams(names, values, 1);
		if (PQstatus(conn) != CONNECTION_OK) {
			PQfinish(conn);
			conn = NULL;
			fail(e, ERR_UPSTREAM, "could not connect to the upstream");
			error_hint(e, "Check upstream.dsn and the password; psql with the same string tells more.");
		}
	}
	arena_reset(&a);
	return conn;
}

bool upstream_check_encoding(const PGconn *conn, struct error *e)
{
	const char *encoding = PQparameterStatus(conn, "server_encoding");

	if (encoding && (text_eq(encoding, "UTF8") || text_eq(encoding, "LATIN1") || text_eq(encoding, "SQL_ASCII")))
		return true;
	fail(e, ERR_CONFIG, "the upstream's database has the encoding %s", encoding ? encoding : "(unknown)");
	error_detail(e, "Texts that it cannot convert to UTF-8 would fail a question, and so tell that they are there.");
	return error_hint(e, "Keep the data in a database with ENCODING 'UTF8', 'LATIN1' or 'SQL_ASCII'.");
}

bool upstream_check(const struct policy *p, struct error *e)
{
	PGconn *conn = connect_once(&p->upstream, e);
	bool ok = conn && upstream_check_encoding(conn, e);

	for (size_t i = 0; ok && i < p->n_tables; i++)
		ok = check_table(conn, &p->tables[i], e);
	PQfinish(conn);
	return ok;
}

/* A pattern that every cell matches, or NULL when its encoding says nothing about it. */
static const char *cell_pattern(const struct policy_column *c, char *out, size_t n)
{
	const char *prefix = encoding_prefix(c);

	if (c->encoding == ENCODING_BEACON)
		(void)snprintf(out, n, "^[0-9a-f]{%u}$", (c->bits + 3) / 4);
	else if (prefix)
		(void)snprintf(out, n, "^%s[A-Za-z0-9+/=_-]+$", prefix);
	else
		return NULL;
	return out;
}

static bool check_cells(PGconn *conn, const struct policy_table *t, const struct policy_column *c, struct wr *warnings, struct error *e)
{
	char pattern[64];
	const char *values[] = { cell_pattern(c, pattern, sizeof(pattern)) };
	struct wr w;

	if (!values[0])
		return true;
	wr_init_heap(&w, 4096);
	wr_str(&w, "SELECT 1 FROM (SELECT ");
	wr_sql_name(&w, c->name);
	wr_str(&w, "::pg_catalog.text AS c FROM ");
	wr_sql_name(&w, t->source_schema);
	wr_str(&w, ".");
	wr_sql_name(&w, t->source_name);
	wr_str(&w, " LIMIT 1000) AS x WHERE x.c OPERATOR(pg_catalog.!~) $1 LIMIT 1");
	PGresult *found = wr_ok(&w) ? PQexecParams(conn, wr_text(&w), 1, NULL, values, NULL, NULL, 0) : NULL;
	bool ok = PQresultStatus(found) == PGRES_TUPLES_OK;
	if (!ok)
		fail(e, ERR_UPSTREAM, "the upstream's %s.%s could not be read", t->source_schema, t->source_name);
	else if (PQntuples(found) > 0)
		wr_fmt(warnings, "%s.%s.%s: holds cells that are no %s cells%s: was the file sealed, and as the policy says?\n", t->schema, t->name, c->name, encoding_name(c->encoding),
		       c->native_format ? " of format noisegate" : "");
	PQclear(found);
	wr_free(&w);
	return ok;
}

bool upstream_check_cells(const struct policy *p, struct wr *warnings, struct error *e)
{
	PGconn *conn = connect_once(&p->upstream, e);
	bool ok = conn != NULL;

	for (size_t i = 0; ok && i < p->n_tables; i++) {
		for (size_t j = 0; ok && j < p->tables[i].n_columns; j++)
			ok = check_cells(conn, &p->tables[i], &p->tables[i].columns[j], warnings, e);
	}
	PQfinish(conn);
	return ok;
}
