/*
 * Key store "pkcs11": an AES-256 key that never leaves a token (sensitive, not extractable) encrypts the KEK with AES-GCM, what is bound as associated
 * data.  The token is named by an RFC 7512 URI; p11-kit loads its module.
 */
#include "base/mem.h"
#include "base/text.h"
#include "crypto/keystore.h"
#include "crypto/secret_memory.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>
#include <string.h>

enum { IV = 12, TAG = 16, SLOTS_MAX = 64, NAME_MAX_BYTES = 128 };

/* One conversation with a token; closed by token_close on every way out. */
struct token {
	P11KitUri *uri;
	CK_FUNCTION_LIST *f;
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE key;
	bool running, open, found;
};

static bool refused(struct error *e, const char *doing, CK_RV rv)
{
	if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE)
		return fail(e, ERR_KEY_REFUSED, "the token refuses the PIN");
	if (rv == CKR_PIN_LOCKED)
		return fail(e, ERR_KEY_REFUSED, "the token's PIN is locked after too many wrong ones");
	return fail(e, ERR_CRYPTO, "could not %s: %s", doing, p11_kit_strerror(rv));
}

static void token_close(struct token *t)
{
	if (t->open) {
		(void)t->f->C_Logout(t->session);
		(void)t->f->C_CloseSession(t->session);
	}
	if (t->running)
		(void)p11_kit_module_finalize(t->f);
	if (t->f)
		p11_kit_module_release(t->f);
	p11_kit_uri_free(t->uri);
	*t = (struct token){ 0 };
}

static bool uri_read(const struct keystore_request *q, struct token *t, struct error *e)
{
	char *text = arena_printf(q->arena, "pkcs11:%s", q->locator);

	t->uri = p11_kit_uri_new();
	if (!text || !t->uri)
		return fail_memory(e);
	int rc = p11_kit_uri_parse(text, P11_KIT_URI_FOR_OBJECT_ON_TOKEN_AND_MODULE, t->uri);
	if (rc != P11_KIT_URI_OK)
		return fail(e, ERR_BAD_PARAMETER, "cannot read the token's URI \"%s\": %s", text, p11_kit_uri_message(rc));
	if (p11_kit_uri_get_pin_value(t->uri)) {
		fail(e, ERR_BAD_PARAMETER, "the token's URI holds a PIN");
		return error_hint(e, "Give it with --passphrase-file, --passphrase-fd, or when asked.");
	}
	if (!p11_kit_uri_get_module_path(t->uri) || !p11_kit_uri_get_attribute(t->uri, CKA_LABEL)) {
		fail(e, ERR_BAD_PARAMETER, "the token's URI names no module or no key");
		return error_hint(e, "Write: %s", keystore_pkcs11.form);
	}
	return true;
}

/* The one slot whose token the URI describes. */
static bool slot_find(struct token *t, CK_SLOT_ID *slot, CK_TOKEN_INFO *info, struct error *e)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG n = SLOTS_MAX;
	CK_TOKEN_INFO at;
	int matches = 0;
	CK_RV rv = t->f->C_GetSlotList(CK_TRUE, slots, &n);

	if (rv != CKR_OK)
		return refused(e, "list the tokens", rv);
	for (CK_ULONG i = 0; i < n; i++) {
		if (t->f->C_GetTokenInfo(slots[i], &at) != CKR_OK || !(at.flags & CKF_TOKEN_INITIALIZED) ||
		    !p11_kit_uri_match_token_info(t->uri, &at))
			continue;
		matches++;
		*slot = slots[i];
		*info = at;
	}
	if (matches == 1)
		return true;
	return fail(e, ERR_KEY_REFUSED, matches ? "the URI fits more than one token" : "no token that is present fits the URI");
}

static bool log_in(const struct keystore_request *q, struct token *t, const CK_TOKEN_INFO *info, struct error *e)
{
	if (!(info->flags & CKF_LOGIN_REQUIRED))
		return true;
	char *pin = secret_new(KEYSTORE_ASK_MAX);
	bool ok = pin ? true : fail_memory(e);
	ok = ok && q->ask(q->ask_ctx, "Token PIN", false, pin, KEYSTORE_ASK_MAX, e);
	if (ok) {
		CK_RV rv = t->f->C_Login(t->session, CKU_USER, (CK_UTF8CHAR_PTR)pin, strlen(pin));
		ok = rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN || refused(e, "log in to the token", rv);
	}
	secret_delete(pin, KEYSTORE_ASK_MAX);
	return ok;
}

