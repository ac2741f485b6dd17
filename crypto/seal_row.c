#include "crypto/seal_row.h"

#include "base/mem.h"
#include "crypto/hash.h"

#include <string.h>

enum { LINE_ROOM = SCHEMA_COLUMNS_MAX * (C3R_CELL_MAX + 3) };

struct sealer {
	const struct seal_plan *plan;
	struct c3r_work *c3r;
	struct native_work *native;
	struct hash_mac **macs;          /* one per schema column; fingerprints only */
	struct native_siv_key *siv_keys; /* one per schema column; native format only, deterministic columns only */
};

struct seal_job *seal_job_new(void)
{
	struct seal_job *j = mem_alloc(1, sizeof(*j));

	if (j) {
		batch_init(&j->in);
		wr_init_heap(&j->out, (size_t)LINE_ROOM + ((size_t)64 << 20));
		wr_init_heap(&j->seen, (size_t)BATCH_ROWS * SCHEMA_COLUMNS_MAX * sizeof(struct seal_seen));
	}
	return j;
}

void seal_job_free(struct seal_job *j)
{
	if (!j)
		return;
	batch_free(&j->in);
	wr_free(&j->out);
	wr_free(&j->seen);
	mem_free(j);
}

/* Column i's own keys. */
static bool column_keys(struct sealer *s, size_t i)
{
	const struct seal_plan *p = s->plan;
	const struct schema_column *c = &p->schema->columns[i];
	bool native = p->schema->format == FORMAT_NATIVE, one_key = p->settings->any_name;

	if (c->kind == COLUMN_DETERMINISTIC)
		return native_siv_key(p->secret, p->collaboration, c->target, one_key, &s->siv_keys[i]);
	if (c->kind != COLUMN_FINGERPRINT)
		return true;
	s->macs[i] = native ? native_column_mac(p->secret, p->collaboration, c->target, one_key) :
			      c3r_column_mac(p->secret, p->collaboration, c->target, one_key);
	return s->macs[i] != NULL;
}

bool sealer_new(struct sealer **out, const struct seal_plan *plan, struct error *e)
{
	struct sealer *s = mem_alloc(1, sizeof(*s));
	bool native = plan->schema->format == FORMAT_NATIVE, ok = s != NULL;

	if (s) {
		*s = (struct sealer){ .plan = plan, .c3r = native ? NULL : c3r_work_new() };
		if (native)
			s->native = native_work_new(plan->secret, plan->collaboration);
		s->macs = mem_alloc(plan->schema->n, sizeof(struct hash_mac *));
		s->siv_keys = mem_alloc(plan->schema->n, sizeof(*s->siv_keys));
		ok = (native ? s->native != NULL : s->c3r != NULL) && s->macs && s->siv_keys;
	}
	for (size_t i = 0; ok && i < plan->schema->n; i++)
		ok = column_keys(s, i);
	if (!ok) {
		sealer_free(s);
		return fail_memory(e);
	}
	*out = s;
	return true;
}

void sealer_free(struct sealer *s)
{
	if (!s)
		return;
	c3r_work_free(s->c3r);
	native_work_free(s->native);
	for (size_t i = 0; s->macs && i < s->plan->schema->n; i++)
		hash_mac_free(s->macs[i]);
	if (s->siv_keys)
		secret_wipe(s->siv_keys, s->plan->schema->n * sizeof(*s->siv_keys));
	mem_free(s->siv_keys);
	mem_free(s->macs);
	mem_free(s);
}

static bool at_cell(const struct sealer *s, struct seal_job *j, size_t column, const char *what)
{
	return fail(&j->error, ERR_CRYPTO, "%s:%lld: column \"%s\": %s", s->plan->in_name, (long long)j->in.lines[j->n],
		    s->plan->schema->columns[column].target, what);
}

/*
 * Notes a fingerprint as seen.  Sorted by 28 of its bytes, then the column, then nothing: equal values of one column come to stand together, while the same
 * value in two columns (one key for all) stays apart.  224 bits never collide by accident.  All NULLs of a column count as one value.
 */
static void note_seen(struct seal_job *j, size_t column, const uint8_t *mac, bool null)
{
	struct seal_seen seen = { .line = j->in.lines[j->n] };
	size_t n = sizeof(seen.key) - 4;

	if (!null)
		mem_copy(seen.key, mac, n);
	for (size_t i = 0; i < 4; i++)
		seen.key[n + i] = (uint8_t)(column >> (24 - 8 * i));
	wr_put(&j->seen, &seen, sizeof(seen));
}

static bool put_clear(struct sealer *s, struct seal_job *j, size_t i, const char *value, size_t n)
{
	const char *null_out = s->plan->settings->null_out;

	if (n > C3R_CELL_MAX)
		return at_cell(s, j, i, "the value is longer than 16,383 bytes");
	if (s->plan->schema->format == FORMAT_C3R || !value) {
		csv_put(&j->out, value, n, i == 0, null_out);
		return true;
	}
	if (i > 0)
		wr_u8(&j->out, ',');
	csv_put_quoted(&j->out, value, n); /* read back to the byte: the row's tag is over it */
	return true;
}

