#include "base/text.h"
#include "crypto/vault_csv.h"

#include <yaml.h>

struct reading {
	yaml_document_t document;
	struct arena *arena;
	const char *name; /* of the file, for errors */
	struct token_schema *out;
};

static bool bad(const struct reading *g, const yaml_node_t *at, struct error *e, const char *what, const char *given)
{
	return fail(e, ERR_CONFIG, given ? "%s:%zu:%zu: %s \"%s\"" : "%s:%zu:%zu: %s", g->name, at ? at->start_mark.line + 1 : 1,
		    at ? at->start_mark.column + 1 : 1, what, given);
}

static const char *scalar(const yaml_node_t *n)
{
	return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

/* "true" or "false"; anything else is not. */
static bool yes_no(const char *text, bool *out)
{
	*out = text_eq(text, "true");
	return *out || text_eq(text, "false");
}

struct given {
	const char *source, *target, *type, *domain, *keep;
};

static bool take_key(struct reading *g, const yaml_node_t *key, const yaml_node_t *value, struct given *c, struct error *e)
{
	const struct {
		const char *name;
		const char **to;
	} keys[] = { { "sourceHeader", &c->source }, { "targetHeader", &c->target }, { "type", &c->type }, { "domain", &c->domain },
		     { "keepLength", &c->keep } };
	const char *name = scalar(key);

	const bool null = scalar(value) && value->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && (!*scalar(value) || text_eq(scalar(value), "~") || text_eq_nocase(scalar(value), "null"));

	if (!scalar(value))
		return bad(g, key, e, "the value must be a text, a number, true or false", NULL);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (!text_eq(name, keys[i].name))
			continue;
		if (*keys[i].to)
			return bad(g, key, e, "this key is given twice:", name);
		*keys[i].to = null ? NULL : scalar(value); /* null: as if it were not there */
		return true;
	}
	return bad(g, key, e, "unknown key", name ? name : "?");
}

static bool read_column(struct reading *g, const yaml_node_t *n, struct error *e)
{
	struct token_column *c = &g->out->columns[g->out->n];
	struct given given = { 0 };

	if (g->out->n == TOKEN_COLUMNS_MAX)
		return bad(g, n, e, "too many columns", NULL);
	if (n->type != YAML_MAPPING_NODE)
		return bad(g, n, e, "a column must be an object", NULL);
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++)
		if (!take_key(g, yaml_document_get_node(&g->document, p->key), yaml_document_get_node(&g->document, p->value), &given, e))
			return false;
	*c = (struct token_column){ .token = text_eq(given.type, "token") };
	if (!c->token && !text_eq(given.type, "cleartext"))
		return bad(g, n, e, "type must be token or cleartext, not", given.type ? given.type : "");
	if (!c->token && (given.domain || given.keep))
		return bad(g, n, e, "only token columns have domain and keepLength", NULL);
	if (given.keep && !yes_no(given.keep, &c->keep_length))
		return bad(g, n, e, "keepLength must be true or false, not", given.keep);
	if (!given.source || !schema_header(g->arena, given.source, &c->source))
		return bad(g, n, e, "sourceHeader is missing or not a valid column name", given.source);
	if (!schema_header(g->arena, given.target ? given.target : given.source, &c->target))
		return bad(g, n, e, "targetHeader is not a valid column name", given.target);
	c->domain = given.domain ? arena_strdup(g->arena, given.domain) : c->source;
	for (size_t i = 0; i < g->out->n; i++)
		if (text_eq(g->out->columns[i].target, c->target) || text_eq(g->out->columns[i].source, c->source))
			return bad(g, n, e, "two columns are named", c->target);
	g->out->n++;
	return c->domain ? true : fail_memory(e);
}

static bool read_root(struct reading *g, struct error *e)
{
	yaml_node_t *root = yaml_document_get_root_node(&g->document), *columns = NULL;
	bool header = true;

	if (!root || root->type != YAML_MAPPING_NODE)
		return bad(g, root, e, "the schema must be an object with columns", NULL);
	for (yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(&g->document, p->key);
		yaml_node_t *value = yaml_document_get_node(&g->document, p->value);
		if (text_eq(scalar(key), "columns"))
			columns = value;
		else if (!text_eq(scalar(key), "headerRow"))
			return bad(g, key, e, "unknown key", scalar(key) ? scalar(key) : "?");
		else if (!yes_no(scalar(value), &header) || !header)
			return bad(g, key, e, "a file of tokens has a header: headerRow must be true", NULL);
	}
	if (!columns || columns->type != YAML_SEQUENCE_NODE)
		return bad(g, root, e, "columns must be a list", NULL);
	g->out->columns = arena_array(g->arena, TOKEN_COLUMNS_MAX, struct token_column);
	if (!g->out->columns)
		return fail_memory(e);
	for (yaml_node_item_t *i = columns->data.sequence.items.start; i < columns->data.sequence.items.top; i++)
		if (!read_column(g, yaml_document_get_node(&g->document, *i), e))
			return false;
	return g->out->n > 0 ? true : bad(g, columns, e, "the schema has no columns", NULL);
}

bool token_schema_read(struct arena *a, const char *name, const char *text, size_t n, struct token_schema *out, struct error *e)
{
	struct reading g = { .arena = a, .name = name, .out = out };
	yaml_parser_t parser;

	*out = (struct token_schema){ 0 };
	if (!yaml_parser_initialize(&parser))
		return fail_memory(e);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
	bool ok = yaml_parser_load(&parser, &g.document) != 0;
	if (ok) {
		ok = read_root(&g, e);
		yaml_document_delete(&g.document);
	} else {
		fail(e, ERR_CONFIG, "%s:%zu:%zu: not valid JSON or YAML: %s", name, parser.problem_mark.line + 1, parser.problem_mark.column + 1,
		     parser.problem ? parser.problem : "?");
	}
	yaml_parser_delete(&parser);
	return ok;
}
