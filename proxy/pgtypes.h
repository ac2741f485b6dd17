/* PostgreSQL's types as clients see them: numbers (OIDs), lengths, and parameters in binary format read into text. */
#ifndef NG_PROXY_PGTYPES_H
#define NG_PROXY_PGTYPES_H

#include "base/arena.h"
#include "base/error.h"
#include "policies/policy.h"
#include "proxy/engine.h"

/* OIDs are fixed in PostgreSQL's catalog. */
enum {
	OID_BOOL = 16,
	OID_NAME = 19,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_OID = 26,
	OID_JSON = 114,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_UNKNOWN = 705,
	OID_TEXT_ARRAY = 1009,
	OID_BPCHAR = 1042,
	OID_VARCHAR = 1043,
	OID_DATE = 1082,
	OID_TIMESTAMP = 1114,
	OID_TIMESTAMPTZ = 1184,
	OID_NUMERIC = 1700,
	OID_UUID = 2950
};

/* A result column of one of the policy's types, from no table. */
struct field pgtype_field(enum sql_type t, const char *name);

/*
 * The text of a parameter, in ISO form and UTC; *text NULL for SQL NULL.  *readable false (and true returned) when the type's binary format is not
 * read here: it can only be passed on as it is.  ERR_NUL_IN_TEXT for text that is not UTF-8 or holds a zero byte; ERR_PROTOCOL for a wrong length.
 */
MUST_CHECK bool pgtype_param_text(const struct engine_param *p, size_t number, struct arena *a, const char **text, bool *readable,
				  struct error *e);

/* Dates as PostgreSQL counts them: days since 2000-01-01, proleptic Gregorian; year 0 is 1 BC. */
int64_t pgtype_days(int64_t year, int month, int day);

#endif
