/* The rows of an audit: relations as the policy describes them, filled as a probe asks, with its people in one world and without them in the other. */
#ifndef NG_PROXY_PRIVACY_DATA_H
#define NG_PROXY_PRIVACY_DATA_H

#include "proxy/privacy_probe.h"

#include <libpq-fe.h>

/* Makes every relation that the policy reads, empty, with the unique constraints that it declares. */
MUST_CHECK bool data_make_relations(PGconn *pg, const struct policy *p, struct error *e);

/* Empties the protected relations and fills those of the probe.  present: with the people whose presence is the question. */
MUST_CHECK bool data_fill(PGconn *pg, const struct policy *p, const struct probe *probe, bool present, struct error *e);

#endif
