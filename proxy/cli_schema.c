/* noisegate schema: proposes a sealing schema for a CSV file, as a template to be edited or by asking about each column. */
#include "base/file.h"
#include "base/number.h"
#include "base/text.h"
#include "crypto/c3r.h"
#include "crypto/csv.h"
#include "crypto/schema.h"
#include "proxy/cli.h"
#include "proxy/cli_crypto.h"
#include "proxy/cli_seal_files.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

static const char usage[] =
	"usage: noisegate schema (--template | --interactive) [--format c3r|noisegate] [--no-headers] [--output FILE] [--overwrite] IN.csv\n"
	"  --template          every column with the choices to be made; edit it before sealing\n"
	"  --interactive       asks about each column; answers are read from standard input\n"
	"  --format noisegate  for the native format, with its columns and pads (default: c3r, that of the AWS client)\n"
	"  --no-headers        IN.csv has no header row: columns go by position\n"
	"  --output FILE       instead of IN.csv.json; - is standard output\n"
	"IN may be gzip; with --template - is standard input.\n";

struct options {
	const char *in, *output;
	bool template, interactive, no_headers, overwrite, native;
};

/* The schema under construction: one object per target column. */
struct proposal {
	const struct options *o;
	struct arena *arena;
	struct wr json;
	const char **targets; /* names in use */
	size_t n, cap;
};

static void put_string(struct proposal *p, const char *key, const char *value)
{
	wr_fmt(&p->json, "\"%s\": ", key);
	wr_json(&p->json, value);
}

static void template_column(struct proposal *p, const char *source, size_t i)
{
	wr_str(&p->json, "{ ");
	if (source) {
		put_string(p, "sourceHeader", source);
		wr_str(&p->json, ", ");
	}
	put_string(p, "targetHeader", source ? source : arena_printf(p->arena, "column_%zu", i));
	if (p->o->native)
		wr_str(&p->json, ",\n      \"type\": \"[sealed|deterministic|fingerprint|cleartext]\",\n"
				 "      \"pad\": { \"type\": \"[bucket|none|fixed|max]\", \"length\": \"[0 to 10000; no length for none; no pad unless sealed or deterministic]\" } }");
	else
		wr_str(&p->json, ",\n      \"type\": \"[sealed|fingerprint|cleartext]\",\n"
				 "      \"pad\": { \"type\": \"[none|fixed|max]\", \"length\": \"[0 to 10000; no length for none; no pad unless sealed]\" } }");
}

/* A line of standard input without its end; false at the end of the input. */
static bool ask(char *line, size_t n, const char *question, const char *column, const char *proposed)
{
	(void)fprintf(stderr, "%s: %s", column, question);
	if (*proposed)
		(void)fprintf(stderr, " [%s]", proposed);
	(void)fputs("? ", stderr);
	if (!fgets(line, (int)n, stdin))
		return false;
	size_t length = strlen(line);
	while (length > 0 && (unsigned char)line[length - 1] <= ' ')
		line[--length] = '\0';
	if (length == 0)
		(void)snprintf(line, n, "%s", proposed);
	return true;
}

static bool ended(struct error *e)
{
	return fail(e, ERR_IO, "the answers ended before the schema was complete");
}

/* Asks until the answer is one of the choices or begins one. */
static bool choose(const char *question, const char *column, const char *proposed, const char *const *choices, size_t n, size_t *out, struct error *e)
{
	char line[256];

	for (;;) {
		if (!ask(line, sizeof(line), question, column, proposed))
			return ended(e);
		for (char *c = line; *c; c++)
			*c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
		for (size_t i = 0; i < n; i++) {
			if (line[0] && text_starts(choices[i], line)) {
				*out = i;
				return true;
			}
		}
		(void)fputs("  please answer with one of the words\n", stderr);
	}
}

