/* What the sidecar said, as an error value.  Only for the sidecar: it holds no data, so its words may be passed on.  The upstream's never are. */
#ifndef NG_PROXY_RELAY_H
#define NG_PROXY_RELAY_H

#include "proxy/pgtalk.h"

/* Fills *e from an outcome other than TALK_OK; always returns false.  own_text: the statement was the client's, so the position is of use. */
bool relay_fail(enum talk t, const struct talk_error *te, bool own_text, struct error *e);

#endif
