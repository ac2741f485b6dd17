#include "crypto/keystore.h"

#include "base/text.h"

#include <string.h>

static const struct keystore *const kinds[] = { &keystore_file, &keystore_passphrase, &keystore_pkcs11, &keystore_tpm };

const struct keystore *keystore_named(const char *name, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strlen(kinds[i]->name) == n && strncmp(kinds[i]->name, name, n) == 0)
			return kinds[i];
	return NULL;
}

bool keystore_parse(const char *spec, const struct keystore **kind, const char **locator, struct error *e)
{
	size_t n = strcspn(spec, ":");
	const struct keystore *found = keystore_named(spec, n);

	if (!found) {
		fail(e, ERR_BAD_PARAMETER, "unknown key store \"%s\"", spec);
		return error_hint(e, "A store is one of %s, %s, %s, %s.", kinds[0]->form, kinds[1]->form, kinds[2]->form, kinds[3]->form);
	}
	if (strlen(spec) > KEYSTORE_LOCATOR_MAX / 2 || strpbrk(spec, "\r\n"))
		return fail(e, ERR_BAD_PARAMETER, "key store \"%s\" is not one line of at most %d bytes", found->name, KEYSTORE_LOCATOR_MAX / 2);
	*kind = found;
	*locator = spec[n] ? spec + n + 1 : "";
	return true;
}
