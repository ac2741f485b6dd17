#include "crypto/seal.h"

#include "base/mem.h"
#include "base/text.h"
#include "crypto/crew.h"
#include "crypto/unseal_row.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { JOBS_MAX = 2 * CREW_MAX + 2 };

/* The file's side of unsealing: the only thread that reads and writes. */
struct unsealing {
	struct unseal_plan plan;
	const struct unseal_settings *settings;
	void *workers[CREW_MAX], *jobs[JOBS_MAX];
	size_t n_workers, n_jobs;
	struct crew *crew;
	struct native_place last; /* of the row before */
	bool any;                 /* there was one */
	uint64_t sealed_rows;     /* that the file's tag tells of */
	int64_t rows, opened;
	FILE *out;
};

static bool put_bytes(struct unsealing *g, const struct wr *w, struct error *e)
{
	if (!wr_ok(w))
		return fail_memory(e);
	if (fwrite_unlocked(w->p, 1, w->n, g->out) == w->n)
		return true;
	return fail(e, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "could not write the output: %s", strerror(errno));
}

/* The column of tags by its name; in a file as it was sealed the file's tag follows. */
static bool is_tag(const struct csv_field *f)
{
	size_t n = sizeof(NATIVE_FILE_COLUMN) - 1;

	return text_eq(f->text, NATIVE_ROW_COLUMN) || (f->n >= n && mem_equal(f->text, NATIVE_FILE_COLUMN, n));
}

static bool not_whole(struct unsealing *g, int64_t line, const char *why, struct error *e)
{
	fail(e, ERR_CRYPTO, "%s:%lld: column \"" NATIVE_ROW_COLUMN "\": %s", g->plan.in_name, (long long)line, why);
	return error_hint(e, "For rows that went through a database: --partial.");
}

/* The header of a file as it was sealed says which file this is and how many rows it has. */
static bool check_file_tag(struct unsealing *g, const struct csv_reader *csv, struct error *e)
{
	const struct unseal_plan *p = &g->plan;
	const char *why = "the name has lost the file's tag";

	if (p->tag == p->n || g->settings->partial)
		return true;
	const struct csv_field *f = &csv->fields[p->tag];
	struct native_work *w = native_work_new(p->secret, p->collaboration);
	if (!w)
		return fail_memory(e);
	bool ok = !text_eq(f->text, NATIVE_ROW_COLUMN) && native_file_check(w, f->text, f->n, p->digest, g->last.file, &g->sealed_rows, &why);
	if (!ok)
		not_whole(g, csv->line, why, e);
	native_work_free(w);
	return ok;
}

static bool check_count(struct unsealing *g, int64_t line, struct error *e)
{
	char why[96];

	if (g->plan.tag == g->plan.n || g->settings->partial || (uint64_t)g->rows == g->sealed_rows)
		return true;
	(void)snprintf(why, sizeof(why), "%lld rows are here, %llu were sealed", (long long)g->rows, (unsigned long long)g->sealed_rows);
	return not_whole(g, line, why, e);
}

/* The header without the column of tags, and the digest of its names. */
static bool put_header(struct unsealing *g, const struct csv_reader *csv, struct error *e)
{
	struct unseal_plan *p = &g->plan;
	struct wr line, names;
	bool ok = true, first = true;

	p->names = mem_alloc(csv->n_fields, sizeof(*p->names));
	if (!p->names)
		return fail_memory(e);
	p->n = p->tag = csv->n_fields;
	wr_init_heap(&line, CSV_RECORD_MAX);
	wr_init_heap(&names, CSV_RECORD_MAX);
	for (size_t i = 0; i < p->n; i++) {
		const struct csv_field *f = &csv->fields[i];
		bool tag = is_tag(f) && p->tag == p->n;
		ok = ok && (p->names[i] = mem_strdup(tag ? NATIVE_ROW_COLUMN : f->text)) != NULL;
		if (tag) {
			p->tag = i;
			continue;
		}
		native_names_add(&names, f->text, f->n);
		csv_put(&line, f->text, f->n, first, "");
		first = false;
	}
	wr_u8(&line, '\n');
	ok = ok && wr_ok(&names) ? true : fail_memory(e);
	if (ok && !hash_sha256(names.p ? names.p : (const uint8_t *)"", names.n, p->digest))
		ok = fail(e, ERR_CRYPTO, "could not hash the header");
	ok = ok && put_bytes(g, &line, e);
	wr_free(&line);
	wr_free(&names);
	return ok;
}

static bool ascends(const uint8_t a[NATIVE_ROW], const uint8_t b[NATIVE_ROW])
{
	for (size_t i = 0; i < NATIVE_ROW; i++) {
		if (a[i] != b[i])
			return a[i] < b[i];
	}
	return false;
}

