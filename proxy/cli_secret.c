#include "proxy/cli_secret.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "crypto/random.h"
#include "crypto/secret_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* One line from fd, without its end; false when there is none, or more than room. */
static bool read_line(int fd, char *out, size_t room)
{
	size_t n = 0;

	while (n < room) {
		ssize_t got = read(fd, out + n, 1); /* byte by byte: what follows belongs to the next question */
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0 || out[n] == '\n') {
			out[n] = '\0';
			if (n > 0 && out[n - 1] == '\r')
				out[n - 1] = '\0';
			return got > 0 || n > 0;
		}
		n++;
	}
	return false;
}

static bool from_terminal(int tty, const char *what, const char *again, char *out, size_t room)
{
	struct termios before, silent;

	(void)dprintf(tty, "%s%s: ", what, again);
	if (tcgetattr(tty, &before) != 0)
		return false;
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(tty, TCSAFLUSH, &silent) != 0)
		return false;
	bool ok = read_line(tty, out, room);
	(void)tcsetattr(tty, TCSAFLUSH, &before);
	(void)dprintf(tty, "\n");
	return ok;
}

static bool ask_person(const char *what, bool confirm, char *out, size_t room, struct error *e)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	char *twice = secret_new(room);

	if (tty < 0) {
		secret_delete(twice, room);
		fail(e, ERR_BAD_PARAMETER, "the passphrase or PIN is needed, and there is no terminal to ask on");
		return error_hint(e, "Give --passphrase-file FILE or --passphrase-fd N (for a new one: --new-passphrase-...), or set NOISEGATE_PASSPHRASE_FILE.");
	}
	bool ok = twice && (from_terminal(tty, what, "", out, room) || fail(e, ERR_BAD_PARAMETER, "could not read the passphrase or PIN"));
	if (ok && confirm)
		ok = (from_terminal(tty, what, " again", twice, room) && secret_equal(out, twice, room)) ||
		     fail(e, ERR_BAD_PARAMETER, "the two are not the same");
	secret_delete(twice, room);
	(void)close(tty);
	return ok;
}

bool cli_ask(void *ctx, const char *what, bool confirm, char *out, size_t room, struct error *e)
{
	const struct cli_passphrase *from = ctx;
	struct arena a;
	char *text;
	size_t n;

	if (!from->file && from->fd >= 0)
		return read_line(from->fd, out, room) ||
		       fail(e, ERR_BAD_PARAMETER, "descriptor %d does not give a line of less than %zu bytes", from->fd, room);
	if (!from->file)
		return ask_person(what, confirm, out, room, e);
	arena_init(&a, 65536);
	bool ok = file_read_secret(&a, from->file, room - 1, &text, &n, e);
	if (ok) {
		text[strcspn(text, "\r\n")] = '\0';
		mem_copy(out, text, strlen(text) + 1);
	}
	arena_reset(&a);
	return ok;
}

struct keystore_request cli_keystore(struct arena *a, const struct rng *r, struct cli_passphrase *from)
{
	return (struct keystore_request){ .locator = "", .ask = cli_ask, .ask_ctx = from, .rng = r, .arena = a };
}

bool cli_key_load(struct arena *a, const char *path, const struct key_context *expect, const struct cli_passphrase *from, struct c3r_secret *out,
		  struct error *e)
{
	const struct rng r = random_system();
	struct cli_passphrase source = from ? *from : (struct cli_passphrase){ .fd = -1 };

	if (!source.file && source.fd < 0)
		source.file = getenv("NOISEGATE_PASSPHRASE_FILE");
	const struct keystore_request q = cli_keystore(a, &r, &source);
	return key_load(path, expect, getenv("NOISEGATE_KEY_STORE"), &q, out, e);
}

void cli_date(struct arena *a, struct wr *w)
{
	const struct clock system = clock_system();
	struct civil c = civil_from_wall(clock_now(&system));

	wr_init(w, a, 64);
	wr_fmt(w, "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year, c.month, c.day, c.hour, c.minute, c.second);
}
