#include "crypto/spool.h"

#include "base/file.h"
#include "base/mem.h"
#include "crypto/secret.h"
#include "crypto/secret_memory.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

enum { CHUNK = 64 << 10 };

struct spool {
	FILE *file;
	EVP_CIPHER_CTX *stream; /* stands where the file stands */
	struct secret_key key;
	bool reading; /* was sought: to write now would use the same stream twice */
};

/* The key is used for one file, written once: the counter begins at zero, to write and for each time it is read. */
static bool rewind_stream(struct spool *s)
{
	static const uint8_t zero[16];

	return EVP_EncryptInit_ex2(s->stream, EVP_aes_256_ctr(), s->key.bytes, zero, NULL) == 1;
}

static ssize_t spool_read(void *ctx, char *to, size_t n)
{
	struct spool *s = ctx;
	uint8_t sealed[CHUNK];
	int done;

	size_t got = fread(sealed, 1, n < CHUNK ? n : CHUNK, s->file);
	if (got == 0)
		return ferror(s->file) ? -1 : 0;
	if (EVP_EncryptUpdate(s->stream, (uint8_t *)to, &done, sealed, (int)got) == 1)
		return (ssize_t)got;
	errno = EIO;
	return -1;
}

static ssize_t spool_write(void *ctx, const char *from, size_t n)
{
	struct spool *s = ctx;
	uint8_t sealed[CHUNK];
	size_t put = 0;

	errno = EINVAL;
	while (put < n && !s->reading) {
		size_t part = n - put < CHUNK ? n - put : CHUNK;
		int done;
		if (EVP_EncryptUpdate(s->stream, sealed, &done, (const uint8_t *)from + put, (int)part) != 1) {
			errno = EIO;
			return 0;
		}
		if (fwrite(sealed, 1, part, s->file) != part)
			return 0; /* errno is of the write that failed */
		put += part;
	}
	return (ssize_t)put;
}

static int spool_seek(void *ctx, off64_t *at, int whence)
{
	struct spool *s = ctx;

	if (whence == SEEK_SET && *at == 0) {
		s->reading = true;
		return fseeko(s->file, 0, SEEK_SET) == 0 && rewind_stream(s) ? 0 : -1;
	}
	off_t now = ftello(s->file);
	if (now < 0 || !((whence == SEEK_CUR && *at == 0) || (whence == SEEK_SET && *at == now))) {
		errno = EINVAL; /* there is no need for another place */
		return -1;
	}
	*at = now;
	return 0;
}

static int spool_close(void *ctx)
{
	struct spool *s = ctx;

	if (s->file)
		(void)fclose(s->file);
	EVP_CIPHER_CTX_free(s->stream);
	secret_delete(s, sizeof(*s));
	return 0;
}

bool spool_open(const struct rng *r, FILE **out, struct error *e)
{
	struct spool *s = secret_new(sizeof(*s));

	if (!s)
		return fail_memory(e);
	s->stream = EVP_CIPHER_CTX_new();
	bool ok = ((s->stream && rng_fill(r, s->key.bytes, sizeof(s->key.bytes)) && rewind_stream(s)) || fail(e, ERR_CRYPTO, "could not prepare a temporary file")) &&
		  file_nameless(&s->file, e);
	FILE *f = ok ? fopencookie(s, "w+b", (cookie_io_functions_t){ .read = spool_read, .write = spool_write, .seek = spool_seek, .close = spool_close }) : NULL;
	if (!f) {
		(void)spool_close(s);
		return ok ? fail_memory(e) : false;
	}
	*out = f;
	return true;
}

static bool not_kept(struct error *e)
{
	fail(e, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "could not write a temporary file: %s", strerror(errno));
	return error_hint(e, "A column padded to its longest value takes two passes; a pipe is kept meanwhile, encrypted, in the directory that TMPDIR names.");
}

static bool fill(FILE *out, FILE *in, const char *name, struct error *e)
{
	char *clear = secret_new(CHUNK);
	bool ok = clear || fail_memory(e);
	size_t n = 0;

	while (ok && (n = fread(clear, 1, CHUNK, in)) > 0)
		ok = fwrite(clear, 1, n, out) == n || not_kept(e);
	if (ok && ferror(in))
		ok = fail(e, ERR_IO, "%s: %s", name, errno == EBADMSG ? "the compressed data is damaged or ends early" : strerror(errno));
	secret_delete(clear, CHUNK);
	return ok && ((fflush(out) == 0 && fseeko(out, 0, SEEK_SET) == 0) || not_kept(e));
}

bool spool_copy(FILE *in, const char *name, const struct rng *r, FILE **out, struct error *e)
{
	FILE *f;

	if (!spool_open(r, &f, e))
		return false;
	if (!fill(f, in, name, e)) {
		(void)fclose(f);
		return false;
	}
	*out = f;
	return true;
}
