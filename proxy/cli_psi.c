#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/random.h"
#include "proxy/cli.h"
#include "proxy/cli_crypto.h"
#include "proxy/cli_numbers.h"
#include "proxy/cli_psi_trail.h"
#include "proxy/cli_seal_files.h"

#include <getopt.h>
#include <signal.h>

static const char usage[] =
	"usage: noisegate psi serve -c POLICY --table SCHEMA.NAME --peer MEMBER --bound N TLS [--listen HOST:PORT] [--ready-file FILE] FILE\n"
	"       noisegate psi join  -c POLICY --table SCHEMA.NAME --peer MEMBER --bound N TLS --connect HOST:PORT FILE\n"
	"\n"
	"How many values two parties' files share, with noise, for parties who share no key.  One serves, the other joins; both get a number.\n"
	"\n"
	"  FILE                     one value a line, or with --column NAME that column of a CSV file; may be gzip; - is standard input\n"
	"  -c, --config POLICY      this side's policy: the account of the table for the peer is charged\n"
	"  --bound N                most values; the peer is told this instead of how many there are\n"
	"  TLS                      --cert FILE --key FILE, and --peer-fingerprint SHA256 or --peer-ca FILE --peer-name NAME\n"
	"  --epsilon E, --delta D   what the peer's answer may cost; default: the budget's of one query\n"
	"  --session NAME           both must give the same; default: the policy's collaboration\n"
	"  --timeout SECONDS        how long the peer may be silent (60)\n"
	"  --json                   the result as JSON\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage, 5 the peer or the connection failed, 6 the budget does not allow it.\n";

enum { EXIT_PEER = 5, EXIT_BUDGET = 6 };

struct options {
	struct psi_identity tls;
	const char *policy, *table, *peer, *session, *column, *file, *at, *ready_file;
	struct eps epsilon;
	struct delta delta;
	int64_t bound, timeout;
	enum psi_role role;
	bool json;
};

enum { O_TABLE = 256, O_PEER, O_SESSION, O_COLUMN, O_AT, O_READY, O_CERT, O_KEY, O_PIN, O_CA, O_NAME, O_BOUND, O_TIMEOUT, O_EPSILON, O_DELTA, O_JSON };

/* Where an option's text goes; NULL for those that are numbers or flags. */
static const char **text_option(struct options *o, int id)
{
	switch (id) {
	case 'c':
		return &o->policy;
	case O_TABLE:
		return &o->table;
	case O_PEER:
		return &o->peer;
	case O_SESSION:
		return &o->session;
	case O_COLUMN:
		return &o->column;
	case O_AT:
		return &o->at;
	case O_READY:
		return &o->ready_file;
	case O_CERT:
		return &o->tls.cert;
	case O_KEY:
		return &o->tls.key;
	case O_PIN:
		return &o->tls.peer_fingerprint;
	case O_CA:
		return &o->tls.peer_ca;
	case O_NAME:
		return &o->tls.peer_name;
	default:
		return NULL;
	}
}

/* *e is filled when a figure is refused, untouched when the option is unknown. */
static bool other_option(struct options *o, int id, struct error *e)
{
	switch (id) {
	case O_BOUND:
		return number_i64(optarg, 1, PSI_SET_MAX, &o->bound) || fail(e, ERR_CONFIG, "--bound is not a number from 1 to %d", (int)PSI_SET_MAX);
	case O_TIMEOUT:
		return number_i64(optarg, 1, 86400, &o->timeout) || fail(e, ERR_CONFIG, "--timeout is not a number of seconds from 1 to 86400");
	case O_EPSILON:
		return cli_epsilon("epsilon", optarg, ROUND_DOWN, &o->epsilon, e);
	case O_DELTA:
		return cli_delta("delta", optarg, ROUND_DOWN, &o->delta, e);
	case O_JSON:
		o->json = true;
		return true;
	default:
		return false;
	}
}

