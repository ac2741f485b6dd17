/* The audit log's invariants (budget/audit.h cites the numbers). */
#include "audit_world.h"
#include "budget/audit_state.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct audit_world world;
static struct audit_verdict verdict;
static struct error e;

static void setup(void)
{
	world_make(&world, true);
}

static void teardown(void)
{
	world_remove(&world);
}

TestSuite(audit, .init = setup, .fini = teardown, .timeout = 120);

/* A log of three segments, closed. */
static void small_log(void)
{
	world.policy.segment_bytes = 500;
	struct audit *a = world_open(&world);

	for (int i = 0; i < 8; i++)
		(void)world_say(a, AUDIT_REFUSED, "SELECT 1");
	audit_close(a);
}

static size_t segments(void)
{
	char path[200];
	struct stat st;
	size_t n = 0;

	do
		snprintf(path, sizeof(path), "%s/%08zu.audit", world.dir, ++n);
	while (stat(path, &st) == 0);
	return n - 1;
}

static const char *segment_name(size_t n)
{
	static char name[32];

	snprintf(name, sizeof(name), "%08zu.audit", n);
	return name;
}

Test(audit, a_log_goes_on_where_it_was_closed)
{
	small_log();
	cr_assert(world_whole(&world, &verdict, &e), "%s", e.message);
	uint64_t before = verdict.records;
	cr_expect(verdict.segments >= 3 && verdict.segments == segments());
	audit_close(world_open(&world));
	cr_assert(world_whole(&world, &verdict, &e), "%s", e.message);
	cr_expect(verdict.records == before + 4, "started, checkpoint, stopped, checkpoint");
	cr_expect(verdict.covered == verdict.records - 1);
}

Test(audit, no_byte_can_be_changed)
{
	small_log();
	for (size_t s = 1; s <= segments(); s++) {
		struct bytes b = file_bytes(world.dir, segment_name(s));
		for (size_t i = 0; i < b.n; i++) {
			b.p[i] ^= 0x20;
			file_put(world.dir, segment_name(s), b.p, b.n);
			cr_expect(!world_whole(&world, &verdict, &e), "segment %zu, byte %zu", s, i);
			b.p[i] ^= 0x20;
		}
		file_put(world.dir, segment_name(s), b.p, b.n);
		free(b.p);
	}
	cr_assert(world_whole(&world, &verdict, &e), "%s", e.message);
}

/* Where the records of a segment begin; the last is the end. */
static size_t borders(const struct bytes *b, size_t *at, size_t max)
{
	size_t n = 0, i = AUDIT_HEADER;

	for (; i < b->n && n < max - 1; n++) {
		at[n] = i;
		i += 4 + (((size_t)b->p[i] << 24) | ((size_t)b->p[i + 1] << 16) | ((size_t)b->p[i + 2] << 8) | b->p[i + 3]) + SHA256_SIZE;
	}
	at[n] = i;
	return n;
}

Test(audit, no_record_can_be_removed_repeated_or_moved)
{
	small_log();
	for (size_t s = 1; s <= segments(); s++) {
		struct bytes b = file_bytes(world.dir, segment_name(s));
		uint8_t *changed = malloc(2 * b.n);
		size_t at[100], n = borders(&b, at, 100);
		for (size_t i = 0; i + 1 < n; i++) {
			size_t one = at[i + 1] - at[i], two = at[i + 2] - at[i + 1];
			memcpy(changed, b.p, at[i]);
			memcpy(changed + at[i], b.p + at[i + 1], b.n - at[i + 1]);
			file_put(world.dir, segment_name(s), changed, b.n - one);
			cr_expect(!world_whole(&world, &verdict, &e), "segment %zu, record %zu removed", s, i);
			memcpy(changed, b.p, at[i + 1]);
			memcpy(changed + at[i + 1], b.p + at[i], b.n - at[i]);
			file_put(world.dir, segment_name(s), changed, b.n + one);
			cr_expect(!world_whole(&world, &verdict, &e), "segment %zu, record %zu twice", s, i);
			memcpy(changed, b.p, b.n);
			memcpy(changed + at[i], b.p + at[i + 1], two);
			memcpy(changed + at[i] + two, b.p + at[i], one);
			file_put(world.dir, segment_name(s), changed, b.n);
			cr_expect(!world_whole(&world, &verdict, &e), "segment %zu, records %zu and %zu exchanged", s, i, i + 1);
		}
		file_put(world.dir, segment_name(s), b.p, b.n);
		free(changed);
		free(b.p);
	}
}

