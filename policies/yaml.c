#include "policies/yaml.h"

#include "base/text.h"

#include <stdarg.h>
#include <yaml.h>

enum { DEPTH_MAX = 32, NODES_MAX = 200000, KEYS_MAX = 5000 /* of one map: each is compared with all before it */ };

struct reading {
	yaml_parser_t parser;
	struct arena *arena;
	struct policy_report *report;
	size_t nodes;
};

static void put(struct policy_error *list, size_t *n, int line, int column, const char *hint, const char *fmt, va_list args)
{
	struct policy_error *e;

	if ((*n)++ >= POLICY_ERRORS_MAX)
		return;
	e = &list[*n - 1];
	*e = (struct policy_error){ .line = line, .column = column };
	(void)vsnprintf(e->message, sizeof(e->message), fmt, args);
	(void)snprintf(e->hint, sizeof(e->hint), "%s", hint);
}

void report_error(struct policy_report *r, int line, int column, const char *hint, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put(r->errors, &r->n, line, column, hint, fmt, args);
	va_end(args);
}

void report_warning(struct policy_report *r, int line, int column, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put(r->warnings, &r->n_warnings, line, column, "", fmt, args);
	va_end(args);
}

static bool refuse(struct reading *g, const yaml_mark_t *at, const char *what)
{
	report_error(g->report, (int)at->line + 1, (int)at->column + 1, "", "%s", what);
	return false;
}

static bool next_event(struct reading *g, yaml_event_t *event)
{
	if (yaml_parser_parse(&g->parser, event))
		return true;
	const yaml_mark_t *at = g->parser.problem_mark.line || g->parser.problem_mark.column ? &g->parser.problem_mark : &g->parser.mark;
	report_error(g->report, (int)at->line + 1, (int)at->column + 1, "", "not valid YAML: %s",
		     g->parser.problem ? g->parser.problem : "out of memory");
	return false;
}

static struct yaml_node *new_node(struct reading *g, const yaml_event_t *event, enum yaml_kind kind)
{
	struct yaml_node *node = NULL;

	if (++g->nodes > NODES_MAX)
		(void)refuse(g, &event->start_mark, "the file has too many entries");
	else
		node = arena_new(g->arena, struct yaml_node);
	if (node)
		*node = (struct yaml_node){ .kind = kind, .line = (int)event->start_mark.line + 1, .column = (int)event->start_mark.column + 1 };
	return node;
}

static bool append(struct reading *g, const struct yaml_node ***list, size_t n, size_t *cap, const struct yaml_node *item)
{
	const struct yaml_node **grown = arena_grow(g->arena, *list, n, cap, sizeof(**list));

	if (!grown)
		return false;
	*list = grown;
	grown[n] = item;
	return true;
}

static bool read_node(struct reading *g, yaml_event_t *event, int depth, const struct yaml_node **out);

static bool duplicate_key(struct reading *g, const struct yaml_node *map, const struct yaml_node *key)
{
	for (size_t i = 0; i < map->n; i++) {
		if (text_eq(map->keys[i]->text, key->text)) {
			report_error(g->report, key->line, key->column, "", "key \"%s\" appears twice", key->text);
			return true;
		}
	}
	return false;
}

/* The members of a list or map, up to its end event. */
static bool read_members(struct reading *g, struct yaml_node *node, int depth)
{
	for (;;) {
		yaml_event_t event;
		const struct yaml_node *key = NULL, *item;
		if (!next_event(g, &event))
			return false;
		if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&event);
			return true;
		}
		if (node->kind == YAML_MAP) {
			if (!read_node(g, &event, depth + 1, &key))
				return false;
			if (key->kind != YAML_SCALAR) {
				report_error(g->report, key->line, key->column, "", "a key must be plain text");
				return false;
			}
			if (!next_event(g, &event))
				return false;
		}
		if (!read_node(g, &event, depth + 1, &item))
			return false;
		if (key && node->n == KEYS_MAX) {
			report_error(g->report, key->line, key->column, "", "more than %d keys in one map", KEYS_MAX);
			return false;
		}
		if (key && duplicate_key(g, node, key))
			continue;
		if (key && !append(g, &node->keys, node->n, &node->cap_keys, key))
			return false;
		if (!append(g, &node->items, node->n, &node->cap, item))
			return false;
		node->n++;
	}
}

/* Consumes the event. */
static bool read_node(struct reading *g, yaml_event_t *event, int depth, const struct yaml_node **out)
{
	struct yaml_node *node = NULL;
	bool ok = false;

	if (depth > DEPTH_MAX) {
		(void)refuse(g, &event->start_mark, "nested too deeply");
	} else if (event->type == YAML_ALIAS_EVENT || (event->type == YAML_SCALAR_EVENT && event->data.scalar.anchor) ||
		   (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.anchor) ||
		   (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.anchor)) {
		(void)refuse(g, &event->start_mark, "anchors and aliases are not supported");
	} else if (event->type == YAML_SCALAR_EVENT) {
		node = new_node(g, event, YAML_SCALAR);
		if (node && event->data.scalar.tag)
			node = (struct yaml_node *)(refuse(g, &event->start_mark, "tags are not supported") ? node : NULL);
		if (node) {
			node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
			node->text = arena_copy(g->arena, event->data.scalar.value, event->data.scalar.length);
			ok = node->text && text_utf8(event->data.scalar.value, event->data.scalar.length);
			if (node->text && !ok)
				(void)refuse(g, &event->start_mark, "a value holds a zero byte or is not UTF-8");
		}
	} else {
		bool map = event->type == YAML_MAPPING_START_EVENT;
		bool tagged = map ? event->data.mapping_start.tag != NULL
				  : event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.tag;
		if (tagged)
			(void)refuse(g, &event->start_mark, "tags are not supported");
		else
			node = new_node(g, event, map ? YAML_MAP : YAML_LIST);
		if (node)
			ok = read_members(g, node, depth);
	}
	yaml_event_delete(event);
	*out = node;
	return ok;
}

/* Up to the one document's root; *empty when there is none. */
static bool read_stream(struct reading *g, const struct yaml_node **out)
{
	yaml_event_t event;
	bool seen = false;

	for (;;) {
		if (!next_event(g, &event))
			return false;
		yaml_event_type_t type = event.type;
		yaml_mark_t at = event.start_mark;
		if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_END_EVENT || type == YAML_DOCUMENT_START_EVENT ||
		    type == YAML_STREAM_END_EVENT) {
			yaml_event_delete(&event);
			if (type == YAML_DOCUMENT_START_EVENT && seen)
				return refuse(g, &at, "only one YAML document is allowed");
			if (type == YAML_STREAM_END_EVENT)
				return seen ? true : refuse(g, &at, "the file is empty");
			continue;
		}
		seen = true;
		if (!read_node(g, &event, 0, out))
			return false;
	}
}

bool yaml_read(struct arena *a, const char *text, size_t n, const struct yaml_node **out, struct policy_report *r)
{
	struct reading g = { .arena = a, .report = r };

	if (!yaml_parser_initialize(&g.parser))
		return false;
	yaml_parser_set_input_string(&g.parser, (const unsigned char *)text, n);
	yaml_parser_set_encoding(&g.parser, YAML_UTF8_ENCODING);
	bool ok = read_stream(&g, out);
	yaml_parser_delete(&g.parser);
	return ok;
}
