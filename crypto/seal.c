#include "crypto/seal.h"

#include "base/mem.h"
#include "base/text.h"
#include "crypto/crew.h"
#include "crypto/csv.h"
#include "crypto/seal_row.h"
#include "crypto/sorter.h"
#include "crypto/spool.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { JOBS_MAX = 2 * CREW_MAX + 2, LINE_ROOM = SCHEMA_COLUMNS_MAX * (SCHEMA_NAME_MAX + 4) + 128 };

/* The file's side of sealing: the only thread that reads and writes. */
struct sealing {
	struct seal_plan plan;
	const struct schema *schema; /* the plan's */
	const struct seal_settings *settings;
	const char *in_name;
	struct seal_target *targets;
	struct sorter *rows_by_nonce;
	struct sorter *seen; /* fingerprints of all columns, when duplicates are refused */
	void *workers[CREW_MAX], *jobs[JOBS_MAX];
	size_t n_workers, n_jobs;
	struct crew *crew;
	struct wr line;
	size_t n_fields; /* of a row */
	int64_t rows;
	FILE *out;
};

static bool write_failed(struct error *e)
{
	return fail(e, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "could not write the output: %s", strerror(errno));
}

/* Finds the one field whose header is `source`; headers[i] is NULL where the format does not allow field i's name. */
static bool find_source(const struct sealing *g, const char *const *headers, size_t n, const char *source, size_t *position, struct error *e)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		if (headers[i] && text_eq(headers[i], source)) {
			*position = i;
			found++;
		}
	}
	if (found == 1)
		return true;
	return fail(e, ERR_CONFIG, found ? "%s:1: two columns are named \"%s\"" : "%s:1: there is no column \"%s\", which the schema names", g->in_name, source) ||
	       (!found && n == 1 ? error_hint(e, "The header is one column.  Columns are separated by commas.") : false);
}

/* Where each target's source stands among the fields. */
static bool find_columns(struct sealing *g, const struct csv_reader *csv, struct error *e)
{
	struct arena a;
	bool ok = true;

	arena_init(&a, (size_t)CSV_COLUMNS_MAX * (SCHEMA_NAME_MAX + 64));
	const char **headers = arena_array(&a, csv->n_fields, const char *);
	g->n_fields = csv->n_fields;
	for (size_t i = 0; headers && i < csv->n_fields; i++) {
		if (!schema_header(&a, csv->fields[i].text, &headers[i]))
			headers[i] = NULL; /* a column that no schema can name */
	}
	if (!headers)
		ok = fail_memory(e);
	for (size_t i = 0; ok && i < g->schema->n; i++)
		ok = find_source(g, headers, csv->n_fields, g->schema->columns[i].source, &g->targets[i].position, e);
	arena_reset(&a);
	return ok;
}

static bool check_width(const struct sealing *g, const struct csv_reader *csv, struct error *e)
{
	if (csv->n_fields == g->n_fields)
		return true;
	return fail(e, ERR_IO, "%s:%lld: the row has %zu columns, not %zu", g->in_name, (long long)csv->line, csv->n_fields, g->n_fields);
}

static bool read_header(struct sealing *g, struct csv_reader *csv, struct error *e)
{
	bool end;

	if (!g->schema->header_row) {
		g->n_fields = g->schema->n_source;
		for (size_t i = 0; i < g->schema->n; i++)
			g->targets[i].position = g->schema->columns[i].position;
		return true;
	}
	if (!csv_next(csv, &end, e))
		return false;
	return end ? fail(e, ERR_IO, "%s: the file is empty; a header row is required", g->in_name) : find_columns(g, csv, e);
}

typedef bool (*row_fn)(struct sealing *g, struct csv_reader *csv, struct error *e);

/* Reads the file, headers first; each row to fn. */
static bool each_row(struct sealing *g, FILE *in, row_fn fn, struct error *e)
{
	struct csv_reader csv;
	bool end = false;

	if (!csv_open(&csv, in, g->in_name, e))
		return false;
	bool ok = read_header(g, &csv, e);
	while (ok) {
		ok = csv_next(&csv, &end, e);
		if (!ok || end)
			break;
		ok = check_width(g, &csv, e) && fn(g, &csv, e);
	}
	csv_close(&csv);
	return ok;
}

