#include "budget/audit_segment.h"

#include "base/mem.h"
#include "base/number.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "NGAUDIT1"
#define SUFFIX ".audit"

enum { MAGIC_SIZE = 8, DIGITS = 8, WINDOW = 256 << 10 };

void audit_header_put(struct wr *w, const struct audit_header *h)
{
	wr_put(w, MAGIC, MAGIC_SIZE);
	wr_put(w, h->log_id, AUDIT_ID);
	wr_u64(w, h->first);
	wr_put(w, h->before, SHA256_SIZE);
}

bool audit_header_read(const uint8_t *p, size_t n, struct audit_header *out)
{
	struct rd r = rd_of(p, n);
	const uint8_t *magic = rd_take(&r, MAGIC_SIZE), *id = rd_take(&r, AUDIT_ID);
	uint64_t first = rd_u64(&r);
	const uint8_t *before = rd_take(&r, SHA256_SIZE);

	if (!rd_end(&r) || !mem_equal(magic, MAGIC, MAGIC_SIZE))
		return false;
	out->first = first;
	mem_copy(out->log_id, id, AUDIT_ID);
	mem_copy(out->before, before, SHA256_SIZE);
	return true;
}

bool audit_file_path(const char *dir, const char *name, char out[AUDIT_PATH_MAX], struct error *e)
{
	int n = snprintf(out, AUDIT_PATH_MAX, "%s/%s", dir, name);

	return (n > 0 && n < AUDIT_PATH_MAX) || fail(e, ERR_AUDIT, "the audit log's path is too long");
}

bool audit_segment_path(const char *dir, uint64_t segment, char out[AUDIT_PATH_MAX], struct error *e)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "%0*llu" SUFFIX, DIGITS, (unsigned long long)segment);
	return audit_file_path(dir, name, out, e);
}

