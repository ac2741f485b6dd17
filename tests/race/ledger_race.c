/* 64 threads, then 8 processes, race for a budget that covers 50 charges: exactly 50 succeed.  Plain main, so that it runs under TSan too. */
#include "budget/ledger.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct policy_budget budget = { .owner = "o", .schema = "s", .table = "t", .analyst = "a", .epsilon = { 50 * (EPS_ONE / 10) }, .accounting = ACCOUNTING_PURE };
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

static int threads(const char *path)
{
	const struct clock c = clock_system();
	pthread_t t[64];
	struct error e;

	if (!ledger_open(path, &c, &ledger, &e))
		return -1;
	for (int i = 0; i < 64; i++)
		if (pthread_create(&t[i], NULL, racer, NULL) != 0)
			return -1;
	for (int i = 0; i < 64; i++)
		pthread_join(t[i], NULL);
	ledger_close(ledger);
	return won;
}

static int processes(const char *path)
{
	int total = 0, status;

	for (int i = 0; i < 8; i++) {
		if (fork() == 0) {
			const struct clock c = clock_system();
			struct ledger *l;
			struct error e;
			int n = 0;
			if (!ledger_open(path, &c, &l, &e))
				_exit(255);
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

int main(void)
{
	char dir[] = "/tmp/ledger-race-XXXXXX", path[64];

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/one", dir);
	int a = threads(path);
	snprintf(path, sizeof(path), "%s/two", dir);
	int b = processes(path);
	printf("%sok 64 threads: %d charges of 50\n%sok 8 processes: %d charges of 50\n", a == 50 ? "" : "not ", a, b == 50 ? "" : "not ", b);
	return a == 50 && b == 50 ? 0 : 1;
}
