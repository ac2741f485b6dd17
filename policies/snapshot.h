/* A loaded policy with its arena, shared by reference count (atomic): a session keeps the snapshot for the statement it runs. */
#ifndef NG_POLICIES_SNAPSHOT_H
#define NG_POLICIES_SNAPSHOT_H

#include "policies/load.h"

struct snapshot {
	struct arena arena;
	const struct policy *policy;
	int references; /* atomic */
};

/* Loads path; the caller holds the only reference.  NULL with *e and the report filled on error. */
MUST_CHECK struct snapshot *snapshot_load(const char *path, struct policy_report *report, struct error *e);
struct snapshot *snapshot_hold(struct snapshot *s);
void snapshot_drop(struct snapshot *s); /* NULL is fine */

#endif
