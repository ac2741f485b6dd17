/* Answers that may be given again (budget/answers.h cites the numbers). */
#include "budget/answers.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct wall_time at = { 1000000 };
static struct wall_time now(void *ctx UNUSED)
{
	return at;
}
static const struct clock fixed = { now, NULL };
static atomic_bool cancelled;
static struct arena arena;

static char *path_new(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/answers-test-XXXXXX");
	close(mkstemp(path));
	arena_reset(&arena);
	arena_init(&arena, 1 << 26);
	return path;
}

static struct answers *open_at(const char *path, uint64_t bytes, int64_t millis)
{
	struct error e = ERROR_INIT;
	struct answers *s = NULL;

	cr_assert(answers_open(path, bytes, millis, &fixed, &s, &e), "%s %s", e.message, e.hint);
	return s;
}

static void done(struct answers *s, const char *path)
{
	char extra[80];

	answers_close(s);
	unlink(path);
	snprintf(extra, sizeof(extra), "%s-wal", path);
	unlink(extra);
	snprintf(extra, sizeof(extra), "%s-shm", path);
	unlink(extra);
	arena_reset(&arena);
}

static struct answer_key key(int n)
{
	struct answer_key k = { { 0 } };

	cr_assert(hash_sha256(&n, sizeof(n), k.digest));
	return k;
}

/* One row of a key and a text, as a rule without noise releases it. */
static const struct released *row(const char *name, const char *value)
{
	const struct release_value v = { .kind = RELEASE_EXACT, .format = FORMAT_ASIS, .column = 1 };
	const struct release_spec spec = { .n_keys = 1, .selection = SELECT_MINIMUM, .values = &v, .n_values = 1 };
	const char *const cells[] = { name, value };
	const struct released *out = NULL;
	struct error e = ERROR_INIT;

	cr_assert(release_make(&spec, &(struct exact_rows){ 1, 2, cells }, NULL, &arena, &out, &e), "%s", e.message);
	return out;
}

static enum answer_state begin(struct answers *s, int n, const struct released **out)
{
	const struct answer_key k = key(n);
	struct error e = ERROR_INIT;

	return answers_begin(s, &k, &cancelled, &arena, out, 1, &e);
}

static bool end(struct answers *s, int n, const struct released *made)
{
	const struct answer_key k = key(n);

	return answers_end(s, &k, made ? &made : NULL, made ? 1 : 0);
}

static void ask(struct answers *s, int n, const char *value)
{
	const struct released *out;

	cr_assert(begin(s, n, &out) == ANSWER_MINE);
	cr_assert(end(s, n, row("north", value)));
}

Test(answers, what_was_answered_is_found_again_with_its_nulls_and_after_a_restart)
{
	const char *path = path_new();
	struct answers *s = open_at(path, 1 << 20, 0);
	const struct released *out = NULL;
	struct stat st;

	cr_assert(begin(s, 1, &out) == ANSWER_MINE);
	cr_expect(end(s, 1, row(NULL, "41")));
	for (int round = 0; round < 2; round++) {
		const struct answer_key k = key(1), other = key(2);
		cr_assert(begin(s, 1, &out) == ANSWER_FOUND);
		cr_expect(released_rows(out) == 1 && released_columns(out) == 2);
		cr_expect(released_cell(out, 0, 0) == NULL);
		cr_expect_str_eq(released_cell(out, 0, 1), "41");
		cr_expect(answers_has(s, &k) && !answers_has(s, &other));
		answers_close(s);
		s = open_at(path, 1 << 20, 0);
	}
	cr_expect(stat(path, &st) == 0 && (st.st_mode & 077) == 0);
	done(s, path);
}

Test(answers, they_live_as_long_as_declared_and_not_under_a_clock_that_went_back) /* (3) */
{
	const char *path = path_new();
	struct answers *s = open_at(path, 1 << 20, 5000);
	const struct answer_key k = key(1);

	at.micros = 1000000;
	ask(s, 1, "41");
	at.micros = 1000000 + 4999999;
	cr_expect(answers_has(s, &k));
	at.micros = 1000000 + 5000000;
	cr_expect(!answers_has(s, &k));
	ask(s, 1, "42");
	cr_expect(answers_has(s, &k));
	at.micros -= 1;
	cr_expect(!answers_has(s, &k));
	done(s, path);
}

Test(answers, a_question_that_failed_is_asked_by_the_next)
{
	const char *path = path_new();
	struct answers *s = open_at(path, 1 << 20, 0);
	const struct released *out;

	cr_assert(begin(s, 1, &out) == ANSWER_MINE);
	cr_expect(end(s, 1, NULL));
	cr_expect(begin(s, 1, &out) == ANSWER_MINE);
	cr_expect(end(s, 1, NULL));
	done(s, path);
}

