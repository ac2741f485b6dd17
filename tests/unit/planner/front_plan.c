/* What plan_make makes of whole statements: who answers, what is asked of the sidecar, who pays. */
#include "front.h"

#include "planner/ast.h"

static bool parses(struct front *f, const char *sql)
{
	const PgQuery__ParseResult *tree;
	struct error e = ERROR_INIT;

	return ast_parse(&f->arena, sql, &tree, &e) && tree->n_stmts == 1;
}

/* --- the short path ----------------------------------------------------------------------------------------------------- */

Test(front_plan, columns_alone_take_the_short_path)
{
	static const struct {
		const char *sql;
		size_t outputs; /* 0: through the sidecar */
	} cases[] = {
		{ "SELECT count(*) FROM people", 1 },
		{ "SELECT kind, count(*), sum(n4) AS s, kind AS again FROM people GROUP BY kind", 4 },
		{ "SELECT count(*), kind FROM people GROUP BY 2", 2 },
		{ "SELECT k, count(*) FROM (SELECT kind AS k FROM people) x GROUP BY k", 2 },
		{ "SELECT avg(n4), avg(n4) FROM people WHERE flag", 2 },
		{ "SELECT count(*) + 1 FROM people", 0 },
		{ "SELECT count(*)::text FROM people", 0 },
		{ "SELECT count(*), 1 FROM people", 0 },
		{ "SELECT kind, count(*) FROM people GROUP BY kind ORDER BY 2", 0 },
		{ "SELECT kind, count(*) FROM people GROUP BY kind LIMIT 3", 0 },
		{ "SELECT kind, count(*) FROM people GROUP BY kind OFFSET 1", 0 },
		{ "SELECT kind, count(*) FROM people GROUP BY kind HAVING count(*) > 3", 0 },
		{ "SELECT DISTINCT kind, count(*) FROM people GROUP BY kind", 0 },
		{ "SELECT kind, rank() OVER (ORDER BY count(*)) FROM people GROUP BY kind", 0 },
		{ "SELECT count(*) FROM people UNION ALL SELECT count(*) FROM people", 0 },
		{ "SELECT * FROM (SELECT count(*) FROM people) x", 0 },
		{ "SELECT date_trunc('day', atz), count(*) FROM people GROUP BY 1", 0 },
	};
	struct front f;

	front_open(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct plan *p = front_plan(&f, cases[i].sql);
		cr_expect(p, "%s: %s", cases[i].sql, f.e.message);
		if (!p)
			continue;
		cr_expect_eq(p->kind, PLAN_BLOCKS, "%s", cases[i].sql);
		cr_expect_eq(p->n_outputs, cases[i].outputs, "%s: %zu", cases[i].sql, p->n_outputs);
		cr_expect(p->sidecar_sql && parses(&f, p->sidecar_sql), "%s: %s", cases[i].sql, p->sidecar_sql);
		cr_expect(p->n_explain_lines > 0 && p->n_charges > 0 && !p->explain, "%s", cases[i].sql);
	}
	front_close(&f);
}

Test(front_plan, outputs_name_the_columns_of_the_release)
{
	struct front f;

	front_open(&f);
	const struct plan *p = front_plan(&f, "SELECT sum(n4), city AS c, count(*), kind FROM people GROUP BY kind, city");
	cr_assert(p, "%s", f.e.message);
	cr_assert_eq(p->n_outputs, 4);
	static const char *const names[] = { "sum", "c", "count", "kind" }, *const columns[] = { "a1", "k2", "a2", "k1" };
	for (size_t i = 0; i < 4; i++) {
		cr_expect_str_eq(p->outputs[i].name, names[i]);
		cr_expect_str_eq(p->blocks[0].columns[p->outputs[i].column].name, columns[i]);
	}
	front_close(&f);
}

/* --- what is asked of the sidecar ------------------------------------------------------------------------------------------ */

