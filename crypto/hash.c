#include "crypto/hash.h"

#include "crypto/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

void secret_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

void secret_key_wipe(struct secret_key *k)
{
	OPENSSL_cleanse(k->bytes, sizeof(k->bytes));
}

bool secret_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

bool hash_sha256(const void *p, size_t n, uint8_t out[SHA256_SIZE])
{
	return EVP_Digest(p, n, out, NULL, EVP_sha256(), NULL) == 1;
}

bool hash_hmac(const void *key, size_t n_key, const void *p, size_t n, uint8_t out[SHA256_SIZE])
{
	unsigned length = 0;

	return n_key <= INT32_MAX && HMAC(EVP_sha256(), key, (int)n_key, p, n, out, &length) && length == SHA256_SIZE;
}

bool hash_pbkdf2(const char *password, size_t n, const void *salt, size_t n_salt, int iterations, uint8_t out[SHA256_SIZE])
{
	return n <= INT32_MAX && n_salt <= INT32_MAX &&
	       PKCS5_PBKDF2_HMAC(password, (int)n, salt, (int)n_salt, iterations, EVP_sha256(), SHA256_SIZE, out) == 1;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_put(struct wr *w, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (; n > 0; p += n < 3 ? n : 3, n -= n < 3 ? n : 3) {
		unsigned v = (unsigned)p[0] << 16 | (n > 1 ? (unsigned)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);
		char group[4] = { alphabet[v >> 18 & 63], alphabet[v >> 12 & 63], n > 1 ? alphabet[v >> 6 & 63] : '=',
				  n > 2 ? alphabet[v & 63] : '=' };
		wr_put(w, group, 4);
	}
}

static int digit(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

bool base64_read(const char *s, size_t length, uint8_t *out, size_t max, size_t *n)
{
	*n = 0;
	if (length % 4 != 0)
		return false;
	for (size_t i = 0; i < length; i += 4) {
		bool last = i + 4 == length;
		int pad = last && s[i + 3] == '=' ? (s[i + 2] == '=' ? 2 : 1) : 0;
		unsigned v = 0;
		for (size_t j = 0; j < 4; j++) {
			int d = j >= (size_t)(4 - pad) ? 0 : digit(s[i + j]);
			if (d < 0)
				return false;
			v = v << 6 | (unsigned)d;
		}
		if ((pad == 1 && (v & 0xff)) || (pad == 2 && (v & 0xffff)))
			return false; /* not the canonical form */
		for (int j = 0; j < 3 - pad; j++) {
			if (*n == max)
				return false;
			out[(*n)++] = (uint8_t)(v >> (16 - 8 * j));
		}
	}
	return true;
}
