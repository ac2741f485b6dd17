#include "crypto/schema.h"

#include "base/number.h"
#include "base/text.h"
#include "crypto/c3r.h"
#include "crypto/native.h"

#include <string.h>
#include <yaml.h>

struct reading {
	struct arena *arena;
	const char *name;
	yaml_document_t document;
	struct schema *out;
};

static bool bad(struct reading *g, const yaml_node_t *n, struct error *e, const char *what, const char *value)
{
	return fail(e, ERR_CONFIG, "%s:%d:%d: %s%s%s%s", g->name, n ? (int)n->start_mark.line + 1 : 1, n ? (int)n->start_mark.column + 1 : 1,
		    what, value ? " \"" : "", value ? value : "", value ? "\"" : "");
}

/* [a-z0-9_](([a-z0-9_ ]+-)*([a-z0-9_ ]+))? after trimming and lower-casing; at most 128 characters. */
bool schema_header(struct arena *a, const char *text, const char **out)
{
	while (*text && (unsigned char)*text <= ' ')
		text++;
	size_t n = strlen(text);
	while (n > 0 && (unsigned char)text[n - 1] <= ' ')
		n--;
	if (n == 0 || n > SCHEMA_NAME_MAX)
		return false;
	char *s = arena_copy(a, text, n);
	if (!s)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] >= 'A' && s[i] <= 'Z')
			s[i] = (char)(s[i] - 'A' + 'a');
		bool word = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '_';
		bool hyphen = s[i] == '-' && i > 1 && i + 1 < n && s[i - 1] != '-';
		if (!word && !hyphen && !(s[i] == ' ' && i > 0))
			return false;
	}
	*out = s;
	return true;
}

static yaml_node_t *node_at(struct reading *g, int id)
{
	return yaml_document_get_node(&g->document, id);
}

static const char *scalar(const yaml_node_t *n)
{
	return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

/* null as JSON and YAML write it: as if the key were not there. */
static bool is_null(const yaml_node_t *n)
{
	const char *text = scalar(n);

	return text && n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && (!*text || text_eq(text, "~") || text_eq_nocase(text, "null"));
}

static yaml_node_t *get(struct reading *g, const yaml_node_t *map, const char *key)
{
	if (!map || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		if (text_eq(scalar(node_at(g, p->key)), key))
			return is_null(node_at(g, p->value)) ? NULL : node_at(g, p->value);
	}
	return NULL;
}

static bool only(struct reading *g, const yaml_node_t *map, const char *const *keys, size_t n, struct error *e)
{
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = node_at(g, p->key);
		bool known = false;
		for (size_t i = 0; i < n; i++)
			known = known || text_eq(keys[i], scalar(key));
		if (!known)
			return bad(g, key, e, "unknown key", scalar(key) ? scalar(key) : "?");
		for (const yaml_node_pair_t *q = map->data.mapping.pairs.start; q < p; q++)
			if (text_eq(scalar(node_at(g, q->key)), scalar(key)))
				return bad(g, key, e, "this key is given twice:", scalar(key));
	}
	return true;
}

