#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "crypto/c3r.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/scram.h"
#include "proxy/cli.h"
#include "proxy/cli_crypto.h"

#include <string.h>
#include <unistd.h>

static const char usage[] =
	"usage: noisegate key generate [--output FILE]   a new collaboration key (Base64), to FILE (mode 0600) or standard output\n"
	"       noisegate key show FILE                  its identifier; never the key\n"
	"       noisegate key scram-verifier             reads a password on standard input, prints its verifier for a policy's logins\n";

static int generate(int argc, char **argv)
{
	const struct rng r = random_system();
	struct error e = ERROR_INIT;
	struct file_out out = { 0 };
	uint8_t key[32];
	struct wr w;
	bool ok;

	if (argc != 0 && !(argc == 2 && text_eq(argv[0], "--output")))
		return cli_usage(usage);
	wr_init_heap(&w, 128);
	ok = rng_fill(&r, key, sizeof(key));
	if (!ok)
		fail(&e, ERR_CRYPTO, "the random source failed");
	base64_put(&w, key, sizeof(key));
	wr_u8(&w, '\n');
	if (ok && argc == 2) {
		ok = file_out_open(&out, argv[1], false, &e);
		ok = ok && (fwrite(w.p, 1, w.n, out.f) == w.n || fail(&e, ERR_IO, "could not write \"%s\"", argv[1])) && file_out_commit(&out, &e);
		file_out_abort(&out);
	} else if (ok) {
		ok = fwrite(w.p, 1, w.n, stdout) == w.n && fflush(stdout) == 0;
		if (!ok)
			fail(&e, ERR_IO, "could not write the key");
	}
	secret_wipe(key, sizeof(key));
	wr_free(&w);
	return ok ? EXIT_DONE : cli_error(&e);
}

static int show(const char *path)
{
	static const char label[] = "noisegate key id v1";
	struct error e = ERROR_INIT;
	struct c3r_secret secret;
	struct arena a;
	uint8_t id[SHA256_SIZE];
	char *text;
	size_t n;

	arena_init(&a, 65536);
	bool ok = file_read_secret(&a, path, 4096, &text, &n, &e) && c3r_secret_read(text, &secret, &e);
	if (ok && !hash_hmac(secret.bytes, secret.n, label, sizeof(label) - 1, id))
		ok = fail(&e, ERR_CRYPTO, "could not compute the identifier");
	if (ok) {
		(void)printf("key id ");
		for (size_t i = 0; i < 8; i++)
			(void)printf("%02x", id[i]);
		(void)printf(", %zu bytes\n", secret.n);
	}
	secret_wipe(&secret, sizeof(secret));
	arena_reset(&a);
	return ok ? EXIT_DONE : cli_error(&e);
}

static int verifier(void)
{
	const struct rng r = random_system();
	struct error e = ERROR_INIT;
	char password[512];
	struct wr w;

	if (isatty(STDIN_FILENO))
		(void)fputs("Password (shown while you type): ", stderr);
	if (!fgets(password, sizeof(password), stdin)) {
		fail(&e, ERR_BAD_PARAMETER, "no password on standard input");
		return cli_error(&e);
	}
	password[strcspn(password, "\r\n")] = '\0';
	wr_init_heap(&w, 512);
	bool ok = scram_verifier_make(password, &r, &w, &e);
	secret_wipe(password, sizeof(password));
	if (ok)
		(void)printf("%s\n", wr_text(&w));
	wr_free(&w);
	return ok ? EXIT_DONE : cli_error(&e);
}

int cli_key(int argc, char **argv)
{
	if (argc >= 2 && text_eq(argv[1], "generate"))
		return generate(argc - 2, argv + 2);
	if (argc == 3 && text_eq(argv[1], "show"))
		return show(argv[2]);
	if (argc == 2 && text_eq(argv[1], "scram-verifier"))
		return verifier();
	return cli_usage(usage);
}
