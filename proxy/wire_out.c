#include "proxy/wire_out.h"

static size_t begin(struct wr *w, uint8_t type)
{
	wr_u8(w, type);
	return wr_len_begin(w);
}

void out_bare(struct wr *w, uint8_t type)
{
	wr_len_end(w, begin(w, type));
}

void out_auth(struct wr *w, uint32_t code, const void *data, size_t n)
{
	size_t at = begin(w, 'R');

	wr_u32(w, code);
	wr_put(w, data, n);
	wr_len_end(w, at);
}

void out_auth_mechanisms(struct wr *w, bool plus)
{
	size_t at = begin(w, 'R');

	wr_u32(w, AUTH_SASL);
	if (plus)
		wr_cstr(w, "SCRAM-SHA-256-PLUS");
	wr_cstr(w, "SCRAM-SHA-256");
	wr_u8(w, 0);
	wr_len_end(w, at);
}

void out_negotiate(struct wr *w, uint16_t minor, const char *const *unsupported, size_t n)
{
	size_t at = begin(w, 'v');

	wr_u32(w, UINT32_C(3) << 16 | minor);
	wr_u32(w, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		wr_cstr(w, unsupported[i]);
	wr_len_end(w, at);
}

void out_parameter(struct wr *w, const char *name, const char *value)
{
	size_t at = begin(w, 'S');

	wr_cstr(w, name);
	wr_cstr(w, value);
	wr_len_end(w, at);
}

void out_key(struct wr *w, uint32_t pid, const uint8_t *key, size_t n)
{
	size_t at = begin(w, 'K');

	wr_u32(w, pid);
	wr_put(w, key, n);
	wr_len_end(w, at);
}

void out_ready(struct wr *w, char status)
{
	size_t at = begin(w, 'Z');

	wr_u8(w, (uint8_t)status);
	wr_len_end(w, at);
}

static void put_tagged(struct wr *w, char tag, const char *text)
{
	if (!text || text[0] == '\0')
		return;
	wr_u8(w, (uint8_t)tag);
	wr_cstr(w, text);
}

/* Detail, with the rule's name behind it: the protocol has no field for it. */
static void put_detail(struct wr *w, const struct error *e)
{
	if (e->rule[0] == '\0') {
		put_tagged(w, 'D', e->detail);
		return;
	}
	wr_u8(w, 'D');
	if (e->detail[0] != '\0')
		wr_fmt(w, "%s ", e->detail);
	wr_fmt(w, "Rule: %s.", e->rule);
	wr_u8(w, 0);
}

void out_error(struct wr *w, const char *severity, const struct error *e, int offset)
{
	size_t at = begin(w, 'E');

	put_tagged(w, 'S', severity);
	put_tagged(w, 'V', severity);
	put_tagged(w, 'C', error_sqlstate(e->code));
	put_tagged(w, 'M', e->message[0] ? e->message : "unknown error");
	put_detail(w, e);
	put_tagged(w, 'H', e->hint);
	if (e->position > 0) {
		wr_u8(w, 'P');
		wr_fmt(w, "%d", e->position + offset);
		wr_u8(w, 0);
	}
	wr_u8(w, 0);
	wr_len_end(w, at);
}

void out_notice(struct wr *w, const struct notice *n)
{
	size_t at = begin(w, 'N');

	put_tagged(w, 'S', n->severity);
	put_tagged(w, 'V', n->severity);
	put_tagged(w, 'C', n->sqlstate);
	put_tagged(w, 'M', n->message);
	put_tagged(w, 'D', n->detail);
	put_tagged(w, 'H', n->hint);
	wr_u8(w, 0);
	wr_len_end(w, at);
}

void out_param_types(struct wr *w, const uint32_t *oids, size_t n)
{
	size_t at = begin(w, 't');

	wr_u16(w, (uint16_t)n);
	for (size_t i = 0; i < n; i++)
		wr_u32(w, oids[i]);
	wr_len_end(w, at);
}

int16_t format_of(const int16_t *formats, size_t n_formats, size_t i)
{
	if (n_formats == 0)
		return 0;
	if (n_formats == 1)
		return formats[0];
	return i < n_formats ? formats[i] : 0;
}

void out_fields(struct wr *w, const struct field *fields, size_t n, const int16_t *formats, size_t n_formats)
{
	size_t at = begin(w, 'T');

	wr_u16(w, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		wr_cstr(w, fields[i].name);
		wr_u32(w, fields[i].table_oid);
		wr_u16(w, (uint16_t)fields[i].column);
		wr_u32(w, fields[i].type_oid);
		wr_u16(w, (uint16_t)fields[i].type_length);
		wr_u32(w, (uint32_t)fields[i].type_modifier);
		wr_u16(w, (uint16_t)format_of(formats, n_formats, i));
	}
	wr_len_end(w, at);
}

void out_row(struct wr *w, const struct cell *cells, size_t n)
{
	size_t at = begin(w, 'D');

	wr_u16(w, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		wr_u32(w, (uint32_t)cells[i].length);
		if (cells[i].length > 0)
			wr_put(w, cells[i].data, (size_t)cells[i].length);
	}
	wr_len_end(w, at);
}

void out_complete(struct wr *w, const char *tag)
{
	size_t at = begin(w, 'C');

	wr_cstr(w, tag);
	wr_len_end(w, at);
}