/* The number in "00000001.audit"; false for other names. */
static bool segment_number(const char *name, uint64_t *out)
{
	size_t n = strlen(name), tail = strlen(SUFFIX);
	char digits[20];
	int64_t v;

	if (n < DIGITS + tail || n - tail >= sizeof(digits) || strcmp(name + n - tail, SUFFIX) != 0 || name[0] == '-' || name[0] == '+')
		return false;
	(void)snprintf(digits, sizeof(digits), "%.*s", (int)(n - tail), name);
	if (!number_i64(digits, 1, INT64_MAX, &v))
		return false;
	*out = (uint64_t)v;
	return true;
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

bool audit_segment_list(struct arena *a, const char *dir, const uint64_t **out, size_t *n, struct error *e)
{
	DIR *d = opendir(dir);
	uint64_t *list = NULL, number;
	size_t count = 0, cap = 0;
	bool ok = true;

	if (!d)
		return fail(e, ERR_AUDIT, "could not open the audit log \"%s\": %s", dir, strerror(errno));
	for (struct dirent *entry; ok && (entry = readdir(d));) {
		if (!segment_number(entry->d_name, &number))
			continue;
		uint64_t *grown = arena_grow(a, list, count, &cap, sizeof(*list));
		ok = grown || fail_memory(e);
		if (ok) {
			list = grown;
			list[count++] = number;
		}
	}
	(void)closedir(d);
	if (!ok)
		return false;
	if (count > 1)
		qsort(list, count, sizeof(*list), by_number);
	*out = list;
	*n = count;
	return true;
}

/* --- reading ---------------------------------------------------------------------------------------------------------------------------- */

/* Makes bytes [offset, offset + need) of the file stand in the window; *got how many there are.  False when reading failed. */
static bool window_fill(struct audit_reader *r, uint64_t offset, size_t need, const uint8_t **p, size_t *got)
{
	if (offset < r->window_at || offset - r->window_at > r->window_n || r->window_n - (size_t)(offset - r->window_at) < need) {
		size_t room = need > WINDOW ? need : WINDOW, n = 0;
		if (room > r->window_room) {
			uint8_t *grown = mem_grow(r->window, room, 1);
			if (!grown)
				return false;
			r->window = grown;
			r->window_room = room;
		}
		while (n < r->window_room) {
			ssize_t k = pread(r->fd, r->window + n, r->window_room - n, (off_t)(offset + n));
			if (k < 0 && errno == EINTR)
				continue;
			if (k < 0)
				return false;
			if (k == 0)
				break;
			n += (size_t)k;
		}
		r->window_at = offset;
		r->window_n = n;
	}
	*p = r->window + (offset - r->window_at);
	*got = r->window_n - (size_t)(offset - r->window_at);
	return true;
}

enum audit_step audit_reader_open(struct audit_reader *r, const char *path, struct error *e)
{
	const uint8_t *p;
	struct stat st;
	size_t got;

	*r = (struct audit_reader){ .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }; /* a pipe among the evidence must not stop who looks at it */
	if (r->fd >= 0 && (fstat(r->fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		(void)fail(e, ERR_AUDIT, "\"%s\" is not a regular file", path);
		return AUDIT_STEP_FAILED;
	}
	if (r->fd < 0 || !window_fill(r, 0, AUDIT_HEADER, &p, &got)) {
		(void)fail(e, ERR_AUDIT, "could not read file \"%s\": %s", path, strerror(errno));
		return AUDIT_STEP_FAILED;
	}
	if (got < AUDIT_HEADER)
		return AUDIT_STEP_INCOMPLETE;
	if (!audit_header_read(p, AUDIT_HEADER, &r->header)) {
		r->why = "the segment's header is not one";
		return AUDIT_STEP_BAD;
	}
	r->offset = AUDIT_HEADER;
	r->next = r->header.first;
	mem_copy(r->before, r->header.before, SHA256_SIZE);
	return AUDIT_STEP_RECORD;
}

void audit_reader_close(struct audit_reader *r)
{
	if (r->fd >= 0)
		(void)close(r->fd);
	mem_free(r->window);
	*r = (struct audit_reader){ .fd = -1 };
}

static enum audit_step bad(struct audit_reader *r, const char *why)
{
	r->why = why;
	return AUDIT_STEP_BAD;
}

/* The window from the hash before the record: p[0..32) is compared with what the chain says, for a file can be read while someone edits it. */
static enum audit_step check(struct audit_reader *r, const uint8_t *p, uint32_t n, struct audit_record *out)
{
	uint8_t hash[SHA256_SIZE];

	if (!mem_equal(p, r->before, SHA256_SIZE))
		return bad(r, "the hash before the record changed");
	if (!hash_sha256(p, SHA256_SIZE + 4 + (size_t)n, hash))
		return AUDIT_STEP_FAILED;
	if (!mem_equal(hash, p + SHA256_SIZE + 4 + n, SHA256_SIZE))
		return bad(r, "the hash does not fit the record and the one before it");
	if (!audit_body_read(p + SHA256_SIZE + 4, n, out))
		return bad(r, "the record is not in canonical form");
	if (out->sequence != r->next)
		return bad(r, "the sequence number does not follow");
	mem_copy(out->hash, hash, SHA256_SIZE);
	mem_copy(r->before, hash, SHA256_SIZE);
	r->offset += 4 + (uint64_t)n + SHA256_SIZE;
	r->next++;
	return AUDIT_STEP_RECORD;
}

enum audit_step audit_reader_next(struct audit_reader *r, struct audit_record *out)
{
	const uint64_t from = r->offset - SHA256_SIZE;
	const uint8_t *p;
	size_t got;

	if (!window_fill(r, from, SHA256_SIZE + 4, &p, &got))
		return AUDIT_STEP_FAILED;
	if (got < SHA256_SIZE)
		return bad(r, "the file became shorter");
	if (got == SHA256_SIZE)
		return AUDIT_STEP_END;
	if (got < SHA256_SIZE + 4)
		return AUDIT_STEP_INCOMPLETE;
	struct rd head = rd_of(p + SHA256_SIZE, 4);
	uint32_t n = rd_u32(&head);
	if (n < AUDIT_BODY_MIN || n > AUDIT_BODY_MAX)
		return bad(r, "the record's length cannot be");
	size_t need = SHA256_SIZE + 4 + (size_t)n + SHA256_SIZE;
	if (!window_fill(r, from, need, &p, &got))
		return AUDIT_STEP_FAILED;
	return got < need ? AUDIT_STEP_INCOMPLETE : check(r, p, n, out);
}
