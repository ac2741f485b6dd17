/* The SQL types that protected expressions may have: oids, families, and the reading of literals at plan time, so that upstream never parses a bad one. */
#ifndef NG_PLANNER_TYPES_H
#define NG_PLANNER_TYPES_H

#include "base/arena.h"
#include "base/error.h"
#include "policies/policy.h"

/* PostgreSQL's oid of a type, and back (varchar, bpchar, name count as text; float4 as float8). */
uint32_t type_oid(enum sql_type t);
MUST_CHECK bool type_from_oid(uint32_t oid, enum sql_type *out);

MUST_CHECK bool type_is_integer(enum sql_type t);

/* Range of an integer type. */
struct decimal type_lowest(enum sql_type t);
struct decimal type_highest(enum sql_type t);

/*
 * Reads text as a value of a type, the strict forms that PostgreSQL certainly reads the same way (ISO dates and times, plain decimals);
 * *canonical is the text to hand upstream.  ERR_BAD_VALUE otherwise.
 */
MUST_CHECK bool type_read(struct arena *a, enum sql_type t, const char *text, const char **canonical, struct error *e);

#endif
