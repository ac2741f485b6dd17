/* Splitting and classification of query strings, as clients send them. */
#include "front.h"

struct one {
	const char *sql;
	enum statement_kind kind;
	const char *name, *value;
	int64_t count;
};

static const struct one commands[] = {
	{ "BEGIN", STATEMENT_BEGIN, NULL, NULL, 0 },
	{ "begin transaction isolation level serializable read only", STATEMENT_BEGIN, NULL, NULL, 0 },
	{ "START TRANSACTION", STATEMENT_BEGIN, NULL, NULL, 0 },
	{ "COMMIT", STATEMENT_COMMIT, NULL, NULL, 0 },
	{ "END", STATEMENT_COMMIT, NULL, NULL, 0 },
	{ "ROLLBACK", STATEMENT_ROLLBACK, NULL, NULL, 0 },
	{ "ABORT", STATEMENT_ROLLBACK, NULL, NULL, 0 },
	{ "SAVEPOINT _EXEC_SVP_0x1", STATEMENT_SAVEPOINT, "_exec_svp_0x1", NULL, 0 },
	{ "RELEASE SAVEPOINT a", STATEMENT_RELEASE, "a", NULL, 0 },
	{ "ROLLBACK TO SAVEPOINT a", STATEMENT_ROLLBACK_TO, "a", NULL, 0 },
	{ "SET extra_float_digits = 3", STATEMENT_SET, "extra_float_digits", "3", 0 },
	{ "SET application_name = 'PostgreSQL JDBC Driver'", STATEMENT_SET, "application_name", "PostgreSQL JDBC Driver", 0 },
	{ "SET TIME ZONE 'UTC'", STATEMENT_SET, "timezone", "UTC", 0 },
	{ "SET SESSION timezone TO 'Europe/Berlin'", STATEMENT_SET, "timezone", "Europe/Berlin", 0 },
	{ "SET TIME ZONE INTERVAL '+00:00' HOUR TO MINUTE", STATEMENT_SET, "timezone", "+00:00", 0 },
	{ "SET TIME ZONE LOCAL", STATEMENT_SET, "timezone", NULL, 0 },
	{ "SET client_encoding to 'UNICODE'", STATEMENT_SET, "client_encoding", "UNICODE", 0 },
	{ "SET NAMES 'utf8'", STATEMENT_SET, "client_encoding", "utf8", 0 },
	{ "set datestyle to ISO", STATEMENT_SET, "datestyle", "iso", 0 },
	{ "SET DateStyle = 'ISO', 'MDY'", STATEMENT_SET, "datestyle", "ISO, MDY", 0 },
	{ "SET search_path TO shop, public", STATEMENT_SET, "search_path", "shop, public", 0 },
	{ "SET standard_conforming_strings = on", STATEMENT_SET, "standard_conforming_strings", "on", 0 },
	{ "SET noisegate.epsilon = 0.5", STATEMENT_SET, "noisegate.epsilon", "0.5", 0 },
	{ "SET statement_timeout TO DEFAULT", STATEMENT_SET, "statement_timeout", NULL, 0 },
	{ "SET SESSION AUTHORIZATION DEFAULT", STATEMENT_SET, "session_authorization", NULL, 0 },
	{ "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", STATEMENT_NOTHING, "SET", NULL, 0 },
	{ "SET TRANSACTION READ ONLY", STATEMENT_NOTHING, "SET", NULL, 0 },
	{ "RESET timezone", STATEMENT_RESET, "timezone", NULL, 0 },
	{ "RESET ALL", STATEMENT_RESET, NULL, NULL, 0 },
	{ "SHOW transaction_isolation", STATEMENT_SHOW, "transaction_isolation", NULL, 0 },
	{ "show transaction isolation level", STATEMENT_SHOW, "transaction_isolation", NULL, 0 },
	{ "SHOW TIME ZONE", STATEMENT_SHOW, "timezone", NULL, 0 },
	{ "SHOW ALL", STATEMENT_SHOW, "all", NULL, 0 },
	{ "SHOW noisegate.epsilon", STATEMENT_SHOW, "noisegate.epsilon", NULL, 0 },
	{ "DISCARD ALL", STATEMENT_DISCARD, "all", NULL, 0 },
	{ "DISCARD SEQUENCES", STATEMENT_DISCARD, "sequences", NULL, 0 },
	{ "DISCARD TEMP", STATEMENT_DISCARD, "temp", NULL, 0 },
	{ "DISCARD PLANS", STATEMENT_DISCARD, "plans", NULL, 0 },
	{ "DEALLOCATE pdo_stmt_00000001", STATEMENT_DEALLOCATE, "pdo_stmt_00000001", NULL, 0 },
	{ "DEALLOCATE ALL", STATEMENT_DEALLOCATE, NULL, NULL, 0 },
	{ "declare \"SQL_CUR0x5581\" cursor with hold for SELECT 1", STATEMENT_DECLARE, "SQL_CUR0x5581", "SELECT 1", 0 },
	{ "DECLARE c NO SCROLL CURSOR FOR VALUES (1)", STATEMENT_DECLARE, "c", "VALUES (1)", 0 },
	{ "fetch 100 in \"SQL_CUR0x5581\"", STATEMENT_FETCH, "SQL_CUR0x5581", NULL, 100 },
	{ "FETCH FORWARD ALL FROM c", STATEMENT_FETCH, "c", NULL, INT64_MAX },
	{ "FETCH NEXT FROM c", STATEMENT_FETCH, "c", NULL, 1 },
	{ "FETCH c", STATEMENT_FETCH, "c", NULL, 1 },
	{ "MOVE 5 IN c", STATEMENT_MOVE, "c", NULL, 5 },
	{ "CLOSE c", STATEMENT_CLOSE, "c", NULL, 0 },
	{ "CLOSE ALL", STATEMENT_CLOSE, NULL, NULL, 0 },
	{ "UNLISTEN *", STATEMENT_NOTHING, "UNLISTEN", NULL, 0 },
	{ "SET CONSTRAINTS ALL DEFERRED", STATEMENT_NOTHING, "SET CONSTRAINTS", NULL, 0 },
	{ "SELECT 1", STATEMENT_QUERY, NULL, NULL, 0 },
	{ "VALUES (1)", STATEMENT_QUERY, NULL, NULL, 0 },
	{ "TABLE pg_class", STATEMENT_QUERY, NULL, NULL, 0 },
	{ "WITH a AS (SELECT 1) SELECT * FROM a", STATEMENT_QUERY, NULL, NULL, 0 },
	{ "EXPLAIN SELECT 1", STATEMENT_QUERY, NULL, NULL, 0 },
};

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

