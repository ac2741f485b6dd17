/* The statement of a probe: which columns it groups by and measures, and its text. */
#ifndef NG_PROXY_PRIVACY_QUERY_H
#define NG_PROXY_PRIVACY_QUERY_H

#include "proxy/privacy_probe.h"

/* Chooses key, measure and n_values of a probe whose kind and tables are set.  False: the table has no column for this kind. */
MUST_CHECK bool query_columns(struct probe *p);

/* True when group selection decides which groups of this kind are shown. */
MUST_CHECK bool query_private_keys(enum probe_kind kind);

/* How many groups the probe's key can give; 0 without a key. */
MUST_CHECK size_t query_groups_available(const struct probe *p);

/* Fills groups with n names, as an answer shows them.  False only without memory. */
MUST_CHECK bool query_groups(struct arena *a, struct probe *p, size_t n, struct error *e);

/* The text; NULL without memory. */
MUST_CHECK const char *query_sql(struct arena *a, const struct probe *p);

#endif
