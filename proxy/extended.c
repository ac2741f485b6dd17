/* Extended query: Parse, Bind, Describe, Execute, Close, Flush, Sync.  Nothing is charged before Execute. */
#include "base/mem.h"
#include "base/text.h"
#include "proxy/answer.h"
#include "proxy/command.h"
#include "proxy/session_table.h"
#include "proxy/transaction.h"
#include "proxy/wire_in.h"
#include "proxy/wire_out.h"

/* The query inside a statement whose parameters must be described: itself, or that of a cursor. */
static const char *query_of(const struct statement *st)
{
	return st->kind == STATEMENT_QUERY ? st->text : st->kind == STATEMENT_DECLARE ? st->value : NULL;
}

/* What is kept of a description: planning it needed far more memory, which goes with the message. */
static bool keep_description(const struct description *d, struct arena *a, struct description *out)
{
	uint32_t *oids = arena_array(a, d->n_params, uint32_t);

	*out = *d;
	if (!oids || !fields_copy(d->fields, d->n_fields, a, &out->fields))
		return false;
	mem_copy(oids, d->param_oids, d->n_params * sizeof(*oids));
	out->param_oids = oids;
	return true;
}

/* Types of the parameters, and of the columns of a query, into the prepared statement. */
static bool describe_into(struct session *s, const struct parse_msg *m, struct prepared *p, struct error *e)
{
	const char *sql = query_of(&p->statement);
	struct description d;

	if (!sql)
		return true; /* types declared for a command without parameters mean nothing */
	if (!session_describe_query(s, sql, m->oids, m->n_oids, s->arena, &d, e))
		return false;
	if (p->statement.kind == STATEMENT_DECLARE)
		d.n_fields = 0; /* DECLARE itself returns no rows */
	return keep_description(&d, &p->arena, &p->description) || fail_memory(e);
}

static bool parse_one(struct session *s, const char *sql, struct statement *out, struct error *e)
{
	struct statements list;

	if (!statements_parse(s->arena, sql, &list, e)) {
		engine_refused(s->host->engine, s->user, s->member, sql, e);
		return false;
	}
	if (list.n > 1)
		return fail(e, ERR_SYNTAX, "cannot insert multiple commands into a prepared statement");
	*out = list.n == 1 ? list.items[0] : (struct statement){ .kind = STATEMENT_EMPTY, .text = "" };
	return tx_allows(s, out->kind, e);
}

bool handle_parse(struct session *s, struct rd body, struct error *e)
{
	struct parse_msg m;
	struct statement st;
	struct prepared *p;

	if (!parse_parse(s->arena, body, &m, e) || !parse_one(s, m.sql, &st, e) || !prepared_add(&s->portals, m.name, &st, &p, e))
		return false;
	tx_begin_implicit(s);
	if (!describe_into(s, &m, p, e)) {
		if (e->position > 0)
			e->position = st.kind == STATEMENT_DECLARE ? 0 : e->position + st.offset;
		prepared_drop(&s->portals, m.name);
		return false;
	}
	out_bare(s->out, OUT_PARSE_COMPLETE);
	return true;
}

/* Parameters into the portal's arena: the message's bytes go when the message has been handled. */
static bool copy_params(const struct bind_msg *m, const struct description *d, struct portal *one)
{
	struct engine_param *params = arena_array(&one->arena, m->n_params, struct engine_param);

	for (size_t i = 0; params && i < m->n_params; i++) {
		params[i] = m->params[i];
		params[i].type_oid = d->param_oids[i];
		if (params[i].length < 0)
			continue;
		params[i].data = (const uint8_t *)arena_copy(&one->arena, params[i].data, (size_t)params[i].length);
		if (!params[i].data)
			return false;
	}
	one->params = params;
	one->n_params = m->n_params;
	return params != NULL;
}

static bool copy_formats(const struct bind_msg *m, struct portal *one)
{
	int16_t *formats = arena_array(&one->arena, m->n_formats, int16_t);

	if (!formats)
		return false;
	mem_copy(formats, m->formats, m->n_formats * sizeof(*formats));
	one->formats = formats;
	one->n_formats = m->n_formats;
	return true;
}

static bool check_counts(const struct bind_msg *m, const struct description *d, struct error *e)
{
	if (m->n_params != d->n_params)
		return fail(e, ERR_PROTOCOL, "bind message supplies %zu parameters, but prepared statement \"%.100s\" requires %zu",
			    m->n_params, m->statement, d->n_params);
	if (m->n_formats > 1 && d->n_fields > 0 && m->n_formats != d->n_fields)
		return fail(e, ERR_PROTOCOL, "bind message has %zu result formats but query has %zu columns", m->n_formats, d->n_fields);
	return true;
}

