#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens and checks with fstat on the open file, so that what was checked is what is read. */
static bool read_checked(struct arena *a, const char *path, size_t max, bool secret, char **out, size_t *n, struct error *e)
{
	struct stat st;
	bool ok = false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail(e, ERR_IO, "could not open file \"%s\": %s", path, strerror(errno));
	if (fstat(fd, &st) != 0) {
		fail(e, ERR_IO, "could not read file \"%s\": %s", path, strerror(errno));
		goto out;
	}
	if (secret && !S_ISREG(st.st_mode)) {
		fail(e, ERR_CRYPTO, "\"%s\" is not a regular file, and a secret is read from nothing else", path);
		goto out;
	}
	if (secret && (st.st_mode & 077)) {
		fail(e, ERR_CRYPTO, "file \"%s\" holds a secret but others may read it", path);
		error_hint(e, "Run: chmod 600 %s", path);
		goto out;
	}
	size_t room = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size + 1 : 65536;
	if (room > max + 1)
		room = max + 1;
	char *buf = arena_alloc(a, room + 1, 1);
	size_t used = 0;
	while (buf) {
		ssize_t got = read(fd, buf + used, room - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			fail(e, ERR_IO, "could not read file \"%s\": %s", path, strerror(errno));
			goto out;
		}
		if (got == 0)
			break;
		used += (size_t)got;
		if (used > max) {
			fail(e, ERR_IO, "file \"%s\" is larger than %zu bytes", path, max);
			goto out;
		}
		if (used == room) {
			size_t more = room * 2 > max + 1 ? max + 1 : room * 2;
			char *grown = arena_alloc(a, more + 1, 1);
			if (grown)
				mem_copy(grown, buf, used);
			buf = grown;
			room = more;
		}
	}
	if (!buf) {
		fail_memory(e);
		goto out;
	}
	buf[used] = '\0';
	*out = buf;
	*n = used;
	ok = true;
out:
	(void)close(fd);
	return ok;
}

bool file_read(struct arena *a, const char *path, size_t max, char **out, size_t *n, struct error *e)
{
	return read_checked(a, path, max, false, out, n, e);
}

bool file_read_secret(struct arena *a, const char *path, size_t max, char **out, size_t *n, struct error *e)
{
	return read_checked(a, path, max, true, out, n, e);
}

/* path, something behind it, zero-terminated. */
static char *with_suffix(const char *path, const char *suffix)
{
	size_t n = strlen(path), more = strlen(suffix) + 1;
	char *name = mem_alloc(n + more, 1);

	if (name) {
		mem_copy(name, path, n);
		mem_copy(name + n, suffix, more);
	}
	return name;
}

/* A file without a name where path will be; -1 when there are none there, or no way to name it later. */
static int open_nameless(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? mem_strdup(path) : NULL;

	if (folder)
		folder[slash == path ? 1 : slash - path] = '\0';
	int fd = (slash && !folder) || access("/proc/self/fd", X_OK) != 0 ? -1 : open(folder ? folder : ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	mem_free(folder);
	return fd;
}

/* Opens o->f for o->path. */
static bool out_open(struct file_out *o, struct error *e)
{
	int fd = open_nameless(o->path);

	if (fd < 0) {
		o->temporary = with_suffix(o->path, ".tmp.XXXXXX");
		if (!o->temporary)
			return fail_memory(e);
		fd = mkstemp(o->temporary); /* mode 0600 */
	}
	if (fd >= 0)
		o->f = fdopen(fd, "wb");
	if (o->f)
		return true;
	int why = errno;
	if (fd >= 0) {
		(void)close(fd);
		if (o->temporary)
			(void)unlink(o->temporary);
	}
	mem_free(o->temporary);
	o->temporary = NULL;
	return fail(e, ERR_IO, "could not create file \"%s\": %s", o->path, strerror(why));
}

bool file_out_open(struct file_out *o, const char *path, bool overwrite, struct error *e)
{
	struct stat st;

	*o = (struct file_out){ .overwrite = overwrite };
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) /* renaming would replace a device, a pipe or a socket by a file */
		return fail(e, ERR_IO, "\"%s\" is not a regular file", path);
	if (!overwrite && lstat(path, &st) == 0)
		return fail(e, ERR_IO, "file \"%s\" exists already", path);
	o->path = mem_strdup(path);
	if (o->path ? out_open(o, e) : fail_memory(e))
		return true;
	file_out_abort(o);
	return false;
}

/* Gives the open nameless file its name; over an existing file by way of another name, which only then is in o->temporary. */
static bool name_file(struct file_out *o)
{
	char self[32], suffix[32];

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fileno(o->f));
	if (linkat(AT_FDCWD, self, AT_FDCWD, o->path, AT_SYMLINK_FOLLOW) == 0)
		return true;
	for (int i = 0; o->overwrite && errno == EEXIST && i < 100; i++) {
		(void)snprintf(suffix, sizeof(suffix), ".tmp.%d-%d", (int)getpid(), i);
		char *name = with_suffix(o->path, suffix);
		if (!name)
			return false;
		if (linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0) {
			o->temporary = name;
			return rename(name, o->path) == 0;
		}
		int why = errno;
		mem_free(name);
		errno = why;
	}
	return false;
}

/* Gives the temporary file its name.  Of two that create one name, one is refused. */
static bool rename_file(const struct file_out *o)
{
	if (o->overwrite)
		return rename(o->temporary, o->path) == 0;
	if (renameat2(AT_FDCWD, o->temporary, AT_FDCWD, o->path, RENAME_NOREPLACE) == 0)
		return true;
	if (errno != EINVAL && errno != ENOSYS)
		return false;
	return link(o->temporary, o->path) == 0 && unlink(o->temporary) == 0; /* a file system that cannot */
}

bool file_out_commit(struct file_out *o, struct error *e)
{
	bool ok = fflush(o->f) == 0 && !ferror(o->f) && fsync(fileno(o->f)) == 0 && (o->temporary ? rename_file(o) : name_file(o));
	int why = errno;

	if (ok) {
		mem_free(o->temporary);
		o->temporary = NULL;
	} else {
		fail(e, why == ENOSPC ? ERR_DISK_FULL : ERR_IO, "could not write file \"%s\": %s", o->path, strerror(why));
	}
	file_out_abort(o);
	return ok;
}

void file_out_abort(struct file_out *o)
{
	if (o->f)
		(void)fclose(o->f);
	if (o->temporary)
		(void)unlink(o->temporary);
	mem_free(o->temporary);
	mem_free(o->path);
	*o = (struct file_out){ 0 };
}

bool file_nameless(FILE **out, struct error *e)
{
	const char *dir = getenv("TMPDIR");
	char path[512];
	FILE *f = NULL;

	int n = snprintf(path, sizeof(path), "%s/noisegate.XXXXXX", dir && *dir ? dir : "/tmp");
	errno = ENAMETOOLONG;
	int fd = n < (int)sizeof(path) ? mkstemp(path) : -1; /* mode 0600 */
	if (fd >= 0) {
		(void)unlink(path);
		f = fdopen(fd, "w+b");
	}
	if (!f) {
		int why = errno;
		if (fd >= 0)
			(void)close(fd);
		return fail(e, why == ENOSPC ? ERR_DISK_FULL : ERR_IO, "could not create a temporary file: %s", strerror(why));
	}
	*out = f;
	return true;
}
