/* Compares a policy with the upstream: relations and columns exist, types can be read as declared.  Reads catalogs only, never a row. */
#ifndef NG_PROXY_UPSTREAM_CHECK_H
#define NG_PROXY_UPSTREAM_CHECK_H

#include "base/error.h"
#include "policies/policy.h"

/* ERR_CONFIG names the first table or column that does not fit; ERR_UPSTREAM when it cannot be asked. */
MUST_CHECK bool upstream_check(const struct policy *p, struct error *e);

#endif
