#include "budget/audit_checkpoint.h"

#include "base/mem.h"
#include "base/text.h"

#include <string.h>

#define TITLE "noisegate audit checkpoint v1\nlog "
#define RECEIPT "ng1:"

void audit_put_hex(struct wr *w, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++) {
		wr_u8(w, (uint8_t)digits[b[i] >> 4]);
		wr_u8(w, (uint8_t)digits[b[i] & 15]);
	}
}

/* What was written since `from`, signed, or "-". */
static bool put_signature(struct wr *w, size_t from, size_t to, const struct sign_key *key)
{
	uint8_t signature[SIGN_SIGNATURE];

	if (!wr_ok(w))
		return false;
	if (!key) {
		wr_str(w, "-");
		return wr_ok(w);
	}
	if (!sign_make(key, w->p + from, to - from, signature))
		return false;
	base64_put(w, signature, sizeof(signature));
	return wr_ok(w);
}

bool audit_checkpoint_put(struct wr *w, const struct audit_place *p, struct wall_time at, const struct sign_key *key)
{
	const size_t from = w->n;
	uint8_t public_key[SIGN_PUBLIC];
	char time[WALL_TEXT];

	wall_text(at, time);
	wr_str(w, TITLE);
	audit_put_hex(w, p->log_id, AUDIT_ID);
	wr_fmt(w, "\nrecord %llu\nhash ", (unsigned long long)p->sequence);
	audit_put_hex(w, p->hash, SHA256_SIZE);
	wr_fmt(w, "\ntime %s\nkey ", time);
	if (key) {
		sign_key_public(key, public_key);
		audit_put_hex(w, public_key, SIGN_PUBLIC);
	} else {
		wr_str(w, "-");
	}
	wr_str(w, "\n");
	size_t to = w->n;
	wr_str(w, "signature ");
	if (!put_signature(w, from, to, key))
		return false;
	wr_str(w, "\n");
	return wr_ok(w);
}

bool audit_receipt_put(struct wr *w, const struct audit_place *p, const uint8_t salt[AUDIT_SALT], const struct sign_key *key)
{
	const size_t from = w->n;

	wr_str(w, RECEIPT);
	audit_put_hex(w, p->log_id, AUDIT_ID);
	wr_fmt(w, ":%llu:", (unsigned long long)p->sequence);
	audit_put_hex(w, p->hash, SHA256_SIZE);
	wr_str(w, ":");
	audit_put_hex(w, salt, AUDIT_SALT);
	wr_str(w, ":");
	return put_signature(w, from, w->n, key);
}

/* --- reading: a cursor over the text that only goes forward ------------------------------------------------------------------------------ */

static bool skip(const char **s, const char *word)
{
	if (!text_starts(*s, word))
		return false;
	*s += strlen(word);
	return true;
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_hex(const char **s, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int hi = digit((*s)[0]), lo = hi < 0 ? -1 : digit((*s)[1]);
		if (lo < 0)
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
		*s += 2;
	}
	return true;
}

static bool take_number(const char **s, uint64_t *out)
{
	size_t n = strspn(*s, "0123456789");
	char text[24];
	int64_t v;

	if (n == 0 || n >= sizeof(text) || (n > 1 && **s == '0'))
		return false;
	(void)snprintf(text, sizeof(text), "%.*s", (int)n, *s);
	if (!number_i64(text, 0, INT64_MAX, &v))
		return false;
	*s += n;
	*out = (uint64_t)v;
	return true;
}

static bool take_signature(const char **s, struct audit_seal *seal)
{
	size_t n = strcspn(*s, "\n"), got;

	seal->signed_ = !(n == 1 && **s == '-');
	if (seal->signed_ && (!base64_read(*s, n, seal->signature, SIGN_SIGNATURE, &got) || got != SIGN_SIGNATURE))
		return false;
	*s += n;
	return true;
}

bool audit_checkpoint_read(const char *text, struct audit_place *p, struct audit_seal *seal)
{
	const char *s = text;
	bool key;

	*seal = (struct audit_seal){ 0 };
	if (!skip(&s, TITLE) || !take_hex(&s, p->log_id, AUDIT_ID) || !skip(&s, "\nrecord ") || !take_number(&s, &p->sequence) ||
	    !skip(&s, "\nhash ") || !take_hex(&s, p->hash, SHA256_SIZE) || !skip(&s, "\ntime "))
		return false;
	if (strcspn(s, "\n") != strlen("2026-11-20T22:47:09.123456Z") || strspn(s, "0123456789-T:.Z") != strcspn(s, "\n"))
		return false;
	s += strcspn(s, "\n");
	if (!skip(&s, "\nkey "))
		return false;
	key = !skip(&s, "-");
	if ((key && !take_hex(&s, seal->key, SIGN_PUBLIC)) || !skip(&s, "\n"))
		return false;
	seal->n_text = (size_t)(s - text);
	return skip(&s, "signature ") && take_signature(&s, seal) && seal->signed_ == key && text_eq(s, "\n");
}

bool audit_receipt_read(const char *text, struct audit_place *p, uint8_t salt[AUDIT_SALT], struct audit_seal *seal)
{
	const char *s = text;

	*seal = (struct audit_seal){ 0 };
	if (!skip(&s, RECEIPT) || !take_hex(&s, p->log_id, AUDIT_ID) || !skip(&s, ":") || !take_number(&s, &p->sequence) || !skip(&s, ":") ||
	    !take_hex(&s, p->hash, SHA256_SIZE) || !skip(&s, ":") || !take_hex(&s, salt, AUDIT_SALT) || !skip(&s, ":"))
		return false;
	seal->n_text = (size_t)(s - text);
	return take_signature(&s, seal) && *s == '\0';
}
