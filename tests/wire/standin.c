/*
 * A stand-in for the engine, so that the network side can be tested without a PostgreSQL: answers a handful of statements by their text.
 * Test program only; linked instead of proxy/engine.o.   standin POLICY.yaml   prints "port N" and serves until SIGTERM.
 */
#include "base/log.h"
#include "proxy/engine.h"
#include "proxy/server.h"
#include "proxy/wire_out.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct engine {
	struct snapshot *policy;
};

static struct server *server;

struct snapshot *engine_policy(struct engine *g)
{
	return snapshot_hold(g->policy);
}

const char *engine_server_version(struct engine *g)
{
	(void)g;
	return "15.18 (stand-in)";
}

enum { OID_INT4 = 23, OID_TEXT = 25, ASLEEP = 60000 };

static long series(const char *sql)
{
	const char *at = strstr(sql, "generate_series(1, ");

	return at ? strtol(at + 19, NULL, 10) : 0;
}

static bool describe(const char *sql, const uint32_t *oids, size_t n_oids, struct arena *a, struct description *out, struct error *e)
{
	struct field *f = arena_array(a, 1, struct field);
	uint32_t *params = arena_array(a, 1, uint32_t);
	const char *refused = strstr(sql, "forbidden");

	if (refused) {
		fail(e, ERR_RULE, "forbidden is not allowed");
		error_rule(e, "stand-in");
		error_hint(e, "Ask for something else.");
		return error_at(e, (int)(refused - sql) + 1);
	}
	if (strstr(sql, "missing_table")) {
		fail(e, ERR_NO_TABLE, "relation \"missing_table\" does not exist");
		return error_at(e, (int)(strstr(sql, "missing_table") - sql) + 1);
	}
	f[0] = (struct field){ .name = "n", .type_oid = OID_INT4, .type_length = 4, .type_modifier = -1 };
	out->n_params = strstr(sql, "$1") != NULL;
	if (out->n_params) {
		params[0] = n_oids > 0 && oids[0] ? oids[0] : strstr(sql, "::int") ? OID_INT4 : OID_TEXT;
		f[0].type_oid = params[0];
		f[0].type_length = params[0] == OID_INT4 ? 4 : -1;
	}
	out->param_oids = params;
	out->fields = f;
	out->n_fields = 1;
	return true;
}

void engine_refused(struct engine *g, const char *user, const char *member, const char *sql, const struct error *why)
{
	(void)g, (void)user, (void)member, (void)sql, (void)why;
}

void engine_login(struct engine *g, const char *user, const char *member, const char *peer, bool accepted)
{
	(void)g, (void)user, (void)member, (void)peer, (void)accepted;
}

bool engine_describe(struct engine *g, const struct session_view *s, const char *sql, const uint32_t *oids, size_t n_oids,
		     struct arena *a, struct description *out, struct error *e)
{
	(void)g;
	(void)s;
	return describe(sql, oids, n_oids, a, out, e);
}

static struct cell number(struct arena *a, uint32_t v, bool binary)
{
	struct wr w;

	wr_init(&w, a, 64);
	if (binary)
		wr_u32(&w, v);
	else
		wr_fmt(&w, "%u", v);
	return (struct cell){ .data = w.p, .length = (int32_t)w.n };
}

static bool sleep_until_cancelled(const struct session_view *s, struct error *e)
{
	for (int i = 0; i < 6000; i++) {
		if (atomic_load(s->cancelled))
			return fail(e, ERR_CANCELLED, "cancelled");
		usleep(10000);
	}
	return true;
}

bool engine_run(struct engine *g, const struct session_view *s, const char *sql, const struct engine_param *params, size_t n_params,
		const int16_t *formats, size_t n_formats, struct arena *a, struct result *out, struct error *e)
{
	static const struct notice note = { "NOTICE", "00000", "the stand-in greets", NULL, NULL };
	struct description d;
	long n = series(sql);
	bool binary = format_of(formats, n_formats, 0) == 1;

	(void)g;
	if (!describe(sql, NULL, 0, a, &d, e))
		return false;
	if (n >= ASLEEP && !sleep_until_cancelled(s, e))
		return false;
	size_t rows = n > 0 && n < ASLEEP ? (size_t)n : 1;
	struct cell *cells = arena_array(a, rows, struct cell);
	if (!cells)
		return fail_memory(e);
	for (size_t i = 0; i < rows; i++)
		cells[i] = number(a, (uint32_t)i + 1, binary);
	if (n_params == 1) {
		((struct field *)d.fields)[0].type_oid = params[0].type_oid;
		cells[0] = (struct cell){ .data = (const uint8_t *)(params[0].length < 0 ? NULL : arena_copy(a, params[0].data, (size_t)params[0].length)),
					  .length = params[0].length };
	}
	if (strstr(sql, "big_text")) {
		char *big = arena_alloc(a, 1 << 20, 1);
		memset(big, 'x', 1 << 20);
		cells[0] = (struct cell){ .data = (const uint8_t *)big, .length = 1 << 20 };
	}
	*out = (struct result){ .fields = d.fields, .n_fields = 1, .cells = cells, .n_rows = rows, .tag = arena_printf(a, "SELECT %zu", rows) };
	if (strstr(sql, "greet") && s->notices) {
		out->notices = &note;
		out->n_notices = 1;
	}
	return true;
}

static void on_term(int signal)
{
	(void)signal;
	server_stop(server);
}

int main(int argc, char **argv)
{
	static struct policy_report report;
	struct error e = ERROR_INIT;
	struct engine g = { 0 };

	if (argc != 2)
		return 2;
	log_setup(getenv("STANDIN_QUIET") ? LOG_ERROR : LOG_INFO, false);
	g.policy = snapshot_load(argv[1], &report, &e);
	if (!g.policy) {
		fprintf(stderr, "%s\n", e.message);
		for (size_t i = 0; i < report.n; i++)
			fprintf(stderr, "%d:%d %s\n", report.errors[i].line, report.errors[i].column, report.errors[i].message);
		return 1;
	}
	if (!server_open(g.policy->policy, &g, &server, &e)) {
		fprintf(stderr, "%s\n", e.message);
		return 1;
	}
	signal(SIGTERM, on_term);
	signal(SIGINT, on_term);
	printf("port %d\n", server_port(server));
	fflush(stdout);
	bool good = server_run(server, &e);
	server_close(server);
	snapshot_drop(g.policy);
	return good ? 0 : 1;
}
