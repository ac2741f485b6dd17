/*
 * Results in the formats that a client asked for.  Two sources, both public: released rows directly (the short path), or what the sidecar answered.
 * No other rows can get here: the first takes the type that only mechanisms/ can make, the second comes from a server without data.
 */
#ifndef NG_PROXY_PRESENT_H
#define NG_PROXY_PRESENT_H

#include "proxy/pgtalk.h"
#include "proxy/sidecar.h"

/* The client's wish: 0 text, 1 binary; n 0: all text, 1: all alike, else one a column. */
struct formats {
	const int16_t *items;
	size_t n;
};

/* ERR_PROTOCOL when the formats do not match the columns. */
MUST_CHECK bool present_check_formats(const struct formats *f, size_t n_fields, struct error *e);

/* The fields of a direct plan's result. */
MUST_CHECK bool present_direct_fields(const struct plan *plan, struct arena *a, const struct field **out, struct error *e);

/*
 * True when released cells can be sent as they are: their text is ISO, in UTC, with all digits, and a session may have asked for another style
 * (DateStyle, extra_float_digits).  Otherwise the plan's statement for the sidecar renders them.
 */
MUST_CHECK bool present_is_plain(const struct plan *plan, const struct session_view *v, const struct formats *f);

/* The short path. */
MUST_CHECK bool present_released(const struct plan *plan, const struct released *r, const struct formats *f, struct arena *a,
				 struct result *out, struct error *e);

/* Runs st on the sidecar in the formats asked for.  own_text as in sidecar_query; keep_origin: fields keep their table (catalog queries). */
struct present_source {
	struct sidecar *sidecar;
	const struct session_view *view;
	struct talk_statement statement;
	bool own_text, keep_origin;
};
MUST_CHECK bool present_sidecar(const struct present_source *src, const struct formats *f, struct arena *a, struct result *out,
				struct error *e);

/* Lines as one text column "QUERY PLAN". */
MUST_CHECK bool present_lines(const char *const *lines, size_t n, const struct formats *f, struct arena *a, struct result *out,
			      struct error *e);
struct field present_line_field(void);

/* Copies of fields that belong to no table: where post-processed columns come from is nobody's OID. */
MUST_CHECK bool present_without_origin(const struct field **fields, size_t n, struct arena *a, struct error *e);

#endif
