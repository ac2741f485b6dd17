#include "crypto/native.h"

#include "base/mem.h"
#include "base/text.h"

#include <openssl/evp.h>
#include <string.h>

enum { VERSION = 1, COUNT = 8, OF_ROW = 1, OF_FILE = 2, IV = 12, TAG = 16, HEAD = 1 + NATIVE_KEY_ID, PLACED = HEAD + NATIVE_FILE + NATIVE_ROW, FILE_PLACED = HEAD + NATIVE_FILE + COUNT, PREFIX = 6, UUID = UUID_TEXT - 1,
       KIND_NULL = 0, KIND_TEXT = 1, END_MARK = 0x80, NULL_RANDOM = 16, PLAIN_MAX = NATIVE_VALUE_MAX + 2, RAW_MAX = PLACED + PLAIN_MAX + TAG };

static const char sealed_prefix[] = "ng1:s:", siv_prefix[] = "ng1:d:", mac_prefix[] = "ng1:f:", tag_prefix[] = "ng1:r:";

struct native_work {
	struct hash_mac *seal, *row;
	EVP_CIPHER_CTX *gcm, *siv;
	EVP_CIPHER *siv_method;
	EVP_MD_CTX *digest;
	char collaboration[UUID];
	uint8_t head[HEAD]; /* version and key id */
	uint8_t placed[PLACED];
	bool keyed, opening; /* gcm holds the key of the row in placed, for this direction */
	struct wr cover;     /* what a row's tag is made over */
	char why[160];
};

static bool labelled(const struct c3r_secret *s, const char *collaboration, const char *label, const char *column, uint8_t out[SECRET_KEY])
{
	SECRET struct secret_key k;

	bool ok = c3r_expand(s, collaboration, label, column, &k);
	mem_copy(out, k.bytes, SECRET_KEY);
	return ok;
}

static struct hash_mac *labelled_mac(const struct c3r_secret *s, const char *collaboration, const char *label, const char *column)
{
	SECRET struct secret_key k;

	return c3r_expand(s, collaboration, label, column, &k) ? hash_mac_new(k.bytes, sizeof(k.bytes)) : NULL;
}

struct hash_mac *native_column_mac(const struct c3r_secret *s, const char *collaboration, const char *column, bool one_key)
{
	return labelled_mac(s, collaboration, "noisegate/1/fingerprint/", one_key ? "" : column);
}

bool native_siv_key(const struct c3r_secret *s, const char *collaboration, const char *column, bool one_key, struct native_siv_key *out)
{
	const char *name = one_key ? "" : column;

	return labelled(s, collaboration, "noisegate/1/deterministic/mac/", name, out->bytes) &&
	       labelled(s, collaboration, "noisegate/1/deterministic/enc/", name, out->bytes + SECRET_KEY);
}

static bool work_ready(struct native_work *w)
{
	EVP_CIPHER *gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	bool ok = gcm && w->seal && w->row && w->gcm && w->siv && w->siv_method && w->digest && EVP_EncryptInit_ex2(w->gcm, gcm, NULL, NULL, NULL) == 1;

	EVP_CIPHER_free(gcm);
	return ok;
}

struct native_work *native_work_new(const struct c3r_secret *s, const char *collaboration)
{
	static const char id_label[] = "noisegate key id v1"; /* as `noisegate key show` prints it */
	struct native_work *w = mem_alloc(1, sizeof(*w));
	uint8_t id[SHA256_SIZE];

	if (!w)
		return NULL;
	BUG_IF(strlen(collaboration) != UUID);
	mem_copy(w->collaboration, collaboration, UUID);
	wr_init_heap(&w->cover, (size_t)64 << 20);
	w->seal = labelled_mac(s, collaboration, "noisegate/1/seal", "");
	w->row = labelled_mac(s, collaboration, "noisegate/1/row", "");
	w->gcm = EVP_CIPHER_CTX_new();
	w->siv = EVP_CIPHER_CTX_new();
	w->siv_method = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
	w->digest = EVP_MD_CTX_new();
	if (!hash_hmac(s->bytes, s->n, id_label, sizeof(id_label) - 1, id) || !work_ready(w)) {
		native_work_free(w);
		return NULL;
	}
	w->head[0] = VERSION;
	mem_copy(w->head + 1, id, NATIVE_KEY_ID);
	return w;
}

