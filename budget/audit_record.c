#include "budget/audit_record.h"

#include "base/text.h"

#include <string.h>

struct field_rule {
	uint8_t number;
	enum audit_kind kind;
	bool list;
	const char *name;
};

static const struct field_rule rules[] = {
#define X(id, number, name, kind, list) { (number), (kind), (list) != 0, (name) },
#include "budget/audit_fields.def"
#undef X
};

const char *audit_event_name(unsigned event)
{
	switch (event) {
#define X(id, number, name) \
	case (number):      \
		return (name);
#include "budget/audit_events.def"
#undef X
	default:
		return NULL;
	}
}

static const struct field_rule *rule_of(unsigned field)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].number == field)
			return &rules[i];
	return NULL;
}

bool audit_field_known(unsigned field, const char **name, enum audit_kind *kind, bool *list)
{
	const struct field_rule *r = rule_of(field);

	if (!r)
		return false;
	*name = r->name;
	*kind = r->kind;
	*list = r->list;
	return true;
}

/* --- writing --------------------------------------------------------------------------------------------------------------------- */

static void put_head(struct wr *w, enum audit_field f, size_t n)
{
	wr_u8(w, (uint8_t)f);
	wr_u32(w, (uint32_t)n);
}

/* How much of s may stand in a field: at most AUDIT_TEXT_MAX bytes, cut before a character. */
static size_t text_cut(const char *s)
{
	size_t n = strnlen(s, AUDIT_TEXT_MAX + 1);

	if (n <= AUDIT_TEXT_MAX)
		return n;
	for (n = AUDIT_TEXT_MAX - 3; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80;)
		n--;
	return n;
}

/* The text, cut, and with "?" for what is not ASCII when it is not UTF-8 (a user name before log-in may be any bytes). */
static void put_clean(struct wr *w, const char *s, size_t n)
{
	if (text_utf8(s, n)) {
		wr_put(w, s, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		wr_u8(w, (unsigned char)s[i] < 0x80 ? (uint8_t)s[i] : (uint8_t)'?');
}

void audit_put_text(struct wr *w, enum audit_field f, const char *s)
{
	if (!s)
		return;
	size_t n = text_cut(s), dots = s[n] ? 3 : 0;
	put_head(w, f, n + dots);
	put_clean(w, s, n);
	wr_put(w, "...", dots);
}

void audit_put_number(struct wr *w, enum audit_field f, uint64_t v)
{
	put_head(w, f, 8);
	wr_u64(w, v);
}

void audit_put_bytes(struct wr *w, enum audit_field f, const void *p, size_t n)
{
	put_head(w, f, n);
	wr_put(w, p, n);
}

void audit_put_value(struct wr *w, enum audit_field f, const char *s)
{
	size_t n = s ? text_cut(s) : 0, dots = s && s[n] ? 3 : 0;

	put_head(w, f, n + dots + 1);
	wr_u8(w, s != NULL);
	if (s)
		put_clean(w, s, n);
	wr_put(w, "...", dots);
}

size_t audit_group_begin(struct wr *w, enum audit_field f)
{
	wr_u8(w, (uint8_t)f);
	size_t at = w->n;
	wr_u32(w, 0);
	return at;
}

void audit_group_end(struct wr *w, size_t at)
{
	if (!wr_ok(w))
		return;
	size_t n = w->n - at - 4;
	for (size_t i = 0; i < 4; i++)
		w->p[at + i] = (uint8_t)(n >> (24 - 8 * i));
}

/* --- reading --------------------------------------------------------------------------------------------------------------------- */

bool audit_field_next(struct rd *fields, enum audit_field *f, struct rd *value)
{
	if (fields->left == 0 || fields->bad)
		return false;
	*f = (enum audit_field)rd_u8(fields);
	uint32_t n = rd_u32(fields);
	const uint8_t *p = rd_take(fields, n);
	if (!p)
		return false;
	*value = rd_of(p, n);
	return true;
}

static bool fields_canonical(struct rd fields, int depth);

static bool value_canonical(const struct field_rule *rule, struct rd v, int depth)
{
	switch (rule->kind) {
	case FIELD_TEXT:
		return text_utf8(v.p, v.left);
	case FIELD_NUMBER:
	case FIELD_PICO:
	case FIELD_ATTO:
		return v.left == 8;
	case FIELD_BYTES:
		return v.left > 0;
	case FIELD_VALUE:
		return v.left > 0 && (v.p[0] == 1 ? text_utf8(v.p + 1, v.left - 1) : v.p[0] == 0 && v.left == 1);
	case FIELD_GROUP:
		return depth + 1 < AUDIT_DEPTH && fields_canonical(v, depth + 1);
	}
	return false;
}

static bool fields_canonical(struct rd fields, int depth)
{
	enum audit_field f;
	unsigned last = 0;
	struct rd v;

	while (audit_field_next(&fields, &f, &v)) {
		const struct field_rule *rule = rule_of(f);
		if (!rule || f < last || (f == last && !rule->list) || !value_canonical(rule, v, depth))
			return false;
		last = f;
	}
	return rd_end(&fields);
}

bool audit_body_read(const uint8_t *body, size_t n, struct audit_record *out)
{
	struct rd r = rd_of(body, n);
	struct audit_record made = { .event = (enum audit_event)rd_u8(&r) };

	made.sequence = rd_u64(&r);
	made.at.micros = (int64_t)rd_u64(&r);
	made.fields = r;
	if (r.bad || !audit_event_name(made.event) || !fields_canonical(r, 0))
		return false;
	*out = made;
	return true;
}

bool audit_find(const struct audit_record *r, enum audit_field f, struct rd *value)
{
	struct rd fields = r->fields, v;
	enum audit_field at;

	while (audit_field_next(&fields, &at, &v)) {
		if (at == f) {
			*value = v;
			return true;
		}
	}
	return false;
}

uint64_t audit_find_number(const struct audit_record *r, enum audit_field f)
{
	struct rd v;

	return audit_find(r, f, &v) ? rd_u64(&v) : 0;
}
