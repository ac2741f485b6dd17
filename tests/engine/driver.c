/*
 * An engine without a network, for tests/engine/test_engine.py: opens the policy given, then answers one line of JSON to each tab-separated command line.
 *   run FORMATS SQL [OID:FORMAT:VALUE]...    FORMATS "-" or "0,1"; VALUE text, hex when FORMAT is 1, or NULL
 *   describe OIDS SQL                        OIDS "-" or "23,0"
 *   set NAME VALUE | path SCHEMA,... | user LOGIN MEMBER | epsilon DECIMAL | notices on|off | cancel MILLISECONDS (after which the next run is cancelled)
 *   encode OID TEXT | decode OID HEX
 */
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "proxy/encode.h"
#include "proxy/engine.h"
#include "proxy/pgtypes.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PARTS_MAX = 64, ITEMS_MAX = 32 };

static struct engine *engine;
static atomic_bool cancelled;
static int cancel_ms;
static struct arena kept = { .cap = 1 << 20 };
static const char *guc_names[ITEMS_MAX], *guc_values[ITEMS_MAX], *path[ITEMS_MAX];
static struct session_view view = { .user = "ana", .analyst = "publisher", .guc_names = guc_names, .guc_values = guc_values, .notices = true, .cancelled = &cancelled };

static void put_hex(struct wr *w, const uint8_t *p, int32_t n)
{
	wr_str(w, "\"");
	for (int32_t i = 0; i < n; i++)
		wr_fmt(w, "%02x", p[i]);
	wr_str(w, "\"");
}

static size_t split(char *s, char separator, char **out, size_t max)
{
	size_t n = 0;
	while (n < max) {
		out[n++] = s;
		s = n < max ? strchr(s, separator) : NULL;
		if (!s)
			break;
		*s++ = '\0';
	}
	return n;
}

static size_t unhex(const char *s, uint8_t *out)
{
	size_t n = strlen(s) / 2;
	for (size_t i = 0; i < n; i++) {
		unsigned v = 0;
		sscanf(s + 2 * i, "%2x", &v);
		out[i] = (uint8_t)v;
	}
	return n;
}

static void put_error(struct wr *w, const struct error *e)
{
	wr_fmt(w, "{\"error\":\"%s\",\"position\":%d,\"message\":", error_sqlstate(e->code), e->position);
	wr_json(w, e->message);
	wr_str(w, ",\"detail\":");
	wr_json(w, e->detail);
	wr_str(w, ",\"hint\":");
	wr_json(w, e->hint);
	wr_str(w, "}");
}

static void put_fields(struct wr *w, const struct field *f, size_t n)
{
	wr_str(w, "\"fields\":[");
	for (size_t i = 0; i < n; i++) {
		wr_str(w, i ? ",[" : "[");
		wr_json(w, f[i].name);
		wr_fmt(w, ",%u,%d,%u,%d,%d]", f[i].type_oid, f[i].type_length, f[i].table_oid, f[i].column, f[i].type_modifier);
	}
	wr_str(w, "]");
}

static void put_result(struct wr *w, const struct result *r, const int16_t *formats, size_t n_formats)
{
	wr_fmt(w, "{\"tag\":\"%s\",", r->tag);
	put_fields(w, r->fields, r->n_fields);
	wr_str(w, ",\"rows\":[");
	for (size_t row = 0; row < r->n_rows; row++) {
		wr_str(w, row ? ",[" : "[");
		for (size_t i = 0; i < r->n_fields; i++) {
			const struct cell *c = &r->cells[row * r->n_fields + i];
			int format = n_formats == 0 ? 0 : formats[n_formats == 1 ? 0 : i];
			wr_str(w, i ? "," : "");
			if (c->length < 0)
				wr_str(w, "null");
			else if (format)
				put_hex(w, c->data, c->length);
			else {
				char *text = strndup((const char *)c->data, (size_t)c->length);
				wr_json(w, text);
				free(text);
			}
		}
		wr_str(w, "]");
	}
	wr_str(w, "],\"notices\":[");
	for (size_t i = 0; i < r->n_notices; i++) {
		wr_str(w, i ? "," : "");
		wr_json(w, r->notices[i].message);
	}
	wr_str(w, "]}");
}

static void *canceller(void *arg)
{
	(void)arg;
	usleep((useconds_t)cancel_ms * 1000);
	atomic_store(&cancelled, true);
	return NULL;
}

static void command_run(char **part, size_t n, struct arena *a, struct wr *w)
{
	struct engine_param params[PARTS_MAX];
	int16_t formats[PARTS_MAX];
	char *items[PARTS_MAX];
	size_t n_formats = 0, n_params = 0;
	struct result r;
	struct error e;
	pthread_t t;

	if (strcmp(part[1], "-") != 0) {
		n_formats = split(part[1], ',', items, PARTS_MAX);
		for (size_t i = 0; i < n_formats; i++)
			formats[i] = (int16_t)(items[i][0] - '0');
	}
	for (size_t i = 3; i < n; i++) {
		char *bits[3] = { NULL, NULL, NULL };
		split(part[i], ':', bits, 2);
		split(bits[1], ':', bits + 1, 2);
		bool binary = bits[1][0] == '1', null = strcmp(bits[2], "NULL") == 0;
		uint8_t *data = arena_alloc(a, strlen(bits[2]) + 1, 1);
		size_t length = strlen(bits[2]);
		if (binary)
			length = unhex(bits[2], data);
		else
			memcpy(data, bits[2], length);
		params[n_params++] = (struct engine_param){ .type_oid = (uint32_t)strtoul(bits[0], NULL, 10), .binary = binary, .data = data,
							    .length = null ? -1 : (int32_t)length };
	}
	bool armed = cancel_ms > 0 && pthread_create(&t, NULL, canceller, NULL) == 0;
	bool ok = engine_run(engine, &view, part[2], params, n_params, formats, n_formats, a, &r, &e);
	if (armed) {
		pthread_join(t, NULL);
		atomic_store(&cancelled, false);
		cancel_ms = 0;
	}
	if (ok)
		put_result(w, &r, formats, n_formats);
	else
		put_error(w, &e);
}

