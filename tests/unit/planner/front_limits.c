/* What the limits let through must fit the parser: every worst accepted shape is planned on half of a worker's stack. */
#include "front.h"

#include "planner/ast.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { HALF_STACK = 8 << 20 };

struct shape {
	const char *name, *before, *open, *middle, *close, *after;
	size_t step; /* tokens that count, of one repetition */
};

static const struct shape shapes[] = {
	{ "sum", "SELECT count(*) FROM people WHERE n4 > 1", "", "", " + 1", "", 1 },
	{ "parentheses", "SELECT count(*) FROM people WHERE ", "(", "flag", ")", "", 1 },
	{ "not", "SELECT count(*) FROM people WHERE ", "NOT ", "flag", "", "", 1 },
	{ "minus", "SELECT ", "- ", "1", "", "", 1 },
	{ "casts", "SELECT 1", "", "", "::int", "", 2 },
	{ "case", "SELECT count(*) FROM people WHERE ", "CASE WHEN flag THEN ", "flag", " END", "", 1 },
	{ "is null", "SELECT 1", "", "", " IS NULL", "", 1 },
	{ "at time zone", "SELECT now()", "", "", " AT TIME ZONE 'UTC'", "", 2 },
	{ "subscript", "SELECT (ARRAY[1])", "", "", "[1]", "", 1 },
	{ "arrays", "SELECT ", "ARRAY[", "1", "]", "", 2 },
	{ "calls", "SELECT ", "abs(", "1", ")", "", 1 },
	{ "derived tables", "SELECT count(*) FROM ", "(SELECT * FROM ", "people", ") x", "", 3 },
	{ "free sub-selects", "SELECT ", "(SELECT ", "1", ")", "", 2 },
	{ "sub-selects", "SELECT ", "(SELECT ", "(SELECT count(*) FROM people)", ")", "", 2 },
	{ "with", "", "WITH c AS (", "SELECT count(*) AS n FROM people", ") SELECT n FROM c", "", 3 },
	{ "union", "SELECT 1", "", "", " UNION ALL SELECT 1", "", 3 },
	{ "right union", "", "SELECT 1 UNION (", "SELECT 1", ")", "", 3 },
	{ "and", "SELECT count(*) FROM people WHERE flag", "", "", " AND n4 < 7", "", 2 },
	{ "or", "SELECT count(*) FROM people WHERE flag", "", "", " OR n4 < 7", "", 2 },
	{ "and or", "SELECT count(*) FROM people WHERE flag", " AND (flag OR ", "flag", ")", "", 3 },
	{ "joins", "SELECT count(*) FROM people p", "", "", " JOIN items USING (item)", "", 3 },
	{ "names", "SELECT a", "", "", ".b", "", 0 },
	{ "fields", "SELECT (a)", "", "", ".b", "", 0 },
	{ "collate", "SELECT 'a'", "", "", " COLLATE \"C\"", "", 1 },
	{ "comments", "SELECT 1", "", "", " /* x */", "", 0 },
	{ "juxtaposed strings", "SELECT 'a'", "", "", "\n'b'", "", 0 },
	{ "statements", "SELECT 1", "", "", ";BEGIN", "", 0 },
};

static char *build(const struct shape *s, size_t n)
{
	size_t size = strlen(s->before) + strlen(s->middle) + strlen(s->after) + n * (strlen(s->open) + strlen(s->close)) + 1;
	char *text = malloc(size), *at = text;

	cr_assert(text);
	at = stpcpy(at, s->before);
	for (size_t i = 0; i < n; i++)
		at = stpcpy(at, s->open);
	at = stpcpy(at, s->middle);
	for (size_t i = 0; i < n; i++)
		at = stpcpy(at, s->close);
	stpcpy(at, s->after);
	return text;
}

struct job {
	const char *sql;
	char state[6];
	char message[240];
};

static void *run(void *arg)
{
	struct job *job = arg;
	struct statements all;
	struct front f;

	front_open(&f);
	bool ok = statements_parse(&f.arena, job->sql, &all, &f.e);
	if (ok && all.n == 1)
		ok = front_plan(&f, job->sql) != NULL;
	snprintf(job->state, sizeof(job->state), "%s", ok ? "00000" : error_sqlstate(f.e.code));
	snprintf(job->message, sizeof(job->message), "%s", ok ? "" : f.e.message);
	front_close(&f);
	return NULL;
}

static void on_half_stack(struct job *job)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	cr_assert_eq(pthread_attr_setstacksize(&attr, HALF_STACK), 0);
	cr_assert_eq(pthread_create(&thread, &attr, run, job), 0);
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
}

