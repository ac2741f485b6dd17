#include "tests/support/unit_rng.h"

#include <string.h>
#include <sys/random.h>

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
		if (u->drawn % 8 == 0)
			u->word = next(u);
		out[i] = (uint8_t)(u->word >> (8 * (u->drawn % 8)));
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

static bool fill_system(void *ctx UNUSED, uint8_t *out, size_t n)
{
	for (size_t at = 0, part; at < n; at += part) { /* up to 256 bytes never come short */
		part = n - at < 256 ? n - at : 256;
		if (getrandom(out + at, part, 0) != (ssize_t)part)
			return false;
	}
	return true;
}

struct rng unit_rng_system(void)
{
	return (struct rng){ fill_system, NULL };
}

static bool fill_stuck(void *ctx, uint8_t *out, size_t n)
{
	memset(out, *(uint8_t *)ctx, n);
	return true;
}

struct rng unit_rng_stuck(uint8_t *byte)
{
	return (struct rng){ fill_stuck, byte };
}