static bool measure_row(struct sealing *g, struct csv_reader *csv, struct error *e UNUSED)
{
	for (size_t i = 0; i < g->schema->n; i++) {
		const struct csv_field *f = &csv->fields[g->targets[i].position];
		size_t encoded = csv_is_null(&g->plan.null, f) ? (g->settings->preserve_nulls ? 0 : 1) : f->n + 1;
		if (encoded > g->targets[i].longest)
			g->targets[i].longest = encoded;
	}
	return true;
}

static bool put_row(void *ctx, const uint8_t *key UNUSED, const void *payload, size_t n, struct error *e)
{
	const struct sealing *g = ctx;

	return fwrite_unlocked(payload, 1, n, g->out) == n ? true : write_failed(e);
}

/* Takes the oldest job back: its rows and fingerprints go to be sorted.  The first row in the file that cannot be sealed decides the error. */
static bool collect(struct sealing *g, struct error *e)
{
	struct seal_job *j = crew_take(g->crew);
	size_t at = 0;

	if (!j)
		return true;
	if (j->n < j->in.n) {
		*e = j->error;
		return false;
	}
	for (size_t i = 0; i < j->n; at += j->rows[i++].n) {
		if (!sorter_add(g->rows_by_nonce, j->rows[i].nonce, j->out.p + at, j->rows[i].n, e))
			return false;
		g->rows++;
		if (g->settings->progress && g->rows % SEAL_PROGRESS_ROWS == 0)
			g->settings->progress(g->settings->progress_ctx, g->rows);
	}
	for (at = 0; at < j->seen.n; at += sizeof(struct seal_seen)) {
		struct seal_seen seen;
		mem_copy(&seen, j->seen.p + at, sizeof(seen));
		if (!sorter_add(g->seen, seen.key, &seen.line, sizeof(seen.line), e))
			return false;
	}
	crew_back(g->crew);
	return true;
}

/* The current row joins the job that is being filled; a full one goes to the threads. */
static bool hand_out(struct sealing *g, struct csv_reader *csv, struct error *e)
{
	struct seal_job *j = crew_idle(g->crew);

	if (!j) {
		if (!collect(g, e))
			return false;
		j = crew_idle(g->crew);
	}
	if (j->in.width != g->n_fields || j->handed) {
		batch_clear(&j->in, g->n_fields);
		j->handed = false;
	}
	if (!batch_add(&j->in, csv, e))
		return false;
	if (batch_full(&j->in)) {
		j->handed = true;
		crew_give(g->crew);
	}
	return true;
}

/* The last job, not full, and all that are still out. */
static bool collect_rest(struct sealing *g, struct error *e)
{
	struct seal_job *j = crew_idle(g->crew);

	if (j && !j->handed && j->in.n > 0)
		crew_give(g->crew);
	while (crew_take(g->crew)) {
		if (!collect(g, e))
			return false;
	}
	return true;
}

static bool start_crew(struct sealing *g, struct error *e)
{
	long cores = g->settings->threads > 0 ? g->settings->threads : sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = cores < 1 ? 1 : cores > CREW_MAX ? CREW_MAX : (size_t)cores;

	for (; g->n_workers < n; g->n_workers++) {
		struct sealer *s;
		if (!sealer_new(&s, &g->plan, e))
			return false;
		g->workers[g->n_workers] = s;
	}
	for (; g->n_jobs < 2 * n + 2; g->n_jobs++) {
		if (!(g->jobs[g->n_jobs] = seal_job_new()))
			return fail_memory(e);
	}
	return crew_start(&g->crew, seal_job_run, g->workers, g->n_workers, g->jobs, g->n_jobs, e);
}

static bool seal_rows(struct sealing *g, FILE *in, struct error *e)
{
	bool ok = start_crew(g, e) && each_row(g, in, hand_out, e) && collect_rest(g, e);

	crew_stop(g->crew);
	g->crew = NULL;
	for (size_t i = 0; i < g->n_workers; i++)
		sealer_free(g->workers[i]);
	for (size_t i = 0; i < g->n_jobs; i++)
		seal_job_free(g->jobs[i]);
	g->n_workers = g->n_jobs = 0;
	return ok;
}

struct duplicates {
	const struct sealing *g;
	uint8_t last[SORTER_KEY];
	int64_t last_line;
	bool any;
};

