#include "crypto/c3r.h"

#include "base/mem.h"
#include "crypto/c3r_value.h"
#include "crypto/hash.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <string.h>

enum { IV = 12, TAG = 16, INFO_STRING = 1 << 1, RAW_MAX = C3R_CELL_MAX };

static const char sealed_prefix[] = "02:enc:", hmac_prefix[] = "02:hmac:";

bool c3r_secret_read(const char *text, struct c3r_secret *out, struct error *e)
{
	size_t n = strlen(text);

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	if (!base64_read(text, n, out->bytes, sizeof(out->bytes), &out->n)) {
		fail(e, ERR_CRYPTO, "the shared secret is not valid Base64 of at most %d bytes", C3R_SECRET_MAX);
		return error_hint(e, "Make one with: noisegate key generate --output FILE");
	}
	if (out->n < C3R_SECRET_MIN)
		return fail(e, ERR_CRYPTO, "the shared secret has %zu bytes; at least %d are required", out->n, C3R_SECRET_MIN);
	return true;
}

bool c3r_uuid(const char *text, char out[UUID_TEXT], struct error *e)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n && i < UUID_TEXT - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			n = 0;
		else
			out[i] = (char)tolower((unsigned char)text[i]);
	}
	if (n != UUID_TEXT - 1)
		return fail(e, ERR_CRYPTO, "the collaboration must be a UUID such as 00000000-1111-2222-3333-444444444444, not \"%.60s\"", text);
	out[n] = '\0';
	return true;
}

bool c3r_expand(const struct c3r_secret *s, const char *collaboration, const char *label, const char *column, struct secret_key *out)
{
	uint8_t prk[SHA256_SIZE];
	struct wr info;

	wr_init_heap(&info, 4096);
	wr_str(&info, label);
	wr_str(&info, column);
	wr_u8(&info, 1);
	bool ok = wr_ok(&info) && hash_hmac(collaboration, strlen(collaboration), s->bytes, s->n, prk) &&
		  hash_hmac(prk, sizeof(prk), info.p, info.n, out->bytes);
	secret_wipe(prk, sizeof(prk));
	wr_free(&info);
	return ok;
}

bool c3r_root_key(const struct c3r_secret *s, const char *collaboration, struct secret_key *out)
{
	return c3r_expand(s, collaboration, "c3r-encryption-primary-aes-gcm-256", "", out);
}

bool c3r_column_key(const struct c3r_secret *s, const char *collaboration, const char *column, bool any_name, struct secret_key *out)
{
	return any_name ? c3r_root_key(s, collaboration, out) : c3r_expand(s, collaboration, "c3r-hmac-sha256-col-", column, out);
}

struct hash_mac *c3r_column_mac(const struct c3r_secret *s, const char *collaboration, const char *column, bool any_name)
{
	SECRET struct secret_key k;

	return c3r_column_key(s, collaboration, column, any_name, &k) ? hash_mac_new(k.bytes, sizeof(k.bytes)) : NULL;
}

bool c3r_fingerprint(struct hash_mac *k, const char *value, size_t n, const struct rng *r, struct wr *out, uint8_t *mac)
{
	uint8_t random[32], sum[SHA256_SIZE];

	if (!value && !rng_fill(r, random, sizeof(random)))
		return false;
	if (!(value ? hash_mac_of(k, value, n, INFO_STRING, sum) : hash_mac_of(k, random, sizeof(random), INFO_STRING | 1, sum)))
		return false;
	wr_str(out, hmac_prefix);
	base64_put(out, sum, sizeof(sum));
	if (mac)
		mem_copy(mac, sum, sizeof(sum));
	return true;
}

struct c3r_work {
	EVP_CIPHER_CTX *cipher;
	EVP_MD_CTX *digest;
	uint8_t nonce[C3R_NONCE]; /* of the row whose key the cipher holds */
	bool keyed;
};

struct c3r_work *c3r_work_new(void)
{
	struct c3r_work *w = mem_alloc(1, sizeof(*w));
	EVP_CIPHER *method = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);

	if (w) {
		w->cipher = EVP_CIPHER_CTX_new();
		w->digest = EVP_MD_CTX_new();
	}
	bool ok = w && method && w->cipher && w->digest && EVP_EncryptInit_ex2(w->cipher, method, NULL, NULL, NULL) == 1;
	EVP_CIPHER_free(method);
	if (ok)
		return w;
	c3r_work_free(w);
	return NULL;
}

void c3r_work_free(struct c3r_work *w)
{
	if (!w)
		return;
	EVP_CIPHER_CTX_free(w->cipher);
	EVP_MD_CTX_free(w->digest);
	mem_free(w);
}

/* SHA-256 of a followed by b. */
static bool digest_two(struct c3r_work *w, const void *a, size_t n_a, const void *b, size_t n_b, uint8_t out[SHA256_SIZE])
{
	const EVP_MD *method = hash_sha256_method();

	return method && EVP_DigestInit_ex2(w->digest, method, NULL) == 1 && EVP_DigestUpdate(w->digest, a, n_a) == 1 &&
	       EVP_DigestUpdate(w->digest, b, n_b) == 1 && EVP_DigestFinal_ex(w->digest, out, NULL) == 1;
}

static bool row_key(struct c3r_work *w, const struct secret_key *root, const uint8_t nonce[C3R_NONCE], struct secret_key *out)
{
	w->keyed = false;
	mem_copy(w->nonce, nonce, C3R_NONCE);
	return digest_two(w, root->bytes, SECRET_KEY, nonce, C3R_NONCE, out->bytes);
}

