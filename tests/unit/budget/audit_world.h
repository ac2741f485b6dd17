/* A scratch directory with an audit log, and files as bytes. */
#ifndef NG_TEST_AUDIT_WORLD_H
#define NG_TEST_AUDIT_WORLD_H

#include "budget/audit.h"
#include "budget/audit_verify.h"

struct audit_world {
	char root[64], dir[128], checkpoint[160], key[160];
	struct policy_audit policy;
};

void world_make(struct audit_world *w, bool with_key);
void world_remove(struct audit_world *w);

struct audit *world_open(struct audit_world *w);                    /* must work */
bool world_try(struct audit_world *w, struct audit **out, struct error *e);
struct audit_mark world_say(struct audit *a, enum audit_event event, const char *sql); /* appends a record with a text */

bool world_whole(const struct audit_world *w, struct audit_verdict *v, struct error *e); /* verifies with the public key and the checkpoint file */

struct bytes {
	uint8_t *p;
	size_t n;
};
struct bytes file_bytes(const char *dir, const char *name);
void file_put(const char *dir, const char *name, const uint8_t *p, size_t n);
void copy_log(const struct audit_world *from, struct audit_world *to); /* to is made; its key is from's */

#endif
