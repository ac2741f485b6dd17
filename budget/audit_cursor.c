#include "budget/audit_verify.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Whether a proxy holds the log's lock. */
static bool is_live(const char *dir)
{
	char path[AUDIT_PATH_MAX];
	struct error ignored;

	if (!audit_file_path(dir, "lock", path, &ignored))
		return false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	(void)close(fd);
	return held;
}

static enum audit_step wrong(const struct audit_cursor *c, enum audit_step step, const char *why, struct error *e)
{
	(void)fail(e, ERR_AUDIT, "segment %llu, byte %llu, record %llu: %s", (unsigned long long)c->segment, (unsigned long long)c->reader.offset,
		   (unsigned long long)c->reader.next, why);
	return step;
}

/* Opens c->segment, whose first record must be the one that follows. */
static enum audit_step open_segment(struct audit_cursor *c, const struct audit_header *want, struct error *e)
{
	char path[AUDIT_PATH_MAX];

	if (!audit_segment_path(c->dir, c->segment, path, e))
		return AUDIT_STEP_FAILED;
	enum audit_step step = audit_reader_open(&c->reader, path, e);
	if (step == AUDIT_STEP_FAILED)
		return step;
	if (step != AUDIT_STEP_RECORD)
		return wrong(c, AUDIT_STEP_BAD, step == AUDIT_STEP_INCOMPLETE ? "the segment has no whole header" : c->reader.why, e);
	const struct audit_header *is = &c->reader.header;
	if (is->first != want->first || !mem_equal(is->before, want->before, SHA256_SIZE))
		return wrong(c, AUDIT_STEP_BAD, "the segment does not follow the one before it", e);
	if (c->segment > 1 && !mem_equal(is->log_id, want->log_id, AUDIT_ID))
		return wrong(c, AUDIT_STEP_BAD, "the segment is of another log", e);
	return AUDIT_STEP_RECORD;
}

static bool is_there(const struct audit_cursor *c, uint64_t segment)
{
	char path[AUDIT_PATH_MAX];
	struct error ignored;

	return audit_segment_path(c->dir, segment, path, &ignored) && access(path, F_OK) == 0;
}

/*
 * Looks which segments there are.  False when one is missing between the first and the last.  A directory that is listed while files come into it may show a newer
 * one and not an older one: what the list lacks is looked for by its name.
 */
static bool look(struct audit_cursor *c, struct error *e)
{
	const uint64_t *list = NULL;
	struct arena arena;
	size_t n = 0;

	arena_init(&arena, 64 << 20);
	bool ok = audit_segment_list(&arena, c->dir, &list, &n, e);
	if (ok && n == 0)
		ok = fail(e, ERR_AUDIT, "there is no audit log in \"%s\"", c->dir);
	uint64_t want = 1;
	for (size_t i = 0; ok && i < n; i++, want++) {
		while (want < list[i] && is_there(c, want))
			want++;
		if (want != list[i])
			ok = fail(e, ERR_AUDIT, "segment %llu is missing", (unsigned long long)want);
	}
	if (ok)
		c->last_segment = list[n - 1];
	arena_reset(&arena);
	return ok;
}

bool audit_cursor_open(struct audit_cursor *c, const char *dir, struct error *e)
{
	const struct audit_header begin = { .first = 1 };

	*c = (struct audit_cursor){ .dir = dir, .segment = 1, .reader = { .fd = -1 } };
	c->live = is_live(dir);
	if (!look(c, e) || open_segment(c, &begin, e) != AUDIT_STEP_RECORD) {
		audit_cursor_close(c);
		return false;
	}
	mem_copy(c->log_id, c->reader.header.log_id, AUDIT_ID);
	return true;
}

void audit_cursor_close(struct audit_cursor *c)
{
	audit_reader_close(&c->reader);
}

/* From the end of a segment into the next one. */
static enum audit_step enter_next(struct audit_cursor *c, struct error *e)
{
	struct audit_header want = { .first = c->reader.next };

	mem_copy(want.before, c->reader.before, SHA256_SIZE);
	mem_copy(want.log_id, c->log_id, AUDIT_ID);
	audit_reader_close(&c->reader);
	c->segment++;
	return open_segment(c, &want, e);
}

enum audit_step audit_cursor_next(struct audit_cursor *c, struct audit_record *out, struct error *e)
{
	for (;;) {
		enum audit_step step = audit_reader_next(&c->reader, out);
		bool last = c->segment == c->last_segment;
		if (step == AUDIT_STEP_RECORD)
			return step;
		if (step == AUDIT_STEP_BAD)
			return wrong(c, step, c->reader.why, e);
		if (step == AUDIT_STEP_FAILED)
			return wrong(c, step, "could not be read", e);
		if (step == AUDIT_STEP_INCOMPLETE && !(last && c->live))
			return wrong(c, step, last ? "the log ends inside the record: a crash, or a cut" : "the segment ends inside the record", e);
		if (last) {
			/* a segment that has a follower is not written any more: so look first, then read this one again to its end */
			if (!look(c, e))
				return AUDIT_STEP_FAILED;
			if (c->segment == c->last_segment)
				return AUDIT_STEP_END;
			continue;
		}
		step = enter_next(c, e);
		if (step != AUDIT_STEP_RECORD)
			return step;
	}
}
