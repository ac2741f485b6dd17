#include "crypto/csv.h"

#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

bool csv_open(struct csv_reader *r, FILE *f, const char *name, struct error *e)
{
	*r = (struct csv_reader){ .f = f, .name = name, .at_line = 1 };
	wr_init_heap(&r->bytes, CSV_RECORD_MAX);
	r->cap_fields = 64;
	r->fields = mem_alloc(r->cap_fields, sizeof(*r->fields));
	r->starts = mem_alloc(r->cap_fields, sizeof(*r->starts));
	if (r->fields && r->starts)
		return true;
	csv_close(r);
	return fail_memory(e);
}

void csv_close(struct csv_reader *r)
{
	wr_free(&r->bytes);
	mem_free(r->fields);
	mem_free(r->starts);
	r->fields = NULL;
	r->starts = NULL;
}

static int next_byte(struct csv_reader *r)
{
	return r->n_pushed > 0 ? r->pushed[--r->n_pushed] : getc_unlocked(r->f);
}

static void push_back(struct csv_reader *r, int c)
{
	if (c != EOF)
		r->pushed[r->n_pushed++] = (uint8_t)c;
}

/* A byte order mark is dropped; whatever else begins with its first byte is text. */
static void skip_mark(struct csv_reader *r)
{
	static const int mark[3] = { 0xEF, 0xBB, 0xBF };
	int got[3];
	size_t n = 0;

	do
		got[n] = next_byte(r);
	while (got[n] == mark[n] && ++n < 3);
	for (size_t i = n < 3 ? n + 1 : 0; i > 0; i--)
		push_back(r, got[i - 1]);
}

static int take(struct csv_reader *r)
{
	int c = next_byte(r);

	if (c == '\r') { /* CR, LF and CRLF all end a line */
		c = next_byte(r);
		if (c != '\n')
			push_back(r, c);
		c = '\n';
	}
	r->at_line += c == '\n';
	return c;
}

static bool add_field(struct csv_reader *r, struct error *e)
{
	if (r->n_fields == CSV_COLUMNS_MAX)
		return fail(e, ERR_IO, "%s:%lld: a row has more than %d columns", r->name, (long long)r->line, CSV_COLUMNS_MAX);
	if (r->n_fields == r->cap_fields) {
		size_t cap = r->cap_fields * 2;
		struct csv_field *fields = mem_grow(r->fields, cap, sizeof(*fields));
		if (fields)
			r->fields = fields;
		size_t *starts = fields ? mem_grow(r->starts, cap, sizeof(*starts)) : NULL;
		if (starts)
			r->starts = starts;
		if (!fields || !starts)
			return fail_memory(e);
		r->cap_fields = cap;
	}
	r->starts[r->n_fields] = r->bytes.n;
	r->fields[r->n_fields++] = (struct csv_field){ 0 };
	return true;
}

static bool too_long(const struct csv_reader *r, struct error *e)
{
	return fail(e, ERR_IO, "%s:%lld: a row is longer than %d bytes", r->name, (long long)r->line, CSV_RECORD_MAX);
}

static bool not_read(const struct csv_reader *r, struct error *e)
{
	if (errno == EBADMSG)
		return fail(e, ERR_IO, "%s:%lld: the compressed file is damaged or ends early", r->name, (long long)r->at_line);
	return fail(e, ERR_IO, "%s:%lld: could not be read: %s", r->name, (long long)r->at_line, strerror(errno));
}

/* Behind the opening quote, up to and with the closing one. */
static bool read_quoted(struct csv_reader *r, int *after, struct error *e)
{
	for (;;) {
		int c = take(r);
		if (c == EOF && ferror(r->f))
			return not_read(r, e);
		if (c == EOF) {
			fail(e, ERR_IO, "%s:%lld: a quoted field is not closed", r->name, (long long)r->line);
			return error_detail(e, "The quote opened in field %zu runs to the end of the file.", r->n_fields);
		}
		if (c == '"') {
			c = take(r);
			if (c != '"') {
				*after = c;
				return true;
			}
		}
		wr_u8(&r->bytes, (uint8_t)c);
		if (r->bytes.bad)
			return too_long(r, e); /* here, not at the end of what may be an endless pipe */
	}
}

