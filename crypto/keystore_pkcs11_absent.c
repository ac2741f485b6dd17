/* Stands in for keystore_pkcs11.c where libp11-kit-dev was not installed when this program was built: every use says so. */
#include "crypto/keystore.h"

static bool absent(struct error *e)
{
	fail(e, ERR_CRYPTO, "this build of noisegate has no key store \"pkcs11\"");
	return error_hint(e, "Install libp11-kit-dev and build again.");
}

static bool locate(const struct keystore_request *q UNUSED, struct wr *locator UNUSED, struct error *e)
{
	return absent(e);
}

static bool make(const struct keystore_request *q UNUSED, const char *bound UNUSED, size_t n_bound UNUSED, struct wr *slot UNUSED,
		 uint8_t kek[SECRET_KEY] UNUSED, struct error *e)
{
	return absent(e);
}

static bool open(const struct keystore_request *q UNUSED, const char *bound UNUSED, size_t n_bound UNUSED, struct rd slot UNUSED,
		 uint8_t kek[SECRET_KEY] UNUSED, struct error *e)
{
	return absent(e);
}

const struct keystore keystore_pkcs11 = { .name = "pkcs11", .form = "pkcs11:token=LABEL;object=LABEL?module-path=FILE", .locate = locate, .make = make, .open = open };
