#include "proxy/cli_seal_files.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "crypto/random.h"
#include "crypto/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { BUFFER = 128 << 10, BAR = 30 };

/* The unfinished output that a signal removes; removing it twice does no harm. */
static char unfinished[PATH_MAX];
static volatile sig_atomic_t is_unfinished;
static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static void remove_unfinished(int signal)
{
	if (is_unfinished)
		(void)unlink(unfinished);
	_exit(128 + signal);
}

/* Creates the file and notes its name; no signal comes in between. */
static bool open_noted(struct file_out *out, const char *path, bool overwrite, struct error *e)
{
	sigset_t wait, before;

	(void)sigemptyset(&wait);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		(void)sigaddset(&wait, ends[i]);
	(void)pthread_sigmask(SIG_BLOCK, &wait, &before);
	bool ok = file_out_open(out, path, overwrite, e);
	if (ok)
		is_unfinished = out->temporary && snprintf(unfinished, sizeof(unfinished), "%s", out->temporary) < (int)sizeof(unfinished);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ok;
}

void seal_watch_signals(void)
{
	struct sigaction action = { .sa_handler = remove_unfinished }, ignore = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		(void)sigaction(ends[i], &action, NULL);
	(void)sigaction(SIGXFSZ, &ignore, NULL);
}

static ssize_t gz_read(void *gz, char *to, size_t n)
{
	int got = gzread(gz, to, (unsigned)n), why = Z_OK;

	if (got <= 0)
		(void)gzerror(gz, &why);
	if (got > 0 || (got == 0 && why == Z_OK))
		return got;
	if (why != Z_ERRNO)
		errno = EBADMSG; /* damaged, or it ends early */
	return -1;
}

static ssize_t gz_write(void *gz, const char *from, size_t n)
{
	int put = n > 0 ? gzwrite(gz, from, (unsigned)n) : 0;

	return put > 0 ? put : 0; /* errno is of the write that failed */
}

static int gz_seek(void *gz, off64_t *at, int whence)
{
	z_off_t now = gzseek(gz, *at, whence);

	if (now < 0)
		return -1;
	*at = now;
	return 0;
}

static int gz_close(void *gz)
{
	return gzclose(gz) == Z_OK ? 0 : -1;
}

bool seal_input_open(struct seal_input *in, const char *path, struct error *e)
{
	struct stat st;
	bool standard = text_eq(path, "-");
	int fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);

	*in = (struct seal_input){ 0 };
	if (fd < 0)
		return fail(e, ERR_IO, "could not open file \"%s\": %s", path, strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		(void)close(fd);
		return fail(e, ERR_IO, "could not open file \"%s\": it is a directory", path);
	}
	bool seekable = lseek(fd, 0, SEEK_CUR) >= 0;
	if (seekable && S_ISREG(st.st_mode))
		in->size = st.st_size;
	in->gz = gzdopen(fd, "rb");
	if (!in->gz) {
		(void)close(fd);
		return fail_memory(e);
	}
	(void)gzbuffer(in->gz, BUFFER);
	in->f = fopencookie(in->gz, "rb", (cookie_io_functions_t){ .read = gz_read, .seek = seekable ? gz_seek : NULL, .close = gz_close });
	if (in->f)
		return true;
	(void)gzclose(in->gz);
	return fail_memory(e);
}

void seal_input_close(struct seal_input *in)
{
	if (in->f)
		(void)fclose(in->f);
	*in = (struct seal_input){ 0 };
}

int64_t seal_input_offset(const struct seal_input *in)
{
	return gzoffset(in->gz);
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool open_gzip(struct seal_output *out, FILE *below, struct error *e)
{
	int fd = fcntl(fileno(below), F_DUPFD_CLOEXEC, 3);

	out->gz = fd >= 0 ? gzdopen(fd, "wb1") : NULL;
	if (!out->gz) {
		if (fd >= 0)
			(void)close(fd);
		return fail_memory(e);
	}
	(void)gzbuffer(out->gz, BUFFER);
	out->f = fopencookie(out->gz, "wb", (cookie_io_functions_t){ .write = gz_write, .close = gz_close });
	return out->f ? true : fail_memory(e);
}

static bool hint_name(const char *path, struct error *e)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return false;
	return error_hint(e, S_ISREG(st.st_mode) ? "Give --overwrite, or another name." : "Give the name of a file, or - for standard output.");
}

