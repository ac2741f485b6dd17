#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bug_abort(const char *file, int line, const char *what)
{
	(void)fprintf(stderr, "noisegate: internal error at %s:%d: %s\n", file, line, what);
	abort();
}

void *mem_alloc(size_t n, size_t size)
{
	return calloc(n ? n : 1, size ? size : 1);
}

void *mem_grow(void *p, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		return NULL;
	return realloc(p, total ? total : 1);
}

char *mem_strdup(const char *s)
{
	return strdup(s);
}

void mem_free(void *p)
{
	free(p);
}

void mem_copy(void *to, const void *from, size_t n)
{
	if (n > 0)
		memcpy(to, from, n);
}

void mem_move(void *to, const void *from, size_t n)
{
	if (n > 0)
		memmove(to, from, n);
}

bool mem_equal(const void *a, const void *b, size_t n)
{
	return n == 0 || memcmp(a, b, n) == 0;
}

void mem_wipe(void *p, size_t n)
{
	if (n > 0)
		explicit_bzero(p, n);
}