/* The AES key of the URI's label (and id, when given). */
static bool key_find(struct token *t, struct error *e)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE want[4] = { { CKA_CLASS, &class, sizeof(class) }, { CKA_KEY_TYPE, &type, sizeof(type) } };
	CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(t->uri, CKA_LABEL), *id = p11_kit_uri_get_attribute(t->uri, CKA_ID);
	CK_OBJECT_HANDLE keys[2];
	CK_ULONG n_want = 2, n = 0;

	want[n_want++] = *label;
	if (id)
		want[n_want++] = *id;
	CK_RV rv = t->f->C_FindObjectsInit(t->session, want, n_want);
	if (rv == CKR_OK) {
		rv = t->f->C_FindObjects(t->session, keys, ARRAY_LEN(keys), &n);
		(void)t->f->C_FindObjectsFinal(t->session);
	}
	if (rv != CKR_OK)
		return refused(e, "look for the token's key", rv);
	if (n > 1)
		return fail(e, ERR_KEY_REFUSED, "the token has more than one AES key of that label");
	t->found = n == 1;
	t->key = n == 1 ? keys[0] : 0;
	return true;
}

static bool token_open(const struct keystore_request *q, bool write, struct token *t, struct error *e)
{
	CK_SLOT_ID slot = 0;
	CK_TOKEN_INFO info = { 0 };

	*t = (struct token){ 0 };
	if (!uri_read(q, t, e))
		return false;
	const char *path = p11_kit_uri_get_module_path(t->uri);
	t->f = p11_kit_module_load(path, 0);
	if (!t->f) {
		const char *why = p11_kit_message();
		return fail(e, ERR_CRYPTO, "could not load the PKCS#11 module \"%s\": %s", path, why ? why : "no reason given");
	}
	CK_RV rv = p11_kit_module_initialize(t->f);
	if (rv != CKR_OK)
		return refused(e, "start the PKCS#11 module", rv);
	t->running = true;
	if (!slot_find(t, &slot, &info, e))
		return false;
	rv = t->f->C_OpenSession(slot, CKF_SERIAL_SESSION | (write ? CKF_RW_SESSION : 0), NULL, NULL, &t->session);
	if (rv != CKR_OK)
		return refused(e, "open a session with the token", rv);
	t->open = true;
	return log_in(q, t, &info, e) && key_find(t, e);
}

static bool key_make(struct token *t, struct error *e)
{
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ULONG bytes = SECRET_KEY;
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ATTRIBUTE want[9] = { { CKA_TOKEN, &yes, sizeof(yes) },	 { CKA_PRIVATE, &yes, sizeof(yes) },   { CKA_SENSITIVE, &yes, sizeof(yes) },
				 { CKA_EXTRACTABLE, &no, sizeof(no) }, { CKA_ENCRYPT, &yes, sizeof(yes) }, { CKA_DECRYPT, &yes, sizeof(yes) },
				 { CKA_VALUE_LEN, &bytes, sizeof(bytes) } };
	CK_ATTRIBUTE *id = p11_kit_uri_get_attribute(t->uri, CKA_ID);
	CK_ULONG n = 7;

	want[n++] = *p11_kit_uri_get_attribute(t->uri, CKA_LABEL);
	if (id)
		want[n++] = *id;
	CK_RV rv = t->f->C_GenerateKey(t->session, &mechanism, want, n, &t->key);
	return rv == CKR_OK || refused(e, "make a key in the token", rv);
}

static bool pkcs11_locate(const struct keystore_request *q, struct wr *locator, struct error *e)
{
	struct token t = { 0 };
	bool ok = uri_read(q, &t, e);

	token_close(&t);
	wr_str(locator, q->locator);
	return ok;
}

static CK_MECHANISM gcm(CK_GCM_PARAMS *params, uint8_t iv[IV], const char *bound, size_t n_bound)
{
	/* PKCS#11 takes no pointers to const; the token only reads them */
	*params = (CK_GCM_PARAMS){ .iv_ptr = iv, .iv_len = IV, .iv_bits = IV * 8, .aad_ptr = (unsigned char *)(uintptr_t)bound, .aad_len = n_bound,
				   .tag_bits = TAG * 8 };
	return (CK_MECHANISM){ CKM_AES_GCM, params, sizeof(*params) };
}

