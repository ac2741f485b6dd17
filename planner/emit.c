#include "planner/emit.h"

#include "base/text.h"
#include "planner/functions.h"

#include <string.h>

void emit_init(struct emit *m, const struct planning *p)
{
	*m = (struct emit){ .arena = p->arena, .settings = p->settings };
	wr_init(&m->w, p->arena, EMIT_MAX);
}

int emit_add_param(struct emit *m, const char *value)
{
	const char **grown = arena_grow(m->arena, m->params, m->n_params, &m->cap_params, sizeof(*grown));

	if (!grown) {
		m->no_memory = true;
		return 1;
	}
	m->params = grown;
	m->params[m->n_params++] = value;
	return (int)m->n_params;
}

void emit_param(struct emit *m, const char *value, const char *type)
{
	wr_fmt(&m->w, "$%d::pg_catalog.%s", emit_add_param(m, value), type);
}

void emit_param_i128(struct emit *m, i128 value, const char *type)
{
	struct wr w;

	wr_init(&w, m->arena, 64);
	number_put_i128(&w, value);
	m->no_memory = m->no_memory || !wr_ok(&w);
	emit_param(m, wr_text(&w), type);
}

static void emit_timezone(struct emit *m)
{
	if (m->timezone_param == 0)
		m->timezone_param = emit_add_param(m, m->settings->timezone);
	/* a zone that this PostgreSQL does not know fails while it plans, for any rows or none, not where a row first needs it */
	wr_fmt(&m->w, "(CASE WHEN pg_catalog.timezone($%d::pg_catalog.text, pg_catalog.timestamp '2000-01-01') IS NOT NULL THEN $%d::pg_catalog.text END)", m->timezone_param,
	       m->timezone_param);
}

static void emit_const(struct emit *m, const struct expr *x, enum sql_type type)
{
	bool zone_missing = type == TYPE_TIMESTAMPTZ && x->text && !strchr(x->text, 'Z') && !strchr(x->text, '+') &&
			    (strlen(x->text) <= 10 || !strchr(x->text + 10, '-'));

	if (x->kind == EXPR_UNKNOWN_PARAM || !x->text) {
		wr_fmt(&m->w, "NULL::pg_catalog.%s", sql_type_name(type));
		return;
	}
	wr_str(&m->w, "(");
	if (zone_missing) {
		wr_str(&m->w, "pg_catalog.timezone(");
		emit_timezone(m);
		wr_str(&m->w, ", ");
		emit_param(m, x->text, "timestamp");
		wr_str(&m->w, ")");
	} else {
		emit_param(m, x->text, sql_type_name(type));
	}
	wr_str(&m->w, type == TYPE_TEXT ? " COLLATE pg_catalog.\"C\")" : ")");
}

static void emit_column(struct emit *m, const struct expr *x)
{
	wr_fmt(&m->w, "t%zu.c%zu", x->scan->number, x->column + 1);
}

/* What emit_expr writes is typed as an integer, so that integer operators apply. */
static bool emits_integer(const struct expr *x)
{
	return type_is_integer(x->type) && x->form == FORM_NATIVE;
}

void emit_number(struct emit *m, const struct expr *x)
{
	bool is_const = x->kind == EXPR_CONST || x->kind == EXPR_UNKNOWN_PARAM;

	if (is_const) {
		emit_const(m, x, TYPE_NUMERIC);
	} else if (x->form == FORM_NUMERIC) {
		emit_expr(m, x);
	} else if (emits_integer(x)) {
		wr_str(&m->w, "(");
		emit_expr(m, x);
		wr_str(&m->w, ")::pg_catalog.numeric");
	} else {
		wr_str(&m->w, "(CASE WHEN ");
		emit_expr(m, x);
		wr_fmt(&m->w, " OPERATOR(pg_catalog.>=) (-1e30)::pg_catalog.%s AND ", sql_type_name(x->type));
		emit_expr(m, x);
		wr_fmt(&m->w, " OPERATOR(pg_catalog.<=) (1e30)::pg_catalog.%s THEN (", sql_type_name(x->type));
		emit_expr(m, x);
		wr_str(&m->w, ")::pg_catalog.numeric END)");
	}
}

/* Integers below 1e30 compare natively; a numeric column against a constant of its type too (NaN sorts last, as in PostgreSQL). */
static void emit_compare(struct emit *m, const struct expr *x)
{
	const struct expr *l = x->args[0], *r = x->args[1];
	bool numbers = sql_type_is_number(l->type) && sql_type_is_number(r->type);
	bool native = !numbers || (emits_integer(l) && emits_integer(r)) ||
		      (l->type == r->type && l->form == FORM_NATIVE && r->form == FORM_NATIVE);

	wr_str(&m->w, "(");
	(native ? emit_expr : emit_number)(m, l);
	wr_fmt(&m->w, " OPERATOR(pg_catalog.%s) ", x->op);
	(native ? emit_expr : emit_number)(m, r);
	wr_str(&m->w, ")");
}

