#include "crypto/unseal_row.h"

#include "base/mem.h"

enum { PLACES_MAX = 16 };

struct unsealer {
	const struct unseal_plan *plan;
	struct c3r_work *c3r;
	struct native_work *native;
	struct native_siv_key *siv_keys, siv_common; /* one per column, and the one that serves all columns */
	struct wr cell;
	struct native_place places[PLACES_MAX]; /* that the current row's cells name, one for each file */
	size_t n_places;
};

struct unseal_job *unseal_job_new(void)
{
	struct unseal_job *j = mem_alloc(1, sizeof(*j));

	if (j) {
		batch_init(&j->in);
		wr_init_heap(&j->out, (size_t)64 << 20);
	}
	return j;
}

void unseal_job_free(struct unseal_job *j)
{
	if (!j)
		return;
	batch_free(&j->in);
	wr_free(&j->out);
	mem_free(j);
}

bool unsealer_new(struct unsealer **out, const struct unseal_plan *plan, struct error *e)
{
	struct unsealer *u = mem_alloc(1, sizeof(*u));
	bool ok = u != NULL;

	if (u) {
		*u = (struct unsealer){ .plan = plan, .c3r = c3r_work_new(), .native = native_work_new(plan->secret, plan->collaboration) };
		u->siv_keys = mem_alloc(plan->n, sizeof(*u->siv_keys));
		wr_init_heap(&u->cell, C3R_CELL_MAX + 1);
		ok = u->c3r && u->native && u->siv_keys && native_siv_key(plan->secret, plan->collaboration, "", true, &u->siv_common);
	}
	for (size_t i = 0; ok && i < plan->n; i++)
		ok = native_siv_key(plan->secret, plan->collaboration, plan->names[i], false, &u->siv_keys[i]);
	if (!ok) {
		unsealer_free(u);
		return fail_memory(e);
	}
	*out = u;
	return true;
}

void unsealer_free(struct unsealer *u)
{
	if (!u)
		return;
	c3r_work_free(u->c3r);
	native_work_free(u->native);
	if (u->siv_keys)
		secret_wipe(u->siv_keys, u->plan->n * sizeof(*u->siv_keys));
	mem_free(u->siv_keys);
	wr_free(&u->cell);
	secret_wipe(u, sizeof(*u));
	mem_free(u);
}

static bool at_cell(const struct unsealer *u, struct unseal_job *j, size_t i, const char *what)
{
	return fail(&j->error, ERR_CRYPTO, "%s:%lld: column \"%s\" cannot be unsealed: %s", u->plan->in_name, (long long)j->in.lines[j->n],
		    u->plan->names[i], what);
}

/*
 * All sealed cells of a row that come from one file belong to one of its rows: the row's tag when it is there, else the first of them.  A row that was
 * joined from several files has one place in each.
 */
static bool same_row(struct unsealer *u, struct unseal_job *j, size_t i, const struct csv_field *f)
{
	struct native_place at;
	const char *why;

	if (!native_place_of(u->native, f->text, f->n, &at, &why))
		return at_cell(u, j, i, why);
	for (size_t k = 0; k < u->n_places; k++) {
		if (!mem_equal(u->places[k].file, at.file, sizeof(at.file)))
			continue;
		return mem_equal(u->places[k].row, at.row, sizeof(at.row)) ? true : at_cell(u, j, i, "it belongs to another row");
	}
	if (u->plan->tag < u->plan->n && !u->plan->settings->partial)
		return at_cell(u, j, i, "it belongs to another file");
	if (u->n_places == PLACES_MAX)
		return at_cell(u, j, i, "its row was put together from too many files");
	u->places[u->n_places++] = at;
	return true;
}

static bool not_opened(const struct unsealer *u, struct unseal_job *j, size_t i, const char *why)
{
	at_cell(u, j, i, why);
	return u->plan->settings->partial ?
		       error_hint(&j->error, "A column opens only under the name that it was sealed under: if the query gave it another, give it back in the header.") :
		       false;
}

static bool open_native(struct unsealer *u, struct unseal_job *j, size_t i, const struct csv_field *f, enum native_cell kind, bool *null)
{
	const struct unseal_plan *p = u->plan;
	const char *why = "";

	if (kind == NATIVE_DETERMINISTIC) {
		if (native_open_deterministic(u->native, &u->siv_keys[i], f->text, f->n, &u->cell, null, &why))
			return true;
		wr_clear(&u->cell);
		return native_open_deterministic(u->native, &u->siv_common, f->text, f->n, &u->cell, null, &why) || not_opened(u, j, i, why);
	}
	return same_row(u, j, i, f) && (native_open(u->native, p->names[i], f->text, f->n, &u->cell, null, &why) || not_opened(u, j, i, why));
}