static bool no_statement(const char *name, struct error *e)
{
	if (name[0] == '\0')
		return fail(e, ERR_NO_STATEMENT, "unnamed prepared statement does not exist");
	return fail(e, ERR_NO_STATEMENT, "prepared statement \"%.100s\" does not exist", name);
}

bool handle_bind(struct session *s, struct rd body, struct error *e)
{
	struct bind_msg m;
	struct portal *one;

	if (!bind_parse(s->arena, body, &m, e))
		return false;
	const struct prepared *p = prepared_find(&s->portals, m.statement);
	if (!p)
		return no_statement(m.statement, e);
	if (!tx_allows(s, p->statement.kind, e) || !check_counts(&m, &p->description, e))
		return false;
	tx_begin_implicit(s);
	if (!portal_add(&s->portals, m.portal, &p->statement, &one, e))
		return false;
	if (!copy_params(&m, &p->description, one) || !copy_formats(&m, one) ||
	    !fields_copy(p->description.fields, p->description.n_fields, &one->arena, &one->described)) {
		portal_drop(&s->portals, one);
		return fail_memory(e);
	}
	one->n_described = p->description.n_fields;
	out_bare(s->out, OUT_BIND_COMPLETE);
	return true;
}

static void send_fields(struct session *s, const struct field *fields, size_t n, const int16_t *formats, size_t n_formats)
{
	if (n == 0)
		out_bare(s->out, OUT_NO_DATA);
	else
		out_fields(s->out, fields, n, formats, n_formats);
}

static bool describe_statement(struct session *s, const char *name, struct error *e)
{
	const struct prepared *p = prepared_find(&s->portals, name);
	const struct field *fields;
	size_t n;

	if (!p)
		return no_statement(name, e);
	if (p->statement.kind == STATEMENT_QUERY) {
		fields = p->description.fields;
		n = p->description.n_fields;
	} else if (!command_fields(s, &p->statement, s->arena, &fields, &n, e)) {
		return false;
	}
	out_param_types(s->out, p->description.param_oids, p->description.n_params);
	send_fields(s, fields, n, NULL, 0);
	return true;
}

/* Formats in which a portal's rows come: those of Bind, or those of the binary cursor that a FETCH reads. */
static size_t portal_formats(const struct session *s, const struct portal *one, const int16_t **out)
{
	if (one->statement.kind == STATEMENT_FETCH) {
		const struct portal *cursor = portal_find(&s->portals, one->statement.name);
		if (cursor && cursor->n_formats > 0) {
			*out = cursor->formats;
			return cursor->n_formats;
		}
	}
	*out = one->formats;
	return one->n_formats;
}

static bool describe_portal(struct session *s, const char *name, struct error *e)
{
	const struct portal *one = portal_find(&s->portals, name);
	const struct field *fields;
	const int16_t *formats;
	size_t n, n_formats;

	if (!one)
		return fail(e, ERR_NO_PORTAL, "portal \"%.100s\" does not exist", name);
	if (one->ran) {
		fields = one->result.fields;
		n = one->result.n_fields;
	} else if (one->statement.kind == STATEMENT_QUERY) {
		fields = one->described;
		n = one->n_described;
	} else if (!command_fields(s, &one->statement, s->arena, &fields, &n, e)) {
		return false;
	}
	n_formats = portal_formats(s, one, &formats);
	send_fields(s, fields, n, formats, n_formats);
	return true;
}

bool handle_describe(struct session *s, struct rd body, struct error *e)
{
	struct target_msg m;

	if (!target_parse(body, &m, e))
		return false;
	if (s->tx == TX_FAILED) { /* describing may need names resolved; PostgreSQL refuses all that returns rows */
		const struct prepared *p = m.kind == 'S' ? prepared_find(&s->portals, m.name) : NULL;
		const struct portal *one = m.kind == 'P' ? portal_find(&s->portals, m.name) : NULL;
		enum statement_kind kind = p ? p->statement.kind : one ? one->statement.kind : STATEMENT_EMPTY;
		if (!tx_allows(s, kind, e))
			return false;
	}
	return m.kind == 'S' ? describe_statement(s, m.name, e) : describe_portal(s, m.name, e);
}

/* What was described is what clients decode by; a policy reload or SET in between must not change it under them. */
static bool check_described(const struct portal *one, const struct result *r, struct error *e)
{
	bool same = one->n_described == r->n_fields;

	for (size_t i = 0; same && i < r->n_fields; i++)
		same = one->described[i].type_oid == r->fields[i].type_oid;
	if (same)
		return true;
	(void)fail(e, ERR_WRONG_STATE, "prepared statement no longer returns what was described");
	return error_hint(e, "Prepare it again.");
}