void native_work_free(struct native_work *w)
{
	if (!w)
		return;
	hash_mac_free(w->seal);
	hash_mac_free(w->row);
	EVP_CIPHER_CTX_free(w->gcm);
	EVP_CIPHER_CTX_free(w->siv);
	EVP_CIPHER_free(w->siv_method);
	EVP_MD_CTX_free(w->digest);
	wr_free(&w->cover);
	mem_free(w);
}

enum native_cell native_kind(const char *text, size_t n)
{
	if (n < PREFIX || !mem_equal(text, "ng", 2) || text[3] != ':' || text[5] != ':')
		return NATIVE_NONE;
	if (text[2] != '1')
		return NATIVE_OTHER;
	switch (text[4]) {
	case 's':
		return NATIVE_SEALED;
	case 'd':
		return NATIVE_DETERMINISTIC;
	case 'f':
		return NATIVE_FINGERPRINT;
	case 'r':
		return NATIVE_TAG;
	default:
		return NATIVE_OTHER;
	}
}

/* kind, value, end mark, zeros: the value's end is found from behind, so any value can be padded to any length.  Returns the length. */
static size_t encode(uint8_t *plain, uint8_t kind, const void *value, size_t n, size_t padded)
{
	plain[0] = kind;
	mem_copy(plain + 1, value, n);
	plain[n + 1] = END_MARK;
	mem_wipe(plain + n + 2, padded - n);
	return padded + 2;
}

static bool decode(const uint8_t *plain, size_t n, struct wr *out, bool *null, const char **why)
{
	while (n > 1 && plain[n - 1] == 0)
		n--;
	*why = "its padding or value is malformed";
	if (n < 2 || plain[n - 1] != END_MARK || plain[0] > KIND_TEXT)
		return false;
	*null = plain[0] == KIND_NULL;
	if (*null)
		return true;
	if (!text_utf8(plain + 1, n - 2))
		return false;
	wr_put(out, plain + 1, n - 2);
	return true;
}

/* The row's key: of its place, so that a random row number alone decides it; used for one nonce per column name. */
static bool key_row(struct native_work *w, const uint8_t placed[PLACED], bool opening)
{
	uint8_t key[SHA256_SIZE];

	if (w->keyed && w->opening == opening && mem_equal(w->placed, placed, PLACED))
		return true;
	mem_copy(w->placed, placed, PLACED);
	w->opening = opening;
	w->keyed = hash_mac_of(w->seal, placed + HEAD, PLACED - HEAD, 1, key) && EVP_CipherInit_ex2(w->gcm, NULL, key, NULL, !opening, NULL) == 1;
	secret_wipe(key, sizeof(key));
	return w->keyed;
}

bool native_row_begin(struct native_work *w, const struct native_place *at)
{
	uint8_t placed[PLACED];

	mem_copy(placed, w->head, HEAD);
	mem_copy(placed + HEAD, at->file, NATIVE_FILE);
	mem_copy(placed + HEAD + NATIVE_FILE, at->row, NATIVE_ROW);
	w->keyed = false;
	return key_row(w, placed, false);
}

/* The nonce is of the column: a row's key meets each column name once. */
static bool column_iv(struct native_work *w, const char *column, uint8_t iv[IV])
{
	static const char label[] = "noisegate/1/iv/";
	uint8_t sum[SHA256_SIZE];

	if (EVP_DigestInit_ex2(w->digest, hash_sha256_method(), NULL) != 1 || EVP_DigestUpdate(w->digest, label, sizeof(label) - 1) != 1 ||
	    EVP_DigestUpdate(w->digest, column, strlen(column)) != 1 || EVP_DigestFinal_ex(w->digest, sum, NULL) != 1)
		return false;
	mem_copy(iv, sum, IV);
	return true;
}

