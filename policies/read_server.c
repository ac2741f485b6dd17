/* upstream, server, ledger: how the proxy runs. */
#include "policies/read.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

const char *read_path(struct reader *r, const char *path)
{
	if (!path || path[0] == '/')
		return path;
	const char *full = arena_printf(r->arena, "%s/%s", r->directory, path);
	r->no_memory = r->no_memory || !full;
	return full;
}

/* "60s", "500ms", or a plain number of milliseconds. */
static int read_duration(struct reader *r, const struct yaml_node *n, const char *what, int fallback)
{
	char digits[24];
	int64_t v, factor = 1;

	if (!read_is(r, n, YAML_SCALAR, what))
		return fallback;
	size_t length = strlen(n->text), unit = 0;
	if (length > 2 && text_eq(n->text + length - 2, "ms")) {
		unit = 2;
	} else if (length > 1 && n->text[length - 1] == 's') {
		unit = 1;
		factor = 1000;
	}
	if (length - unit < sizeof(digits)) {
		(void)snprintf(digits, sizeof(digits), "%.*s", (int)(length - unit), n->text);
		if (number_i64(digits, 1, 86400000 / factor, &v))
			return (int)(v * factor);
	}
	report_error(r->report, READ_AT(n), "for example 60s or 500ms", "%s must be a duration up to a day, not \"%s\"", what, n->text);
	return fallback;
}

static void read_listen(struct reader *r, const struct yaml_node *n, struct policy_server *s)
{
	const char *text = read_text(r, n, "listen", NULL);
	const char *colon = text ? strrchr(text, ':') : NULL;
	int64_t port;

	if (!text)
		return;
	if (!colon || colon == text || !number_i64(colon + 1, 0, 65535, &port)) {
		report_error(r->report, READ_AT(n), "for example 127.0.0.1:6432", "listen must be host:port, not \"%s\"", text);
		return;
	}
	s->listen_host = arena_copy(r->arena, text, (size_t)(colon - text));
	s->listen_port = (int)port;
	r->no_memory = r->no_memory || !s->listen_host;
}

static void read_tls(struct reader *r, const struct yaml_node *tls, struct policy_server *s)
{
	static const char *const keys[] = { "cert", "key", "required" };

	if (!read_is(r, tls, YAML_MAP, "tls"))
		return;
	read_known(r, tls, "tls", keys, ARRAY_LEN(keys), NULL);
	s->tls_cert = read_path(r, read_text(r, read_need(r, tls, "cert", "tls"), "cert", NULL));
	s->tls_key = read_path(r, read_text(r, read_need(r, tls, "key", "tls"), "key", NULL));
	s->tls_required = read_bool(r, read_get(tls, "required"), "required", true);
}

static void read_server_section(struct reader *r, const struct yaml_node *server)
{
	static const char *const keys[] = { "listen", "tls", "workers", "max_connections", "sidecar", "log" };
	static const char *const sidecar_keys[] = { "dir", "bin", "user" };
	static const char *const logs[] = { "text", "json" };
	struct policy_server *s = &r->policy->server;

	if (!read_is(r, server, YAML_MAP, "server"))
		return;
	read_known(r, server, "server", keys, ARRAY_LEN(keys), NULL);
	read_listen(r, read_get(server, "listen"), s);
	read_tls(r, read_get(server, "tls"), s);
	s->workers = (int)read_int(r, read_get(server, "workers"), "workers", 1, 256, s->workers);
	s->max_connections = (int)read_int(r, read_get(server, "max_connections"), "max_connections", 1, 100000, s->max_connections);
	s->log_json = read_choice(r, read_get(server, "log"), "log", logs, ARRAY_LEN(logs), 0) == 1;
	const struct yaml_node *sidecar = read_get(server, "sidecar");
	if (!read_is(r, sidecar, YAML_MAP, "sidecar"))
		return;
	read_known(r, sidecar, "sidecar", sidecar_keys, ARRAY_LEN(sidecar_keys), NULL);
	s->sidecar_dir = read_path(r, read_text(r, read_get(sidecar, "dir"), "dir", NULL));
	s->sidecar_bin = read_text(r, read_get(sidecar, "bin"), "bin", s->sidecar_bin);
	s->sidecar_user = read_text(r, read_get(sidecar, "user"), "user", s->sidecar_user);
}

static void read_upstream(struct reader *r, const struct yaml_node *root)
{
	static const char *const keys[] = { "dsn", "password_env", "password_file", "connections", "statement_timeout" };
	const struct yaml_node *n = read_need(r, root, "upstream", "the policy");
	struct policy_upstream *u = &r->policy->upstream;

	if (!read_is(r, n, YAML_MAP, "upstream"))
		return;
	read_known(r, n, "upstream", keys, ARRAY_LEN(keys), NULL);
	const struct yaml_node *dsn = read_need(r, n, "dsn", "upstream");
	u->dsn = read_text(r, dsn, "dsn", "");
	if (u->dsn && (strstr(u->dsn, "password=") || (strstr(u->dsn, "://") && strchr(u->dsn, '@'))))
		report_error(r->report, READ_AT(dsn), "use password_env or password_file", "dsn must not hold a password");
	u->password_env = read_text(r, read_get(n, "password_env"), "password_env", NULL);
	u->password_file = read_path(r, read_text(r, read_get(n, "password_file"), "password_file", NULL));
	u->connections = (int)read_int(r, read_get(n, "connections"), "connections", 1, 256, 4);
	u->statement_timeout_ms = read_duration(r, read_get(n, "statement_timeout"), "statement_timeout", 60000);
}

