/*
 * What clients get: every message of the server side, appended to a writer.  Pure.  Failure (memory, maximum) latches in the writer.
 */
#ifndef NG_PROXY_WIRE_OUT_H
#define NG_PROXY_WIRE_OUT_H

#include "base/bytes.h"
#include "base/error.h"
#include "proxy/engine.h"

/* Messages without a body. */
enum {
	OUT_PARSE_COMPLETE = '1',
	OUT_BIND_COMPLETE = '2',
	OUT_CLOSE_COMPLETE = '3',
	OUT_NO_DATA = 'n',
	OUT_PORTAL_SUSPENDED = 's',
	OUT_EMPTY_QUERY = 'I'
};
void out_bare(struct wr *w, uint8_t type);

/* Authentication. */
enum { AUTH_OK = 0, AUTH_SASL = 10, AUTH_SASL_CONTINUE = 11, AUTH_SASL_FINAL = 12 };
void out_auth(struct wr *w, uint32_t code, const void *data, size_t n);
void out_auth_mechanisms(struct wr *w, bool plus); /* SCRAM-SHA-256, and -PLUS first when plus */

void out_negotiate(struct wr *w, uint16_t minor, const char *const *unsupported, size_t n);
void out_parameter(struct wr *w, const char *name, const char *value);
void out_key(struct wr *w, uint32_t pid, const uint8_t *key, size_t n);
void out_ready(struct wr *w, char status); /* 'I', 'T' or 'E' */

/* ErrorResponse; severity "ERROR" or "FATAL".  offset is added to a position that is set. */
void out_error(struct wr *w, const char *severity, const struct error *e, int offset);
void out_notice(struct wr *w, const struct notice *n);

void out_param_types(struct wr *w, const uint32_t *oids, size_t n);

/* Format of column i under the codes of a Bind: none is text, one is for all. */
int16_t format_of(const int16_t *formats, size_t n_formats, size_t i);

void out_fields(struct wr *w, const struct field *fields, size_t n, const int16_t *formats, size_t n_formats);
void out_row(struct wr *w, const struct cell *cells, size_t n);
void out_complete(struct wr *w, const char *tag);

#endif