static const struct {
	const char *sql, *post;
} rewritten[] = {
	{ "SELECT kind, count(*) * 2 AS n FROM people GROUP BY kind HAVING count(*) > 3 ORDER BY count(*) DESC, kind LIMIT 5",
	  "SELECT ng1.k1 AS kind, ng1.a1 * 2 AS n FROM # ng1 WHERE ng1.a1 > 3 ORDER BY ng1.a1 DESC, kind LIMIT 5" },
	{ "SELECT kind AS city, count(*) FROM people GROUP BY city, kind", "SELECT ng1.k2 AS city, ng1.a1 AS count FROM # ng1" },
	{ "SELECT lower(city) AS l, count(*) FROM people GROUP BY l ORDER BY l", "SELECT ng1.k1 AS l, ng1.a1 AS count FROM # ng1 ORDER BY l" },
	{ "SELECT upper(lower(city)) FROM people GROUP BY lower(city)", "SELECT upper(ng1.k1) AS upper FROM # ng1" },
	{ "SELECT n4 + 1, sum(n4 + 1) FROM people GROUP BY n4 + 1", "SELECT ng1.k1 AS \"?column?\", ng1.a1 AS sum FROM # ng1" },
	{ "SELECT DISTINCT ON (kind) kind, city, count(*) FROM people GROUP BY 1, 2 ORDER BY kind, count(*) DESC",
	  "SELECT DISTINCT ON (kind) ng1.k1 AS kind, ng1.k2 AS city, ng1.a1 AS count FROM # ng1 ORDER BY kind, ng1.a1 DESC" },
	{ "SELECT kind, count(*)::numeric / sum(count(*)) OVER w FROM people GROUP BY kind WINDOW w AS (PARTITION BY kind ORDER BY count(*))",
	  "SELECT ng1.k1 AS kind, ng1.a1::numeric / sum(ng1.a1) OVER w AS \"?column?\" FROM # ng1 WINDOW w AS (PARTITION BY ng1.k1 ORDER BY ng1.a1)" },
	{ "SELECT CASE WHEN count(*) > 10 THEN 'many' ELSE kind END FROM people GROUP BY kind",
	  "SELECT CASE WHEN ng1.a1 > 10 THEN 'many' ELSE ng1.k1 END AS kind FROM # ng1" },
	{ "WITH c AS (SELECT kind, count(*) AS n FROM people GROUP BY 1) SELECT a.kind, a.n, (SELECT max(n) FROM c) FROM c a JOIN c b USING (kind)",
	  "WITH c AS (SELECT ng1.k1 AS kind, ng1.a1 AS n FROM # ng1) SELECT a.kind, a.n, (SELECT max(n) FROM c) FROM c a JOIN c b USING (kind)" },
	{ "WITH r AS (SELECT * FROM people WHERE flag), c AS (SELECT count(*) AS n FROM r), unused AS (SELECT count(*) FROM people) SELECT n FROM c",
	  "WITH c AS (SELECT ng1.a1 AS n FROM # ng1) SELECT n FROM c" },
	{ "WITH b AS (SELECT count(*) AS n FROM people) SELECT kind, count(*), (SELECT n FROM b) FROM people GROUP BY kind",
	  "WITH b AS (SELECT ng1.a1 AS n FROM # ng1) SELECT ng2.k1 AS kind, ng2.a1 AS count, (SELECT n FROM b) AS n FROM # ng2" },
	{ "SELECT x.n - y.n FROM (SELECT count(*) AS n FROM people) x, (SELECT count(*) AS n FROM orders) y WHERE x.n > 3",
	  "SELECT x.n - y.n FROM (SELECT ng1.a1 AS n FROM # ng1) x, (SELECT ng2.a1 AS n FROM # ng2) y WHERE x.n > 3" },
	{ "SELECT kind, count(*) FROM people GROUP BY kind UNION ALL SELECT 'all', count(*) FROM people ORDER BY 2",
	  "SELECT ng1.k1 AS kind, ng1.a1 AS count FROM # ng1 UNION ALL SELECT 'all' AS \"?column?\", ng2.a1 AS count FROM # ng2 ORDER BY 2" },
	{ "SELECT v.t, c.n FROM (VALUES (1, 'one'), (2, 'two')) AS v(i, t) JOIN (SELECT count(*) AS n FROM people) c ON c.n > v.i",
	  "SELECT v.t, c.n FROM (VALUES (1, 'one'), (2, 'two')) v(i, t) JOIN (SELECT ng1.a1 AS n FROM # ng1) c ON c.n > v.i" },
	{ "SELECT count(*) FROM (SELECT city, count(*) FROM people GROUP BY city) x",
	  "SELECT count(*) FROM (SELECT ng1.k1 AS city, ng1.a1 AS count FROM # ng1) x" },
	{ "SELECT EXISTS (SELECT 1 FROM orders HAVING count(*) > 5), count(*) FROM people",
	  "SELECT EXISTS (SELECT 1 AS \"?column?\" FROM # ng2 WHERE ng2.a1 > 5) AS \"exists\", ng1.a1 AS count FROM # ng1" },
	{ "SELECT count(*), sum(n4), count(*) FROM people", "SELECT ng1.a1 AS count, ng1.a2 AS sum, ng1.a1 AS count FROM # ng1" },
};

