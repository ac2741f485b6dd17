#include "crypto/sign.h"

#include "base/file.h"
#include "base/mem.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

enum { PEM_MAX = 16384 };

struct sign_key {
	EVP_PKEY *pkey;
	uint8_t public_key[SIGN_PUBLIC];
};

/* What was written to a memory BIO, which is freed. */
static bool take(BIO *bio, bool ok, struct wr *out)
{
	char *p = NULL;
	long n = bio ? BIO_get_mem_data(bio, &p) : 0;

	if (ok && n > 0)
		wr_put(out, p, (size_t)n);
	if (p && n > 0)
		mem_wipe(p, (size_t)n);
	BIO_free(bio);
	return ok && n > 0 && wr_ok(out);
}

bool sign_generate(struct wr *private_pem, struct wr *public_pem, struct error *e)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	BIO *secret = BIO_new(BIO_s_mem()), *open = BIO_new(BIO_s_mem());

	bool wrote = pkey && secret && PEM_write_bio_PKCS8PrivateKey(secret, pkey, NULL, NULL, 0, NULL, NULL) == 1;
	bool told = pkey && open && PEM_write_bio_PUBKEY(open, pkey) == 1;
	EVP_PKEY_free(pkey);
	wrote = take(secret, wrote, private_pem);
	told = take(open, told, public_pem);
	return (wrote && told) || fail(e, ERR_CRYPTO, "could not generate an Ed25519 key");
}

static bool is_ed25519(const EVP_PKEY *pkey, uint8_t out[SIGN_PUBLIC])
{
	size_t n = SIGN_PUBLIC;

	return pkey && EVP_PKEY_get_id(pkey) == EVP_PKEY_ED25519 && EVP_PKEY_get_raw_public_key(pkey, out, &n) == 1 && n == SIGN_PUBLIC;
}

bool sign_key_load(const char *path, struct sign_key **out, struct error *e)
{
	struct sign_key *k = mem_alloc(1, sizeof(*k));
	struct arena a;
	char *text;
	size_t n;

	if (!k)
		return fail_memory(e);
	arena_init(&a, 4 * PEM_MAX);
	bool ok = file_read_secret(&a, path, PEM_MAX, &text, &n, e);
	if (ok) {
		BIO *bio = BIO_new_mem_buf(text, (int)n);
		k->pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, "") : NULL;
		BIO_free(bio);
		ok = is_ed25519(k->pkey, k->public_key) || fail(e, ERR_CRYPTO, "file \"%s\" does not hold an Ed25519 private key in PEM", path);
		if (!ok)
			error_hint(e, "Make one with: noisegate audit keygen FILE");
	}
	arena_reset(&a); /* wipes */
	if (!ok) {
		sign_key_free(k);
		return false;
	}
	*out = k;
	return true;
}

void sign_key_free(struct sign_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->pkey);
	mem_free(k);
}

void sign_key_public(const struct sign_key *k, uint8_t out[SIGN_PUBLIC])
{
	mem_copy(out, k->public_key, SIGN_PUBLIC);
}

bool sign_make(const struct sign_key *k, const void *p, size_t n, uint8_t out[SIGN_SIGNATURE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t length = SIGN_SIGNATURE;

	bool ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) == 1 && EVP_DigestSign(ctx, out, &length, p, n) == 1 &&
		  length == SIGN_SIGNATURE;
	EVP_MD_CTX_free(ctx);
	return ok;
}

bool sign_public_load(const char *path, uint8_t out[SIGN_PUBLIC], struct error *e)
{
	struct arena a;
	char *text;
	size_t n;

	arena_init(&a, 4 * PEM_MAX);
	bool ok = file_read(&a, path, PEM_MAX, &text, &n, e);
	if (ok) {
		BIO *bio = BIO_new_mem_buf(text, (int)n);
		EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
		ok = is_ed25519(pkey, out) || fail(e, ERR_CRYPTO, "file \"%s\" does not hold an Ed25519 public key in PEM", path);
		EVP_PKEY_free(pkey);
		BIO_free(bio);
	}
	arena_reset(&a);
	return ok;
}

bool sign_verify(const uint8_t public_key[SIGN_PUBLIC], const void *p, size_t n, const uint8_t signature[SIGN_SIGNATURE])
{
	EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, SIGN_PUBLIC);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	bool ok = pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
		  EVP_DigestVerify(ctx, signature, SIGN_SIGNATURE, p, n) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return ok;
}
