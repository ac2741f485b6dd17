/*
 * The error value.  Every refusal leaves by this door: a code with its SQLSTATE, a message in the user's words, detail (which
 * rule, whose), hint (what to write instead), position (where).  Fixed size, so that reporting cannot fail on memory.
 *
 * What must hold: nothing that depends on protected data is ever formatted into an error (SPEC G1, G4).
 */
#ifndef NG_BASE_ERROR_H
#define NG_BASE_ERROR_H

#include "base/compiler.h"

enum err_code {
#define X(code, state, what) code,
#include "base/errors.def"
#undef X
	ERR_COUNT
};

struct error {
	enum err_code code; /* ERR_NONE: nothing went wrong */
	int position;       /* 1-based character offset in the statement, 0 when unknown */
	char rule[64];      /* the rule that refused, as docs/sql.md names it; "" when none */
	char message[240], detail[400], hint[400];
};

#define ERROR_INIT ((struct error){ .code = ERR_NONE })

/*
 * Fills *e with code and message (detail, hint, rule, position are cleared), returns false, so that callers can write
 *	return fail(e, ERR_TOO_COMPLEX, "statement has more than %d tokens", n);
 * Too long texts are cut at a UTF-8 boundary.
 */
PRINTF_LIKE(3, 4) bool fail(struct error *e, enum err_code code, const char *fmt, ...);

/* Add to an error that fail() has filled.  Each returns false, for the same idiom:  return error_hint(e, "..."). */
PRINTF_LIKE(2, 3) bool error_detail(struct error *e, const char *fmt, ...);
PRINTF_LIKE(2, 3) bool error_hint(struct error *e, const char *fmt, ...);
bool error_at(struct error *e, int position);
bool error_rule(struct error *e, const char *rule);

/* Out of memory or over an arena's cap; fills *e, returns false. */
bool fail_memory(struct error *e);

/* The five-character SQLSTATE of a code. */
const char *error_sqlstate(enum err_code code);

/* The analyzer sees one file at a time: this tells it that these always give false. */
#ifdef __clang_analyzer__
#define fail(...) (fail(__VA_ARGS__), false)
#define fail_memory(e) (fail_memory(e), false)
#define error_detail(...) (error_detail(__VA_ARGS__), false)
#define error_hint(...) (error_hint(__VA_ARGS__), false)
#define error_at(e, position) (error_at(e, position), false)
#define error_rule(e, rule) (error_rule(e, rule), false)
#endif

#endif
