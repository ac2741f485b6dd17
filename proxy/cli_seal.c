#include "base/file.h"
#include "base/number.h"
#include "base/text.h"
#include "crypto/crew.h"
#include "crypto/random.h"
#include "crypto/seal.h"
#include "proxy/cli.h"
#include "proxy/cli_crypto.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

static const char seal_usage[] =
	"usage: noisegate seal --schema FILE --collaboration UUID [--key-file FILE] [options] IN.csv [OUT.csv]\n"
	"  --key-file FILE     shared secret (Base64, mode 0600); else the environment's C3R_SHARED_SECRET\n"
	"  --output FILE       instead of OUT.csv; without either: IN.sealed.csv; - is standard output\n"
	"  --overwrite         replace an existing output\n"
	"  --null-in TEXT      which values mean NULL (default: blank and \"\")     --null-out TEXT   how NULL is written\n"
	"  --allow-cleartext --allow-duplicates --allow-joins-on-different-names --preserve-nulls\n"
	"                      settings of the collaboration; every one is off by default and weakens what is hidden (docs/sealed-columns.md)\n";

static const char unseal_usage[] =
	"usage: noisegate unseal --collaboration UUID [--key-file FILE] [--output FILE] [--overwrite] [--fail-on-fingerprint]\n"
	"                        [--null-in TEXT] [--null-out TEXT] IN.csv [OUT.csv]\n";

struct options {
	const char *schema, *key_file, *collaboration, *output, *in;
	bool overwrite, fail_on_fingerprint, partial;
	struct seal_settings seal;
	int64_t threads;
};

enum option_id { OPT_SCHEMA = 256, OPT_KEY, OPT_COLLABORATION, OPT_OUTPUT, OPT_OVERWRITE, OPT_NULL_IN, OPT_NULL_OUT, OPT_CLEARTEXT, OPT_DUPLICATES,
		 OPT_NAMES, OPT_NULLS, OPT_FAIL_FINGERPRINT, OPT_PARTIAL, OPT_THREADS };

static const struct option seal_options[] = {
	{ "schema", required_argument, NULL, OPT_SCHEMA },	     { "key-file", required_argument, NULL, OPT_KEY },
	{ "collaboration", required_argument, NULL, OPT_COLLABORATION }, { "output", required_argument, NULL, OPT_OUTPUT },
	{ "overwrite", no_argument, NULL, OPT_OVERWRITE },	     { "null-in", required_argument, NULL, OPT_NULL_IN },
	{ "null-out", required_argument, NULL, OPT_NULL_OUT },	     { "allow-cleartext", no_argument, NULL, OPT_CLEARTEXT },
	{ "allow-duplicates", no_argument, NULL, OPT_DUPLICATES },   { "allow-joins-on-different-names", no_argument, NULL, OPT_NAMES },
	{ "preserve-nulls", no_argument, NULL, OPT_NULLS },	     { "threads", required_argument, NULL, OPT_THREADS },
	{ NULL, 0, NULL, 0 },
};

static const struct option unseal_options[] = {
	{ "key-file", required_argument, NULL, OPT_KEY },	{ "collaboration", required_argument, NULL, OPT_COLLABORATION },
	{ "output", required_argument, NULL, OPT_OUTPUT },	{ "overwrite", no_argument, NULL, OPT_OVERWRITE },
	{ "null-in", required_argument, NULL, OPT_NULL_IN },	{ "null-out", required_argument, NULL, OPT_NULL_OUT },
	{ "fail-on-fingerprint", no_argument, NULL, OPT_FAIL_FINGERPRINT }, { "partial", no_argument, NULL, OPT_PARTIAL },
	{ "threads", required_argument, NULL, OPT_THREADS }, { NULL, 0, NULL, 0 },
};

static bool take_option(struct options *o, int id)
{
	switch (id) {
	case OPT_SCHEMA:
		o->schema = optarg;
		break;
	case OPT_KEY:
		o->key_file = optarg;
		break;
	case OPT_COLLABORATION:
		o->collaboration = optarg;
		break;
	case OPT_OUTPUT:
		o->output = optarg;
		break;
	case OPT_OVERWRITE:
		o->overwrite = true;
		break;
	case OPT_NULL_IN:
		o->seal.null_in = optarg;
		break;
	case OPT_NULL_OUT:
		o->seal.null_out = optarg;
		break;
	case OPT_CLEARTEXT:
		o->seal.allow_cleartext = true;
		break;
	case OPT_DUPLICATES:
		o->seal.allow_duplicates = true;
		break;
	case OPT_NAMES:
		o->seal.any_name = true;
		break;
	case OPT_NULLS:
		o->seal.preserve_nulls = true;
		break;
	case OPT_FAIL_FINGERPRINT:
		o->fail_on_fingerprint = true;
		break;
	case OPT_PARTIAL:
		o->partial = true;
		break;
	case OPT_THREADS:
		return number_i64(optarg, 1, CREW_MAX, &o->threads);
	default:
		return false;
	}
	return true;
}

