#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define NG_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NG_ASAN 1
#endif
#endif

#ifdef NG_ASAN
#include <sanitizer/asan_interface.h>
#define HIDE(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define SHOW(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define HIDE(p, n) ((void)(p), (void)(n))
#define SHOW(p, n) ((void)(p), (void)(n))
#endif

enum { BLOCK_MIN = 4096, BLOCK_MAX = 1 << 20, ALIGN = alignof(max_align_t) };

struct arena_block {
	struct arena_block *next;
	size_t size, used; /* of data[] */
	alignas(max_align_t) unsigned char data[];
};

struct arena_cleanup {
	struct arena_cleanup *next;
	void (*fn)(void *object);
	void *object;
};

void arena_init(struct arena *a, size_t cap)
{
	*a = (struct arena){ .cap = cap };
}

void arena_reset(struct arena *a)
{
	for (struct arena_cleanup *c = a->cleanup; c; c = c->next)
		c->fn(c->object);
	for (struct arena_block *b = a->head; b;) {
		struct arena_block *next = b->next;
		SHOW(b->data, b->size);
		explicit_bzero(b->data, b->used);
		free(b);
		b = next;
	}
	arena_init(a, a->cap);
}

static struct arena_block *block_add(struct arena *a, size_t need)
{
	size_t size = a->head ? a->head->size * 2 : BLOCK_MIN;

	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	if (size < need)
		size = need;
	struct arena_block *b = malloc(sizeof(*b) + size);
	if (!b)
		return NULL;
	*b = (struct arena_block){ .next = a->head, .size = size };
	HIDE(b->data, b->size);
	a->head = b;
	return b;
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
	size_t bytes, padded;

	if (__builtin_mul_overflow(n, size, &bytes) || __builtin_add_overflow(bytes, (size_t)(2 * ALIGN - 1), &padded))
		return NULL;
	padded = (padded / ALIGN) * ALIGN; /* at least ALIGN spare bytes: under ASan they stay poisoned */
	if (padded > a->cap - a->used)
		return NULL;
	struct arena_block *b = a->head;
	if (!b || padded > b->size - b->used) {
		b = block_add(a, padded);
		if (!b)
			return NULL;
	}
	void *p = b->data + b->used;
	b->used += padded;
	a->used += padded;
	SHOW(p, bytes);
	memset(p, 0, bytes);
	return p;
}

char *arena_copy(struct arena *a, const void *p, size_t n)
{
	if (n == SIZE_MAX)
		return NULL;
	char *to = arena_alloc(a, n + 1, 1);
	if (to && n > 0)
		memcpy(to, p, n);
	return to;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_copy(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0)
		return NULL;
	char *to = arena_alloc(a, (size_t)n + 1, 1);
	if (!to)
		return NULL;
	va_start(args, fmt);
	n = vsnprintf(to, (size_t)n + 1, fmt, args);
	va_end(args);
	return n < 0 ? NULL : to;
}

void *arena_grow(struct arena *a, void *items, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return items;
	size_t more = *cap ? *cap * 2 : 8;
	if (more < *cap)
		return NULL;
	void *to = arena_alloc(a, more, size);
	if (!to)
		return NULL;
	if (count > 0)
		memcpy(to, items, count * size);
	*cap = more;
	return to;
}

bool arena_on_reset(struct arena *a, void (*fn)(void *object), void *object)
{
	struct arena_cleanup *c = arena_new(a, struct arena_cleanup);

	if (!c)
		return false;
	*c = (struct arena_cleanup){ .next = a->cleanup, .fn = fn, .object = object };
	a->cleanup = c;
	return true;
}
