#include "crypto/beacon.h"

#include "base/mem.h"
#include "base/text.h"
#include "crypto/csv.h"
#include "crypto/schema.h"
#include "crypto/secret_memory.h"

#include <errno.h>
#include <string.h>

bool beacon_open(const struct c3r_secret *s, const char *collaboration, const char *column, unsigned bits, struct beacon *out, struct error *e)
{
	struct secret_key *key = secret_new(sizeof(*key));
	struct wr label;

	if (bits < 1 || bits > BEACON_BITS_MAX) {
		secret_delete(key, sizeof(*key));
		return fail(e, ERR_BAD_PARAMETER, "a beacon has from 1 to %d bits, not %u", BEACON_BITS_MAX, bits);
	}
	wr_init_heap(&label, 4096);
	wr_cstr(&label, "noisegate beacon v1");
	wr_cstr(&label, collaboration);
	wr_str(&label, column);
	struct hash_mac *mac = NULL;
	if (key && wr_ok(&label) && hash_hmac(s->bytes, s->n, label.p, label.n, key->bytes))
		mac = hash_mac_new(key->bytes, SECRET_KEY);
	wr_free(&label);
	secret_delete(key, sizeof(*key));
	if (!mac)
		return fail(e, ERR_CRYPTO, "could not derive the beacon's key");
	*out = (struct beacon){ .mac = mac, .bits = bits };
	return true;
}

void beacon_close(struct beacon *b)
{
	hash_mac_free(b->mac);
	b->mac = NULL;
}

bool beacon_of(const struct beacon *b, const char *value, size_t n, char out[BEACON_TEXT])
{
	uint8_t mac[SHA256_SIZE];

	if (!hash_mac_of(b->mac, value, n, 'b', mac))
		return false;
	uint32_t first = (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | mac[3];
	(void)snprintf(out, BEACON_TEXT, "%0*x", (int)(b->bits + 3) / 4, first >> (32 - b->bits));
	return true;
}

static bool find(const struct csv_reader *csv, const char *in_name, const char *column, size_t *position, struct error *e)
{
	struct arena a;
	size_t found = 0;

	arena_init(&a, 4 << 20);
	for (size_t i = 0; i < csv->n_fields; i++) {
		const char *header;
		if (!schema_header(&a, csv->fields[i].text, &header) || !text_eq(header, column))
			continue;
		*position = i;
		found++;
	}
	arena_reset(&a);
	return found == 1 || fail(e, ERR_CONFIG, found ? "%s:1: two columns are named \"%s\"" : "%s:1: there is no column \"%s\"", in_name, column);
}

/* No other column may have the new one's name. */
static bool is_free(const struct csv_reader *csv, const char *in_name, const char *target, struct error *e)
{
	for (size_t i = 0; i < csv->n_fields; i++)
		if (text_eq_nocase(csv->fields[i].text, target))
			return fail(e, ERR_CONFIG, "%s:1: there is a column \"%s\" already", in_name, csv->fields[i].text);
	return true;
}

/* The record as it is, and one more field (NULL: blank). */
static bool copy(const struct csv_reader *csv, const char *more, FILE *out, struct wr *line, struct error *e)
{
	wr_clear(line);
	for (size_t i = 0; i < csv->n_fields; i++) {
		const struct csv_field *f = &csv->fields[i];
		csv_put(line, f->n == 0 && !f->quoted ? NULL : f->text, f->n, i == 0, "");
	}
	csv_put(line, more, more ? strlen(more) : 0, false, "");
	wr_u8(line, '\n');
	if (!wr_ok(line))
		return fail_memory(e);
	return fwrite(line->p, 1, line->n, out) == line->n ||
	       fail(e, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "could not write the output: %s", strerror(errno));
}

static bool rows(const struct beacon *b, struct csv_reader *csv, size_t position, FILE *out, struct wr *line, struct error *e)
{
	const size_t n_fields = csv->n_fields;
	char text[BEACON_TEXT];
	bool end;

	for (;;) {
		if (!csv_next(csv, &end, e))
			return false;
		if (end)
			return true;
		if (csv->n_fields != n_fields)
			return fail(e, ERR_CONFIG, "%s:%lld: the row has %zu fields, not %zu as the header", csv->name, (long long)csv->line, csv->n_fields,
				    n_fields);
		const struct csv_field *f = &csv->fields[position];
		if (f->n > 0 && !beacon_of(b, f->text, f->n, text))
			return fail(e, ERR_CRYPTO, "%s:%lld: could not compute a beacon", csv->name, (long long)csv->line);
		if (!copy(csv, f->n > 0 ? text : NULL, out, line, e))
			return false;
	}
}

bool beacon_file(const struct beacon *b, const char *column, const char *target, FILE *in, const char *in_name, FILE *out, struct error *e)
{
	struct csv_reader csv = { 0 };
	struct wr line;
	size_t position = 0;
	bool end = false;

	if (!csv_open(&csv, in, in_name, e))
		return false;
	wr_init_heap(&line, (size_t)CSV_RECORD_MAX * 2);
	bool ok = csv_next(&csv, &end, e) && (!end || fail(e, ERR_CONFIG, "%s:1: the file has no header", in_name)) &&
		  find(&csv, in_name, column, &position, e) && is_free(&csv, in_name, target, e) && copy(&csv, target, out, &line, e) && rows(b, &csv, position, out, &line, e);
	wr_free(&line);
	csv_close(&csv);
	return ok;
}