/* Replaces each block's relation "(SELECT u....) " by "# ". */
static const char *fold(struct front *f, const char *sql)
{
	struct wr w;

	wr_init(&w, &f->arena, 1 << 16);
	while (*sql) {
		if (strncmp(sql, "(SELECT u.", 10) != 0) {
			wr_put(&w, sql++, 1);
			continue;
		}
		int depth = 0;
		do {
			depth += *sql == '(' ? 1 : *sql == ')' ? -1 : 0;
			sql++;
		} while (depth > 0);
		wr_str(&w, "#");
	}
	return wr_text(&w);
}

Test(front_plan, a_block_becomes_a_relation_of_released_rows)
{
	struct front f;

	front_open(&f);
	for (size_t i = 0; i < sizeof(rewritten) / sizeof(*rewritten); i++) {
		const struct plan *p = front_plan(&f, rewritten[i].sql);
		cr_expect(p, "%s: %s", rewritten[i].sql, f.e.message);
		if (!p)
			continue;
		cr_expect_str_eq(fold(&f, p->sidecar_sql), rewritten[i].post, "%s\n%s", rewritten[i].sql, fold(&f, p->sidecar_sql));
		cr_expect(parses(&f, p->sidecar_sql));
	}
	front_close(&f);
}

Test(front_plan, released_columns_follow_the_clients_parameters)
{
	static const char *const values[] = { "7", "3" };
	struct front f;

	front_open(&f);
	const struct plan *p = front_plan_params(&f, "SELECT kind, count(*) + $2, (SELECT count(*) FROM orders) FROM people WHERE n4 > $1 GROUP BY kind", values, 2);
	cr_assert(p, "%s", f.e.message);
	cr_expect_eq(p->n_params, 2);
	cr_expect(strstr(p->sidecar_sql, "ng1.a1 + $2"));
	/* block by block as the plan lists them: the engine fills them in that order */
	cr_assert_eq(p->n_blocks, 2);
	cr_expect_eq(p->blocks[0].n_columns, 1);
	cr_expect(strstr(p->sidecar_sql, "unnest($3::pg_catalog.text[]) ) u(a1)) ng2"), "%s", p->sidecar_sql);
	cr_expect_eq(p->blocks[1].n_columns, 2);
	cr_expect(strstr(p->sidecar_sql, "unnest($4::pg_catalog.text[]) , pg_catalog.unnest($5::pg_catalog.text[]) ) u(k1, a1)) ng1"), "%s", p->sidecar_sql);
	cr_expect(!front_plan_params(&f, "SELECT count(*), $3 FROM people", values, 2));
	cr_expect_str_eq(error_sqlstate(f.e.code), "42P02");
	front_close(&f);
}

/* --- who answers -------------------------------------------------------------------------------------------------------------- */

