#include "proxy/cli_keyfile.h"

#include "base/file.h"
#include "base/number.h"
#include "base/text.h"
#include "crypto/random.h"
#include "crypto/secret_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

enum option_id { OPT_OUTPUT = 256, OPT_STORE, OPT_FROM, OPT_CONFIRM, OPT_COLLABORATION, OPT_MEMBER, OPT_PURPOSE, OPT_PASS_FILE, OPT_PASS_FD,
		 OPT_NEW_FILE, OPT_NEW_FD, OPT_OPEN, OPT_WITH_KEK };

static const struct option known[] = {
	{ "output", required_argument, NULL, OPT_OUTPUT },
	{ "store", required_argument, NULL, OPT_STORE },
	{ "from-store", required_argument, NULL, OPT_FROM },
	{ "confirm", required_argument, NULL, OPT_CONFIRM },
	{ "collaboration", required_argument, NULL, OPT_COLLABORATION },
	{ "member", required_argument, NULL, OPT_MEMBER },
	{ "purpose", required_argument, NULL, OPT_PURPOSE },
	{ "passphrase-file", required_argument, NULL, OPT_PASS_FILE },
	{ "passphrase-fd", required_argument, NULL, OPT_PASS_FD },
	{ "new-passphrase-file", required_argument, NULL, OPT_NEW_FILE },
	{ "new-passphrase-fd", required_argument, NULL, OPT_NEW_FD },
	{ "open", no_argument, NULL, OPT_OPEN },
	{ "with-kek", no_argument, NULL, OPT_WITH_KEK },
	{ NULL, 0, NULL, 0 },
};

static bool take_fd(const char *text, int *fd)
{
	int64_t v;

	if (!number_i64(text, 0, 1 << 20, &v))
		return false;
	*fd = (int)v;
	return true;
}

static bool take_passphrase(struct key_command *c, int id)
{
	switch (id) {
	case OPT_PASS_FILE:
		c->current.file = optarg;
		return true;
	case OPT_PASS_FD:
		return take_fd(optarg, &c->current.fd);
	case OPT_NEW_FILE:
		c->fresh.file = optarg;
		c->fresh_given = true;
		return true;
	case OPT_NEW_FD:
		c->fresh_given = true;
		return take_fd(optarg, &c->fresh.fd);
	default:
		return false;
	}
}

static bool take_option(struct key_command *c, int id)
{
	switch (id) {
	case OPT_OUTPUT:
		c->output = optarg;
		return true;
	case OPT_STORE:
		c->store = optarg;
		return true;
	case OPT_FROM:
		c->from_store = optarg;
		return true;
	case OPT_CONFIRM:
		c->confirm = optarg;
		return true;
	case OPT_COLLABORATION:
		c->context.collaboration = optarg;
		return true;
	case OPT_MEMBER:
		c->context.member = optarg;
		return true;
	case OPT_PURPOSE:
		c->context.purpose = optarg;
		return true;
	case OPT_OPEN:
		c->open = true;
		return true;
	case OPT_WITH_KEK:
		c->with_kek = true;
		return true;
	default:
		return take_passphrase(c, id);
	}
}

