#include "proxy/present.h"

#include "base/text.h"
#include "proxy/encode.h"
#include "proxy/pgtypes.h"

/* Rows beyond this are refused rather than collected. */
enum { RESULT_BYTES_MAX = 256 << 20 };

static int format_of(const struct formats *f, size_t column)
{
	if (f->n == 0)
		return 0;
	return f->items[f->n == 1 ? 0 : column];
}

bool present_check_formats(const struct formats *f, size_t n_fields, struct error *e)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->items[i] != 0 && f->items[i] != 1)
			return fail(e, ERR_PROTOCOL, "unsupported format code: %d", f->items[i]);
	if (f->n > 1 && f->n != n_fields)
		return fail(e, ERR_PROTOCOL, "bind message has %zu result formats but query has %zu columns", f->n, n_fields);
	return true;
}

static bool set_tag(struct arena *a, struct result *out, struct error *e)
{
	out->tag = arena_printf(a, "SELECT %zu", out->n_rows);
	return out->tag || fail_memory(e);
}

/* --- the short path ------------------------------------------------------------------------------------------------------- */

static const struct plan_column *column_of(const struct plan *plan, size_t i)
{
	return &plan->blocks[0].columns[plan->outputs[i].column];
}

bool present_direct_fields(const struct plan *plan, struct arena *a, const struct field **out, struct error *e)
{
	struct field *f = arena_array(a, plan->n_outputs, struct field);

	if (!f)
		return fail_memory(e);
	for (size_t i = 0; i < plan->n_outputs; i++)
		f[i] = pgtype_field(column_of(plan, i)->type, plan->outputs[i].name);
	*out = f;
	return true;
}

static const char *setting_of(const struct session_view *v, const char *name, const char *otherwise)
{
	for (size_t i = 0; i < v->n_gucs; i++)
		if (text_eq_nocase(v->guc_names[i], name))
			return v->guc_values[i];
	return otherwise;
}

/* Whether the session shows this type in the one form that encode.c reads and released cells have. */
static bool shown_plainly(uint32_t oid, const struct session_view *v)
{
	switch (oid) {
	case OID_DATE:
	case OID_TIMESTAMP:
	case OID_TIMESTAMPTZ:
		return text_starts(setting_of(v, "DateStyle", "ISO"), "ISO");
	case OID_FLOAT4:
	case OID_FLOAT8: {
		const char *digits = setting_of(v, "extra_float_digits", "1");
		return digits[0] != '-' && digits[0] != '0';
	}
	default:
		return true;
	}
}

bool present_is_plain(const struct plan *plan, const struct session_view *v, const struct formats *f)
{
	if (plan->n_outputs == 0)
		return false;
	if (!plan->sidecar_sql || (f->n > 1 && f->n != plan->n_outputs))
		return true;
	for (size_t i = 0; i < plan->n_outputs; i++) {
		uint32_t oid = pgtype_field(column_of(plan, i)->type, "").type_oid;
		if (oid == OID_TIMESTAMPTZ || (format_of(f, i) == 0 && !shown_plainly(oid, v)))
			return false;
	}
	return true;
}

/* Text as PostgreSQL prints the type: a boolean's short form. */
static const char *as_printed(enum sql_type t, const char *text)
{
	if (t != TYPE_BOOL)
		return text;
	return text[0] == 't' ? "t" : "f";
}

static bool put_cell(uint32_t oid, const char *text, int format, struct arena *a, struct cell *out, struct error *e)
{
	*out = (struct cell){ .length = -1 };
	if (!text)
		return true;
	if (format == 1)
		return encode_binary(oid, text, a, out, e);
	*out = (struct cell){ .data = (const uint8_t *)text, .length = (int32_t)strlen(text) };
	return true;
}

bool present_released(const struct plan *plan, const struct released *r, const struct formats *f, struct arena *a, struct result *out,
		      struct error *e)
{
	struct result made = { .n_fields = plan->n_outputs, .n_rows = released_rows(r) };
	size_t n = made.n_rows * made.n_fields;
	struct cell *cells = arena_array(a, n ? n : 1, struct cell);

	if (!cells)
		return fail_memory(e);
	if (!present_check_formats(f, made.n_fields, e) || !present_direct_fields(plan, a, &made.fields, e))
		return false;
	for (size_t row = 0, k = 0; row < made.n_rows; row++) {
		for (size_t i = 0; i < made.n_fields; i++, k++) {
			const char *text = released_cell(r, row, plan->outputs[i].column);
			if (!put_cell(made.fields[i].type_oid, text ? as_printed(column_of(plan, i)->type, text) : NULL, format_of(f, i), a,
				      &cells[k], e))
				return false;
		}
	}
	made.cells = cells;
	*out = made;
	return set_tag(a, out, e);
}

