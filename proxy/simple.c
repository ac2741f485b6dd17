/* Query: one string, any number of statements, one implicit transaction around them. */
#include "base/text.h"
#include "proxy/answer.h"
#include "proxy/command.h"
#include "proxy/session_table.h"
#include "proxy/transaction.h"
#include "proxy/wire_in.h"
#include "proxy/wire_limits.h"
#include "proxy/wire_out.h"

bool answer_rows(struct session *s, const struct result *r, size_t *at, size_t max)
{
	size_t sent = 0;

	while (*at < r->n_rows && (max == 0 || sent < max) && !s->broken) {
		out_row(s->out, &r->cells[*at * r->n_fields], r->n_fields);
		(*at)++;
		sent++;
		if (s->out->n >= WIRE_FLUSH_AT)
			(void)session_flush(s);
	}
	return max > 0 && sent == max;
}

void answer_complete(struct session *s, const struct result *r, size_t rows)
{
	char tag[32];

	if (!text_starts(r->tag, "SELECT")) {
		out_complete(s->out, r->tag);
		return;
	}
	(void)snprintf(tag, sizeof(tag), "SELECT %zu", rows);
	out_complete(s->out, tag);
}

/* Formats in which a result of st comes when none were asked for: a binary cursor's FETCH is binary. */
static size_t own_formats(const struct session *s, const struct statement *st, const int16_t **out)
{
	const struct portal *one = st->kind == STATEMENT_FETCH ? portal_find(&s->portals, st->name) : NULL;

	*out = one ? one->formats : NULL;
	return one ? one->n_formats : 0;
}

static bool run_one(struct session *s, const struct statement *st, struct error *e)
{
	const struct command_call none = { .n_params = 0 };
	const int16_t *formats = NULL;
	size_t n_formats = 0, at = 0;
	struct result r = { .n_fields = 0 };

	if (!tx_allows(s, st->kind, e))
		return false;
	tx_begin_implicit(s);
	if (st->kind == STATEMENT_EMPTY) {
		out_bare(s->out, OUT_EMPTY_QUERY);
		return true;
	}
	if (st->kind == STATEMENT_QUERY) {
		const struct query_call q = { .sql = st->text };
		if (!session_run_query(s, &q, s->arena, &r, e))
			return false;
	} else {
		n_formats = own_formats(s, st, &formats);
		if (!command_run(s, st, &none, s->arena, &r, e))
			return false;
	}
	for (size_t i = 0; i < r.n_notices; i++)
		session_notice(s, &r.notices[i]);
	if (r.n_fields > 0 || st->kind == STATEMENT_QUERY || st->kind == STATEMENT_FETCH)
		out_fields(s->out, r.fields, r.n_fields, formats, n_formats);
	(void)answer_rows(s, &r, &at, 0);
	answer_complete(s, &r, at);
	return true;
}

bool handle_query(struct session *s, struct rd body, struct error *e)
{
	const char *sql;
	struct statements list;

	/* a Query ends what an unfinished extended query began, as in PostgreSQL */
	tx_end_implicit(s);
	if (!query_parse(body, &sql, e))
		return false;
	if (!statements_parse(s->arena, sql, &list, e)) {
		engine_refused(s->host->engine, s->user, s->member, sql, e);
		return false;
	}
	if (list.n == 0)
		out_bare(s->out, OUT_EMPTY_QUERY);
	s->several = list.n > 1;
	bool good = true;
	for (size_t i = 0; i < list.n && good && !s->broken; i++) {
		good = run_one(s, &list.items[i], e);
		if (!good && e->position > 0)
			e->position += list.items[i].offset;
	}
	s->several = false;
	return good;
}

bool handle_function_call(struct session *s, struct rd body, struct error *e)
{
	(void)s;
	(void)body;
	(void)fail(e, ERR_SYNTAX, "function call messages are not supported");
	return error_hint(e, "Call the function in a SELECT.");
}
