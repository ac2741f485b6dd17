/*
 * The connection between the two parties of a private set intersection: TLS 1.3 with certificates on both sides, and frames of a known type and length.
 *
 * What must hold: nothing but handshakes is exchanged before both certificates are accepted; every read and write ends by a deadline; what the
 * peer sends is only ever compared with what is due (type and length), never used to decide how much to allocate.
 */
#ifndef NG_PROXY_CLI_PSI_CHANNEL_H
#define NG_PROXY_CLI_PSI_CHANNEL_H

#include "base/error.h"

/* Who this side is, and by what it knows the other: a fingerprint (SHA-256 of the certificate), or a CA and the name in the certificate. */
struct psi_identity {
	const char *cert, *key;
	const char *peer_fingerprint;    /* 64 hexadecimal digits, colons allowed; or NULL */
	const char *peer_ca, *peer_name; /* both or neither */
};

/* Frame types; the number is on the wire. */
enum psi_frame { PSI_HELLO = 1, PSI_READY, PSI_ITEMS, PSI_DUMMIES, PSI_TAGS, PSI_RESULT, PSI_REFUSE };

/* Why a side gives up, as it tells the other. */
enum psi_refusal { PSI_REFUSE_TERMS = 1, PSI_REFUSE_BUDGET, PSI_REFUSE_PROTOCOL, PSI_REFUSE_FAILED };

struct psi_channel;

/* ERR_CONFIG: a certificate, key, CA or fingerprint that cannot be used. */
MUST_CHECK bool psi_channel_open(const struct psi_identity *who, int timeout_ms, struct psi_channel **out, struct error *e);
void psi_channel_close(struct psi_channel *c); /* NULL is fine */

/* Port 0: any free one.  *port is filled. */
MUST_CHECK bool psi_channel_listen(struct psi_channel *c, const char *host, int *port, struct error *e);

/* Waits, without a limit, for a peer with the right certificate.  Others are dropped with a line on stderr. */
MUST_CHECK bool psi_channel_accept(struct psi_channel *c, struct error *e);

MUST_CHECK bool psi_channel_connect(struct psi_channel *c, const char *host, int port, struct error *e);

/* Each within the timeout.  ERR_PROTOCOL: another frame than the one due; ERR_CANCELLED: time is up; ERR_AUTH: certificate; ERR_IO. */
MUST_CHECK bool psi_send(struct psi_channel *c, enum psi_frame type, const void *p, size_t n, struct error *e);
MUST_CHECK bool psi_receive(struct psi_channel *c, enum psi_frame type, void *out, size_t n, struct error *e);

/* Tells the peer why this side gives up, if it can still be told.  Not when the failure is the connection's own. */
void psi_refuse(struct psi_channel *c, enum psi_refusal why);

/* Whether what failed was the connection or the peer, not this side. */
bool psi_channel_broken(const struct psi_channel *c);

#endif