/* What is missing or contradicts itself is said before the usage. */
static bool complete(const struct options *o)
{
	const char *wrong = NULL;

	if (!o->policy || !o->table || !o->peer || !o->bound || !o->tls.cert || !o->tls.key)
		wrong = "-c, --table, --peer, --bound, --cert and --key must all be given";
	else if (!o->tls.peer_ca != !o->tls.peer_name || !o->tls.peer_fingerprint == !o->tls.peer_ca)
		wrong = "the peer is known by --peer-fingerprint, or by --peer-ca with --peer-name";
	else if (o->role == PSI_JOIN && !o->at)
		wrong = "--connect is missing";
	else if (o->role == PSI_JOIN && o->ready_file)
		wrong = "--ready-file is for who serves";
	else if (!o->file)
		wrong = "one file must be named";
	if (wrong)
		(void)fprintf(stderr, "noisegate: %s\n", wrong);
	return !wrong;
}

static bool read_options(int argc, char **argv, struct options *o, struct error *e)
{
	const bool serves = argc > 1 && text_eq(argv[1], "serve");
	const struct option known[] = {
		{ "config", 1, NULL, 'c' },	      { "table", 1, NULL, O_TABLE },	 { "peer", 1, NULL, O_PEER },
		{ "session", 1, NULL, O_SESSION },    { "column", 1, NULL, O_COLUMN },	 { serves ? "listen" : "connect", 1, NULL, O_AT },
		{ "ready-file", 1, NULL, O_READY },   { "cert", 1, NULL, O_CERT },	 { "key", 1, NULL, O_KEY },
		{ "peer-fingerprint", 1, NULL, O_PIN }, { "peer-ca", 1, NULL, O_CA },	 { "peer-name", 1, NULL, O_NAME },
		{ "bound", 1, NULL, O_BOUND },	      { "timeout", 1, NULL, O_TIMEOUT }, { "epsilon", 1, NULL, O_EPSILON },
		{ "delta", 1, NULL, O_DELTA },	      { "json", 0, NULL, O_JSON },	 { NULL, 0, NULL, 0 },
	};
	int id;

	*o = (struct options){ .timeout = 60, .role = serves ? PSI_SERVE : PSI_JOIN };
	if (!serves && (argc < 2 || !text_eq(argv[1], "join")))
		return false;
	optind = 2;
	while ((id = getopt_long(argc, argv, "c:", known, NULL)) != -1) {
		const char **text = text_option(o, id);
		if (text)
			*text = optarg;
		else if (!other_option(o, id, e))
			return false;
	}
	if (optind + 1 == argc)
		o->file = argv[optind];
	return complete(o);
}

/* HOST:PORT; [::1]:1234 loses its brackets. */
static bool read_address(const char *text, int64_t least, char host[256], int *port, struct error *e)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	int64_t value;

	if (!n || n >= 256 || !number_i64(colon + 1, least, 65535, &value))
		return fail(e, ERR_CONFIG, "\"%s\" is not HOST:PORT", text);
	const bool brackets = n > 2 && text[0] == '[' && text[n - 1] == ']';
	(void)snprintf(host, 256, "%.*s", (int)(brackets ? n - 2 : n), text + brackets);
	*port = (int)value;
	return true;
}

static bool read_set(const struct options *o, struct psi_values *v, struct error *e)
{
	struct seal_input in = { 0 };
	bool ok = seal_input_open(&in, o->file, e) && psi_values_read(in.f, o->file, o->column, v, e);

	seal_input_close(&in);
	return ok;
}

static bool announce(const struct options *o, const char *host, int port, struct error *e)
{
	struct file_out out = { 0 };
	bool ok = true;

	if (o->ready_file) {
		ok = file_out_open(&out, o->ready_file, true, e) &&
		     (fprintf(out.f, "%d\n", port) > 0 || fail(e, ERR_IO, "could not write \"%s\"", o->ready_file)) && file_out_commit(&out, e);
		file_out_abort(&out);
	}
	(void)fprintf(stderr, "noisegate: waiting for %s on %s port %d\n", o->peer, host, port);
	return ok;
}

static bool meet(const struct options *o, struct psi_channel *c, struct error *e)
{
	char host[256];
	int port;

	if (!read_address(o->at ? o->at : "127.0.0.1:0", o->role == PSI_SERVE ? 0 : 1, host, &port, e))
		return false;
	if (o->role == PSI_JOIN)
		return psi_channel_connect(c, host, port, e);
	return psi_channel_listen(c, host, &port, e) && announce(o, host, port, e) && psi_channel_accept(c, e);
}

