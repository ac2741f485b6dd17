#include "planner/temporal.h"

#include "base/text.h"
#include "planner/calendar.h"

#include <string.h>

typedef PgQuery__Node Node;

struct duration {
	int64_t months, days, micros;
};

static const int64_t second = 1000000;

enum { YEARS_MAX = 1000 };

static bool refuse(const struct binder *b, int location, struct error *e, const char *message, const char *hint)
{
	fail(e, ERR_SYNTAX, "%s", message);
	error_rule(e, "intervals");
	error_hint(e, "%s", hint);
	return planning_at(b->rel->planning, location, e);
}

/* --- reading an interval ------------------------------------------------------------------------------------------------------------ */

static bool add_unit(struct duration *d, const char *unit, size_t n, int64_t v)
{
	static const struct {
		const char *name;
		int64_t months, days, micros;
	} units[] = { { "microsecond", 0, 0, 1 }, { "millisecond", 0, 0, 1000 }, { "second", 0, 0, 1000000 }, { "sec", 0, 0, 1000000 },
		      { "s", 0, 0, 1000000 }, { "minute", 0, 0, 60000000 }, { "min", 0, 0, 60000000 }, { "hour", 0, 0, 3600000000 },
		      { "h", 0, 0, 3600000000 }, { "day", 0, 1, 0 }, { "d", 0, 1, 0 }, { "week", 0, 7, 0 }, { "w", 0, 7, 0 }, { "month", 1, 0, 0 },
		      { "mon", 1, 0, 0 }, { "quarter", 3, 0, 0 }, { "year", 12, 0, 0 }, { "y", 12, 0, 0 } };

	if (n > 1 && unit[n - 1] == 's')
		n--;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strlen(units[i].name) == n && strncmp(units[i].name, unit, n) == 0) {
			d->months += v * units[i].months;
			d->days += v * units[i].days;
			d->micros += v * units[i].micros;
			return true;
		}
	}
	return false;
}

/* "1 year 2 months", "-3 days"; a bare number counts in `bare` (of INTERVAL '3' DAY). */
static bool read_duration(const char *s, const char *bare, struct duration *d)
{
	bool any = false;

	*d = (struct duration){ 0 };
	for (;;) {
		int64_t v = 0;
		bool minus = false, digits = false;
		while (*s == ' ')
			s++;
		if (*s == '\0')
			return any;
		if (*s == '-' || *s == '+')
			minus = *s++ == '-';
		for (; *s >= '0' && *s <= '9'; s++, digits = true) {
			if (v > INT32_MAX)
				return false;
			v = v * 10 + (*s - '0');
		}
		if (!digits)
			return false;
		while (*s == ' ')
			s++;
		size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz");
		if (n == 0 && (*s || !bare || any))
			return false;
		if (!add_unit(d, n ? s : bare, n ? n : strlen(bare), minus ? -v : v))
			return false;
		s += n;
		any = true;
	}
}

static const char *bare_unit(const PgQuery__TypeName *t)
{
	static const struct {
		int mask;
		const char *unit;
	} masks[] = { { 4, "year" }, { 2, "month" }, { 8, "day" }, { 1024, "hour" }, { 2048, "minute" }, { 4096, "second" } };

	if (t->n_typmods == 0)
		return "second";
	if (t->n_typmods != 1 || t->typmods[0]->node_case != PG_QUERY__NODE__NODE_A_CONST ||
	    t->typmods[0]->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		if (t->typmods[0]->a_const->ival->ival == masks[i].mask)
			return masks[i].unit;
	}
	return NULL;
}

static bool in_reach(const struct duration *d)
{
	const int64_t days = (int64_t)YEARS_MAX * 366;

	return d->months >= -12 * YEARS_MAX && d->months <= 12 * YEARS_MAX && d->days >= -days && d->days <= days &&
	       d->micros >= -days * MICROS_PER_DAY && d->micros <= days * MICROS_PER_DAY;
}

static const PgQuery__TypeCast *interval_cast(const Node *n)
{
	if (!n || n->node_case != PG_QUERY__NODE__NODE_TYPE_CAST || n->type_cast->type_name->n_names == 0)
		return NULL;
	const Node *last = n->type_cast->type_name->names[n->type_cast->type_name->n_names - 1];
	return last->node_case == PG_QUERY__NODE__NODE_STRING && text_eq(last->string->sval, "interval") ? n->type_cast : NULL;
}