static bool is_url(const char *s)
{
	return text_starts(s, "postgresql://") || text_starts(s, "postgres://");
}

/* password=..., or user:secret@ in a URL. */
static bool holds_password(const char *dsn)
{
	const char *authority = is_url(dsn) ? strstr(dsn, "://") + 3 : NULL;
	const char *at = authority ? strchr(authority, '@') : NULL;

	return strstr(dsn, "password=") || (at && (size_t)(at - authority) > strcspn(authority, ":"));
}

/* The NV indices that the TCG leaves to the owner of a machine. */
enum { NV_FIRST = 0x1000000, NV_LAST = 0x1bfffff };

/* 0x1500016, or the same in decimal. */
static uint32_t read_nv_index(struct reader *r, const struct yaml_node *n)
{
	const char *text = read_text(r, n, "index", NULL);
	int64_t v = 0;

	if (!text)
		return 0;
	if (text_starts(text, "0x") && strlen(text) == 9 && strspn(text + 2, "0123456789abcdefABCDEF") == 7)
		v = (int64_t)strtoul(text, NULL, 16);
	else if (!number_i64(text, NV_FIRST, NV_LAST, &v))
		v = 0;
	if (v < NV_FIRST || v > NV_LAST)
		report_error(r->report, READ_AT(n), "for example 0x1500016", "index must be an NV index from 0x1000000 to 0x1bfffff, not \"%s\"", text);
	return (uint32_t)v;
}

static void read_tpm(struct reader *r, const struct yaml_node *n, struct policy_ledger *l)
{
	l->anchor_tpm = read_text(r, read_get(n, "tpm"), "tpm", NULL);
	if (l->anchor_tpm)
		l->anchor_index = read_nv_index(r, read_need(r, n, "index", "anchor"));
	else if (read_get(n, "index"))
		report_error(r->report, READ_AT(read_get(n, "index")), "for example anchor: { tpm: \"device:/dev/tpmrm0\", index: 0x1500016 }", "index belongs to tpm");
}

static void read_anchor(struct reader *r, const struct yaml_node *n, struct policy_ledger *l)
{
	static const char *const keys[] = { "file", "upstream", "tpm", "index" };

	if (!read_is(r, n, YAML_MAP, "anchor"))
		return;
	read_known(r, n, "anchor", keys, ARRAY_LEN(keys), NULL);
	l->anchor_file = read_path(r, read_text(r, read_get(n, "file"), "file", NULL));
	const struct yaml_node *table = read_get(n, "upstream");
	if (table && !read_qualified(r, table, "upstream", &l->anchor_schema, &l->anchor_table))
		l->anchor_schema = l->anchor_table = NULL;
	read_tpm(r, n, l);
	if ((l->anchor_file != NULL) + (table != NULL) + (l->anchor_tpm != NULL) != 1)
		report_error(r->report, READ_AT(n), "for example anchor: { file: /mnt/other-disk/NAME.anchor }", "anchor takes one of file, upstream and tpm");
}

/* A path, a postgresql:// string, or a map. */
static void read_ledger(struct reader *r, const struct yaml_node *n)
{
	static const char *const keys[] = { "path", "postgres", "schema", "password_env", "password_file", "anchor" };
	struct policy *p = r->policy;
	struct policy_ledger *l = &p->ledger;
	const bool map = n && n->kind == YAML_MAP;
	const struct yaml_node *place = map ? read_get(n, "path") : n, *dsn = map ? read_get(n, "postgres") : NULL;
	const char *path;

	*l = (struct policy_ledger){ .schema = "noisegate" };
	if (map)
		read_known(r, n, "ledger", keys, ARRAY_LEN(keys), NULL);
	path = read_text(r, place, map ? "path" : "ledger", NULL);
	if (path && is_url(path)) {
		dsn = place;
		path = NULL;
	}
	l->postgres = read_text(r, dsn, "postgres", NULL);
	if (path && l->postgres && n)
		report_error(r->report, READ_AT(n), "", "ledger takes either path or postgres");
	if (l->postgres && dsn && holds_password(l->postgres))
		report_error(r->report, READ_AT(dsn), "use password_env or password_file", "the ledger's connection string must not hold a password");
	if (map) {
		const struct yaml_node *schema = read_get(n, "schema");
		if (schema)
			l->schema = read_name(r, schema, "schema");
		l->password_env = read_text(r, read_get(n, "password_env"), "password_env", NULL);
		l->password_file = read_path(r, read_text(r, read_get(n, "password_file"), "password_file", NULL));
		read_anchor(r, read_get(n, "anchor"), l);
	}
	if (!path && p->collaboration)
		path = arena_printf(r->arena, "%s.ledger", p->collaboration);
	p->ledger_path = read_path(r, path);
}

void read_server(struct reader *r, const struct yaml_node *root)
{
	struct policy *p = r->policy;

	p->server = (struct policy_server){ .listen_host = "127.0.0.1", .listen_port = 6432, .workers = 8, .max_connections = 10000,
					    .sidecar_bin = "/usr/lib/postgresql/15/bin", .sidecar_user = "postgres" };
	p->upstream = (struct policy_upstream){ .dsn = "", .connections = 4, .statement_timeout_ms = 60000 };
	read_server_section(r, read_get(root, "server"));
	read_upstream(r, root);
	read_ledger(r, read_get(root, "ledger"));
	read_audit(r, read_get(root, "audit"));
}
