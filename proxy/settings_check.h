/* Value checks of settings: text in, canonical text out, or 22023 with what would be accepted. */
#ifndef NG_PROXY_SETTINGS_CHECK_H
#define NG_PROXY_SETTINGS_CHECK_H

#include "base/bytes.h"
#include "base/error.h"

enum setting_check {
	CHECK_TEXT,       /* any */
	CHECK_NAME,       /* printable ASCII, cut to 63 bytes */
	CHECK_BOOL,
	CHECK_ENUM,       /* argument "a|b|c" */
	CHECK_INT,        /* argument "lo..hi" */
	CHECK_MILLIS,     /* 0 or a duration with an optional unit; canonical like PostgreSQL's: 0, 1500ms, 30s, 5min, 2h, 1d */
	CHECK_ENCODING,   /* UTF8 under its spellings */
	CHECK_DATESTYLE,  /* ISO, with an order of day, month and year */
	CHECK_TIMEZONE,   /* a name of the zone files, UTC, or whole hours east */
	CHECK_PATH,       /* a list of schema names */
	CHECK_ERROR,      /* an absolute error: 100, ±100, or default */
	CHECK_EPSILON,    /* a positive decimal, or default */
	CHECK_DELTA,      /* a decimal in (0, 1), or default */
	CHECK_CONFIDENCE  /* a decimal in (0, 1) */
};

/* Appends the canonical form of value to out.  current: the present canonical value (DateStyle keeps what a new one does not say). */
MUST_CHECK bool setting_check(enum setting_check check, const char *argument, const char *name, const char *current,
			      const char *value, struct wr *out, struct error *e);

/* Milliseconds of a duration ("250", "30s", "1min"); false when it is none or too long. */
MUST_CHECK bool setting_parse_millis(const char *value, int64_t *out);

/* Calls put for each schema of a search_path list, unquoted and folded; false when it is malformed. */
MUST_CHECK bool setting_parse_path(const char *value, bool (*put)(void *ctx, const char *schema), void *ctx);

#endif
