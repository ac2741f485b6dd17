/* Key store "passphrase": the KEK is scrypt (RFC 7914) of what a person knows.  128 MiB and about half a second for each guess. */
#include "base/number.h"
#include "base/text.h"
#include "crypto/keystore.h"
#include "crypto/secret_memory.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { SALT = 16, LEAST = 12, LOG_N = 17, R = 8, P = 1, LOG_N_MAX = 20 };

static bool parameters(const char *locator, int64_t *log_n, struct error *e)
{
	if (text_starts(locator, "scrypt-"))
		locator += strlen("scrypt-");
	if (*locator == '\0')
		*log_n = LOG_N;
	else if (!number_i64(locator, 14, LOG_N_MAX, log_n))
		return fail(e, ERR_BAD_PARAMETER, "scrypt cost \"%s\" is not a number from 14 to %d", locator, LOG_N_MAX);
	return true;
}

static bool passphrase_locate(const struct keystore_request *q, struct wr *locator, struct error *e)
{
	int64_t log_n;

	if (!parameters(q->locator, &log_n, e))
		return false;
	wr_fmt(locator, "scrypt-%d", (int)log_n);
	return true;
}

static bool derive(const struct keystore_request *q, bool fresh, const uint8_t salt[SALT], uint8_t kek[SECRET_KEY], struct error *e)
{
	char *pass = secret_new(KEYSTORE_ASK_MAX);
	int64_t log_n = 0;

	bool ok = pass ? true : fail_memory(e);
	ok = ok && parameters(q->locator, &log_n, e) &&
	     q->ask(q->ask_ctx, fresh ? "New passphrase" : "Passphrase", fresh, pass, KEYSTORE_ASK_MAX, e);
	if (ok && fresh && strlen(pass) < LEAST) {
		fail(e, ERR_BAD_PARAMETER, "the passphrase has fewer than %d bytes", LEAST);
		ok = error_hint(e, "Six random words are easy to keep and hard to guess.");
	}
	if (ok && EVP_PBE_scrypt(pass, strlen(pass), salt, SALT, UINT64_C(1) << log_n, R, P, (UINT64_C(1) << log_n) * 128 * R + (64 << 20), kek,
				 SECRET_KEY) != 1)
		ok = fail(e, ERR_CRYPTO, "scrypt failed: it needs %lld MiB of memory", (long long)((INT64_C(1) << log_n) * 128 * R >> 20));
	secret_delete(pass, KEYSTORE_ASK_MAX);
	return ok;
}

static bool passphrase_make(const struct keystore_request *q, const char *bound UNUSED, size_t n_bound UNUSED, struct wr *slot,
			    uint8_t kek[SECRET_KEY], struct error *e)
{
	uint8_t salt[SALT];

	if (!rng_fill(q->rng, salt, SALT))
		return fail(e, ERR_CRYPTO, "the random source failed");
	wr_put(slot, salt, SALT);
	return derive(q, true, salt, kek, e);
}

static bool passphrase_open(const struct keystore_request *q, const char *bound UNUSED, size_t n_bound UNUSED, struct rd slot,
			    uint8_t kek[SECRET_KEY], struct error *e)
{
	const uint8_t *salt = rd_take(&slot, SALT);

	if (!salt || !rd_end(&slot))
		return fail(e, ERR_KEY_REFUSED, "the key file was changed: its slot is not that of a \"passphrase\" store");
	return derive(q, false, salt, kek, e);
}

const struct keystore keystore_passphrase = { .name = "passphrase", .form = "passphrase[:COST]", .locate = passphrase_locate,
					      .make = passphrase_make, .open = passphrase_open };
