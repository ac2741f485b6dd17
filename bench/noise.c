/* Samples a second on one core, by processor time, from the shipped random source: bench/noise.sh. */
#include "crypto/random.h"
#include "mechanisms/sampler.h"

#include <stdio.h>
#include <time.h>

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(void)
{
	enum { BATCH = 1000 };
	static const struct { const char *name; struct noise noise; double target; } rows[] = {
		{ "discrete Laplace, b = 2", { NOISE_LAPLACE, 2, 1 }, 3e6 },
		{ "discrete Laplace, b = 50000/3", { NOISE_LAPLACE, 50000, 3 }, 3e6 },
		{ "discrete Laplace, b = 2^40", { NOISE_LAPLACE, (u128)1 << 40, 1 }, 3e6 },
		{ "discrete Gaussian, sigma = 2", { NOISE_GAUSSIAN, 4, 1 }, 1e6 },
		{ "discrete Gaussian, sigma = 300.1", { NOISE_GAUSSIAN, 90060, 1 }, 1e6 },
		{ "discrete Gaussian, sigma^2 = 17728/4096", { NOISE_GAUSSIAN, 17728, 4096 }, 1e6 },
		{ "discrete Gaussian, sigma = 2^30", { NOISE_GAUSSIAN, (u128)1 << 60, 1 }, 1e6 },
	};
	const struct rng r = random_system();
	static i128 out[BATCH];
	int slow = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sampler s;
		struct error e;
		i128 sample;
		if (!sampler_init(&s, &rows[i].noise, &e))
			return 2;
		double n = 0, start = seconds(), end = start;
		for (; end - start < 0.5; end = seconds(), n += BATCH) {
			if (!sampler_fill(&s, &r, out, BATCH, &e))
				return 2;
		}
		double single = 0, one_start = seconds(), one_end = one_start;
		for (; one_end - one_start < 0.1; one_end = seconds(), single += 1) {
			if (!noise_sample(&rows[i].noise, &r, &sample, &e))
				return 2;
		}
		double rate = n / (end - start);
		slow += rate < rows[i].target;
		printf("%-42s %6.2f million samples/s (target %.0f; one by one %.2f)\n", rows[i].name, rate / 1e6, rows[i].target / 1e6,
		       single / (one_end - one_start) / 1e6);
	}
	return slow > 0;
}
