/* Calls and comparisons: a row of the allowlist for a name and its arguments, with magnitude and range. */
#include "planner/bind.h"

#include "base/mem.h"
#include "base/text.h"
#include "planner/facts.h"
#include "planner/functions.h"
#include "planner/sealed.h"

#include <string.h>

static const char *const trunc_units[] = { "microseconds", "milliseconds", "second", "minute", "hour", "day", "week",
					   "month", "quarter", "year", "decade", "century", "millennium" };
static const char *const date_fields[] = { "century", "day", "decade", "dow", "doy", "isodow", "isoyear",
					   "millennium", "month", "quarter", "week", "year" };
static const char *const time_fields[] = { "hour", "minute", "second" };

/* to_char: patterns of which every value in the years 1..9999 has a text. */
static const char *const formats[] = { "YYYY", "YYYY-MM", "YYYY/MM", "YYYYMM", "YYYY-MM-DD", "YYYYMMDD", "DD.MM.YYYY", "MM/DD/YYYY", "YYYY-Q", "YYYY-\"Q\"Q", "\"Q\"Q", "Q", "MM", "MM-DD",
				       "DD", "D", "ID", "DDD", "WW", "IW", "IYYY", "IYYY-IW", "IYYY-\"W\"IW", "Mon", "Month", "FMMonth", "Mon YYYY", "FMMonth YYYY", "MON", "Dy", "DY",
				       "Day", "FMDay", "HH24", "HH24:MI", "YYYY-MM-DD HH24", "YYYY-MM-DD HH24:MI", "YYYY-MM-DD HH24:MI:SS" };

static bool one_of(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text_eq_nocase(s, list[i]))
			return true;
	}
	return false;
}

/* A LIKE pattern whose last backslash escapes something: 'x\' raises, but only if some row gets that far. */
static bool pattern_ok(const char *s)
{
	for (; *s; s++) {
		if (*s == '\\' && *++s == '\0')
			return false;
	}
	return true;
}

/* What planner/temporal.c writes: "1 mons -2 days 3 microseconds". */
static bool interval_ok(const char *s)
{
	return s[strspn(s, "0123456789- adimnocrsey")] == '\0' && strstr(s, "mons") && strstr(s, "microseconds");
}

static bool one_of_exactly(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text_eq(s, list[i]))
			return true;
	}
	return false;
}

static bool const_between(const struct expr *x, int64_t lo, int64_t hi)
{
	int64_t v;

	if (x->kind == EXPR_UNKNOWN_PARAM)
		return x->untyped || type_is_integer(x->type);
	return x->kind == EXPR_CONST && x->text && (x->untyped || type_is_integer(x->type)) && number_i64(x->text, lo, hi, &v);
}

static bool const_text(const struct expr *x)
{
	return x->kind == EXPR_CONST && x->text && (x->untyped || x->type == TYPE_TEXT);
}

static bool is_type(const struct expr *x, enum sql_type t)
{
	return x->untyped || x->type == t;
}

static bool fits(enum arg_class c, const struct expr *x, const struct expr *next)
{
	switch (c) {
	case ARG_NUMBER:
		return x->untyped || sql_type_is_number(x->type);
	case ARG_INTEGER:
		return !x->untyped && type_is_integer(x->type);
	case ARG_TEXT:
		return is_type(x, TYPE_TEXT);
	case ARG_DATE:
		return !x->untyped && x->type == TYPE_DATE;
	case ARG_TIMESTAMP:
		return is_type(x, TYPE_TIMESTAMP);
	case ARG_TIMESTAMPTZ:
		return is_type(x, TYPE_TIMESTAMPTZ);
	case ARG_UNIT:
		return const_text(x) && one_of(x->text, trunc_units, ARRAY_LEN(trunc_units));
	case ARG_FIELD:
		return const_text(x) && (one_of(x->text, date_fields, ARRAY_LEN(date_fields)) ||
					 (next && next->type != TYPE_DATE && one_of(x->text, time_fields, ARRAY_LEN(time_fields))));
	case ARG_COUNT:
		return const_between(x, 0, 10000);
	case ARG_OFFSET:
		return const_between(x, -10000, 10000);
	case ARG_DIGITS:
		return const_between(x, 0, 15);
	case ARG_PATTERN:
		return (const_text(x) && pattern_ok(x->text)) || (x->kind == EXPR_UNKNOWN_PARAM && is_type(x, TYPE_TEXT));
	case ARG_INTERVAL:
		return const_text(x) && interval_ok(x->text);
	case ARG_FORMAT:
		return const_text(x) && one_of_exactly(x->text, formats, ARRAY_LEN(formats));
	case ARG_ZONE:
		return const_text(x);
	case ARG_NONE:
		break;
	}
	return false;
}