static bool name_target(struct proposal *p, const char *column, const char *proposed, const char **out, struct error *e)
{
	char line[256];

	for (;;) {
		bool taken = false;
		if (!ask(line, sizeof(line), "name of the target column", column, proposed))
			return ended(e);
		if (!schema_header(p->arena, line, out)) {
			(void)fputs("  letters, digits, _, blanks and single hyphens; at most 128\n", stderr);
			continue;
		}
		for (size_t i = 0; i < p->n; i++)
			taken = taken || text_eq(p->targets[i], *out);
		if (!taken)
			break;
		(void)fputs("  that name is in use\n", stderr);
	}
	void *grown = arena_grow(p->arena, p->targets, p->n, &p->cap, sizeof(*p->targets));
	if (!grown)
		return fail_memory(e);
	p->targets = grown;
	p->targets[p->n++] = *out;
	return true;
}

static bool ask_pad(struct proposal *p, const char *column, struct error *e)
{
	static const struct {
		const char *question, *proposed;
	} lengths[] = { { 0 }, { "every value becomes how many bytes", "64" }, { "bytes beyond the longest value", "0" }, { "a multiple of how many bytes", "16" } };
	static const char *const kinds[] = { "none", "fixed", "max", "bucket" };
	const bool native = p->o->native;
	char line[256];
	size_t kind = 0;
	int64_t length;

	if (!choose(native ? "padding: bucket, none, fixed, max" : "padding: none, fixed, max", column, native ? "bucket" : "max", kinds,
		    native ? ARRAY_LEN(kinds) : ARRAY_LEN(kinds) - 1, &kind, e))
		return false;
	wr_str(&p->json, ", \"pad\": { ");
	put_string(p, "type", kinds[kind]);
	if (kind > 0) {
		do {
			if (!ask(line, sizeof(line), lengths[kind].question, column, lengths[kind].proposed))
				return ended(e);
		} while (!number_i64(line, kind == 3, C3R_PAD_MAX, &length));
		wr_fmt(&p->json, ", \"length\": %lld", (long long)length);
	}
	wr_str(&p->json, " }");
	return true;
}

/* The targets of one source column; *n how many. */
static bool ask_column(struct proposal *p, const char *source, const char *column, bool first, size_t *n, struct error *e)
{
	static const char *const kinds[] = { "sealed", "fingerprint", "cleartext", "drop", "deterministic" }, *const yes_no[] = { "no", "yes" };
	static const char *const suffixes[] = { "_sealed", "_fingerprint", "", "", "_deterministic" };
	const bool native = p->o->native;
	const char *target;
	size_t kind = 0, more = 1;

	for (*n = 0; more; (*n)++) {
		if (!choose(native ? "sealed, deterministic, fingerprint, cleartext, drop" : "sealed, fingerprint, cleartext, drop", column, *n ? "" : "sealed", kinds,
			    native ? ARRAY_LEN(kinds) : ARRAY_LEN(kinds) - 1, &kind, e))
			return false;
		if (kind == 3)
			return true;
		const char *proposed = source ? arena_printf(p->arena, "%s%s", source, suffixes[kind]) : "";
		if (!proposed)
			return fail_memory(e);
		if (!name_target(p, column, proposed, &target, e))
			return false;
		wr_str(&p->json, *n ? ",\n    { " : first ? "\n    { " : ",\n    { ");
		if (source) {
			put_string(p, "sourceHeader", source);
			wr_str(&p->json, ", ");
		}
		put_string(p, "targetHeader", target);
		wr_str(&p->json, ", ");
		put_string(p, "type", kinds[kind]);
		if ((kind == 0 || kind == 4) && !ask_pad(p, column, e))
			return false;
		wr_str(&p->json, " }");
		if (!choose("another target column from the same source: yes, no", column, "no", yes_no, ARRAY_LEN(yes_no), &more, e))
			return false;
	}
	return true;
}

static bool add_column(struct proposal *p, const struct csv_field *f, size_t i, struct error *e)
{
	const char *source = NULL, *column = arena_printf(p->arena, "column %zu", i + 1);
	size_t made = 1;

	if (!p->o->no_headers && !schema_header(p->arena, f->text, &source)) {
		(void)fprintf(stderr, "column %zu is left out: \"%.60s\" is not a name that a schema can hold\n", i + 1, f->text);
		return true;
	}
	if (p->o->no_headers)
		wr_str(&p->json, i ? ",\n    [" : "\n    [");
	if (p->o->template) {
		wr_str(&p->json, p->o->no_headers ? " " : p->n ? ",\n    " : "\n    ");
		template_column(p, source, i);
		p->n++;
	} else if (!ask_column(p, source, source ? source : column, p->o->no_headers || p->n == 0, &made, e)) {
		return false;
	}
	if (p->o->no_headers)
		wr_str(&p->json, " ]");
	return true;
}