bool seal_output_open(struct seal_output *out, const char *path, const char *input, bool overwrite, bool hold, struct error *e)
{
	size_t n = strlen(path);

	*out = (struct seal_output){ 0 };
	if (text_eq(path, "-")) {
		const struct rng r = random_system();
		if (hold && !spool_open(&r, &out->held, e))
			return false;
		out->f = hold ? out->held : stdout;
		return true;
	}
	if (!text_eq(input, "-") && same_file(path, input)) {
		fail(e, ERR_IO, "the output \"%s\" is the input", path);
		return error_hint(e, "Give another name; the input is never changed.");
	}
	if (!open_noted(&out->file, path, overwrite, e))
		return hint_name(path, e);
	out->f = out->file.f;
	if (n > 3 && text_eq(path + n - 3, ".gz"))
		return open_gzip(out, out->file.f, e);
	return true;
}

static bool not_written(struct error *e)
{
	int why = errno;

	return fail(e, why == ENOSPC ? ERR_DISK_FULL : ERR_IO, "could not write the output: %s", strerror(why));
}

/* What was held back goes out. */
static bool release(FILE *held, struct error *e)
{
	char buf[16384];
	size_t n;

	if (fflush(held) != 0 || fseeko(held, 0, SEEK_SET) != 0)
		return not_written(e);
	while ((n = fread(buf, 1, sizeof(buf), held)) > 0) {
		if (fwrite(buf, 1, n, stdout) != n)
			return not_written(e);
	}
	mem_wipe(buf, sizeof(buf));
	return ferror(held) ? not_written(e) : true;
}

bool seal_output_commit(struct seal_output *out, struct error *e)
{
	if (out->gz) {
		FILE *f = out->f;
		out->f = NULL;
		out->gz = NULL;
		bool ok = fflush(f) == 0;
		if (fclose(f) != 0 || !ok)
			return not_written(e);
	}
	if (out->file.f) {
		bool ok = file_out_commit(&out->file, e); /* or it removed the file */
		is_unfinished = false;
		return ok;
	}
	if (out->held && !release(out->held, e))
		return false;
	return fflush(stdout) == 0 ? true : not_written(e);
}

void seal_output_abort(struct seal_output *out)
{
	if (out->gz && out->f)
		(void)fclose(out->f);
	if (out->held)
		(void)fclose(out->held);
	file_out_abort(&out->file);
	is_unfinished = false;
	*out = (struct seal_output){ 0 };
}

static int64_t now(void)
{
	return clock_monotonic().nanos;
}

void seal_bar_show(void *ctx, int64_t rows)
{
	struct seal_bar *bar = ctx;
	int64_t t = now();

	if (bar->drawn && t - bar->shown < 100000000)
		return;
	bar->shown = t;
	bar->drawn = true;
	long long rate = t > bar->started ? (long long)((i128)rows * 1000000000 / (t - bar->started)) : 0;
	if (bar->in->size > 0) {
		int64_t at = seal_input_offset(bar->in);
		int part = at >= bar->in->size ? 100 : (int)(at * 100 / bar->in->size), full = part * BAR / 100;
		(void)fprintf(stderr, "\r[%.*s%.*s] %3d%%  ", full, "##############################", BAR - full, "                              ", part);
	} else {
		(void)fputc('\r', stderr);
	}
	(void)fprintf(stderr, "%lld rows  %lld rows/s ", (long long)rows, rate);
}

void seal_bar_end(struct seal_bar *bar, int64_t rows, bool ok)
{
	if (bar->drawn)
		(void)fputs("\r\033[K", stderr);
	if (ok)
		(void)fprintf(stderr, "%lld rows %s\n", (long long)rows, bar->what);
}
