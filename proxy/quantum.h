/*
 * When answers leave: at a whole multiple of the policy's response_quantum after their question was taken up, errors included.  How long the upstream took
 * shows in nothing finer than that.
 */
#ifndef NG_PROXY_QUANTUM_H
#define NG_PROXY_QUANTUM_H

#include "base/compiler.h"

/* Nanoseconds from `now` to the first multiple of the quantum after `start` that is not before `now`; a quantum of 0: none. */
int64_t quantum_left(int64_t start, int64_t now, int64_t quantum_ms);

/* Waits for it; nothing shortens the wait. */
void quantum_wait(int64_t start, int64_t quantum_ms);

#endif
