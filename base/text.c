#include "base/text.h"

#include <string.h>
#include <strings.h>

bool text_eq(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool text_eq_nocase(const char *a, const char *b)
{
	return a && b ? strcasecmp(a, b) == 0 : a == b;
}

bool text_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Length of the well-formed sequence at p (n > 0 bytes left), or 0. */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
	unsigned char c = p[0];

	if (c == 0)
		return 0;
	if (c < 0x80)
		return 1;
	size_t len = c >= 0xC2 && c <= 0xDF ? 2 : (c & 0xF0) == 0xE0 ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	}
	bool overlong = (c == 0xE0 && p[1] < 0xA0) || (c == 0xF0 && p[1] < 0x90);
	bool surrogate = c == 0xED && p[1] > 0x9F;
	bool beyond = c == 0xF4 && p[1] > 0x8F;
	return overlong || surrogate || beyond ? 0 : len;
}

bool text_utf8(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	while (n > 0) {
		size_t len = utf8_sequence(p, n);
		if (len == 0)
			return false;
		p += len;
		n -= len;
	}
	return true;
}

void text_mend_utf8(char *s)
{
	for (size_t left = strlen(s); left > 0;) {
		size_t len = utf8_sequence((const unsigned char *)s, left);
		if (len == 0) {
			*s = '?';
			len = 1;
		}
		s += len;
		left -= len;
	}
}

size_t text_chars(const char *s, size_t n)
{
	size_t chars = 0;

	for (size_t i = 0; i < n; i++)
		chars += ((unsigned char)s[i] & 0xC0) != 0x80;
	return chars;
}

enum { NEAREST_MAX = 64 };

static size_t edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
	size_t row[NEAREST_MAX + 1];

	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t up = row[j];
			size_t best = diagonal + (a[i - 1] != b[j - 1]);
			best = up + 1 < best ? up + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			diagonal = up;
			row[j] = best;
		}
	}
	return row[nb];
}

const char *text_nearest(const char *name, const char *const *candidates, size_t n)
{
	size_t length = strlen(name);
	size_t limit = length / 3 ? length / 3 : 1;
	const char *best = NULL;

	if (length > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t other = strlen(candidates[i]);
		if (other > NEAREST_MAX)
			continue;
		size_t d = edit_distance(name, length, candidates[i], other);
		if (d <= limit && d < (best ? limit : limit + 1)) {
			best = candidates[i];
			limit = d;
		}
	}
	return best;
}
