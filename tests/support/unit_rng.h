/* Random sources for tests only: the shipped program has no way to select them. */
#ifndef NG_TESTS_UNIT_RNG_H
#define NG_TESTS_UNIT_RNG_H

#include "base/random.h"

/* Seeded: the same seed gives the same bytes. */
struct unit_rng {
	uint64_t state, word;
	uint64_t drawn; /* bytes */
	uint64_t fail_after; /* 0: never */
};

struct rng unit_rng(struct unit_rng *u, uint64_t seed);

/* The kernel's randomness: a different run every time. */
struct rng unit_rng_system(void);

/* A fixed byte again and again, as from a broken source. */
struct rng unit_rng_stuck(uint8_t *byte);

#endif
