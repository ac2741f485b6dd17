/* The native format: the vectors of docs/native-format.md, and every bit of every cell of a sealed file changed in turn, in both formats. */
#include "crypto/hash.h"
#include "crypto/native.h"
#include "crypto/random.h"
#include "crypto/seal.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char collaboration[] = "00000000-1111-2222-3333-444444444444";

static struct c3r_secret counting(void)
{
	struct c3r_secret s = { .n = 32 };

	for (size_t i = 0; i < 32; i++)
		s.bytes[i] = (uint8_t)i;
	return s;
}

/* Whether docs/native-format.md gives `cell` as the vector `name`. */
static bool documented(const char *name, struct wr *cell)
{
	static char page[1 << 16];
	char row[1024];
	FILE *f = fopen("docs/native-format.md", "r");

	cr_assert(f && fread(page, 1, sizeof(page) - 1, f) > 0);
	fclose(f);
	snprintf(row, sizeof(row), "\n| %s | `%s` |\n", name, wr_text(cell));
	wr_clear(cell);
	return strstr(page, row) != NULL;
}

Test(native, vectors)
{
	const struct c3r_secret s = counting();
	const struct rng r = random_system();
	struct native_place at;
	struct native_siv_key k;
	struct wr w, names, fingerprint, sealed;
	uint8_t mac[32], digest[32];

	for (uint8_t i = 0; i < sizeof(at.row); i++) {
		at.row[i] = (uint8_t)(0x10 + i);
		at.file[i % 8] = (uint8_t)(1 + i % 8);
	}
	wr_init_heap(&w, 4096);
	wr_init_heap(&names, 4096);
	wr_init_heap(&fingerprint, 4096);
	wr_init_heap(&sealed, 4096);
	struct native_work *n = native_work_new(&s, collaboration);
	struct hash_mac *own = native_column_mac(&s, collaboration, "email", false), *common = native_column_mac(&s, collaboration, "email", true);
	cr_assert(n && own && common && native_row_begin(n, &at) && native_siv_key(&s, collaboration, "city", false, &k));

	cr_expect(native_fingerprint(common, "ann@example.com", 15, &r, &w, mac) && documented("fingerprint, one key", &w));
	cr_expect(native_seal(n, "note", "hello", 5, 16, &w) && documented("sealed, padded", &w));
	cr_expect(native_seal(n, "note", NULL, 0, 16, &w) && documented("sealed null, padded", &w));
	cr_expect(native_deterministic(n, &k, "Oslo", 4, 16, &r, &w) && documented("deterministic, padded", &w));

	cr_assert(native_fingerprint(own, "ann@example.com", 15, &r, &fingerprint, mac) && native_seal(n, "note", "hello", 5, 5, &sealed));
	native_names_add(&names, "email", 5);
	native_names_add(&names, "note", 4);
	cr_assert(hash_sha256(names.p, names.n, digest));
	native_tag_begin(n, &at, digest);
	native_tag_cell(n, wr_text(&fingerprint), fingerprint.n);
	native_tag_cell(n, wr_text(&sealed), sealed.n);
	cr_expect(native_tag_put(n, &w) && documented("row tag", &w));
	cr_expect(native_file_put(n, at.file, digest, 2000, &w) && documented("file tag", &w));
	cr_expect(documented("fingerprint", &fingerprint) && documented("sealed", &sealed));
	hash_mac_free(own);
	hash_mac_free(common);
	native_work_free(n);
	wr_free(&w);
	wr_free(&names);
	wr_free(&fingerprint);
	wr_free(&sealed);
}

static const char *const columns[] = { "note", "city", "noisegate_row" };
static const char source[] = "note,city\nhello,Oslo\nsecond,Rome\nthird,Bergen\n";

