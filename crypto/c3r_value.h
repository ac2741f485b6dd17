/* Typed values inside sealed cells, as the AWS client encodes them from Parquet files, printed as it prints them into CSV.  CSV values are always STRING. */
#ifndef NG_CRYPTO_C3R_VALUE_H
#define NG_CRYPTO_C3R_VALUE_H

#include "base/bytes.h"

/* Writes the value behind an info byte of that type; all of r is consumed.  False: *why says what is wrong with it, out may hold part of it. */
MUST_CHECK bool c3r_value_put(struct wr *out, unsigned type, struct rd *r, const char **why);

#endif
