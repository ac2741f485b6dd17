#include "crypto/scram.h"

#include "base/mem.h"
#include "base/number.h"
#include "base/text.h"
#include "crypto/secret.h"

#include <string.h>

static bool read_key(const char *s, size_t n, uint8_t out[SHA256_SIZE])
{
	size_t got;

	return base64_read(s, n, out, SHA256_SIZE, &got) && got == SHA256_SIZE;
}

bool scram_verifier_parse(const char *text, struct scram_verifier *out)
{
	static const char prefix[] = "SCRAM-SHA-256$";
	char digits[16];
	struct scram_verifier v;
	int64_t iterations;

	if (!text_starts(text, prefix))
		return false;
	text += sizeof(prefix) - 1;
	const char *colon = strchr(text, ':'), *dollar = strchr(text, '$');
	if (!colon || !dollar || dollar < colon || (size_t)(colon - text) >= sizeof(digits))
		return false;
	(void)snprintf(digits, sizeof(digits), "%.*s", (int)(colon - text), text);
	const char *middle = strchr(dollar, ':');
	if (!middle || !number_i64(digits, 1, 10000000, &iterations) ||
	    !base64_read(colon + 1, (size_t)(dollar - colon - 1), v.salt, sizeof(v.salt), &v.n_salt) || v.n_salt == 0 ||
	    !read_key(dollar + 1, (size_t)(middle - dollar - 1), v.stored_key) || !read_key(middle + 1, strlen(middle + 1), v.server_key))
		return false;
	v.iterations = (int)iterations;
	*out = v;
	return true;
}

static void put_verifier(struct wr *out, const struct scram_verifier *v)
{
	wr_fmt(out, "SCRAM-SHA-256$%d:", v->iterations);
	base64_put(out, v->salt, v->n_salt);
	wr_str(out, "$");
	base64_put(out, v->stored_key, SHA256_SIZE);
	wr_str(out, ":");
	base64_put(out, v->server_key, SHA256_SIZE);
}

bool scram_verifier_make(const char *password, const struct rng *r, struct wr *out, struct error *e)
{
	struct scram_verifier v = { .iterations = SCRAM_ITERATIONS, .n_salt = 16 };
	uint8_t salted[SHA256_SIZE], client_key[SHA256_SIZE];

	if (!*password)
		return fail(e, ERR_BAD_PARAMETER, "the password is empty");
	for (const char *s = password; *s; s++) {
		if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e) {
			fail(e, ERR_BAD_PARAMETER, "the password has characters outside printable ASCII");
			return error_hint(e, "Use letters, digits and punctuation: others have several encodings, and clients may send another one.");
		}
	}
	bool ok = rng_fill(r, v.salt, v.n_salt) && hash_pbkdf2(password, strlen(password), v.salt, v.n_salt, v.iterations, salted) &&
		  hash_hmac(salted, sizeof(salted), "Client Key", 10, client_key) && hash_sha256(client_key, sizeof(client_key), v.stored_key) &&
		  hash_hmac(salted, sizeof(salted), "Server Key", 10, v.server_key);
	if (ok)
		put_verifier(out, &v);
	secret_wipe(salted, sizeof(salted));
	secret_wipe(client_key, sizeof(client_key));
	secret_wipe(&v, sizeof(v));
	return ok ? true : fail(e, ERR_CRYPTO, "could not compute the verifier");
}

bool scram_verifier_mock(const char *user, const uint8_t secret[SHA256_SIZE], struct scram_verifier *out)
{
	uint8_t h[SHA256_SIZE];

	*out = (struct scram_verifier){ .iterations = SCRAM_ITERATIONS, .n_salt = 16 };
	if (!hash_hmac(secret, SHA256_SIZE, user, strlen(user), h) || !hash_hmac(secret, SHA256_SIZE, h, sizeof(h), out->stored_key) ||
	    !hash_hmac(secret, SHA256_SIZE, out->stored_key, SHA256_SIZE, out->server_key))
		return false;
	mem_copy(out->salt, h, out->n_salt);
	return true;
}