static bool read_interval(const struct binder *b, const PgQuery__TypeCast *c, struct duration *out, struct error *e)
{
	const char *bare = bare_unit(c->type_name);
	bool text = c->arg->node_case == PG_QUERY__NODE__NODE_A_CONST && c->arg->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL;

	if (text && bare && read_duration(c->arg->a_const->sval->sval, bare, out) && in_reach(out))
		return true;
	return refuse(b, c->location, e, "this interval is not supported over protected rows",
		      "Write interval '1 year 2 months 3 days 4 hours', with whole numbers and at most 1000 years.");
}

/* --- times --------------------------------------------------------------------------------------------------------------------------- */

static bool is_time(const struct expr *x)
{
	return x->type == TYPE_DATE || x->type == TYPE_TIMESTAMP || x->type == TYPE_TIMESTAMPTZ;
}

static bool constant(const struct binder *b, enum sql_type t, const char *text, int location, struct expr **out, struct error *e)
{
	struct expr *x = expr_make(b, EXPR_CONST, t, location, 0);

	if (!x || !text)
		return fail_memory(e);
	x->text = text;
	*out = x;
	return true;
}

static bool shift(const struct binder *b, struct expr *x, struct duration d, int location, struct expr **out, struct error *e)
{
	struct arena *a = b->rel->planning->arena;
	int64_t at;

	if (!is_time(x) || x->untyped)
		return refuse(b, location, e, "an interval can be added to a date or a timestamp", "Write date '2026-01-31' + interval '1 month'.");
	if (x->kind == EXPR_CONST && x->text && x->type != TYPE_TIMESTAMPTZ) {
		if (!calendar_read(x->text, &at) || !calendar_add(at, d.months, d.days, d.micros, &at))
			return refuse(b, location, e, "this date is out of range", "Use dates in the years 1 to 9999.");
		return constant(b, TYPE_TIMESTAMP, calendar_timestamp(a, at), location, out, e);
	}
	struct expr *args[2] = { x, NULL };
	/* an exact text that means the same in every IntervalStyle */
	const char *text = arena_printf(a, "%lld mons %lld days %lld microseconds", (long long)d.months, (long long)d.days, (long long)d.micros);
	return constant(b, TYPE_TEXT, text, location, &args[1], e) && bind_call(b, "interval +", args, 2, true, location, out, e);
}

static const PgQuery__AExpr *difference(const Node *n)
{
	if (n->node_case != PG_QUERY__NODE__NODE_A_EXPR)
		return NULL;
	const PgQuery__AExpr *x = n->a_expr;
	bool minus = x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP && x->n_name == 1 && text_eq(x->name[0]->string->sval, "-") && x->lexpr;
	return minus ? x : NULL;
}

/* a - b of two times, in seconds; *out NULL when they are something else. */
static bool seconds_between(const struct binder *b, const PgQuery__AExpr *x, struct expr **out, struct error *e)
{
	struct expr *args[2];

	*out = NULL;
	if (interval_cast(x->rexpr))
		return true;
	if (!bind_expr(b, x->lexpr, &args[0], e) || !bind_expr(b, x->rexpr, &args[1], e))
		return false;
	bool times = (is_time(args[0]) && is_time(args[1])) && (args[0]->type != TYPE_DATE || args[1]->type != TYPE_DATE);
	if (!times)
		return true;
	for (size_t i = 0; i < 2; i++) {
		enum sql_type t = args[0]->type == TYPE_TIMESTAMPTZ || args[1]->type == TYPE_TIMESTAMPTZ ? TYPE_TIMESTAMPTZ : TYPE_TIMESTAMP;
		if (args[i]->type != t && !bind_cast(b, args[i], t, x->location, &args[i], e))
			return false;
	}
	return bind_call(b, "seconds between", args, 2, true, x->location, out, e);
}