Test(audit, no_segment_can_be_removed_or_exchanged)
{
	small_log();
	for (size_t s = 1; s <= segments(); s++) {
		struct bytes b = file_bytes(world.dir, segment_name(s)), other = file_bytes(world.dir, segment_name(s == 1 ? 2 : s - 1));
		char path[200];
		file_put(world.dir, segment_name(s), other.p, other.n);
		cr_expect(!world_whole(&world, &verdict, &e), "segment %zu exchanged", s);
		snprintf(path, sizeof(path), "%s/%s", world.dir, segment_name(s));
		unlink(path);
		cr_expect(!world_whole(&world, &verdict, &e), "segment %zu removed", s);
		file_put(world.dir, segment_name(s), b.p, b.n);
		free(b.p);
		free(other.p);
	}
}

/* (6) */
Test(audit, a_log_that_is_cut_before_its_checkpoint_does_not_verify_and_does_not_open)
{
	small_log();
	struct bytes b = file_bytes(world.dir, segment_name(segments()));
	size_t at[100], n = borders(&b, at, 100);
	struct audit *a = NULL;

	/* the last record is the checkpoint of the one before it */
	for (size_t i = 0; i < n - 1; i++) {
		file_put(world.dir, segment_name(segments()), b.p, at[i]);
		cr_expect(!world_whole(&world, &verdict, &e) && strstr(e.message, "cut"), "%s", e.message);
		cr_expect(!world_try(&world, &a, &e) && e.code == ERR_AUDIT && strstr(e.message, "ends before its last checkpoint"), "%s", e.message);
	}
	free(b.p);
}

Test(audit, an_old_copy_put_back_does_not_open)
{
	struct audit_world old;
	struct audit *a = NULL;

	small_log();
	copy_log(&world, &old);
	audit_close(world_open(&world));
	struct bytes newer = file_bytes(world.dir, "checkpoint");
	file_put(old.dir, "checkpoint", newer.p, newer.n);
	cr_expect(!world_try(&old, &a, &e) && strstr(e.message, "old copy"), "%s", e.message);
	free(newer.p);
	world_remove(&old);
}

Test(audit, a_log_written_again_with_its_own_chain_lacks_the_signatures)
{
	struct audit_world forged;

	small_log();
	world_make(&forged, true); /* the forger's own key */
	struct audit *a = world_open(&forged);
	(void)world_say(a, AUDIT_REFUSED, "SELECT 2");
	audit_close(a);
	cr_assert(world_whole(&forged, &verdict, &e), "%s", e.message);
	memcpy(forged.key, world.key, sizeof(forged.key)); /* verified with the true one */
	cr_expect(!world_whole(&forged, &verdict, &e) && strstr(e.message, "another key"), "%s", e.message);
	snprintf(forged.key, sizeof(forged.key), "%s/key", forged.root);
	world_remove(&forged);
}

/* (5): a crash while the last record was written, at every byte of it */
Test(audit, an_incomplete_last_record_is_removed_and_noted)
{
	struct audit_world crashed;
	struct audit *a = world_open(&world), *again = NULL;

	(void)world_say(a, AUDIT_REFUSED, "SELECT 1");
	(void)world_say(a, AUDIT_REFUSED, "SELECT 2");
	struct bytes b = file_bytes(world.dir, segment_name(1));
	size_t at[100], n = borders(&b, at, 100);
	for (size_t cut = at[n - 1] + 1; cut < b.n; cut++) {
		copy_log(&world, &crashed);
		file_put(crashed.dir, segment_name(1), b.p, cut);
		cr_assert(world_try(&crashed, &again, &e), "cut at %zu: %s", cut, e.message);
		(void)world_say(again, AUDIT_REFUSED, "SELECT 3");
		audit_close(again);
		cr_assert(world_whole(&crashed, &verdict, &e), "cut at %zu: %s", cut, e.message);
		cr_expect(verdict.recovered == 1);
		char name[32];
		snprintf(name, sizeof(name), "removed-%zu", n);
		struct bytes kept = file_bytes(crashed.dir, name);
		cr_expect(kept.n == cut - at[n - 1] && memcmp(kept.p, b.p + at[n - 1], kept.n) == 0, "the bytes are kept");
		free(kept.p);
		world_remove(&crashed);
	}
	free(b.p);
	audit_close(a);
}

