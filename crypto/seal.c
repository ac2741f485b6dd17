#include "crypto/seal.h"

#include "base/mem.h"
#include "base/text.h"
#include "crypto/csv.h"
#include "crypto/hash.h"
#include "crypto/sorter.h"

#include <errno.h>
#include <string.h>

enum { LINE_MAX_OUT = SCHEMA_COLUMNS_MAX * (C3R_CELL_MAX + 3) };

struct sealing {
	const struct schema *schema;
	const struct seal_settings *settings;
	const struct rng *rng;
	const char *in_name;
	struct secret_key root;
	struct secret_key *keys;   /* per target column: fingerprints */
	size_t *padded;            /* per target column: encoded length, 0 none */
	size_t *longest;           /* per target column: longest encoded value */
	struct sorter **seen;      /* per target column: fingerprints, when duplicates are refused */
	struct c3r_row row;
	struct wr line, cell;
	size_t n_fields;           /* of a row */
	const size_t *position;    /* per target column */
	struct csv_null null;
	int64_t rows;
	FILE *out;
};

static bool at_row(const struct sealing *g, const struct csv_reader *csv, size_t column, struct error *e, const char *what)
{
	return fail(e, ERR_CRYPTO, "%s:%lld: column \"%s\": %s", g->in_name, (long long)csv->line, g->schema->columns[column].target, what);
}

static bool write_failed(struct error *e)
{
	return fail(e, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "could not write the output: %s", strerror(errno));
}

/* Where each target's source stands among the fields. */
static bool find_columns(struct sealing *g, const struct csv_reader *csv, size_t *position, struct arena *a, struct error *e)
{
	g->n_fields = csv->n_fields;
	for (size_t i = 0; i < g->schema->n; i++) {
		const struct schema_column *c = &g->schema->columns[i];
		bool found = false;
		for (size_t j = 0; j < csv->n_fields && !found; j++) {
			const char *header;
			if (schema_header(a, csv->fields[j].text, &header) && text_eq(header, c->source)) {
				position[i] = j;
				found = true;
			}
		}
		if (!found)
			return fail(e, ERR_CONFIG, "%s:1: there is no column \"%s\", which the schema names", g->in_name, c->source);
	}
	return true;
}

static bool check_width(const struct sealing *g, const struct csv_reader *csv, struct error *e)
{
	if (csv->n_fields == g->n_fields)
		return true;
	return fail(e, ERR_IO, "%s:%lld: the row has %zu columns, not %zu", g->in_name, (long long)csv->line, csv->n_fields, g->n_fields);
}

/* Reads the file, headers first; each row to fn. */
static bool each_row(struct sealing *g, FILE *in, size_t *position, bool (*fn)(struct sealing *g, struct csv_reader *csv, struct error *e),
		     struct error *e)
{
	struct csv_reader csv;
	struct arena a;
	bool end = false, ok;

	arena_init(&a, 1 << 22);
	if (!csv_open(&csv, in, g->in_name, e))
		return false;
	if (g->schema->header_row) {
		ok = csv_next(&csv, &end, e);
		if (ok && end)
			ok = fail(e, ERR_IO, "%s: the file is empty; a header row is required", g->in_name);
		ok = ok && find_columns(g, &csv, position, &a, e);
	} else {
		g->n_fields = g->schema->n_source;
		for (size_t i = 0; i < g->schema->n; i++)
			position[i] = g->schema->columns[i].position;
		ok = true;
	}
	while (ok) {
		ok = csv_next(&csv, &end, e);
		if (!ok || end)
			break;
		ok = check_width(g, &csv, e) && fn(g, &csv, e);
	}
	csv_close(&csv);
	arena_reset(&a);
	return ok;
}

static bool measure_row(struct sealing *g, struct csv_reader *csv, struct error *e UNUSED)
{
	for (size_t i = 0; i < g->schema->n; i++) {
		const struct csv_field *f = &csv->fields[g->position[i]];
		size_t encoded = csv_is_null(&g->null, f) ? (g->settings->preserve_nulls ? 0 : 1) : f->n + 1;
		if (encoded > g->longest[i])
			g->longest[i] = encoded;
	}
	return true;
}

