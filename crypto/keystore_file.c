/* Key store "file": the KEK is derived from a secret in a file of its own, which should live on another medium than the key files. */
#include "base/file.h"
#include "base/text.h"
#include "crypto/c3r.h"
#include "crypto/hash.h"
#include "crypto/keystore.h"
#include "crypto/secret_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SALT = 16, KEK_FILE_MAX = 4096 };

/* Writes a fresh secret; never over something that is there. */
static bool create(const struct keystore_request *q, struct error *e)
{
	struct file_out out = { 0 };
	uint8_t *secret = secret_new(SECRET_KEY);
	struct wr w;

	wr_init_heap(&w, 128);
	bool ok = secret ? true : fail_memory(e);
	ok = ok && (rng_fill(q->rng, secret, SECRET_KEY) || fail(e, ERR_CRYPTO, "the random source failed"));
	if (ok) {
		base64_put(&w, secret, SECRET_KEY);
		wr_u8(&w, '\n');
		ok = file_out_open(&out, q->locator, false, e) &&
		     (fwrite(w.p, 1, w.n, out.f) == w.n || fail(e, ERR_IO, "could not write file \"%s\"", q->locator)) && file_out_commit(&out, e);
		file_out_abort(&out);
	}
	secret_delete(secret, SECRET_KEY);
	wr_free(&w);
	return ok;
}

static bool file_locate(const struct keystore_request *q, struct wr *locator, struct error *e)
{
	if (q->locator[0] == '\0')
		return fail(e, ERR_BAD_PARAMETER, "key store \"file\" needs a path: %s", keystore_file.form);
	if (access(q->locator, F_OK) != 0 && !create(q, e))
		return false;
	char *whole = realpath(q->locator, NULL);
	if (!whole)
		return fail(e, ERR_IO, "could not find file \"%s\": %s", q->locator, strerror(errno));
	wr_str(locator, whole);
	free(whole);
	return true;
}

static bool derive(const struct keystore_request *q, const uint8_t salt[SALT], uint8_t kek[SECRET_KEY], struct error *e)
{
	static const char label[] = "noisegate kek file v1";
	struct c3r_secret *secret = secret_new(sizeof(*secret));
	uint8_t message[sizeof(label) + SALT];
	struct wr w;
	char *text = NULL;
	size_t n = 0;

	wr_init(&w, q->arena, sizeof(message));
	wr_put(&w, label, sizeof(label));
	wr_put(&w, salt, SALT);
	bool ok = secret && wr_ok(&w) ? true : fail_memory(e);
	ok = ok && file_read_secret(q->arena, q->locator, KEK_FILE_MAX, &text, &n, e) && c3r_secret_read(text, secret, e) &&
	     (hash_hmac(secret->bytes, secret->n, w.p, w.n, kek) || fail(e, ERR_CRYPTO, "could not derive the key-encryption key"));
	if (text)
		secret_wipe(text, n);
	secret_delete(secret, sizeof(*secret));
	return ok ? true : error_detail(e, "The key-encryption key is in \"%s\".", q->locator);
}

static bool file_make(const struct keystore_request *q, const char *bound UNUSED, size_t n_bound UNUSED, struct wr *slot,
		      uint8_t kek[SECRET_KEY], struct error *e)
{
	uint8_t salt[SALT];

	if (!rng_fill(q->rng, salt, SALT))
		return fail(e, ERR_CRYPTO, "the random source failed");
	wr_put(slot, salt, SALT);
	return derive(q, salt, kek, e);
}

static bool file_open(const struct keystore_request *q, const char *bound UNUSED, size_t n_bound UNUSED, struct rd slot,
		      uint8_t kek[SECRET_KEY], struct error *e)
{
	const uint8_t *salt = rd_take(&slot, SALT);

	if (!salt || !rd_end(&slot))
		return fail(e, ERR_KEY_REFUSED, "the key file was changed: its slot is not that of a \"file\" store");
	if (access(q->locator, F_OK) != 0) {
		fail(e, ERR_KEY_REFUSED, "the key-encryption key \"%s\" is not there: %s", q->locator, strerror(errno));
		return error_hint(e, "If it has moved, name it: --store file:PATH, or the environment's NOISEGATE_KEY_STORE.");
	}
	return derive(q, salt, kek, e);
}

static bool file_destroy(const struct keystore_request *q, struct error *e)
{
	static const char zeros[KEK_FILE_MAX];
	struct stat st;
	FILE *f = fopen(q->locator, "r+be");

	if (!f)
		return fail(e, ERR_IO, "could not open file \"%s\": %s", q->locator, strerror(errno));
	bool ok = fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= KEK_FILE_MAX &&
		  fwrite(zeros, 1, (size_t)st.st_size, f) == (size_t)st.st_size && fflush(f) == 0 && fsync(fileno(f)) == 0;
	ok = fclose(f) == 0 && ok && unlink(q->locator) == 0;
	return ok ? true : fail(e, ERR_IO, "could not destroy file \"%s\": %s", q->locator, strerror(errno));
}

const struct keystore keystore_file = { .name = "file", .form = "file:PATH", .rotates_by_name = true, .locate = file_locate, .make = file_make,
					.open = file_open, .destroy = file_destroy };
