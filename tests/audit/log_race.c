/*
 * Sessions that append and wait at the same time, and a process that is killed in the middle: a plain program, for Criterion cannot run under TSan.
 *   log_race DIR [SESSIONS ANSWERS ROUNDS]
 */
#include "budget/audit.h"
#include "budget/audit_verify.h"
#include "crypto/random.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct policy_audit policy = { .checkpoint_records = 100, .checkpoint_seconds = 1, .segment_bytes = 50000 };
static int sessions = 64, answers = 50, rounds = 100;
static atomic_int failed;

static void check(bool ok, const char *what)
{
	printf("%s %s\n", ok ? "ok" : "not ok", what);
	fflush(stdout);
	failed += !ok;
}

static struct audit *open_log(void)
{
	const struct audit_options o = { .policy = &policy, .collaboration = "race", .version = "test", .clock = clock_system(), .random = random_system() };
	struct audit *a = NULL;
	struct error e = ERROR_INIT;

	if (!audit_open(&o, &a, &e)) {
		printf("not ok the log opens: %s\n", e.message);
		exit(1);
	}
	return a;
}

/* One answer's three records; the number of the last, on disk. */
static uint64_t answer(struct audit *a)
{
	static const enum audit_event events[] = { AUDIT_ALLOWED, AUDIT_CHARGED, AUDIT_ANSWERED };
	struct audit_mark mark = { 0 };
	struct error e = ERROR_INIT;
	bool ok = true;
	struct wr w;

	wr_init_heap(&w, 4096);
	audit_put_text(&w, AUDIT_FIELD_SQL, "SELECT region, count(*) FROM customers GROUP BY region");
	for (size_t i = 0; i < 3 && ok; i++)
		ok = audit_append(a, events[i], &w, &mark, &e);
	ok = ok && audit_commit(a, mark.sequence, &e);
	wr_free(&w);
	if (!ok)
		printf("not ok an answer: %s\n", e.message);
	failed += !ok;
	return mark.sequence;
}

static void *session(void *arg)
{
	for (int i = 0; i < answers; i++)
		(void)answer(arg);
	return NULL;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool whole(struct audit_verdict *v)
{
	struct audit_evidence none = { 0 };
	struct error e = ERROR_INIT;
	bool ok = audit_verify(policy.path, &none, v, &e);

	if (!ok)
		printf("# %s\n", e.message);
	return ok;
}

static void race(void)
{
	pthread_t *threads = calloc((size_t)sessions, sizeof(*threads));
	struct audit *a = open_log();
	struct audit_verdict v;
	double start = seconds();

	for (int i = 0; i < sessions; i++)
		pthread_create(&threads[i], NULL, session, a);
	for (int i = 0; i < sessions; i++)
		pthread_join(threads[i], NULL);
	printf("# %d sessions: %.0f answers a second on disk\n", sessions, sessions * answers / (seconds() - start));
	audit_close(a);
	check(whole(&v) && v.records >= 3 * (uint64_t)sessions * (uint64_t)answers && v.segments > 3, "many sessions, several segments: the log is whole");
	free(threads);
}

/* A child answers and tells each number when it is on disk; the parent kills it. */
static uint64_t killed_child(unsigned *seed)
{
	int fds[2];
	uint64_t last = 0, got;

	if (pipe(fds) != 0)
		exit(1);
	pid_t child = fork();
	if (child == 0) {
		struct audit *a = open_log();
		for (;;) {
			got = answer(a);
			if (write(fds[1], &got, sizeof(got)) != sizeof(got))
				_exit(0);
		}
	}
	close(fds[1]);
	int before = rand_r(seed) % 8;
	for (int i = 0; i <= before && read(fds[0], &got, sizeof(got)) == sizeof(got); i++)
		last = got;
	usleep((unsigned)rand_r(seed) % 3000);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	while (read(fds[0], &got, sizeof(got)) == sizeof(got))
		last = got;
	close(fds[0]);
	return last;
}

static void kills(void)
{
	struct audit_verdict v;
	unsigned seed = 20261121;
	int lost = 0, broken = 0;
	uint64_t told = 0;

	for (int i = 0; i < rounds; i++) {
		told = killed_child(&seed);
		audit_close(open_log());
		if (!whole(&v)) {
			broken++;
			break;
		}
		lost += v.records < told;
	}
	printf("# %d kills, last number told %llu, %llu records, %llu incomplete ones removed\n", rounds, (unsigned long long)told, (unsigned long long)v.records,
	       (unsigned long long)v.recovered);
	check(broken == 0 && lost == 0, "kill -9 while writing: the log is whole, and holds what was told");
}

int main(int argc, char **argv)
{
	char log[512], checkpoint[600];

	snprintf(log, sizeof(log), "%s/race.audit", argc > 1 ? argv[1] : ".");
	snprintf(checkpoint, sizeof(checkpoint), "%s/checkpoint", log);
	policy.path = log;
	policy.checkpoint_file = checkpoint;
	sessions = argc > 2 ? (int)strtol(argv[2], NULL, 10) : sessions;
	answers = argc > 3 ? (int)strtol(argv[3], NULL, 10) : answers;
	rounds = argc > 4 ? (int)strtol(argv[4], NULL, 10) : rounds;
	race();
	kills();
	return failed > 0;
}
