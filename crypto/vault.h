/*
 * The token vault: which random token stands for which value, in an SQLite file whose values are encrypted under keys of the vault key.
 *
 * What must hold:
 * (1) a token is random: it tells nothing about its value but, where asked for, the length and the places of letters, digits and other characters;
 * (2) within a domain equal values have one token, and a token one value;
 * (3) without the vault key the file shows how many values there are, tokens, and lengths rounded up to 16; not values, and not domains;
 * (4) every use that gives values back is in the audit trail before the values leave; entries are chained by HMAC, so that one that was changed or
 *     removed from the middle shows.  Someone who puts back an older copy of the whole file is not noticed.
 */
#ifndef NG_CRYPTO_VAULT_H
#define NG_CRYPTO_VAULT_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/random.h"
#include "crypto/c3r.h"

enum { VAULT_VALUE_MAX = 65536, VAULT_TOKEN = 30 };

struct vault;

/* Opens, or creates (mode 0600) when `create`.  ERR_KEY_REFUSED when the key is not the vault's; ERR_IO when it cannot be used.  One transaction begins. */
MUST_CHECK bool vault_open(const char *path, const struct c3r_secret *key, bool create, const struct rng *r, struct vault **out, struct error *e);

/* Makes everything since opening durable; without it closing forgets it. */
MUST_CHECK bool vault_commit(struct vault *v, struct error *e);
void vault_close(struct vault *v); /* NULL is fine */

/*
 * Appends the token of a value in a domain, made now if there is none: "tok_" and 26 letters and digits (128 random bits), or with `keep` one of the
 * value's own form, digits for digits and letters for letters.  ERR_CRYPTO when no free token of that form was found, or the value has none.
 */
MUST_CHECK bool vault_token(struct vault *v, const char *domain, const char *value, size_t n, bool keep, struct wr *out, struct error *e);

/* Appends the value of a token; *found false when the domain has no such token. */
MUST_CHECK bool vault_value(struct vault *v, const char *domain, const char *token, size_t n, struct wr *out, bool *found, struct error *e);

/* One line of the audit trail. */
struct vault_entry {
	const char *at, *who, *action, *what, *reason; /* date; user of the system; "tokenize" or "detokenize"; file and columns; in their words */
	int64_t cells;
};
MUST_CHECK bool vault_audit(struct vault *v, const struct vault_entry *entry, struct error *e);

/* Calls each() for the trail from its beginning; ERR_CRYPTO names the first entry that was changed, or follows one that is missing. */
MUST_CHECK bool vault_history(struct vault *v, void (*each)(void *ctx, int64_t id, const struct vault_entry *entry), void *ctx, struct error *e);

#endif
