/* Files of the seal and unseal commands: plain or gzip, names or "-"; outputs that appear only when complete, and that a signal does not leave behind. */
#ifndef NG_PROXY_CLI_SEAL_FILES_H
#define NG_PROXY_CLI_SEAL_FILES_H

#include "base/file.h"

/* Reads gzip as if it were not.  f cannot be sought when it comes from a pipe. */
struct seal_input {
	FILE *f;
	void *gz;     /* its gzFile */
	int64_t size; /* bytes in the file; 0: not known */
};

MUST_CHECK bool seal_input_open(struct seal_input *in, const char *path, struct error *e);
void seal_input_close(struct seal_input *in);

/* Bytes of the file that have been read so far, before decompression. */
int64_t seal_input_offset(const struct seal_input *in);

/* A name that ends in .gz is compressed.  Standard output ("-") is held back in a temporary file (crypto/spool.h) when `hold` says so. */
struct seal_output {
	struct file_out file;
	FILE *held;   /* or NULL */
	FILE *f;      /* to write to */
	void *gz;     /* its gzFile, or NULL */
};

MUST_CHECK bool seal_output_open(struct seal_output *out, const char *path, const char *input, bool overwrite, bool hold, struct error *e);
MUST_CHECK bool seal_output_commit(struct seal_output *out, struct error *e);
void seal_output_abort(struct seal_output *out); /* harmless after commit */

/* From now on SIGINT, SIGTERM, SIGHUP and SIGQUIT remove an unfinished output, and a file size limit is an error instead of a signal. */
void seal_watch_signals(void);

/* A bar on standard error, when that is a terminal.  ctx: a struct seal_bar. */
struct seal_bar {
	const struct seal_input *in;
	const char *what; /* "sealed" */
	int64_t started, shown; /* nanoseconds */
	bool drawn;
};
void seal_bar_show(void *ctx, int64_t rows);
void seal_bar_end(struct seal_bar *bar, int64_t rows, bool ok);

#endif