static enum sql_type class_type(enum arg_class c, const struct expr *x)
{
	switch (c) {
	case ARG_NUMBER:
	case ARG_INTEGER:
		return x->untyped ? TYPE_NUMERIC : x->type;
	case ARG_DATE:
		return TYPE_DATE;
	case ARG_TIMESTAMP:
		return TYPE_TIMESTAMP;
	case ARG_TIMESTAMPTZ:
		return TYPE_TIMESTAMPTZ;
	case ARG_COUNT:
	case ARG_OFFSET:
	case ARG_DIGITS:
		return TYPE_INT4;
	default:
		return TYPE_TEXT;
	}
}

/* The narrowest of a range that multiplication can reach. */
static bool range_multiply(const struct range *x, const struct range *y, struct range *out)
{
	const struct decimal xs[] = { x->lo, x->lo, x->hi, x->hi }, ys[] = { y->lo, y->hi, y->lo, y->hi };
	struct decimal p;
	int order;

	for (size_t i = 0; i < 4; i++) {
		if (!decimal_multiply(xs[i], ys[i], &p))
			return false;
		if (i == 0 || (decimal_compare(p, out->lo, &order) && order < 0))
			out->lo = p;
		if (i == 0 || (decimal_compare(p, out->hi, &order) && order > 0))
			out->hi = p;
	}
	return decimal_multiply(x->grid, y->grid, &out->grid);
}

static struct decimal negate(struct decimal d)
{
	return (struct decimal){ -d.digits, d.scale };
}

static struct decimal finer(struct decimal a, struct decimal b)
{
	return (struct decimal){ 1, a.scale > b.scale ? a.scale : b.scale };
}

static bool range_sum(const struct range *x, const struct range *y, bool subtract, struct range *out)
{
	out->grid = finer(x->grid, y->grid);
	return decimal_add(x->lo, subtract ? negate(y->hi) : y->lo, &out->lo) &&
	       decimal_add(x->hi, subtract ? negate(y->lo) : y->hi, &out->hi);
}

static struct range between(i128 lo, i128 hi)
{
	return (struct range){ .known = true, .lo = { lo, 0 }, .hi = { hi, 0 }, .grid = { 1, 0 } };
}

/* By a constant other than zero, to as many digits as the dividend has, two at least; integers are truncated, which stays within. */
static struct range range_divide(const struct range *x, const struct expr *by, bool whole)
{
	int scale = whole ? 0 : x->grid.scale > 2 ? x->grid.scale : 2;
	struct range out = { .grid = { 1, scale } };

	if (!x->known || by->kind != EXPR_CONST || !by->range.known || by->range.lo.digits == 0)
		return out;
	struct decimal c = by->range.lo, lo = x->lo, hi = x->hi;
	if (c.digits < 0) {
		c = negate(c);
		lo = negate(x->hi);
		hi = negate(x->lo);
	}
	c.scale += scale;
	out.lo.scale = out.hi.scale = scale;
	out.known = decimal_floor_div(lo, c, &out.lo.digits) && decimal_ceil_div(hi, c, &out.hi.digits);
	return out;
}

static struct range range_remainder(const struct range *x, const struct expr *by)
{
	struct range out = { 0 };
	i128 most;

	if (by->kind != EXPR_CONST || !by->range.known)
		return out;
	struct decimal c = by->range.lo.digits < 0 ? negate(by->range.lo) : by->range.lo;
	if (c.digits == 0 || !decimal_ceil_div(c, (struct decimal){ 1, 0 }, &most))
		return out;
	out = between(x->known && x->lo.digits >= 0 ? 0 : -most, most);
	if (c.scale == 0 && x->grid.scale <= 0 && x->known) { /* of integers: below the divisor */
		out.hi.digits--;
		out.lo.digits += out.lo.digits < 0;
	} else {
		out.grid = (struct decimal){ 1, x->grid.scale > 2 ? x->grid.scale : 2 };
	}
	return out;
}

