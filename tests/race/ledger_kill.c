/* A child charges and acknowledges each charge; it is killed at a random moment, 200 times.  Every acknowledged charge must be in the ledger. */
#include "budget/ledger.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 200 };

static const struct policy_budget budget = { .owner = "o", .schema = "s", .table = "t", .analyst = "a", .epsilon = { 90 * EPS_ONE }, .accounting = ACCOUNTING_PURE };

static void charge_forever(const char *path, int out)
{
	const struct clock c = clock_system();
	const struct charge one = { .budget = &budget, .epsilon = { EPS_ONE / 100000 }, .mechanism = "[]" };
	const struct ledger_entry entry = { "u", "a", "SELECT 1" };
	struct ledger *l;
	struct error e;
	int64_t id;

	if (!ledger_open(path, &c, &l, &e))
		_exit(1);
	while (ledger_charge(l, &(struct charges){ &one, 1 }, &entry, &id, &e))
		if (write(out, &id, sizeof(id)) != sizeof(id))
			_exit(1);
	_exit(1);
}

int main(void)
{
	char dir[] = "/tmp/ledger-kill-XXXXXX", path[64];
	const struct clock c = clock_system();
	int64_t acknowledged = 0, total = 0;
	int lost = 0, unopened = 0;

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/ledger", dir);
	srandom(7);
	for (int round = 0; round < ROUNDS; round++) {
		struct account_state s;
		struct ledger *l;
		struct error e;
		int64_t id;
		int pipes[2];
		if (pipe(pipes) != 0)
			return 1;
		pid_t child = fork();
		if (child == 0) {
			close(pipes[0]);
			charge_forever(path, pipes[1]);
		}
		close(pipes[1]);
		if (round % 4) /* most are killed while they charge, some perhaps while they open */
			(void)poll(&(struct pollfd){ .fd = pipes[0], .events = POLLIN }, 1, 5000);
		usleep((useconds_t)(random() % 20000));
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		while (read(pipes[0], &id, sizeof(id)) == sizeof(id))
			acknowledged++;
		close(pipes[0]);
		if (!ledger_open(path, &c, &l, &e)) { /* also checks that totals are the sums of their charges */
			unopened++;
			continue;
		}
		if (!ledger_state(l, &budget, &s, &e))
			return 1;
		total = s.queries;
		lost += total < acknowledged; /* one charge may be durable and not yet acknowledged: never the other way round */
		ledger_close(l);
	}
	printf("%sok killed %d times: the ledger always opens\n%sok %lld acknowledged, %lld in the ledger: none lost\n", unopened ? "not " : "", ROUNDS,
	       lost || acknowledged < ROUNDS ? "not " : "", (long long)acknowledged, (long long)total);
	return lost || unopened || acknowledged < ROUNDS ? 1 : 0;
}
