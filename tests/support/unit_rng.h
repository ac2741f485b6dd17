/* A seeded random source, for tests only: the shipped program has no way to select it. */
#ifndef NG_TESTS_UNIT_RNG_H
#define NG_TESTS_UNIT_RNG_H

#include "base/random.h"

struct unit_rng {
	uint64_t state;
	uint64_t drawn; /* bytes */
	uint64_t fail_after; /* 0: never */
};

struct rng unit_rng(struct unit_rng *u, uint64_t seed);

#endif
