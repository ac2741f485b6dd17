/* Planning time over the corpus: parse, bind, price, emit.  Prints the median and the slowest statement. */
#include "tests/corpus/corpus.h"

#include <time.h>

enum { ROUNDS = 51 };

static double micros(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(void)
{
	static struct corpus c;
	static double medians[CORPUS_MAX];
	const struct plan_settings s = corpus_settings();
	struct arena a;
	double slowest = 0;
	const char *which = "";
	size_t n = 0;

	corpus_open(&c);
	arena_init(&a, 1 << 28);
	for (size_t i = 0; i < c.n; i++) {
		double times[ROUNDS];
		bool ok = true;
		for (size_t j = 0; j < ROUNDS && ok; j++) {
			const struct plan *plan;
			struct error e = ERROR_INIT;
			double start = micros();
			ok = plan_make(&a, c.policy, &s, c.sql[i], NULL, 0, &plan, &e);
			times[j] = micros() - start;
			arena_reset(&a);
		}
		if (!ok)
			continue;
		qsort(times, ROUNDS, sizeof(*times), by_value);
		medians[n++] = times[ROUNDS / 2];
		if (times[ROUNDS / 2] > slowest) {
			slowest = times[ROUNDS / 2];
			which = c.sql[i];
		}
	}
	qsort(medians, n, sizeof(*medians), by_value);
	printf("planning %zu statements: median %.0f us, 95%% below %.0f us, slowest %.0f us: %.80s\n", n, medians[n / 2], medians[n * 95 / 100], slowest, which);
	return n == 0;
}