bool key_command_read(int argc, char **argv, struct key_command *c)
{
	int id;

	*c = (struct key_command){ .current.fd = -1, .fresh.fd = -1 };
	optind = 1;
	while ((id = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (!take_option(c, id))
			return false;
	}
	if (!c->from_store)
		c->from_store = getenv("NOISEGATE_KEY_STORE");
	if (argc - optind > 1)
		return false;
	c->path = optind < argc ? argv[optind] : NULL;
	return true;
}

static bool misused(struct key_command *c)
{
	c->misused = true;
	return false;
}

static struct c3r_secret *new_secret(struct error *e)
{
	struct c3r_secret *s = secret_new(sizeof(*s));

	if (!s)
		fail_memory(e);
	return s;
}

static bool write_file(const char *path, const struct wr *w, bool overwrite, struct error *e)
{
	struct file_out out = { 0 };
	bool ok = (wr_ok(w) || fail_memory(e)) && file_out_open(&out, path, overwrite, e) &&
		  (fwrite(w->p, 1, w->n, out.f) == w->n || fail(e, ERR_IO, "could not write file \"%s\": %s", path, strerror(errno))) &&
		  file_out_commit(&out, e);

	file_out_abort(&out);
	return ok;
}

static void say_id(const struct c3r_secret *s)
{
	char id[KEY_ID_TEXT];

	if (key_id(s, id))
		(void)printf("key id %s, %zu bytes\n", id, s->n);
}

/* Wraps under c->store; `from`: where a new passphrase comes from. */
static bool wrap_to(struct key_command *c, const struct c3r_secret *s, const struct key_context *context, const char *store,
		    struct cli_passphrase *from, const char *path, bool overwrite, struct error *e)
{
	const struct rng r = random_system();
	struct keystore_request q = cli_keystore(&c->arena, &r, from);
	const struct keystore *kind;
	struct wr out, now;

	wr_init(&out, &c->arena, KEY_FILE_MAX);
	cli_date(&c->arena, &now);
	if (!overwrite && access(path, F_OK) == 0) /* before a token makes a key for it */
		return fail(e, ERR_IO, "file \"%s\" exists already", path);
	bool ok = keystore_parse(store, &kind, &q.locator, e) && key_wrap(s, context, kind, &q, &now, &out, e) && write_file(path, &out, overwrite, e);
	if (ok)
		say_id(s);
	return ok;
}

static struct key_context with_defaults(const struct key_context *given, const struct key_context *otherwise)
{
	return (struct key_context){ .collaboration = given->collaboration ? given->collaboration : otherwise->collaboration,
				     .member = given->member ? given->member : otherwise->member,
				     .purpose = given->purpose ? given->purpose : otherwise->purpose };
}

static const struct key_context usual = { .collaboration = "-", .member = "-", .purpose = "seal" };

static bool write_plain(struct key_command *c, const struct c3r_secret *s, struct error *e)
{
	struct wr w;

	wr_init_heap(&w, 128);
	base64_put(&w, s->bytes, s->n);
	wr_u8(&w, '\n');
	bool ok;
	if (c->output)
		ok = write_file(c->output, &w, false, e);
	else
		ok = (fwrite(w.p, 1, w.n, stdout) == w.n && fflush(stdout) == 0) || fail(e, ERR_IO, "could not write the key");
	wr_free(&w);
	return ok;
}

bool key_generate(struct key_command *c, struct error *e)
{
	const struct rng r = random_system();
	struct key_context context = with_defaults(&c->context, &usual);

	if (c->store ? !c->output || !c->context.collaboration : c->context.collaboration || c->context.member || c->context.purpose)
		return misused(c);
	struct c3r_secret *s = new_secret(e);
	bool ok = s && (rng_fill(&r, s->bytes, SECRET_KEY) || fail(e, ERR_CRYPTO, "the random source failed"));
	if (ok) {
		s->n = SECRET_KEY;
		ok = c->store ? wrap_to(c, s, &context, c->store, c->fresh_given ? &c->fresh : &c->current, c->output, false, e) : write_plain(c, s, e);
	}
	secret_delete(s, sizeof(*s));
	return ok;
}

bool key_import(struct key_command *c, struct error *e)
{
	struct key_context context = with_defaults(&c->context, &usual);
	char *text = NULL;
	size_t n;

	if (!c->store || !c->output || !c->context.collaboration)
		return misused(c);
	bool ok = text_eq(c->path, "-") ? file_read(&c->arena, "/dev/stdin", KEY_FILE_MAX, &text, &n, e) :
					  file_read_secret(&c->arena, c->path, KEY_FILE_MAX, &text, &n, e);
	struct c3r_secret *s = new_secret(e);
	if (ok && key_is_wrapped(text)) {
		fail(e, ERR_BAD_PARAMETER, "\"%s\" is wrapped already", c->path);
		ok = error_hint(e, "To wrap it for another place: noisegate key export-wrapped.");
	}
	ok = ok && s && c3r_secret_read(text, s, e) &&
	     wrap_to(c, s, &context, c->store, c->fresh_given ? &c->fresh : &c->current, c->output, false, e);
	secret_delete(s, sizeof(*s));
	return ok;
}

/* Reads a wrapped key file without opening it. */
static bool read_wrapped(struct key_command *c, struct key_file *f, struct error *e)
{
	char *text;
	size_t n;

	if (!file_read_secret(&c->arena, c->path, KEY_FILE_MAX, &text, &n, e))
		return false;
	if (!key_is_wrapped(text)) {
		fail(e, ERR_BAD_PARAMETER, "\"%s\" is a key in the clear", c->path);
		return error_hint(e, "Wrap it first: noisegate key import --store STORE --collaboration ID --output FILE %s", c->path);
	}
	return key_parse(&c->arena, text, n, f, e);
}

static bool open_file(struct key_command *c, const struct key_file *f, struct c3r_secret *s, struct error *e)
{
	struct cli_passphrase from = c->current;

	if (!from.file && from.fd < 0)
		from.file = getenv("NOISEGATE_PASSPHRASE_FILE");
	const struct rng r = random_system();
	const struct keystore_request q = cli_keystore(&c->arena, &r, &from);
	return key_load(c->path, &f->context, c->from_store, &q, s, e);
}

/* The one path of export, rotate and rewrap. */
static bool wrap_again(struct key_command *c, const struct key_file *f, const char *store, const char *path, bool overwrite, struct error *e)
{
	struct key_context context = with_defaults(&c->context, &f->context);
	struct c3r_secret *s = new_secret(e);
	bool ok = s && open_file(c, f, s, e) && wrap_to(c, s, &context, store, &c->fresh, path, overwrite, e);

	secret_delete(s, sizeof(*s));
	return ok;
}

bool key_export(struct key_command *c, struct error *e)
{
	struct key_file f;

	if (!c->store || !c->output)
		return misused(c);
	return read_wrapped(c, &f, e) && wrap_again(c, &f, c->store, c->output, false, e);
}

bool key_rewrap(struct key_command *c, struct error *e)
{
	struct key_file f;

	if (!c->store || c->output)
		return misused(c);
	return read_wrapped(c, &f, e) && wrap_again(c, &f, c->store, c->path, true, e);
}

/* Whether `store` is of the file's kind, and its key-encryption key another one than the file's. */
static bool differs(struct key_command *c, const struct key_file *f, const char *store, struct error *e)
{
	const struct rng r = random_system();
	struct keystore_request q = cli_keystore(&c->arena, &r, &c->fresh);
	const struct keystore *kind;
	struct wr locator;

	wr_init(&locator, &c->arena, KEYSTORE_LOCATOR_MAX);
	if (!keystore_parse(store, &kind, &q.locator, e) || !kind->locate(&q, &locator, e))
		return false;
	if (kind != f->store)
		return fail(e, ERR_BAD_PARAMETER, "the new store is of another kind");
	if (kind->rotates_by_name && text_eq(wr_text(&locator), f->locator))
		return fail(e, ERR_BAD_PARAMETER, "the new key-encryption key is the old one");
	return true;
}

bool key_rotate(struct key_command *c, struct error *e)
{
	const char *store = c->store;
	struct key_file f;

	if (c->output)
		return misused(c);
	if (!read_wrapped(c, &f, e))
		return false;
	if (f.destroyed)
		return fail(e, ERR_KEY_DESTROYED, "key %s was destroyed", f.id);
	if (!store && f.store->rotates_by_name) {
		fail(e, ERR_BAD_PARAMETER, "rotation needs the name of a new key-encryption key");
		return error_hint(e, "Add --store %s with a file or token key that is new; what is at %s:%s would open the new file as well as the old.",
				  f.store->form, f.store->name, f.locator);
	}
	if (!store)
		store = arena_printf(&c->arena, "%s:%s", f.store->name, f.locator);
	if (!store)
		return fail_memory(e);
	if (!differs(c, &f, store, e))
		return error_hint(e, "To change the kind of store: noisegate key rewrap.");
	return wrap_again(c, &f, store, c->path, true, e);
}

static bool show_plain(const char *path, const char *text, struct error *e)
{
	struct c3r_secret *s = new_secret(e);
	bool ok = s && (c3r_secret_read(text, s, e) || error_detail(e, "It was read from \"%s\".", path));

	if (ok)
		say_id(s);
	secret_delete(s, sizeof(*s));
	return ok;
}

bool key_show(struct key_command *c, struct error *e)
{
	struct key_file f;
	char *text;
	size_t n;

	if (!file_read_secret(&c->arena, c->path, KEY_FILE_MAX, &text, &n, e))
		return false;
	if (!key_is_wrapped(text))
		return show_plain(c->path, text, e);
	if (!key_parse(&c->arena, text, n, &f, e))
		return false;
	(void)printf("key id %s\nstate %s\ncollaboration %s\nmember %s\npurpose %s\ncreated %s\n", f.id, f.destroyed ? "destroyed" : "wrapped",
		     f.context.collaboration, f.context.member, f.context.purpose, f.created);
	if (!f.destroyed)
		(void)printf("store %s:%s\n", f.store->name, f.locator);
	if (!c->open)
		return true;
	struct c3r_secret *s = new_secret(e);
	bool ok = s && open_file(c, &f, s, e);
	if (ok)
		(void)printf("opens: %zu bytes\n", s->n);
	secret_delete(s, sizeof(*s));
	return ok;
}

/* The old bytes, under whatever name they still have: zeros.  Disks that remap blocks may keep copies: docs/keys.md. */
static bool wipe_old(int fd, size_t n, struct error *e)
{
	static const char zeros[KEY_FILE_MAX];
	bool ok = n <= sizeof(zeros) && pwrite(fd, zeros, n, 0) == (ssize_t)n && fsync(fd) == 0;

	return ok || fail(e, ERR_IO, "could not wipe the old bytes of the key file: %s", strerror(errno));
}

bool key_destroy(struct key_command *c, struct error *e)
{
	const struct rng r = random_system();
	struct keystore_request q = cli_keystore(&c->arena, &r, &c->current);
	const struct keystore *kind;
	struct key_file f;
	struct wr out, now;

	if (!c->confirm)
		return misused(c);
	if (!read_wrapped(c, &f, e))
		return false;
	if (f.destroyed)
		return fail(e, ERR_KEY_DESTROYED, "key %s was destroyed", f.id);
	if (!text_eq(c->confirm, f.id)) {
		fail(e, ERR_BAD_PARAMETER, "this is key %s, not %s", f.id, c->confirm);
		return error_hint(e, "Nothing was destroyed.");
	}
	q.locator = f.locator;
	if (c->from_store && !keystore_parse(c->from_store, &kind, &q.locator, e))
		return false;
	if (c->from_store && kind != f.store)
		return fail(e, ERR_BAD_PARAMETER, "the key is in a \"%s\" store, not \"%s\"", f.store->name, kind->name);
	if (c->with_kek && !f.store->destroy)
		return fail(e, ERR_BAD_PARAMETER, "a \"%s\" store keeps nothing outside the key file", f.store->name);
	if (c->with_kek && !f.store->destroy(&q, e))
		return false;
	wr_init(&out, &c->arena, KEY_FILE_MAX);
	cli_date(&c->arena, &now);
	key_tombstone(&f, &now, &out);
	int old = open(c->path, O_WRONLY | O_CLOEXEC);
	if (old < 0)
		return fail(e, ERR_IO, "could not open file \"%s\": %s", c->path, strerror(errno));
	bool ok = write_file(c->path, &out, true, e) && wipe_old(old, strlen(f.text), e);
	(void)close(old);
	if (ok)
		(void)printf("key %s destroyed\n", f.id);
	return ok;
}
