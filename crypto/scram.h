/*
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side (RFC 5802, RFC 7677), as a state that takes and gives messages; no sockets.
 * Verifiers are those of pg_authid: SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey, so a login costs a few HMACs.
 */
#ifndef NG_CRYPTO_SCRAM_H
#define NG_CRYPTO_SCRAM_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/random.h"
#include "crypto/hash.h"

enum { SCRAM_SALT_MAX = 64, SCRAM_BINDING_MAX = 64, SCRAM_MESSAGE_MAX = 2048, SCRAM_ITERATIONS = 4096 };

struct scram_verifier {
	int iterations;
	uint8_t salt[SCRAM_SALT_MAX];
	size_t n_salt;
	uint8_t stored_key[SHA256_SIZE], server_key[SHA256_SIZE];
};

MUST_CHECK bool scram_verifier_parse(const char *text, struct scram_verifier *out);

/*
 * The verifier of a password, as text.  Passwords are used as they are when ASCII (SASLprep changes nothing then); others are refused with
 * ERR_BAD_PARAMETER, because an unprepared password would not match what clients send.
 */
MUST_CHECK bool scram_verifier_make(const char *password, const struct rng *r, struct wr *out, struct error *e);

/* For a user that does not exist: a salt that is the same at every try (from the user's name and a per-process secret), keys that match nothing. */
MUST_CHECK bool scram_verifier_mock(const char *user, const uint8_t secret[SHA256_SIZE], struct scram_verifier *out);

struct scram {
	struct scram_verifier verifier;
	bool known;               /* false: the exchange runs to its end and fails */
	bool plus_offered, plus;  /* the server offered -PLUS; the client chose it */
	uint8_t binding[SCRAM_BINDING_MAX]; /* tls-server-end-point */
	size_t n_binding;
	char gs2[256], client_first_bare[SCRAM_MESSAGE_MAX], server_first[SCRAM_MESSAGE_MAX], nonce[512];
};

/* plus: the client's chosen mechanism is SCRAM-SHA-256-PLUS. */
void scram_init(struct scram *s, const struct scram_verifier *v, bool known, bool plus_offered, bool plus, const void *binding,
		size_t n_binding);

/* client-first (n bytes) in, server-first out.  ERR_PROTOCOL for malformed, ERR_AUTH for a downgrade (gs2 flag y although -PLUS was offered). */
MUST_CHECK bool scram_first(struct scram *s, const void *message, size_t n, const struct rng *r, struct wr *out, struct error *e);

/* client-final in, server-final out on success; ERR_AUTH when the proof is wrong (or the user unknown), ERR_PROTOCOL when malformed. */
MUST_CHECK bool scram_final(struct scram *s, const void *message, size_t n, struct wr *out, struct error *e);

#endif