/* Sets the nonce and feeds the associated data: version, key id, file, row; collaboration; column. */
static bool gcm_start(struct native_work *w, const char *column)
{
	uint8_t iv[IV];
	int length;

	return column_iv(w, column, iv) && EVP_CipherInit_ex2(w->gcm, NULL, NULL, iv, -1, NULL) == 1 &&
	       EVP_CipherUpdate(w->gcm, NULL, &length, w->placed, PLACED) == 1 &&
	       EVP_CipherUpdate(w->gcm, NULL, &length, (const uint8_t *)w->collaboration, UUID) == 1 &&
	       EVP_CipherUpdate(w->gcm, NULL, &length, (const uint8_t *)column, (int)strlen(column)) == 1;
}

static bool fits(size_t n, size_t padded)
{
	return n <= padded && padded <= NATIVE_VALUE_MAX;
}

bool native_seal(struct native_work *w, const char *column, const char *value, size_t n, size_t padded, struct wr *out)
{
	uint8_t plain[PLAIN_MAX], raw[RAW_MAX];
	int length, final;

	n = value ? n : 0;
	if (!w->keyed || w->opening || !fits(n, padded))
		return false;
	size_t body = encode(plain, value ? KIND_TEXT : KIND_NULL, value, n, padded);
	mem_copy(raw, w->placed, PLACED);
	bool ok = gcm_start(w, column) && EVP_EncryptUpdate(w->gcm, raw + PLACED, &length, plain, (int)body) == 1 &&
		  EVP_EncryptFinal_ex(w->gcm, raw + PLACED + length, &final) == 1 &&
		  EVP_CIPHER_CTX_ctrl(w->gcm, EVP_CTRL_AEAD_GET_TAG, TAG, raw + PLACED + body) == 1;
	secret_wipe(plain, body);
	if (!ok)
		return false;
	wr_str(out, sealed_prefix);
	base64_put(out, raw, PLACED + body + TAG);
	return true;
}

/* AES-SIV takes its key anew for every message; associated data: version and key id, then the collaboration. */
static bool siv_start(struct native_work *w, const struct native_siv_key *k, bool encrypt)
{
	int length;

	return EVP_CipherInit_ex2(w->siv, w->siv_method, k->bytes, NULL, encrypt, NULL) == 1 &&
	       EVP_CipherUpdate(w->siv, NULL, &length, w->head, HEAD) == 1 &&
	       EVP_CipherUpdate(w->siv, NULL, &length, (const uint8_t *)w->collaboration, UUID) == 1;
}

bool native_deterministic(struct native_work *w, const struct native_siv_key *k, const char *value, size_t n, size_t padded, const struct rng *r,
			  struct wr *out)
{
	uint8_t plain[PLAIN_MAX], raw[RAW_MAX], random[NULL_RANDOM];
	int length, final;

	if (!value) { /* NULLs must not be equal to each other */
		n = padded < NATIVE_NULL_MIN || padded > NULL_RANDOM ? NULL_RANDOM : padded;
		padded = padded < n ? n : padded;
		if (!rng_fill(r, random, sizeof(random)))
			return false;
	}
	if (!fits(n, padded))
		return false;
	size_t body = encode(plain, value ? KIND_TEXT : KIND_NULL, value ? (const void *)value : random, n, padded);
	mem_copy(raw, w->head, HEAD);
	bool ok = siv_start(w, k, true) && EVP_EncryptUpdate(w->siv, raw + HEAD + TAG, &length, plain, (int)body) == 1 &&
		  EVP_EncryptFinal_ex(w->siv, raw + HEAD + TAG + length, &final) == 1 &&
		  EVP_CIPHER_CTX_ctrl(w->siv, EVP_CTRL_AEAD_GET_TAG, TAG, raw + HEAD) == 1;
	secret_wipe(plain, body);
	if (!ok)
		return false;
	wr_str(out, siv_prefix);
	base64_put(out, raw, HEAD + TAG + body);
	return true;
}

bool native_fingerprint(struct hash_mac *k, const char *value, size_t n, const struct rng *r, struct wr *out, uint8_t mac[32])
{
	uint8_t random[32];

	if (!value && !rng_fill(r, random, sizeof(random)))
		return false;
	if (!(value ? hash_mac_of(k, value, n, KIND_TEXT, mac) : hash_mac_of(k, random, sizeof(random), KIND_NULL, mac)))
		return false;
	wr_str(out, mac_prefix);
	base64_put(out, mac, SHA256_SIZE);
	return true;
}

