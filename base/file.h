/* Files whole: reading with a cap, writing so that no half-written output is ever seen, permissions of secrets. */
#ifndef NG_BASE_FILE_H
#define NG_BASE_FILE_H

#include "base/arena.h"
#include "base/error.h"

#include <stdio.h>

/* Reads all of path (at most max bytes) into the arena, zero-terminated; *n without the zero. */
MUST_CHECK bool file_read(struct arena *a, const char *path, size_t max, char **out, size_t *n, struct error *e);

/* As file_read for a secret: refused unless it is a regular file that only its owner may read or write (no group or other bits). */
MUST_CHECK bool file_read_secret(struct arena *a, const char *path, size_t max, char **out, size_t *n, struct error *e);

/*
 * Output that appears under its name only when complete: written to a file without a name on the same disk (mode 0600), which no end of the process leaves
 * behind, then fsynced and named.  Where the file system has no such files: to a temporary file in the same directory, then renamed.  An existing target is refused unless overwrite, also one that appears meanwhile; one that is no regular file always.
 */
struct file_out {
	FILE *f;
	char *path, *temporary; /* temporary: NULL while the file has no name */
	bool overwrite;
};

MUST_CHECK bool file_out_open(struct file_out *o, const char *path, bool overwrite, struct error *e);
MUST_CHECK bool file_out_commit(struct file_out *o, struct error *e); /* closes; on failure the temporary is removed */
void file_out_abort(struct file_out *o);                              /* closes and removes; harmless after commit */

/* A temporary file, to write and read, in the directory that TMPDIR names, else /tmp.  It has no name: nobody else can open it, and no end of the process leaves it. */
MUST_CHECK bool file_nameless(FILE **out, struct error *e);

#endif
