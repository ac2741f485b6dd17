/* Statements that are not queries: SET, SHOW, RESET, DISCARD, DEALLOCATE, transactions, cursors.  Same answers for Query and Execute. */
#ifndef NG_PROXY_COMMAND_H
#define NG_PROXY_COMMAND_H

#include "proxy/session.h"

/* The parameters and result formats of a Bind; all zero for Query. */
struct command_call {
	const struct engine_param *params;
	size_t n_params;
	const int16_t *formats;
	size_t n_formats;
};

/*
 * Runs st (any kind but STATEMENT_QUERY).  The result lives in a; without fields it is only a tag.  May drop any portal or prepared
 * statement of the session: st and call must not live in one of them.
 */
MUST_CHECK bool command_run(struct session *s, const struct statement *st, const struct command_call *call, struct arena *a,
			    struct result *out, struct error *e);

/* What SHOW and FETCH will return; no fields for everything else.  Fields live in a. */
MUST_CHECK bool command_fields(struct session *s, const struct statement *st, struct arena *a, const struct field **out, size_t *n,
			       struct error *e);

/* --- cursor.c ----------------------------------------------------------------------------------------------------------- */

MUST_CHECK bool cursor_declare(struct session *s, const struct statement *st, const struct command_call *call, struct error *e);
/* FETCH and MOVE. */
MUST_CHECK bool cursor_fetch(struct session *s, const struct statement *st, const struct command_call *call, struct arena *a,
			     struct result *out, struct error *e);
MUST_CHECK bool cursor_close(struct session *s, const char *name, struct error *e); /* NULL: all */
MUST_CHECK bool cursor_fields(const struct session *s, const char *name, struct arena *a, const struct field **out, size_t *n,
			      struct error *e);

/* Copies rows [first, first + n) of a result into a. */
MUST_CHECK bool result_slice(const struct result *from, size_t first, size_t n, struct arena *a, struct result *out);
MUST_CHECK bool fields_copy(const struct field *from, size_t n, struct arena *a, const struct field **out);

/* True when DECLARE's text says WITH HOLD before its FOR. */
MUST_CHECK bool declare_holds(const char *text);

#endif
