#include "base/text.h"
#include "crypto/random.h"
#include "crypto/scram.h"
#include "proxy/cli.h"
#include "proxy/cli_crypto.h"
#include "proxy/cli_keyfile.h"

#include <string.h>
#include <unistd.h>

static const char usage[] =
	"usage: noisegate key COMMAND ...\n"
	"  generate [--output FILE]                        a new collaboration key in the clear (Base64), to FILE (mode 0600) or standard output\n"
	"  generate --store STORE --collaboration ID --output FILE      a new key that is stored only wrapped\n"
	"  import --store STORE --collaboration ID --output FILE PLAIN  wraps a key that exists in the clear (PLAIN may be -); also: wrap\n"
	"  export-wrapped --store STORE --output OUT FILE  the same key, wrapped for another holder or place\n"
	"  rotate [--store STORE] FILE                     wraps it again under a fresh key-encryption key of the same kind of store\n"
	"  rewrap --store STORE FILE                       wraps it again under another store; data stay as they are in both cases\n"
	"  show [--open] FILE                              id, store and context; never the key.  --open: and checks that it opens\n"
	"  destroy --confirm ID [--with-kek] FILE          wipes it for good (and its key-encryption key); a note of it stays\n"
	"  scram-verifier                                  reads a password on standard input, prints its verifier for a policy's logins\n"
	"stores:\n"
	"  file:PATH              key-encryption key in a file of mode 0600 (made when it is not there)\n"
	"  passphrase[:COST]      scrypt; COST is the logarithm of N (17)\n"
	"  pkcs11:token=LABEL;object=LABEL?module-path=FILE    AES key in a token (made when it is not there)\n"
	"  tpm:sha256:PCR,...[@TCTI]                           sealed by a TPM 2.0, released only while these registers are as now\n"
	"options:\n"
	"  --member NAME, --purpose NAME                   bound to the key with the collaboration (-, seal)\n"
	"  --passphrase-file FILE, --passphrase-fd N       passphrase or PIN of the store (of the old one, where there are two); else asked\n"
	"  --new-passphrase-file FILE, --new-passphrase-fd N    of the new store\n"
	"  --from-store STORE                              where the key-encryption key is now, when it has moved\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage, 3 the key is refused (passphrase, context, machine state, changed file), 4 it was destroyed.\n";

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

static const struct {
	const char *name;
	bool (*run)(struct key_command *c, struct error *e);
	bool takes_file;
} commands[] = {
	{ "generate", key_generate, false },	     { "import", key_import, true }, { "wrap", key_import, true }, { "export-wrapped", key_export, true },
	{ "rotate", key_rotate, true },		     { "rewrap", key_rewrap, true }, { "show", key_show, true },
	{ "destroy", key_destroy, true },
};

int cli_key(int argc, char **argv)
{
	struct error e = ERROR_INIT;
	struct key_command c;

	if (argc == 2 && text_eq(argv[1], "scram-verifier"))
		return verifier();
	for (size_t i = 0; argc >= 2 && i < ARRAY_LEN(commands); i++) {
		if (!text_eq(argv[1], commands[i].name))
			continue;
		if (!key_command_read(argc - 1, argv + 1, &c) || commands[i].takes_file != (c.path != NULL))
			return cli_usage(usage);
		arena_init(&c.arena, 1 << 20);
		bool ok = commands[i].run(&c, &e);
		arena_reset(&c.arena);
		return ok ? EXIT_DONE : c.misused ? cli_usage(usage) : cli_error(&e);
	}
	return cli_usage(usage);
}