/* Length first: no two lists of cells look alike. */
void native_names_add(struct wr *names, const char *name, size_t n)
{
	wr_u32(names, (uint32_t)n);
	wr_put(names, name, n);
}

void native_tag_begin(struct native_work *w, const struct native_place *at, const uint8_t names[32])
{
	wr_clear(&w->cover);
	wr_put(&w->cover, w->head, HEAD);
	wr_put(&w->cover, at->file, NATIVE_FILE);
	wr_put(&w->cover, at->row, NATIVE_ROW);
	wr_put(&w->cover, w->collaboration, UUID);
	wr_put(&w->cover, names, SHA256_SIZE);
}

void native_tag_cell(struct native_work *w, const char *text, size_t n)
{
	native_names_add(&w->cover, text, n);
}

static bool tag_sum(struct native_work *w, uint8_t of, uint8_t sum[SHA256_SIZE])
{
	return wr_ok(&w->cover) && hash_mac_of(w->row, w->cover.p, w->cover.n, of, sum);
}

bool native_tag_put(struct native_work *w, struct wr *out)
{
	uint8_t sum[SHA256_SIZE], raw[PLACED + TAG];

	if (!tag_sum(w, OF_ROW, sum))
		return false;
	mem_copy(raw, w->cover.p, PLACED);
	mem_copy(raw + PLACED, sum, TAG);
	wr_str(out, tag_prefix);
	base64_put(out, raw, sizeof(raw));
	return true;
}

static void file_cover(struct native_work *w, const uint8_t file[NATIVE_FILE], const uint8_t names[32], uint64_t rows)
{
	wr_clear(&w->cover);
	wr_put(&w->cover, w->head, HEAD);
	wr_put(&w->cover, file, NATIVE_FILE);
	wr_u64(&w->cover, rows);
	wr_put(&w->cover, w->collaboration, UUID);
	wr_put(&w->cover, names, SHA256_SIZE);
}

bool native_file_put(struct native_work *w, const uint8_t file[NATIVE_FILE], const uint8_t names[32], uint64_t rows, struct wr *out)
{
	uint8_t sum[SHA256_SIZE], raw[FILE_PLACED + TAG];

	file_cover(w, file, names, rows);
	if (!tag_sum(w, OF_FILE, sum))
		return false;
	mem_copy(raw, w->cover.p, FILE_PLACED);
	mem_copy(raw + FILE_PLACED, sum, TAG);
	wr_str(out, NATIVE_FILE_COLUMN);
	base64_put(out, raw, sizeof(raw));
	return true;
}

/* Decodes what stands behind a prefix, and checks version and key id. */
static bool unpack_behind(struct native_work *w, size_t prefix, const char *cell, size_t n, size_t least, uint8_t raw[RAW_MAX], size_t *n_raw,
			  const char **why)
{
	*why = "it is truncated or not Base64";
	if (n < prefix || !base64_read(cell + prefix, n - prefix, raw, RAW_MAX, n_raw) || *n_raw < least)
		return false;
	*why = "it has another format version";
	if (raw[0] != VERSION)
		return false;
	if (mem_equal(raw, w->head, HEAD))
		return true;
	const uint8_t *a = raw + 1, *b = w->head + 1;
	(void)snprintf(w->why, sizeof(w->why), "it was sealed with another key (its id begins %02x%02x%02x%02x, the given one's %02x%02x%02x%02x)", a[0], a[1],
		       a[2], a[3], b[0], b[1], b[2], b[3]);
	*why = w->why;
	return false;
}

static bool unpack(struct native_work *w, const char *cell, size_t n, size_t least, uint8_t raw[RAW_MAX], size_t *n_raw, const char **why)
{
	return unpack_behind(w, PREFIX, cell, n, least, raw, n_raw, why);
}

bool native_place_of(struct native_work *w, const char *cell, size_t n, struct native_place *out, const char **why)
{
	uint8_t raw[RAW_MAX];
	size_t n_raw;

	if (!unpack(w, cell, n, PLACED + TAG, raw, &n_raw, why))
		return false;
	mem_copy(out->file, raw + HEAD, NATIVE_FILE);
	mem_copy(out->row, raw + HEAD + NATIVE_FILE, NATIVE_ROW);
	return true;
}