/* --- through the sidecar --------------------------------------------------------------------------------------------------- */

static bool all_alike(const struct formats *f)
{
	for (size_t i = 1; i < f->n; i++)
		if (f->items[i] != f->items[0])
			return false;
	return true;
}

static bool fetch(const struct present_source *src, int format, struct arena *a, struct talk_rows *out, struct error *e)
{
	struct talk_statement st = src->statement;

	st.result_format = format;
	st.max_bytes = RESULT_BYTES_MAX;
	return sidecar_query(src->sidecar, src->view, &st, src->own_text, a, out, e);
}

/* The protocol lets columns have different formats, libpq does not: text is fetched and encoded here, or, for types unknown here, fetched once more. */
static bool fetch_mixed(const struct present_source *src, const struct formats *f, struct arena *a, struct talk_rows *out, struct error *e)
{
	struct talk_rows text, binary = { 0 };
	bool again = false;

	if (!fetch(src, 0, a, &text, e) || !present_check_formats(f, text.n_fields, e))
		return false;
	for (size_t i = 0; i < text.n_fields; i++) {
		uint32_t oid = text.fields[i].type_oid;
		again = again || (format_of(f, i) == 1 && (!encode_knows(oid) || !shown_plainly(oid, src->view)));
	}
	if (again && !fetch(src, 1, a, &binary, e))
		return false;
	if (again && binary.n_rows != text.n_rows)
		return fail(e, ERR_BAD_PARAMETER, "the columns of this result must all have the same format");
	struct cell *cells = arena_array(a, text.n_rows * text.n_fields + 1, struct cell);
	if (!cells)
		return fail_memory(e);
	for (size_t row = 0, k = 0; row < text.n_rows; row++) {
		for (size_t i = 0; i < text.n_fields; i++, k++) {
			if (format_of(f, i) == 0)
				cells[k] = text.cells[k];
			else if (again)
				cells[k] = binary.cells[k];
			else if (!put_cell(text.fields[i].type_oid, (const char *)text.cells[k].data, 1, a, &cells[k], e))
				return false;
		}
	}
	text.cells = cells;
	*out = text;
	return true;
}

bool present_without_origin(const struct field **fields, size_t n, struct arena *a, struct error *e)
{
	struct field *own = arena_array(a, n + 1, struct field);

	if (!own)
		return fail_memory(e);
	for (size_t i = 0; i < n; i++) {
		own[i] = (*fields)[i];
		own[i].table_oid = 0;
		own[i].column = 0;
	}
	*fields = own;
	return true;
}

bool present_sidecar(const struct present_source *src, const struct formats *f, struct arena *a, struct result *out, struct error *e)
{
	struct talk_rows rows;

	if (!(all_alike(f) ? fetch(src, f->n ? f->items[0] : 0, a, &rows, e) : fetch_mixed(src, f, a, &rows, e)) ||
	    !present_check_formats(f, rows.n_fields, e))
		return false;
	if (!src->keep_origin && !present_without_origin(&rows.fields, rows.n_fields, a, e))
		return false;
	*out = (struct result){ .fields = rows.fields, .n_fields = rows.n_fields, .cells = rows.cells, .n_rows = rows.n_rows };
	return set_tag(a, out, e);
}

/* --- EXPLAIN ----------------------------------------------------------------------------------------------------------------- */

struct field present_line_field(void)
{
	return pgtype_field(TYPE_TEXT, "QUERY PLAN");
}

bool present_lines(const char *const *lines, size_t n, const struct formats *f, struct arena *a, struct result *out, struct error *e)
{
	struct field *field = arena_new(a, struct field);
	struct cell *cells = arena_array(a, n + 1, struct cell);

	if (!field || !cells)
		return fail_memory(e);
	if (!present_check_formats(f, 1, e))
		return false;
	*field = present_line_field();
	for (size_t i = 0; i < n; i++)
		cells[i] = (struct cell){ .data = (const uint8_t *)lines[i], .length = (int32_t)strlen(lines[i]) };
	*out = (struct result){ .fields = field, .n_fields = 1, .cells = cells, .n_rows = n, .tag = "EXPLAIN" };
	return true;
}
