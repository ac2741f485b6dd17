/*
 * The typed expression tree over protected rows.  About a dozen kinds; what has no kind here cannot be emitted.  Every node knows its type, a
 * bound on its magnitude (so that arithmetic cannot overflow), and for numbers, when it follows from the policy, its range.
 */
#ifndef NG_PLANNER_EXPR_H
#define NG_PLANNER_EXPR_H

#include "planner/types.h"

enum expr_kind {
	EXPR_COLUMN,
	EXPR_UNIT,  /* the privacy unit of a scan that does not show it as a column */
	EXPR_CONST, /* literal or known parameter; text NULL: SQL NULL */
	EXPR_UNKNOWN_PARAM, /* a parameter whose value is not known yet (describing only) */
	EXPR_CALL,  /* a row of functions.def over args */
	EXPR_COMPARE, /* op over two args of one family */
	EXPR_AND,
	EXPR_OR,
	EXPR_NOT,
	EXPR_IS_NULL,
	EXPR_IS_NOT_NULL,
	EXPR_IN_SELECT, /* (args) = ANY (select) */
	EXPR_BOOL_TEST, /* op: "IS TRUE", ... */
	EXPR_CASE,      /* args: when1, then1, when2, then2, ..., else */
	EXPR_COALESCE,
	EXPR_NULLIF,
	EXPR_GREATEST,
	EXPR_LEAST
};

/* How the emitted SQL is typed: a number is emitted either as its own type or, once computed with, as numeric. */
enum expr_form { FORM_NATIVE, FORM_NUMERIC };

struct scan;
struct function_row;

/* Known bounds of a number: from the policy or constants only, never from data. */
struct range {
	bool known;
	struct decimal lo, hi;
	struct decimal grid; /* the values are multiples of it, or are rounded to it when summed */
};

struct expr {
	enum expr_kind kind;
	enum sql_type type;
	enum expr_form form;
	bool untyped; /* a quoted literal or NULL that takes the type of its neighbour */
	int location; /* byte offset in the statement, -1 unknown */

	struct scan *scan; /* EXPR_COLUMN, EXPR_UNIT */
	size_t column;
	struct derived *select; /* EXPR_IN_SELECT: a column for each of args */

	const char *text; /* EXPR_CONST: canonical value */

	const struct function_row *function; /* EXPR_CALL */
	const char *op;                      /* EXPR_COMPARE: "=", "<", ...; EXPR_BOOL_TEST */

	struct expr **args;
	size_t n_args;

	struct range range;
	int magnitude; /* numbers in numeric form: |value| < 10^magnitude */
};

/* Same expression: same shape, columns, constants. */
MUST_CHECK bool expr_equal(const struct expr *a, const struct expr *b);

/* The policy column of an EXPR_COLUMN. */
const struct policy_column *expr_policy_column(const struct expr *x);
const struct policy_table *expr_policy_table(const struct expr *x);

/* True when every leaf is a constant. */
MUST_CHECK bool expr_is_constant(const struct expr *x);

enum { MAGNITUDE_GUARD = 30, /* columns: values beyond 10^30 read as NULL in arithmetic */
       MAGNITUDE_QUOTIENT = 16400, /* 1/y is below 10^16383 for any numeric y but 0 */
       MAGNITUDE_MAX = 100000 /* numeric overflows at 10^131072 */ };

#endif
