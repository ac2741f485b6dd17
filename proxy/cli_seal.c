#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/text.h"
#include "crypto/crew.h"
#include "crypto/random.h"
#include "crypto/seal.h"
#include "proxy/cli.h"
#include "proxy/cli_crypto.h"
#include "proxy/cli_seal_files.h"
#include "proxy/cli_secret.h"

#include <getopt.h>
#include <string.h>
#include <unistd.h>

static const char seal_usage[] =
	"usage: noisegate seal --schema FILE --collaboration UUID [--key-file FILE] [options] IN.csv [OUT.csv]\n"
	"  --key-file FILE     shared secret (Base64, mode 0600) or wrapped key file; else the environment's C3R_SHARED_SECRET\n"
	"  --output FILE       instead of OUT.csv; without either: IN.sealed.csv; - is standard output\n"
	"  --overwrite         replace an existing output\n"
	"  --threads N         that seal, besides the one that reads and writes (default: one for each core)\n"
	"  --null-in TEXT      which values mean NULL (default: blank and \"\")     --null-out TEXT   how NULL is written\n"
	"  --allow-cleartext --allow-duplicates --allow-joins-on-different-names --preserve-nulls\n"
	"                      settings of the collaboration; every one is off by default and weakens what is hidden (docs/sealed-columns.md)\n"
	"IN may be gzip; OUT is when its name ends in .gz; - is standard input or output.  The AWS client's -s, --id, -o, -f, -r and -w work, too.\n";

static const char unseal_usage[] =
	"usage: noisegate unseal --collaboration UUID [--key-file FILE] [--output FILE] [--overwrite] [--fail-on-fingerprint]\n"
	"                        [--partial] [--threads N] [--null-in TEXT] [--null-out TEXT] IN.csv [OUT.csv]\n"
	"  --partial           native format: IN is an answer, with some of a file's columns and rows, not the file as it was sealed\n";

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
	/* the AWS client's names */
	{ "id", required_argument, NULL, OPT_COLLABORATION },	     { "csvInputNULLValue", required_argument, NULL, OPT_NULL_IN },
	{ "csvOutputNULLValue", required_argument, NULL, OPT_NULL_OUT }, { NULL, 0, NULL, 0 },
};

static const struct option unseal_options[] = {
	{ "key-file", required_argument, NULL, OPT_KEY },	{ "collaboration", required_argument, NULL, OPT_COLLABORATION },
	{ "output", required_argument, NULL, OPT_OUTPUT },	{ "overwrite", no_argument, NULL, OPT_OVERWRITE },
	{ "null-in", required_argument, NULL, OPT_NULL_IN },	{ "null-out", required_argument, NULL, OPT_NULL_OUT },
	{ "fail-on-fingerprint", no_argument, NULL, OPT_FAIL_FINGERPRINT }, { "partial", no_argument, NULL, OPT_PARTIAL },
	{ "threads", required_argument, NULL, OPT_THREADS },
	/* the AWS client's names */
	{ "id", required_argument, NULL, OPT_COLLABORATION },	{ "csvInputNULLValue", required_argument, NULL, OPT_NULL_IN },
	{ "csvOutputNULLValue", required_argument, NULL, OPT_NULL_OUT }, { "failOnFingerprintColumns", no_argument, NULL, OPT_FAIL_FINGERPRINT },
	{ "fof", no_argument, NULL, OPT_FAIL_FINGERPRINT },	{ NULL, 0, NULL, 0 },
};

_Static_assert(CREW_MAX == 16, "the usage and its messages say so");

/* Said before the usage. */
static bool misused(const char *what)
{
	(void)fprintf(stderr, "noisegate: %s\n", what);
	return false;
}

static bool take_option(struct options *o, int id)
{
	switch (id) {
	case OPT_SCHEMA:
	case 's':
		o->schema = optarg;
		break;
	case OPT_KEY:
		o->key_file = optarg;
		break;
	case OPT_COLLABORATION:
		o->collaboration = optarg;
		break;
	case OPT_OUTPUT:
	case 'o':
		o->output = optarg;
		break;
	case OPT_OVERWRITE:
	case 'f':
		o->overwrite = true;
		break;
	case OPT_NULL_IN:
	case 'r':
		o->seal.null_in = optarg;
		break;
	case OPT_NULL_OUT:
	case 'w':
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
		return number_i64(optarg, 1, CREW_MAX, &o->threads) || misused("--threads is not a number from 1 to 16");
	default:
		return false;
	}
	return true;
}

static bool read_options(int argc, char **argv, const char *letters, const struct option *known, struct options *o)
{
	int id;

	*o = (struct options){ .seal = { .null_out = "" } };
	optind = 1;
	while ((id = getopt_long(argc, argv, letters, known, NULL)) != -1) {
		if (!take_option(o, id))
			return false;
	}
	if (!o->collaboration)
		return misused("--collaboration is missing");
	if (optind >= argc)
		return misused("the input is missing");
	if (argc - optind > 2 || (o->output && argc - optind == 2))
		return misused("there is one input and one output");
	o->in = argv[optind];
	if (argc - optind == 2)
		o->output = argv[optind + 1];
	return true;
}

