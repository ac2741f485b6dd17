#include "policies/encoding.h"

#include "base/text.h"

#include <string.h>

static const struct {
	const char *name;
	bool joins, carried, guessable;
} encodings[] = {
	[ENCODING_CLEARTEXT] = { "cleartext", true, true, false },
	[ENCODING_FINGERPRINT] = { "fingerprint", true, false, true },
	[ENCODING_SEALED] = { "sealed", false, true, false },
	[ENCODING_DETERMINISTIC] = { "deterministic", true, true, true },
	[ENCODING_TOKEN] = { "token", true, true, true },
	[ENCODING_BEACON] = { "beacon", false, false, true },
};

_Static_assert(ARRAY_LEN(encodings) == ENCODINGS, "every encoding has a row");

const char *encoding_name(enum encoding x)
{
	return encodings[x].name;
}

bool encoding_joins(enum encoding x)
{
	return encodings[x].joins;
}

bool encoding_carried(enum encoding x)
{
	return encodings[x].carried;
}

bool encoding_guessable(enum encoding x)
{
	return encodings[x].guessable;
}

enum domain_difference encoding_difference(const struct policy_column *x, const struct policy_column *y)
{
	if (x->encoding != y->encoding)
		return DOMAIN_ENCODING;
	if (x->encoding == ENCODING_CLEARTEXT)
		return DOMAIN_SAME;
	if (x->native_format != y->native_format)
		return DOMAIN_FORMAT;
	if (!text_eq(x->key, y->key))
		return DOMAIN_KEY;
	if (x->any_name != y->any_name)
		return DOMAIN_JOINS;
	return x->any_name || text_eq(x->sealed_as, y->sealed_as) ? DOMAIN_SAME : DOMAIN_NAME;
}

void encoding_copy(struct policy_column *to, const struct policy_column *from)
{
	to->encoding = from->encoding;
	to->key = from->key;
	to->sealed_as = from->sealed_as;
	to->any_name = from->any_name;
	to->native_format = from->native_format;
	to->bits = from->bits;
	to->searched = from->searched;
}

const char *encoding_prefix(const struct policy_column *c)
{
	switch (c->encoding) { /* crypto/ writes them; docs/sealed-columns.md */
	case ENCODING_FINGERPRINT:
		return c->native_format ? "ng1:f:" : "02:hmac:";
	case ENCODING_SEALED:
		return c->native_format ? "ng1:s:" : "02:enc:";
	case ENCODING_DETERMINISTIC:
		return "ng1:d:";
	default:
		return NULL;
	}
}

bool encoding_is_term(const struct policy_column *beacon, const char *text)
{
	const size_t digits = (beacon->bits + 3) / 4;
	const unsigned first = 1u << (beacon->bits - 4 * (unsigned)(digits - 1)); /* values of the first digit */

	if (strlen(text) != digits || strspn(text, "0123456789abcdef") != digits)
		return false;
	return (unsigned)(text[0] <= '9' ? text[0] - '0' : text[0] - 'a' + 10) < first;
}