static struct range range_round(const struct range *x)
{
	const struct decimal one = { 1, 0 };
	i128 lo, hi;

	if (!x->known || !decimal_floor_div(x->lo, one, &lo) || !decimal_ceil_div(x->hi, one, &hi))
		return (struct range){ 0 };
	return between(lo, hi);
}

static struct range range_field(const struct expr *field)
{
	static const struct {
		const char *name;
		int lo, hi;
	} fields[] = { { "month", 1, 12 }, { "quarter", 1, 4 }, { "dow", 0, 6 }, { "isodow", 1, 7 }, { "day", 1, 31 }, { "doy", 1, 366 }, { "week", 1, 53 },
		       { "hour", 0, 23 }, { "minute", 0, 59 }, { "year", 1, 9999 }, { "isoyear", 1, 9999 }, { "decade", 0, 999 }, { "century", 1, 100 } };

	for (size_t i = 0; field->text && i < ARRAY_LEN(fields); i++) {
		if (text_eq_nocase(field->text, fields[i].name))
			return between(fields[i].lo, fields[i].hi);
	}
	return (struct range){ 0 };
}

static struct range range_bucket(const struct expr *n)
{
	int64_t count;

	if (n->kind != EXPR_CONST || !n->text || !number_i64(n->text, 0, 10000, &count))
		return (struct range){ 0 };
	return between(0, count + 1);
}

static struct range range_of_call(const struct function_row *f, struct expr **args)
{
	struct range out = { 0 };
	const struct range *x = &args[0]->range;
	const struct range *y = function_arity(f) > 1 ? &args[1]->range : x;

	switch (f->range) { /* what follows from less than all arguments */
	case RANGE_DIVIDE:
		return range_divide(x, args[1], f->args[0] == ARG_INTEGER);
	case RANGE_REMAINDER:
		return range_remainder(x, args[1]);
	case RANGE_ROUND:
		return range_round(x);
	case RANGE_SIGN:
		return between(-1, 1);
	case RANGE_FIELD:
		return range_field(args[0]);
	case RANGE_LENGTH:
		return out;
	case RANGE_BUCKET:
		return range_bucket(args[3]);
	default:
		break;
	}
	if (f->range == RANGE_UNKNOWN || !x->known || !y->known)
		return out;
	switch (f->range) {
	case RANGE_ADD:
	case RANGE_SUBTRACT:
		out.known = range_sum(x, y, f->range == RANGE_SUBTRACT, &out);
		break;
	case RANGE_MULTIPLY:
		out.known = range_multiply(x, y, &out);
		break;
	case RANGE_NEGATE:
		out = (struct range){ .known = true, .lo = negate(x->hi), .hi = negate(x->lo), .grid = x->grid };
		break;
	case RANGE_ABS: {
		struct decimal low = negate(x->lo);
		int order;
		out = *x;
		out.known = decimal_compare(low, x->hi, &order);
		if (x->lo.digits < 0)
			out.hi = order > 0 ? low : x->hi;
		if (x->lo.digits < 0)
			out.lo = x->hi.digits < 0 ? negate(x->hi) : (struct decimal){ 0, 0 };
		break;
	}
	default:
		out = *x;
		break;
	}
	return out;
}

static int magnitude_of_call(const struct function_row *f, struct expr **args)
{
	int x = args[0]->magnitude, y = function_arity(f) > 1 ? args[1]->magnitude : 0;

	switch (f->magnitude) {
	case MAG_ADD:
		return (x > y ? x : y) + 1;
	case MAG_MULTIPLY:
		return x + y;
	case MAG_DIVIDE:
		return x + MAGNITUDE_QUOTIENT;
	case MAG_POWER:
		return 15 * x + 1;
	case MAG_EXP:
		return 150;
	default:
		return x > 20 ? x : 20;
	}
}

static enum sql_type result_type(const struct function_row *f, struct expr **args, size_t n)
{
	enum sql_type t = args[0]->type;

	switch (f->result) {
	case RESULT_FIXED:
		return f->type;
	case RESULT_FIRST:
		return t;
	case RESULT_FLOOR:
		return t == TYPE_NUMERIC ? TYPE_NUMERIC : TYPE_FLOAT8;
	case RESULT_PROMOTE:
		for (size_t i = 1; i < n; i++)
			t = args[i]->type > t ? args[i]->type : t; /* enum order: int2 < int4 < int8 < numeric < float8 */
		return t;
	}
	return f->type;
}