/* Seals `source`; the text is the caller's to free. */
static char *sealed_file(bool native)
{
	struct schema_column c[] = { { .source = "note", .target = "note", .kind = COLUMN_SEALED },
				     { .source = "city", .target = "city", .kind = native ? COLUMN_DETERMINISTIC : COLUMN_SEALED } };
	const struct schema schema = { .header_row = true, .format = native ? FORMAT_NATIVE : FORMAT_C3R, .columns = c, .n = 2 };
	const struct seal_settings settings = { .threads = 1, .null_out = "" };
	const struct c3r_secret s = counting();
	const struct rng r = random_system();
	struct error e = ERROR_INIT;
	char *text = NULL;
	size_t n = 0;
	int64_t rows;
	FILE *in = fmemopen((void *)source, strlen(source), "r"), *out = open_memstream(&text, &n);

	cr_assert(seal_file(in, "in.csv", out, &schema, &s, collaboration, &settings, &r, &rows, &e), "%s", e.message);
	fclose(in);
	fclose(out);
	return text;
}

static bool opens(char *text, struct error *e)
{
	const struct unseal_settings settings = { .threads = 1, .null_out = "" };
	const struct c3r_secret s = counting();
	char *clear = NULL;
	size_t n = 0;
	int64_t rows;
	FILE *in = fmemopen(text, strlen(text), "r"), *out = open_memstream(&clear, &n);

	bool ok = unseal_file(in, "t.csv", out, &s, collaboration, &settings, &rows, e);
	fclose(in);
	fclose(out);
	free(clear);
	return ok;
}

/* Cell `column` of the file's third line. */
static char *cell_of(char *text, int column, size_t *n)
{
	char *at = strchr(strchr(text, '\n') + 1, '\n') + 1;

	for (; column > 0; column--)
		at = strchr(at, ',') + 1;
	*n = strcspn(at, ",\n");
	return at;
}

/* The error names line 3 and the column; a row's tag and its sealed cells name the same place, so either may be said to be in the wrong one. */
static void expect_detected(char *text, int column, const char *what, size_t i)
{
	struct error e = ERROR_INIT;
	char name[64];

	snprintf(name, sizeof(name), "column \"%s\"", columns[column]);
	bool ok = opens(text, &e);
	cr_expect(!ok && strstr(e.message, "t.csv:3: ") && (strstr(e.message, name) || (column == 2 && strstr(e.message, "column \"note\" cannot be unsealed: it belongs"))),
		  "%s %zu of %s: %s", what, i, columns[column], ok ? "not detected" : e.message);
}

static void flip_all(bool native, int column)
{
	char *text = sealed_file(native);
	size_t n, n_raw, prefix = native ? 6 : 7;
	char *cell = cell_of(text, column, &n);
	uint8_t raw[1024];
	struct wr w;

	cr_assert(base64_read(cell + prefix, n - prefix, raw, sizeof(raw), &n_raw) && n_raw >= 27);
	wr_init_heap(&w, 4096);
	for (size_t bit = 0; bit < n_raw * 8; bit++) {
		raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
		wr_clear(&w);
		base64_put(&w, raw, n_raw);
		memcpy(cell + prefix, wr_text(&w), w.n);
		expect_detected(text, column, "bit", bit);
		raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	wr_free(&w);
	free(text);
}

Test(native, every_changed_bit_of_every_cell_is_detected_and_its_row_and_column_named)
{
	for (int column = 0; column < 3; column++)
		flip_all(true, column);
}

Test(c3r, every_changed_bit_of_a_sealed_cell_is_detected_and_its_row_and_column_named)
{
	flip_all(false, 0);
	flip_all(false, 1);
}

static void truncate_all(bool native, int column)
{
	char *text = sealed_file(native), *shorter = malloc(strlen(text) + 1);
	size_t n, prefix = native ? 6 : 7;
	char *cell = cell_of(text, column, &n);

	for (size_t keep = prefix; keep < n; keep++) {
		size_t before = (size_t)(cell - text);
		memcpy(shorter, text, before + keep);
		strcpy(shorter + before + keep, cell + n);
		expect_detected(shorter, column, "the first bytes", keep);
	}
	free(shorter);
	free(text);
}

Test(native, every_truncation_of_every_cell_is_detected)
{
	for (int column = 0; column < 3; column++)
		truncate_all(true, column);
	truncate_all(false, 0);
}

Test(native, what_was_not_changed_opens)
{
	struct error e = ERROR_INIT;
	char *a = sealed_file(true), *b = sealed_file(false);

	cr_expect(opens(a, &e) && opens(b, &e), "%s", e.message);
	free(a);
	free(b);
}
