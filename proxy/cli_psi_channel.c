#include "proxy/cli_psi_channel.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "proxy/cli_psi_net.h"
#include "proxy/cli_psi_tls.h"

#include <openssl/err.h>
#include <poll.h>
#include <unistd.h>

enum { HEADER = 5, HANDSHAKE_MS = 10000, REFUSE_MS = 2000 };

struct psi_channel {
	SSL_CTX *ctx;
	SSL *ssl;
	const struct psi_identity *who;
	int listener, fd; /* -1: none */
	int timeout_ms;
	bool broken, told; /* told: the peer knows that this side gave up */
};

bool psi_channel_open(const struct psi_identity *who, int timeout_ms, struct psi_channel **out, struct error *e)
{
	struct psi_channel *c = mem_alloc(1, sizeof(*c));

	if (!c)
		return fail_memory(e);
	*c = (struct psi_channel){ .who = who, .listener = -1, .fd = -1, .timeout_ms = timeout_ms };
	if (!psi_tls_context(who, &c->ctx, e)) {
		psi_channel_close(c);
		return false;
	}
	*out = c;
	return true;
}

/* Lets go of the peer: what was written is on its way, and what it still writes is read a while, as an early close would destroy both. */
static void hang_up(struct psi_channel *c)
{
	SSL_free(c->ssl);
	c->ssl = NULL;
	if (c->fd >= 0)
		psi_net_drain(c->fd, REFUSE_MS);
	c->fd = -1;
}

void psi_channel_close(struct psi_channel *c)
{
	if (!c)
		return;
	if (c->ssl && !c->broken && !c->told)
		(void)SSL_shutdown(c->ssl);
	hang_up(c);
	if (c->listener >= 0)
		(void)close(c->listener);
	SSL_CTX_free(c->ctx);
	mem_free(c);
}

bool psi_channel_broken(const struct psi_channel *c)
{
	return c && c->broken;
}

static int64_t deadline_in(int ms)
{
	return clock_monotonic().nanos + (int64_t)ms * 1000000;
}

/* After an SSL call that gave `ret` <= 0: waits until it can be called again.  False: it never can. */
static bool settle(struct psi_channel *c, int ret, int64_t deadline, struct error *e)
{
	int how = SSL_get_error(c->ssl, ret);

	if (how == SSL_ERROR_WANT_READ || how == SSL_ERROR_WANT_WRITE) {
		int ready = psi_net_wait(c->fd, how == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline);
		if (ready > 0)
			return true;
		c->broken = true;
		return fail(e, ERR_CANCELLED, "the peer was silent or stopped reading for too long");
	}
	c->broken = true;
	return psi_tls_why(c->ssl, how, e);
}

static bool handshake(struct psi_channel *c, bool accept, int64_t deadline, struct error *e)
{
	c->ssl = SSL_new(c->ctx);
	if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1 || (c->who->peer_name && SSL_set1_host(c->ssl, c->who->peer_name) != 1))
		return fail_memory(e);
	if (accept)
		SSL_set_accept_state(c->ssl);
	else
		SSL_set_connect_state(c->ssl);
	for (int ret; ERR_clear_error(), (ret = SSL_do_handshake(c->ssl)) != 1;)
		if (!settle(c, ret, deadline, e))
			return false;
	return true;
}

bool psi_channel_listen(struct psi_channel *c, const char *host, int *port, struct error *e)
{
	return psi_net_listen(host, *port, &c->listener, port, e);
}

bool psi_channel_accept(struct psi_channel *c, struct error *e)
{
	char from[PSI_NET_PEER];

	for (;;) {
		if (!psi_net_accept(c->listener, &c->fd, from, e))
			return false;
		if (handshake(c, true, deadline_in(HANDSHAKE_MS), e))
			return true;
		(void)fprintf(stderr, "noisegate: a connection from %s was refused: %s\n", from, e->message);
		hang_up(c);
		c->broken = false;
	}
}

bool psi_channel_connect(struct psi_channel *c, const char *host, int port, struct error *e)
{
	const int64_t deadline = deadline_in(c->timeout_ms);

	c->broken = true; /* until it is not */
	if (!psi_net_connect(host, port, deadline, &c->fd, e) || !handshake(c, false, deadline, e))
		return false;
	c->broken = false;
	return true;
}

