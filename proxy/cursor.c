/* SQL cursors over a result that was released once, at DECLARE.  Forward only; WITH HOLD costs nothing. */
#include "proxy/command.h"

#include "base/mem.h"
#include "base/text.h"
#include "proxy/wire_out.h"

#include <strings.h>

bool fields_copy(const struct field *from, size_t n, struct arena *a, const struct field **out)
{
	struct field *to = arena_array(a, n, struct field);

	for (size_t i = 0; to && i < n; i++) {
		to[i] = from[i];
		to[i].name = arena_strdup(a, from[i].name);
		if (!to[i].name)
			return false;
	}
	*out = to;
	return to != NULL;
}

bool result_slice(const struct result *from, size_t first, size_t n, struct arena *a, struct result *out)
{
	size_t cells = n * from->n_fields; /* rows that exist: cannot overflow */
	struct cell *to = arena_array(a, cells, struct cell);

	*out = (struct result){ .n_fields = from->n_fields, .n_rows = n, .cells = to };
	if (!to || !fields_copy(from->fields, from->n_fields, a, &out->fields))
		return false;
	for (size_t i = 0; i < cells; i++) {
		to[i] = from->cells[first * from->n_fields + i];
		if (to[i].length < 0)
			continue;
		to[i].data = (const uint8_t *)arena_copy(a, to[i].data, (size_t)to[i].length);
		if (!to[i].data)
			return false;
	}
	return true;
}

/* Skips one word or quoted name; its start and length. */
static const char *next_word(const char **at, size_t *n)
{
	const char *p = *at + strspn(*at, " \t\r\n\f");
	const char *start = p;

	if (*p == '"') {
		for (p++; *p != '\0' && *p != '"'; p++)
			;
		p += *p == '"';
	} else {
		p += strcspn(p, " \t\r\n\f\"");
	}
	*at = p;
	*n = (size_t)(p - start);
	return start;
}

bool declare_holds(const char *text)
{
	bool with = false;

	for (;;) {
		size_t n;
		const char *word = next_word(&text, &n);
		if (n == 0 || (n == 3 && strncasecmp(word, "for", 3) == 0))
			return false;
		if (with && n == 4 && strncasecmp(word, "hold", 4) == 0)
			return true;
		with = n == 4 && strncasecmp(word, "with", 4) == 0;
	}
}

bool cursor_declare(struct session *s, const struct statement *st, const struct command_call *call, struct error *e)
{
	static const int16_t binary[] = { 1 };
	struct statement query = { .kind = STATEMENT_QUERY, .text = st->value };
	struct portal *one;
	bool hold = declare_holds(st->text);

	if (!hold && s->tx != TX_BLOCK && !s->several)
		return fail(e, ERR_NO_TX, "DECLARE CURSOR can only be used in transaction blocks");
	struct portal *same = portal_find(&s->portals, st->name);
	if (same && !same->cursor) /* a protocol portal of that name gives way, as Bind would make it */
		portal_drop(&s->portals, same);
	if (!portal_add(&s->portals, st->name, &query, &one, e))
		return false;
	one->cursor = true;
	one->hold = hold;
	if (st->binary) {
		one->formats = binary;
		one->n_formats = 1;
	}
	const struct query_call q = { .sql = query.text,
				      .params = call->params,
				      .n_params = call->n_params,
				      .formats = one->formats,
				      .n_formats = one->n_formats };
	if (!session_run_query(s, &q, &one->arena, &one->result, e)) {
		e->position = 0; /* it counts in a text that the client has not written */
		portal_drop(&s->portals, one);
		return false;
	}
	one->ran = true;
	for (size_t i = 0; i < one->result.n_notices; i++)
		session_notice(s, &one->result.notices[i]);
	return true;
}

static bool no_cursor(const char *name, struct error *e)
{
	return fail(e, ERR_NO_PORTAL, "cursor \"%.100s\" does not exist", name);
}

static struct portal *find(const struct session *s, const char *name, struct error *e)
{
	struct portal *one = portal_find(&s->portals, name);

	if (!one || !one->ran || one->result.n_fields == 0) {
		(void)no_cursor(name, e);
		return NULL;
	}
	return one;
}

/* Types whose text and binary forms are the same bytes. */
static bool same_in_binary(uint32_t oid)
{
	enum { NAME = 19, TEXT = 25, JSON = 114, XML = 142, UNKNOWN = 705, BPCHAR = 1042, VARCHAR = 1043 };

	return oid == NAME || oid == TEXT || oid == JSON || oid == XML || oid == UNKNOWN || oid == BPCHAR || oid == VARCHAR;
}

/* A cursor's cells exist in one format only; another one asked of FETCH is refused rather than misread. */
static bool check_formats(const struct portal *one, const struct command_call *call, struct error *e)
{
	if (one->n_formats > 0)
		return true; /* binary cursors answer in binary whatever is asked, as PostgreSQL's do */
	for (size_t i = 0; i < one->result.n_fields; i++) {
		if (format_of(call->formats, call->n_formats, i) == 1 && !same_in_binary(one->result.fields[i].type_oid)) {
			(void)fail(e, ERR_WRONG_STATE, "cursor \"%.100s\" holds text, but binary results were asked for", one->name);
			return error_hint(e, "Declare it BINARY, or fetch in text format.");
		}
	}
	return true;
}

bool cursor_fetch(struct session *s, const struct statement *st, const struct command_call *call, struct arena *a, struct result *out,
		  struct error *e)
{
	struct portal *one = find(s, st->name, e);

	if (!one)
		return false;
	size_t left = one->result.n_rows - one->at;
	size_t n = st->count < 0 ? 0 : (uint64_t)st->count > left ? left : (size_t)st->count;
	if (st->kind == STATEMENT_MOVE) {
		*out = (struct result){ .tag = arena_printf(a, "MOVE %zu", n) };
	} else {
		if (!check_formats(one, call, e))
			return false;
		if (!result_slice(&one->result, one->at, n, a, out))
			return fail_memory(e);
		out->tag = arena_printf(a, "FETCH %zu", n);
	}
	if (!out->tag)
		return fail_memory(e);
	one->at += n;
	return true;
}

bool cursor_close(struct session *s, const char *name, struct error *e)
{
	if (!name) {
		portals_drop_cursors(&s->portals);
		return true;
	}
	struct portal *one = portal_find(&s->portals, name);
	if (!one)
		return no_cursor(name, e);
	portal_drop(&s->portals, one);
	return true;
}

bool cursor_fields(const struct session *s, const char *name, struct arena *a, const struct field **out, size_t *n, struct error *e)
{
	const struct portal *one = portal_find(&s->portals, name);

	*out = NULL;
	*n = 0;
	if (!one || !one->ran)
		return true; /* as PostgreSQL: the error comes when it runs */
	*n = one->result.n_fields;
	return fields_copy(one->result.fields, *n, a, out) || fail_memory(e);
}
