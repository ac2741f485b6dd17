/*
 * Durable charges a second: THREADS sessions charge as fast as they are answered.
 *   ledger FILE|postgresql://... THREADS SECONDS [ANCHOR-FILE]
 * Prints charges a second, and the latency of one.  Every charge returns after its own commit (synchronous=FULL), shared with whoever waited too.
 */
#include "budget/ledger.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 256, SAMPLES_MAX = 1 << 20 };

static struct ledger *ledger;
static int64_t until;
static double latency[SAMPLES_MAX];
static size_t samples, charges, failures;

static void *session(void *arg)
{
	char name[16];
	struct policy_budget b = { .owner = "o", .schema = "s", .table = "t", .analyst = name, .epsilon = { 100 * EPS_ONE }, .delta = { DELTA_ONE / 1000 },
				   .query_max_delta = { DELTA_ONE / 1000 }, .accounting = (intptr_t)arg % 2 ? ACCOUNTING_ZCDP : ACCOUNTING_PURE };
	const struct charge c = { .budget = &b, .epsilon = { EPS_ONE / 1000000 }, .rho = { EPS_ONE / 1000000 }, .delta = { 1000 },
				  .mechanism = "[{\"groups\":1,\"values\":[{\"mechanism\":\"discrete_laplace\",\"num\":\"20000000\",\"den\":\"1\",\"linf\":\"1\"}]}]" };
	const struct ledger_entry entry = { "ana", name, "SELECT region, count(*), avg(spend) FROM customers WHERE age BETWEEN 30 AND 60 GROUP BY region" };

	snprintf(name, sizeof(name), "analyst%d", (int)(intptr_t)arg);
	while (clock_monotonic().nanos < until) {
		struct error e;
		int64_t id, start = clock_monotonic().nanos;
		if (!ledger_charge(ledger, &(struct charges){ &c, 1 }, &entry, &id, &e)) {
			if (__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED) == 0)
				fprintf(stderr, "%s\n", e.message);
			break;
		}
		__atomic_fetch_add(&charges, 1, __ATOMIC_RELAXED);
		size_t at = __atomic_fetch_add(&samples, 1, __ATOMIC_RELAXED);
		if (at < SAMPLES_MAX)
			latency[at] = (double)(clock_monotonic().nanos - start) / 1e6;
	}
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	const struct clock clock = clock_system();
	struct policy p = { .collaboration = "bench", .ledger_path = argc > 1 ? argv[1] : "", .ledger = { .schema = "noisegate_bench" } };
	int threads = argc > 2 ? atoi(argv[2]) : 0;
	double seconds = argc > 3 ? atof(argv[3]) : 0;
	pthread_t t[THREADS_MAX];
	struct error e;

	if (argc < 4 || threads < 1 || threads > THREADS_MAX || seconds <= 0)
		return fprintf(stderr, "usage: ledger FILE|postgresql://... THREADS SECONDS [ANCHOR-FILE]\n"), 2;
	if (strncmp(argv[1], "postgres", 8) == 0)
		p.ledger.postgres = argv[1];
	p.ledger.anchor_file = argc > 4 ? argv[4] : NULL;
	if (!ledger_open_policy(&p, &clock, &ledger, &e))
		return fprintf(stderr, "%s\n", e.message), 1;
	int64_t start = clock_monotonic().nanos;
	until = start + (int64_t)(seconds * 1e9);
	for (intptr_t i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, session, (void *)i) != 0)
			return 1;
	for (int i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	double took = (double)(clock_monotonic().nanos - start) / 1e9;
	ledger_close(ledger);
	size_t n = samples < SAMPLES_MAX ? samples : SAMPLES_MAX;
	qsort(latency, n, sizeof(*latency), by_value);
	printf("%3d sessions: %8.0f durable charges/s, median %.2f ms, p99 %.2f ms\n", threads, (double)charges / took, n ? latency[n / 2] : 0.0, n ? latency[n * 99 / 100] : 0.0);
	return failures || n == 0;
}
