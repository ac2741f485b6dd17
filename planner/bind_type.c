/* Types of expressions: untyped literals take a type, numbers promote, casts are allowed or refused. */
#include "planner/bind.h"

#include "base/text.h"
#include "planner/functions.h"

static struct arena *arena_of(const struct binder *b)
{
	return b->rel->planning->arena;
}

static bool at(const struct binder *b, const struct expr *x, struct error *e)
{
	return planning_at(b->rel->planning, x->location, e);
}

/* A constant's range is the constant itself. */
static void constant_range(struct expr *x)
{
	struct decimal d;

	if (x->kind != EXPR_CONST || !x->text || !sql_type_is_number(x->type) || !decimal_parse(x->text, &d))
		return;
	struct decimal grid = { 1, d.scale };
	x->range = (struct range){ .known = true, .lo = d, .hi = d, .grid = grid };
	x->magnitude = 40;
}

bool bind_as(const struct binder *b, struct expr *x, enum sql_type t, struct error *e)
{
	bool number_to_number = x->kind == EXPR_CONST && sql_type_is_number(x->type) && sql_type_is_number(t);

	if (!x->untyped && !(number_to_number && !type_is_integer(t)))
		return true;
	if (x->kind == EXPR_CONST && x->text) {
		const char *canonical;
		if (!type_read(arena_of(b), t, x->text, &canonical, e)) {
			error_rule(e, "literal");
			return at(b, x, e);
		}
		x->text = canonical;
	}
	x->type = t;
	x->untyped = false;
	x->form = FORM_NATIVE;
	constant_range(x);
	return true;
}

static int width(enum sql_type t)
{
	switch (t) {
	case TYPE_INT2:
		return 1;
	case TYPE_INT4:
		return 2;
	case TYPE_INT8:
		return 3;
	case TYPE_NUMERIC:
		return 4;
	case TYPE_FLOAT8:
		return 5;
	default:
		return 0;
	}
}

/* The type that two operands share, as PostgreSQL resolves UNION, CASE and comparisons among the supported types. */
static bool wider(enum sql_type a, enum sql_type b, enum sql_type *out)
{
	if (a == b) {
		*out = a;
		return true;
	}
	if (width(a) && width(b)) {
		*out = width(a) > width(b) ? a : b;
		return true;
	}
	bool times = (a == TYPE_DATE || a == TYPE_TIMESTAMP || a == TYPE_TIMESTAMPTZ) &&
		     (b == TYPE_DATE || b == TYPE_TIMESTAMP || b == TYPE_TIMESTAMPTZ);
	if (times)
		*out = a == TYPE_TIMESTAMPTZ || b == TYPE_TIMESTAMPTZ ? TYPE_TIMESTAMPTZ : TYPE_TIMESTAMP;
	return times;
}

bool bind_common_type(const struct binder *b, struct expr **args, size_t n, enum sql_type *out, int location, struct error *e)
{
	bool found = false;
	enum sql_type t = TYPE_TEXT;

	for (size_t i = 0; i < n; i++) {
		if (args[i]->untyped)
			continue;
		if (found && !wider(t, args[i]->type, &t)) {
			fail(e, ERR_TYPE, "types %s and %s cannot be matched", sql_type_name(t), sql_type_name(args[i]->type));
			error_rule(e, "types");
			error_hint(e, "Cast one of them.");
			return planning_at(b->rel->planning, location, e);
		}
		if (!found)
			t = args[i]->type;
		found = true;
	}
	for (size_t i = 0; i < n; i++) {
		if (!bind_as(b, args[i], t, e))
			return false;
		bool time = !sql_type_is_number(t) && args[i]->type != t;
		if (time && !bind_cast(b, args[i], t, location, &args[i], e))
			return false;
	}
	*out = t;
	return true;
}

