#include "mechanisms/joint.h"

#include "mechanisms/calibrate.h"

/* w^2 = weight / WEIGHT_ONE, near sqrt(d). */
enum { WEIGHT_ONE = 16 };
_Static_assert(JOINT_LATTICE * JOINT_LATTICE % WEIGHT_ONE == 0, "the norms below are whole numbers");

/* The rational variances that calibrate.h makes have this denominator or 1. */
enum { DENOMINATOR = 4096, PER_TWELFTH = 1024, SHOWN = 12 * PER_TWELFTH };

static bool too_large(struct error *e)
{
	return fail(e, ERR_BAD_PARAMETER, "the sensitivity is too large for this epsilon");
}

/* floor(16 sqrt(d)). */
static u128 weight_of(size_t members)
{
	const u128 square = (u128)WEIGHT_ONE * WEIGHT_ONE * members;
	u128 w = 0;

	for (u128 bit = (u128)1 << 36; bit > 0; bit >>= 1) {
		if ((w + bit) * (w + bit) <= square)
			w += bit;
	}
	return w;
}

/* 16 k (d + w^2). */
static bool norm_of(size_t members, uint64_t groups, u128 *out)
{
	return !__builtin_mul_overflow((u128)groups, (u128)WEIGHT_ONE * members + weight_of(members), out);
}

bool joint_plan(size_t members, uint64_t groups, struct rho rho, struct joint *out, struct error *e)
{
	struct joint j = { .members = members, .groups = groups, .rho = rho };
	u128 norm, l2;

	BUG_IF(members < 2 || members > UINT32_MAX);
	const u128 weight = weight_of(members);
	if (!norm_of(members, groups, &norm) || __builtin_mul_overflow(norm, (u128)JOINT_LATTICE * JOINT_LATTICE, &l2))
		return too_large(e);
	l2 = l2 / weight + (l2 % weight != 0); /* L^2 k (d + w^2) / w^2 */
	if (!calibrate_gaussian(l2, rho, &j.units, e))
		return false;
	*out = j;
	return true;
}

/* n's variance times DENOMINATOR, rounded up. */
static bool whole(const struct noise *n, u128 *out)
{
	u128 scaled;

	if (__builtin_mul_overflow(n->num, (u128)DENOMINATOR, &scaled))
		return false;
	*out = scaled / n->den + (scaled % n->den != 0);
	return true;
}

/* (var z + B^2 var c_L) / (2 L)^2 + 1/12, rounded up. */
static bool shown_law(const struct joint *j, const struct joint_value *v, u128 square, struct noise *out)
{
	const u128 lattice = (u128)4 * JOINT_LATTICE * JOINT_LATTICE;
	u128 own, units, sum;

	if (!whole(&v->noise, &own) || !whole(&j->units, &units) || __builtin_mul_overflow(units, square, &units) || __builtin_add_overflow(own, units, &sum) ||
	    __builtin_mul_overflow(sum, (u128)(SHOWN / DENOMINATOR), &sum))
		return false;
	sum = sum / lattice + (sum % lattice != 0) + PER_TWELFTH;
	if (sum > NOISE_NUM_MAX)
		return false;
	*out = (struct noise){ NOISE_GAUSSIAN, sum, SHOWN };
	return true;
}

bool joint_member(const struct joint *j, i128 bound, struct joint_value *out, struct noise *shown, struct error *e)
{
	const u128 reach = bound < 0 ? (u128)0 - (u128)bound : (u128)bound;
	struct joint_value v = { .bound = bound };
	struct noise law;
	u128 square, l2, norm;

	BUG_IF(bound == 0);
	if (__builtin_mul_overflow(reach, reach, &square) || !norm_of(j->members, j->groups, &norm) ||
	    __builtin_mul_overflow(norm, (u128)JOINT_LATTICE * JOINT_LATTICE / WEIGHT_ONE, &norm) || __builtin_mul_overflow(square, norm, &l2))
		return too_large(e);
	if (!calibrate_gaussian(l2, j->rho, &v.noise, e))
		return false;
	if (!shown_law(j, &v, square, &law))
		return too_large(e);
	*out = v;
	*shown = law;
	return true;
}

bool joint_units(i128 units, i128 *out)
{
	return !__builtin_mul_overflow(units, (i128)JOINT_LATTICE, out);
}

bool joint_mix(const struct joint_value *v, i128 x, i128 units, i128 *out)
{
	i128 shift, twice, z;

	if (__builtin_mul_overflow(v->bound, units, &shift) || __builtin_mul_overflow(x, (i128)2, &twice) || __builtin_sub_overflow(twice, shift, &z))
		return false;
	return !__builtin_mul_overflow(z, (i128)JOINT_LATTICE, out);
}

bool joint_recover(const struct joint_value *v, i128 z, i128 units, i128 *out)
{
	const i128 by = 2 * JOINT_LATTICE;
	i128 sum;

	if (__builtin_mul_overflow(v->bound, units, &sum) || __builtin_add_overflow(sum, z, &sum) || __builtin_add_overflow(sum, by / 2, &sum))
		return false;
	*out = sum / by - (sum % by < 0);
	return true;
}
