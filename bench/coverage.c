/* Coverage of 95% intervals, aggregate by aggregate: make coverage-intervals, bench/coverage.sh [RUNS [NAME]]. */
#include "crypto/random.h"
#include "tests/unit/mechanisms/coverage_cases.h"

int main(int argc, char **argv)
{
	static struct coverage_cases all;
	const int runs = argc > 1 ? atoi(argv[1]) : 20000;
	const struct rng r = random_system();
	int outside = 0;

	coverage_all(&all);
	printf("%-62s %9s %9s %10s\n", "95% interval of", "coverage", "missing", "width");
	for (size_t i = 0; i < all.n; i++) {
		struct coverage c;
		if (argc > 2 && !strstr(all.list[i].name, argv[2]))
			continue;
		if (coverage_measure(&all.list[i], &r, 0.95, runs, &c) != 0)
			return 2;
		double error = 3 * sqrt(0.05 * 0.95 / runs); /* of the measurement, three standard errors */
		bool good = c.inside >= 0.94 - error && c.inside <= 0.96 + error;
		outside += !good;
		printf("%-62s %8.2f%% %8.2f%% %9.3g%s\n", all.list[i].name, 100 * c.inside, 100 * c.missing, c.width, good ? "" : "  OUTSIDE");
	}
	printf("%d of %zu outside 94-96%% by more than three standard errors\n", outside, all.n);
	return outside > 0;
}
