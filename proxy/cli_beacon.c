#include "base/file.h"
#include "base/number.h"
#include "base/text.h"
#include "crypto/beacon.h"
#include "crypto/schema.h"
#include "crypto/secret_memory.h"
#include "proxy/cli.h"
#include "proxy/cli_crypto.h"
#include "proxy/cli_seal_files.h"
#include "proxy/cli_secret.h"

#include <getopt.h>
#include <string.h>

static const char usage[] =
	"usage: noisegate beacon --collaboration UUID --key-file KEY --column NAME --bits N VALUE        the search term of a value\n"
	"       noisegate beacon --collaboration UUID --key-file KEY --column NAME --bits N [--as NAME] [--overwrite] --add IN.csv OUT.csv\n"
	"                                                                   adds a beacon column (NAME_beacon) to a file\n"
	"       noisegate beacon --expect DISTINCT [--bits N]               how many values share a beacon\n"
	"  --bits N   1 to 32: fewer bits hide more and find more rows that are not meant (docs/beacons.md)\n"
	"  IN may be gzip; OUT is when its name ends in .gz; - is standard input or output.\n";

struct options {
	const char *collaboration, *key, *column, *as, *words[2];
	int64_t bits, distinct; /* 0: not given */
	int n_words;
	bool add, overwrite;
};

static bool read_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "collaboration", required_argument, NULL, 'i' }, { "key-file", required_argument, NULL, 'k' }, { "column", required_argument, NULL, 'c' },
		{ "bits", required_argument, NULL, 'b' }, { "as", required_argument, NULL, 'a' }, { "add", no_argument, NULL, '+' },
		{ "expect", required_argument, NULL, 'e' }, { "overwrite", no_argument, NULL, 'o' }, { NULL, 0, NULL, 0 },
	};
	int id;

	*o = (struct options){ 0 };
	optind = 1;
	while ((id = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (id == 'i')
			o->collaboration = optarg;
		else if (id == 'k')
			o->key = optarg;
		else if (id == 'c')
			o->column = optarg;
		else if (id == 'a')
			o->as = optarg;
		else if (id == '+')
			o->add = true;
		else if (id == 'o')
			o->overwrite = true;
		else if (id == 'b' && number_i64(optarg, 1, BEACON_BITS_MAX, &o->bits))
			continue;
		else if (id != 'e' || !number_i64(optarg, 1, INT64_C(1) << 50, &o->distinct)) {
			if (id != '?')
				(void)fprintf(stderr, "noisegate: \"%s\" is not a number that can be used here\n", optarg);
			return false;
		}
	}
	for (; optind < argc; optind++) {
		if (o->n_words == 2)
			return false;
		o->words[o->n_words++] = argv[optind];
	}
	if (o->distinct)
		return o->n_words == 0 && !o->add;
	return o->collaboration && o->key && o->column && o->bits && o->n_words == (o->add ? 2 : 1) && (o->add || !o->as);
}

/* A search term is shared by the value itself and 1 in 2^bits of the others. */
static void expect(const struct options *o)
{
	(void)printf("bits  values that share a search term, on average\n");
	for (int bits = o->bits ? (int)o->bits : 1; bits <= (o->bits ? (int)o->bits : BEACON_BITS_MAX); bits++) {
		i128 hundredths = 100 + (i128)100 * (o->distinct - 1) / ((i128)1 << bits);
		(void)printf("%4d  %lld.%02d\n", bits, (long long)(hundredths / 100), (int)(hundredths % 100));
	}
}

static bool add(const struct options *o, const struct beacon *b, struct arena *a, const char *column, struct error *e)
{
	const char *target = o->as ? o->as : arena_printf(a, "%s_beacon", column);
	struct seal_input in = { 0 };
	struct seal_output out = { 0 };

	seal_watch_signals();
	bool ok = (target || fail_memory(e)) && seal_input_open(&in, o->words[0], e) &&
		  seal_output_open(&out, o->words[1], o->words[0], o->overwrite, true, e) &&
		  beacon_file(b, column, target, in.f, o->words[0], out.f, e) && seal_output_commit(&out, e);
	seal_output_abort(&out);
	seal_input_close(&in);
	return ok;
}

static bool run(const struct options *o, struct arena *a, struct error *e)
{
	const struct key_context want = { .collaboration = o->collaboration, .purpose = "seal" };
	struct c3r_secret *secret = secret_new(sizeof(*secret));
	char collaboration[UUID_TEXT], text[BEACON_TEXT];
	struct beacon b = { 0 };
	const char *column;

	bool ok = (secret || fail_memory(e)) && c3r_uuid(o->collaboration, collaboration, e) &&
		  (schema_header(a, o->column, &column) || fail(e, ERR_BAD_PARAMETER, "\"%s\" is not a valid column name", o->column)) &&
		  cli_key_load(a, o->key, &want, NULL, secret, e) && beacon_open(secret, collaboration, column, (unsigned)o->bits, &b, e);
	if (ok && o->add)
		ok = add(o, &b, a, column, e);
	else if (ok && (!o->words[0][0] || !text_utf8(o->words[0], strlen(o->words[0]))))
		ok = fail(e, ERR_BAD_PARAMETER, o->words[0][0] ? "the value is not UTF-8" : "an empty value has no beacon");
	else if (ok && (ok = beacon_of(&b, o->words[0], strlen(o->words[0]), text) || fail(e, ERR_CRYPTO, "could not compute the beacon")))
		(void)printf("%s\n", text);
	beacon_close(&b);
	secret_delete(secret, sizeof(*secret));
	return ok;
}

int cli_beacon(int argc, char **argv)
{
	struct error e = ERROR_INIT;
	struct options o;
	struct arena a;

	if (!read_options(argc, argv, &o))
		return cli_usage(usage);
	if (o.distinct) {
		expect(&o);
		return EXIT_DONE;
	}
	arena_init(&a, 16 << 20);
	bool ok = run(&o, &a, &e);
	arena_reset(&a);
	return ok ? EXIT_DONE : cli_error(&e);
}
