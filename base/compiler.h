/* What every file may use of the compiler: attributes, 128-bit integers, the assertion for our own bugs. */
#ifndef NG_BASE_COMPILER_H
#define NG_BASE_COMPILER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

__extension__ typedef __int128 i128;
__extension__ typedef unsigned __int128 u128;

#define I128_MAX ((i128)(~(u128)0 >> 1))
#define I128_MIN (-I128_MAX - 1)

_Static_assert(CHAR_BIT == 8, "bytes are octets on the wire and in files");
_Static_assert(sizeof(i128) == 16, "sums are carried in 128 bits");
_Static_assert(sizeof(size_t) == 8, "sizes of arenas and messages assume a 64-bit machine");

/* Prints the place (never a value) to stderr and aborts, in every build: a state that our own code must not reach. */
NORETURN void bug_abort(const char *file, int line, const char *what);

/* For our own bugs only.  Anything that input can cause is an error value instead. */
#define BUG_IF(cond)                                          \
	do {                                                  \
		if (cond)                                     \
			bug_abort(__FILE__, __LINE__, #cond); \
	} while (0)

#endif