static bool is_null_key(const uint8_t *key)
{
	static const uint8_t zeros[SORTER_KEY - 4];

	return mem_equal(key, zeros, sizeof(zeros));
}

static bool check_duplicate(void *ctx, const uint8_t *key, const void *payload, size_t n UNUSED, struct error *e)
{
	struct duplicates *d = ctx;
	int64_t line;

	mem_copy(&line, payload, sizeof(line));
	if (d->any && mem_equal(d->last, key, SORTER_KEY)) {
		int64_t lo = line < d->last_line ? line : d->last_line, hi = line < d->last_line ? d->last_line : line;
		struct rd column = rd_of(key + SORTER_KEY - 4, 4);
		const char *name = d->g->schema->columns[rd_u32(&column)].target;
		if (is_null_key(key)) {
			fail(e, ERR_CRYPTO, "%s:%lld: column \"%s\" is NULL, as in line %lld", d->g->in_name, (long long)hi, name, (long long)lo);
			return error_hint(e, "Remove such rows, or seal with --preserve-nulls (then it shows which values are missing) or --allow-duplicates.");
		}
		fail(e, ERR_CRYPTO, "%s:%lld: column \"%s\" has the same value as line %lld", d->g->in_name, (long long)hi, name, (long long)lo);
		return error_hint(e, "Remove duplicates, or seal with --allow-duplicates (then value frequencies show).");
	}
	mem_copy(d->last, key, SORTER_KEY);
	d->last_line = line;
	d->any = true;
	return true;
}

static bool check_duplicates(struct sealing *g, struct error *e)
{
	struct duplicates d = { .g = g };

	return g->seen ? sorter_finish(g->seen, check_duplicate, &d, e) : true;
}

/* All rows are sealed by now, so their number is known. */
static bool put_file_tag(struct sealing *g)
{
	struct native_work *w = native_work_new(g->plan.secret, g->plan.collaboration);

	wr_u8(&g->line, ',');
	bool ok = w && native_file_put(w, g->plan.file, g->plan.names, (uint64_t)g->rows, &g->line);
	native_work_free(w);
	return ok;
}

static bool put_header(struct sealing *g, struct error *e)
{
	wr_clear(&g->line);
	for (size_t i = 0; i < g->schema->n; i++)
		csv_put(&g->line, g->schema->columns[i].target, strlen(g->schema->columns[i].target), i == 0, "");
	if (g->schema->format == FORMAT_NATIVE && !put_file_tag(g))
		return fail(e, ERR_CRYPTO, "could not make the file's tag");
	wr_u8(&g->line, '\n');
	return fwrite(g->line.p, 1, g->line.n, g->out) == g->line.n ? true : write_failed(e);
}

