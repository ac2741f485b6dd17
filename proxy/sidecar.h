/*
 * The sidecar: a private PostgreSQL of empty mirror tables, started, supervised and stopped by the proxy.  It answers catalog queries, infers types and
 * evaluates post-processing over released rows.  No protected value ever gets here, so its errors may be told to the analyst.
 *
 * What must hold:
 * (1) It dies with the proxy, however the proxy dies.
 * (2) A login is connected as its own role; statements go by the extended protocol only, one each.
 * (3) When it dies by itself it is started again; statements meanwhile wait a moment or fail, nothing else happens.
 */
#ifndef NG_PROXY_SIDECAR_H
#define NG_PROXY_SIDECAR_H

#include "proxy/pgtalk.h"

struct sidecar; /* thread-safe */

/* Starts it and builds the mirror (about a second).  The policy must outlive it. */
MUST_CHECK bool sidecar_open(const struct policy *p, struct sidecar **out, struct error *e);
void sidecar_close(struct sidecar *s); /* stops the server, removes its directory; NULL is fine */

const char *sidecar_version(const struct sidecar *s); /* server_version */

/* Runs one statement as the session's login with its settings mirrored.  own_text: st->sql is the client's, so an error's position is of use. */
MUST_CHECK bool sidecar_query(struct sidecar *s, const struct session_view *v, const struct talk_statement *st, bool own_text,
			      struct arena *a, struct talk_rows *out, struct error *e);

/* Parse analysis of one statement. */
MUST_CHECK bool sidecar_describe(struct sidecar *s, const struct session_view *v, const char *sql, const uint32_t *types,
				 size_t n_types, bool own_text, struct arena *a, struct description *out, struct error *e);

#endif
