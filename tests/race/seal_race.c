/* Sealing and unsealing by six threads, in both formats: what went in comes out, and nothing is touched by two threads at once (under TSan). */
#include "crypto/random.h"
#include "crypto/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 20000, THREADS = 6 };

static const char collaboration[] = "00000000-1111-2222-3333-444444444444";

static char *source(void)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	fputs("id,note\n", f);
	for (int i = 0; i < ROWS; i++)
		fprintf(f, "%d,note%d\n", i, i % 100);
	fclose(f);
	return text;
}

/* Seals and opens `clear`; the rows that came out, or NULL. */
static char *there_and_back(char *clear, const struct schema *schema, struct error *e)
{
	const struct seal_settings there = { .threads = THREADS, .null_out = "", .allow_duplicates = true, .allow_cleartext = true };
	const struct unseal_settings back = { .threads = THREADS, .null_out = "" };
	const struct c3r_secret s = { .n = 32, .bytes = { 1, 2, 3 } };
	const struct rng r = random_system();
	char *sealed = NULL, *opened = NULL;
	size_t n_sealed, n_opened;
	int64_t rows = 0;
	FILE *in = fmemopen(clear, strlen(clear), "r"), *out = open_memstream(&sealed, &n_sealed);

	bool ok = seal_file(in, "in.csv", out, schema, &s, collaboration, &there, &r, &rows, e) && rows == ROWS;
	fclose(in);
	fclose(out);
	in = fmemopen(sealed, strlen(sealed), "r");
	out = open_memstream(&opened, &n_opened);
	ok = ok && unseal_file(in, "sealed.csv", out, &s, collaboration, &back, &rows, e) && rows == ROWS;
	fclose(in);
	fclose(out);
	free(sealed);
	if (ok)
		return opened;
	free(opened);
	return NULL;
}

/* Every row once, with its own values. */
static bool complete(char *opened)
{
	static bool seen[ROWS];
	int n = 0, id, note, other;

	memset(seen, 0, sizeof(seen));
	for (char *row = strchr(opened, '\n'); row && row[1]; row = strchr(row + 1, '\n'), n++) {
		if (sscanf(row + 1, "%d,note%d,note%d", &id, &note, &other) != 3 || id < 0 || id >= ROWS || seen[id] || note != id % 100 || other != note)
			return false;
		seen[id] = true;
	}
	return n == ROWS;
}

int main(void)
{
	struct schema_column columns[] = { { .source = "id", .target = "id" },
					   { .source = "note", .target = "note", .kind = COLUMN_SEALED },
					   { .source = "note", .target = "other", .kind = COLUMN_SEALED, .pad = PAD_FIXED, .pad_length = 20 } };
	int failed = 0;
	char *clear = source();

	for (int native = 0; native < 2; native++) {
		struct schema schema = { .format = native ? FORMAT_NATIVE : FORMAT_C3R, .header_row = true, .columns = columns, .n = 3 };
		struct error e = ERROR_INIT;
		columns[1].kind = native ? COLUMN_DETERMINISTIC : COLUMN_SEALED;
		char *opened = there_and_back(clear, &schema, &e);
		bool ok = opened && complete(opened);
		printf("%s six threads seal and open %d rows, %s%s%s\n", ok ? "ok" : "not ok", ROWS, native ? "native" : "C3R", opened ? "" : ": ", opened ? "" : e.message);
		failed += !ok;
		free(opened);
	}
	free(clear);
	return failed;
}