/* (5): pages that the disk never got are zeros */
Test(audit, a_last_record_of_zeros_is_removed_and_noted)
{
	struct audit_world crashed;
	struct audit *a = world_open(&world), *again = NULL;

	(void)world_say(a, AUDIT_REFUSED, "SELECT 1");
	struct bytes b = file_bytes(world.dir, segment_name(1));
	uint8_t *zeros = calloc(b.n + 5000, 1);
	memcpy(zeros, b.p, b.n);
	for (size_t more = 1; more < 5000; more += 499) {
		copy_log(&world, &crashed);
		file_put(crashed.dir, segment_name(1), zeros, b.n + more);
		cr_assert(world_try(&crashed, &again, &e), "%zu zeros: %s", more, e.message);
		audit_close(again);
		cr_assert(world_whole(&crashed, &verdict, &e) && verdict.recovered == 1, "%zu zeros: %s", more, e.message);
		world_remove(&crashed);
	}
	free(zeros);
	free(b.p);
	audit_close(a);
}

/* (5): one changed byte is no crash; what looks like an incomplete record must be the last */
Test(audit, a_changed_byte_refuses_the_start_unless_it_makes_the_last_record_incomplete)
{
	struct audit_world changed;
	struct audit *a = world_open(&world), *again = NULL;

	for (int i = 0; i < 2; i++)
		(void)world_say(a, AUDIT_REFUSED, "SELECT 1");
	struct bytes b = file_bytes(world.dir, segment_name(1));
	size_t at[100], n = borders(&b, at, 100), accepted = 0;
	for (size_t i = 0; i < b.n; i++) {
		copy_log(&world, &changed);
		b.p[i] ^= 1;
		file_put(changed.dir, segment_name(1), b.p, b.n);
		b.p[i] ^= 1;
		if (world_try(&changed, &again, &e)) {
			audit_close(again);
			accepted++;
			cr_expect(i >= at[n - 1] && i < at[n - 1] + 4, "byte %zu: only the length of the last record makes it incomplete", i);
			cr_expect(world_whole(&changed, &verdict, &e) && verdict.recovered == 1, "byte %zu: %s", i, e.message);
		} else {
			cr_expect(e.code == ERR_AUDIT && e.hint[0], "byte %zu: %s", i, e.message);
		}
		world_remove(&changed);
	}
	cr_expect(accepted <= 4);
	free(b.p);
	audit_close(a);
}

Test(audit, two_processes_on_one_log_are_refused)
{
	struct audit *a = world_open(&world), *other = NULL;

	cr_expect(!world_try(&world, &other, &e) && e.code == ERR_AUDIT && strstr(e.message, "in use by another process"), "%s", e.message);
	audit_close(a);
	audit_close(world_open(&world));
}

/* (3) */
Test(audit, a_full_disk_leaves_no_half_record_and_the_log_goes_on_when_there_is_room)
{
	struct rlimit limit, was;
	struct audit *a = world_open(&world);
	struct wr w;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	(void)world_say(a, AUDIT_REFUSED, "SELECT 1");
	struct bytes before = file_bytes(world.dir, segment_name(1));
	limit = (struct rlimit){ before.n + 20, was.rlim_max }; /* room for a part of the next */
	cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	wr_init_heap(&w, 100);
	audit_put_text(&w, AUDIT_FIELD_SQL, "SELECT 2");
	for (int i = 0; i < 3; i++) {
		cr_expect(!audit_append(a, AUDIT_REFUSED, &w, NULL, &e) && e.code == ERR_DISK_FULL && e.hint[0], "%s", e.message);
		struct bytes after = file_bytes(world.dir, segment_name(1));
		cr_expect(after.n == before.n && memcmp(after.p, before.p, after.n) == 0);
		free(after.p);
	}
	cr_assert(setrlimit(RLIMIT_FSIZE, &was) == 0);
	cr_expect(audit_append(a, AUDIT_REFUSED, &w, NULL, &e), "%s", e.message);
	wr_free(&w);
	free(before.p);
	audit_close(a);
	cr_assert(world_whole(&world, &verdict, &e), "%s", e.message);
	cr_expect(verdict.records == 2 + 2 + 2);
}

