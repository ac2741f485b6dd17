#include "proxy/command.h"

#include "base/mem.h"
#include "base/text.h"
#include "proxy/transaction.h"

enum { OID_TEXT = 25 };

static struct field text_field(const char *name)
{
	return (struct field){ .name = name, .type_oid = OID_TEXT, .type_length = -1, .type_modifier = -1 };
}

static struct cell text_cell(struct arena *a, const char *text)
{
	size_t n = strlen(text);
	const uint8_t *copy = (const uint8_t *)arena_copy(a, text, n);

	return (struct cell){ .data = copy, .length = copy ? (int32_t)n : -1 };
}

/* Name, setting, description: as SHOW ALL of PostgreSQL, without descriptions. */
static bool show_all_fields(struct arena *a, const struct field **out, size_t *n)
{
	struct field *fields = arena_array(a, 3, struct field);

	if (!fields)
		return false;
	fields[0] = text_field("name");
	fields[1] = text_field("setting");
	fields[2] = text_field("description");
	*out = fields;
	*n = 3;
	return true;
}

static bool show_all(struct session *s, struct arena *a, struct result *out, struct error *e)
{
	struct cell *cells = arena_array(a, 3 * SETTING_COUNT, struct cell);

	if (!cells || !show_all_fields(a, &out->fields, &out->n_fields))
		return fail_memory(e);
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		cells[3 * i] = text_cell(a, setting_name((enum setting_id)i));
		cells[3 * i + 1] = text_cell(a, settings_get(&s->settings, (enum setting_id)i));
		cells[3 * i + 2] = text_cell(a, "");
	}
	out->cells = cells;
	out->n_rows = SETTING_COUNT;
	return true;
}

static bool show_field(struct session *s, const char *name, struct arena *a, const struct field **out, const char **value, struct error *e)
{
	const char *canonical;
	struct field *field = arena_new(a, struct field);

	if (!field)
		return fail_memory(e);
	if (!settings_show(&s->settings, name, &canonical, value, e))
		return false;
	*field = text_field(arena_strdup(a, canonical));
	*out = field;
	return field->name || fail_memory(e);
}

static bool show(struct session *s, const char *name, struct arena *a, struct result *out, struct error *e)
{
	const char *value;

	out->tag = "SHOW";
	if (text_eq_nocase(name, "all"))
		return show_all(s, a, out, e);
	struct cell *cell = arena_new(a, struct cell);
	if (!cell)
		return fail_memory(e);
	if (!show_field(s, name, a, &out->fields, &value, e))
		return false;
	*cell = text_cell(a, value);
	out->n_fields = 1;
	out->cells = cell;
	out->n_rows = 1;
	return true;
}

bool command_fields(struct session *s, const struct statement *st, struct arena *a, const struct field **out, size_t *n, struct error *e)
{
	const char *value;

	*out = NULL;
	*n = 0;
	if (st->kind == STATEMENT_FETCH)
		return cursor_fields(s, st->name, a, out, n, e);
	if (st->kind != STATEMENT_SHOW)
		return true;
	if (text_eq_nocase(st->name, "all"))
		return show_all_fields(a, out, n) || fail_memory(e);
	*n = 1;
	return show_field(s, st->name, a, out, &value, e);
}

static bool set(struct session *s, const struct statement *st, struct result *out, struct error *e)
{
	out->tag = st->kind == STATEMENT_RESET ? "RESET" : "SET";
	if (st->kind == STATEMENT_RESET && !st->name)
		return settings_reset_all(&s->settings, e);
	if (st->local && s->tx != TX_BLOCK && !s->several)
		session_warn(s, ERR_NO_TX, "SET LOCAL can only be used in transaction blocks");
	return settings_set(&s->settings, st->name, st->value, st->local, e);
}

static bool discard(struct session *s, const struct statement *st, struct result *out, struct error *e)
{
	if (text_eq(st->name, "plans") || text_eq(st->name, "sequences") || text_eq(st->name, "temp")) {
		out->tag = text_eq(st->name, "plans") ? "DISCARD PLANS" : text_eq(st->name, "temp") ? "DISCARD TEMP" : "DISCARD SEQUENCES";
		return true;
	}
	out->tag = "DISCARD ALL";
	if (s->tx == TX_BLOCK || s->several)
		return fail(e, ERR_ACTIVE_TX, "DISCARD ALL cannot run inside a transaction block");
	if (!settings_reset_all(&s->settings, e))
		return false;
	settings_commit(&s->settings);
	portals_drop_all(&s->portals);
	prepared_drop_all(&s->portals);
	return true;
}

static bool deallocate(struct session *s, const char *name, struct result *out, struct error *e)
{
	out->tag = name ? "DEALLOCATE" : "DEALLOCATE ALL";
	if (!name) {
		prepared_drop_all(&s->portals);
		return true;
	}
	if (!prepared_find(&s->portals, name))
		return fail(e, ERR_NO_STATEMENT, "prepared statement \"%.100s\" does not exist", name);
	prepared_drop(&s->portals, name);
	return true;
}

bool command_run(struct session *s, const struct statement *st, const struct command_call *call, struct arena *a, struct result *out,
		 struct error *e)
{
	struct result r = { .n_fields = 0 };
	bool good = false;

	switch (st->kind) {
	case STATEMENT_BEGIN:
	case STATEMENT_COMMIT:
	case STATEMENT_ROLLBACK:
	case STATEMENT_SAVEPOINT:
	case STATEMENT_RELEASE:
	case STATEMENT_ROLLBACK_TO:
		good = tx_command(s, st, &r.tag, e);
		break;
	case STATEMENT_SET:
	case STATEMENT_RESET:
		good = set(s, st, &r, e);
		break;
	case STATEMENT_SHOW:
		good = show(s, st->name, a, &r, e);
		break;
	case STATEMENT_DISCARD:
		good = discard(s, st, &r, e);
		break;
	case STATEMENT_DEALLOCATE:
		good = deallocate(s, st->name, &r, e);
		break;
	case STATEMENT_DECLARE:
		r.tag = "DECLARE CURSOR";
		good = cursor_declare(s, st, call, e);
		break;
	case STATEMENT_FETCH:
	case STATEMENT_MOVE:
		good = cursor_fetch(s, st, call, a, &r, e);
		break;
	case STATEMENT_CLOSE:
		r.tag = st->name ? "CLOSE CURSOR" : "CLOSE CURSOR ALL";
		good = cursor_close(s, st->name, e);
		break;
	case STATEMENT_NOTHING:
		r.tag = st->name;
		good = true;
		break;
	case STATEMENT_PREPARE:
		(void)fail(e, ERR_SYNTAX, "PREPARE as a statement is not supported");
		return error_hint(e, "Use your driver's prepared statements (extended protocol).");
	case STATEMENT_EMPTY:
	case STATEMENT_QUERY:
		return fail(e, ERR_INTERNAL, "not a command");
	}
	if (good)
		*out = r;
	return good;
}