static const char changed[] = "it was sealed for another collaboration, column or row, or it was changed";

bool native_open(struct native_work *w, const char *column, const char *cell, size_t n, struct wr *out, bool *null, const char **why)
{
	uint8_t plain[RAW_MAX], raw[RAW_MAX];
	size_t n_raw;
	int length = 0, final;

	if (!unpack(w, cell, n, PLACED + 2 + TAG, raw, &n_raw, why))
		return false;
	size_t body = n_raw - PLACED - TAG;
	*why = changed;
	bool ok = key_row(w, raw, true) && gcm_start(w, column) && EVP_DecryptUpdate(w->gcm, plain, &length, raw + PLACED, (int)body) == 1 &&
		  EVP_CIPHER_CTX_ctrl(w->gcm, EVP_CTRL_AEAD_SET_TAG, TAG, raw + n_raw - TAG) == 1 &&
		  EVP_DecryptFinal_ex(w->gcm, plain + length, &final) == 1 && decode(plain, body, out, null, why);
	secret_wipe(plain, body);
	return ok;
}

bool native_open_deterministic(struct native_work *w, const struct native_siv_key *k, const char *cell, size_t n, struct wr *out, bool *null,
			       const char **why)
{
	uint8_t plain[RAW_MAX], raw[RAW_MAX];
	size_t n_raw;
	int length = 0, final;

	if (!unpack(w, cell, n, HEAD + TAG + 2, raw, &n_raw, why))
		return false;
	size_t body = n_raw - HEAD - TAG;
	*why = "it was sealed for another collaboration or column, or it was changed";
	/* the context wants the tag before the text; a wrong one makes the update fail */
	bool ok = EVP_CipherInit_ex2(w->siv, w->siv_method, k->bytes, NULL, 0, NULL) == 1 &&
		  EVP_CIPHER_CTX_ctrl(w->siv, EVP_CTRL_AEAD_SET_TAG, TAG, raw + HEAD) == 1 &&
		  EVP_CipherUpdate(w->siv, NULL, &length, w->head, HEAD) == 1 &&
		  EVP_CipherUpdate(w->siv, NULL, &length, (const uint8_t *)w->collaboration, UUID) == 1 &&
		  EVP_DecryptUpdate(w->siv, plain, &length, raw + HEAD + TAG, (int)body) == 1 &&
		  EVP_DecryptFinal_ex(w->siv, plain + length, &final) == 1 && decode(plain, body, out, null, why);
	secret_wipe(plain, body);
	return ok;
}

bool native_tag_check(struct native_work *w, const char *cell, size_t n, const char **why)
{
	uint8_t raw[RAW_MAX], sum[SHA256_SIZE];
	size_t n_raw;

	if (!unpack(w, cell, n, PLACED + TAG, raw, &n_raw, why))
		return false;
	*why = "a cell of this row was changed, moved or removed, or the row belongs to another collaboration";
	return n_raw == PLACED + TAG && tag_sum(w, OF_ROW, sum) && secret_equal(sum, raw + PLACED, TAG);
}

bool native_file_check(struct native_work *w, const char *text, size_t n, const uint8_t names[32], uint8_t file[NATIVE_FILE], uint64_t *rows,
		       const char **why)
{
	uint8_t raw[RAW_MAX], sum[SHA256_SIZE];
	size_t n_raw;

	if (!unpack_behind(w, sizeof(NATIVE_FILE_COLUMN) - 1, text, n, FILE_PLACED + TAG, raw, &n_raw, why))
		return false;
	struct rd count = rd_of(raw + HEAD + NATIVE_FILE, COUNT);
	*rows = rd_u64(&count);
	mem_copy(file, raw + HEAD, NATIVE_FILE);
	file_cover(w, file, names, *rows);
	*why = "the file belongs to another collaboration, or its header was changed";
	return n_raw == FILE_PLACED + TAG && tag_sum(w, OF_FILE, sum) && secret_equal(sum, raw + FILE_PLACED, TAG);
}
