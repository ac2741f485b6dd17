/* A statement's parameters: their types (inferred by the sidecar where the client left them open) and their values as text for the planner. */
#ifndef NG_PROXY_PARAMS_H
#define NG_PROXY_PARAMS_H

#include "proxy/sidecar.h"

struct params {
	size_t n;
	const uint32_t *types;         /* none 0 */
	struct plan_param *plan;       /* known false: a binary value of a type that is not read here, or only described */
	/* as libpq wants them, for passing them on to the sidecar unchanged */
	const char **values;
	int *lengths, *formats;
	size_t unreadable; /* number of the first parameter ($1 is 1) that cannot be read here, or 0 */
};

/* True when the text may hold a parameter ("$" and a digit; one inside a string counts, which costs only time). */
MUST_CHECK bool params_mentioned(const char *sql);

/* Types for describing: the declared ones, those of a template's parameters, and what the sidecar infers.  Values are unknown. */
MUST_CHECK bool params_infer(struct sidecar *s, const struct policy *policy, const struct session_view *v, const char *sql, const uint32_t *declared, size_t n,
			     struct arena *a, struct params *out, struct error *e);

/* Types and values for running. */
MUST_CHECK bool params_read(struct sidecar *s, const struct policy *policy, const struct session_view *v, const char *sql, const struct engine_param *p, size_t n,
			    struct arena *a, struct params *out, struct error *e);

/* Types of what the plan's statement for the sidecar takes: the client's parameters, then one text[] per released column of each block. */
MUST_CHECK bool params_and_columns(const struct params *p, const struct plan *plan, struct arena *a, const uint32_t **types, size_t *n,
				   struct error *e);

#endif