void scram_init(struct scram *s, const struct scram_verifier *v, bool known, bool plus_offered, bool plus, const void *binding,
		size_t n_binding)
{
	BUG_IF(n_binding > SCRAM_BINDING_MAX);
	*s = (struct scram){ .verifier = *v, .known = known, .plus_offered = plus_offered, .plus = plus, .n_binding = n_binding };
	mem_copy(s->binding, binding, n_binding);
}

static bool malformed(struct error *e, const char *what)
{
	return fail(e, ERR_PROTOCOL, "malformed SCRAM message (%s)", what);
}

/* A message as a C string of printable text in buf; false when too long or not text. */
static bool as_text(const void *message, size_t n, char *buf, size_t size)
{
	if (n == 0 || n >= size || !text_utf8(message, n))
		return false;
	mem_copy(buf, message, n);
	buf[n] = '\0';
	return true;
}

/* The gs2 header "n,," "y,," "p=tls-server-end-point,,"; its length, or 0. */
static size_t gs2_length(const char *m)
{
	const char *comma = strchr(m, ',');
	const char *second = comma ? strchr(comma + 1, ',') : NULL;

	return second && second == comma + 1 ? (size_t)(second - m) + 1 : 0; /* an authzid is refused */
}

static bool check_binding_flag(const struct scram *s, const char *m, struct error *e)
{
	if (s->plus)
		return text_starts(m, "p=tls-server-end-point,") ? true : malformed(e, "channel binding type");
	if (m[0] == 'n' && m[1] == ',')
		return true;
	if (m[0] == 'y' && m[1] == ',') {
		if (!s->plus_offered)
			return true;
		/* the client could bind but believes that we cannot: somebody in between removed the offer */
		fail(e, ERR_AUTH, "SCRAM channel binding negotiation error");
		return error_detail(e, "The client supports SCRAM channel binding but thinks the server does not, and the server does.");
	}
	return malformed(e, "channel binding flag");
}

static bool nonce_ok(const char *s)
{
	for (; *s; s++) {
		if (*s < 0x21 || *s > 0x7e || *s == ',')
			return false;
	}
	return true;
}

bool scram_first(struct scram *s, const void *message, size_t n, const struct rng *r, struct wr *out, struct error *e)
{
	char m[SCRAM_MESSAGE_MAX], client_nonce[256];
	uint8_t raw[18];
	struct wr w;

	if (!as_text(message, n, m, sizeof(m)))
		return malformed(e, "client-first");
	size_t header = gs2_length(m);
	if (header == 0 || header >= sizeof(s->gs2) || !check_binding_flag(s, m, e))
		return e->code == ERR_NONE || header == 0 ? malformed(e, "gs2 header") : false;
	(void)snprintf(s->gs2, sizeof(s->gs2), "%.*s", (int)header, m);
	const char *bare = m + header, *nonce = strstr(bare, ",r=");
	if (!text_starts(bare, "n=") || !nonce)
		return malformed(e, "user name and nonce"); /* m= (mandatory extensions) ends here too */
	nonce += 3;
	const char *end = strchr(nonce, ',');
	size_t length = end ? (size_t)(end - nonce) : strlen(nonce);
	if (length == 0 || length >= sizeof(client_nonce))
		return malformed(e, "nonce");
	(void)snprintf(client_nonce, sizeof(client_nonce), "%.*s", (int)length, nonce);
	if (!nonce_ok(client_nonce))
		return malformed(e, "nonce");
	(void)snprintf(s->client_first_bare, sizeof(s->client_first_bare), "%s", bare);
	if (!rng_fill(r, raw, sizeof(raw)))
		return fail(e, ERR_INTERNAL, "the random source failed");
	wr_init_heap(&w, SCRAM_MESSAGE_MAX);
	wr_str(&w, client_nonce);
	base64_put(&w, raw, sizeof(raw));
	(void)snprintf(s->nonce, sizeof(s->nonce), "%s", wr_text(&w));
	wr_clear(&w);
	wr_fmt(&w, "r=%s,s=", s->nonce);
	base64_put(&w, s->verifier.salt, s->verifier.n_salt);
	wr_fmt(&w, ",i=%d", s->verifier.iterations);
	(void)snprintf(s->server_first, sizeof(s->server_first), "%s", wr_text(&w));
	wr_put(out, wr_text(&w), w.n);
	wr_free(&w);
	return true;
}

