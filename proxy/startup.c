#include "proxy/startup.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/auth.h"
#include "proxy/wire_limits.h"
#include "proxy/wire_out.h"

enum { NEWEST_MINOR = 2, KEY_30 = 4, KEY_32 = 32 };

static enum turn drop(struct session *s, const char *why)
{
	log_event(LOG_INFO, "connection dropped", LOG_NUM("session", (int64_t)s->id), LOG_TEXT("peer", s->peer), LOG_TEXT("why", why));
	return TURN_END;
}

static enum turn refuse(struct session *s, const struct error *e)
{
	log_event(LOG_INFO, "connection refused", LOG_NUM("session", (int64_t)s->id), LOG_TEXT("peer", s->peer),
		  LOG_TEXT("sqlstate", error_sqlstate(e->code)));
	session_fatal(s, e);
	return TURN_END;
}

static enum turn handshake_step(struct session *s)
{
	switch (stream_handshake(&s->io)) {
	case IO_WANT_READ:
		return TURN_WAIT_READ;
	case IO_WANT_WRITE:
		return TURN_WAIT_WRITE;
	case IO_CLOSED:
		return drop(s, "TLS handshake failed");
	case IO_DONE:
		break;
	}
	if (s->direct_tls && !tls_has_alpn(s->io.ssl))
		return drop(s, "direct TLS without ALPN postgresql");
	session_move(s, SESSION_STARTUP);
	return TURN_MORE;
}

static enum turn start_tls(struct session *s)
{
	s->tls_tried = true;
	if (!stream_start_tls(&s->io, s->host->tls))
		return drop(s, "out of memory");
	session_move(s, SESSION_HANDSHAKE);
	return TURN_MORE;
}

/* Direct TLS begins with a ClientHello; anything else is a startup packet. */
static enum turn first_step(struct session *s)
{
	uint8_t byte;
	size_t got;

	switch (stream_peek(&s->io, &byte, 1, &got)) {
	case IO_DONE:
		break;
	case IO_CLOSED:
		return TURN_END; /* port scans and health checks: not worth a line */
	default:
		return TURN_WAIT_READ;
	}
	if (byte != WIRE_TLS_RECORD) {
		session_move(s, SESSION_STARTUP);
		return TURN_MORE;
	}
	if (!s->host->tls)
		return drop(s, "direct TLS, but no certificate is configured");
	s->direct_tls = true;
	return start_tls(s);
}

static enum turn ssl_request(struct session *s)
{
	uint8_t byte;
	size_t got;

	if (s->io.ssl || s->tls_tried)
		return drop(s, "a second SSLRequest");
	s->tls_tried = true;
	if (!s->host->tls) {
		wr_u8(s->out, 'N');
		return session_flush(s) ? TURN_MORE : TURN_END;
	}
	/* what stands behind the request in clear text could pass for something said under TLS: an attack */
	if (stream_peek(&s->io, &byte, 1, &got) == IO_DONE)
		return drop(s, "clear text behind SSLRequest");
	wr_u8(s->out, 'S');
	return session_flush(s) ? start_tls(s) : TURN_END;
}

static enum turn gss_request(struct session *s)
{
	if (s->io.ssl || s->gss_tried)
		return drop(s, "a second GSSENCRequest");
	s->gss_tried = true;
	wr_u8(s->out, 'N');
	return session_flush(s) ? TURN_MORE : TURN_END;
}

static bool take_slot(struct session *s, struct error *e)
{
	struct session_host *h = s->host;

	if (atomic_load(&h->stopping) != STOPPING_NO)
		return fail(e, ERR_SHUTDOWN, "the proxy is shutting down");
	if (atomic_fetch_add(&h->logged_in, 1) >= h->max_connections) {
		atomic_fetch_sub(&h->logged_in, 1);
		return fail(e, ERR_TOO_MANY, "too many connections");
	}
	s->slot = true;
	return true;
}

/* "15.18 (Debian ...)" to "150018". */
static void version_number(const char *version, char *out, size_t size)
{
	int major = 0, minor = 0;

	for (; isdigit((unsigned char)*version) && major < 1000; version++)
		major = major * 10 + (*version - '0');
	if (*version == '.') {
		for (version++; isdigit((unsigned char)*version) && minor < 1000; version++)
			minor = minor * 10 + (*version - '0');
	}
	(void)snprintf(out, size, "%d", major * 10000 + minor);
}

/* All schemas of the policy's tables, in order, each once; then public. */
static bool default_path(struct session *s, const struct policy *p)
{
	struct error ignored;
	struct wr w;

	wr_init(&w, s->arena, SESSION_MAX_VALUE);
	for (size_t i = 0; i < p->n_tables; i++) {
		bool seen = text_eq(p->tables[i].schema, "public");
		for (size_t j = 0; j < i && !seen; j++)
			seen = text_eq(p->tables[j].schema, p->tables[i].schema);
		if (seen)
			continue;
		wr_sql_name(&w, p->tables[i].schema);
		wr_str(&w, ", ");
	}
	wr_str(&w, "public");
	/* thousands of schemas do not fit into a setting: then the path is what always is there */
	return (wr_ok(&w) && settings_start(&s->settings, "search_path", wr_text(&w), &ignored)) ||
	       settings_know(&s->settings, SETTING_SEARCH_PATH, "public");
}