static bool put_c3r(struct sealer *s, struct seal_job *j, size_t i, const char *value, size_t n)
{
	const struct seal_plan *p = s->plan;
	const struct schema_column *c = &p->schema->columns[i];
	size_t padded = p->targets[i].padded;
	uint8_t mac[SHA256_SIZE];

	if (c->kind == COLUMN_FINGERPRINT) {
		if (!c3r_fingerprint(s->macs[i], value, n, p->rng, &j->out, mac))
			return at_cell(s, j, i, "the fingerprint could not be computed");
		if (p->note_seen)
			note_seen(j, i, mac, !value);
		return true;
	}
	if (c3r_seal(s->c3r, c->target, value, n, padded, &j->out))
		return true;
	return at_cell(s, j, i, padded ? "the value is longer than its padding allows" : "the value is too long to be sealed");
}

/* How many value bytes a cell of the native format pretends to hold. */
static size_t native_padded(const struct schema_column *c, const struct seal_target *t, size_t n)
{
	if (c->pad == PAD_NONE)
		return n;
	if (c->pad != PAD_BUCKET)
		return t->padded;
	return n == 0 ? c->pad_length : (n + c->pad_length - 1) / c->pad_length * c->pad_length;
}

static bool put_native(struct sealer *s, struct seal_job *j, size_t i, const char *value, size_t n)
{
	const struct seal_plan *p = s->plan;
	const struct schema_column *c = &p->schema->columns[i];
	size_t start = j->out.n, padded = native_padded(c, &p->targets[i], value ? n : 0);
	uint8_t mac[SHA256_SIZE];
	bool ok;

	if (c->kind == COLUMN_FINGERPRINT)
		ok = native_fingerprint(s->macs[i], value, n, p->rng, &j->out, mac);
	else if (c->kind == COLUMN_DETERMINISTIC)
		ok = native_deterministic(s->native, &s->siv_keys[i], value, n, padded, p->rng, &j->out);
	else
		ok = native_seal(s->native, c->target, value, n, padded, &j->out);
	if (!ok)
		return at_cell(s, j, i, c->pad == PAD_FIXED && n > padded ? "the value is longer than its padding allows" : "the value is too long to be sealed");
	if (p->note_seen && c->kind != COLUMN_SEALED) {
		if (c->kind == COLUMN_DETERMINISTIC && !hash_sha256(j->out.p + start, j->out.n - start, mac))
			return at_cell(s, j, i, "the cell could not be hashed");
		note_seen(j, i, mac, !value);
	}
	return true;
}

static bool put_cell(struct sealer *s, struct seal_job *j, size_t i)
{
	const struct seal_plan *p = s->plan;
	const struct csv_field f = batch_get(&j->in, j->n, p->targets[i].position);
	bool null = csv_is_null(&p->null, &f), native = p->schema->format == FORMAT_NATIVE;
	const char *value = null ? NULL : f.text;

	if (p->schema->columns[i].kind == COLUMN_CLEARTEXT || (null && p->settings->preserve_nulls)) {
		if (native) /* the tag is over the text as it is read back */
			native_tag_cell(s->native, null ? p->null_text : value, null ? strlen(p->null_text) : f.n);
		return put_clear(s, j, i, value, f.n);
	}
	if (i > 0)
		wr_u8(&j->out, ','); /* sealed cells have nothing that must be quoted */
	size_t start = j->out.n;
	if (!(native ? put_native(s, j, i, value, f.n) : put_c3r(s, j, i, value, f.n)))
		return false;
	if (native && wr_ok(&j->out))
		native_tag_cell(s->native, (const char *)j->out.p + start, j->out.n - start);
	return true;
}

/* A fresh random number orders the row in the file, and decides its key. */
static bool begin_row(struct sealer *s, uint8_t nonce[C3R_NONCE])
{
	const struct seal_plan *p = s->plan;
	struct native_place at;

	if (!rng_fill(p->rng, nonce, C3R_NONCE))
		return false;
	if (p->schema->format == FORMAT_C3R)
		return c3r_row_begin(s->c3r, &p->root, nonce);
	mem_copy(at.file, p->file, sizeof(at.file));
	mem_copy(at.row, nonce, sizeof(at.row));
	native_tag_begin(s->native, &at, p->names);
	return native_row_begin(s->native, &at);
}

static bool seal_row(struct sealer *s, struct seal_job *j)
{
	size_t start = j->out.n;

	if (!begin_row(s, j->rows[j->n].nonce))
		return fail(&j->error, ERR_CRYPTO, "could not derive a row key");
	for (size_t i = 0; i < s->plan->schema->n; i++) {
		if (!put_cell(s, j, i))
			return false;
	}
	if (s->plan->schema->format == FORMAT_NATIVE) {
		wr_u8(&j->out, ',');
		if (!native_tag_put(s->native, &j->out))
			return fail(&j->error, ERR_CRYPTO, "could not make a row's tag");
	}
	csv_end(&j->out, start);
	if (!wr_ok(&j->out) || !wr_ok(&j->seen))
		return fail_memory(&j->error);
	j->rows[j->n].n = j->out.n - start;
	return true;
}

void seal_job_run(void *sealer, void *job)
{
	struct sealer *s = sealer;
	struct seal_job *j = job;

	wr_clear(&j->out);
	wr_clear(&j->seen);
	for (j->n = 0; j->n < j->in.n; j->n++) {
		if (!seal_row(s, j))
			return;
	}
}
