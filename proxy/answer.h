/* A materialised result to the wire, in slices, flushed as it goes. */
#ifndef NG_PROXY_ANSWER_H
#define NG_PROXY_ANSWER_H

#include "proxy/session.h"

/* Rows [*at, *at + max) (max 0: all that are left); moves *at.  True when more may be asked for: max was reached. */
bool answer_rows(struct session *s, const struct result *r, size_t *at, size_t max);

/* CommandComplete; the count of a SELECT is that of the rows sent last. */
void answer_complete(struct session *s, const struct result *r, size_t rows);

#endif