static bool run_query_portal(struct session *s, struct portal *one, struct error *e)
{
	const struct query_call q = { .sql = one->statement.text,
				      .params = one->params,
				      .n_params = one->n_params,
				      .formats = one->formats,
				      .n_formats = one->n_formats };
	struct result r;

	if (!session_run_query(s, &q, &one->arena, &r, e)) {
		if (e->position > 0)
			e->position += one->statement.offset;
		return false;
	}
	one->ran = true;
	one->result = r;
	for (size_t i = 0; i < r.n_notices; i++)
		session_notice(s, &r.notices[i]);
	return check_described(one, &r, e);
}

/* A command may drop its own portal (COMMIT, DISCARD ALL): it runs from copies, and the portal is looked up again. */
static bool run_command_portal(struct session *s, const struct portal *portal, struct result *r, struct error *e)
{
	struct arena *a = s->arena;
	struct statement st = portal->statement;
	struct engine_param *params = arena_array(a, portal->n_params, struct engine_param);
	int16_t *formats = arena_array(a, portal->n_formats, int16_t);
	const char *portal_name = arena_strdup(a, portal->name);

	st.text = arena_strdup(a, st.text);
	st.name = st.name ? arena_strdup(a, st.name) : NULL;
	st.value = st.value ? arena_strdup(a, st.value) : NULL;
	if (!params || !formats || !portal_name || !st.text || (portal->statement.name && !st.name) || (portal->statement.value && !st.value))
		return fail_memory(e);
	for (size_t i = 0; i < portal->n_params; i++) {
		params[i] = portal->params[i];
		if (params[i].length < 0)
			continue;
		params[i].data = (const uint8_t *)arena_copy(a, params[i].data, (size_t)params[i].length);
		if (!params[i].data)
			return fail_memory(e);
	}
	mem_copy(formats, portal->formats, portal->n_formats * sizeof(*formats));
	const struct command_call call = { params, portal->n_params, formats, portal->n_formats };
	if (!command_run(s, &st, &call, a, r, e))
		return false;
	struct portal *again = portal_find(&s->portals, portal_name);
	if (!again)
		return true;
	again->ran = true;
	if (!result_slice(r, 0, r->n_rows, &again->arena, &again->result))
		return fail_memory(e);
	again->result.tag = arena_strdup(&again->arena, r->tag);
	return again->result.tag || fail_memory(e);
}

static void send_slice(struct session *s, const struct result *r, size_t *at, size_t max)
{
	size_t from = *at;

	if (answer_rows(s, r, at, max))
		out_bare(s->out, OUT_PORTAL_SUSPENDED);
	else
		answer_complete(s, r, *at - from);
}

bool handle_execute(struct session *s, struct rd body, struct error *e)
{
	struct execute_msg m;
	struct result r = { .n_fields = 0 };
	size_t at = 0;

	if (!execute_parse(body, &m, e))
		return false;
	struct portal *one = portal_find(&s->portals, m.portal);
	if (!one)
		return fail(e, ERR_NO_PORTAL, "portal \"%.100s\" does not exist", m.portal);
	if (!tx_allows(s, one->statement.kind, e))
		return false;
	tx_begin_implicit(s);
	if (one->statement.kind == STATEMENT_EMPTY) {
		out_bare(s->out, OUT_EMPTY_QUERY);
		return true;
	}
	if (one->statement.kind == STATEMENT_QUERY) {
		if (!one->ran && !run_query_portal(s, one, e))
			return false;
	} else if (!one->ran) {
		if (!run_command_portal(s, one, &r, e))
			return false;
		one = portal_find(&s->portals, m.portal);
		if (!one) {
			send_slice(s, &r, &at, m.max_rows);
			return true;
		}
	} else if (one->result.n_fields == 0) {
		return fail(e, ERR_WRONG_STATE, "portal \"%.100s\" cannot be run", m.portal);
	}
	send_slice(s, &one->result, &one->at, m.max_rows);
	return true;
}

bool handle_close(struct session *s, struct rd body, struct error *e)
{
	struct target_msg m;

	if (!target_parse(body, &m, e))
		return false;
	if (m.kind == 'S') {
		prepared_drop(&s->portals, m.name);
	} else {
		struct portal *one = portal_find(&s->portals, m.name);
		if (one)
			portal_drop(&s->portals, one);
	}
	out_bare(s->out, OUT_CLOSE_COMPLETE);
	return true;
}

bool handle_flush(struct session *s, struct rd body, struct error *e)
{
	(void)e;
	(void)body;
	(void)session_flush(s);
	return true;
}

bool handle_sync(struct session *s, struct rd body, struct error *e)
{
	(void)body;
	(void)e;
	if (s->state == SESSION_SKIP)
		session_move(s, SESSION_READY);
	return true;
}
