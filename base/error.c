#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const sqlstates[ERR_COUNT] = {
#define X(code, state, what) [code] = (state),
#include "base/errors.def"
#undef X
};

/* Formats into a fixed field; what does not fit is cut, never inside a UTF-8 sequence. */
static void put(char *field, size_t size, const char *fmt, va_list args)
{
	int n = vsnprintf(field, size, fmt, args);

	if (n < 0) {
		field[0] = '\0';
		return;
	}
	if ((size_t)n < size)
		return;
	size_t end = size - 1;
	size_t start = end;
	while (start > 0 && ((unsigned char)field[start - 1] & 0xC0) == 0x80)
		start--;
	if (start > 0 && ((unsigned char)field[start - 1] & 0xC0) == 0xC0)
		end = start - 1; /* drop the last sequence: it may be incomplete */
	field[end] = '\0';
}

bool (fail)(struct error *e, enum err_code code, const char *fmt, ...)
{
	va_list args;

	*e = (struct error){ .code = code };
	va_start(args, fmt);
	put(e->message, sizeof(e->message), fmt, args);
	va_end(args);
	return false;
}

bool (error_detail)(struct error *e, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put(e->detail, sizeof(e->detail), fmt, args);
	va_end(args);
	return false;
}

bool (error_hint)(struct error *e, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put(e->hint, sizeof(e->hint), fmt, args);
	va_end(args);
	return false;
}

bool (error_at)(struct error *e, int position)
{
	e->position = position;
	return false;
}

bool (error_rule)(struct error *e, const char *rule)
{
	(void)snprintf(e->rule, sizeof(e->rule), "%s", rule);
	return false;
}

bool (fail_memory)(struct error *e)
{
	return fail(e, ERR_NO_MEMORY, "out of memory");
}

const char *error_sqlstate(enum err_code code)
{
	BUG_IF(code < 0 || code >= ERR_COUNT);
	return sqlstates[code];
}