static bool read_pad(struct reading *g, const yaml_node_t *column, struct schema_column *c, struct error *e)
{
	static const char *const keys[] = { "type", "length" };
	const yaml_node_t *pad = get(g, column, "pad");
	int64_t length;

	if (c->kind != COLUMN_SEALED && c->kind != COLUMN_DETERMINISTIC)
		return pad ? bad(g, pad, e, "only sealed columns have a pad", NULL) : true;
	if (!pad && g->out->format == FORMAT_NATIVE) { /* lengths are hidden unless told otherwise */
		c->pad = PAD_BUCKET;
		c->pad_length = SCHEMA_BUCKET;
		return true;
	}
	if (!pad || pad->type != YAML_MAPPING_NODE)
		return bad(g, pad ? pad : column, e, "a sealed column needs pad: {type, length}", NULL);
	const char *type = scalar(get(g, pad, "type"));
	const yaml_node_t *n = get(g, pad, "length");
	if (!only(g, pad, keys, ARRAY_LEN(keys), e))
		return false;
	if (text_eq_nocase(type, "none"))
		return n ? bad(g, n, e, "pad type none has no length", NULL) : true;
	bool bucket = g->out->format == FORMAT_NATIVE && text_eq_nocase(type, "bucket");
	if (!bucket && !text_eq_nocase(type, "fixed") && !text_eq_nocase(type, "max"))
		return bad(g, pad, e, g->out->format == FORMAT_NATIVE ? "pad type must be none, fixed, max or bucket, not" : "pad type must be none, fixed or max, not",
			   type ? type : "");
	c->pad = bucket ? PAD_BUCKET : text_eq_nocase(type, "fixed") ? PAD_FIXED : PAD_MAX;
	if (!scalar(n) || !number_i64(scalar(n), 0, C3R_PAD_MAX, &length))
		return bad(g, n ? n : pad, e, "pad length must be a number from 0 to 10000", NULL);
	if (length == 0 && bucket)
		return bad(g, n, e, "a bucket has at least one byte", NULL);
	c->pad_length = (size_t)length;
	return true;
}

static const char *const suffixes[] = { "", "_fingerprint", "_sealed", "_deterministic" };

static bool read_kind(struct reading *g, const yaml_node_t *n, struct schema_column *c, struct error *e)
{
	static const char *const kinds[] = { "cleartext", "fingerprint", "sealed", "deterministic" };
	const char *type = scalar(get(g, n, "type"));
	size_t known = g->out->format == FORMAT_NATIVE ? ARRAY_LEN(kinds) : ARRAY_LEN(kinds) - 1;

	for (size_t i = 0; i < known; i++) {
		if (type && text_eq_nocase(type, kinds[i])) {
			c->kind = (enum column_kind)i;
			return true;
		}
	}
	bad(g, n, e, known == ARRAY_LEN(kinds) ? "type must be sealed, deterministic, fingerprint or cleartext, not" : "type must be sealed, fingerprint or cleartext, not",
	    type ? type : "");
	return type && text_eq_nocase(type, "deterministic") ? error_hint(e, "Deterministic columns need format: noisegate.") : false;
}

static bool read_column(struct reading *g, const yaml_node_t *n, size_t position, struct error *e)
{
	static const char *const keys[] = { "sourceHeader", "targetHeader", "type", "pad" };
	struct schema_column *c = &g->out->columns[g->out->n];

	if (g->out->n == SCHEMA_COLUMNS_MAX)
		return bad(g, n, e, "too many target columns", NULL);
	if (n->type != YAML_MAPPING_NODE || !only(g, n, keys, ARRAY_LEN(keys), e))
		return e->code != ERR_NONE ? false : bad(g, n, e, "a column must be an object", NULL);
	*c = (struct schema_column){ .position = position };
	const char *source = scalar(get(g, n, "sourceHeader")), *target = scalar(get(g, n, "targetHeader"));
	if (!read_kind(g, n, c, e))
		return false;
	if (g->out->header_row) {
		if (!source || !schema_header(g->arena, source, &c->source))
			return bad(g, n, e, "sourceHeader is missing or not a valid column name", source);
		if (!target && !(target = arena_printf(g->arena, "%s%s", c->source, suffixes[c->kind])))
			return fail_memory(e);
	} else if (source) {
		return bad(g, n, e, "a schema by position has no sourceHeader", NULL);
	}
	if (!target || !schema_header(g->arena, target, &c->target))
		return bad(g, n, e, "targetHeader is missing or not a valid column name", target);
	if (g->out->format == FORMAT_NATIVE && text_eq(c->target, NATIVE_ROW_COLUMN))
		return bad(g, n, e, "the format adds a column of this name itself:", c->target);
	for (size_t i = 0; i < g->out->n; i++) {
		if (text_eq(g->out->columns[i].target, c->target))
			return bad(g, n, e, "two target columns are named", c->target);
	}
	g->out->n++;
	return read_pad(g, n, c, e);
}

