#include "proxy/cli_psi_tls.h"

#include "base/file.h"
#include "base/mem.h"
#include "crypto/hash.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

enum { KEY_FILE_MAX = 1 << 16 };

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* 64 hexadecimal digits, with or without colons between the bytes. */
static bool read_fingerprint(const char *text, uint8_t out[SHA256_SIZE])
{
	for (size_t i = 0; i < SHA256_SIZE; i++) {
		if (i > 0 && *text == ':')
			text++;
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	return *text == '\0';
}

/* Takes the place of chain verification: the certificate is the pinned one, or it is not. */
static int is_pinned(X509_STORE_CTX *store, void *arg)
{
	const struct psi_identity *who = arg;
	X509 *cert = X509_STORE_CTX_get0_cert(store);
	uint8_t want[SHA256_SIZE], have[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	if (cert && read_fingerprint(who->peer_fingerprint, want) && X509_digest(cert, EVP_sha256(), have, &n) == 1 && n == SHA256_SIZE &&
	    mem_equal(want, have, n))
		return 1;
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return 0;
}

static bool load_key(SSL_CTX *ctx, const char *path, struct error *e)
{
	struct arena a;
	EVP_PKEY *key = NULL;
	BIO *bio = NULL;
	char *text;
	size_t n;

	arena_init(&a, 4 * KEY_FILE_MAX);
	bool ok = file_read_secret(&a, path, KEY_FILE_MAX, &text, &n, e);
	if (ok) {
		bio = BIO_new_mem_buf(text, (int)n);
		key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
		if (!key)
			ok = fail(e, ERR_CONFIG, "could not read a private key from \"%s\"", path);
		else if (SSL_CTX_use_PrivateKey(ctx, key) != 1)
			ok = fail(e, ERR_CONFIG, "private key \"%s\" does not belong to the certificate", path);
	}
	EVP_PKEY_free(key);
	BIO_free(bio);
	arena_reset(&a);
	return ok;
}

static bool fill_context(SSL_CTX *ctx, const struct psi_identity *who, struct error *e)
{
	uint8_t ignored[SHA256_SIZE];

	if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1)
		return fail_memory(e);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	(void)SSL_CTX_set_num_tickets(ctx, 0);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if (who->peer_fingerprint) {
		if (!read_fingerprint(who->peer_fingerprint, ignored))
			return fail(e, ERR_CONFIG, "the peer's fingerprint is not 64 hexadecimal digits (SHA-256 of its certificate)");
		SSL_CTX_set_cert_verify_callback(ctx, is_pinned, (void *)(uintptr_t)who);
	} else if (SSL_CTX_load_verify_file(ctx, who->peer_ca) != 1) {
		return fail(e, ERR_CONFIG, "could not read certificates from \"%s\"", who->peer_ca);
	}
	if (SSL_CTX_use_certificate_chain_file(ctx, who->cert) != 1)
		return fail(e, ERR_CONFIG, "could not read a certificate from \"%s\"", who->cert);
	return load_key(ctx, who->key, e);
}

bool psi_tls_context(const struct psi_identity *who, SSL_CTX **out, struct error *e)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());

	if (!ctx)
		return fail_memory(e);
	if (fill_context(ctx, who, e)) {
		*out = ctx;
		return true;
	}
	ERR_clear_error();
	SSL_CTX_free(ctx);
	return false;
}

/* OpenSSL numbers an alert that was received 1000 and its code. */
static bool is_alert(int reason)
{
	return reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256;
}

bool psi_tls_why(const SSL *ssl, int how, struct error *e)
{
	const int saved = errno, reason = ERR_GET_REASON(ERR_peek_last_error());
	const char *text = ERR_reason_error_string(ERR_peek_last_error());
	const long verdict = SSL_get_verify_result(ssl);

	ERR_clear_error();
	if (verdict == X509_V_ERR_CERT_REJECTED)
		return fail(e, ERR_AUTH, "the peer's certificate is not the one with the given fingerprint");
	if (verdict != X509_V_OK)
		return fail(e, ERR_AUTH, "the peer's certificate is not accepted: %s", X509_verify_cert_error_string(verdict));
	if (how == SSL_ERROR_SSL && reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
		return fail(e, ERR_AUTH, "the peer showed no certificate");
	if (how == SSL_ERROR_SSL && is_alert(reason)) {
		(void)fail(e, ERR_AUTH, "the peer refused the connection: %s", text ? text : "TLS alert");
		return error_hint(e, "It may not know this side's certificate: compare the fingerprint, or CA and name, that it was given.");
	}
	if (how == SSL_ERROR_ZERO_RETURN || (how == SSL_ERROR_SSL && reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) ||
	    (how == SSL_ERROR_SYSCALL && saved == 0))
		return fail(e, ERR_IO, "the peer closed the connection before the exchange was complete");
	if (how == SSL_ERROR_SYSCALL)
		return fail(e, ERR_IO, "the connection to the peer broke: %s", strerror(saved));
	return fail(e, ERR_PROTOCOL, "the peer does not speak TLS 1.3 as it should: %s", text ? text : "TLS error");
}
