#include "crypto/key.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "crypto/secret_memory.h"
#include "crypto/siv.h"

#include <string.h>

enum { WRAPPED_MAX = C3R_SECRET_MAX + SIV_TAG, DATE_MAX = 32 };

static const char magic[] = "noisegate-key ", version[] = "1";
static const char tomb[] = "destroyed ", label[] = "noisegate key wrap v1";

bool key_id(const struct c3r_secret *s, char out[KEY_ID_TEXT])
{
	static const char id_label[] = "noisegate key id v1", digits[] = "0123456789abcdef";
	uint8_t mac[SHA256_SIZE];

	if (!hash_hmac(s->bytes, s->n, id_label, sizeof(id_label) - 1, mac))
		return false;
	for (size_t i = 0; i < KEY_ID; i++) {
		out[2 * i] = digits[mac[i] >> 4];
		out[2 * i + 1] = digits[mac[i] & 15];
	}
	out[2 * KEY_ID] = '\0';
	return true;
}

bool key_is_wrapped(const char *text)
{
	return text_starts(text, magic);
}

static bool is_word(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@/+-");

	return n > 0 && n <= KEY_CONTEXT_MAX && s[n] == '\0';
}

static bool changed(struct error *e, const char *what)
{
	fail(e, ERR_KEY_REFUSED, "the key file was changed, or is not complete: %s", what);
	return error_hint(e, "Use another copy of it.");
}

/* The rest of the next line after "name ", zero-terminated in the arena; NULL when the line is another. */
static const char *line(struct arena *a, const char **at, const char *name)
{
	size_t n = strlen(name);

	if (strncmp(*at, name, n) != 0)
		return NULL;
	const char *start = *at + n, *end = strchr(start, '\n');
	if (!end)
		return NULL;
	*at = end + 1;
	return arena_copy(a, start, (size_t)(end - start));
}

static const uint8_t *line_base64(struct arena *a, const char **at, const char *name, size_t max, size_t *n)
{
	const char *text = line(a, at, name);
	uint8_t *out = text ? arena_alloc(a, max + 1, 1) : NULL;

	return out && base64_read(text, strlen(text), out, max, n) ? out : NULL;
}

static bool parse_stored(struct arena *a, const char *at, const char *end, struct key_file *f, struct error *e)
{
	const char *kind = line(a, &at, "store ");

	f->store = kind ? keystore_named(kind, strlen(kind)) : NULL;
	if (!f->store)
		return changed(e, "the line \"store\" names no store that this version knows");
	f->locator = line(a, &at, "locator ");
	if (!f->locator || strlen(f->locator) > KEYSTORE_LOCATOR_MAX)
		return changed(e, "no line \"locator\"");
	f->n_context = (size_t)(at - f->text);
	f->slot = line_base64(a, &at, "slot ", KEYSTORE_SLOT_MAX, &f->n_slot);
	f->n_bound = (size_t)(at - f->text);
	if (!f->slot)
		return changed(e, "no line \"slot\"");
	f->wrapped = line_base64(a, &at, "wrapped ", WRAPPED_MAX, &f->n_wrapped);
	if (!f->wrapped || f->n_wrapped < C3R_SECRET_MIN + SIV_TAG)
		return changed(e, "no line \"wrapped\"");
	return at == end || changed(e, "something follows its last line");
}

bool key_parse(struct arena *a, const char *text, size_t n, struct key_file *out, struct error *e)
{
	struct key_file f = { .text = text };
	const char *at = text;

	if (strlen(text) != n)
		return changed(e, "it holds a zero byte");
	const char *v = line(a, &at, magic);
	if (!v)
		return changed(e, "it does not begin with \"noisegate-key\"");
	if (!text_eq(v, version)) {
		fail(e, ERR_KEY_REFUSED, "the key file is of version \"%.20s\"", v);
		return error_hint(e, "This program reads version %s.", version);
	}
	const char *id = line(a, &at, "id ");
	f.context.collaboration = line(a, &at, "collaboration ");
	f.context.member = line(a, &at, "member ");
	f.context.purpose = line(a, &at, "purpose ");
	f.created = line(a, &at, "created ");
	if (!id || strlen(id) != KEY_ID_TEXT - 1 || !f.created || strlen(f.created) > DATE_MAX || !is_word(f.created) || !f.context.collaboration ||
	    !is_word(f.context.collaboration) || !f.context.member || !is_word(f.context.member) || !f.context.purpose || !is_word(f.context.purpose))
		return changed(e, "its id, context or date cannot be read");
	mem_copy(f.id, id, KEY_ID_TEXT);
	f.destroyed = text_starts(at, tomb);
	if (!f.destroyed && !parse_stored(a, at, text + n, &f, e))
		return false;
	*out = f;
	return true;
}

/* KEK, and the SIV key derived from it, in one piece of secret memory. */
struct working {
	uint8_t kek[SECRET_KEY], siv[SIV_KEY];
};

static bool put_context(const struct c3r_secret *s, const struct key_context *c, const struct wr *now, struct wr *out, struct error *e)
{
	char id[KEY_ID_TEXT];

	if (!is_word(c->collaboration) || !is_word(c->member) || !is_word(c->purpose)) {
		fail(e, ERR_BAD_PARAMETER, "collaboration, member or purpose is not a word of at most %d bytes", KEY_CONTEXT_MAX);
		return error_hint(e, "Letters, digits and . _ : @ / + - can be used; \"-\" stands for none.");
	}
	if (!key_id(s, id))
		return fail(e, ERR_CRYPTO, "could not compute the key's id");
	wr_fmt(out, "%s%s\nid %s\ncollaboration %s\nmember %s\npurpose %s\ncreated %s\n", magic, version, id, c->collaboration, c->member, c->purpose,
	       wr_text(now));
	return true;
}

