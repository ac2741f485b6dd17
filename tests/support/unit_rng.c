#include "tests/support/unit_rng.h"

/* SplitMix64. */
static uint64_t next(struct unit_rng *u)
{
	uint64_t z = (u->state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static bool fill(void *ctx, uint8_t *out, size_t n)
{
	struct unit_rng *u = ctx;

	for (size_t i = 0; i < n; i++) {
		static _Thread_local uint64_t word;
		if (u->drawn % 8 == 0)
			word = next(u);
		out[i] = (uint8_t)(word >> (8 * (u->drawn % 8)));
		u->drawn++;
		if (u->fail_after && u->drawn > u->fail_after)
			return false;
	}
	return true;
}

struct rng unit_rng(struct unit_rng *u, uint64_t seed)
{
	*u = (struct unit_rng){ .state = seed };
	return (struct rng){ fill, u };
}