/* One field; *end_of is ',' '\n' or EOF. */
static bool read_field(struct csv_reader *r, int c, int *end_of, struct error *e)
{
	if (!add_field(r, e))
		return false;
	struct csv_field *f = &r->fields[r->n_fields - 1];
	size_t start = r->bytes.n;
	while (c != '\n' && c != EOF && c != ',' && c <= ' ')
		c = take(r);
	if (c == '"') {
		f->quoted = true;
		if (!read_quoted(r, &c, e))
			return false;
		while (c != '\n' && c != EOF && c != ',' && c <= ' ')
			c = take(r);
		if (c != ',' && c != '\n' && c != EOF)
			return fail(e, ERR_IO, "%s:%lld: text follows the closing quote of field %zu", r->name, (long long)r->line, r->n_fields);
		f->n = r->bytes.n - start;
	} else {
		for (; c != ',' && c != '\n' && c != EOF && !r->bytes.bad; c = take(r))
			wr_u8(&r->bytes, (uint8_t)c);
		if (r->bytes.bad)
			return too_long(r, e);
		f->n = r->bytes.n - start;
		while (f->n > 0 && r->bytes.p[start + f->n - 1] <= ' ')
			f->n--;
		r->bytes.n = start + f->n;
	}
	wr_u8(&r->bytes, 0);
	*end_of = c;
	return true;
}

static bool finish_record(struct csv_reader *r, struct error *e)
{
	if (!wr_ok(&r->bytes))
		return too_long(r, e);
	for (size_t i = 0; i < r->n_fields; i++) {
		r->fields[i].text = (const char *)r->bytes.p + r->starts[i];
		if (!text_utf8(r->fields[i].text, r->fields[i].n))
			return fail(e, ERR_IO, "%s:%lld: field %zu %s", r->name, (long long)r->line, i + 1,
				    strlen(r->fields[i].text) < r->fields[i].n ? "holds a zero byte, or is not valid UTF-8" : "is not valid UTF-8");
	}
	return true;
}

/* The first character of the next row; lines that are blank, hold only blanks, or begin with # are skipped. */
static int first_of_row(struct csv_reader *r)
{
	for (;;) {
		r->line = r->at_line;
		int c = take(r);
		if (c == '#') {
			while (c != '\n' && c != EOF)
				c = take(r);
			continue;
		}
		while (c != '\n' && c != EOF && c <= ' ')
			c = take(r);
		if (c != '\n')
			return c;
	}
}

bool csv_next(struct csv_reader *r, bool *end, struct error *e)
{
	if (!r->began)
		skip_mark(r);
	r->began = true;
	int c = first_of_row(r);
	*end = c == EOF;
	if (c == EOF)
		return ferror(r->f) ? not_read(r, e) : true;
	wr_clear(&r->bytes);
	r->n_fields = 0;
	for (;;) {
		int end_of = EOF;
		if (!read_field(r, c, &end_of, e))
			return false;
		if (end_of == EOF && ferror(r->f))
			return not_read(r, e);
		if (end_of != ',')
			return finish_record(r, e);
		c = take(r);
	}
}

bool csv_is_null(const struct csv_null *null, const struct csv_field *f)
{
	if (!null->text)
		return f->n == 0;
	if (text_eq(null->text, "\"\""))
		return f->n == 0 && f->quoted;
	if (null->text[strspn(null->text, " \t\r\n\f")] == '\0')
		return f->n == 0 && !f->quoted;
	return text_eq(null->text, f->text);
}

static bool must_quote(const char *value, size_t n, bool first)
{
	if (n == 0)
		return false;
	if (value[0] == '"' || (first && value[0] == '#'))
		return true;
	if ((uint8_t)value[0] < ' ' || (uint8_t)value[n - 1] < ' ') /* the AWS client leaves these bare, and loses them when it reads them */
		return true;
	for (size_t i = 0; i < n; i++) {
		char c = value[i];
		if (c <= ',' && (c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f'))
			return true;
	}
	return false;
}

void csv_put(struct wr *w, const char *value, size_t n, bool first, const char *null_out)
{
	if (!first)
		wr_u8(w, ',');
	if (!value) {
		if (text_eq(null_out, "\"\"")) {
			wr_str(w, null_out);
			return;
		}
		value = null_out;
		n = strlen(null_out);
	} else if (n == 0) {
		wr_str(w, *null_out ? "" : "\"\"");
		return;
	}
	if (must_quote(value, n, first))
		csv_put_quoted(w, value, n);
	else
		wr_put(w, value, n);
}

void csv_end(struct wr *w, size_t start)
{
	if (w->n == start)
		wr_str(w, "\"\"");
	wr_u8(w, '\n');
}

void csv_put_quoted(struct wr *w, const char *value, size_t n)
{
	wr_u8(w, '"');
	for (size_t i = 0; i < n; i++) {
		if (value[i] == '"')
			wr_u8(w, '"');
		wr_u8(w, (uint8_t)value[i]);
	}
	wr_u8(w, '"');
}