Test(front_plan, probes_and_previews_are_typed_and_empty)
{
	static const struct {
		const char *sql;
		bool notice;
	} cases[] = {
		{ "SELECT * FROM people LIMIT 0", false },
		{ "SELECT * FROM people WHERE false", false },
		{ "SELECT * FROM people WHERE 1 = 0", false },
		{ "SELECT TRUE AS \"_\" FROM \"shop\".\"people\" WHERE 1 <> 1 LIMIT 0", false },
		{ "SELECT * FROM people LIMIT 100", true },
		{ "SELECT id, n4 FROM shop.people p WHERE n4 > 3 ORDER BY 1 LIMIT 1", true },
		{ "SELECT p.*, o.item FROM people p JOIN orders o USING (id) LIMIT 5", true },
		{ "SELECT DISTINCT city FROM people LIMIT 10", true },
		{ "WITH c AS (SELECT * FROM people) SELECT * FROM c LIMIT 5", true },
		{ "SELECT * FROM (SELECT kind, count(*) AS n FROM people GROUP BY 1) x LIMIT 0", false },
		{ "SELECT * FROM (SELECT kind, count(*) AS n FROM people GROUP BY 1) x WHERE 1 = 0", false },
		{ "SELECT kind, count(*) FROM people GROUP BY kind LIMIT 0", false },
	};
	struct front f;

	front_open(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct plan *p = front_plan(&f, cases[i].sql);
		cr_expect(p, "%s: %s", cases[i].sql, f.e.message);
		if (!p)
			continue;
		cr_expect(p->kind == PLAN_SIDECAR && p->n_blocks == 0 && p->n_charges == 0, "%s", cases[i].sql);
		cr_expect_str_eq(p->sidecar_sql, cases[i].sql);
		cr_expect((p->notice != NULL) == cases[i].notice, "%s", cases[i].sql);
	}
	/* a condition of the protected part itself is a question like any other */
	const struct plan *p = front_plan(&f, "SELECT count(*) FROM people WHERE 1 = 0");
	cr_assert(p);
	cr_expect(p->kind == PLAN_BLOCKS && p->n_charges == 1);
	front_close(&f);
}

Test(front_plan, catalogs_and_constants_go_to_the_sidecar_as_they_are)
{
	static const char *const cases[] = {
		"SELECT 1", "select 1+1", "VALUES (1), (2)", "TABLE pg_class", "SELECT version()", "SELECT * FROM current_schema()",
		"SELECT current_database(), current_user, session_user, current_schemas(true)",
		"SELECT c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(people)$' COLLATE pg_catalog.default",
		"SELECT regclass('pg_class')::oid", "SELECT 'shop.people'::regclass", "SELECT * FROM information_schema.columns",
		"SELECT current_setting('server_version_num')", "SELECT has_table_privilege('shop.people', 'select')",
		"SELECT generate_series(1, array_upper(current_schemas(false), 1))", "SELECT * FROM pg_settings",
		"SELECT s.seqtypid FROM pg_stat_user_tables t, pg_sequence s", "SELECT format('%I.%-10s', 'a', 'b')",
		"WITH t AS (SELECT oid FROM pg_type) SELECT count(*) FROM t", "SELECT now() AT TIME ZONE 'UTC', extract(year FROM now())",
		"SELECT 'a' LIKE 'b' ESCAPE 'c', 'a' SIMILAR TO 'b', position('a' in 'b'), trim('a')",
	};
	struct front f;

	front_open(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct plan *p = front_plan(&f, cases[i]);
		cr_expect(p, "%s: %s", cases[i], f.e.message);
		if (!p)
			continue;
		cr_expect(p->kind == PLAN_SIDECAR && p->n_blocks == 0 && !p->notice && p->sidecar_sql == p->sidecar_sql, "%s", cases[i]);
		cr_expect_str_eq(p->sidecar_sql, cases[i]);
	}
	const struct plan *p = front_plan(&f, "WITH unused AS (SELECT count(*) FROM people) SELECT 1");
	cr_assert(p, "%s", f.e.message);
	cr_expect(p->kind == PLAN_SIDECAR && p->n_charges == 0);
	cr_expect_str_eq(p->sidecar_sql, "SELECT 1");
	front_close(&f);
}

