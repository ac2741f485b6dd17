/*
 * The anchor as a file of two places of 512 bytes, locked with flock.
 */
#include "budget/anchor.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_anchor {
	struct anchor base;
	char *path;
	int fd;
	struct anchor_places places;
};

static struct file_anchor *of(struct anchor *a)
{
	return (struct file_anchor *)(void *)a; /* base is its first member */
}

static void leave(struct anchor *a)
{
	struct file_anchor *f = of(a);

	if (f->fd >= 0)
		(void)close(f->fd); /* the lock ends with it */
	f->fd = -1;
}

static bool read_notes(struct file_anchor *f, struct anchored *out, struct error *e)
{
	struct anchored note[2] = { { 0 }, { 0 } };
	char line[ANCHOR_LINE];

	for (int i = 0; i < 2; i++) {
		ssize_t n = pread(f->fd, line, sizeof(line), (off_t)i * ANCHOR_LINE);
		if (n < 0)
			return anchor_damaged(&f->base, "cannot be read", e);
		line[n > 0 ? n - 1 : 0] = '\0';
		if (n == ANCHOR_LINE && !anchor_parse(line, &note[i]))
			note[i].exists = false;
	}
	return anchor_pick(&f->places, &f->base, note, out, e);
}

static bool enter(struct anchor *a, struct anchored *out, struct error *e)
{
	struct file_anchor *f = of(a);
	struct stat st;

	f->fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->fd < 0) {
		fail(e, ERR_LEDGER, "could not open the ledger's anchor \"%s\": %s", f->path, strerror(errno));
		return error_detail(e, "Nothing was run.");
	}
	bool ok = flock(f->fd, LOCK_EX) == 0 && fstat(f->fd, &st) == 0;
	if (!ok)
		(void)anchor_damaged(a, "cannot be locked", e);
	f->places = ANCHOR_UNWRITTEN;
	if (ok && st.st_size > 0) /* empty: never written */
		ok = read_notes(f, out, e);
	if (!ok)
		leave(a);
	return ok;
}

static bool sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[4096];

	(void)snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		(void)close(fd);
	return ok;
}

static bool write_note(struct anchor *a, const struct head *h, struct error *e)
{
	struct file_anchor *f = of(a);
	char line[ANCHOR_LINE] = { 0 };

	if (!anchor_print(h, line))
		return fail_memory(e);
	for (size_t i = strlen(line); i < ANCHOR_LINE; i++)
		line[i] = i == ANCHOR_LINE - 1 ? '\n' : ' ';
	const bool first = f->places.seq < 0, both = anchor_both(&f->places, h);
	bool ok = true;
	for (int i = 0; i < (both ? 2 : 1); i++)
		ok = ok && pwrite(f->fd, line, ANCHOR_LINE, (off_t)(both ? i : f->places.next) * ANCHOR_LINE) == ANCHOR_LINE;
	ok = ok && fdatasync(f->fd) == 0 && (!first || sync_directory(f->path));
	if (ok)
		return true;
	fail(e, errno == ENOSPC ? ERR_DISK_FULL : ERR_LEDGER, "could not write the ledger's anchor \"%s\": %s", f->path, strerror(errno));
	return error_detail(e, "The charge stands, and nothing was run.");
}

static void close_file(struct anchor *a)
{
	leave(a);
	mem_free(of(a)->path);
	mem_free(a);
}

static const struct anchor_ops ops = { enter, write_note, leave, close_file };

bool anchor_file_open(const char *path, struct anchor **out, struct error *e)
{
	struct file_anchor *f = mem_alloc(1, sizeof(*f));

	if (f) {
		f->base.ops = &ops;
		f->fd = -1;
		f->path = mem_strdup(path);
		(void)snprintf(f->base.name, sizeof(f->base.name), "%s", path);
	}
	if (!f || !f->path) {
		mem_free(f);
		return fail_memory(e);
	}
	*out = &f->base;
	return true;
}
