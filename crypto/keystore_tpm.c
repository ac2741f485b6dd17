/*
 * Key store "tpm": a TPM 2.0 seals the KEK under its storage root key with a PCR policy and nothing else: whoever asks, the KEK comes out only while
 * the selected registers hold what they held when it was sealed.  On the way to and from the chip it is encrypted (salted sessions).
 */
#include "base/mem.h"
#include "base/number.h"
#include "base/text.h"
#include "crypto/keystore.h"

#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

enum { PCRS = 24, NONE = ESYS_TR_NONE };

/* One conversation with a TPM; closed by tpm_close on every way out. */
struct tpm {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
	ESYS_TR primary, session, object; /* NONE or open */
};

static bool said(struct error *e, const char *doing, TSS2_RC rc)
{
	return fail(e, ERR_CRYPTO, "could not %s: %s", doing, Tss2_RC_Decode(rc));
}

static void flush(struct tpm *t, ESYS_TR *handle)
{
	if (*handle != NONE)
		(void)Esys_FlushContext(t->esys, *handle);
	*handle = NONE;
}

static void tpm_close(struct tpm *t)
{
	if (t->esys) {
		flush(t, &t->object);
		flush(t, &t->session);
		flush(t, &t->primary);
		Esys_Finalize(&t->esys);
	}
	Tss2_TctiLdr_Finalize(&t->tcti);
}

/* "sha256:0,4,7[@TCTI]": the registers, and how to reach the TPM (NULL: the environment's TPM2TOOLS_TCTI, else the library's choice). */
static bool locator_read(const char *locator, uint32_t *mask, const char **tcti, struct error *e)
{
	const char *at = text_starts(locator, "sha256:") ? locator + strlen("sha256:") : "";
	char number[8];

	*mask = 0;
	while (*at) {
		size_t n = strcspn(at, ",@");
		int64_t pcr = 0;
		if (n == 0 || n >= sizeof(number))
			break;
		mem_copy(number, at, n);
		number[n] = '\0';
		if (!number_i64(number, 0, PCRS - 1, &pcr))
			break;
		*mask |= UINT32_C(1) << pcr;
		at += n;
		if (*at != ',')
			break;
		if (*++at == '\0')
			*mask = 0; /* a comma and nothing after it */
	}
	if (*mask == 0 || (*at && *at != '@') || (*at == '@' && at[1] == '\0')) {
		fail(e, ERR_BAD_PARAMETER, "cannot read the TPM's registers in \"%s\"", locator);
		return error_hint(e, "Write: %s, for example tpm:sha256:0,2,4,7", keystore_tpm.form);
	}
	*tcti = *at == '@' ? at + 1 : getenv("TPM2TOOLS_TCTI");
	return true;
}

/* The storage root key that every TPM makes again from its owner seed; an ECC key of the TCG's template (high range H-2: AES-128, no user unique). */
static bool primary_make(struct tpm *t, struct error *e)
{
	const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
	const TPM2B_PUBLIC public = {
		.publicArea = {
			.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_FIXEDTPM |
					    TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_NODA,
			.parameters.eccDetail = {
				.symmetric = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB },
				.scheme.scheme = TPM2_ALG_NULL,
				.curveID = TPM2_ECC_NIST_P256,
				.kdf.scheme = TPM2_ALG_NULL,
			},
		},
	};
	const TPM2B_DATA outside = { 0 };
	const TPML_PCR_SELECTION pcrs = { 0 };
	TSS2_RC rc = Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, NONE, NONE, &sensitive, &public, &outside, &pcrs, &t->primary,
					NULL, NULL, NULL, NULL);

	if (rc == TSS2_RC_SUCCESS)
		return true;
	t->primary = NONE;
	return said(e, "make the TPM's storage root key", rc);
}

static bool tpm_open(const char *tcti, struct tpm *t, struct error *e)
{
	*t = (struct tpm){ .primary = NONE, .session = NONE, .object = NONE };
	(void)setenv("TSS2_LOG", "all+none", 0); /* errors are ours to word */
	TSS2_RC rc = Tss2_TctiLdr_Initialize(tcti, &t->tcti);
	if (rc == TSS2_RC_SUCCESS)
		rc = Esys_Initialize(&t->esys, t->tcti, NULL);
	if (rc != TSS2_RC_SUCCESS) {
		said(e, "reach the TPM", rc);
		return error_hint(e, "Name it with tpm:...@TCTI or TPM2TOOLS_TCTI, for example device:/dev/tpmrm0.");
	}
	return primary_make(t, e);
}