Test(audit, a_directory_that_cannot_take_a_new_segment_refuses_records_until_it_can)
{
	struct rlimit limit, was;
	struct wr w;

	world.policy.segment_bytes = 400;
	signal(SIGXFSZ, SIG_IGN);
	struct audit *a = world_open(&world);
	getrlimit(RLIMIT_FSIZE, &was);
	limit = (struct rlimit){ 10, was.rlim_max };
	wr_init_heap(&w, 100);
	audit_put_text(&w, AUDIT_FIELD_SQL, "SELECT 2");
	cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	cr_expect(!audit_append(a, AUDIT_REFUSED, &w, NULL, &e) && e.code == ERR_DISK_FULL, "%s", e.message);
	cr_assert(setrlimit(RLIMIT_FSIZE, &was) == 0);
	for (int i = 0; i < 10; i++)
		cr_expect(audit_append(a, AUDIT_REFUSED, &w, NULL, &e), "%s", e.message);
	wr_free(&w);
	audit_close(a);
	cr_assert(world_whole(&world, &verdict, &e) && verdict.segments > 2, "%s", e.message);
}

/* (4): the file is exchanged for a pipe, which cannot be synced */
Test(audit, after_a_failed_sync_nothing_more_is_written)
{
	struct audit *a = world_open(&world);
	struct audit_mark mark = world_say(a, AUDIT_ANSWERED, "SELECT 1");
	int fds[2], true_fd = dup(a->fd);
	struct wr none;

	cr_assert(pipe(fds) == 0 && dup2(fds[1], a->fd) >= 0);
	cr_expect(!audit_commit(a, mark.sequence, &e) && e.code == ERR_AUDIT, "%s", e.message);
	cr_assert(dup2(true_fd, a->fd) >= 0);
	wr_init_heap(&none, 1);
	struct bytes before = file_bytes(world.dir, segment_name(1));
	cr_expect(!audit_append(a, AUDIT_REFUSED, &none, NULL, &e) && e.code == ERR_AUDIT && strstr(e.hint, "restarted"), "%s", e.message);
	cr_expect(!audit_commit(a, mark.sequence, &e) && e.code == ERR_AUDIT);
	struct bytes after = file_bytes(world.dir, segment_name(1));
	cr_expect(after.n == before.n);
	free(before.p);
	free(after.p);
	audit_close(a);
	a = world_open(&world);
	(void)world_say(a, AUDIT_REFUSED, "SELECT 2");
	audit_close(a);
	cr_assert(world_whole(&world, &verdict, &e), "%s", e.message);
}

/* (1), (2): many at once */
enum { THREADS = 8, EACH = 200 };

static void *session(void *arg)
{
	struct audit *a = arg;
	struct error mine = ERROR_INIT;
	bool ok = true;

	for (int i = 0; i < EACH && ok; i++) {
		struct audit_mark mark = world_say(a, AUDIT_ANSWERED, "SELECT 1");
		ok = i % 10 || audit_commit(a, mark.sequence, &mine);
	}
	return ok ? NULL : a;
}

Test(audit, sessions_append_and_wait_at_the_same_time)
{
	pthread_t threads[THREADS];
	void *failed;

	world.policy.segment_bytes = 10000;
	world.policy.checkpoint_records = 50;
	struct audit *a = world_open(&world);
	for (int i = 0; i < THREADS; i++)
		cr_assert(pthread_create(&threads[i], NULL, session, a) == 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failed);
		cr_expect(!failed);
	}
	audit_close(a);
	cr_assert(world_whole(&world, &verdict, &e), "%s", e.message);
	cr_expect(verdict.records == THREADS * EACH + 2 + verdict.signatures);
	cr_expect(verdict.signatures >= 3, "start, close, and some between");
}

