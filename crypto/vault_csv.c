#include "crypto/vault_csv.h"

#include "base/mem.h"
#include "base/text.h"
#include "crypto/csv.h"

#include <errno.h>
#include <string.h>

/* One run over a file. */
struct pass {
	struct vault *vault;
	const struct token_schema *schema;
	bool back;
	const char *in_name;
	size_t *position; /* of each schema column among the fields */
	struct wr line, value;
	int64_t cells;
};

static const char *reads(const struct pass *g, const struct token_column *c)
{
	return g->back ? c->target : c->source;
}

static bool columns_find(struct pass *g, const struct csv_reader *csv, struct error *e)
{
	struct arena a;

	arena_init(&a, (size_t)CSV_COLUMNS_MAX * (SCHEMA_NAME_MAX + 64));
	const char **headers = arena_array(&a, csv->n_fields, const char *);
	bool ok = headers || fail_memory(e);
	for (size_t f = 0; ok && f < csv->n_fields; f++)
		if (!schema_header(&a, csv->fields[f].text, &headers[f]))
			headers[f] = NULL; /* a column that no schema can name */
	for (size_t i = 0; ok && i < g->schema->n; i++) {
		size_t found = 0;
		for (size_t f = 0; f < csv->n_fields; f++) {
			if (!headers[f] || !text_eq(headers[f], reads(g, &g->schema->columns[i])))
				continue;
			g->position[i] = f;
			found++;
		}
		if (found != 1)
			ok = fail(e, ERR_CONFIG, found ? "%s:1: two columns are named \"%s\"" : "%s:1: there is no column \"%s\", which the schema names",
				  g->in_name, reads(g, &g->schema->columns[i]));
	}
	arena_reset(&a);
	return ok;
}

static void header_put(struct pass *g)
{
	wr_clear(&g->line);
	for (size_t i = 0; i < g->schema->n; i++) {
		const char *name = g->back ? g->schema->columns[i].source : g->schema->columns[i].target;
		csv_put(&g->line, name, strlen(name), i == 0, "");
	}
	wr_u8(&g->line, '\n');
}

static bool cell(struct pass *g, const struct csv_reader *csv, const struct token_column *c, const struct csv_field *f, struct error *e)
{
	bool found = true, ok;

	wr_clear(&g->value);
	if (g->back)
		ok = vault_value(g->vault, c->domain, f->text, f->n, &g->value, &found, e);
	else
		ok = vault_token(g->vault, c->domain, f->text, f->n, c->keep_length, &g->value, e);
	if (ok && !found)
		ok = fail(e, ERR_CRYPTO, "the vault has no such token in domain \"%s\"", c->domain);
	ok = ok && (wr_ok(&g->value) || fail_memory(e));
	if (!ok)
		return error_detail(e, "%s:%lld: column \"%s\".", g->in_name, (long long)csv->line, reads(g, c));
	g->cells++;
	return true;
}

static bool row(struct pass *g, const struct csv_reader *csv, struct error *e)
{
	const struct csv_null null = { NULL };

	wr_clear(&g->line);
	for (size_t i = 0; i < g->schema->n; i++) {
		const struct token_column *c = &g->schema->columns[i];
		const struct csv_field *f = &csv->fields[g->position[i]];
		if (csv_is_null(&null, f)) {
			csv_put(&g->line, NULL, 0, i == 0, "");
		} else if (!c->token) {
			csv_put(&g->line, f->text, f->n, i == 0, "");
		} else {
			if (!cell(g, csv, c, f, e))
				return false;
			csv_put(&g->line, wr_text(&g->value), g->value.n, i == 0, "");
		}
	}
	csv_end(&g->line, 0);
	return true;
}

static bool write_line(struct pass *g, FILE *out, struct error *e)
{
	if (!wr_ok(&g->line))
		return fail_memory(e);
	return fwrite(g->line.p, 1, g->line.n, out) == g->line.n ||
	       fail(e, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "could not write the output: %s", strerror(errno));
}

static bool rows(struct pass *g, struct csv_reader *csv, FILE *out, struct error *e)
{
	size_t n_fields;
	bool end;

	if (!csv_next(csv, &end, e))
		return false;
	if (end)
		return fail(e, ERR_CONFIG, "%s:1: the file has no header", g->in_name);
	n_fields = csv->n_fields;
	if (!columns_find(g, csv, e))
		return false;
	header_put(g);
	for (;;) {
		if (!write_line(g, out, e) || !csv_next(csv, &end, e))
			return false;
		if (end)
			return true;
		if (csv->n_fields != n_fields)
			return fail(e, ERR_CONFIG, "%s:%lld: the row has %zu fields, not %zu as the header", g->in_name, (long long)csv->line, csv->n_fields,
				    n_fields);
		if (!row(g, csv, e))
			return false;
	}
}

bool token_file(struct vault *v, const struct token_schema *schema, bool back, FILE *in, const char *in_name, FILE *out, int64_t *cells,
		struct error *e)
{
	struct pass g = { .vault = v, .schema = schema, .back = back, .in_name = in_name, .position = mem_alloc(schema->n, sizeof(size_t)) };
	struct csv_reader csv = { 0 };

	wr_init_heap(&g.line, (size_t)CSV_RECORD_MAX * 4);
	wr_init_heap(&g.value, VAULT_VALUE_MAX);
	bool ok = (g.position || fail_memory(e)) && csv_open(&csv, in, in_name, e);
	if (ok) {
		ok = rows(&g, &csv, out, e);
		csv_close(&csv);
	}
	*cells = g.cells;
	wr_free(&g.line);
	wr_free(&g.value);
	mem_free(g.position);
	return ok;
}