/* A session whose parameters are encrypted under a secret that only this TPM's root key can recover. */
static bool session_begin(struct tpm *t, TPM2_SE kind, TPMA_SESSION attributes, struct error *e)
{
	const TPMT_SYM_DEF cipher = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB };
	TSS2_RC rc = Esys_StartAuthSession(t->esys, t->primary, NONE, NONE, NONE, NONE, NULL, kind, &cipher, TPM2_ALG_SHA256, &t->session);

	if (rc != TSS2_RC_SUCCESS)
		t->session = NONE;
	else
		rc = Esys_TRSess_SetAttributes(t->esys, t->session, attributes | TPMA_SESSION_CONTINUESESSION, 0xff);
	return rc == TSS2_RC_SUCCESS || said(e, "begin a session with the TPM", rc);
}

static bool pcr_policy(struct tpm *t, uint32_t mask, struct error *e)
{
	const TPM2B_DIGEST now = { 0 }; /* the TPM takes the registers as they are */
	const TPML_PCR_SELECTION pcrs = { .count = 1, .pcrSelections = { { .hash = TPM2_ALG_SHA256, .sizeofSelect = 3,
		.pcrSelect = { (uint8_t)mask, (uint8_t)(mask >> 8), (uint8_t)(mask >> 16) } } } };
	TSS2_RC rc = Esys_PolicyPCR(t->esys, t->session, NONE, NONE, NONE, &now, &pcrs);

	return rc == TSS2_RC_SUCCESS || said(e, "state the TPM's register policy", rc);
}

static bool policy_digest(struct tpm *t, uint32_t mask, TPM2B_DIGEST *out, struct error *e)
{
	TPM2B_DIGEST *digest = NULL;

	if (!session_begin(t, TPM2_SE_TRIAL, 0, e) || !pcr_policy(t, mask, e))
		return false;
	TSS2_RC rc = Esys_PolicyGetDigest(t->esys, t->session, NONE, NONE, NONE, &digest);
	if (rc != TSS2_RC_SUCCESS)
		return said(e, "read the policy's digest", rc);
	*out = *digest;
	Esys_Free(digest);
	flush(t, &t->session);
	return true;
}

/* mask (4), then public and private part as the TPM marshals them (each begins with its length). */
static bool slot_put(struct wr *slot, uint32_t mask, const TPM2B_PUBLIC *public, const TPM2B_PRIVATE *private, struct error *e)
{
	uint8_t bytes[sizeof(TPM2B_PUBLIC) + sizeof(TPM2B_PRIVATE)];
	size_t n = 0;
	TSS2_RC rc = Tss2_MU_TPM2B_PUBLIC_Marshal(public, bytes, sizeof(bytes), &n);

	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPM2B_PRIVATE_Marshal(private, bytes, sizeof(bytes), &n);
	wr_u32(slot, mask);
	wr_put(slot, bytes, n);
	return rc == TSS2_RC_SUCCESS || said(e, "write the sealed object down", rc);
}

static bool seal(struct tpm *t, uint32_t mask, const uint8_t kek[SECRET_KEY], struct wr *slot, struct error *e)
{
	TPM2B_SENSITIVE_CREATE sensitive = { .sensitive.data.size = SECRET_KEY };
	/* neither auth value nor admin: the policy is the only way in */
	TPM2B_PUBLIC public = { .publicArea = { .type = TPM2_ALG_KEYEDHASH, .nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA | TPMA_OBJECT_ADMINWITHPOLICY,
		.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL } };
	const TPM2B_DATA outside = { 0 };
	const TPML_PCR_SELECTION pcrs = { 0 };
	TPM2B_PUBLIC *out_public = NULL;
	TPM2B_PRIVATE *out_private = NULL;

	if (!policy_digest(t, mask, &public.publicArea.authPolicy, e) || !session_begin(t, TPM2_SE_HMAC, TPMA_SESSION_DECRYPT, e))
		return false;
	mem_copy(sensitive.sensitive.data.buffer, kek, SECRET_KEY);
	TSS2_RC rc = Esys_Create(t->esys, t->primary, ESYS_TR_PASSWORD, t->session, NONE, &sensitive, &public, &outside, &pcrs, &out_private,
				 &out_public, NULL, NULL, NULL);
	secret_wipe(&sensitive, sizeof(sensitive));
	bool ok = rc == TSS2_RC_SUCCESS ? slot_put(slot, mask, out_public, out_private, e) : said(e, "seal the key in the TPM", rc);
	Esys_Free(out_public);
	Esys_Free(out_private);
	return ok;
}

