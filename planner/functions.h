/*
 * The allowlist: every function and operator that may touch a protected row, one row each, with its types, its total form and how it moves
 * magnitudes and ranges.  What is not here is refused (SPEC G3).  The total form raises no error for any value of its arguments (G4):
 * the guard stands inside the operation.
 */
#ifndef NG_PLANNER_FUNCTIONS_H
#define NG_PLANNER_FUNCTIONS_H

#include "planner/expr.h"

enum arg_class {
	ARG_NONE,
	ARG_NUMBER,  /* any number, handed over as numeric, columns guarded to +-10^30 */
	ARG_INTEGER, /* an integer, handed over as numeric */
	ARG_TEXT,
	ARG_DATE,
	ARG_TIMESTAMP,
	ARG_TIMESTAMPTZ,
	ARG_UNIT,    /* constant: a unit of date_trunc */
	ARG_FIELD,   /* constant: a field of extract */
	ARG_COUNT,   /* constant integer 0..10000 */
	ARG_OFFSET,  /* constant integer -10000..10000 */
	ARG_DIGITS,  /* constant integer 0..15 */
	ARG_INTERVAL, /* constant: an interval's text, made by planner/temporal.c */
	ARG_FORMAT,  /* constant: a to_char pattern of digits and names of dates */
	ARG_ZONE,    /* constant: a time zone that was checked */
	ARG_PATTERN  /* constant LIKE pattern without a trailing escape */
};

enum result_rule {
	RESULT_FIXED,   /* function_row.type */
	RESULT_PROMOTE, /* the wider of the arguments' number types, as PostgreSQL promotes */
	RESULT_FIRST,   /* the first argument's type */
	RESULT_FLOOR    /* numeric stays numeric, other numbers become float8 */
};

enum magnitude_rule { MAG_NONE, MAG_ADD, MAG_MULTIPLY, MAG_DIVIDE, MAG_FIRST, MAG_POWER, MAG_EXP };
enum range_rule { RANGE_UNKNOWN, RANGE_ADD, RANGE_SUBTRACT, RANGE_MULTIPLY, RANGE_NEGATE, RANGE_ABS, RANGE_FIRST,
		  RANGE_DIVIDE, RANGE_REMAINDER, RANGE_ROUND, RANGE_SIGN, RANGE_FIELD, RANGE_LENGTH, RANGE_BUCKET };

struct function_row {
	const char *name;
	bool is_operator;
	enum arg_class args[4];
	enum result_rule result;
	enum sql_type type;
	enum expr_form form; /* of the emitted result */
	enum magnitude_rule magnitude;
	enum range_rule range;
	const char *total; /* $1..$4: arguments as their class is emitted; $Z: the session's time zone */
};

extern const struct function_row function_rows[];
extern const size_t n_function_rows;

size_t function_arity(const struct function_row *f);

/* True when any row has the name (for errors: unknown function, or wrong arguments). */
MUST_CHECK bool function_known(const char *name, bool is_operator);

#endif
