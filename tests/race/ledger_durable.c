/*
 * A charge is reported only after a sync that began behind its call has ended (invariant 2), for one session and for 32 that share commits; and a sync that
 * fails is an error, not a charge.  The program's own fsync and fdatasync stand before the C library's: they are slow, counted, and may fail.
 */
#include "budget/ledger.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long begun, last_ended; /* syncs are numbered by when they began */
static int slow, failing;

static int counted_sync(long number, int fd)
{
	pthread_mutex_lock(&lock);
	long me = ++begun;
	pthread_mutex_unlock(&lock);
	if (slow)
		usleep(3000);
	int rc = failing ? -1 : (int)syscall(number, fd);
	pthread_mutex_lock(&lock);
	if (rc == 0 && me > last_ended)
		last_ended = me;
	pthread_mutex_unlock(&lock);
	if (failing)
		errno = EIO;
	return rc;
}

int fsync(int fd)
{
	return counted_sync(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return counted_sync(SYS_fdatasync, fd);
}

static struct ledger *ledger;
static long early, made;

static int charge(void)
{
	const struct policy_budget b = { .owner = "o", .schema = "s", .table = "t", .analyst = "a", .epsilon = { 100 * EPS_ONE } };
	const struct charge c = { .budget = &b, .epsilon = { EPS_ONE / 100000 }, .mechanism = "[]" };
	const struct ledger_entry entry = { "u", "a", "SELECT 1" };
	struct error e;
	int64_t id;

	return ledger_charge(ledger, &(struct charges){ &c, 1 }, &entry, &id, &e);
}

static void *session(void *arg)
{
	for (int i = 0; i < *(int *)arg; i++) {
		pthread_mutex_lock(&lock);
		long before = begun;
		pthread_mutex_unlock(&lock);
		if (!charge())
			break;
		pthread_mutex_lock(&lock);
		made++;
		early += last_ended <= before;
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static int sessions(int n, int each)
{
	pthread_t t[32];

	early = made = 0;
	for (int i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, session, &each) != 0)
			return 0;
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	return early == 0 && made == (long)n * each;
}

int main(void)
{
	char dir[] = "/tmp/ledger-durable-XXXXXX", path[64];
	const struct policy_budget b = { .owner = "o", .schema = "s", .table = "t", .analyst = "a", .epsilon = { 100 * EPS_ONE } };
	const struct clock c = clock_system();
	struct account_state before, after;
	struct error e;
	int bad = 0;

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/ledger", dir);
	if (!ledger_open(path, &c, &ledger, &e))
		return fprintf(stderr, "%s\n", e.message), 1;
	slow = 1;
	int one = sessions(1, 30), alone = (int)begun, many = sessions(32, 30);
	bad += !one + !many;
	printf("%sok one session: 30 charges, none before its sync\n", one ? "" : "not ");
	printf("%sok 32 sessions: 960 charges, none before its sync\n", many ? "" : "not ");
	int shared = begun - alone < 960 / 2; /* fewer syncs than charges: commits are shared */
	printf("%sok 960 charges of 32 sessions shared %ld syncs\n", shared ? "" : "not ", begun - alone);
	slow = 0;
	if (!ledger_state(ledger, &b, &before, &e))
		return 1;
	failing = 1;
	int refused = !charge();
	failing = 0;
	int again = charge() && ledger_state(ledger, &b, &after, &e) && after.queries >= before.queries + 1;
	printf("%sok a sync that fails is an error\n%sok the next charge works\n", refused ? "" : "not ", again ? "" : "not ");
	ledger_close(ledger);
	return bad || !shared || !refused || !again;
}