/* As PostgreSQL compares intervals: a month has 30 days, a day 24 hours. */
static bool compare_interval(const struct binder *b, const char *op, const PgQuery__AExpr *x, bool mirrored, struct expr **out, struct error *e)
{
	const PgQuery__AExpr *d = difference(mirrored ? x->rexpr : x->lexpr);
	struct duration span;
	struct expr *left = NULL, *right = NULL;

	if (!d)
		return refuse(b, x->location, e, "an interval can be compared with the difference of two timestamps only", "Write a - b > interval '1 day'.");
	if (!read_interval(b, interval_cast(mirrored ? x->lexpr : x->rexpr), &span, e) || !seconds_between(b, d, &left, e))
		return false;
	if (!left)
		return refuse(b, x->location, e, "an interval can be compared with the difference of two timestamps only",
			      "The difference of two dates is a number of days: a - b > 3.");
	int64_t micros = (span.months * 30 + span.days) * MICROS_PER_DAY + span.micros;
	const char *text = arena_printf(b->rel->planning->arena, "%s%lld.%06lld", micros < 0 ? "-" : "", (long long)(micros < 0 ? -micros : micros) / second,
					(long long)(micros < 0 ? -micros : micros) % second);
	if (!constant(b, TYPE_TEXT, text, x->location, &right, e))
		return false;
	right->untyped = true;
	if (!bind_as(b, right, TYPE_NUMERIC, e))
		return false;
	return mirrored ? bind_compare(b, op, right, left, x->location, out, e) : bind_compare(b, op, left, right, x->location, out, e);
}

bool temporal_operator(const struct binder *b, const char *op, const PgQuery__AExpr *x, struct expr **out, struct error *e)
{
	static const char *const comparisons[] = { "=", "<>", "<", "<=", ">", ">=" };
	const PgQuery__TypeCast *left = interval_cast(x->lexpr), *right = interval_cast(x->rexpr);
	struct duration d;
	struct expr *time = NULL;

	*out = NULL;
	if (!x->lexpr || (!left && !right))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(comparisons); i++) {
		if (text_eq(op, comparisons[i]))
			return compare_interval(b, comparisons[i], x, left != NULL, out, e);
	}
	bool minus = text_eq(op, "-");
	if ((!minus && !text_eq(op, "+")) || (left && (right || minus)))
		return refuse(b, x->location, e, "this operation on intervals is not supported over protected rows", "Use time + interval and time - interval.");
	if (!read_interval(b, left ? left : right, &d, e) || !bind_expr(b, left ? x->rexpr : x->lexpr, &time, e))
		return false;
	if (minus)
		d = (struct duration){ -d.months, -d.days, -d.micros };
	return shift(b, time, d, x->location, out, e);
}

bool temporal_epoch(const struct binder *b, const char *name, const PgQuery__FuncCall *f, struct expr **out, struct error *e)
{
	*out = NULL;
	if ((!text_eq(name, "extract") && !text_eq(name, "date_part")) || f->n_args != 2 || f->args[0]->node_case != PG_QUERY__NODE__NODE_A_CONST ||
	    f->args[0]->a_const->val_case != PG_QUERY__A__CONST__VAL_SVAL || !text_eq_nocase(f->args[0]->a_const->sval->sval, "epoch"))
		return true;
	const PgQuery__AExpr *d = difference(f->args[1]);
	return !d || seconds_between(b, d, out, e);
}

bool temporal_now(const struct binder *b, bool date, bool local, int location, struct expr **out, struct error *e)
{
	const struct planning *p = b->rel->planning;
	struct expr *x = NULL;

	if (p->settings->now_micros == 0)
		return refuse(b, location, e, "the current time is not known here", "Write a constant.");
	const char *at = calendar_timestamp(p->arena, p->settings->now_micros);
	const char *text = at ? arena_printf(p->arena, "%s+00", at) : NULL;
	if (!constant(b, TYPE_TIMESTAMPTZ, text, location, &x, e))
		return false;
	*out = x;
	if (!date && !local)
		return true;
	if (text_eq(p->settings->timezone, "UTC") || text_eq(p->settings->timezone, "Etc/UTC")) /* a constant as well: groups and bounds may follow from it */
		return date ? constant(b, TYPE_DATE, calendar_date(p->arena, p->settings->now_micros / MICROS_PER_DAY), location, out, e)
			    : constant(b, TYPE_TIMESTAMP, at, location, out, e);
	return bind_cast(b, x, date ? TYPE_DATE : TYPE_TIMESTAMP, location, out, e);
}