/* c= must be base64(gs2 header || binding data when -PLUS). */
static bool check_binding(const struct scram *s, const char *c, size_t n, struct error *e)
{
	uint8_t got[sizeof(s->gs2) + SCRAM_BINDING_MAX], want[sizeof(s->gs2) + SCRAM_BINDING_MAX];
	size_t n_got, n_want = strlen(s->gs2);

	if (!base64_read(c, n, got, sizeof(got), &n_got))
		return malformed(e, "channel binding");
	mem_copy(want, s->gs2, n_want);
	if (s->plus) {
		mem_copy(want + n_want, s->binding, s->n_binding);
		n_want += s->n_binding;
	}
	if (n_got == n_want && secret_equal(got, want, n_want))
		return true;
	return fail(e, ERR_AUTH, "SCRAM channel binding check failed");
}

/* The proof: ClientKey = proof XOR HMAC(StoredKey, AuthMessage) must hash to StoredKey. */
static bool proof_ok(const struct scram *s, const struct wr *auth, const uint8_t proof[SHA256_SIZE])
{
	uint8_t signature[SHA256_SIZE], key[SHA256_SIZE], hashed[SHA256_SIZE];

	if (!wr_ok(auth) || !hash_hmac(s->verifier.stored_key, SHA256_SIZE, auth->p, auth->n, signature))
		return false;
	for (size_t i = 0; i < SHA256_SIZE; i++)
		key[i] = proof[i] ^ signature[i];
	bool ok = hash_sha256(key, SHA256_SIZE, hashed) && secret_equal(hashed, s->verifier.stored_key, SHA256_SIZE);
	secret_wipe(key, sizeof(key));
	return ok && s->known;
}

bool scram_final(struct scram *s, const void *message, size_t n, struct wr *out, struct error *e)
{
	char m[SCRAM_MESSAGE_MAX];
	uint8_t proof[SHA256_SIZE], signature[SHA256_SIZE];
	struct wr auth;
	bool ok = false;

	if (!as_text(message, n, m, sizeof(m)) || !text_starts(m, "c="))
		return malformed(e, "client-final");
	const char *nonce = strstr(m, ",r="), *p = strstr(m, ",p=");
	if (!nonce || !p || p < nonce)
		return malformed(e, "client-final");
	size_t without_proof = (size_t)(p - m), n_nonce = strlen(s->nonce);
	if (!check_binding(s, m + 2, (size_t)(nonce - m) - 2, e))
		return false;
	const char *r = nonce + 3;
	if ((size_t)(p - r) < n_nonce || !secret_equal(r, s->nonce, n_nonce) || (r[n_nonce] != ',' ) || !read_key(p + 3, strlen(p + 3), proof))
		return malformed(e, "nonce or proof");
	wr_init_heap(&auth, 4 * SCRAM_MESSAGE_MAX);
	wr_fmt(&auth, "%s,%s,%.*s", s->client_first_bare, s->server_first, (int)without_proof, m);
	if (proof_ok(s, &auth, proof) && hash_hmac(s->verifier.server_key, SHA256_SIZE, auth.p, auth.n, signature)) {
		wr_str(out, "v=");
		base64_put(out, signature, sizeof(signature));
		ok = true;
	}
	wr_free(&auth);
	return ok ? true : fail(e, ERR_AUTH, "password authentication failed");
}
