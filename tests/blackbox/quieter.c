/*
 * Linked into a test binary only, around the calibration (ld --wrap): every scale is 15% smaller than the guarantee needs, and nothing else is changed:
 * what is claimed, charged and explained stays.  The product has no switch for it; an audit of the answers must find it.
 */
#include "mechanisms/calibrate.h"

bool __real_calibrate_laplace(u128 l1, struct eps epsilon, struct noise *out, struct error *e);
bool __real_calibrate_gaussian(u128 l2_squared, struct rho rho, struct noise *out, struct error *e);
bool __wrap_calibrate_laplace(u128 l1, struct eps epsilon, struct noise *out, struct error *e);
bool __wrap_calibrate_gaussian(u128 l2_squared, struct rho rho, struct noise *out, struct error *e);

bool __wrap_calibrate_laplace(u128 l1, struct eps epsilon, struct noise *out, struct error *e)
{
	if (!__real_calibrate_laplace(l1, epsilon, out, e))
		return false;
	out->num *= 17;
	out->den *= 20;
	return true;
}

bool __wrap_calibrate_gaussian(u128 l2_squared, struct rho rho, struct noise *out, struct error *e)
{
	if (!__real_calibrate_gaussian(l2_squared, rho, out, e))
		return false;
	out->num = (out->num * (17 * 17) + 399) / (20 * 20); /* a variance; its denominator stays short, for the sampler's sake */
	return true;
}
