/*
 * Structured log, one line an event, as text or JSON, to stderr.  Takes named fields; what must hold: a field's value is never
 * something that came out of a protected table, and never a secret.  The level and format are set once at start (the one writable static outside main).
 */
#ifndef NG_BASE_LOG_H
#define NG_BASE_LOG_H

#include "base/compiler.h"
#include "base/error.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct log_field {
	const char *name;
	const char *text; /* NULL: use number */
	int64_t number;
};

#define LOG_TEXT(n, v) ((struct log_field){ .name = (n), .text = (v) })
#define LOG_NUM(n, v) ((struct log_field){ .name = (n), .number = (v) })

void log_setup(enum log_level least, bool json);
void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n);

/* log_event(LOG_INFO, "session opened", LOG_TEXT("user", u), LOG_NUM("id", 7)) */
#define log_event(level, event, ...)                                                                                    \
	log_write((level), (event), (const struct log_field[]){ { 0 }, ##__VA_ARGS__ } + 1,                              \
		  sizeof((const struct log_field[]){ { 0 }, ##__VA_ARGS__ }) / sizeof(struct log_field) - 1)

/* An event with an error's code, rule and message (all of them free of data by construction). */
void log_error(const char *event, const struct error *e);

#endif