static void emit_joined(struct emit *m, const struct expr *x, const char *with, const char *when_empty)
{
	if (x->n_args == 0) {
		wr_str(&m->w, when_empty);
		return;
	}
	wr_str(&m->w, "(");
	for (size_t i = 0; i < x->n_args; i++) {
		if (i > 0)
			wr_str(&m->w, with);
		emit_expr(m, x->args[i]);
	}
	wr_str(&m->w, ")");
}

/* An argument in the shape of its class, as text of its own so that a template may use it more than once. */
static const char *argument(struct emit *m, const struct function_row *f, size_t i, const struct expr *x)
{
	struct wr outer = m->w;
	bool number = f->args[i] == ARG_NUMBER || f->args[i] == ARG_INTEGER ||
		      (f->args[0] == ARG_NONE && sql_type_is_number(x->type)); /* a cast */

	wr_init(&m->w, m->arena, EMIT_MAX);
	(number ? emit_number : emit_expr)(m, x);
	const char *text = wr_text(&m->w);
	outer.bad = outer.bad || !wr_ok(&m->w);
	m->w = outer;
	return text;
}

static void emit_call(struct emit *m, const struct expr *x)
{
	const char *args[4] = { "", "", "", "" };

	for (size_t i = 0; i < x->n_args; i++)
		args[i] = argument(m, x->function, i, x->args[i]);
	for (const char *s = x->function->total; *s; s++) {
		if (*s != '$') {
			wr_u8(&m->w, (uint8_t)*s);
			continue;
		}
		s++;
		if (*s == 'Z') {
			emit_timezone(m);
			continue;
		}
		BUG_IF(*s < '1' || *s > '4');
		wr_str(&m->w, args[*s - '1']);
	}
}

static void emit_variadic(struct emit *m, const struct expr *x, const char *name)
{
	wr_fmt(&m->w, "%s(", name);
	for (size_t i = 0; i < x->n_args; i++) {
		if (i > 0)
			wr_str(&m->w, ", ");
		(x->form == FORM_NUMERIC ? emit_number : emit_expr)(m, x->args[i]);
	}
	wr_str(&m->w, ")");
}

static void emit_case(struct emit *m, const struct expr *x)
{
	wr_str(&m->w, "(CASE");
	for (size_t i = 0; i + 1 < x->n_args; i += 2) {
		wr_str(&m->w, " WHEN ");
		emit_expr(m, x->args[i]);
		wr_str(&m->w, " THEN ");
		(x->form == FORM_NUMERIC ? emit_number : emit_expr)(m, x->args[i + 1]);
	}
	wr_str(&m->w, " ELSE ");
	(x->form == FORM_NUMERIC ? emit_number : emit_expr)(m, x->args[x->n_args - 1]);
	wr_str(&m->w, " END)");
}

static void emit_suffix(struct emit *m, const struct expr *x, const char *suffix)
{
	bool exists = x->kind == EXPR_BOOL_TEST && text_eq(suffix, "IS TRUE") && x->args[0]->kind == EXPR_IN_SELECT; /* never NULL */

	wr_str(&m->w, "(");
	(exists ? emit_in_rows : emit_expr)(m, x->args[0]);
	wr_fmt(&m->w, " %s)", suffix);
}

void emit_expr(struct emit *m, const struct expr *x)
{
	switch (x->kind) {
	case EXPR_COLUMN:
		emit_column(m, x);
		break;
	case EXPR_UNIT:
		wr_fmt(&m->w, "t%zu.u", x->scan->number);
		break;
	case EXPR_IN_SELECT:
		emit_in_select(m, x);
		break;
	case EXPR_CONST:
	case EXPR_UNKNOWN_PARAM:
		emit_const(m, x, x->type);
		break;
	case EXPR_CALL:
		emit_call(m, x);
		break;
	case EXPR_COMPARE:
		emit_compare(m, x);
		break;
	case EXPR_AND:
		emit_joined(m, x, " AND ", "true");
		break;
	case EXPR_OR:
		emit_joined(m, x, " OR ", "false");
		break;
	case EXPR_NOT:
		wr_str(&m->w, "(NOT ");
		emit_expr(m, x->args[0]);
		wr_str(&m->w, ")");
		break;
	case EXPR_IS_NULL:
		emit_suffix(m, x, "IS NULL");
		break;
	case EXPR_IS_NOT_NULL:
		emit_suffix(m, x, "IS NOT NULL");
		break;
	case EXPR_BOOL_TEST:
		emit_suffix(m, x, x->op);
		break;
	case EXPR_CASE:
		emit_case(m, x);
		break;
	case EXPR_COALESCE:
		emit_variadic(m, x, "COALESCE");
		break;
	case EXPR_NULLIF:
		emit_variadic(m, x, "NULLIF");
		break;
	case EXPR_GREATEST:
		emit_variadic(m, x, "GREATEST");
		break;
	case EXPR_LEAST:
		emit_variadic(m, x, "LEAST");
		break;
	}
}

bool emit_finish(struct emit *m, const char **sql, struct error *e)
{
	if (m->no_memory)
		return fail_memory(e);
	if (!wr_ok(&m->w)) {
		fail(e, ERR_TOO_COMPLEX, "the statement for the upstream would be too long");
		error_rule(e, "limits");
		return error_hint(e, "Simplify nested expressions, or split the query.");
	}
	*sql = wr_text(&m->w);
	return true;
}
