#include "mechanisms/shifted.h"

#include "mechanisms/calibrate.h"

/* Upper bound of P[L = -S given |L| <= S] = P[X = S] / (1 - 2 P[X > S]): the tail from S on stands for the mass at S. */
static double end_mass(const struct noise *n, uint64_t shift)
{
	double outside = 2 * noise_tail(n, (i128)shift + 1);

	return outside < 1 ? noise_tail(n, (i128)shift) / (1 - outside) * (1 + 1e-12) : 1;
}

bool shifted_calibrate(struct eps epsilon, struct delta delta, uint64_t most, struct shifted *out, struct error *e)
{
	struct shifted s;
	double limit = delta_double(delta) * (1 - 1e-12);
	uint64_t low = 0, high = most; /* low: too small; end_mass falls as S grows */

	if (delta.atto == 0)
		return fail(e, ERR_BAD_PARAMETER, "noise that is never negative needs a delta above 0");
	if (!calibrate_laplace(1, epsilon, &s.noise, e))
		return false;
	if (end_mass(&s.noise, most) > limit)
		return fail(e, ERR_BAD_PARAMETER, "epsilon and delta are too small: more than %llu dummies would be needed", (unsigned long long)(2 * most));
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		if (end_mass(&s.noise, middle) > limit)
			low = middle;
		else
			high = middle;
	}
	s.shift = high;
	*out = s;
	return true;
}

bool shifted_sample(const struct shifted *s, const struct rng *r, uint64_t *out, struct error *e)
{
	const i128 shift = (i128)s->shift;
	i128 x;

	do { /* again with probability below 2 delta */
		if (!noise_sample(&s->noise, r, &x, e))
			return false;
	} while (x < -shift || x > shift);
	*out = (uint64_t)(x + shift);
	return true;
}