Test(audit, receipts_name_records_of_the_log_and_are_found_after_a_restart)
{
	uint8_t key[1][SIGN_PUBLIC], salt[AUDIT_SALT], derived[AUDIT_SALT];
	struct audit_evidence evidence = { .keys = (const uint8_t(*)[SIGN_PUBLIC])key, .n_keys = 1 };
	char path[200], text[AUDIT_RECEIPT_MAX], again[AUDIT_RECEIPT_MAX];
	struct audit *a = world_open(&world);
	struct audit_mark mark;
	struct audit_claim claim;
	struct audit_place place;
	struct audit_seal seal;
	struct wr w;

	wr_init_heap(&w, 200);
	audit_put_number(&w, AUDIT_FIELD_STATEMENT, 5);
	audit_put_number(&w, AUDIT_FIELD_LEDGER_QUERY, 77);
	cr_assert(audit_append(a, AUDIT_ANSWERED, &w, &mark, &e), "%s", e.message);
	wr_free(&w);
	cr_assert(audit_receipt(a, &mark, 5, true, text, &e), "%s", e.message);
	snprintf(path, sizeof(path), "%s.pub", world.key);
	cr_assert(sign_public_load(path, key[0], &e), "%s", e.message);
	cr_assert(audit_claim_receipt(text, &evidence, &claim, &e), "%s", e.message);
	cr_assert(audit_receipt_read(text, &place, salt, &seal) && audit_salt(a, 5, derived));
	cr_expect(memcmp(salt, derived, AUDIT_SALT) == 0);
	cr_expect(audit_salt(a, 6, derived) && memcmp(salt, derived, AUDIT_SALT) != 0, "each statement has its own salt");
	audit_close(a);
	evidence.claims = &claim;
	evidence.n_claims = 1;
	cr_expect(audit_verify(world.dir, &evidence, &verdict, &e) && claim.met, "%s", e.message);
	claim.met = false;
	claim.place.sequence++;
	cr_expect(!audit_verify(world.dir, &evidence, &verdict, &e) && strstr(e.message, "another one"), "%s", e.message);

	a = world_open(&world);
	cr_assert(audit_receipt_of_query(a, 77, again, &e), "%s", e.message);
	cr_expect(strncmp(text, again, strlen(text) - 88) == 0 && again[strlen(again) - 1] == '-', "%s", again);
	cr_expect(audit_receipt_of_query(a, 78, again, &e) && again[0] == '\0');
	audit_close(a);
}

Test(audit, without_a_key_the_chain_is_there_and_the_checkpoint_is_not_signed)
{
	struct audit_world plain;
	struct audit *a;

	world_make(&plain, false);
	a = world_open(&plain);
	(void)world_say(a, AUDIT_REFUSED, "SELECT 1");
	audit_close(a);
	cr_assert(world_whole(&plain, &verdict, &e), "%s", e.message);
	cr_expect(verdict.signatures == 0 && verdict.records == 3);
	struct bytes b = file_bytes(plain.dir, segment_name(1));
	file_put(plain.dir, segment_name(1), b.p, AUDIT_HEADER);
	cr_expect(!world_try(&plain, &a, &e) && strstr(e.message, "ends before its last checkpoint"), "%s", e.message);
	free(b.p);
	world_remove(&plain);
}

Test(audit, a_segment_that_a_crash_left_without_its_header_is_dropped)
{
	world.policy.segment_bytes = 400;
	small_log();
	for (size_t n = 0; n < AUDIT_HEADER; n += 21) {
		uint8_t part[AUDIT_HEADER] = "NGAUDIT1";
		file_put(world.dir, segment_name(segments() + 1), part, n);
		struct audit *a = world_open(&world);
		audit_close(a);
		cr_assert(world_whole(&world, &verdict, &e), "%zu bytes: %s", n, e.message);
	}
	cr_expect(verdict.recovered == 4);
}
