/* The random source of the shipped program: OpenSSL's generator, buffered per thread, wiped as it is handed out, fresh after fork. */
#ifndef NG_CRYPTO_RANDOM_H
#define NG_CRYPTO_RANDOM_H

#include "base/random.h"

struct rng random_system(void);

#endif