static const struct {
	const char *state, *rule, *sql;
	int position;
} refused[] = {
	{ "42501", "row-level output", "SELECT * FROM people", 1 },
	{ "42501", "row-level output", "TABLE people", 1 },
	{ "42501", "row-level output", "SELECT DISTINCT city FROM people", 1 },
	{ "42501", "row-level output", "SELECT id FROM people UNION ALL SELECT 'x' LIMIT 10", 1 },
	{ "42501", "row-level output", "SELECT kind, sum(n4) OVER () FROM people", 1 },
	{ "42501", "row-level output", "SELECT (SELECT city FROM people)", 8 },
	{ "42501", "row-level output", "SELECT count(*) FROM people UNION ALL SELECT 1 FROM people", 1 },
	{ "42803", "row-level output", "SELECT 'ä', city, count(*) FROM people", 13 },
	{ "42803", "row-level output", "SELECT kind, count(*) FROM people GROUP BY kind ORDER BY n4", 58 },
	{ "42803", "row-level output", "SELECT kind FROM people GROUP BY kind HAVING city = 'x'", 46 },
	{ "42P10", "", "SELECT kind, count(*) FROM people GROUP BY 3", 44 },
	{ "42702", "", "SELECT kind AS x, city AS x, count(*) FROM people GROUP BY x", 60 },
	{ "42501", "mixed sources", "SELECT count(*) FROM people, pg_class", 0 },
	{ "42501", "mixed sources", "SELECT count(*) FROM people, (SELECT count(*) FROM orders) x", 0 },
	{ "42501", "mixed sources", "SELECT * FROM (SELECT count(*) FROM people) x, pg_class", 48 },
	{ "42501", "recursive CTEs", "WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT 1 FROM r) SELECT * FROM r", 1 },
	{ "42501", "statement: DML", "WITH x AS (DELETE FROM people RETURNING *) SELECT count(*) FROM x", 6 },
	{ "42501", "statement: EXPLAIN ANALYZE", "EXPLAIN ANALYZE SELECT count(*) FROM people", 1 },
	{ "42501", "statement: EXPLAIN ANALYZE", "EXPLAIN (ANALYZE 1) SELECT 1", 1 },
	{ "42501", "statement: EXPLAIN", "EXPLAIN (FORMAT json) SELECT 1", 1 },
	{ "42501", "statement: EXPLAIN", "EXPLAIN (FORMAT 1) SELECT 1", 1 },
	{ "42501", "statement: DML", "EXPLAIN DELETE FROM people", 1 },
	{ "42601", "", "EXPLAIN (FOO) SELECT 1", 10 },
	{ "42501", "sidecar allowlist", "SELECT pg_sleep(1)", 8 },
	{ "42501", "sidecar allowlist", "SELECT pg_catalog.pg_sleep(1)", 8 },
	{ "42501", "sidecar allowlist", "SELECT shop.lower('A')", 8 },
	{ "42501", "sidecar allowlist", "SELECT 'ä', pg_read_file('/etc/passwd')", 13 },
	{ "42501", "sidecar allowlist", "SELECT set_config('x', 'y', false)", 8 },
	{ "42501", "sidecar allowlist", "SELECT * FROM dblink('', '') AS t(a int)", 15 },
	{ "42501", "sidecar allowlist", "SELECT query_to_xml('select 1', true, true, '')", 8 },
	{ "42501", "sidecar allowlist", "SELECT ts_stat('select 1')", 8 },
	{ "42501", "sidecar allowlist", "SELECT lo_get(1), nextval('x')", 8 },
	{ "42501", "sidecar allowlist", "SELECT pg_advisory_lock(1)", 8 },
	{ "42501", "sidecar allowlist", "SELECT pg_notify('a', 'b')", 8 },
	{ "42501", "sidecar allowlist", "SELECT repeat('x', 1000000000)", 8 },
	{ "42501", "sidecar allowlist", "SELECT lpad('x', 1000000000)", 8 },
	{ "42501", "sidecar allowlist", "SELECT format('%1000000000s', 'x')", 8 },
	{ "42501", "sidecar allowlist", "SELECT format('%*s', 1000000000, 'x')", 8 },
	{ "42501", "sidecar allowlist", "SELECT generate_series(1, 100000000)", 8 },
	{ "42501", "sidecar allowlist", "SELECT current_setting('data_directory')", 8 },
	{ "42501", "sidecar allowlist", "SELECT current_setting('a' || 'b')", 8 },
	{ "42501", "sidecar allowlist", "SELECT 1 OPERATOR(shop.+) 2", 10 },
	{ "42501", "sidecar allowlist", "SELECT 1::shop.people", 11 },
	{ "42501", "sidecar allowlist", "SELECT 'a' COLLATE shop.x", 12 },
	{ "42501", "sidecar allowlist", "SELECT relname FROM pg_class ORDER BY 1 USING OPERATOR(shop.<)", 0 },
	{ "42501", "sidecar allowlist", "SELECT xmlelement(name a)", 0 },
	{ "42501", "sidecar allowlist", "SELECT * FROM pg_stat_activity", 15 },
	{ "42501", "sidecar allowlist", "SELECT * FROM pg_catalog.pg_authid", 15 },
	{ "42501", "sidecar allowlist", "SELECT 1 WHERE EXISTS (SELECT 1 FROM pg_locks)", 38 },
	{ "42501", "sidecar allowlist", "SELECT * FROM pg_stats", 15 },
	{ "42501", "sidecar allowlist", "SELECT 1 INTO x", 0 },
	{ "42501", "sidecar allowlist", "SELECT 1 INTO x UNION SELECT 2", 0 },
	{ "42501", "sidecar allowlist", "SELECT oid FROM pg_class FOR UPDATE", 0 },
	{ "42501", "sidecar allowlist", "SELECT * FROM (SELECT 1 FOR UPDATE) x", 0 },
	{ "42501", "statement: locking", "SELECT count(*) FROM people FOR UPDATE", 0 },
	{ "42501", "statement: locking", "SELECT count(*) INTO x FROM people", 0 },
	{ "42501", "sidecar allowlist", "SELECT pg_sleep(count(*)::int) FROM people", 8 },
	{ "42501", "sidecar allowlist", "SELECT count(*) FROM people HAVING pg_sleep(1) IS NULL", 36 },
	{ "42501", "sidecar allowlist", "SELECT count(*) FROM people ORDER BY pg_sleep(1)", 38 },
	{ "42501", "sidecar allowlist", "SELECT count(*) FROM people LIMIT length(pg_read_file('x'))", 42 },
	{ "42501", "sidecar allowlist", "SELECT sum(count(*)) OVER (ORDER BY pg_sleep(1)) FROM people", 37 },
	{ "42501", "sidecar allowlist", "SELECT * FROM (SELECT count(*) AS n FROM people) x JOIN (VALUES (1)) v ON pg_sleep(n) IS NULL", 75 },
	{ "42501", "sidecar allowlist", "SELECT count(*) OPERATOR(shop.+) 1 FROM people", 17 },
	{ "42501", "sidecar allowlist", "SELECT count(*)::shop.t FROM people", 18 },
	{ "42501", "sidecar allowlist", "SELECT kind, count(*) FROM people GROUP BY kind ORDER BY 2 USING OPERATOR(shop.<)", 0 },
	{ "42P01", "", "SELECT * FROM nope", 15 },
	{ "42P01", "", "SELECT * FROM pg_toast.pg_toast_1255", 15 },
	{ "42P01", "", "SELECT * FROM other.shop.people", 15 },
	{ "42P01", "", "SELECT count(*) FROM pepole", 22 },
	{ "42P02", "", "SELECT $1::int", 8 },
	{ "42601", "", "SELECT 1; SELECT 2", 0 },
};