static bool read_options(int argc, char **argv, const struct option *known, struct options *o)
{
	int id;

	*o = (struct options){ .seal = { .null_out = "" } };
	optind = 1;
	while ((id = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (!take_option(o, id))
			return false;
	}
	if (optind >= argc || argc - optind > 2 || !o->collaboration || (o->output && argc - optind == 2))
		return false;
	o->in = argv[optind];
	if (argc - optind == 2)
		o->output = argv[optind + 1];
	return true;
}

static bool read_secret(struct arena *a, const struct options *o, struct c3r_secret *out, struct error *e)
{
	const char *text = getenv("C3R_SHARED_SECRET");
	char *file;
	size_t n;

	if (o->key_file) {
		if (!file_read_secret(a, o->key_file, 4096, &file, &n, e))
			return false;
		text = file;
	}
	if (text)
		return c3r_secret_read(text, out, e);
	fail(e, ERR_CRYPTO, "no key: neither --key-file nor C3R_SHARED_SECRET is given");
	return error_hint(e, "Make one with: noisegate key generate --output FILE");
}

/* The output under its name only when complete; "-" is standard output. */
struct target {
	struct file_out file;
	FILE *f;
};

static bool target_open(struct target *t, struct arena *a, const struct options *o, const char *suffix, struct error *e)
{
	const char *path = o->output;

	*t = (struct target){ 0 };
	if (!path && text_eq(o->in, "-"))
		path = "-";
	if (!path) {
		size_t n = strlen(o->in);
		size_t base = n > 4 && text_eq(o->in + n - 4, ".csv") ? n - 4 : n;
		path = arena_printf(a, "%.*s.%s.csv", (int)base, o->in, suffix);
		if (!path)
			return fail_memory(e);
	}
	if (text_eq(path, "-")) {
		t->f = stdout;
		return true;
	}
	if (!file_out_open(&t->file, path, o->overwrite, e)) {
		if (access(path, F_OK) == 0)
			error_hint(e, "Give --overwrite, or another name.");
		return false;
	}
	t->f = t->file.f;
	return true;
}

static bool target_commit(struct target *t, struct error *e)
{
	if (t->f != stdout)
		return file_out_commit(&t->file, e);
	return fflush(stdout) == 0 ? true : fail(e, ERR_IO, "could not write the output: %s", strerror(errno));
}

static bool input_open(const char *path, FILE **out, struct error *e)
{
	*out = text_eq(path, "-") ? stdin : fopen(path, "rbe");
	return *out ? true : fail(e, ERR_IO, "could not open file \"%s\": %s", path, strerror(errno));
}

static void show_progress(void *ctx UNUSED, int64_t rows)
{
	(void)fprintf(stderr, "\r%lld rows", (long long)rows);
}

static bool run_seal(const struct options *o, struct arena *a, struct error *e)
{
	const struct rng r = random_system();
	struct c3r_secret secret;
	struct schema schema;
	char collaboration[UUID_TEXT], *text;
	struct seal_settings settings = o->seal;
	struct target t = { 0 };
	FILE *in = NULL;
	int64_t rows = 0;
	size_t n;
	bool tty = isatty(STDERR_FILENO);

	settings.threads = (int)o->threads;
	if (tty)
		settings.progress = show_progress;
	bool ok = read_secret(a, o, &secret, e) && c3r_uuid(o->collaboration, collaboration, e) && file_read(a, o->schema, 1 << 20, &text, &n, e) &&
		  schema_read(a, o->schema, text, n, &schema, e) && input_open(o->in, &in, e) && target_open(&t, a, o, "sealed", e) &&
		  seal_file(in, o->in, t.f, &schema, &secret, collaboration, &settings, &r, &rows, e) && target_commit(&t, e);
	if (tty && rows > 0)
		(void)fprintf(stderr, "\r%lld rows%s\n", (long long)rows, ok ? " sealed" : "");
	file_out_abort(&t.file);
	if (in && in != stdin)
		(void)fclose(in);
	secret_wipe(&secret, sizeof(secret));
	return ok;
}

static bool run_unseal(const struct options *o, struct arena *a, struct error *e)
{
	const struct unseal_settings settings = { .fail_on_fingerprint = o->fail_on_fingerprint, .partial = o->partial, .threads = (int)o->threads, .null_in = o->seal.null_in, .null_out = o->seal.null_out,
						  .progress = isatty(STDERR_FILENO) ? show_progress : NULL };
	struct c3r_secret secret;
	char collaboration[UUID_TEXT];
	struct target t = { 0 };
	FILE *in = NULL;
	int64_t rows;

	bool ok = read_secret(a, o, &secret, e) && c3r_uuid(o->collaboration, collaboration, e) && input_open(o->in, &in, e) &&
		  target_open(&t, a, o, "unsealed", e) && unseal_file(in, o->in, t.f, &secret, collaboration, &settings, &rows, e) &&
		  target_commit(&t, e);
	file_out_abort(&t.file);
	if (in && in != stdin)
		(void)fclose(in);
	secret_wipe(&secret, sizeof(secret));
	return ok;
}

static int finish(bool (*run)(const struct options *o, struct arena *a, struct error *e), const struct options *o)
{
	struct error e = ERROR_INIT;
	struct arena a;

	arena_init(&a, 16 << 20);
	bool ok = run(o, &a, &e);
	arena_reset(&a);
	return ok ? EXIT_DONE : cli_error(&e);
}

int cli_seal(int argc, char **argv)
{
	struct options o;

	if (!read_options(argc, argv, seal_options, &o) || !o.schema)
		return cli_usage(seal_usage);
	return finish(run_seal, &o);
}

int cli_unseal(int argc, char **argv)
{
	struct options o;

	if (!read_options(argc, argv, unseal_options, &o))
		return cli_usage(unseal_usage);
	return finish(run_unseal, &o);
}