static bool put_cell(struct sealing *g, const struct csv_reader *csv, size_t i, struct error *e)
{
	const struct schema_column *c = &g->schema->columns[i];
	const struct csv_field *f = &csv->fields[g->position[i]];
	bool null = csv_is_null(&g->null, f);
	const char *value = null ? NULL : f->text;
	uint8_t mac[SORTER_KEY];

	wr_clear(&g->cell);
	if (c->kind == COLUMN_CLEARTEXT || (null && g->settings->preserve_nulls)) {
		if (f->n > C3R_CELL_MAX)
			return at_row(g, csv, i, e, "the value is longer than 16,383 bytes");
		csv_put(&g->line, value, f->n, i == 0, g->settings->null_out);
		return true;
	}
	if (c->kind == COLUMN_FINGERPRINT) {
		if (!c3r_fingerprint(&g->keys[i], value, f->n, g->rng, &g->cell, mac))
			return at_row(g, csv, i, e, "the fingerprint could not be computed");
		if (g->seen && !sorter_add(g->seen[i], mac, &csv->line, sizeof(csv->line), e))
			return false;
	} else if (!c3r_seal(&g->row, c->target, value, f->n, g->padded[i], &g->cell)) {
		return at_row(g, csv, i, e, g->padded[i] ? "the value is longer than its padding allows" : "the value is too long to be sealed");
	}
	csv_put(&g->line, wr_text(&g->cell), g->cell.n, i == 0, "");
	return true;
}

static bool put_row(void *ctx, const uint8_t *key UNUSED, const void *payload, size_t n, struct error *e)
{
	struct sealing *g = ctx;

	return fwrite_unlocked(payload, 1, n, g->out) == n ? true : write_failed(e);
}

struct row_target {
	struct sealing g; /* first: each_row passes it */
	struct sorter *sorter;
};

static bool seal_row(struct sealing *g, struct csv_reader *csv, struct error *e)
{
	struct row_target *t = (struct row_target *)(void *)g;
	uint8_t nonce[C3R_NONCE];

	if (!rng_fill(g->rng, nonce, sizeof(nonce)) || !c3r_row_begin(&g->row, &g->root, nonce))
		return fail(e, ERR_CRYPTO, "could not derive a row key");
	wr_clear(&g->line);
	for (size_t i = 0; i < g->schema->n; i++) {
		if (!put_cell(g, csv, i, e))
			return false;
	}
	wr_u8(&g->line, '\n');
	if (!wr_ok(&g->line))
		return fail_memory(e);
	g->rows++;
	if (g->settings->progress && g->rows % 16384 == 0)
		g->settings->progress(g->settings->progress_ctx, g->rows);
	return sorter_add(t->sorter, nonce, g->line.p, g->line.n, e);
}

struct duplicates {
	const struct sealing *g;
	size_t column;
	uint8_t last[SORTER_KEY];
	int64_t last_line;
	bool any;
};

static bool check_duplicate(void *ctx, const uint8_t *key, const void *payload, size_t n UNUSED, struct error *e)
{
	struct duplicates *d = ctx;
	int64_t line;

	mem_copy(&line, payload, sizeof(line));
	if (d->any && mem_equal(d->last, key, SORTER_KEY)) {
		int64_t lo = line < d->last_line ? line : d->last_line, hi = line < d->last_line ? d->last_line : line;
		fail(e, ERR_CRYPTO, "%s:%lld: column \"%s\" has the same value as line %lld", d->g->in_name, (long long)hi,
		     d->g->schema->columns[d->column].target, (long long)lo);
		return error_hint(e, "Remove duplicates, or seal with --allow-duplicates (then value frequencies show).");
	}
	mem_copy(d->last, key, SORTER_KEY);
	d->last_line = line;
	d->any = true;
	return true;
}

static bool check_duplicates(struct sealing *g, struct error *e)
{
	for (size_t i = 0; g->seen && i < g->schema->n; i++) {
		struct duplicates d = { .g = g, .column = i };
		if (g->seen[i] && !sorter_finish(g->seen[i], check_duplicate, &d, e))
			return false;
	}
	return true;
}

static bool put_header(struct sealing *g, struct error *e)
{
	wr_clear(&g->line);
	for (size_t i = 0; i < g->schema->n; i++)
		csv_put(&g->line, g->schema->columns[i].target, strlen(g->schema->columns[i].target), i == 0, "");
	wr_u8(&g->line, '\n');
	return fwrite(g->line.p, 1, g->line.n, g->out) == g->line.n ? true : write_failed(e);
}

