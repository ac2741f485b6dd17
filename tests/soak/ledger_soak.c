/*
 * A proxy of eight sessions is killed at a random moment, ROUNDS times; every session charges two accounts at once and says so when it is told that the charge
 * stands.  After every kill: the ledger opens (its whole chain is checked), nothing said is missing, nothing unsaid is there beyond what was in flight, both
 * accounts are equal (all or none), and no limit is passed; every few rounds a new ledger, with a limit that is small enough to be run into or too large for it.
 *   ledger_soak ROUNDS DIRECTORY|postgresql://... [anchored]      prints TAP
 */
#include "budget/ledger.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SESSIONS = 8, ROUNDS_OF_ONE = 25 };

static const long limits[] = { 60, 400, 1500 }; /* charges that a ledger's budget covers: some are reached soon, some never */
static long limit;

static struct policy policy = { .collaboration = "soak" };
static struct policy_budget accounts[2] = {
	{ .owner = "o", .schema = "s", .table = "one", .analyst = "a", .accounting = ACCOUNTING_PURE },
	{ .owner = "p", .schema = "s", .table = "two", .analyst = "a", .accounting = ACCOUNTING_PURE },
};
static struct ledger *ledger;
static int out;

static bool charge(struct error *e)
{
	const struct charge both[] = { { .budget = &accounts[0], .epsilon = { EPS_ONE / 10 }, .mechanism = "[]" },
				       { .budget = &accounts[1], .epsilon = { EPS_ONE / 10 }, .mechanism = "[]" } };
	const struct ledger_entry entry = { "u", "a", "SELECT 1" };
	int64_t id;

	return ledger_charge(ledger, &(struct charges){ both, 2 }, &entry, &id, e);
}

static void *session(void *arg)
{
	struct error e;

	while (charge(&e))
		if (write(out, "1", 1) != 1)
			_exit(1);
	if (e.code != ERR_BUDGET)
		fprintf(stderr, "%s\n", e.message);
	return arg;
}

static void proxy(void)
{
	const struct clock c = clock_system();
	pthread_t t[SESSIONS];
	struct error e;

	if (!ledger_open_policy(&policy, &c, &ledger, &e)) {
		fprintf(stderr, "%s\n", e.message);
		_exit(1);
	}
	if (write(out, "r", 1) != 1)
		_exit(1);
	for (int i = 0; i < SESSIONS; i++)
		if (pthread_create(&t[i], NULL, session, NULL) != 0)
			_exit(1);
	for (int i = 0; i < SESSIONS; i++)
		pthread_join(t[i], NULL);
	pause();
}

struct tally {
	long said, charged, lost, ghosts, torn, overdrawn, unopened, exhausted;
};

static void round_of(struct tally *t, long *said, long *killed)
{
	const struct clock c = clock_system();
	struct account_state a, b;
	struct error e;
	char buffer[4096];
	int pipes[2];
	ssize_t n;

	if (pipe(pipes) != 0)
		exit(1);
	pid_t child = fork();
	if (child == 0) {
		close(pipes[0]);
		out = pipes[1];
		proxy();
	}
	close(pipes[1]);
	/* after some answers, at any point between two of them, or (one time of ten) perhaps while it opens; no answers come when the budget is used up */
	struct pollfd p = { .fd = pipes[0], .events = POLLIN };
	for (long seen = 0, wanted = random() % 10 ? random() % 40 : 0; seen < wanted && poll(&p, 1, 100) == 1; seen += n) {
		n = read(pipes[0], buffer, sizeof(buffer));
		for (ssize_t i = 0; i < n; i++)
			*said += buffer[i] == '1';
		if (n <= 0)
			break;
	}
	usleep((useconds_t)(random() % 5000));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	while ((n = read(pipes[0], buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < n; i++)
			*said += buffer[i] == '1';
	close(pipes[0]);
	++*killed;
	if (!ledger_open_policy(&policy, &c, &ledger, &e) || !ledger_state(ledger, &accounts[0], &a, &e) || !ledger_state(ledger, &accounts[1], &b, &e)) {
		printf("# %s\n", e.message);
		t->unopened++;
		return;
	}
	ledger_close(ledger);
	t->lost += a.queries < *said;
	t->ghosts += a.queries > *said + SESSIONS * *killed; /* committed, and killed before it was said */
	t->torn += a.queries != b.queries || a.epsilon.pico != b.epsilon.pico;
	t->overdrawn += a.epsilon.pico > accounts[0].epsilon.pico || a.epsilon.pico != (uint64_t)a.queries * (EPS_ONE / 10);
	t->exhausted += a.queries == limit && *said > 0;
	t->charged = a.queries;
}

int main(int argc, char **argv)
{
	char path[200], schema[60], anchor[220];
	struct tally t = { 0 };
	long rounds = argc > 2 ? atol(argv[1]) : 0, total_said = 0, total_charged = 0, said = 0, killed = 0, made = 0;

	if (rounds < 1)
		return 2;
	srandom((unsigned)getpid());
	policy.ledger.postgres = strncmp(argv[2], "postgres", 8) == 0 ? argv[2] : NULL;
	for (long i = 0; i < rounds; i++) {
		if (i == 0 || killed == ROUNDS_OF_ONE || t.charged == limit) {
			total_said += said, total_charged += t.charged;
			said = killed = t.charged = 0;
			limit = limits[made++ % 3];
			accounts[0].epsilon.pico = (uint64_t)limit * (EPS_ONE / 10);
			accounts[1].epsilon.pico = 2 * accounts[0].epsilon.pico;
			snprintf(path, sizeof(path), "%s/ledger-%ld", policy.ledger.postgres ? "/tmp" : argv[2], i);
			snprintf(schema, sizeof(schema), "soak_%d_%ld", (int)getpid(), i);
			snprintf(anchor, sizeof(anchor), "%s.anchor", path);
			policy.ledger_path = path;
			policy.ledger.schema = schema;
			policy.ledger.anchor_file = argc > 3 ? anchor : NULL;
		}
		round_of(&t, &said, &killed);
	}
	total_said += said, total_charged += t.charged;
	int bad = t.lost || t.ghosts || t.torn || t.overdrawn || t.unopened || t.exhausted == 0 || total_said < rounds / 4;
	printf("%sok killed %ld times: %ld charges said to stand, %ld in the ledgers; %ld lost, %ld from nowhere, %ld torn, %ld overdrawn, %ld not opened; the limit reached in %ld\n",
	       bad ? "not " : "", rounds, total_said, total_charged, t.lost, t.ghosts, t.torn, t.overdrawn, t.unopened, t.exhausted);
	return bad;
}