Test(front_plan, refusals_say_state_rule_place_and_hint)
{
	struct front f;

	front_open(&f);
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		cr_expect(!front_plan(&f, refused[i].sql), "accepted: %s", refused[i].sql);
		cr_expect_str_eq(error_sqlstate(f.e.code), refused[i].state, "%s: %s %s", refused[i].sql, error_sqlstate(f.e.code), f.e.message);
		cr_expect_str_eq(f.e.rule, refused[i].rule, "%s: %s", refused[i].sql, f.e.rule);
		cr_expect(refused[i].position == 0 || f.e.position == refused[i].position, "%s: %d", refused[i].sql, f.e.position);
		cr_expect(f.e.hint[0] || !refused[i].rule[0], "no hint: %s", refused[i].sql);
	}
	cr_expect(!front_plan(&f, "SELECT count(*) FROM pepole"));
	cr_expect_str_eq(f.e.hint, "Perhaps you meant shop.people.");
	front_close(&f);
}

/* --- who pays -------------------------------------------------------------------------------------------------------------------- */

static const struct plan_charge *charge_of(const struct plan *p, const char *table)
{
	for (size_t i = 0; i < p->n_charges; i++) {
		if (strcmp(p->charges[i].budget->table, table) == 0)
			return &p->charges[i];
	}
	return NULL;
}

