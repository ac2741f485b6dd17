/* Stands in for tpm_nv.c where libtss2-dev was not installed when this program was built: opening says so, and nothing else is ever reached. */
#include "crypto/tpm_nv.h"

static bool absent(struct error *e)
{
	fail(e, ERR_CRYPTO, "this build of noisegate cannot use a TPM");
	return error_hint(e, "Install libtss2-dev and build again.");
}

bool tpm_nv_open(const char *tcti UNUSED, uint32_t index UNUSED, uint16_t size UNUSED, struct tpm_nv **out UNUSED, struct error *e)
{
	return absent(e);
}

void tpm_nv_close(struct tpm_nv *nv UNUSED)
{
}

bool tpm_nv_written(const struct tpm_nv *nv UNUSED)
{
	return false;
}

bool tpm_nv_read(struct tpm_nv *nv UNUSED, uint16_t offset UNUSED, void *to UNUSED, uint16_t n UNUSED, struct error *e)
{
	return absent(e);
}

bool tpm_nv_write(struct tpm_nv *nv UNUSED, uint16_t offset UNUSED, const void *from UNUSED, uint16_t n UNUSED, struct error *e)
{
	return absent(e);
}
