#include "crypto/seal.h"

#include "base/mem.h"
#include "crypto/csv.h"

#include <errno.h>
#include <string.h>

struct unsealing {
	const struct unseal_settings *settings;
	const char *in_name;
	struct secret_key root;
	struct c3r_work *work;
	char **names; /* headers, for errors */
	size_t n;
	struct wr line, cell;
	struct csv_null null;
	FILE *out;
};

static bool at_cell(const struct unsealing *g, const struct csv_reader *csv, size_t i, struct error *e, const char *what)
{
	return fail(e, ERR_CRYPTO, "%s:%lld: column \"%s\" cannot be unsealed: %s", g->in_name, (long long)csv->line, g->names[i], what);
}

static bool put_cell(struct unsealing *g, const struct csv_reader *csv, size_t i, struct error *e)
{
	const struct csv_field *f = &csv->fields[i];
	const char *why = "";
	bool null = csv_is_null(&g->null, f);

	switch (null ? CELL_CLEAR : c3r_kind(f->text, f->n)) {
	case CELL_CLEAR:
		csv_put(&g->line, null ? NULL : f->text, f->n, i == 0, g->settings->null_out);
		return true;
	case CELL_OTHER_VERSION:
		return at_cell(g, csv, i, e, "it has another format version");
	case CELL_FINGERPRINT:
		if (g->settings->fail_on_fingerprint)
			return at_cell(g, csv, i, e, "it is a fingerprint, which nobody can reverse");
		csv_put(&g->line, f->text, f->n, i == 0, "");
		return true;
	case CELL_SEALED:
		break;
	}
	wr_clear(&g->cell);
	if (!c3r_open(g->work, &g->root, f->text, f->n, &g->cell, &null, &why) || !wr_ok(&g->cell))
		return at_cell(g, csv, i, e, why);
	csv_put(&g->line, null ? NULL : wr_text(&g->cell), g->cell.n, i == 0, g->settings->null_out);
	return true;
}

static bool put_line(struct unsealing *g, struct error *e)
{
	wr_u8(&g->line, '\n');
	if (!wr_ok(&g->line))
		return fail_memory(e);
	if (fwrite_unlocked(g->line.p, 1, g->line.n, g->out) == g->line.n)
		return true;
	return fail(e, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "could not write the output: %s", strerror(errno));
}

static bool put_header(struct unsealing *g, const struct csv_reader *csv, struct error *e)
{
	g->n = csv->n_fields;
	g->names = mem_alloc(g->n, sizeof(*g->names));
	if (!g->names)
		return fail_memory(e);
	wr_clear(&g->line);
	for (size_t i = 0; i < g->n; i++) {
		g->names[i] = mem_strdup(csv->fields[i].text);
		if (!g->names[i])
			return fail_memory(e);
		csv_put(&g->line, csv->fields[i].text, csv->fields[i].n, i == 0, "");
	}
	return put_line(g, e);
}

static bool run(struct unsealing *g, struct csv_reader *csv, int64_t *rows, struct error *e)
{
	bool end;

	if (!csv_next(csv, &end, e))
		return false;
	if (end)
		return fail(e, ERR_IO, "%s: the file is empty", g->in_name);
	if (!put_header(g, csv, e))
		return false;
	for (;;) {
		if (!csv_next(csv, &end, e))
			return false;
		if (end)
			return true;
		if (csv->n_fields != g->n)
			return fail(e, ERR_IO, "%s:%lld: the row has %zu columns, not %zu", g->in_name, (long long)csv->line, csv->n_fields, g->n);
		wr_clear(&g->line);
		for (size_t i = 0; i < g->n; i++) {
			if (!put_cell(g, csv, i, e))
				return false;
		}
		if (!put_line(g, e))
			return false;
		(*rows)++;
		if (g->settings->progress && *rows % SEAL_PROGRESS_ROWS == 0)
			g->settings->progress(g->settings->progress_ctx, *rows);
	}
}

bool unseal_file(FILE *in, const char *in_name, FILE *out, const struct c3r_secret *secret, const char *collaboration,
		 const struct unseal_settings *settings, int64_t *rows, struct error *e)
{
	struct unsealing g = { .settings = settings, .in_name = in_name, .null = { settings->null_in }, .out = out, .work = c3r_work_new() };
	struct csv_reader csv;
	bool ok = false;

	*rows = 0;
	wr_init_heap(&g.line, (size_t)64 << 20);
	wr_init_heap(&g.cell, C3R_CELL_MAX + 1);
	if (!g.work) {
		fail_memory(e);
	} else if (!c3r_root_key(secret, collaboration, &g.root)) {
		fail(e, ERR_CRYPTO, "could not derive keys");
	} else if (csv_open(&csv, in, in_name, e)) {
		ok = run(&g, &csv, rows, e);
		csv_close(&csv);
	}
	for (size_t i = 0; g.names && i < g.n; i++)
		mem_free(g.names[i]);
	mem_free(g.names);
	c3r_work_free(g.work);
	secret_key_wipe(&g.root);
	wr_free(&g.line);
	wr_free(&g.cell);
	return ok;
}
