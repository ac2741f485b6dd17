/* Opening an audit log: the lock, the last segments, what a crash left, and the checkpoint that the log must reach. */
#include "budget/audit_state.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- directory, lock, secret ------------------------------------------------------------------------------------------------------------ */

static bool open_directory(struct audit *a, struct error *e)
{
	char path[AUDIT_PATH_MAX];

	if (mkdir(a->dir, 0700) != 0 && errno != EEXIST)
		return fail(e, ERR_AUDIT, "could not create the audit log \"%s\": %s", a->dir, strerror(errno));
	if (!audit_file_path(a->dir, "lock", path, e))
		return false;
	a->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (a->lock_fd < 0)
		return fail(e, ERR_AUDIT, "could not open the audit log \"%s\": %s", a->dir, strerror(errno));
	if (flock(a->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	(void)fail(e, ERR_AUDIT, "the audit log \"%s\" is in use by another process", a->dir);
	return error_hint(e, "Each proxy needs a log of its own: give this one another audit.path.");
}

/* 32 random bytes from which the salts are made; drawn once per log. */
static bool open_secret(struct audit *a, const struct rng *random, struct error *e)
{
	char path[AUDIT_PATH_MAX], *text;
	struct file_out out;
	struct arena arena;
	size_t n;

	if (!audit_file_path(a->dir, "salt", path, e))
		return false;
	if (access(path, F_OK) == 0) {
		arena_init(&arena, 4096);
		bool ok = file_read_secret(&arena, path, 1024, &text, &n, e) &&
			  (n == AUDIT_SECRET || fail(e, ERR_AUDIT, "file \"%s\" does not hold %d bytes", path, AUDIT_SECRET));
		if (ok)
			mem_copy(a->secret, text, AUDIT_SECRET);
		arena_reset(&arena);
		return ok;
	}
	if (!rng_fill(random, a->secret, AUDIT_SECRET))
		return fail(e, ERR_INTERNAL, "the random source failed");
	if (!file_out_open(&out, path, false, e))
		return false;
	if (fwrite(a->secret, 1, AUDIT_SECRET, out.f) != AUDIT_SECRET) {
		int why = errno;
		file_out_abort(&out);
		return audit_write_failed(why, e);
	}
	return file_out_commit(&out, e);
}

/* --- the last segments ------------------------------------------------------------------------------------------------------------------------ */

/* The checkpoint file's claim, while the segments are read. */
struct claim {
	bool there, met;
	struct audit_place place;
};

static void meet(struct claim *c, uint64_t sequence, const uint8_t hash[SHA256_SIZE])
{
	if (c->there && c->place.sequence == sequence)
		c->met = mem_equal(c->place.hash, hash, SHA256_SIZE);
}

static bool read_claim(const struct audit *a, struct claim *c, struct error *e)
{
	struct audit_seal seal;
	struct arena arena;
	char *text;
	size_t n;

	*c = (struct claim){ 0 };
	if (access(a->checkpoint_file, F_OK) != 0)
		return true;
	arena_init(&arena, 16384);
	bool ok = file_read(&arena, a->checkpoint_file, AUDIT_CHECKPOINT_MAX, &text, &n, e) &&
		  (audit_checkpoint_read(text, &c->place, &seal) || fail(e, ERR_AUDIT, "file \"%s\" is not a checkpoint", a->checkpoint_file));
	if (ok && seal.signed_ && !sign_verify(seal.key, text, seal.n_text, seal.signature))
		ok = fail(e, ERR_AUDIT, "the checkpoint \"%s\" has a wrong signature", a->checkpoint_file);
	arena_reset(&arena);
	c->there = ok;
	return ok;
}

/* Reads a segment to its end, noting answers. */
static enum audit_step scan(struct audit *a, struct audit_reader *r, struct claim *c)
{
	struct audit_record record;
	enum audit_step step;

	meet(c, r->header.first - 1, r->header.before);
	while ((step = audit_reader_next(r, &record)) == AUDIT_STEP_RECORD) {
		audit_note_answer(a, &record);
		meet(c, record.sequence, record.hash);
	}
	return step;
}

/* The segment before the last: its answers, and that the last one follows it. */
static bool scan_previous(struct audit *a, uint64_t segment, const struct audit_header *next, struct claim *c, struct error *e)
{
	char path[AUDIT_PATH_MAX];
	struct audit_reader r;

	if (!audit_segment_path(a->dir, segment, path, e))
		return false;
	enum audit_step step = audit_reader_open(&r, path, e);
	if (step == AUDIT_STEP_RECORD)
		step = scan(a, &r, c);
	bool follows = step == AUDIT_STEP_END && r.next == next->first && mem_equal(r.before, next->before, SHA256_SIZE) &&
		       mem_equal(r.header.log_id, next->log_id, AUDIT_ID);
	audit_reader_close(&r);
	return follows || (step != AUDIT_STEP_FAILED && audit_damaged(e, a->dir, "is damaged before its last segment"));
}

/* Opens the last segment for writing after its last good record. */
static bool resume(struct audit *a, const char *path, struct audit_reader *r, struct claim *c, struct audit_torn *torn, struct error *e)
{
	enum audit_step step = scan(a, r, c);

	if (step == AUDIT_STEP_FAILED)
		return fail(e, ERR_AUDIT, "could not read file \"%s\"", path);
	a->fd = open(path, O_RDWR | O_CLOEXEC);
	if (a->fd < 0)
		return fail(e, ERR_AUDIT, "could not open file \"%s\": %s", path, strerror(errno));
	if (step != AUDIT_STEP_END && !audit_mend(a, step, r, torn, e))
		return false;
	mem_copy(a->log_id, r->header.log_id, AUDIT_ID);
	mem_copy(a->before, r->before, SHA256_SIZE);
	a->size = r->offset;
	a->last = a->durable = r->next - 1;
	if (c->there && (!mem_equal(c->place.log_id, a->log_id, AUDIT_ID) || c->place.sequence > a->last))
		return audit_damaged(e, a->dir, "ends before its last checkpoint: records were removed, or an old copy was put back");
	if (c->there && c->place.sequence >= r->header.first - 1 && !c->met)
		return audit_damaged(e, a->dir, "is not the one that its last checkpoint was taken of");
	return true;
}

/* Where no ledger_entry stands in the last segments, one of those before them has it: the first record but two of a log. */
static bool look_back(struct audit *a, struct error *e)
{
	for (uint64_t segment = a->segment - 1; segment-- > 1 && a->noted == 0;) {
		struct claim none = { 0 };
		char path[AUDIT_PATH_MAX];
		struct audit_reader r;
		if (!audit_segment_path(a->dir, segment, path, e))
			return false;
		enum audit_step step = audit_reader_open(&r, path, e);
		if (step == AUDIT_STEP_RECORD)
			step = scan(a, &r, &none);
		audit_reader_close(&r);
		if (step != AUDIT_STEP_END)
			return step != AUDIT_STEP_FAILED && audit_damaged(e, a->dir, "is damaged before its last segment");
	}
	return true;
}

static bool open_last(struct audit *a, const uint64_t *segments, size_t n, struct claim *c, struct audit_torn *torn, struct error *e)
{
	char path[AUDIT_PATH_MAX];
	struct audit_reader r;

	a->segment = segments[n - 1];
	if (n != a->segment - segments[0] + 1)
		return audit_damaged(e, a->dir, "lacks a segment");
	if (!audit_segment_path(a->dir, a->segment, path, e))
		return false;
	enum audit_step step = audit_reader_open(&r, path, e);
	bool ok = step == AUDIT_STEP_RECORD || (step != AUDIT_STEP_FAILED && audit_damaged(e, a->dir, "has a last segment without a header"));
	ok = ok && (n < 2 || scan_previous(a, a->segment - 1, &r.header, c, e)) && resume(a, path, &r, c, torn, e);
	audit_reader_close(&r);
	return ok && (a->segment < 3 || look_back(a, e));
}

static bool create_first(struct audit *a, const struct rng *random, const struct claim *c, struct error *e)
{
	struct audit_header h = { .first = 1 };

	if (c->there)
		return audit_damaged(e, a->dir, "is empty, but there is a checkpoint of it");
	if (!rng_fill(random, a->log_id, AUDIT_ID))
		return fail(e, ERR_INTERNAL, "the random source failed");
	mem_copy(h.log_id, a->log_id, AUDIT_ID);
	a->segment = 1;
	a->size = AUDIT_HEADER;
	return audit_segment_make(a, 1, &h, &a->fd, e);
}

/* A segment that a crash left without its whole header holds no record: it goes. */
static bool drop_headless(struct audit *a, const uint64_t *segments, size_t *n, struct audit_torn *torn, struct error *e)
{
	char path[AUDIT_PATH_MAX];
	struct stat st;

	if (*n == 0)
		return true;
	if (!audit_segment_path(a->dir, segments[*n - 1], path, e))
		return false;
	if (stat(path, &st) != 0 || st.st_size >= AUDIT_HEADER)
		return true;
	torn->there = true;
	torn->bytes = (uint64_t)st.st_size;
	if (!hash_sha256("", 0, torn->hash))
		return fail_memory(e);
	if (unlink(path) != 0)
		return audit_write_failed(errno, e);
	(*n)--;
	return audit_sync_dir(a->dir, e);
}

static bool open_segments(struct audit *a, const struct rng *random, struct audit_torn *torn, struct error *e)
{
	const uint64_t *segments;
	struct arena arena;
	struct claim claim;
	size_t n;

	arena_init(&arena, 64 << 20);
	bool ok = read_claim(a, &claim, e) && audit_segment_list(&arena, a->dir, &segments, &n, e) && drop_headless(a, segments, &n, torn, e);
	if (ok && n > 0 && !claim.there) /* it is written right after a log's first record */
		log_event(LOG_ERROR, "the audit log's checkpoint is missing: nothing here tells whether the end of the log was cut off", LOG_TEXT("checkpoint", a->checkpoint_file));
	ok = ok && (n == 0 ? create_first(a, random, &claim, e) : open_last(a, segments, n, &claim, torn, e));
	arena_reset(&arena);
	return ok;
}

/* --- all together -------------------------------------------------------------------------------------------------------------------------------- */

static bool note_start(struct audit *a, const struct audit_options *o, const struct audit_torn *torn, struct error *e)
{
	uint8_t key[SIGN_PUBLIC];
	struct wr w;

	wr_init_heap(&w, 16384);
	bool ok = true;
	if (torn->there) {
		audit_put_number(&w, AUDIT_FIELD_REMOVED, torn->bytes);
		audit_put_bytes(&w, AUDIT_FIELD_REMOVED_HASH, torn->hash, SHA256_SIZE);
		ok = audit_append(a, AUDIT_RECOVERED, &w, NULL, e);
		wr_clear(&w);
	}
	audit_put_bytes(&w, AUDIT_FIELD_LOG_ID, a->log_id, AUDIT_ID);
	audit_put_text(&w, AUDIT_FIELD_COLLABORATION, o->collaboration);
	audit_put_text(&w, AUDIT_FIELD_VERSION, o->version);
	if (a->key) {
		sign_key_public(a->key, key);
		audit_put_bytes(&w, AUDIT_FIELD_PUBLIC_KEY, key, SIGN_PUBLIC);
	}
	ok = ok && audit_append(a, AUDIT_STARTED, &w, NULL, e) && audit_checkpoint_now(a, e);
	wr_free(&w);
	return ok;
}

/* Gives back what open took; the log says nothing about it. */
static void release(struct audit *a)
{
	audit_keeper_stop(a);
	if (a->fd >= 0)
		(void)close(a->fd);
	if (a->lock_fd >= 0)
		(void)close(a->lock_fd);
	sign_key_free(a->key);
	wr_free(&a->record);
	pthread_cond_destroy(&a->wake);
	pthread_cond_destroy(&a->synced);
	pthread_mutex_destroy(&a->lock);
	mem_wipe(a->secret, sizeof(a->secret));
	mem_free(a->dir);
	mem_free(a->checkpoint_file);
	mem_free(a);
}

bool audit_open(const struct audit_options *o, struct audit **out, struct error *e)
{
	struct audit *a = mem_alloc(1, sizeof(*a));
	struct audit_torn torn = { 0 };

	if (!a)
		return fail_memory(e);
	a->fd = a->lock_fd = -1;
	a->policy = *o->policy;
	a->clock = o->clock;
	wr_init_heap(&a->record, AUDIT_PREFIX + AUDIT_BODY_MAX + 2 * SHA256_SIZE);
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->synced, NULL);
	wait_init(&a->wake);
	a->dir = mem_strdup(o->policy->path);
	a->checkpoint_file = mem_strdup(o->policy->checkpoint_file);
	bool ok = ((a->dir && a->checkpoint_file) || fail_memory(e)) && open_directory(a, e) && open_secret(a, &o->random, e) &&
		  (!o->policy->sign_key || sign_key_load(o->policy->sign_key, &a->key, e)) && open_segments(a, &o->random, &torn, e) &&
		  note_start(a, o, &torn, e) && audit_keeper_start(a, e);
	if (!ok) {
		release(a);
		return false;
	}
	*out = a;
	return true;
}

void audit_close(struct audit *a)
{
	struct wr none;
	struct error e = ERROR_INIT;

	if (!a)
		return;
	audit_keeper_stop(a);
	wr_init_heap(&none, 1);
	if (!audit_append(a, AUDIT_STOPPED, &none, NULL, &e) || !audit_checkpoint_now(a, &e))
		log_error("audit log could not be closed in good order", &e);
	wr_free(&none);
	release(a);
}
