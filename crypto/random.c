#include "crypto/random.h"

#include "base/mem.h"
#include "crypto/secret.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>

enum { BUFFER = 4096 };

/* Counts forks on the way to this process: a child must not hand out bytes that its parent also has. */
static atomic_uint generation = 1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Per thread: no lock, and no byte is handed to two threads. */
static _Thread_local struct {
	uint8_t bytes[BUFFER];
	size_t left;         /* unused bytes at the end */
	unsigned generation; /* that filled it; 0: never */
} buffer;

static void in_child(void)
{
	atomic_fetch_add(&generation, 1);
}

static void watch_forks(void)
{
	BUG_IF(pthread_atfork(NULL, NULL, in_child) != 0);
}

static bool fill(void *ctx UNUSED, uint8_t *out, size_t n)
{
	if (n > BUFFER)
		return n <= INT32_MAX && RAND_bytes(out, (int)n) == 1;
	(void)pthread_once(&once, watch_forks);
	unsigned now = atomic_load(&generation);
	if (buffer.generation != now || buffer.left < n) {
		buffer.left = 0;
		if (RAND_bytes(buffer.bytes, BUFFER) != 1)
			return false;
		buffer.left = BUFFER;
		buffer.generation = now;
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
