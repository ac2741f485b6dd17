#include "audit_world.h"

#include "crypto/random.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct wall_time now(void *ctx UNUSED)
{
	return (struct wall_time){ INT64_C(1795000000000000) };
}

static void paths(struct audit_world *w)
{
	snprintf(w->root, sizeof(w->root), "/tmp/audit-test-XXXXXX");
	cr_assert(mkdtemp(w->root));
	snprintf(w->dir, sizeof(w->dir), "%s/log", w->root);
	snprintf(w->checkpoint, sizeof(w->checkpoint), "%s/checkpoint", w->dir);
	w->policy = (struct policy_audit){ .path = w->dir, .checkpoint_file = w->checkpoint, .checkpoint_records = 1000000, .checkpoint_seconds = 3600,
					   .segment_bytes = 64 << 20 };
}

void world_make(struct audit_world *w, bool with_key)
{
	struct wr secret, open;
	struct error e;

	paths(w);
	if (!with_key)
		return;
	wr_init_heap(&secret, 4096);
	wr_init_heap(&open, 4096);
	cr_assert(sign_generate(&secret, &open, &e), "%s", e.message);
	file_put(w->root, "key", secret.p, secret.n);
	file_put(w->root, "key.pub", open.p, open.n);
	wr_free(&secret);
	wr_free(&open);
	snprintf(w->key, sizeof(w->key), "%s/key", w->root);
	chmod(w->key, 0600);
	w->policy.sign_key = w->key;
}

static void remove_tree(const char *dir)
{
	DIR *d = opendir(dir);
	char path[512];

	if (!d)
		return;
	for (struct dirent *entry; (entry = readdir(d));) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (unlink(path) != 0)
			remove_tree(path);
	}
	closedir(d);
	rmdir(dir);
}

void world_remove(struct audit_world *w)
{
	remove_tree(w->root);
}

bool world_try(struct audit_world *w, struct audit **out, struct error *e)
{
	const struct audit_options o = { .policy = &w->policy, .collaboration = "spring", .version = "test", .clock = { now, NULL }, .random = random_system() };

	*e = ERROR_INIT;
	return audit_open(&o, out, e);
}

struct audit *world_open(struct audit_world *w)
{
	struct audit *a = NULL;
	struct error e;

	cr_assert(world_try(w, &a, &e), "%s", e.message);
	return a;
}

struct audit_mark world_say(struct audit *a, enum audit_event event, const char *sql)
{
	struct audit_mark mark;
	struct error e;
	struct wr w;

	wr_init_heap(&w, 1 << 20);
	audit_put_text(&w, AUDIT_FIELD_SQL, sql);
	cr_assert(audit_append(a, event, &w, &mark, &e), "%s", e.message);
	wr_free(&w);
	return mark;
}

bool world_whole(const struct audit_world *w, struct audit_verdict *v, struct error *e)
{
	uint8_t key[1][SIGN_PUBLIC];
	struct audit_claim claim;
	struct audit_evidence evidence = { .keys = (const uint8_t(*)[SIGN_PUBLIC])key, .claims = &claim };
	char path[200];

	*e = ERROR_INIT;
	if (w->policy.sign_key) {
		snprintf(path, sizeof(path), "%s.pub", w->key);
		cr_assert(sign_public_load(path, key[0], e), "%s", e->message);
		evidence.n_keys = 1;
	}
	struct bytes text = file_bytes(w->dir, "checkpoint");
	bool ok = !text.p || audit_claim_checkpoint("checkpoint", (char *)text.p, &evidence, &claim, e);
	evidence.n_claims = text.p != NULL;
	ok = ok && audit_verify(w->dir, &evidence, v, e);
	free(text.p);
	return ok;
}

struct bytes file_bytes(const char *dir, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "rb");
	if (!f)
		return (struct bytes){ NULL, 0 };
	fseek(f, 0, SEEK_END);
	struct bytes b = { .n = (size_t)ftell(f) };
	rewind(f);
	b.p = calloc(b.n + 1, 1);
	cr_assert(fread(b.p, 1, b.n, f) == b.n);
	fclose(f);
	return b;
}

void file_put(const char *dir, const char *name, const uint8_t *p, size_t n)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "wb");
	cr_assert(f && fwrite(p, 1, n, f) == n && fclose(f) == 0);
}

void copy_log(const struct audit_world *from, struct audit_world *to)
{
	DIR *d = opendir(from->dir);

	paths(to);
	mkdir(to->dir, 0700);
	memcpy(to->key, from->key, sizeof(to->key));
	to->policy.sign_key = from->policy.sign_key ? to->key : NULL;
	to->policy.segment_bytes = from->policy.segment_bytes;
	for (struct dirent *entry; (entry = readdir(d));) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "lock") == 0)
			continue;
		struct bytes b = file_bytes(from->dir, entry->d_name);
		file_put(to->dir, entry->d_name, b.p, b.n);
		free(b.p);
	}
	closedir(d);
	char salt[200];
	snprintf(salt, sizeof(salt), "%s/salt", to->dir);
	chmod(salt, 0600);
}
