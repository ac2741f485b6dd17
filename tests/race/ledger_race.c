/*
 * 64 threads, then 8 processes, race for a budget that covers 50 charges: exactly 50 succeed.  Plain main, so that it runs under TSan too.
 *   ledger_race                     on SQLite files, without and with an anchor
 *   ledger_race postgresql://...    on a PostgreSQL ledger: each process is a proxy of its own
 */
#include "budget/ledger.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct policy_budget budget = { .owner = "o", .schema = "s", .table = "t", .analyst = "a", .epsilon = { 50 * (EPS_ONE / 10) }, .accounting = ACCOUNTING_PURE };
static struct policy policy = { .collaboration = "c", .ledger = { .schema = "race" } };
static struct ledger *ledger;
static int won;

static int try_charge(struct ledger *l)
{
	const struct charge c = { .budget = &budget, .epsilon = { EPS_ONE / 10 }, .mechanism = "[]" };
	const struct ledger_entry entry = { "u", "a", "SELECT 1" };
	struct error e;
	int64_t id;

	return ledger_charge(l, &(struct charges){ &c, 1 }, &entry, &id, &e);
}

static void *racer(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		__atomic_add_fetch(&won, try_charge(ledger), __ATOMIC_SEQ_CST);
	return NULL;
}

static int threads(void)
{
	const struct clock c = clock_system();
	pthread_t t[64];
	struct error e;

	won = 0;
	if (!ledger_open_policy(&policy, &c, &ledger, &e))
		return -1;
	for (int i = 0; i < 64; i++)
		if (pthread_create(&t[i], NULL, racer, NULL) != 0)
			return -1;
	for (int i = 0; i < 64; i++)
		pthread_join(t[i], NULL);
	ledger_close(ledger);
	return won;
}

static int processes(void)
{
	int total = 0, status;

	fflush(stdout); /* or the children would print it too */
	for (int i = 0; i < 8; i++) {
		if (fork() == 0) {
			const struct clock c = clock_system();
			struct ledger *l;
			struct error e;
			int n = 0;
			if (!ledger_open_policy(&policy, &c, &l, &e)) {
				fprintf(stderr, "process %d: %s %s\n", i, e.message, e.detail);
				_exit(255);
			}
			for (int j = 0; j < 10; j++)
				n += try_charge(l);
			ledger_close(l);
			_exit(n);
		}
	}
	while (wait(&status) > 0)
		total += WIFEXITED(status) && WEXITSTATUS(status) < 255 ? WEXITSTATUS(status) : -1000;
	return total;
}

/* Both races, each on a ledger of its own. */
static int both(const char *dir, const char *name, bool anchored)
{
	char path[100], schema[60], anchor[120];
	bool pg = policy.ledger.postgres != NULL;

	snprintf(path, sizeof(path), "%s/%s-threads", dir, name);
	snprintf(schema, sizeof(schema), "race_%d_threads", (int)getpid());
	snprintf(anchor, sizeof(anchor), "%s.anchor", path);
	policy.ledger_path = path;
	policy.ledger.schema = schema;
	policy.ledger.anchor_file = anchored ? anchor : NULL;
	int a = threads();
	snprintf(path, sizeof(path), "%s/%s-processes", dir, name);
	snprintf(schema, sizeof(schema), "race_%d_processes", (int)getpid());
	snprintf(anchor, sizeof(anchor), "%s.anchor", path);
	int b = processes();
	printf("%sok %s: 64 threads: %d charges of 50\n%sok %s: 8 %s: %d charges of 50\n", a == 50 ? "" : "not ", name, a, b == 50 ? "" : "not ", name, pg ? "proxies" : "processes", b);
	return a == 50 && b == 50 ? 0 : 1;
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/ledger-race-XXXXXX";

	if (!mkdtemp(dir))
		return 1;
	policy.ledger.postgres = argc > 1 ? argv[1] : NULL;
	if (argc > 1)
		return both(dir, "PostgreSQL", false);
	return both(dir, "SQLite", false) + both(dir, "anchored", true);
}