Test(front_statements, commands_that_clients_send_are_read)
{
	struct front f;

	front_open(&f);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		const struct one *c = &commands[i];
		const struct statement *s = front_one(&f, c->sql);
		cr_expect(s, "%s: %s", c->sql, f.e.message);
		if (!s)
			continue;
		cr_expect(s->kind == c->kind, "%s: kind %d", c->sql, (int)s->kind);
		cr_expect(same(s->name, c->name), "%s: name %s", c->sql, s->name ? s->name : "NULL");
		cr_expect(same(s->value, c->value), "%s: value %s", c->sql, s->value ? s->value : "NULL");
		cr_expect(s->count == c->count, "%s: count %lld", c->sql, (long long)s->count);
		cr_expect_str_eq(s->text, c->sql);
	}
	front_close(&f);
}

Test(front_statements, local_and_binary_are_seen)
{
	struct front f;

	front_open(&f);
	cr_expect(front_one(&f, "SET LOCAL timezone = 'UTC'")->local);
	cr_expect(!front_one(&f, "SET timezone = 'UTC'")->local);
	cr_expect(front_one(&f, "DECLARE oidcursor BINARY CURSOR FOR SELECT 1")->binary);
	cr_expect(!front_one(&f, "DECLARE c CURSOR FOR SELECT 1")->binary);
	front_close(&f);
}

Test(front_statements, a_string_may_hold_several_or_none)
{
	static const char *const empty[] = { "", ";", " ; ;; ", "/* ping */", "-- nothing\n" };
	struct statements all;
	struct front f;

	front_open(&f);
	for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++) {
		cr_expect(statements_parse(&f.arena, empty[i], &all, &f.e), "%s", empty[i]);
		cr_expect_eq(all.n, 0, "%s", empty[i]);
	}
	cr_assert(statements_parse(&f.arena, "SELECT regclass('pg_class')::oid;BEGIN;\n DECLARE o BINARY CURSOR FOR SELECT 'ä;' ; FETCH 1 FROM o;", &all, &f.e));
	cr_assert_eq(all.n, 4);
	cr_expect_str_eq(all.items[0].text, "SELECT regclass('pg_class')::oid");
	cr_expect_eq(all.items[1].kind, STATEMENT_BEGIN);
	cr_expect_str_eq(all.items[2].text, "DECLARE o BINARY CURSOR FOR SELECT 'ä;'");
	cr_expect_eq(all.items[2].offset, 41);
	cr_expect_str_eq(all.items[3].text, "FETCH 1 FROM o");
	cr_expect_eq(all.items[3].offset, 83, "%d", all.items[3].offset); /* characters, not bytes */
	front_close(&f);
}

