/*
 * Fuzzes every decoder of sealing: csv_next, schema_read, token_schema_read, c3r_secret_read, c3r_uuid, c3r_open, native_open, native_open_deterministic,
 * native_tag_check, native_file_check, key_parse, psi_values_read, seal_file and unseal_file.  The first input byte chooses.
 *
 * Not only "no crash": fields are UTF-8 and come back from what csv_put makes of them; an accepted schema is one that sealing can use; no cell that was not
 * sealed opens; what is sealed comes back, in either format.
 */
#include "base/text.h"
#include "crypto/csv.h"
#include "crypto/key.h"
#include "crypto/native.h"
#include "crypto/psi_set.h"
#include "crypto/random.h"
#include "crypto/seal.h"
#include "crypto/vault_csv.h"
#include "tests/fuzz/fuzz.h"

static const char collaboration[] = "00000000-1111-2222-3333-444444444444";
static const struct c3r_secret secret = { .bytes = "a secret of thirty-two bytes...", .n = 32 };

static FILE *reading(const void *data, size_t size)
{
	FILE *f = size ? fmemopen((void *)(uintptr_t)data, size, "r") : fopen("/dev/null", "r");

	CHECK(f);
	return f;
}

/* A record, written and read again, has the same fields. */
static void again(const struct csv_reader *r)
{
	struct csv_reader back;
	struct error e;
	struct wr w;
	bool end;

	wr_init_heap(&w, 1 << 26);
	for (size_t i = 0; i < r->n_fields; i++) {
		CHECK(text_utf8(r->fields[i].text, r->fields[i].n) && r->fields[i].text[r->fields[i].n] == '\0');
		if (i)
			wr_u8(&w, ',');
		csv_put_quoted(&w, r->fields[i].text, r->fields[i].n);
	}
	csv_end(&w, 0);
	CHECK(wr_ok(&w));
	FILE *f = reading(w.p, w.n);
	CHECK(csv_open(&back, f, "again", &e) && csv_next(&back, &end, &e) && !end && back.n_fields == r->n_fields);
	for (size_t i = 0; i < r->n_fields; i++)
		CHECK(back.fields[i].n == r->fields[i].n && memcmp(back.fields[i].text, r->fields[i].text, r->fields[i].n) == 0);
	CHECK(csv_next(&back, &end, &e) && end);
	csv_close(&back);
	fclose(f);
	wr_free(&w);
}

static void fuzz_csv(const uint8_t *data, size_t size)
{
	FILE *f = reading(data, size);
	struct csv_reader r;
	struct error e;
	bool end = false;

	CHECK(csv_open(&r, f, "in", &e));
	while (csv_next(&r, &end, &e) && !end)
		again(&r);
	csv_close(&r);
	fclose(f);
}

static void fuzz_schema(const uint8_t *data, size_t size)
{
	struct token_schema tokens;
	struct schema s;
	struct arena a;
	struct error e;

	arena_init(&a, 16 << 20);
	if (schema_read(&a, "s", (const char *)data, size, &s, &e)) {
		CHECK(s.n > 0 && s.n <= SCHEMA_COLUMNS_MAX);
		for (size_t i = 0; i < s.n; i++) {
			const struct schema_column *c = &s.columns[i];
			const char *name;
			CHECK(schema_header(&a, c->target, &name) && text_eq(name, c->target) && (!c->source == !s.header_row) && c->pad_length <= C3R_PAD_MAX);
			CHECK(s.header_row || c->position < s.n_source);
			CHECK(c->kind != COLUMN_DETERMINISTIC || s.format == FORMAT_NATIVE);
			for (size_t j = 0; j < i; j++)
				CHECK(!text_eq(s.columns[j].target, c->target));
		}
	} else {
		CHECK(e.code != ERR_NONE && e.message[0]);
	}
	if (token_schema_read(&a, "t", (const char *)data, size, &tokens, &e))
		CHECK(tokens.n > 0 && tokens.n <= TOKEN_COLUMNS_MAX && tokens.columns[0].source && tokens.columns[0].target && tokens.columns[0].domain);
	arena_reset(&a);
}

/* Nothing that was not sealed opens, whatever prefix stands before it. */
static void fuzz_cells(const char *text, size_t n)
{
	struct native_work *w = native_work_new(&secret, collaboration);
	struct c3r_work *c = c3r_work_new();
	uint8_t digest[SHA256_SIZE] = { 0 }, file[NATIVE_FILE];
	struct native_siv_key siv;
	struct secret_key root;
	const char *why = NULL;
	uint64_t rows;
	struct wr out;
	bool null;

	CHECK(w && c && c3r_root_key(&secret, collaboration, &root) && native_siv_key(&secret, collaboration, "x", false, &siv));
	wr_init_heap(&out, 1 << 20);
	(void)c3r_kind(text, n);
	(void)native_kind(text, n);
	CHECK(!c3r_open(c, &root, text, n, &out, &null, &why) && why);
	CHECK(!native_open(w, "x", text, n, &out, &null, &why) && why);
	CHECK(!native_open_deterministic(w, &siv, text, n, &out, &null, &why) && why);
	native_tag_begin(w, &(struct native_place){ 0 }, digest);
	CHECK(!native_tag_check(w, text, n, &why) && why);
	CHECK(!native_file_check(w, text, n, digest, file, &rows, &why) && why);
	wr_free(&out);
	native_work_free(w);
	c3r_work_free(c);
}

