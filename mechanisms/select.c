#include "mechanisms/select.h"

#include <math.h>

double select_delta(const struct noise *n, uint64_t groups, i128 threshold)
{
	double p = noise_tail(n, threshold - 1);

	return p >= 1 ? 1 : -expm1((double)groups * log1p(-p)) * (1 + 1e-9);
}

bool select_threshold(const struct noise *n, uint64_t groups, struct delta delta, i128 *threshold, struct error *e)
{
	const double goal = delta_double(delta);
	i128 lo = 0, hi = 2;

	if (delta.atto == 0 || groups == 0)
		return fail(e, ERR_BAD_PARAMETER, "group selection needs a delta above 0");
	while (select_delta(n, groups, hi) > goal) {
		lo = hi;
		if (hi > (i128)1 << 100)
			return fail(e, ERR_BAD_PARAMETER, "no threshold reaches this delta");
		hi *= 2;
	}
	while (hi - lo > 1) { /* lo fails (or is 0), hi holds */
		i128 mid = lo + (hi - lo) / 2;
		if (select_delta(n, groups, mid) <= goal)
			hi = mid;
		else
			lo = mid;
	}
	*threshold = hi;
	return true;
}