static bool read_columns(struct reading *g, const yaml_node_t *list, struct error *e)
{
	size_t position = 0;

	for (yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top; i++, position++) {
		const yaml_node_t *n = node_at(g, *i);
		if (g->out->header_row) {
			if (!read_column(g, n, 0, e))
				return false;
			continue;
		}
		if (is_null(n))
			continue; /* this source field is dropped */
		if (n->type != YAML_SEQUENCE_NODE)
			return bad(g, n, e, "a schema by position lists, for each source field, a list of target columns", NULL);
		for (yaml_node_item_t *j = n->data.sequence.items.start; j < n->data.sequence.items.top; j++) {
			if (!read_column(g, node_at(g, *j), position, e))
				return false;
		}
	}
	g->out->n_source = g->out->header_row ? 0 : position;
	return g->out->n > 0 ? true : bad(g, list, e, "the schema has no target columns", NULL);
}

static bool read_root(struct reading *g, struct error *e)
{
	static const char *const keys[] = { "headerRow", "columns", "format" };
	yaml_node_t *root = yaml_document_get_root_node(&g->document);

	*e = ERROR_INIT;
	if (!root || root->type != YAML_MAPPING_NODE)
		return bad(g, root, e, "the schema must be an object with headerRow and columns", NULL);
	if (!only(g, root, keys, ARRAY_LEN(keys), e))
		return false;
	const yaml_node_t *header = get(g, root, "headerRow"), *columns = get(g, root, "columns");
	const yaml_node_t *format = get(g, root, "format");
	if (format && !text_eq(scalar(format), "c3r") && !text_eq(scalar(format), "noisegate"))
		return bad(g, format, e, "format must be c3r or noisegate, not", scalar(format) ? scalar(format) : "");
	g->out->format = format && text_eq(scalar(format), "noisegate") ? FORMAT_NATIVE : FORMAT_C3R;
	bool yes = text_eq(scalar(header), "true");
	if (!header || header->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || (!yes && !text_eq(scalar(header), "false")))
		return bad(g, header ? header : root, e, "headerRow must be true or false", NULL);
	g->out->header_row = yes;
	if (!columns || columns->type != YAML_SEQUENCE_NODE)
		return bad(g, columns ? columns : root, e, "columns must be a list", NULL);
	g->out->columns = arena_array(g->arena, SCHEMA_COLUMNS_MAX, struct schema_column);
	return g->out->columns ? read_columns(g, columns, e) : fail_memory(e);
}

/* One document is all there is. */
static bool at_end(struct reading *g, yaml_parser_t *parser, struct error *e)
{
	yaml_document_t more;
	const yaml_node_t *root;

	if (!yaml_parser_load(parser, &more))
		return fail(e, ERR_CONFIG, "%s:%zu:%zu: something follows the schema", g->name, parser->problem_mark.line + 1, parser->problem_mark.column + 1);
	root = yaml_document_get_root_node(&more);
	bool ok = !root || bad(g, root, e, "something follows the schema", NULL);
	yaml_document_delete(&more);
	return ok;
}

bool schema_read(struct arena *a, const char *name, const char *text, size_t n, struct schema *out, struct error *e)
{
	struct reading g = { .arena = a, .name = name, .out = out };
	yaml_parser_t parser;

	*out = (struct schema){ 0 };
	if (!yaml_parser_initialize(&parser))
		return fail_memory(e);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
	bool ok = yaml_parser_load(&parser, &g.document) != 0;
	if (!ok) {
		fail(e, ERR_CONFIG, "%s:%zu:%zu: not valid JSON or YAML: %s", name, parser.problem_mark.line + 1, parser.problem_mark.column + 1,
		     parser.problem ? parser.problem : "?");
	} else {
		ok = read_root(&g, e) && at_end(&g, &parser, e);
		yaml_document_delete(&g.document);
	}
	yaml_parser_delete(&parser);
	return ok;
}