/* Keys and paddings of the target columns; the longest values are known by now. */
static bool prepare(struct sealing *g, const struct c3r_secret *secret, const char *collaboration, struct error *e)
{
	if (!c3r_root_key(secret, collaboration, &g->root))
		return fail(e, ERR_CRYPTO, "could not derive keys");
	for (size_t i = 0; i < g->schema->n; i++) {
		const struct schema_column *c = &g->schema->columns[i];
		if (c->kind == COLUMN_CLEARTEXT && !g->settings->allow_cleartext) {
			fail(e, ERR_CRYPTO, "column \"%s\" is cleartext, which is off", c->target);
			return error_hint(e, "Seal or drop it, or agree on --allow-cleartext with the other members.");
		}
		if (c->kind == COLUMN_FINGERPRINT && !c3r_column_key(secret, collaboration, c->target, g->settings->any_name, &g->keys[i]))
			return fail(e, ERR_CRYPTO, "could not derive keys");
		if (c->kind == COLUMN_FINGERPRINT && !g->settings->allow_duplicates && !sorter_open(&g->seen[i], e))
			return false;
		g->padded[i] = c->pad == PAD_FIXED ? c->pad_length : c->pad == PAD_MAX ? c->pad_length + g->longest[i] : 0;
		if (c->kind == COLUMN_SEALED && c->pad != PAD_NONE && (g->padded[i] < 1 || g->padded[i] > C3R_PADDED_MAX))
			return fail(e, ERR_CRYPTO, "column \"%s\": padded length %zu is not between 1 and %d", c->target, g->padded[i], C3R_PADDED_MAX);
	}
	return true;
}

static bool pads_to_max(const struct schema *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->columns[i].pad == PAD_MAX)
			return true;
	}
	return false;
}

static bool run(struct row_target *t, FILE *in, size_t *position, const struct c3r_secret *secret, const char *collaboration, struct error *e)
{
	struct sealing *g = &t->g;

	if (pads_to_max(g->schema)) {
		if (!each_row(g, in, position, measure_row, e))
			return false;
		if (fseeko(in, 0, SEEK_SET) != 0) {
			fail(e, ERR_IO, "%s cannot be read twice", g->in_name);
			return error_hint(e, "A column is padded to its longest value, which takes two passes: give a file, not a pipe.");
		}
	}
	return prepare(g, secret, collaboration, e) && each_row(g, in, position, seal_row, e) && check_duplicates(g, e) && put_header(g, e) &&
	       sorter_finish(t->sorter, put_row, g, e);
}

bool seal_file(FILE *in, const char *in_name, FILE *out, const struct schema *schema, const struct c3r_secret *secret,
	       const char *collaboration, const struct seal_settings *settings, const struct rng *r, int64_t *rows, struct error *e)
{
	struct row_target t = { .g = { .schema = schema, .settings = settings, .rng = r, .in_name = in_name, .null = { settings->null_in }, .out = out } };
	struct sealing *g = &t.g;
	size_t *position = mem_alloc(schema->n, sizeof(*position));
	bool ok = false;

	g->position = position;
	g->keys = mem_alloc(schema->n, sizeof(*g->keys));
	g->padded = mem_alloc(schema->n, sizeof(*g->padded));
	g->longest = mem_alloc(schema->n, sizeof(*g->longest));
	g->seen = settings->allow_duplicates ? NULL : mem_alloc(schema->n, sizeof(struct sorter *));
	g->row.cipher = c3r_cipher_new();
	wr_init_heap(&g->line, LINE_MAX_OUT);
	wr_init_heap(&g->cell, C3R_CELL_MAX + 1);
	if (!position || !g->keys || !g->padded || !g->longest || !g->row.cipher || (!settings->allow_duplicates && !g->seen))
		fail_memory(e);
	else if (sorter_open(&t.sorter, e))
		ok = run(&t, in, position, secret, collaboration, e);
	*rows = g->rows;
	for (size_t i = 0; g->seen && i < schema->n; i++)
		sorter_close(g->seen[i]);
	sorter_close(t.sorter);
	c3r_cipher_free(g->row.cipher);
	if (g->keys)
		secret_wipe(g->keys, schema->n * sizeof(*g->keys));
	secret_key_wipe(&g->root);
	wr_free(&g->line);
	wr_free(&g->cell);
	mem_free(g->seen);
	mem_free(g->longest);
	mem_free(g->padded);
	mem_free(g->keys);
	mem_free(position);
	return ok;
}