static void print_result(const struct options *o, const struct psi_exchange *x, const struct psi_account *a)
{
	const long long width = (long long)noise_half_width(&x->peer_noise, 0.95), value = (long long)x->overlap;

	if (o->json) {
		(void)printf("{\"overlap\": %lld, \"low\": %lld, \"high\": %lld, \"confidence\": 0.95, \"peer_epsilon\": %.12g, \"peer_delta\": %.12g, "
			     "\"bound\": %lu, \"peer_bound\": %lu, \"charged\": {\"epsilon\": %.12g, \"delta\": %.12g, \"query\": %lld}}\n",
			     value, value - width, value + width, eps_double(x->peer.epsilon), delta_double(x->peer.delta), (unsigned long)x->mine.bound,
			     (unsigned long)x->peer.bound, eps_double(x->mine.epsilon), delta_double(x->mine.delta), (long long)a->query_id);
		return;
	}
	(void)printf("overlap        %lld\n95%% interval   %lld to %lld\nnoise          of %s, epsilon %.6g\ncharged        epsilon %.6g, delta %.3g to %s.%s for %s\n",
		     value, value - width, value + width, o->peer, eps_double(x->peer.epsilon), eps_double(x->mine.epsilon), delta_double(x->mine.delta),
		     a->budget->schema, a->budget->table, o->peer);
}

static bool prepare(const struct options *o, struct psi_account *a, struct psi_trail *t, struct psi_exchange *x, struct error *e)
{
	struct psi_values values = { 0 };

	if (!psi_account_open(o->policy, o->table, o->peer, a, e) || !psi_account_price(a, o->epsilon, o->delta, &x->mine, e))
		return false;
	if (!psi_session(o->session ? o->session : a->snapshot->policy->collaboration, &x->mine.session))
		return fail_memory(e);
	bool ok = read_set(o, &values, e) && psi_prepare(x, &values, e);
	psi_values_free(&values);
	if (!ok)
		return false;
	psi_account_describe(a, &x->mine);
	return psi_trail_open(t, a, e);
}

static int status_of(const struct error *e, const struct psi_channel *c)
{
	(void)cli_error(e);
	if (e->code == ERR_BUDGET)
		return EXIT_BUDGET;
	return psi_channel_broken(c) || e->code == ERR_PROTOCOL ? EXIT_PEER : EXIT_FAILED;
}

int cli_psi(int argc, char **argv)
{
	const struct rng rng = random_system();
	struct psi_account account = { 0 };
	struct psi_trail trail = { 0 };
	struct psi_channel *channel = NULL;
	struct error e = ERROR_INIT;
	struct options o;

	if (!read_options(argc, argv, &o, &e))
		return e.code == ERR_NONE ? cli_usage(usage) : cli_error(&e);
	struct psi_exchange x = { .mine = { .role = o.role, .bound = (uint32_t)o.bound }, .rng = &rng, .charge = psi_trail_charge, .ctx = &trail };
	secret_lock(&x.exponent, sizeof(x.exponent));
	(void)signal(SIGPIPE, SIG_IGN);
	bool ok = psi_channel_open(&o.tls, (int)o.timeout * 1000, &channel, &e) && prepare(&o, &account, &trail, &x, &e) && meet(&o, channel, &e) &&
		  psi_exchange(&x, channel, &e) && psi_trail_answered(&trail, o.role == PSI_SERVE ? &x.released : NULL, &e);
	if (ok)
		print_result(&o, &x, &account);
	if (ok && fflush(stdout) != 0)
		ok = fail(&e, ERR_IO, "could not write the result");
	if (!ok)
		psi_trail_ended(&trail, &e);
	int status = ok ? EXIT_DONE : status_of(&e, channel);
	if (!ok && account.query_id)
		(void)fprintf(stderr, "  the charge %lld stays: the peer may have learned its answer\n", (long long)account.query_id);
	psi_exchange_free(&x);
	psi_channel_close(channel);
	psi_trail_close(&trail);
	psi_account_close(&account);
	return status;
}