static bool write_all(struct psi_channel *c, const void *p, size_t n, int64_t deadline, struct error *e)
{
	for (struct rd rest = rd_of(p, n); rest.left > 0;) {
		size_t done = 0;
		ERR_clear_error();
		int ret = SSL_write_ex(c->ssl, rest.p, rest.left, &done);
		if (ret == 1)
			(void)rd_take(&rest, done);
		else if (!settle(c, ret, deadline, e))
			return false;
	}
	return true;
}

static bool read_all(struct psi_channel *c, void *out, size_t n, int64_t deadline, struct error *e)
{
	for (size_t have = 0; have < n;) {
		size_t got = 0;
		ERR_clear_error();
		int ret = SSL_read_ex(c->ssl, (uint8_t *)out + have, n - have, &got);
		if (ret == 1)
			have += got;
		else if (!settle(c, ret, deadline, e))
			return false;
	}
	return true;
}

static bool refused(uint8_t why, struct error *e)
{
	static const char *const reasons[] = {
		[0] = "for a reason that this version does not know",
		[PSI_REFUSE_TERMS] = "it does not agree to the terms",
		[PSI_REFUSE_BUDGET] = "its budget for this side does not allow it",
		[PSI_REFUSE_PROTOCOL] = "it says that this side broke the protocol",
		[PSI_REFUSE_FAILED] = "something failed on its side",
	};

	return fail(e, ERR_WRONG_STATE, "the peer gave up: %s", reasons[why < ARRAY_LEN(reasons) ? why : 0]);
}

/* The next frame's header.  A refusal is an error of its own. */
static bool read_header(struct psi_channel *c, uint8_t *type, uint32_t *n, int64_t deadline, struct error *e)
{
	uint8_t header[HEADER], why;

	if (!read_all(c, header, sizeof(header), deadline, e))
		return false;
	struct rd r = rd_of(header, sizeof(header));
	*type = rd_u8(&r);
	*n = rd_u32(&r);
	if (*type != PSI_REFUSE || *n != 1)
		return true;
	if (!read_all(c, &why, 1, deadline, e))
		return false;
	c->broken = true;
	return refused(why, e);
}

bool psi_send(struct psi_channel *c, enum psi_frame type, const void *p, size_t n, struct error *e)
{
	const int64_t deadline = deadline_in(c->timeout_ms);
	const uint8_t header[HEADER] = { (uint8_t)type, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
	struct error said;
	uint32_t length;
	uint8_t other;

	BUG_IF(n > UINT32_MAX);
	if (write_all(c, header, sizeof(header), deadline, e) && write_all(c, p, n, deadline, e))
		return true;
	if (!read_header(c, &other, &length, deadline_in(REFUSE_MS), &said) && said.code == ERR_WRONG_STATE)
		*e = said; /* the peer said why before it closed */
	return false;
}

bool psi_receive(struct psi_channel *c, enum psi_frame type, void *out, size_t n, struct error *e)
{
	const int64_t deadline = deadline_in(c->timeout_ms);
	uint32_t length;
	uint8_t got;

	if (!read_header(c, &got, &length, deadline, e))
		return false;
	if (got == (uint8_t)type && length == n)
		return read_all(c, out, n, deadline, e);
	psi_refuse(c, PSI_REFUSE_PROTOCOL);
	c->broken = true;
	return fail(e, ERR_PROTOCOL, "the peer broke the protocol: a frame of type %u with %lu bytes came where type %u with %zu was due", got,
		    (unsigned long)length, (unsigned)type, n);
}

void psi_refuse(struct psi_channel *c, enum psi_refusal why)
{
	const uint8_t frame[] = { PSI_REFUSE, 0, 0, 0, 1, (uint8_t)why };
	struct error ignored;

	if (!c->ssl || c->broken || c->told)
		return;
	c->told = true;
	if (write_all(c, frame, sizeof(frame), deadline_in(REFUSE_MS), &ignored))
		(void)SSL_shutdown(c->ssl);
}