/* Rows of a sealed file are all of it, and ascend: one that does not was copied or moved. */
static bool check_order(struct unsealing *g, const struct unseal_job *j, struct error *e)
{
	for (size_t i = 0; i < j->n; i++) {
		const struct native_place *at = &j->places[i];
		const char *why = NULL;
		if (!mem_equal(at->file, g->last.file, sizeof(at->file)))
			why = "the row belongs to another file";
		else if (g->any && !ascends(g->last.row, at->row))
			why = "the row is a copy of another row, or was moved";
		if (why)
			return not_whole(g, j->in.lines[i], why, e);
		g->last = *at;
		g->any = true;
	}
	return true;
}

/* Takes the oldest job back and writes its rows.  The first row in the file that is wrong decides the error. */
static bool collect(struct unsealing *g, struct error *e)
{
	struct unseal_job *j = crew_take(g->crew);

	if (!j)
		return true;
	if (g->plan.tag < g->plan.n && !g->settings->partial && !check_order(g, j, e))
		return false;
	if (j->n < j->in.n) {
		*e = j->error;
		return false;
	}
	if (!put_bytes(g, &j->out, e))
		return false;
	g->rows += (int64_t)j->n;
	g->opened += (int64_t)j->opened;
	if (g->settings->progress)
		g->settings->progress(g->settings->progress_ctx, g->rows);
	crew_back(g->crew);
	return true;
}

static bool hand_out(struct unsealing *g, struct csv_reader *csv, struct error *e)
{
	struct unseal_job *j = crew_idle(g->crew);

	if (csv->n_fields != g->plan.n)
		return fail(e, ERR_IO, "%s:%lld: the row has %zu columns, not %zu", g->plan.in_name, (long long)csv->line, csv->n_fields, g->plan.n);
	if (!j) {
		if (!collect(g, e))
			return false;
		j = crew_idle(g->crew);
	}
	if (j->in.width != g->plan.n || j->handed) {
		batch_clear(&j->in, g->plan.n);
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

static bool collect_rest(struct unsealing *g, struct error *e)
{
	struct unseal_job *j = crew_idle(g->crew);

	if (j && !j->handed && j->in.n > 0)
		crew_give(g->crew);
	while (crew_take(g->crew)) {
		if (!collect(g, e))
			return false;
	}
	return true;
}

static bool start_crew(struct unsealing *g, struct error *e)
{
	long cores = g->settings->threads > 0 ? g->settings->threads : sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = cores < 1 ? 1 : cores > CREW_MAX ? CREW_MAX : (size_t)cores;

	for (; g->n_workers < n; g->n_workers++) {
		struct unsealer *u;
		if (!unsealer_new(&u, &g->plan, e))
			return false;
		g->workers[g->n_workers] = u;
	}
	for (; g->n_jobs < 2 * n + 2; g->n_jobs++) {
		if (!(g->jobs[g->n_jobs] = unseal_job_new()))
			return fail_memory(e);
	}
	return crew_start(&g->crew, unseal_job_run, g->workers, g->n_workers, g->jobs, g->n_jobs, e);
}

static bool run(struct unsealing *g, struct csv_reader *csv, struct error *e)
{
	bool end;

	if (!csv_next(csv, &end, e))
		return false;
	if (end)
		return fail(e, ERR_IO, "%s: the file is empty", g->plan.in_name);
	if (!put_header(g, csv, e) || !check_file_tag(g, csv, e) || !start_crew(g, e))
		return false;
	for (;;) {
		if (!csv_next(csv, &end, e))
			return false;
		if (end)
			return collect_rest(g, e) && check_count(g, csv->at_line, e);
		if (!hand_out(g, csv, e))
			return false;
	}
}

static void stop(struct unsealing *g)
{
	crew_stop(g->crew);
	for (size_t i = 0; i < g->n_workers; i++)
		unsealer_free(g->workers[i]);
	for (size_t i = 0; i < g->n_jobs; i++)
		unseal_job_free(g->jobs[i]);
	for (size_t i = 0; g->plan.names && i < g->plan.n; i++)
		mem_free(g->plan.names[i]);
	mem_free(g->plan.names);
	secret_key_wipe(&g->plan.root);
}

bool unseal_file(FILE *in, const char *in_name, FILE *out, const struct c3r_secret *secret, const char *collaboration,
		 const struct unseal_settings *settings, int64_t *rows, struct error *e)
{
	struct unsealing g = { .settings = settings, .out = out,
			       .plan = { .settings = settings, .secret = secret, .collaboration = collaboration, .in_name = in_name,
					 .null = { settings->null_in } } };
	struct csv_reader csv;
	bool ok = false;

	secret_lock(&g.plan.root, sizeof(g.plan.root));
	if (!c3r_root_key(secret, collaboration, &g.plan.root)) {
		fail(e, ERR_CRYPTO, "could not derive keys");
	} else if (csv_open(&csv, in, in_name, e)) {
		ok = run(&g, &csv, e);
		csv_close(&csv);
	}
	stop(&g);
	*rows = g.rows;
	if (settings->opened)
		*settings->opened = g.opened;
	return ok;
}
