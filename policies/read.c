#include "policies/read.h"

#include "base/text.h"

#include <string.h>

void read_known(struct reader *r, const struct yaml_node *map, const char *what, const char *const *keys, size_t n_keys,
		const char *const *later)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct yaml_node *key = map->keys[i];
		char hint[160] = "";
		bool known = false, soon = false;
		for (size_t j = 0; j < n_keys; j++)
			known = known || text_eq(keys[j], key->text);
		for (size_t j = 0; later && later[j]; j++)
			soon = soon || text_eq(later[j], key->text);
		if (known)
			continue;
		if (soon) {
			report_error(r->report, READ_AT(key), "", "key \"%s\" of %s is not supported in this version", key->text, what);
			continue;
		}
		const char *near = text_nearest(key->text, keys, n_keys);
		if (near)
			(void)snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
		report_error(r->report, READ_AT(key), hint, "unknown key \"%s\" in %s", key->text, what);
	}
}

const struct yaml_node *read_get(const struct yaml_node *map, const char *key)
{
	if (!map || map->kind != YAML_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++) {
		if (text_eq(map->keys[i]->text, key))
			return map->items[i];
	}
	return NULL;
}

const struct yaml_node *read_need(struct reader *r, const struct yaml_node *map, const char *key, const char *what)
{
	const struct yaml_node *n = read_get(map, key);

	if (!n)
		report_error(r->report, READ_AT(map), "", "%s lacks the key \"%s\"", what, key);
	return n;
}

bool read_is(struct reader *r, const struct yaml_node *n, enum yaml_kind kind, const char *what)
{
	static const char *const names[] = { [YAML_SCALAR] = "a single value", [YAML_LIST] = "a list", [YAML_MAP] = "a map of keys" };

	if (!n)
		return false;
	if (n->kind == kind)
		return true;
	report_error(r->report, READ_AT(n), "", "%s must be %s", what, names[kind]);
	return false;
}

const char *read_text(struct reader *r, const struct yaml_node *n, const char *what, const char *fallback)
{
	if (!read_is(r, n, YAML_SCALAR, what))
		return fallback;
	if (n->plain && (!*n->text || text_eq(n->text, "null") || text_eq(n->text, "~"))) {
		report_error(r->report, READ_AT(n), "", "%s is empty", what);
		return fallback;
	}
	return n->text;
}

int64_t read_int(struct reader *r, const struct yaml_node *n, const char *what, int64_t lo, int64_t hi, int64_t fallback)
{
	int64_t v;

	if (!read_is(r, n, YAML_SCALAR, what))
		return fallback;
	if (number_i64(n->text, lo, hi, &v))
		return v;
	report_error(r->report, READ_AT(n), "", "%s must be a whole number from %lld to %lld, not \"%s\"", what, (long long)lo,
		     (long long)hi, n->text);
	return fallback;
}

bool read_bool(struct reader *r, const struct yaml_node *n, const char *what, bool fallback)
{
	if (!read_is(r, n, YAML_SCALAR, what))
		return fallback;
	if (text_eq(n->text, "true") || text_eq(n->text, "false"))
		return text_eq(n->text, "true");
	report_error(r->report, READ_AT(n), "", "%s must be true or false, not \"%s\"", what, n->text);
	return fallback;
}

/* Whether it is written as a number, however large or long. */
static bool is_numeral(const char *s)
{
	static const char digits[] = "0123456789";

	s += *s == '-' || *s == '+';
	size_t whole = strspn(s, digits);
	s += whole;
	size_t part = *s == '.' ? strspn(s + 1, digits) : 0;
	s += *s == '.' ? part + 1 : 0;
	if (whole + part == 0)
		return false;
	if (*s == 'e' || *s == 'E') {
		s += 1 + (s[1] == '-' || s[1] == '+');
		return *s && s[strspn(s, digits)] == '\0';
	}
	return *s == '\0';
}

bool read_decimal(struct reader *r, const struct yaml_node *n, const char *what, struct decimal *out)
{
	if (!read_is(r, n, YAML_SCALAR, what))
		return false;
	if (decimal_parse(n->text, out))
		return true;
	if (is_numeral(n->text))
		report_error(r->report, READ_AT(n), "", "%s is out of range: \"%.60s\"", what, n->text);
	else
		report_error(r->report, READ_AT(n), "", "%s must be a number, not \"%.60s\"", what, n->text);
	return false;
}

int read_choice(struct reader *r, const struct yaml_node *n, const char *what, const char *const *choices, size_t n_choices, int fallback)
{
	char hint[160] = "one of:";

	if (!read_is(r, n, YAML_SCALAR, what))
		return fallback;
	for (size_t i = 0; i < n_choices; i++) {
		if (text_eq(choices[i], n->text))
			return (int)i;
	}
	for (size_t i = 0; i < n_choices; i++) {
		size_t used = strlen(hint);
		(void)snprintf(hint + used, sizeof(hint) - used, " %s", choices[i]);
	}
	report_error(r->report, READ_AT(n), hint, "%s cannot be \"%s\"", what, n->text);
	return fallback;
}

const char *read_name(struct reader *r, const struct yaml_node *n, const char *what)
{
	const char *s = read_text(r, n, what, NULL);

	if (s && (!*s || strlen(s) > 63)) {
		report_error(r->report, READ_AT(n), "", "%s must have 1 to 63 bytes", what);
		return NULL;
	}
	return s;
}

bool read_qualified(struct reader *r, const struct yaml_node *n, const char *what, const char **schema, const char **name)
{
	const char *s = read_text(r, n, what, NULL);
	const char *dot = s ? strchr(s, '.') : NULL;

	if (!s)
		return false;
	if (!dot || dot == s || !dot[1] || strchr(dot + 1, '.') || dot - s > 63 || strlen(dot + 1) > 63) {
		report_error(r->report, READ_AT(n), "for example brand.customers", "%s must be schema.table, not \"%s\"", what, s);
		return false;
	}
	*schema = arena_copy(r->arena, s, (size_t)(dot - s));
	*name = dot + 1;
	r->no_memory = r->no_memory || !*schema;
	return *schema != NULL;
}

void *read_array(struct reader *r, size_t n, size_t size)
{
	void *p = arena_alloc(r->arena, n ? n : 1, size);

	r->no_memory = r->no_memory || !p;
	return p;
}