static void command_describe(char **part, struct arena *a, struct wr *w)
{
	uint32_t oids[PARTS_MAX];
	char *items[PARTS_MAX];
	size_t n = 0;
	struct description d;
	struct error e;

	if (strcmp(part[1], "-") != 0) {
		n = split(part[1], ',', items, PARTS_MAX);
		for (size_t i = 0; i < n; i++)
			oids[i] = (uint32_t)strtoul(items[i], NULL, 10);
	}
	if (!engine_describe(engine, &view, part[2], oids, n, a, &d, &e)) {
		put_error(w, &e);
		return;
	}
	wr_str(w, "{\"params\":[");
	for (size_t i = 0; i < d.n_params; i++)
		wr_fmt(w, "%s%u", i ? "," : "", d.param_oids[i]);
	wr_str(w, "],");
	put_fields(w, d.fields, d.n_fields);
	wr_str(w, "}");
}

static void command_set(const char *name, const char *value)
{
	size_t i = 0;
	while (i < view.n_gucs && strcmp(guc_names[i], name) != 0)
		i++;
	guc_names[i] = arena_strdup(&kept, name);
	guc_values[i] = arena_strdup(&kept, value);
	if (i == view.n_gucs)
		view.n_gucs++;
}

static void answer(char *line, struct arena *a, struct wr *w)
{
	char *part[PARTS_MAX];
	size_t n = split(line, '\t', part, PARTS_MAX);
	struct error e = ERROR_INIT;

	if (strcmp(part[0], "run") == 0 && n >= 3) {
		command_run(part, n, a, w);
		return;
	}
	if (strcmp(part[0], "describe") == 0 && n == 3) {
		command_describe(part, a, w);
		return;
	}
	if (strcmp(part[0], "encode") == 0 && n == 3) {
		struct cell c;
		if (encode_binary((uint32_t)strtoul(part[1], NULL, 10), part[2], a, &c, &e))
			put_hex(w, c.data, c.length);
		else
			put_error(w, &e);
		return;
	}
	if (strcmp(part[0], "decode") == 0 && n == 3) {
		uint8_t data[4096];
		const char *text;
		bool readable;
		struct engine_param p = { .type_oid = (uint32_t)strtoul(part[1], NULL, 10), .binary = true, .data = data };
		p.length = (int32_t)unhex(part[2], data);
		if (pgtype_param_text(&p, 1, a, &text, &readable, &e))
			wr_json(w, readable ? text : "?");
		else
			put_error(w, &e);
		return;
	}
	if (strcmp(part[0], "set") == 0 && n == 3)
		command_set(part[1], part[2]);
	else if (strcmp(part[0], "path") == 0 && n == 2) {
		view.plan.n_search_path = split(arena_strdup(&kept, part[1]), ',', (char **)path, ITEMS_MAX);
		view.plan.search_path = path;
	} else if (strcmp(part[0], "user") == 0 && n == 3) {
		view.user = arena_strdup(&kept, part[1]);
		view.analyst = view.plan.analyst = arena_strdup(&kept, part[2]);
	} else if (strcmp(part[0], "notices") == 0 && n == 2)
		view.notices = part[1][1] == 'n';
	else if (strcmp(part[0], "epsilon") == 0 && n == 2) {
		struct decimal d;
		if (!decimal_parse(part[1], &d) || !eps_from_decimal(d, &view.plan.epsilon))
			abort();
	} else if (strcmp(part[0], "cancel") == 0 && n == 2)
		cancel_ms = (int)strtol(part[1], NULL, 10);
	else {
		wr_str(w, "\"bad command\"");
		return;
	}
	wr_str(w, "\"ok\"");
}

int main(int argc, char **argv)
{
	static struct policy_report report;
	struct error e = ERROR_INIT;
	static char line[1 << 20];

	if (argc < 2)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	log_setup(LOG_DEBUG, true);
	struct snapshot *s = snapshot_load(argv[1], &report, &e);
	if (!s || !engine_open(s, &engine, &e)) {
		struct wr w;
		wr_init_heap(&w, 1 << 16);
		put_error(&w, &e);
		puts(wr_text(&w));
		wr_free(&w);
		snapshot_drop(s);
		return 1;
	}
	snapshot_drop(s);
	view.plan = (struct plan_settings){ .analyst = "publisher", .timezone = "UTC", .confidence = 0.95 };
	printf("{\"ready\":\"%s\"}\n", engine_server_version(engine));
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		struct arena a;
		struct wr w;
		line[strcspn(line, "\n")] = '\0';
		arena_init(&a, (size_t)1 << 30);
		wr_init_heap(&w, (size_t)1 << 30);
		answer(line, &a, &w);
		puts(wr_text(&w));
		fflush(stdout);
		wr_free(&w);
		arena_reset(&a);
	}
	engine_close(engine);
	arena_reset(&kept);
	return 0;
}
