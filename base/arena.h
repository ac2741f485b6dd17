/*
 * Arena: everything allocated for one purpose lives until the arena is reset or freed, then dies together, wiped.
 *
 * Root arenas: policy snapshot (until its last user lets go), session (until close), prepared statement (until DEALLOCATE or
 * close), query (reset when the answer has been sent).  An object in a longer-lived arena never points into a shorter-lived one:
 * it copies.  Exceeding the cap or the system's memory returns NULL, which callers turn into fail_memory().
 * Not thread-safe: an arena has one owner at a time.
 */
#ifndef NG_BASE_ARENA_H
#define NG_BASE_ARENA_H

#include "base/compiler.h"

struct arena_block;
struct arena_cleanup;

struct arena {
	struct arena_block *head;      /* newest block first */
	struct arena_cleanup *cleanup; /* newest first */
	size_t used, cap;              /* bytes handed out; at most cap */
};

/* An empty arena that hands out at most cap bytes; allocates nothing yet. */
void arena_init(struct arena *a, size_t cap);

/* Runs the cleanups in reverse order, wipes and frees all memory; the arena is empty and usable again. */
void arena_reset(struct arena *a);

/* Zeroed memory for n objects of size bytes, aligned for any type; NULL beyond the cap, on overflow, or without memory. */
MUST_CHECK void *arena_alloc(struct arena *a, size_t n, size_t size);

#define arena_new(a, type) ((type *)arena_alloc((a), 1, sizeof(type)))
#define arena_array(a, n, type) ((type *)arena_alloc((a), (n), sizeof(type)))

/* Copies of n bytes (plus a zero byte), of a C string, or of formatted text; NULL as above. */
MUST_CHECK char *arena_copy(struct arena *a, const void *p, size_t n);
MUST_CHECK char *arena_strdup(struct arena *a, const char *s);
MUST_CHECK PRINTF_LIKE(2, 3) char *arena_printf(struct arena *a, const char *fmt, ...);

/*
 * Grows an arena array: when *cap == count, moves items to a larger one.  Returns the array (maybe moved) with room for
 * count + 1 items of size bytes, or NULL with the old array intact.
 */
MUST_CHECK void *arena_grow(struct arena *a, void *items, size_t count, size_t *cap, size_t size);

/* Calls fn(object) when the arena is reset, for foreign objects (PQclear, pg_query frees).  False without memory: not registered. */
MUST_CHECK bool arena_on_reset(struct arena *a, void (*fn)(void *object), void *object);

#endif
