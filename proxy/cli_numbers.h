/* Figures on the command line and in lists of mechanisms: read exactly, rounded in a stated direction, refused in the user's words. */
#ifndef NG_PROXY_CLI_NUMBERS_H
#define NG_PROXY_CLI_NUMBERS_H

#include "base/error.h"
#include "base/units.h"

enum rounding { ROUND_DOWN, ROUND_UP }; /* of digits beyond the unit's: a promise goes down, a price up */

/*
 * All: what names the figure in the error.  ERR_CONFIG when the text is not a number (NaN, infinity, letters, empty) or not in range:
 * epsilon and rho in (0, 9223372], delta in (0, 1), both also too small for the unit; a sensitivity or count is an integer in [1, max].
 */
MUST_CHECK bool cli_epsilon(const char *what, const char *text, enum rounding r, struct eps *out, struct error *e);
MUST_CHECK bool cli_rho(const char *what, const char *text, enum rounding r, struct rho *out, struct error *e);
MUST_CHECK bool cli_delta(const char *what, const char *text, enum rounding r, struct delta *out, struct error *e);
MUST_CHECK bool cli_integer(const char *what, const char *text, int64_t max, uint64_t *out, struct error *e);

/* A decimal in (0, 10^15], or from 0 on when zero is allowed. */
MUST_CHECK bool cli_decimal(const char *what, const char *text, bool zero, struct decimal *out, struct error *e);

#endif
