#include "planner/functions.h"

#include "base/text.h"

#define A1(a) { (a), ARG_NONE, ARG_NONE, ARG_NONE }
#define A2(a, b) { (a), (b), ARG_NONE, ARG_NONE }
#define A3(a, b, c) { (a), (b), (c), ARG_NONE }
#define A4(a, b, c, d) { (a), (b), (c), (d) }

/* Values outside the years 1..9999, infinities among them, give NULL: at the ends of PostgreSQL's ranges date arithmetic raises. */
#define WITHIN_BOTH(x, lo, hi) "(" x " OPERATOR(pg_catalog.>=) " lo " AND " x " OPERATOR(pg_catalog.<=) " hi ")"
#define IN_YEARS_DATE(x) WITHIN_BOTH(x, "pg_catalog.date '0001-01-01'", "pg_catalog.date '9999-12-31'")
#define IN_YEARS_TS(x) WITHIN_BOTH(x, "pg_catalog.timestamp '0001-01-01'", "pg_catalog.timestamp '9999-12-31'")
#define IN_YEARS_TZ(x) WITHIN_BOTH(x, "pg_catalog.timestamptz '0001-01-02 00:00:00Z'", "pg_catalog.timestamptz '9999-12-30 00:00:00Z'")
#define WITHIN(x, n) WITHIN_BOTH("(" x ")", "(-" n ")", "(" n ")")

/* Case mapping and concatenation allocate a multiple of their input; beyond a gigabyte they raise.  65,536 characters are enough for anyone. */
#define CUT(x) "pg_catalog.left(" x ", 65536)"

/* Searching takes the product of both lengths at worst: seconds for one row, were what is sought as long. */
#define SOUGHT(x, then) "(CASE WHEN pg_catalog.length(" x ") OPERATOR(pg_catalog.<=) 1000 THEN " then " END)"

const struct function_row function_rows[] = {
#define ROW(n, o, a, r, t, f, m, g, s) \
	{ .name = (n), .is_operator = (o), .args = a, .result = (r), .type = (t), .form = (f), .magnitude = (m), .range = (g), .total = s },
#include "planner/functions.def"
#undef ROW
};

const size_t n_function_rows = ARRAY_LEN(function_rows);

size_t function_arity(const struct function_row *f)
{
	size_t n = 0;

	while (n < ARRAY_LEN(f->args) && f->args[n] != ARG_NONE)
		n++;
	return n;
}

bool function_known(const char *name, bool is_operator)
{
	for (size_t i = 0; i < n_function_rows; i++) {
		if (function_rows[i].is_operator == is_operator && text_eq(function_rows[i].name, name))
			return true;
	}
	return false;
}
