#include "base/mem.h"
#include "base/text.h"
#include "crypto/csv.h"
#include "crypto/psi_set.h"

enum { FILE_MAX = 1 << 30 };

static bool keep_value(struct psi_values *v, const char *text, size_t n, const char *name, int64_t line, struct error *e)
{
	if (n > PSI_VALUE_MAX)
		return fail(e, ERR_BAD_VALUE, "%s:%lld: a value is longer than %d bytes", name, (long long)line, (int)PSI_VALUE_MAX);
	if (!text_utf8(text, n))
		return fail(e, ERR_BAD_VALUE, "%s:%lld: a value is not UTF-8, or holds a zero byte", name, (long long)line);
	if (v->n == v->cap) {
		size_t cap = v->cap ? 2 * v->cap : 1024;
		size_t *more = mem_grow(v->at, cap, sizeof(*more));
		if (!more)
			return fail_memory(e);
		v->at = more;
		v->cap = cap;
	}
	v->at[v->n++] = v->bytes.n;
	wr_put(&v->bytes, text, n);
	wr_u8(&v->bytes, 0);
	return wr_ok(&v->bytes) || fail(e, ERR_TOO_COMPLEX, "%s: more than %d bytes of values", name, (int)FILE_MAX);
}

static bool read_lines(FILE *f, const char *name, struct psi_values *v, struct error *e)
{
	static const uint8_t mark[] = { 0xEF, 0xBB, 0xBF }; /* some editors begin a file with it; it is no part of the first value */
	char text[PSI_VALUE_MAX + 2]; /* one more than allowed, and a carriage return */
	size_t n = 0;
	bool ok = true;

	for (int64_t line = 1; ok;) {
		int c = getc_unlocked(f);
		if (c != '\n' && c != EOF) {
			if (n < sizeof(text))
				text[n++] = (char)c;
			if (line == 1 && n == sizeof(mark) && mem_equal(text, mark, n))
				n = 0;
			continue;
		}
		if (n > 0 && text[n - 1] == '\r')
			n--;
		ok = n == 0 || keep_value(v, text, n, name, line, e);
		n = 0;
		line++;
		if (c == EOF)
			break;
	}
	secret_wipe(text, sizeof(text));
	return ok && (!ferror(f) || fail(e, ERR_IO, "could not read \"%s\"", name));
}

/* Finds the column in the header (ASCII case does not matter); *at its place. */
static bool find_column(struct csv_reader *csv, const char *name, const char *column, size_t *at, struct error *e)
{
	bool end, found = false;

	if (!csv_next(csv, &end, e))
		return false;
	if (end)
		return fail(e, ERR_BAD_VALUE, "%s: the file is empty; a header row is required", name);
	for (size_t i = 0; i < csv->n_fields; i++) {
		if (!text_eq_nocase(column, csv->fields[i].text))
			continue;
		if (found)
			return fail(e, ERR_BAD_VALUE, "%s: two columns are called \"%s\"", name, column);
		found = true;
		*at = i;
	}
	return found || fail(e, ERR_NO_COLUMN, "%s has no column \"%s\"", name, column);
}

static bool read_csv(FILE *f, const char *name, const char *column, struct psi_values *v, struct error *e)
{
	static const struct csv_null blanks = { NULL };
	struct csv_reader csv;
	size_t at = 0, columns = 0;
	bool end = false;

	if (!csv_open(&csv, f, name, e))
		return false;
	bool ok = find_column(&csv, name, column, &at, e);
	columns = csv.n_fields;
	while (ok && (ok = csv_next(&csv, &end, e)) && !end) {
		if (csv.n_fields != columns)
			ok = fail(e, ERR_BAD_VALUE, "%s:%lld: the row has %zu columns, the header %zu", name, (long long)csv.line, csv.n_fields, columns);
		else if (!csv_is_null(&blanks, &csv.fields[at]))
			ok = keep_value(v, csv.fields[at].text, csv.fields[at].n, name, csv.line, e);
	}
	csv_close(&csv);
	return ok;
}

static int compare(const void *a, const void *b, void *bytes)
{
	const char *text = bytes;

	return strcmp(text + *(const size_t *)a, text + *(const size_t *)b);
}

static void sort_distinct(struct psi_values *v)
{
	size_t kept = 0;

	if (v->n == 0)
		return;
	qsort_r(v->at, v->n, sizeof(*v->at), compare, v->bytes.p);
	for (size_t i = 1; i < v->n; i++)
		if (compare(&v->at[kept], &v->at[i], v->bytes.p) != 0)
			v->at[++kept] = v->at[i];
	v->n = kept + 1;
}

bool psi_values_read(FILE *f, const char *name, const char *column, struct psi_values *out, struct error *e)
{
	*out = (struct psi_values){ 0 };
	wr_init_heap(&out->bytes, FILE_MAX);
	if (column ? read_csv(f, name, column, out, e) : read_lines(f, name, out, e)) {
		sort_distinct(out);
		return true;
	}
	psi_values_free(out);
	return false;
}

void psi_values_free(struct psi_values *v)
{
	wr_free(&v->bytes);
	mem_free(v->at);
	*v = (struct psi_values){ 0 };
}