/* Fingerprints stay as they are. */
static bool pass_fingerprint(struct unsealer *u, struct unseal_job *j, size_t i, const struct csv_field *f, bool first)
{
	if (u->plan->settings->fail_on_fingerprint)
		return at_cell(u, j, i, "it is a fingerprint, which nobody can reverse");
	csv_put(&j->out, f->text, f->n, first, "");
	return true;
}

static bool put_cell(struct unsealer *u, struct unseal_job *j, size_t i, bool first)
{
	const struct csv_field f = batch_get(&j->in, j->n, i);
	const char *null_out = u->plan->settings->null_out, *why = "";
	bool null = csv_is_null(&u->plan->null, &f);
	enum c3r_cell c3r = null ? CELL_CLEAR : c3r_kind(f.text, f.n);
	enum native_cell native = null ? NATIVE_NONE : native_kind(f.text, f.n);

	if (native != NATIVE_NONE && u->plan->tag == u->plan->n && !u->plan->settings->partial) {
		at_cell(u, j, i, "the file has no column " NATIVE_ROW_COLUMN ", without which nobody can tell whether rows were changed");
		return error_hint(&j->error, "For an answer with some of the columns: --partial.");
	}
	if (c3r == CELL_OTHER_VERSION || native == NATIVE_OTHER)
		return at_cell(u, j, i, "it has another format version");
	if (native == NATIVE_TAG)
		return at_cell(u, j, i, "it is a row's tag in another column than " NATIVE_ROW_COLUMN);
	if (c3r == CELL_FINGERPRINT || native == NATIVE_FINGERPRINT)
		return pass_fingerprint(u, j, i, &f, first);
	if (c3r == CELL_CLEAR && native == NATIVE_NONE) {
		csv_put(&j->out, null ? NULL : f.text, f.n, first, null_out);
		return true;
	}
	wr_clear(&u->cell);
	if (native != NATIVE_NONE) {
		if (!open_native(u, j, i, &f, native, &null))
			return false;
	} else if (!c3r_open(u->c3r, &u->plan->root, f.text, f.n, &u->cell, &null, &why)) {
		return at_cell(u, j, i, why);
	}
	if (!wr_ok(&u->cell))
		return fail_memory(&j->error);
	j->opened++;
	csv_put(&j->out, null ? NULL : wr_text(&u->cell), u->cell.n, first, null_out);
	return true;
}

/* The row's tag says which row this is; its cells are checked against it one by one, and at the end all together. */
static bool begin_row(struct unsealer *u, struct unseal_job *j)
{
	const struct unseal_plan *p = u->plan;
	const char *why;

	u->n_places = 0;
	if (p->tag == p->n)
		return true;
	const struct csv_field f = batch_get(&j->in, j->n, p->tag);
	if (native_kind(f.text, f.n) != NATIVE_TAG)
		return at_cell(u, j, p->tag, "it is no row's tag");
	if (!native_place_of(u->native, f.text, f.n, &j->places[j->n], &why))
		return at_cell(u, j, p->tag, why);
	u->places[u->n_places++] = j->places[j->n];
	return true;
}

static bool check_tag(struct unsealer *u, struct unseal_job *j)
{
	const struct unseal_plan *p = u->plan;
	const char *why;

	if (p->tag == p->n || p->settings->partial)
		return true;
	native_tag_begin(u->native, &j->places[j->n], p->digest);
	for (size_t i = 0; i < p->n; i++) {
		const struct csv_field f = batch_get(&j->in, j->n, i);
		if (i != p->tag)
			native_tag_cell(u->native, f.text, f.n);
	}
	const struct csv_field f = batch_get(&j->in, j->n, p->tag);
	if (native_tag_check(u->native, f.text, f.n, &why)) {
		j->opened++;
		return true;
	}
	at_cell(u, j, p->tag, why);
	return error_hint(&j->error, "For an answer with some of the columns, or values that went through a database: --partial.");
}

static bool open_row(struct unsealer *u, struct unseal_job *j)
{
	const size_t start = j->out.n;
	bool first = true;

	if (!begin_row(u, j))
		return false;
	for (size_t i = 0; i < u->plan->n; i++) {
		if (i == u->plan->tag)
			continue;
		if (!put_cell(u, j, i, first))
			return false;
		first = false;
	}
	csv_end(&j->out, start);
	return wr_ok(&j->out) ? check_tag(u, j) : fail_memory(&j->error);
}

void unseal_job_run(void *unsealer, void *job)
{
	struct unsealer *u = unsealer;
	struct unseal_job *j = job;

	wr_clear(&j->out);
	j->opened = 0;
	for (j->n = 0; j->n < j->in.n; j->n++) {
		if (!open_row(u, j))
			return;
	}
}