static bool load(struct tpm *t, struct rd *slot, struct error *e)
{
	TPM2B_PUBLIC public = { 0 };
	TPM2B_PRIVATE private = { 0 };
	size_t at = 0;
	TSS2_RC rc = Tss2_MU_TPM2B_PUBLIC_Unmarshal(slot->p, slot->left, &at, &public);

	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPM2B_PRIVATE_Unmarshal(slot->p, slot->left, &at, &private);
	if (rc != TSS2_RC_SUCCESS || at != slot->left)
		return fail(e, ERR_KEY_REFUSED, "the key file was changed: its slot is not that of a \"tpm\" store");
	rc = Esys_Load(t->esys, t->primary, ESYS_TR_PASSWORD, NONE, NONE, &private, &public, &t->object);
	if (rc == TSS2_RC_SUCCESS)
		return true;
	t->object = NONE;
	fail(e, ERR_KEY_REFUSED, "the TPM does not load the sealed key");
	error_detail(e, "It says: %s.", Tss2_RC_Decode(rc));
	return error_hint(e, "The file was changed, it was sealed by another TPM, or this TPM was cleared since.");
}

static bool release(struct tpm *t, uint32_t mask, uint8_t kek[SECRET_KEY], struct error *e)
{
	TPM2B_SENSITIVE_DATA *data = NULL;

	if (!session_begin(t, TPM2_SE_POLICY, TPMA_SESSION_ENCRYPT, e) || !pcr_policy(t, mask, e))
		return false;
	TSS2_RC rc = Esys_Unseal(t->esys, t->object, t->session, NONE, NONE, &data);
	if (rc != TSS2_RC_SUCCESS) {
		fail(e, ERR_KEY_REFUSED, "the TPM does not release the key: the machine is not in the state that it was sealed to");
		error_detail(e, "It says: %s.", Tss2_RC_Decode(rc));
		return error_hint(e, "After an intended change, rewrap the key from a recovery copy (docs/keys.md).");
	}
	bool ok = data->size == SECRET_KEY;
	if (ok)
		mem_copy(kek, data->buffer, SECRET_KEY);
	secret_wipe(data, sizeof(*data));
	Esys_Free(data);
	return ok || fail(e, ERR_KEY_REFUSED, "the key file was changed: what the TPM released is not a key");
}

static bool tpm_locate(const struct keystore_request *q, struct wr *locator, struct error *e)
{
	const char *tcti;
	uint32_t mask;

	if (!locator_read(q->locator, &mask, &tcti, e))
		return false;
	wr_str(locator, q->locator);
	return true;
}

static bool tpm_make(const struct keystore_request *q, const char *bound UNUSED, size_t n_bound UNUSED, struct wr *slot,
		     uint8_t kek[SECRET_KEY], struct error *e)
{
	const char *tcti;
	uint32_t mask;
	struct tpm t;

	if (!locator_read(q->locator, &mask, &tcti, e))
		return false;
	if (!rng_fill(q->rng, kek, SECRET_KEY))
		return fail(e, ERR_CRYPTO, "the random source failed");
	bool ok = tpm_open(tcti, &t, e) && seal(&t, mask, kek, slot, e);
	tpm_close(&t);
	return ok;
}

static bool tpm_open_kek(const struct keystore_request *q, const char *bound UNUSED, size_t n_bound UNUSED, struct rd slot,
			 uint8_t kek[SECRET_KEY], struct error *e)
{
	const char *tcti;
	uint32_t unused_mask, mask = rd_u32(&slot); /* the registers are those of the file: another locator may only name another way to the TPM */
	struct tpm t;

	if (!locator_read(q->locator, &unused_mask, &tcti, e))
		return false;
	bool ok = tpm_open(tcti, &t, e) && load(&t, &slot, e) && release(&t, mask, kek, e);
	tpm_close(&t);
	return ok;
}

const struct keystore keystore_tpm = { .name = "tpm", .form = "tpm:sha256:PCR,...[@TCTI]", .locate = tpm_locate, .make = tpm_make,
				       .open = tpm_open_kek };
