#include "base/file.h"
#include "base/text.h"
#include "crypto/random.h"
#include "crypto/secret_memory.h"
#include "crypto/vault_csv.h"
#include "proxy/cli.h"
#include "proxy/cli_crypto.h"
#include "proxy/cli_seal_files.h"
#include "proxy/cli_secret.h"

#include <getopt.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
	"usage: noisegate tokenize --vault FILE --schema FILE --key-file KEY [--overwrite] IN.csv OUT.csv\n"
	"       noisegate detokenize --vault FILE --schema FILE --key-file KEY --reason TEXT [--overwrite] IN.csv OUT.csv\n"
	"       noisegate detokenize --vault FILE --key-file KEY --audit       who got values back, when, why\n"
	"  --key-file KEY      the vault's key, plain or wrapped for the purpose \"vault\" (docs/keys.md)\n"
	"  IN may be gzip; OUT is when its name ends in .gz; - is standard input or output.\n"
	"  The vault is made by the first tokenize.  Exit status: 0 done, 1 failed, 2 wrong usage, 3 the key is refused, 4 it was destroyed.\n";

struct options {
	const char *vault, *schema, *key, *reason, *in, *out;
	bool overwrite, audit, back;
};

static bool read_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "vault", required_argument, NULL, 'v' }, { "schema", required_argument, NULL, 's' }, { "key-file", required_argument, NULL, 'k' },
		{ "reason", required_argument, NULL, 'r' }, { "overwrite", no_argument, NULL, 'o' },	{ "audit", no_argument, NULL, 'a' },
		{ NULL, 0, NULL, 0 },
	};
	int id;

	*o = (struct options){ .back = text_eq(argv[0], "detokenize") };
	optind = 1;
	while ((id = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (id == 'v')
			o->vault = optarg;
		else if (id == 's')
			o->schema = optarg;
		else if (id == 'k')
			o->key = optarg;
		else if (id == 'r')
			o->reason = optarg;
		else if (id == 'o')
			o->overwrite = true;
		else if (id == 'a')
			o->audit = true;
		else
			return false;
	}
	const char *missing = !o->vault ? "--vault" : !o->key ? "--key-file" : o->audit ? NULL : !o->schema ? "--schema" : o->back && (!o->reason || !*o->reason) ? "--reason" : NULL;
	if (missing)
		(void)fprintf(stderr, "noisegate: %s is missing\n", missing);
	if (!o->vault || !o->key || (o->audit && (!o->back || optind != argc)))
		return false;
	if (o->audit)
		return true;
	if (!o->schema || argc - optind != 2 || (o->back && (!o->reason || !*o->reason)))
		return false;
	o->in = argv[optind];
	o->out = argv[optind + 1];
	return true;
}

/* The schema's token columns, for the trail. */
static void name_columns(const struct options *o, const struct token_schema *schema, struct wr *w)
{
	wr_str(w, o->in);
	for (size_t i = 0; i < schema->n; i++)
		if (schema->columns[i].token)
			wr_fmt(w, " %s", o->back ? schema->columns[i].target : schema->columns[i].source);
}

static bool note(const struct options *o, struct arena *a, struct vault *v, const struct token_schema *schema, int64_t cells, struct error *e)
{
	const struct passwd *user = getpwuid(getuid());
	struct wr what, now;

	wr_init(&what, a, 65536);
	name_columns(o, schema, &what);
	cli_date(a, &now);
	const struct vault_entry entry = { .at = wr_text(&now), .who = user ? user->pw_name : "?", .action = o->back ? "detokenize" : "tokenize",
					   .what = wr_text(&what), .reason = o->reason ? o->reason : "", .cells = cells };
	return (wr_ok(&what) || fail_memory(e)) && vault_audit(v, &entry, e);
}

/* The trail is durable before the output has its name. */
static bool convert(const struct options *o, struct arena *a, struct vault *v, const struct token_schema *schema, struct error *e)
{
	struct seal_input in = { 0 };
	struct seal_output out = { 0 };
	int64_t cells = 0;

	seal_watch_signals();
	bool ok = seal_input_open(&in, o->in, e) && seal_output_open(&out, o->out, o->in, o->overwrite, true, e) &&
		  token_file(v, schema, o->back, in.f, o->in, out.f, &cells, e) && note(o, a, v, schema, cells, e) && vault_commit(v, e) &&
		  seal_output_commit(&out, e);
	seal_output_abort(&out);
	seal_input_close(&in);
	return ok;
}

static void print_entry(void *ctx UNUSED, int64_t id, const struct vault_entry *t)
{
	(void)printf("%lld %s %s %s %lld cells: %s%s%s\n", (long long)id, t->at, t->who, t->action, (long long)t->cells, t->what, t->reason[0] ? "; " : "",
		     t->reason);
}

static bool run(const struct options *o, struct arena *a, struct error *e)
{
	const struct key_context expect = { .purpose = "vault" };
	const struct rng r = random_system();
	struct c3r_secret *key = secret_new(sizeof(*key));
	struct token_schema schema = { 0 };
	struct vault *v = NULL;
	char *text;
	size_t n;

	bool ok = (key || fail_memory(e)) &&
		  (o->audit || (file_read(a, o->schema, 1 << 20, &text, &n, e) && token_schema_read(a, o->schema, text, n, &schema, e))) &&
		  cli_key_load(a, o->key, &expect, NULL, key, e) && vault_open(o->vault, key, !o->back, &r, &v, e);
	if (ok)
		ok = o->audit ? vault_history(v, print_entry, NULL, e) : convert(o, a, v, &schema, e);
	vault_close(v);
	secret_delete(key, sizeof(*key));
	return ok;
}

int cli_tokenize(int argc, char **argv)
{
	struct error e = ERROR_INIT;
	struct options o;
	struct arena a;

	if (!read_options(argc, argv, &o))
		return cli_usage(usage);
	arena_init(&a, 16 << 20);
	bool ok = run(&o, &a, &e);
	arena_reset(&a);
	return ok ? EXIT_DONE : cli_error(&e);
}