bool c3r_row_begin(struct c3r_work *w, const struct secret_key *root, const uint8_t nonce[C3R_NONCE])
{
	SECRET struct secret_key k;

	w->keyed = row_key(w, root, nonce, &k) && EVP_EncryptInit_ex2(w->cipher, NULL, k.bytes, NULL, NULL) == 1;
	return w->keyed;
}

static bool column_iv(struct c3r_work *w, const char *column, uint8_t iv[IV])
{
	uint8_t sum[SHA256_SIZE];

	if (!digest_two(w, column, strlen(column), w->nonce, C3R_NONCE, sum))
		return false;
	mem_copy(iv, sum, IV);
	return true;
}

bool c3r_seal(struct c3r_work *w, const char *column, const char *value, size_t n, size_t padded, struct wr *out)
{
	uint8_t plain[RAW_MAX], raw[RAW_MAX];
	size_t body = padded ? padded : value ? n + 1 : 1;
	int length, final;

	if (!w->keyed || n >= RAW_MAX || (value ? n + 1 : 1) > body || body + 2 > RAW_MAX - C3R_NONCE - IV - TAG)
		return false;
	size_t encoded = value ? n + 1 : 1, pad = body - encoded, total = C3R_NONCE + IV + body + 2 + TAG;
	if (sizeof(sealed_prefix) - 1 + (total + 2) / 3 * 4 > C3R_CELL_MAX)
		return false;
	plain[0] = value ? INFO_STRING : INFO_STRING | 1;
	if (value)
		mem_copy(plain + 1, value, n);
	mem_wipe(plain + encoded, pad); /* padding is zeros */
	plain[body] = (uint8_t)(pad >> 8);
	plain[body + 1] = (uint8_t)pad;
	uint8_t *iv = raw + C3R_NONCE, *text = iv + IV;
	mem_copy(raw, w->nonce, C3R_NONCE);
	EVP_CIPHER_CTX *c = w->cipher;
	bool ok = column_iv(w, column, iv) && EVP_EncryptInit_ex2(c, NULL, NULL, iv, NULL) == 1 &&
		  EVP_EncryptUpdate(c, NULL, &length, (const uint8_t *)sealed_prefix, sizeof(sealed_prefix) - 1) == 1 &&
		  EVP_EncryptUpdate(c, text, &length, plain, (int)body + 2) == 1 && EVP_EncryptFinal_ex(c, text + length, &final) == 1 &&
		  EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, text + body + 2) == 1;
	secret_wipe(plain, body + 2);
	if (!ok)
		return false;
	wr_str(out, sealed_prefix);
	base64_put(out, raw, total);
	return true;
}

enum c3r_cell c3r_kind(const char *text, size_t n)
{
	bool sealed = n >= 7 && mem_equal(text + 3, "enc:", 4), mac = n >= 8 && mem_equal(text + 3, "hmac:", 5);

	if (!sealed && !mac)
		return CELL_CLEAR;
	if (!mem_equal(text, "02:", 3))
		return CELL_OTHER_VERSION;
	return sealed ? CELL_SEALED : CELL_FINGERPRINT;
}

/* Cells of one row share its nonce and so its key: the key is set up once for all that follow each other. */
static bool open_row(struct c3r_work *w, const struct secret_key *root, const uint8_t *nonce)
{
	SECRET struct secret_key k;

	if (w->keyed && mem_equal(w->nonce, nonce, C3R_NONCE))
		return true;
	w->keyed = row_key(w, root, nonce, &k) && EVP_DecryptInit_ex2(w->cipher, NULL, k.bytes, NULL, NULL) == 1;
	return w->keyed;
}

static bool decrypt(struct c3r_work *w, const struct secret_key *root, uint8_t *raw, size_t n, uint8_t *plain)
{
	EVP_CIPHER_CTX *c = w->cipher;
	size_t text = n - C3R_NONCE - IV - TAG;
	int length, final;

	return open_row(w, root, raw) && EVP_DecryptInit_ex2(c, NULL, NULL, raw + C3R_NONCE, NULL) == 1 &&
	       EVP_DecryptUpdate(c, NULL, &length, (const uint8_t *)sealed_prefix, sizeof(sealed_prefix) - 1) == 1 &&
	       EVP_DecryptUpdate(c, plain, &length, raw + C3R_NONCE + IV, (int)text) == 1 &&
	       EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, raw + n - TAG) == 1 && EVP_DecryptFinal_ex(c, plain + length, &final) == 1;
}

bool c3r_open(struct c3r_work *w, const struct secret_key *root, const char *cell, size_t n, struct wr *out, bool *null, const char **why)
{
	uint8_t raw[RAW_MAX], plain[RAW_MAX];
	size_t n_raw, skip = sizeof(sealed_prefix) - 1;
	bool ok = false;

	*why = "it is truncated or not Base64";
	if (n < skip || !base64_read(cell + skip, n - skip, raw, sizeof(raw), &n_raw) || n_raw < C3R_NONCE + IV + TAG + 3)
		return false;
	size_t n_plain = n_raw - C3R_NONCE - IV - TAG;
	*why = "it was sealed with another key or for another collaboration, or it was changed";
	if (decrypt(w, root, raw, n_raw, plain)) {
		size_t pad = (size_t)plain[n_plain - 2] << 8 | plain[n_plain - 1];
		*why = "its padding is malformed";
		if (pad + 3 <= n_plain) {
			struct rd r = rd_of(plain + 1, n_plain - 3 - pad);
			*null = plain[0] & 1;
			*why = "its value is malformed";
			ok = *null || c3r_value_put(out, plain[0] >> 1, &r, why);
		}
	}
	secret_wipe(plain, n_plain);
	return ok;
}
