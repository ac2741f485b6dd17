#include "proxy/quantum.h"

#include "base/clock.h"

#include <time.h>

int64_t quantum_left(int64_t start, int64_t now, int64_t quantum_ms)
{
	const int64_t quantum = quantum_ms * 1000000;

	if (quantum <= 0)
		return 0;
	int64_t over = (now - start) % quantum;
	return over == 0 && now > start ? 0 : quantum - over;
}

void quantum_wait(int64_t start, int64_t quantum_ms)
{
	int64_t end = clock_monotonic().nanos, left;

	end += quantum_left(start, end, quantum_ms);
	while ((left = end - clock_monotonic().nanos) > 0) {
		const struct timespec t = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
		(void)nanosleep(&t, NULL);
	}
}