static bool propose(struct proposal *p, FILE *in, struct error *e)
{
	struct csv_reader csv;
	bool end = false;

	if (!csv_open(&csv, in, p->o->in, e))
		return false;
	bool ok = csv_next(&csv, &end, e);
	if (ok && end)
		ok = fail(e, ERR_IO, "%s: the file is empty", p->o->in);
	wr_fmt(&p->json, "{ %s\"headerRow\": %s, \"columns\": [", p->o->native ? "\"format\": \"noisegate\", " : "", p->o->no_headers ? "false" : "true");
	for (size_t i = 0; ok && i < csv.n_fields; i++)
		ok = add_column(p, &csv.fields[i], i, e);
	wr_str(&p->json, "\n] }\n");
	csv_close(&csv);
	if (ok && p->n == 0)
		ok = fail(e, ERR_CONFIG, "%s: no column is left for the schema", p->o->in);
	return ok && (wr_ok(&p->json) || fail_memory(e));
}

static bool write_out(const struct proposal *p, struct error *e)
{
	const char *path = p->o->output ? p->o->output : text_eq(p->o->in, "-") ? "-" : arena_printf(p->arena, "%s.json", p->o->in);
	struct file_out out = { 0 };

	if (!path)
		return fail_memory(e);
	if (text_eq(path, "-"))
		return (fwrite(p->json.p, 1, p->json.n, stdout) == p->json.n && fflush(stdout) == 0) ||
		       fail(e, ERR_IO, "could not write the output: %s", strerror(errno));
	bool ok = file_out_open(&out, path, p->o->overwrite, e) &&
		  (fwrite(p->json.p, 1, p->json.n, out.f) == p->json.n || fail(e, ERR_IO, "could not write \"%s\": %s", path, strerror(errno))) &&
		  file_out_commit(&out, e);
	file_out_abort(&out);
	if (ok)
		(void)fprintf(stderr, "wrote %s%s\n", path, p->o->template ? "; replace what stands in [brackets] before sealing" : "");
	return ok;
}

static bool read_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "template", no_argument, NULL, 't' },	  { "interactive", no_argument, NULL, 'i' },  { "no-headers", no_argument, NULL, 'p' },
		{ "output", required_argument, NULL, 'o' }, { "overwrite", no_argument, NULL, 'f' },
		{ "noHeaders", no_argument, NULL, 'p' },  { "format", required_argument, NULL, 'F' }, { NULL, 0, NULL, 0 },
	};
	int id;

	*o = (struct options){ 0 };
	optind = 1;
	while ((id = getopt_long(argc, argv, "tipo:f", known, NULL)) != -1) {
		if (id == '?' || (id == 'F' && !text_eq(optarg, "c3r") && !text_eq(optarg, "noisegate")))
			return false;
		o->native |= id == 'F' && text_eq(optarg, "noisegate");
		o->template |= id == 't';
		o->interactive |= id == 'i';
		o->no_headers |= id == 'p';
		o->overwrite |= id == 'f';
		if (id == 'o')
			o->output = optarg;
	}
	if (optind + 1 != argc || o->template == o->interactive)
		return false;
	o->in = argv[optind];
	return o->template || !text_eq(o->in, "-"); /* answers come from standard input */
}

int cli_schema(int argc, char **argv)
{
	struct error e = ERROR_INIT;
	struct options o;
	struct arena a;

	if (!read_options(argc, argv, &o))
		return cli_usage(usage);
	arena_init(&a, 16 << 20);
	struct proposal p = { .o = &o, .arena = &a };
	wr_init_heap(&p.json, 16 << 20);
	struct seal_input in = { 0 };
	bool ok = seal_input_open(&in, o.in, &e) && propose(&p, in.f, &e) && write_out(&p, &e);
	seal_input_close(&in);
	wr_free(&p.json);
	arena_reset(&a);
	return ok ? EXIT_DONE : cli_error(&e);
}