Test(answers, the_oldest_goes_when_the_bytes_are_used_up) /* (5) */
{
	const char *path = path_new();
	struct answers *s = open_at(path, 400, 0);
	char big[500];

	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	for (int i = 0; i < 30; i++)
		ask(s, i, "a value of twenty-seven...");
	const struct answer_key oldest = key(0), newest = key(29);
	cr_expect(!answers_has(s, &oldest));
	cr_expect(answers_has(s, &newest));
	const struct released *out;
	cr_assert(begin(s, 99, &out) == ANSWER_MINE);
	cr_expect(!end(s, 99, row("north", big)), "one answer larger than all of it is not kept");
	cr_expect(answers_has(s, &newest), "and displaces nothing");

	sqlite3 *db;
	sqlite3_stmt *q;
	cr_assert(sqlite3_open(path, &db) == SQLITE_OK);
	cr_assert(sqlite3_prepare_v2(db, "SELECT sum(length(body)), (SELECT bytes FROM size) FROM answer", -1, &q, NULL) == SQLITE_OK);
	cr_assert(sqlite3_step(q) == SQLITE_ROW);
	cr_expect(sqlite3_column_int(q, 0) <= 400 && sqlite3_column_int(q, 0) > 100);
	cr_expect_eq(sqlite3_column_int(q, 0), sqlite3_column_int(q, 1));
	sqlite3_finalize(q);
	sqlite3_close(db);
	done(s, path);
}

struct racer {
	struct answers *s;
	atomic_int *mine;
	char seen[16];
};

static void *race(void *p)
{
	struct racer *r = p;
	const struct answer_key k = key(7);
	const struct released *out = NULL;
	struct arena own;
	struct error e = ERROR_INIT;

	arena_init(&own, 1 << 20);
	if (answers_begin(r->s, &k, &cancelled, &own, &out, 1, &e) == ANSWER_MINE) {
		atomic_fetch_add(r->mine, 1);
		usleep(20000);
		const struct released *made = row("north", "7");
		(void)answers_end(r->s, &k, &made, 1);
		snprintf(r->seen, sizeof(r->seen), "7");
	} else if (out) {
		snprintf(r->seen, sizeof(r->seen), "%s", released_cell(out, 0, 1));
	}
	arena_reset(&own);
	return NULL;
}

Test(answers, of_those_who_ask_at_once_one_asks_and_all_see_its_answer) /* (4) */
{
	const char *path = path_new();
	struct answers *s = open_at(path, 1 << 20, 0);
	atomic_int mine = 0;
	pthread_t threads[16];
	struct racer racers[16];

	for (int i = 0; i < 16; i++) {
		racers[i] = (struct racer){ .s = s, .mine = &mine };
		cr_assert(pthread_create(&threads[i], NULL, race, &racers[i]) == 0);
	}
	for (int i = 0; i < 16; i++) {
		pthread_join(threads[i], NULL);
		cr_expect_str_eq(racers[i].seen, "7");
	}
	cr_expect_eq(atomic_load(&mine), 1);
	done(s, path);
}

Test(answers, waiting_ends_when_cancelled)
{
	const char *path = path_new();
	struct answers *s = open_at(path, 1 << 20, 0);
	const struct released *out;

	cr_assert(begin(s, 1, &out) == ANSWER_MINE);
	atomic_store(&cancelled, true);
	cr_expect(begin(s, 1, &out) == ANSWER_FAILED);
	atomic_store(&cancelled, false);
	const struct answer_key k = key(1);
	struct error e = ERROR_INIT;
	cr_expect(answers_begin(s, &k, NULL, &arena, &out, 1, &e) == ANSWER_BUSY, "who must not wait is told");
	cr_expect(end(s, 1, NULL));
	done(s, path);
}

Test(answers, a_changed_byte_is_no_answer_and_a_foreign_file_is_refused) /* (6) */
{
	const char *path = path_new();
	struct answers *s = open_at(path, 1 << 20, 0);
	struct error e = ERROR_INIT;
	sqlite3 *db;

	ask(s, 1, "41");
	answers_close(s);
	cr_assert(sqlite3_open(path, &db) == SQLITE_OK);
	sqlite3_blob *blob;
	cr_assert(sqlite3_blob_open(db, "main", "answer", "body", 1, 1, &blob) == SQLITE_OK);
	cr_assert(sqlite3_blob_write(blob, "2", 1, sqlite3_blob_bytes(blob) - 2) == SQLITE_OK); /* 41 to 42 */
	cr_assert(sqlite3_blob_close(blob) == SQLITE_OK);
	sqlite3_close(db);
	s = open_at(path, 1 << 20, 0);
	const struct answer_key k = key(1);
	cr_expect(!answers_has(s, &k));
	ask(s, 1, "43");
	cr_expect(answers_has(s, &k));
	done(s, path);

	FILE *f = fopen(path, "w");
	cr_assert(f && fputs("this is no database, and long enough to tell", f) >= 0 && fclose(f) == 0);
	cr_expect(!answers_open(path, 1 << 20, 0, &fixed, &s, &e));
	cr_expect(e.code == ERR_CONFIG && strstr(e.hint, "Move it away"));
	unlink(path);
}

Test(answers, bytes_that_no_release_has_are_not_read)
{
	uint8_t bytes[128];
	struct wr w;
	const struct released *out;

	(void)path_new();
	wr_init(&w, &arena, 1000);
	released_put(row("north", "41"), &w);
	cr_assert(wr_ok(&w) && w.n < sizeof(bytes));
	for (size_t cut = 0; cut < w.n; cut++) {
		struct rd in = rd_of(w.p, cut);
		cr_expect(!released_get(&in, &arena, &out), "cut at %zu", cut);
	}
	memcpy(bytes, w.p, w.n);
	bytes[0] = 0xff; /* rows beyond belief */
	struct rd in = rd_of(bytes, w.n);
	cr_expect(!released_get(&in, &arena, &out));
	in = rd_of(w.p, w.n);
	cr_expect(released_get(&in, &arena, &out) && rd_end(&in));
	arena_reset(&arena);
}
