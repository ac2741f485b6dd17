#include "crypto/random.h"

#include "base/mem.h"
#include "crypto/secret.h"

#include <openssl/rand.h>
#include <unistd.h>

enum { BUFFER = 4096 };

/* Per thread: no lock, and no byte is handed to two threads.  The process id tells a forked child to start afresh. */
static _Thread_local struct {
	uint8_t bytes[BUFFER];
	size_t left; /* unused bytes at the end */
	pid_t owner;
} buffer;

static bool fill(void *ctx UNUSED, uint8_t *out, size_t n)
{
	if (n > BUFFER)
		return n <= INT32_MAX && RAND_bytes(out, (int)n) == 1;
	if (buffer.owner != getpid() || buffer.left < n) {
		buffer.left = 0;
		if (RAND_bytes(buffer.bytes, BUFFER) != 1)
			return false;
		buffer.left = BUFFER;
		buffer.owner = getpid();
	}
	uint8_t *from = buffer.bytes + (BUFFER - buffer.left);
	mem_copy(out, from, n);
	secret_wipe(from, n);
	buffer.left -= n;
	return true;
}

struct rng random_system(void)
{
	return (struct rng){ .fill = fill };
}