/* A cast: from, to, and its total form over $1 (native; numbers as numeric).  Absent: refused. */
static const struct function_row casts[] = {
#define WITHIN_BOTH(x, lo, hi) "(" x " OPERATOR(pg_catalog.>=) " lo " AND " x " OPERATOR(pg_catalog.<=) " hi ")"
#define YEARS(x, t) WITHIN_BOTH(x, "pg_catalog." t " '0001-01-02'", "pg_catalog." t " '9999-12-30'")
#define CAST(from, to, form_, total_) { .name = from, .args = { ARG_NONE }, .type = to, .form = form_, .total = total_ }
	CAST("bool", TYPE_INT4, FORM_NATIVE, "(CASE WHEN $1 THEN 1 WHEN NOT $1 THEN 0 END)"),
	CAST("bool", TYPE_TEXT, FORM_NATIVE, "(($1)::pg_catalog.text COLLATE pg_catalog.\"C\")"),
	CAST("date", TYPE_TEXT, FORM_NATIVE, "(($1)::pg_catalog.text COLLATE pg_catalog.\"C\")"),
	CAST("date", TYPE_TIMESTAMP, FORM_NATIVE, "(CASE WHEN " YEARS("$1", "date") " THEN ($1)::pg_catalog.timestamp END)"),
	CAST("date", TYPE_TIMESTAMPTZ, FORM_NATIVE,
	     "(CASE WHEN " YEARS("$1", "date") " THEN pg_catalog.timezone($Z, ($1)::pg_catalog.timestamp) END)"),
	CAST("number", TYPE_INT2, FORM_NUMERIC,
	     "(CASE WHEN " WITHIN_BOTH("$1", "(-32768)", "32767") " THEN pg_catalog.round($1) END)"),
	CAST("number", TYPE_INT4, FORM_NUMERIC,
	     "(CASE WHEN " WITHIN_BOTH("$1", "(-2147483648)", "2147483647") " THEN pg_catalog.round($1) END)"),
	CAST("number", TYPE_INT8, FORM_NUMERIC,
	     "(CASE WHEN " WITHIN_BOTH("$1", "(-9223372036854775808)", "9223372036854775807") " THEN pg_catalog.round($1) END)"),
	CAST("number", TYPE_NUMERIC, FORM_NUMERIC, "$1"),
	CAST("number", TYPE_FLOAT8, FORM_NUMERIC, "$1"),
	CAST("number", TYPE_TEXT, FORM_NATIVE, "((pg_catalog.trim_scale($1))::pg_catalog.text COLLATE pg_catalog.\"C\")"),
	/* what is no plain number, boolean or ISO date gives NULL; the pattern sees the first 100 characters, longer texts are none */
#define MATCHES(re) "(pg_catalog.length($1) OPERATOR(pg_catalog.<=) 100 AND pg_catalog.left($1, 100) OPERATOR(pg_catalog.~) '" re "')"
#define WHOLE "^ *[-+]?[0-9]{1,30} *\\Z"
#define REAL "^ *[-+]?([0-9]{1,30}([.][0-9]{0,30})?|[.][0-9]{1,30}) *\\Z"
#define TEXT_TO_INTEGER(lo, hi) \
	"(CASE WHEN " MATCHES(WHOLE) " THEN CASE WHEN " WITHIN_BOTH("($1)::pg_catalog.numeric", lo, hi) " THEN ($1)::pg_catalog.numeric END END)"
#define PART(from, n) "pg_catalog.substr($1, " from ", " n ")::pg_catalog.int4"
	CAST("text", TYPE_BOOL, FORM_NATIVE,
	     "(CASE WHEN pg_catalog.lower(pg_catalog.btrim(pg_catalog.left($1, 100))) IN ('t', 'true', 'y', 'yes', 'on', '1') THEN true"
	     " WHEN pg_catalog.lower(pg_catalog.btrim(pg_catalog.left($1, 100))) IN ('f', 'false', 'n', 'no', 'off', '0') THEN false END)"),
	CAST("text", TYPE_DATE, FORM_NATIVE,
	     "(CASE WHEN " MATCHES("^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\\Z") " AND " PART("1", "4") " OPERATOR(pg_catalog.>) 0 THEN CASE WHEN "
	     PART("9", "2") " OPERATOR(pg_catalog.<=) pg_catalog.extract('day', pg_catalog.make_date(" PART("1", "4") ", " PART("6", "2")
	     ", 1) OPERATOR(pg_catalog.+) pg_catalog.interval '1 mon' OPERATOR(pg_catalog.-) pg_catalog.interval '1 day') THEN ($1)::pg_catalog.date END END)"),
	CAST("text", TYPE_INT2, FORM_NUMERIC, TEXT_TO_INTEGER("(-32768)", "32767")),
	CAST("text", TYPE_INT4, FORM_NUMERIC, TEXT_TO_INTEGER("(-2147483648)", "2147483647")),
	CAST("text", TYPE_INT8, FORM_NUMERIC, TEXT_TO_INTEGER("(-9223372036854775808)", "9223372036854775807")),
	CAST("text", TYPE_NUMERIC, FORM_NUMERIC, "(CASE WHEN " MATCHES(REAL) " THEN ($1)::pg_catalog.numeric END)"),
	CAST("text", TYPE_FLOAT8, FORM_NUMERIC, "(CASE WHEN " MATCHES(REAL) " THEN ($1)::pg_catalog.numeric END)"),
	CAST("timestamp", TYPE_DATE, FORM_NATIVE, "(CASE WHEN " YEARS("$1", "timestamp") " THEN ($1)::pg_catalog.date END)"),
	CAST("timestamp", TYPE_TIMESTAMPTZ, FORM_NATIVE,
	     "(CASE WHEN " YEARS("$1", "timestamp") " THEN pg_catalog.timezone($Z, $1) END)"),
	CAST("timestamptz", TYPE_DATE, FORM_NATIVE,
	     "(CASE WHEN " YEARS("$1", "timestamptz") " THEN (pg_catalog.timezone($Z, $1))::pg_catalog.date END)"),
	CAST("timestamptz", TYPE_TIMESTAMP, FORM_NATIVE,
	     "(CASE WHEN " YEARS("$1", "timestamptz") " THEN pg_catalog.timezone($Z, $1) END)"),
	CAST("uuid", TYPE_TEXT, FORM_NATIVE, "(($1)::pg_catalog.text COLLATE pg_catalog.\"C\")"),
};

