/*
 * The anchor as an NV index of a TPM 2.0: two places for a note, as in the file.  A TPM has no locks: a file of the machine, named after the index, is the lock of all that use it.  The conversation is as long as the lock is held, as some
 * TPMs hold only one.
 */
#include "budget/anchor.h"

#include "base/mem.h"
#include "crypto/tpm_nv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

enum { NOTE = 320 }; /* the longest note has 259 bytes */

struct tpm_anchor {
	struct anchor base;
	char *tcti;
	uint32_t index;
	int lock;
	struct tpm_nv *nv;
	struct anchor_places places;
};

static struct tpm_anchor *of(struct anchor *a)
{
	return (struct tpm_anchor *)(void *)a; /* base is its first member */
}

static void leave(struct anchor *a)
{
	struct tpm_anchor *t = of(a);

	tpm_nv_close(t->nv);
	t->nv = NULL;
	if (t->lock >= 0)
		(void)close(t->lock); /* the lock ends with it */
	t->lock = -1;
}

static bool refused(const struct tpm_anchor *t, const struct error *why, const char *outcome, struct error *e)
{
	fail(e, ERR_LEDGER, "the ledger's anchor, %s, cannot be read or written", t->base.name);
	error_detail(e, "%s: %s.", outcome, why->message);
	return error_hint(e, "%s", why->hint[0] ? why->hint : "The TPM must be reachable, and NV index and owner hierarchy without a password: docs/budgets.md, \"The anchor\".");
}

static bool take_lock(struct tpm_anchor *t, struct error *e)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/run/lock/noisegate-tpm-%08x", t->index);
	t->lock = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW); /* O_CREAT would keep root out of a proxy's file there (fs.protected_regular) */
	if (t->lock < 0 && errno == ENOENT)
		t->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (t->lock >= 0 && flock(t->lock, LOCK_EX) == 0)
		return true;
	fail(e, ERR_LEDGER, "could not lock the ledger's anchor: \"%s\": %s", path, strerror(errno));
	return error_detail(e, "Nothing was run.");
}

static bool read_notes(struct tpm_anchor *t, struct anchored *out, struct error *e)
{
	struct anchored note[2] = { { 0 }, { 0 } };
	char line[NOTE + 1] = { 0 };
	struct error why = ERROR_INIT;

	for (int i = 0; i < 2; i++) {
		if (!tpm_nv_read(t->nv, (uint16_t)(i * NOTE), line, NOTE, &why))
			return refused(t, &why, "Nothing was run", e);
		if (!anchor_parse(line, &note[i]))
			note[i].exists = false;
	}
	return anchor_pick(&t->places, &t->base, note, out, e);
}

static bool enter(struct anchor *a, struct anchored *out, struct error *e)
{
	struct tpm_anchor *t = of(a);
	struct error why = ERROR_INIT;

	t->places = ANCHOR_UNWRITTEN;
	bool ok = take_lock(t, e);
	if (ok && !tpm_nv_open(t->tcti, t->index, 2 * NOTE, &t->nv, &why))
		ok = refused(t, &why, "Nothing was run", e);
	if (ok && tpm_nv_written(t->nv))
		ok = read_notes(t, out, e);
	if (!ok)
		leave(a);
	return ok;
}

static bool write_note(struct anchor *a, const struct head *h, struct error *e)
{
	struct tpm_anchor *t = of(a);
	char line[ANCHOR_LINE] = { 0 };
	struct error why = ERROR_INIT;

	if (!anchor_print(h, line))
		return fail_memory(e);
	const bool both = anchor_both(&t->places, h);
	bool ok = strlen(line) < NOTE || fail(&why, ERR_LEDGER, "the note is too long");
	for (int i = 0; ok && i < (both ? 2 : 1); i++)
		ok = tpm_nv_write(t->nv, (uint16_t)((both ? i : t->places.next) * NOTE), line, NOTE, &why);
	return ok || refused(t, &why, "The charge stands, and nothing was run", e);
}

static void close_tpm(struct anchor *a)
{
	leave(a);
	mem_free(of(a)->tcti);
	mem_free(a);
}

static const struct anchor_ops ops = { enter, write_note, leave, close_tpm };

bool anchor_tpm_open(const char *tcti, uint32_t index, struct anchor **out, struct error *e)
{
	struct tpm_anchor *t = mem_alloc(1, sizeof(*t));

	if (t) {
		t->base.ops = &ops;
		t->lock = -1;
		t->index = index;
		t->tcti = mem_strdup(tcti);
		(void)snprintf(t->base.name, sizeof(t->base.name), "NV index 0x%x of the TPM", index);
	}
	if (!t || !t->tcti) {
		mem_free(t);
		return fail_memory(e);
	}
	*out = &t->base;
	return true;
}
