/* Small questions about zero-terminated text: equality, case, prefixes, UTF-8, nearest name for "did you mean". */
#ifndef NG_BASE_TEXT_H
#define NG_BASE_TEXT_H

#include "base/compiler.h"

MUST_CHECK bool text_eq(const char *a, const char *b);      /* NULL equals only NULL */
MUST_CHECK bool text_eq_nocase(const char *a, const char *b); /* ASCII case */
MUST_CHECK bool text_starts(const char *s, const char *prefix);

/* True when the n bytes are well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF) without a zero byte. */
MUST_CHECK bool text_utf8(const void *p, size_t n);

/* Makes s well-formed UTF-8: each byte that belongs to no character becomes '?'. */
void text_mend_utf8(char *s);

/* Count of UTF-8 characters in the first n bytes of s (well-formed). */
MUST_CHECK size_t text_chars(const char *s, size_t n);

/* The candidate nearest to name by edit distance, or NULL when none is within a third of its length (at least one edit). */
MUST_CHECK const char *text_nearest(const char *name, const char *const *candidates, size_t n);

#endif