_Static_assert(TYPE_INT2 < TYPE_INT4 && TYPE_INT4 < TYPE_INT8 && TYPE_INT8 < TYPE_NUMERIC && TYPE_NUMERIC < TYPE_FLOAT8,
	       "promotion follows the order of the number types");

static bool refuse_call(const struct binder *b, const char *name, struct expr **args, size_t n, bool op, int location, struct error *e)
{
	char types[120] = "";
	const char *what = op ? "operator" : "function";
	size_t used = 0;

	for (size_t i = 0; i < n && used < sizeof(types) - 1; i++)
		used += (size_t)snprintf(types + used, sizeof(types) - used, "%s%s", i ? ", " : "",
					 args[i]->untyped ? "unknown" : sql_type_name(args[i]->type));
	if (function_known(name, op)) {
		fail(e, ERR_NO_FUNCTION, "%s %s does not take (%s) over protected rows", what, name, types);
		error_hint(e, "docs/sql.md lists its forms; patterns, units, lengths and digits must be constants within limits.");
	} else {
		fail(e, ERR_NO_FUNCTION, "%s %s is not allowed over protected rows", what, name);
		error_hint(e, "Apply it to the aggregated result instead, or use one that docs/sql.md lists.");
	}
	error_detail(e, "Only listed operations that cannot fail on any row, and that depend on one row alone, may touch protected rows.");
	error_rule(e, "function allowlist");
	return planning_at(b->rel->planning, location, e);
}

static const struct function_row *find_row(const char *name, struct expr **args, size_t n, bool op)
{
	for (size_t i = 0; i < n_function_rows; i++) {
		const struct function_row *f = &function_rows[i];
		if (f->is_operator != op || !text_eq(f->name, name) || function_arity(f) != n)
			continue;
		bool ok = true;
		for (size_t j = 0; j < n && ok; j++)
			ok = fits(f->args[j], args[j], j + 1 < n ? args[j + 1] : NULL);
		if (ok)
			return f;
	}
	return NULL;
}

bool bind_call(const struct binder *b, const char *name, struct expr **args, size_t n, bool is_operator, int location,
	       struct expr **out, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		if (!bind_usable(b, args[i], e))
			return false;
	}
	if (is_operator && n == 2 && args[0]->untyped != args[1]->untyped) { /* an untyped operand takes the other's type */
		size_t u = args[0]->untyped ? 0 : 1;
		enum sql_type t = args[1 - u]->type;
		if (sql_type_is_number(t) && !bind_as(b, args[u], t, e))
			return false;
	}
	const struct function_row *f = n > 0 && n <= 4 ? find_row(name, args, n, is_operator) : NULL;
	if (!f)
		return refuse_call(b, name, args, n, is_operator, location, e);
	for (size_t i = 0; i < n; i++) {
		if (!bind_as(b, args[i], class_type(f->args[i], args[i]), e))
			return false;
	}
	struct expr *x = expr_make(b, EXPR_CALL, result_type(f, args, n), location, n);
	if (!x)
		return fail_memory(e);
	mem_copy(x->args, args, n * sizeof(*args));
	x->function = f;
	x->form = f->form;
	x->magnitude = magnitude_of_call(f, args);
	x->range = range_of_call(f, args);
	if (!x->range.known)
		facts_narrow(b->rel, x); /* WHERE a / b BETWEEN 0 AND 5 */
	if (x->magnitude > MAGNITUDE_MAX) {
		fail(e, ERR_TOO_COMPLEX, "arithmetic over protected rows could overflow");
		error_rule(e, "total expressions");
		error_hint(e, "Use fewer multiplications and divisions in one expression.");
		return planning_at(b->rel->planning, location, e);
	}
	*out = x;
	return true;
}

bool bind_compare(const struct binder *b, const char *op, struct expr *l, struct expr *r, int location, struct expr **out,
		  struct error *e)
{
	struct expr *sides[2] = { l, r };
	enum sql_type t;

	if (!sealed_compare(b, op, l, r, location, e) || !bind_common_type(b, sides, 2, &t, location, e))
		return false;
	struct expr *x = expr_make(b, EXPR_COMPARE, TYPE_BOOL, location, 2);
	if (!x)
		return fail_memory(e);
	x->op = op;
	x->args[0] = sides[0];
	x->args[1] = sides[1];
	*out = x;
	return true;
}