static bool know_server(struct session *s, struct error *e)
{
	const char *version = engine_server_version(s->host->engine);
	struct snapshot *snapshot = engine_policy(s->host->engine);
	char number[16];
	bool good;

	version_number(version, number, sizeof(number));
	good = default_path(s, snapshot->policy) && settings_know(&s->settings, SETTING_SERVER_VERSION, version) &&
	       settings_know(&s->settings, SETTING_SERVER_VERSION_NUM, number) &&
	       settings_know(&s->settings, SETTING_SESSION_AUTHORIZATION, s->user);
	snapshot_drop(snapshot);
	return good || fail_memory(e);
}

static bool apply(struct session *s, const struct startup_pair *pairs, size_t n, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		if (!settings_start(&s->settings, pairs[i].name, pairs[i].value, e))
			return false;
		if (text_eq(pairs[i].name, "replication") && !text_eq(pairs[i].value, "false") && !text_eq(pairs[i].value, "off") &&
		    !text_eq(pairs[i].value, "0"))
			return fail(e, ERR_RULE, "replication connections are not supported");
	}
	return true;
}

static bool log_in(struct session *s, const struct startup_msg *m, struct error *e)
{
	const struct startup_pair *options;
	size_t n_options;

	if (s->host->tls_required && !s->io.ssl) {
		(void)fail(e, ERR_AUTH_RULE, "this server accepts encrypted connections only");
		return error_hint(e, "Connect with sslmode=require or stronger.");
	}
	if (m->user[0] == '\0')
		return fail(e, ERR_AUTH_RULE, "no user name specified in startup packet");
	if (!take_slot(s, e))
		return false;
	s->user = mem_strdup(m->user);
	if (!s->user)
		return fail_memory(e);
	if (!know_server(s, e))
		return false;
	if (!startup_options(s->arena, m->options, &options, &n_options, e) || !apply(s, options, n_options, e) ||
	    !apply(s, m->pairs, m->n_pairs, e))
		return false;
	if (m->minor > NEWEST_MINOR || m->n_unsupported > 0)
		out_negotiate(s->out, m->minor < NEWEST_MINOR ? m->minor : NEWEST_MINOR, m->unsupported, m->n_unsupported);
	s->minor = m->minor < NEWEST_MINOR ? m->minor : NEWEST_MINOR;
	return auth_begin(s, e);
}

static enum turn startup_message(struct session *s, struct rd body)
{
	struct startup_msg m;
	struct error e = ERROR_INIT;

	if (!startup_parse(s->arena, body, &m, &e))
		return refuse(s, &e);
	if (m.major != 3) {
		(void)fail(&e, ERR_PROTOCOL, "unsupported frontend protocol %u.%u: server supports 3.0 to 3.%d", m.major, m.minor,
			   NEWEST_MINOR);
		return refuse(s, &e);
	}
	if (!log_in(s, &m, &e))
		return refuse(s, &e);
	return TURN_MORE;
}

static enum turn packet_step(struct session *s)
{
	struct input *in = &s->in;
	size_t total = 0;

	switch (frame_peek_startup(in->p + in->at, in->n - in->at, &total)) {
	case FRAME_SHORT:
		return session_fill(s, 4, true);
	case FRAME_BAD:
		return drop(s, "first packet has a length that cannot be");
	case FRAME_KNOWN:
		break;
	}
	if (in->n - in->at < total)
		return session_fill(s, total, true);
	struct rd body = rd_of(in->p + in->at + 4, total - 4);
	struct rd look = body;
	struct cancel_msg cancel;
	in->at += total;
	switch (rd_u32(&look)) {
	case WIRE_CODE_SSL:
		return total == 8 ? ssl_request(s) : drop(s, "malformed SSLRequest");
	case WIRE_CODE_GSSENC:
		return total == 8 ? gss_request(s) : drop(s, "malformed GSSENCRequest");
	case WIRE_CODE_CANCEL:
		if (cancel_parse(body, &cancel))
			cancels_request(s->host->cancels, &cancel);
		return TURN_END;
	default:
		return startup_message(s, body);
	}
}

enum turn startup_step(struct session *s)
{
	switch (s->state) {
	case SESSION_FIRST:
		return first_step(s);
	case SESSION_HANDSHAKE:
		return handshake_step(s);
	default:
		return packet_step(s);
	}
}

bool startup_finish(struct session *s, struct error *e)
{
	if (!cancels_add(s->host->cancels, &s->cancel, s->minor >= 2 ? KEY_32 : KEY_30))
		return fail(e, ERR_INTERNAL, "could not draw a cancel key");
	out_auth(s->out, AUTH_OK, NULL, 0);
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		enum setting_id id = (enum setting_id)i;
		if (setting_flags(id) & SETTING_REPORT)
			out_parameter(s->out, setting_name(id), settings_get(&s->settings, id));
	}
	out_key(s->out, s->cancel.pid, s->cancel.key, s->cancel.key_length);
	(void)settings_take_changes(&s->settings);
	engine_login(s->host->engine, s->user, s->member, s->peer, true);
	s->served = true;
	session_move(s, SESSION_READY);
	session_ready(s);
	log_event(LOG_INFO, "session opened", LOG_NUM("session", (int64_t)s->id), LOG_TEXT("user", s->user), LOG_TEXT("member", s->member),
		  LOG_TEXT("peer", s->peer), LOG_TEXT("tls", s->io.ssl ? SSL_get_version(s->io.ssl) : "none"));
	return true;
}
