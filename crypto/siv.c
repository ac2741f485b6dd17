#include "crypto/siv.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "crypto/hash.h"

#include <openssl/evp.h>

enum { MOST = 1 << 20 };

static bool run(bool encrypt, const uint8_t *key, const void *bound, size_t n_bound, uint8_t tag[SIV_TAG], const uint8_t *in, size_t n, uint8_t *out)
{
	if (n == 0 || n > MOST || n_bound == 0 || n_bound > MOST) /* OpenSSL 3.0 forgets an empty associated string (CVE-2023-2975) */
		return false;
	EVP_CIPHER *method = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int length = 0;

	bool ok = method && ctx && EVP_CipherInit_ex2(ctx, method, key, NULL, encrypt, NULL) == 1;
	if (ok && !encrypt)
		ok = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SIV_TAG, tag) == 1;
	ok = ok && EVP_CipherUpdate(ctx, NULL, &length, bound, (int)n_bound) == 1 && EVP_CipherUpdate(ctx, out, &length, in, (int)n) == 1 &&
	     length == (int)n && EVP_CipherFinal_ex(ctx, out + n, &length) == 1;
	if (ok && encrypt)
		ok = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SIV_TAG, tag) == 1;
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(method);
	return ok;
}

bool siv_seal(const uint8_t key[SIV_KEY], const void *bound, size_t n_bound, const uint8_t *in, size_t n, uint8_t *out)
{
	return run(true, key, bound, n_bound, out, in, n, out + SIV_TAG);
}

bool siv_open(const uint8_t key[SIV_KEY], const void *bound, size_t n_bound, const uint8_t *in, size_t n, uint8_t *out)
{
	uint8_t tag[SIV_TAG];

	mem_copy(tag, in, SIV_TAG);
	return run(false, key, bound, n_bound, tag, in + SIV_TAG, n, out);
}

bool siv_derive(const void *key, size_t n_key, const char *name, uint8_t out[SIV_KEY])
{
	struct wr label;

	wr_init_heap(&label, 128);
	wr_fmt(&label, "%s mac", name);
	bool ok = wr_ok(&label) && hash_hmac(key, n_key, label.p, label.n, out);
	wr_clear(&label);
	wr_fmt(&label, "%s cipher", name);
	ok = ok && wr_ok(&label) && hash_hmac(key, n_key, label.p, label.n, out + SHA256_SIZE);
	wr_free(&label);
	return ok;
}
