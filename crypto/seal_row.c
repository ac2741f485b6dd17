#include "crypto/seal_row.h"

#include "base/mem.h"
#include "crypto/hash.h"

#include <string.h>

enum { LINE_ROOM = SCHEMA_COLUMNS_MAX * (C3R_CELL_MAX + 3) };

struct sealer {
	const struct seal_plan *plan;
	struct c3r_work *c3r;
	struct hash_mac **macs; /* one per schema column; fingerprints only */
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

bool sealer_new(struct sealer **out, const struct seal_plan *plan, struct error *e)
{
	struct sealer *s = mem_alloc(1, sizeof(*s));
	bool ok = s != NULL;

	if (s) {
		*s = (struct sealer){ .plan = plan, .c3r = c3r_work_new() };
		s->macs = mem_alloc(plan->schema->n, sizeof(struct hash_mac *));
		ok = s->c3r && s->macs;
	}
	for (size_t i = 0; ok && i < plan->schema->n; i++) {
		const struct schema_column *c = &plan->schema->columns[i];
		if (c->kind == COLUMN_FINGERPRINT)
			ok = (s->macs[i] = c3r_column_mac(plan->secret, plan->collaboration, c->target, plan->settings->any_name)) != NULL;
	}
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
	for (size_t i = 0; s->macs && i < s->plan->schema->n; i++)
		hash_mac_free(s->macs[i]);
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

static bool put_cell(struct sealer *s, struct seal_job *j, size_t i)
{
	const struct seal_plan *p = s->plan;
	const struct schema_column *c = &p->schema->columns[i];
	const struct seal_target *t = &p->targets[i];
	const struct csv_field f = batch_get(&j->in, j->n, t->position);
	bool null = csv_is_null(&p->null, &f);
	const char *value = null ? NULL : f.text;
	uint8_t mac[SHA256_SIZE];

	if (c->kind == COLUMN_CLEARTEXT || (null && p->settings->preserve_nulls)) {
		if (f.n > C3R_CELL_MAX)
			return at_cell(s, j, i, "the value is longer than 16,383 bytes");
		csv_put(&j->out, value, f.n, i == 0, p->settings->null_out);
		return true;
	}
	if (i > 0)
		wr_u8(&j->out, ','); /* sealed cells have nothing that must be quoted */
	if (c->kind == COLUMN_FINGERPRINT) {
		if (!c3r_fingerprint(s->macs[i], value, f.n, p->rng, &j->out, mac))
			return at_cell(s, j, i, "the fingerprint could not be computed");
		if (p->note_seen)
			note_seen(j, i, mac, null);
		return true;
	}
	if (c3r_seal(s->c3r, c->target, value, f.n, t->padded, &j->out))
		return true;
	return at_cell(s, j, i, t->padded ? "the value is longer than its padding allows" : "the value is too long to be sealed");
}

static bool seal_row(struct sealer *s, struct seal_job *j)
{
	uint8_t *nonce = j->rows[j->n].nonce;
	size_t start = j->out.n;

	if (!rng_fill(s->plan->rng, nonce, C3R_NONCE) || !c3r_row_begin(s->c3r, &s->plan->root, nonce))
		return fail(&j->error, ERR_CRYPTO, "could not derive a row key");
	for (size_t i = 0; i < s->plan->schema->n; i++) {
		if (!put_cell(s, j, i))
			return false;
	}
	wr_u8(&j->out, '\n');
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