static const struct {
	const char *sql, *rule;
	int position;
} refused[] = {
	{ "INSERT INTO people VALUES (1)", "statement: DML", 1 },
	{ "UPDATE people SET n4 = 1", "statement: DML", 1 },
	{ "DELETE FROM people", "statement: DML", 1 },
	{ "MERGE INTO people USING orders ON true WHEN MATCHED THEN DELETE", "statement: DML", 1 },
	{ "COPY people TO STDOUT", "statement: COPY", 1 },
	{ "COPY (SELECT 1) TO PROGRAM 'id'", "statement: COPY", 1 },
	{ "DO $$ BEGIN END $$", "statement: DO", 1 },
	{ "PREPARE s AS SELECT 1", "statement: PREPARE", 1 },
	{ "EXECUTE s", "statement: PREPARE", 1 },
	{ "LISTEN x", "statement: LISTEN", 1 },
	{ "NOTIFY x", "statement: LISTEN", 1 },
	{ "LOCK TABLE people", "statement: LOCK", 1 },
	{ "VACUUM", "statement: maintenance", 1 },
	{ "ANALYZE people", "statement: maintenance", 1 },
	{ "CREATE TABLE x AS SELECT 1", "statement: DDL", 1 },
	{ "CREATE LOCAL TEMPORARY TABLE \"#Tableau_1_Connect_Check\" (col integer)", "statement: DDL", 1 },
	{ "DROP TABLE people", "statement: DDL", 1 },
	{ "TRUNCATE people", "statement: DDL", 1 },
	{ "GRANT SELECT ON people TO public", "statement: DDL", 1 },
	{ "ALTER ROLE ana SET work_mem = '1GB'", "statement: DDL", 1 },
	{ "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1'", "statement: DDL", 1 },
	{ "LOAD 'x'", "statement: DDL", 1 },
	{ "CHECKPOINT", "statement: DDL", 1 },
	{ "PREPARE TRANSACTION 'x'", "statement: two-phase commit", 1 },
	{ "COMMIT AND CHAIN", "statement: AND CHAIN", 1 },
	{ "ROLLBACK AND CHAIN", "statement: AND CHAIN", 1 },
	{ "DECLARE c SCROLL CURSOR FOR SELECT 1", "cursors", 1 },
	{ "FETCH BACKWARD 1 FROM c", "cursors", 1 },
	{ "FETCH ABSOLUTE 1 FROM c", "cursors", 1 },
	{ "FETCH PRIOR FROM c", "cursors", 1 },
	{ "SELECT 'ä';\n  DROP TABLE people", "statement: DDL", 15 },
};

Test(front_statements, everything_else_is_refused_with_rule_place_and_hint)
{
	struct statements all;
	struct front f;

	front_open(&f);
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		f.e = ERROR_INIT;
		cr_expect(!statements_parse(&f.arena, refused[i].sql, &all, &f.e), "%s", refused[i].sql);
		cr_expect_str_eq(error_sqlstate(f.e.code), "42501", "%s", refused[i].sql);
		cr_expect_str_eq(f.e.rule, refused[i].rule, "%s: %s", refused[i].sql, f.e.rule);
		cr_expect_eq(f.e.position, refused[i].position, "%s: %d", refused[i].sql, f.e.position);
		cr_expect(f.e.hint[0], "%s", refused[i].sql);
	}
	front_close(&f);
}

Test(front_statements, syntax_errors_are_postgresqls_with_its_position)
{
	struct statements all;
	struct front f;

	front_open(&f);
	cr_assert(!statements_parse(&f.arena, "SELECT 'äöü' FROM FROM", &all, &f.e));
	cr_expect_str_eq(error_sqlstate(f.e.code), "42601");
	cr_expect_str_eq(f.e.message, "syntax error at or near \"FROM\"");
	cr_expect_eq(f.e.position, 19);
	cr_assert(!statements_parse(&f.arena, "SELECT 'open", &all, &f.e));
	cr_expect_str_eq(error_sqlstate(f.e.code), "42601");
	cr_assert(!statements_parse(&f.arena, "SELECT", &all, &f.e) || all.n == 1);
	cr_assert(!statements_parse(&f.arena, "SELECT \xff", &all, &f.e));
	cr_expect_str_eq(error_sqlstate(f.e.code), "22021");
	front_close(&f);
}