static bool read_secret(struct arena *a, const struct options *o, struct c3r_secret *out, struct error *e)
{
	const struct key_context expect = { .collaboration = o->collaboration, .purpose = "seal" };
	const char *text = getenv("C3R_SHARED_SECRET");

	if (o->key_file)
		return cli_key_load(a, o->key_file, &expect, NULL, out, e);
	if (text)
		return c3r_secret_read(text, out, e) || error_detail(e, "It was read from the environment's C3R_SHARED_SECRET.");
	fail(e, ERR_CRYPTO, "no key: neither --key-file nor C3R_SHARED_SECRET is given");
	return error_hint(e, "Make one with: noisegate key generate --output FILE");
}

/* OUT, or a name made from the input's: customers.csv.gz becomes customers.sealed.csv.gz. */
static const char *output_name(struct arena *a, const struct options *o, const char *suffix)
{
	if (o->output)
		return o->output;
	if (text_eq(o->in, "-"))
		return "-";
	size_t n = strlen(o->in);
	bool gz = n > 3 && text_eq(o->in + n - 3, ".gz");
	n -= gz ? 3 : 0;
	size_t base = n > 4 && mem_equal(o->in + n - 4, ".csv", 4) ? n - 4 : n;
	return arena_printf(a, "%.*s.%s.csv%s", (int)base, o->in, suffix, gz ? ".gz" : "");
}

/* What both directions have in common.  hold: nothing may go out before all is known to be right. */
struct files {
	struct c3r_secret secret;
	char collaboration[UUID_TEXT];
	struct seal_input in;
	struct seal_output out;
	struct seal_bar bar;
};

static bool files_open(struct files *f, const struct options *o, struct arena *a, const char *suffix, bool hold, struct error *e)
{
	const char *path = output_name(a, o, suffix);

	*f = (struct files){ .bar = { .in = &f->in, .what = suffix, .started = clock_monotonic().nanos } };
	if (!path)
		return fail_memory(e);
	seal_watch_signals();
	secret_lock(&f->secret, sizeof(f->secret));
	return read_secret(a, o, &f->secret, e) && c3r_uuid(o->collaboration, f->collaboration, e) && seal_input_open(&f->in, o->in, e) &&
	       seal_output_open(&f->out, path, o->in, o->overwrite, hold, e);
}

static bool files_close(struct files *f, int64_t rows, bool ok, struct error *e)
{
	ok = ok && seal_output_commit(&f->out, e);
	if (isatty(STDERR_FILENO))
		seal_bar_end(&f->bar, rows, ok);
	seal_output_abort(&f->out);
	seal_input_close(&f->in);
	secret_wipe(&f->secret, sizeof(f->secret));
	return ok;
}

/* For messages. */
static const char *in_name(const struct options *o)
{
	return text_eq(o->in, "-") ? "standard input" : o->in;
}

static bool run_seal(const struct options *o, struct arena *a, struct error *e)
{
	const struct rng r = random_system();
	struct seal_settings settings = o->seal;
	struct schema schema;
	struct files f;
	int64_t rows = 0;
	char *text;
	size_t n;

	settings.threads = (int)o->threads;
	settings.progress = isatty(STDERR_FILENO) ? seal_bar_show : NULL;
	settings.progress_ctx = &f.bar;
	bool ok = files_open(&f, o, a, "sealed", false, e) && file_read(a, o->schema, 1 << 20, &text, &n, e) &&
		  schema_read(a, o->schema, text, n, &schema, e) &&
		  seal_file(f.in.f, in_name(o), f.out.f, &schema, &f.secret, f.collaboration, &settings, &r, &rows, e);
	return files_close(&f, rows, ok, e);
}

static bool run_unseal(const struct options *o, struct arena *a, struct error *e)
{
	struct files f;
	int64_t opened = 0;
	const struct unseal_settings settings = { .fail_on_fingerprint = o->fail_on_fingerprint, .partial = o->partial, .threads = (int)o->threads,
						  .null_in = o->seal.null_in, .null_out = o->seal.null_out,
						  .progress = isatty(STDERR_FILENO) ? seal_bar_show : NULL, .progress_ctx = &f.bar, .opened = &opened };
	int64_t rows = 0;

	bool ok = files_open(&f, o, a, "unsealed", true, e) &&
		  unseal_file(f.in.f, in_name(o), f.out.f, &f.secret, f.collaboration, &settings, &rows, e);
	ok = files_close(&f, rows, ok, e);
	if (ok && rows > 0 && opened == 0)
		(void)fprintf(stderr, "noisegate: warning: %s holds no sealed cell, so nothing was opened or checked\n", in_name(o));
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

	if (!read_options(argc, argv, "s:o:fr:w:", seal_options, &o) || (!o.schema && !misused("--schema is missing")))
		return cli_usage(seal_usage);
	return finish(run_seal, &o);
}

int cli_unseal(int argc, char **argv)
{
	struct options o;

	if (!read_options(argc, argv, "o:fr:w:", unseal_options, &o))
		return cli_usage(unseal_usage);
	return finish(run_unseal, &o);
}