static bool pkcs11_make(const struct keystore_request *q, const char *bound, size_t n_bound, struct wr *slot, uint8_t kek[SECRET_KEY],
			struct error *e)
{
	struct token t;
	CK_GCM_PARAMS params;
	uint8_t iv[IV], out[SECRET_KEY + TAG];
	CK_ULONG n = sizeof(out);

	bool ok = (rng_fill(q->rng, kek, SECRET_KEY) && rng_fill(q->rng, iv, IV)) || fail(e, ERR_CRYPTO, "the random source failed");
	ok = token_open(q, true, &t, e) && ok && (t.found || key_make(&t, e));
	if (ok) {
		CK_MECHANISM mechanism = gcm(&params, iv, bound, n_bound);
		CK_RV rv = t.f->C_EncryptInit(t.session, &mechanism, t.key);
		if (rv == CKR_OK)
			rv = t.f->C_Encrypt(t.session, kek, SECRET_KEY, out, &n);
		ok = rv == CKR_OK ? n == sizeof(out) || fail(e, ERR_CRYPTO, "the token's AES-GCM gave %lu bytes", n) :
				    refused(e, "encrypt in the token", rv);
	}
	token_close(&t);
	wr_put(slot, iv, IV);
	wr_put(slot, out, sizeof(out));
	return ok;
}

static bool decrypt(struct token *t, CK_MECHANISM *mechanism, uint8_t *in, uint8_t kek[SECRET_KEY], struct error *e)
{
	uint8_t *out = secret_new(SECRET_KEY + TAG); /* some tokens ask for room for the tag */
	CK_ULONG n = SECRET_KEY + TAG;

	if (!out)
		return fail_memory(e);
	CK_RV rv = t->f->C_DecryptInit(t->session, mechanism, t->key);
	if (rv == CKR_OK)
		rv = t->f->C_Decrypt(t->session, in, SECRET_KEY + TAG, out, &n);
	bool ok = rv == CKR_OK && n == SECRET_KEY;
	if (ok) {
		mem_copy(kek, out, SECRET_KEY);
	} else {
		fail(e, ERR_KEY_REFUSED, "the token's key does not open this key file: %s", p11_kit_strerror(rv));
		error_hint(e, "The file was changed, or it was wrapped under another token key.");
	}
	secret_delete(out, SECRET_KEY + TAG);
	return ok;
}

static bool pkcs11_open(const struct keystore_request *q, const char *bound, size_t n_bound, struct rd slot, uint8_t kek[SECRET_KEY],
			struct error *e)
{
	const uint8_t *iv = rd_take(&slot, IV), *in = rd_take(&slot, SECRET_KEY + TAG);
	uint8_t iv_copy[IV], in_copy[SECRET_KEY + TAG];
	CK_GCM_PARAMS params;
	struct token t;

	if (!rd_end(&slot))
		return fail(e, ERR_KEY_REFUSED, "the key file was changed: its slot is not that of a \"pkcs11\" store");
	mem_copy(iv_copy, iv, IV);
	mem_copy(in_copy, in, sizeof(in_copy));
	CK_MECHANISM mechanism = gcm(&params, iv_copy, bound, n_bound);
	bool ok = token_open(q, false, &t, e);
	if (ok && !t.found) {
		fail(e, ERR_KEY_REFUSED, "the token has no AES key of that label");
		ok = error_hint(e, "It was destroyed, or this is another token.");
	}
	ok = ok && decrypt(&t, &mechanism, in_copy, kek, e);
	token_close(&t);
	return ok;
}

static bool pkcs11_destroy(const struct keystore_request *q, struct error *e)
{
	struct token t;
	bool ok = token_open(q, true, &t, e);

	if (ok && !t.found)
		ok = fail(e, ERR_KEY_REFUSED, "the token has no AES key of that label");
	if (ok) {
		CK_RV rv = t.f->C_DestroyObject(t.session, t.key);
		ok = rv == CKR_OK || refused(e, "destroy the token's key", rv);
	}
	token_close(&t);
	return ok;
}

const struct keystore keystore_pkcs11 = { .name = "pkcs11", .form = "pkcs11:token=LABEL;object=LABEL?module-path=FILE", .rotates_by_name = true,
					  .locate = pkcs11_locate, .make = pkcs11_make, .open = pkcs11_open, .destroy = pkcs11_destroy };