Test(front_plan, the_statements_epsilon_is_shared_by_its_blocks)
{
	struct front f;

	front_open(&f);
	f.settings.epsilon = (struct eps){ 1000000000000 };
	const struct plan *p = front_plan(&f, "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM orders WHERE item > 1), count(*) FROM people");
	cr_assert(p, "%s", f.e.message);
	cr_assert_eq(p->n_blocks, 3);
	const struct plan_charge *orders = charge_of(p, "orders"), *people = charge_of(p, "people");
	cr_assert(orders && people && p->n_charges == 2);
	/* two blocks on orders share 1; the block on people has it alone */
	cr_expect(orders->epsilon.pico <= f.settings.epsilon.pico && orders->epsilon.pico > f.settings.epsilon.pico / 10 * 9, "%llu",
		  (unsigned long long)orders->epsilon.pico);
	cr_expect_eq(orders->rho.pico, 0);
	cr_expect(people->rho.pico > 0 && people->epsilon.pico == 0);
	cr_expect(strstr(orders->mechanism, "discrete_laplace"), "%s", orders->mechanism);
	cr_expect_eq(orders->delta.atto, 0); /* no private keys */
	cr_expect(strstr(people->mechanism, "\"num\":\""), "%s", people->mechanism);
	front_close(&f);
}

Test(front_plan, a_cte_used_twice_is_paid_once)
{
	struct front f;

	front_open(&f);
	const struct plan *once = front_plan(&f, "SELECT count(*) FROM orders");
	const struct plan *twice = front_plan(&f, "WITH c AS (SELECT count(*) AS n FROM orders) SELECT a.n + b.n FROM c a, c b");
	cr_assert(once && twice, "%s", f.e.message);
	cr_expect_eq(twice->n_blocks, 1);
	cr_expect_eq(once->charges[0].epsilon.pico, twice->charges[0].epsilon.pico);
	front_close(&f);
}

Test(front_plan, defaults_and_caps_are_the_owners)
{
	struct front f;

	front_open(&f);
	const struct plan *p = front_plan(&f, "SELECT count(*) FROM people p JOIN orders o ON p.id = o.id");
	cr_assert(p, "%s", f.e.message);
	/* the smaller default of the two, 0.5, and as orders is pure, no Gaussian noise */
	cr_expect(charge_of(p, "orders")->epsilon.pico <= 500000000000 && charge_of(p, "orders")->epsilon.pico > 450000000000);
	f.settings.epsilon = (struct eps){ 1500000000000 };
	cr_expect(front_plan(&f, "SELECT count(*) FROM people"));
	cr_expect(!front_plan(&f, "SELECT count(*) FROM orders"));
	cr_expect_str_eq(f.e.rule, "budget: per query");
	cr_expect(strstr(f.e.detail, "\"q\"") && f.e.hint[0]);
	f.settings = (struct plan_settings){ .analyst = "o", .search_path = f.settings.search_path, .n_search_path = 2, .timezone = "UTC", .confidence = 0.95 };
	cr_expect(!front_plan(&f, "SELECT count(*) FROM people"));
	cr_expect_str_eq(f.e.rule, "budget");
	front_close(&f);
}