static const struct function_row *find_cast(enum sql_type from, enum sql_type to)
{
	const char *family = sql_type_is_number(from) ? "number" : sql_type_name(from);

	for (size_t i = 0; i < ARRAY_LEN(casts); i++) {
		if (casts[i].type == to && text_eq(casts[i].name, family))
			return &casts[i];
	}
	return NULL;
}

enum { TEXT_DIGITS = 31 /* a number read from text is below 10^31 */ };

bool bind_cast(const struct binder *b, struct expr *x, enum sql_type to, int location, struct expr **out, struct error *e)
{
	if (x->untyped) {
		if (!bind_as(b, x, to, e))
			return false;
		*out = x;
		return true;
	}
	if (!bind_usable(b, x, e))
		return false;
	if (x->type == to) {
		*out = x;
		return true;
	}
	if (x->kind == EXPR_CONST && x->text && sql_type_is_number(x->type) && (to == TYPE_NUMERIC || to == TYPE_FLOAT8)) {
		x->type = to;
		*out = x;
		return true;
	}
	const struct function_row *row = find_cast(x->type, to);
	if (!row) {
		fail(e, ERR_NO_CAST, "%s cannot be cast to %s over protected rows", sql_type_name(x->type), sql_type_name(to));
		error_rule(e, "casts");
		error_detail(e, "A cast that can fail for some row would tell about that row.");
		error_hint(e, "Ask the data owner for a column of the type that you need.");
		return planning_at(b->rel->planning, location, e);
	}
	struct expr *c = expr_make(b, EXPR_CALL, to, location, 1);
	if (!c)
		return fail_memory(e);
	c->function = row;
	c->form = row->form;
	c->args[0] = x;
	c->magnitude = x->type == TYPE_TEXT ? TEXT_DIGITS : x->magnitude > 20 ? x->magnitude : 20;
	if (sql_type_is_number(x->type) && sql_type_is_number(to)) {
		c->range = x->range;
		if (c->range.known && type_is_integer(to) && !type_is_integer(x->type))
			c->range.known = decimal_floor_div(c->range.lo, (struct decimal){ 1, 0 }, &c->range.lo.digits) &&
					 decimal_ceil_div(c->range.hi, (struct decimal){ 1, 0 }, &c->range.hi.digits);
		if (c->range.known && type_is_integer(to)) {
			if (!type_is_integer(x->type))
				c->range.lo.scale = c->range.hi.scale = 0;
			c->range.grid = (struct decimal){ 1, 0 };
		}
	}
	*out = c;
	return true;
}
