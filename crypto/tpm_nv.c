#include "crypto/tpm_nv.h"

#include "base/mem.h"

#include <tss2/tss2_esys.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

#include <stdlib.h>

enum { NONE = ESYS_TR_NONE };

/* Not TPMA_NV_ORDERLY: such an index is kept in volatile memory until an orderly shutdown. */
static const TPMA_NV attributes = TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA;

struct tpm_nv {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
	ESYS_TR handle;
	bool written;
};

static bool said(struct error *e, const char *doing, TSS2_RC rc)
{
	return fail(e, ERR_CRYPTO, "could not %s: %s", doing, Tss2_RC_Decode(rc));
}

static bool connect_tpm(struct tpm_nv *nv, const char *tcti, struct error *e)
{
	(void)setenv("TSS2_LOG", "all+none", 0); /* errors are ours to word */
	TSS2_RC rc = Tss2_TctiLdr_Initialize(tcti, &nv->tcti);

	if (rc == TSS2_RC_SUCCESS)
		rc = Esys_Initialize(&nv->esys, nv->tcti, NULL);
	return rc == TSS2_RC_SUCCESS || said(e, "reach the TPM", rc);
}

/* *there: the TPM has such an index. */
static bool find(struct tpm_nv *nv, uint32_t index, bool *there, struct error *e)
{
	TPMS_CAPABILITY_DATA *data = NULL;
	TPMI_YES_NO more;
	TSS2_RC rc = Esys_GetCapability(nv->esys, NONE, NONE, NONE, TPM2_CAP_HANDLES, index, 1, &more, &data);

	if (rc != TSS2_RC_SUCCESS)
		return said(e, "list the TPM's NV indices", rc);
	*there = data->data.handles.count > 0 && data->data.handles.handle[0] == index;
	Esys_Free(data);
	return true;
}

static bool define(struct tpm_nv *nv, uint32_t index, uint16_t size, struct error *e)
{
	const TPM2B_AUTH empty = { 0 };
	const TPM2B_NV_PUBLIC public = { .nvPublic = { .nvIndex = index, .nameAlg = TPM2_ALG_SHA256, .attributes = attributes, .dataSize = size } };
	TSS2_RC rc = Esys_NV_DefineSpace(nv->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, NONE, NONE, &empty, &public, &nv->handle);

	return rc == TSS2_RC_SUCCESS || said(e, "make the TPM's NV index", rc);
}

static bool take(struct tpm_nv *nv, uint32_t index, uint16_t size, struct error *e)
{
	TPM2B_NV_PUBLIC *public = NULL;
	TSS2_RC rc = Esys_TR_FromTPMPublic(nv->esys, index, NONE, NONE, NONE, &nv->handle);

	if (rc == TSS2_RC_SUCCESS)
		rc = Esys_NV_ReadPublic(nv->esys, nv->handle, NONE, NONE, NONE, &public, NULL);
	if (rc != TSS2_RC_SUCCESS)
		return said(e, "look at the TPM's NV index", rc);
	const TPMS_NV_PUBLIC is = public->nvPublic;
	Esys_Free(public);
	nv->written = is.attributes & TPMA_NV_WRITTEN;
	return ((is.attributes & ~TPMA_NV_WRITTEN) == attributes && is.dataSize == size) ||
	       fail(e, ERR_CRYPTO, "the TPM's NV index 0x%x is used for something else", index);
}

bool tpm_nv_open(const char *tcti, uint32_t index, uint16_t size, struct tpm_nv **out, struct error *e)
{
	struct tpm_nv *nv = mem_alloc(1, sizeof(*nv));
	bool there = false;

	if (!nv)
		return fail_memory(e);
	nv->handle = NONE;
	if (!connect_tpm(nv, tcti, e) || !find(nv, index, &there, e) || !(there ? take(nv, index, size, e) : define(nv, index, size, e))) {
		tpm_nv_close(nv);
		return false;
	}
	*out = nv;
	return true;
}

void tpm_nv_close(struct tpm_nv *nv)
{
	if (!nv)
		return;
	if (nv->esys && nv->handle != NONE)
		(void)Esys_TR_Close(nv->esys, &nv->handle);
	if (nv->esys)
		Esys_Finalize(&nv->esys);
	Tss2_TctiLdr_Finalize(&nv->tcti);
	mem_free(nv);
}

bool tpm_nv_written(const struct tpm_nv *nv)
{
	return nv->written;
}

bool tpm_nv_read(struct tpm_nv *nv, uint16_t offset, void *to, uint16_t n, struct error *e)
{
	TPM2B_MAX_NV_BUFFER *data = NULL;
	TSS2_RC rc = Esys_NV_Read(nv->esys, nv->handle, nv->handle, ESYS_TR_PASSWORD, NONE, NONE, n, offset, &data);

	if (rc != TSS2_RC_SUCCESS)
		return said(e, "read the TPM's NV index", rc);
	bool ok = data->size == n;
	if (ok)
		mem_copy(to, data->buffer, n);
	Esys_Free(data);
	return ok || fail(e, ERR_CRYPTO, "could not read the TPM's NV index: it gave less than was asked for");
}

bool tpm_nv_write(struct tpm_nv *nv, uint16_t offset, const void *from, uint16_t n, struct error *e)
{
	TPM2B_MAX_NV_BUFFER data = { .size = n };

	mem_copy(data.buffer, from, n);
	TSS2_RC rc = Esys_NV_Write(nv->esys, nv->handle, nv->handle, ESYS_TR_PASSWORD, NONE, NONE, &data, offset);
	if (rc != TSS2_RC_SUCCESS)
		return said(e, "write the TPM's NV index", rc);
	nv->written = true;
	return true;
}
