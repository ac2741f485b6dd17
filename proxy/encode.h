/*
 * Values in PostgreSQL's binary format from their text, for clients that ask for it.  Reads only what PostgreSQL prints (ISO dates, shortest floats):
 * released cells and the sidecar's answers, both public.
 */
#ifndef NG_PROXY_ENCODE_H
#define NG_PROXY_ENCODE_H

#include "proxy/engine.h"

/* True when the type can be encoded here. */
MUST_CHECK bool encode_knows(uint32_t type_oid);

/* ERR_INTERNAL when the text cannot be one of the type (a bug, or a DateStyle other than ISO). */
MUST_CHECK bool encode_binary(uint32_t type_oid, const char *text, struct arena *a, struct cell *out, struct error *e);

#endif