Test(front_plan, private_keys_cost_delta_and_exact_releases_nothing)
{
	struct front f;

	front_open(&f);
	const struct plan *p = front_plan(&f, "SELECT city, count(*) FROM people GROUP BY city");
	cr_assert(p && p->n_charges == 1, "%s", f.e.message);
	cr_expect(p->charges[0].delta.atto > 0);
	cr_expect(strstr(p->charges[0].mechanism, "threshold"));
	p = front_plan(&f, "SELECT kind, count(*) FROM people GROUP BY kind");
	cr_assert(p, "%s", f.e.message);
	cr_expect_eq(p->charges[0].delta.atto, 0);
	p = front_plan(&f, "SELECT place, count(buyer) FROM sales GROUP BY place");
	cr_assert(p, "%s", f.e.message);
	cr_expect_eq(p->n_charges, 0);
	front_close(&f);
}

/* --- EXPLAIN ------------------------------------------------------------------------------------------------------------------------ */

static bool has_line(const struct plan *p, const char *part)
{
	for (size_t i = 0; i < p->n_explain_lines; i++) {
		if (strstr(p->explain_lines[i], part))
			return true;
	}
	return false;
}

Test(front_plan, explain_shows_the_plan_that_would_run)
{
	static const char *const parts[] = { "shop.people", "differential_privacy", "\"o\"", "person", "epsilon", "count(*)", "±", "95%",
					     "upstream: ", "Post-processing: ", "Charge to shop.people: rho" };
	struct front f;

	front_open(&f);
	const struct plan *p = front_plan(&f, "EXPLAIN (VERBOSE, COSTS off) SELECT city, count(*) FROM people GROUP BY city ORDER BY 2");
	cr_assert(p, "%s", f.e.message);
	cr_expect(p->explain && p->kind == PLAN_BLOCKS);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		cr_expect(has_line(p, parts[i]), "%s", parts[i]);
	cr_expect(has_line(p, p->blocks[0].sql) && has_line(p, p->sidecar_sql) && has_line(p, p->blocks[0].figures.selection));
	/* the same statement without EXPLAIN is the same plan */
	const struct plan *run = front_plan(&f, "SELECT city, count(*) FROM people GROUP BY city ORDER BY 2");
	cr_assert(run);
	cr_expect(!run->explain);
	cr_expect_str_eq(run->blocks[0].sql, p->blocks[0].sql);
	cr_expect_str_eq(run->sidecar_sql, p->sidecar_sql);
	cr_expect_eq(run->charges[0].rho.pico, p->charges[0].rho.pico);
	p = front_plan(&f, "EXPLAIN SELECT * FROM pg_class");
	cr_assert(p && p->explain && p->n_explain_lines > 0);
	front_close(&f);
}

Test(front_plan, the_same_statement_gives_the_same_plan)
{
	static const char sql[] = "SELECT city, avg(n4), count(DISTINCT id) FROM people WHERE flag GROUP BY city HAVING count(*) > 1";
	struct front f;

	front_open(&f);
	const struct plan *a = front_plan(&f, sql), *b = front_plan(&f, sql);
	cr_assert(a && b, "%s", f.e.message);
	cr_expect_str_eq(a->blocks[0].sql, b->blocks[0].sql);
	cr_expect_str_eq(a->sidecar_sql, b->sidecar_sql);
	cr_expect_str_eq(a->charges[0].mechanism, b->charges[0].mechanism);
	for (size_t i = 0; i < a->n_explain_lines; i++)
		cr_expect_str_eq(a->explain_lines[i], b->explain_lines[i]);
	front_close(&f);
}
