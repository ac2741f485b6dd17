#include "proxy/tls.h"

#include "base/file.h"
#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

enum { KEY_FILE_MAX = 1 << 16 };

struct tls_server {
	SSL_CTX *ctx;
	uint8_t end_point[EVP_MAX_MD_SIZE];
	size_t end_point_length;
};

static const uint8_t alpn[] = { 10, 'p', 'o', 's', 't', 'g', 'r', 'e', 's', 'q', 'l' };

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *length, const unsigned char *in, unsigned int in_length,
		       void *arg)
{
	unsigned char *chosen = NULL;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, length, alpn, sizeof(alpn), in, in_length) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

bool tls_has_alpn(const SSL *ssl)
{
	const unsigned char *chosen = NULL;
	unsigned int n = 0;

	SSL_get0_alpn_selected(ssl, &chosen, &n);
	return n == alpn[0] && mem_equal(chosen, alpn + 1, n);
}

static bool load_key(SSL_CTX *ctx, const char *path, struct error *e)
{
	struct arena a;
	char *text;
	size_t n;
	bool good = false;

	arena_init(&a, 4 * KEY_FILE_MAX);
	if (file_read_secret(&a, path, KEY_FILE_MAX, &text, &n, e)) {
		BIO *bio = BIO_new_mem_buf(text, (int)n);
		EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
		if (!key)
			(void)fail(e, ERR_CONFIG, "could not read a private key from \"%s\"", path);
		else if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
			(void)fail(e, ERR_CONFIG, "private key \"%s\" does not belong to the certificate", path);
		else
			good = true;
		EVP_PKEY_free(key);
		BIO_free(bio);
	}
	arena_reset(&a);
	return good;
}

/* RFC 5929: the hash of the certificate's signature algorithm, SHA-256 in place of MD5 and SHA-1. */
static void find_end_point(struct tls_server *t)
{
	X509 *cert = SSL_CTX_get0_certificate(t->ctx);
	int hash = NID_undef;
	unsigned int n = 0;

	if (!cert || X509_get_signature_info(cert, &hash, NULL, NULL, NULL) != 1 || hash == NID_undef)
		return;
	if (hash == NID_md5 || hash == NID_sha1 || hash == NID_md5_sha1)
		hash = NID_sha256;
	const EVP_MD *md = EVP_get_digestbynid(hash);
	if (md && X509_digest(cert, md, t->end_point, &n) == 1)
		t->end_point_length = n;
}

static void set_options(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
					 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
	(void)SSL_CTX_set_num_tickets(ctx, 0);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* an idle connection keeps no record buffers */
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
}

bool tls_server_open(const char *cert, const char *key, struct tls_server **out, struct error *e)
{
	struct tls_server *t = mem_alloc(1, sizeof(*t));

	if (!t)
		return fail_memory(e);
	t->ctx = SSL_CTX_new(TLS_server_method());
	if (!t->ctx || SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) != 1) {
		(void)fail_memory(e);
		goto fail;
	}
	set_options(t->ctx);
	if (SSL_CTX_use_certificate_chain_file(t->ctx, cert) != 1) {
		(void)fail(e, ERR_CONFIG, "could not read a certificate from \"%s\"", cert);
		goto fail;
	}
	if (!load_key(t->ctx, key, e))
		goto fail;
	find_end_point(t);
	*out = t;
	return true;
fail:
	ERR_clear_error();
	tls_server_close(t);
	return false;
}

void tls_server_close(struct tls_server *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	mem_free(t);
}

const uint8_t *tls_server_end_point(const struct tls_server *t, size_t *n)
{
	*n = t->end_point_length;
	return t->end_point;
}

SSL *tls_server_accept(struct tls_server *t, int fd)
{
	SSL *ssl = SSL_new(t->ctx);

	if (ssl && SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		ssl = NULL;
	}
	if (ssl)
		SSL_set_accept_state(ssl);
	return ssl;
}
