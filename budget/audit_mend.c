/* What a crash left at the end of an audit log: at most one record that is not complete. */
#include "budget/audit_state.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool audit_damaged(struct error *e, const char *dir, const char *what)
{
	(void)fail(e, ERR_AUDIT, "the audit log \"%s\" %s", dir, what);
	return error_hint(e, "noisegate audit verify says where. Keep the directory as evidence: move it away, and the proxy starts a new log.");
}

/* Whether a complete record stands anywhere in p[32..n): p begins with the 32 bytes before it.  Then what is there is no torn last record. */
static bool holds_record(const uint8_t *p, size_t n)
{
	uint8_t hash[SHA256_SIZE];

	for (size_t i = 0; n - i >= SHA256_SIZE + 4 + AUDIT_BODY_MIN + SHA256_SIZE; i++) {
		struct rd head = rd_of(p + i + SHA256_SIZE, 4);
		size_t body = rd_u32(&head);
		if (body < AUDIT_BODY_MIN || body > n - i - SHA256_SIZE - 4 - SHA256_SIZE)
			continue;
		if (hash_sha256(p + i, SHA256_SIZE + 4 + body, hash) && mem_equal(hash, p + i + SHA256_SIZE + 4 + body, SHA256_SIZE))
			return true;
	}
	return false;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

/* Bytes after the last good record: one write that did not end, or whose pages never reached the disk (zeros). */
static bool is_torn(enum audit_step step, const uint8_t *p, size_t n)
{
	const uint8_t *tail = p + SHA256_SIZE;
	size_t n_tail = n - SHA256_SIZE;

	if (n_tail >= AUDIT_PREFIX + AUDIT_BODY_MAX + SHA256_SIZE || holds_record(p, n))
		return false;
	return step == AUDIT_STEP_INCOMPLETE || (n_tail <= SHA256_SIZE ? all_zero(tail, n_tail) : all_zero(tail + n_tail - SHA256_SIZE, SHA256_SIZE));
}

/* Keeps the bytes in a file of their own. */
static bool keep_removed(const struct audit *a, uint64_t sequence, const uint8_t *p, size_t n, struct error *e)
{
	char name[64], path[AUDIT_PATH_MAX];
	struct file_out out;

	(void)snprintf(name, sizeof(name), "removed-%llu", (unsigned long long)sequence);
	if (!audit_file_path(a->dir, name, path, e) || !file_out_open(&out, path, true, e))
		return false;
	if (fwrite(p, 1, n, out.f) != n) {
		int why = errno;
		file_out_abort(&out);
		return audit_write_failed(why, e);
	}
	return file_out_commit(&out, e);
}

static bool read_tail(int fd, uint64_t from, uint64_t size, struct arena *arena, uint8_t **out, struct error *e)
{
	size_t n = (size_t)(size - from);
	uint8_t *p = arena_alloc(arena, n ? n : 1, 1);

	if (!p)
		return fail_memory(e);
	for (size_t got = 0; got < n;) {
		ssize_t k = pread(fd, p + got, n - got, (off_t)(from + got));
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return fail(e, ERR_AUDIT, "could not read the audit log: %s", strerror(errno));
		got += (size_t)k;
	}
	*out = p;
	return true;
}

/* Removes what stands after the last good record when it is a torn one. */
bool audit_mend(struct audit *a, enum audit_step step, const struct audit_reader *r, struct audit_torn *torn, struct error *e)
{
	struct arena arena;
	struct stat st;
	uint8_t *p = NULL;

	if (fstat(a->fd, &st) != 0)
		return fail(e, ERR_AUDIT, "could not read the audit log: %s", strerror(errno));
	const uint64_t size = (uint64_t)st.st_size, from = r->offset - SHA256_SIZE;
	if (size - r->offset > 2 * AUDIT_BODY_MAX)
		return audit_damaged(e, a->dir, "is damaged in its last segment");
	arena_init(&arena, 3 * AUDIT_BODY_MAX);
	bool ok = read_tail(a->fd, from, size, &arena, &p, e);
	size_t n = (size_t)(size - from);
	if (ok && !is_torn(step, p, n))
		ok = audit_damaged(e, a->dir, "is damaged in its last segment");
	torn->there = true;
	torn->bytes = size - r->offset;
	ok = ok && (hash_sha256(p + SHA256_SIZE, n - SHA256_SIZE, torn->hash) || fail_memory(e)) &&
	     keep_removed(a, r->next, p + SHA256_SIZE, n - SHA256_SIZE, e);
	if (ok && (ftruncate(a->fd, (off_t)r->offset) != 0 || fsync(a->fd) != 0))
		ok = audit_write_failed(errno, e);
	arena_reset(&arena);
	if (ok)
		log_event(LOG_WARNING, "incomplete last record removed from the audit log", LOG_NUM("bytes", (int64_t)torn->bytes));
	return ok;
}