bool key_wrap(const struct c3r_secret *s, const struct key_context *context, const struct keystore *store, const struct keystore_request *q,
	      const struct wr *now, struct wr *out, struct error *e)
{
	struct working *k = secret_new(sizeof(*k));
	struct keystore_request here = *q;
	uint8_t wrapped[WRAPPED_MAX];
	struct wr slot, locator;

	wr_init(&slot, q->arena, KEYSTORE_SLOT_MAX);
	wr_init(&locator, q->arena, KEYSTORE_LOCATOR_MAX);
	bool ok = (k || fail_memory(e)) && put_context(s, context, now, out, e) && store->locate(q, &locator, e) && (wr_ok(&locator) || fail_memory(e));
	if (ok) {
		here.locator = wr_text(&locator);
		wr_fmt(out, "store %s\nlocator %s\n", store->name, here.locator);
		ok = (wr_ok(out) || fail_memory(e)) && store->make(&here, wr_text(out), out->n, &slot, k->kek, e) && (wr_ok(&slot) || fail_memory(e));
	}
	if (ok) {
		wr_str(out, "slot ");
		base64_put(out, slot.p, slot.n);
		wr_u8(out, '\n');
		ok = (wr_ok(out) || fail_memory(e)) &&
		     ((siv_derive(k->kek, SECRET_KEY, label, k->siv) && siv_seal(k->siv, wr_text(out), out->n, s->bytes, s->n, wrapped)) ||
		      fail(e, ERR_CRYPTO, "could not wrap the key"));
	}
	if (ok) {
		wr_str(out, "wrapped ");
		base64_put(out, wrapped, SIV_TAG + s->n);
		wr_u8(out, '\n');
		ok = wr_ok(out) || fail_memory(e);
	}
	secret_delete(k, sizeof(*k));
	return ok;
}

static bool expected(const char *what, const char *has, const char *wants, struct error *e)
{
	if (!wants || text_eq(has, wants) || (text_eq(what, "collaboration") && text_eq_nocase(has, wants))) /* a UUID in capitals is the same */
		return true;
	return fail(e, ERR_KEY_REFUSED, "the key is for %s \"%s\", not \"%s\"", what, has, wants);
}

bool key_unwrap(const struct key_file *f, const struct key_context *expect, const struct keystore_request *q, struct c3r_secret *out,
		struct error *e)
{
	struct keystore_request here = *q;
	char id[KEY_ID_TEXT];

	if (f->destroyed)
		return fail(e, ERR_KEY_DESTROYED, "key %s was destroyed", f->id);
	if (!expected("collaboration", f->context.collaboration, expect->collaboration, e) || !expected("member", f->context.member, expect->member, e) ||
	    !expected("purpose", f->context.purpose, expect->purpose, e))
		return false;
	if (here.locator[0] == '\0')
		here.locator = f->locator;
	struct working *k = secret_new(sizeof(*k));
	secret_lock(out, sizeof(*out));
	bool ok = (k || fail_memory(e)) && f->store->open(&here, f->text, f->n_context, rd_of(f->slot, f->n_slot), k->kek, e);
	if (ok) {
		out->n = f->n_wrapped - SIV_TAG;
		ok = siv_derive(k->kek, SECRET_KEY, label, k->siv) && siv_open(k->siv, f->text, f->n_bound, f->wrapped, out->n, out->bytes) &&
		     key_id(out, id) && text_eq(id, f->id);
		if (!ok) {
			fail(e, ERR_KEY_REFUSED, "the key does not open: %s, or its file was changed",
			     f->store == &keystore_passphrase ? "the passphrase is wrong" : "this is not the key-encryption key");
			error_detail(e, "It is key %s of collaboration %s, member %s, for %s.", f->id, f->context.collaboration, f->context.member,
				     f->context.purpose);
		}
	}
	if (!ok)
		secret_wipe(out, sizeof(*out));
	secret_delete(k, sizeof(*k));
	return ok;
}

void key_tombstone(const struct key_file *f, const struct wr *now, struct wr *out)
{
	wr_fmt(out, "%s%s\nid %s\ncollaboration %s\nmember %s\npurpose %s\ncreated %s\n%s%s\n", magic, version, f->id, f->context.collaboration,
	       f->context.member, f->context.purpose, f->created, tomb, wr_text(now));
}

/* A locator that was given from outside must be of the kind that the file names. */
static bool other_way(const struct key_file *f, const char *spec, struct keystore_request *q, struct error *e)
{
	const struct keystore *kind;

	q->locator = "";
	if (!spec)
		return true;
	if (!keystore_parse(spec, &kind, &q->locator, e))
		return false;
	return kind == f->store || fail(e, ERR_BAD_PARAMETER, "the key is in a \"%s\" store, not \"%s\"", f->store->name, kind->name);
}

bool key_load(const char *path, const struct key_context *expect, const char *spec, const struct keystore_request *q, struct c3r_secret *out,
	      struct error *e)
{
	struct keystore_request here = *q;
	struct key_file f;
	char *text;
	size_t n;

	if (!file_read_secret(q->arena, path, KEY_FILE_MAX, &text, &n, e))
		return false;
	secret_lock(out, sizeof(*out));
	if (!key_is_wrapped(text)) {
		bool ok = c3r_secret_read(text, out, e);
		secret_wipe(text, n); /* the arena lives as long as the command */
		return ok || error_detail(e, "It was read from \"%s\".", path);
	}
	return key_parse(q->arena, text, n, &f, e) && (f.destroyed || other_way(&f, spec, &here, e)) && key_unwrap(&f, expect, &here, out, e);
}
