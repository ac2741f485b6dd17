#include "crypto/hash.h"

#include "base/mem.h"
#include "crypto/secret.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

void secret_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

void secret_key_wipe(struct secret_key *k)
{
	OPENSSL_cleanse(k->bytes, sizeof(k->bytes));
}

void secret_lock(void *p, size_t n)
{
	(void)mlock(p, n); /* may fail for want of rights or limits: the key is then only wiped */
}

bool secret_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

/* Looked up once: an algorithm named at every call costs more than hashing a short message. */
static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void fetch_sha256(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

const void *hash_sha256_method(void)
{
	(void)pthread_once(&sha256_once, fetch_sha256);
	return sha256;
}

bool hash_sha256(const void *p, size_t n, uint8_t out[SHA256_SIZE])
{
	const EVP_MD *method = hash_sha256_method();

	return method && EVP_Digest(p, n, out, NULL, method, NULL) == 1;
}

struct hash_stream {
	EVP_MD_CTX *ctx;
	bool bad;
};

struct hash_stream *hash_begin(void)
{
	struct hash_stream *s = mem_alloc(1, sizeof(*s));
	const EVP_MD *method = hash_sha256_method();

	if (!s)
		return NULL;
	s->ctx = EVP_MD_CTX_new();
	s->bad = !method || !s->ctx || EVP_DigestInit_ex(s->ctx, method, NULL) != 1;
	return s;
}

void hash_add(struct hash_stream *s, const void *p, size_t n)
{
	if (s && !s->bad && n > 0)
		s->bad = EVP_DigestUpdate(s->ctx, p, n) != 1;
}

bool hash_end(struct hash_stream *s, uint8_t out[SHA256_SIZE])
{
	if (!s)
		return false;
	bool ok = !s->bad && EVP_DigestFinal_ex(s->ctx, out, NULL) == 1;
	EVP_MD_CTX_free(s->ctx);
	mem_free(s);
	return ok;
}

bool hash_hmac(const void *key, size_t n_key, const void *p, size_t n, uint8_t out[SHA256_SIZE])
{
	unsigned length = 0;

	return n_key <= INT32_MAX && HMAC(EVP_sha256(), key, (int)n_key, p, n, out, &length) && length == SHA256_SIZE;
}

struct hash_mac {
	EVP_MAC_CTX *ctx;
};

struct hash_mac *hash_mac_new(const void *key, size_t n_key)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end() };
	struct hash_mac *m = mem_alloc(1, sizeof(*m));
	EVP_MAC *method = EVP_MAC_fetch(NULL, "HMAC", NULL);

	if (m && method)
		m->ctx = EVP_MAC_CTX_new(method);
	bool ok = m && m->ctx && EVP_MAC_init(m->ctx, key, n_key, params) == 1;
	EVP_MAC_free(method);
	if (ok)
		return m;
	hash_mac_free(m);
	return NULL;
}

void hash_mac_free(struct hash_mac *m)
{
	if (m)
		EVP_MAC_CTX_free(m->ctx);
	mem_free(m);
}

bool hash_mac_of(struct hash_mac *m, const void *p, size_t n, uint8_t tail, uint8_t out[SHA256_SIZE])
{
	size_t length = 0;

	/* no key given: the one that was set is used again */
	return EVP_MAC_init(m->ctx, NULL, 0, NULL) == 1 && EVP_MAC_update(m->ctx, p, n) == 1 && EVP_MAC_update(m->ctx, &tail, 1) == 1 &&
	       EVP_MAC_final(m->ctx, out, &length, SHA256_SIZE) == 1 && length == SHA256_SIZE;
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
	char text[1024];
	size_t used = 0;

	while (n > 0) {
		size_t take = n < 3 ? n : 3;
		unsigned v = (unsigned)p[0] << 16 | (take > 1 ? (unsigned)p[1] << 8 : 0) | (take > 2 ? p[2] : 0);
		text[used++] = alphabet[v >> 18 & 63];
		text[used++] = alphabet[v >> 12 & 63];
		text[used++] = take > 1 ? alphabet[v >> 6 & 63] : '=';
		text[used++] = take > 2 ? alphabet[v & 63] : '=';
		p += take;
		n -= take;
		if (used == sizeof(text) || n == 0) {
			wr_put(w, text, used);
			used = 0;
		}
	}
	secret_wipe(text, sizeof(text)); /* keys pass through here too */
}

/* The six bits of a digit, or a value above 63. */
static unsigned digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 255;
}

/* The last group, which may be padded: 1, 2 or 3 bytes; 0 when malformed or not in canonical form (bits that stand for nothing are zero). */
static size_t last_group(const char *s, uint8_t out[3])
{
	unsigned a = digit(s[0]), b = digit(s[1]), c = s[2] == '=' && s[3] == '=' ? 0 : digit(s[2]), d = s[3] == '=' ? 0 : digit(s[3]);
	size_t n = s[3] != '=' ? 3 : s[2] != '=' ? 2 : 1;

	if ((a | b | c | d) > 63 || (n == 2 && (c & 3)) || (n == 1 && (b & 15)))
		return 0;
	out[0] = (uint8_t)(a << 2 | b >> 4);
	out[1] = (uint8_t)(b << 4 | c >> 2);
	out[2] = (uint8_t)(c << 6 | d);
	return n;
}

bool base64_read(const char *s, size_t length, uint8_t *out, size_t max, size_t *n)
{
	uint8_t last[3];

	*n = 0;
	if (length % 4 != 0)
		return false;
	for (; length > 4; s += 4, length -= 4) {
		unsigned a = digit(s[0]), b = digit(s[1]), c = digit(s[2]), d = digit(s[3]);
		if ((a | b | c | d) > 63 || max - *n < 3)
			return false;
		out[*n] = (uint8_t)(a << 2 | b >> 4);
		out[*n + 1] = (uint8_t)(b << 4 | c >> 2);
		out[*n + 2] = (uint8_t)(c << 6 | d);
		*n += 3;
	}
	if (length == 0)
		return true;
	size_t more = last_group(s, last);
	if (more == 0 || max - *n < more)
		return false;
	mem_copy(out + *n, last, more);
	*n += more;
	return true;
}