static void fuzz_keys(const char *text, size_t n)
{
	struct c3r_secret read;
	char uuid[UUID_TEXT];
	struct key_file f;
	struct arena a;
	struct error e;

	arena_init(&a, 1 << 20);
	if (key_parse(&a, text, n, &f, &e))
		CHECK(key_is_wrapped(text) && (f.destroyed || (f.store && f.n_context <= f.n_bound && f.n_bound < n)));
	if (c3r_secret_read(text, &read, &e))
		CHECK(read.n >= C3R_SECRET_MIN && read.n <= C3R_SECRET_MAX);
	if (c3r_uuid(text, uuid, &e))
		CHECK(text_eq_nocase(uuid, text));
	arena_reset(&a);
}

static void fuzz_set(const uint8_t *data, size_t size)
{
	FILE *f = reading(data, size);
	struct psi_values v;
	struct error e;

	if (psi_values_read(f, "set", size % 2 ? "a" : NULL, &v, &e)) {
		for (size_t i = 1; i < v.n; i++)
			CHECK(strcmp((const char *)v.bytes.p + v.at[i - 1], (const char *)v.bytes.p + v.at[i]) < 0);
		psi_values_free(&v);
	}
	fclose(f);
}

/* Rows and a sum over their fields that does not depend on their order. */
static void digest_rows(const void *data, size_t size, bool header, uint64_t *rows, uint64_t *sum)
{
	FILE *f = reading(data, size);
	struct csv_reader r;
	struct error e;
	bool end = false;

	*rows = *sum = 0;
	CHECK(csv_open(&r, f, "rows", &e) && (!header || (csv_next(&r, &end, &e) && !end)));
	while (csv_next(&r, &end, &e) && !end) {
		uint64_t h = 14695981039346656037u;
		for (size_t i = 0; i < r.fields[0].n; i++)
			h = (h ^ (uint8_t)r.fields[0].text[i]) * 1099511628211u;
		*sum += h;
		++*rows;
	}
	csv_close(&r);
	fclose(f);
}

/* A file of one column, sealed and opened again. */
static void fuzz_files(const uint8_t *data, size_t size, enum cell_format format)
{
	struct schema_column column = { .target = "x", .kind = COLUMN_SEALED, .pad = size % 2 ? PAD_MAX : PAD_NONE, .pad_length = 0 };
	const struct schema schema = { .format = format, .n_source = 1, .columns = &column, .n = 1 };
	const struct seal_settings seal = { .allow_duplicates = true, .preserve_nulls = size % 3 == 0, .threads = 1, .null_out = "" };
	const struct unseal_settings unseal = { .threads = 1, .null_out = "" };
	const struct rng r = random_system();
	char *sealed = NULL, *opened = NULL;
	size_t n_sealed = 0, n_opened = 0;
	uint64_t rows_in, sum_in, rows_out, sum_out;
	int64_t rows = 0, back = 0;
	struct error e;
	FILE *in = reading(data, size), *out = open_memstream(&sealed, &n_sealed);

	bool ok = seal_file(in, "in", out, &schema, &secret, collaboration, &seal, &r, &rows, &e);
	CHECK(ok || (e.code != ERR_NONE && e.message[0]));
	fclose(in);
	fclose(out);
	if (ok) {
		in = reading(sealed, n_sealed);
		out = open_memstream(&opened, &n_opened);
		CHECK(unseal_file(in, "sealed", out, &secret, collaboration, &unseal, &back, &e) && back == rows);
		fclose(in);
		fclose(out);
		digest_rows(data, size, false, &rows_in, &sum_in);
		digest_rows(opened, n_opened, true, &rows_out, &sum_out);
		CHECK(rows_in == (uint64_t)rows && rows_out == rows_in && sum_out == sum_in);
	}
	free(sealed);
	free(opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	char *text = calloc(size, 1);
	memcpy(text, data + 1, size - 1);
	switch (data[0] % 7) {
	case 0:
		fuzz_csv(data + 1, size - 1);
		break;
	case 1:
		fuzz_schema(data + 1, size - 1);
		break;
	case 2:
		fuzz_cells(text, size - 1);
		break;
	case 3:
		fuzz_keys(text, size - 1);
		break;
	case 4:
		fuzz_set(data + 1, size - 1);
		break;
	case 5:
		fuzz_files(data + 1, size - 1, FORMAT_C3R);
		break;
	default:
		fuzz_files(data + 1, size - 1, FORMAT_NATIVE);
	}
	free(text);
	return 0;
}