/* What can be refused without reading the file. */
static bool check_settings(const struct sealing *g, struct error *e)
{
	for (size_t i = 0; i < g->schema->n; i++) {
		const struct schema_column *c = &g->schema->columns[i];
		if (c->kind == COLUMN_CLEARTEXT && !g->settings->allow_cleartext) {
			fail(e, ERR_CRYPTO, "column \"%s\" is cleartext, which is off", c->target);
			return error_hint(e, "Seal or drop it, or agree on --allow-cleartext with the other members.");
		}
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

static bool measure(struct sealing *g, FILE *in, struct error *e)
{
	if (!pads_to_max(g->schema))
		return true;
	off_t start = ftello(in);
	if (!each_row(g, in, measure_row, e))
		return false;
	return fseeko(in, start, SEEK_SET) == 0 ? true : fail(e, ERR_IO, "%s cannot be read twice", g->in_name);
}

static bool bad_pad(const struct schema_column *c, size_t n, size_t least, size_t most, struct error *e)
{
	return fail(e, ERR_CRYPTO, "column \"%s\": padded length %zu is not between %zu and %zu", c->target, n, least, most);
}

static bool pad_c3r(const struct schema_column *c, struct seal_target *t, struct error *e)
{
	if (c->pad == PAD_NONE)
		return true;
	t->padded = c->pad == PAD_FIXED ? c->pad_length : c->pad_length + t->longest;
	if (c->pad == PAD_MAX && t->padded == 0)
		t->padded = 1; /* no value at all: nothing will be longer */
	return (t->padded >= 1 && t->padded <= C3R_PADDED_MAX) || bad_pad(c, t->padded, 1, C3R_PADDED_MAX, e);
}

/* Counted in value bytes.  A deterministic NULL hides behind random bytes, for which there must be room. */
static bool pad_native(const struct schema_column *c, struct seal_target *t, struct error *e)
{
	size_t least = c->kind == COLUMN_DETERMINISTIC ? NATIVE_NULL_MIN : 0;

	if (c->pad != PAD_FIXED && c->pad != PAD_MAX)
		return true;
	t->padded = c->pad == PAD_FIXED ? c->pad_length : c->pad_length + (t->longest ? t->longest - 1 : 0);
	if (c->pad == PAD_MAX && t->padded < least)
		t->padded = least;
	return (t->padded >= least && t->padded <= NATIVE_VALUE_MAX) || bad_pad(c, t->padded, least, NATIVE_VALUE_MAX, e);
}

/* The native format's file number and the digest of its header. */
static bool name_file(struct sealing *g, struct error *e)
{
	struct seal_plan *p = &g->plan;

	wr_clear(&g->line);
	for (size_t i = 0; i < g->schema->n; i++)
		native_names_add(&g->line, g->schema->columns[i].target, strlen(g->schema->columns[i].target));
	if (!wr_ok(&g->line) || !rng_fill(p->rng, p->file, sizeof(p->file)) || !hash_sha256(g->line.p, g->line.n, p->names))
		return fail(e, ERR_CRYPTO, "could not number the file");
	return true;
}

/* Keys and paddings of the target columns; the longest values are known by now. */
static bool prepare(struct sealing *g, struct error *e)
{
	if (!c3r_root_key(g->plan.secret, g->plan.collaboration, &g->plan.root))
		return fail(e, ERR_CRYPTO, "could not derive keys");
	if (g->schema->format == FORMAT_NATIVE && !name_file(g, e))
		return false;
	for (size_t i = 0; i < g->schema->n; i++) {
		const struct schema_column *c = &g->schema->columns[i];
		struct seal_target *t = &g->targets[i];
		bool equal = c->kind == COLUMN_FINGERPRINT || c->kind == COLUMN_DETERMINISTIC; /* equal values show */
		if (equal && !g->settings->allow_duplicates && !g->seen && !sorter_open(&g->seen, e))
			return false;
		if (!(g->schema->format == FORMAT_NATIVE ? pad_native(c, t, e) : pad_c3r(c, t, e)))
			return false;
	}
	g->plan.note_seen = g->seen != NULL;
	return true;
}

bool seal_file(FILE *in, const char *in_name, FILE *out, const struct schema *schema, const struct c3r_secret *secret,
	       const char *collaboration, const struct seal_settings *settings, const struct rng *r, int64_t *rows, struct error *e)
{
	struct sealing g = { .schema = schema, .settings = settings, .in_name = in_name, .out = out };
	FILE *copy = NULL;
	bool ok = false;

	secret_lock(&g.plan.root, sizeof(g.plan.root));
	g.targets = mem_alloc(schema->n, sizeof(*g.targets));
	g.plan = (struct seal_plan){ .schema = schema, .settings = settings, .rng = r, .secret = secret, .collaboration = collaboration, .in_name = in_name,
				     .targets = g.targets, .null = { settings->null_in },
				     .null_text = text_eq(settings->null_out, "\"\"") ? "" : settings->null_out };
	wr_init_heap(&g.line, LINE_ROOM);
	if (!g.targets)
		fail_memory(e);
	else if (check_settings(&g, e) && (!pads_to_max(schema) || ftello(in) >= 0 || spool_copy(in, in_name, r, &copy, e)))
		ok = measure(&g, copy ? copy : in, e) && prepare(&g, e) && sorter_open(&g.rows_by_nonce, e) && seal_rows(&g, copy ? copy : in, e) &&
		     check_duplicates(&g, e) && put_header(&g, e) && sorter_finish(g.rows_by_nonce, put_row, &g, e);
	*rows = g.rows;
	if (copy)
		(void)fclose(copy);
	sorter_close(g.seen);
	sorter_close(g.rows_by_nonce);
	mem_free(g.targets);
	secret_key_wipe(&g.plan.root);
	wr_free(&g.line);
	return ok;
}
