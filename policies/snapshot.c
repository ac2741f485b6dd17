#include "policies/snapshot.h"

#include "base/mem.h"

enum { SNAPSHOT_BYTES_MAX = 256 << 20 };

struct snapshot *snapshot_load(const char *path, struct policy_report *report, struct error *e)
{
	struct snapshot *s = mem_alloc(1, sizeof(*s));

	if (!s) {
		fail_memory(e);
		return NULL;
	}
	s->references = 1;
	arena_init(&s->arena, SNAPSHOT_BYTES_MAX);
	if (!policy_load(&s->arena, path, &s->policy, report, e)) {
		snapshot_drop(s);
		return NULL;
	}
	return s;
}

struct snapshot *snapshot_hold(struct snapshot *s)
{
	(void)__atomic_add_fetch(&s->references, 1, __ATOMIC_RELAXED);
	return s;
}

void snapshot_drop(struct snapshot *s)
{
	if (!s || __atomic_sub_fetch(&s->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	arena_reset(&s->arena);
	mem_free(s);
}