static bool too_many(const struct job *job)
{
	return strcmp(job->state, "54001") == 0 && strstr(job->message, "the statement has more than");
}

Test(front_limits, the_largest_accepted_statement_of_each_shape_fits_half_a_stack, .timeout = 300)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		/* a little fewer than the limit: the parser sees it; whether the planner then likes it is not the question here */
		size_t room = shapes[i].step ? (SQL_NESTING_MAX - 16) / shapes[i].step : (SQL_TOKENS_MAX - 16) / 2;
		char *sql = build(&shapes[i], room);
		struct job job = { .sql = sql };
		on_half_stack(&job);
		cr_expect(!too_many(&job), "%s: %s", shapes[i].name, job.message);
		free(sql);
		if (shapes[i].step == 0)
			continue;
		sql = build(&shapes[i], SQL_NESTING_MAX + 1);
		job.sql = sql;
		on_half_stack(&job);
		cr_expect(too_many(&job), "%s: %s %s", shapes[i].name, job.state, job.message);
		free(sql);
	}
}

Test(front_limits, long_flat_lists_are_fine)
{
	const struct shape list = { "in", "SELECT count(*) FROM people WHERE n4 IN (1", "", "", ", 7", ")", 0 };
	const struct shape targets = { "targets", "SELECT 1", "", "", ", 7", "", 0 };
	char *sql = build(&list, 3000), *second = build(&targets, 1600);
	struct job job = { .sql = sql };

	on_half_stack(&job);
	cr_expect_str_eq(job.state, "00000", "%s", job.message);
	job.sql = second;
	on_half_stack(&job);
	cr_expect_str_eq(job.state, "00000", "%s", job.message);
	free(sql);
	free(second);
}

Test(front_limits, bombs_are_refused_clearly, .timeout = 60)
{
	const struct shape sum = { "sum", "SELECT 1", "", "", "+1", "", 1 };
	const struct shape bytes = { "bytes", "SELECT 1", "", "", "        ", "", 0 };
	char *sql = build(&sum, 100000), *long_text = build(&bytes, 40000);
	struct job job = { .sql = sql };

	on_half_stack(&job);
	cr_expect_str_eq(job.state, "54001");
	job.sql = long_text;
	on_half_stack(&job);
	cr_expect_str_eq(job.state, "54001");
	free(sql);
	free(long_text);
}

/* Each level names the inner column twice: 2^n nodes when unfolded. */
static char *doubling(const char *expression, size_t levels)
{
	struct wr w;

	wr_init_heap(&w, 1 << 20);
	wr_str(&w, "SELECT count(x) FROM ");
	for (size_t i = 0; i < levels; i++)
		wr_fmt(&w, "(SELECT %s AS x FROM ", expression);
	wr_str(&w, "(SELECT n4 AS x FROM people) z");
	for (size_t i = 0; i < levels; i++)
		wr_fmt(&w, ") t%zu", i);
	char *copy = strdup(wr_text(&w));
	wr_free(&w);
	return copy;
}

Test(front_limits, inlining_cannot_explode, .timeout = 30)
{
	static const char *const expressions[] = { "coalesce(x, x)", "CASE WHEN x > 0 THEN x END", "nullif(x, x)", "x + x", "greatest(x, x)" };
	struct front f;

	front_open(&f);
	for (size_t i = 0; i < sizeof(expressions) / sizeof(*expressions); i++) {
		char *sql = doubling(expressions[i], 60);
		cr_expect(!front_plan(&f, sql), "%s", expressions[i]);
		cr_expect_str_eq(error_sqlstate(f.e.code), "54001", "%s: %s", expressions[i], f.e.message);
		free(sql);
		sql = doubling(expressions[i], 3);
		cr_expect(front_plan(&f, sql), "%s: %s", expressions[i], f.e.message);
		free(sql);
	}
	front_close(&f);
}

Test(front_limits, joins_of_joins_cannot_explode, .timeout = 30)
{
	struct front f;
	struct wr w;

	front_open(&f);
	wr_init_heap(&w, 1 << 20);
	wr_str(&w, "WITH a0 AS (SELECT * FROM people)");
	for (int i = 1; i < 25; i++)
		wr_fmt(&w, ", a%d AS (SELECT x.* FROM a%d x JOIN a%d y ON x.id = y.id)", i, i - 1, i - 1);
	wr_str(&w, " SELECT count(*) FROM a24");
	cr_expect(!front_plan(&f, wr_text(&w)));
	cr_expect_str_eq(error_sqlstate(f.e.code), "54001", "%s", f.e.message);
	wr_free(&w);
	front_close(&f);
}
