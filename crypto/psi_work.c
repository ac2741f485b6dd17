#include "crypto/psi_work.h"

#include <pthread.h>
#include <unistd.h>

enum { THREADS_MAX = 32, WORTH_A_THREAD = 64 };

struct share {
	pthread_t thread;
	size_t from, to;
	const struct secret_key *exponent;
	bool (*one)(struct psi_curve *c, void *ctx, size_t i);
	void *ctx;
	bool ok, started;
};

static void *work(void *arg)
{
	struct share *s = arg;
	struct psi_curve *c = psi_curve_new(s->exponent);

	s->ok = c != NULL;
	for (size_t i = s->from; s->ok && i < s->to; i++)
		s->ok = s->one(c, s->ctx, i);
	psi_curve_free(c);
	return NULL;
}

bool psi_work(size_t n, const struct secret_key *exponent, bool (*one)(struct psi_curve *c, void *ctx, size_t i), void *ctx)
{
	struct share shares[THREADS_MAX];
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	size_t threads = cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (size_t)cores;
	bool ok = true;

	if (n / WORTH_A_THREAD < threads)
		threads = n / WORTH_A_THREAD ? n / WORTH_A_THREAD : 1;
	for (size_t t = 0; t < threads; t++) {
		shares[t] = (struct share){ .from = n * t / threads, .to = n * (t + 1) / threads, .exponent = exponent, .one = one, .ctx = ctx };
		if (t + 1 < threads)
			shares[t].started = pthread_create(&shares[t].thread, NULL, work, &shares[t]) == 0;
		if (!shares[t].started)
			(void)work(&shares[t]); /* the last one here; so too what no thread could be had for */
	}
	for (size_t t = 0; t < threads; t++) {
		if (shares[t].started)
			(void)pthread_join(shares[t].thread, NULL);
		ok = ok && shares[t].ok;
	}
	return ok;
}
