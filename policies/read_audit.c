/* audit: where the audit log is, and how it is signed. */
#include "policies/read.h"

static void read_checkpoint(struct reader *r, const struct yaml_node *n, struct policy_audit *a)
{
	static const char *const keys[] = { "file", "records", "seconds" };

	if (!read_is(r, n, YAML_MAP, "checkpoint"))
		return;
	read_known(r, n, "checkpoint", keys, ARRAY_LEN(keys), NULL);
	a->checkpoint_file = read_path(r, read_text(r, read_get(n, "file"), "file", NULL));
	a->checkpoint_records = read_int(r, read_get(n, "records"), "records", 1, 1000000, a->checkpoint_records);
	a->checkpoint_seconds = read_int(r, read_get(n, "seconds"), "seconds", 1, 86400, a->checkpoint_seconds);
}

void read_audit(struct reader *r, const struct yaml_node *audit)
{
	static const char *const keys[] = { "path", "sign_key", "checkpoint", "segment_bytes" };
	struct policy_audit *a = &r->policy->audit;
	const char *path = NULL;

	*a = (struct policy_audit){ .checkpoint_records = 1000, .checkpoint_seconds = 60, .segment_bytes = 64 << 20 };
	if (read_is(r, audit, YAML_MAP, "audit")) {
		read_known(r, audit, "audit", keys, ARRAY_LEN(keys), NULL);
		path = read_text(r, read_get(audit, "path"), "path", NULL);
		a->sign_key = read_path(r, read_text(r, read_get(audit, "sign_key"), "sign_key", NULL));
		read_checkpoint(r, read_get(audit, "checkpoint"), a);
		a->segment_bytes = read_int(r, read_get(audit, "segment_bytes"), "segment_bytes", 4096, INT64_C(1) << 40, a->segment_bytes);
	}
	if (!path && r->policy->collaboration) {
		path = arena_printf(r->arena, "%s.audit", r->policy->collaboration);
		r->no_memory = r->no_memory || !path;
	}
	a->path = read_path(r, path);
	if (!a->checkpoint_file && a->path) {
		a->checkpoint_file = arena_printf(r->arena, "%s/checkpoint", a->path);
		r->no_memory = r->no_memory || !a->checkpoint_file;
	}
}
