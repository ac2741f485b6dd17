/*
 * A piece of a TPM 2.0's own memory: an NV index of ordinary type in the owner hierarchy, empty authorization, exempt from lockout.  It is in the chip:
 * no copy or snapshot of a disk contains it.  Whoever may send commands to the TPM may change it.
 */
#ifndef NG_CRYPTO_TPM_NV_H
#define NG_CRYPTO_TPM_NV_H

#include "base/error.h"

#include <stdint.h>

struct tpm_nv;

/* The indices that the TCG leaves to the owner of the machine. */
enum { TPM_NV_FIRST = 0x1000000, TPM_NV_LAST = 0x1bfffff };

/*
 * Begins a conversation with the TPM that tcti names (tpm2-tss: "device:/dev/tpmrm0") and makes the index where it is not there.  ERR_CRYPTO when the TPM
 * cannot be reached, has no room, has an owner password, or the index is there and is not what this function makes; or in a build without tpm2-tss.
 */
MUST_CHECK bool tpm_nv_open(const char *tcti, uint32_t index, uint16_t size, struct tpm_nv **out, struct error *e);
void tpm_nv_close(struct tpm_nv *nv); /* NULL is fine */

/* Has it ever been written?  Until then it cannot be read. */
bool tpm_nv_written(const struct tpm_nv *nv);

/* n bytes at an offset, in one command: n is at most 320, which every TPM takes at once.  When write returns true they are in the chip's lasting memory. */
MUST_CHECK bool tpm_nv_read(struct tpm_nv *nv, uint16_t offset, void *to, uint16_t n, struct error *e);
MUST_CHECK bool tpm_nv_write(struct tpm_nv *nv, uint16_t offset, const void *from, uint16_t n, struct error *e);

#endif
