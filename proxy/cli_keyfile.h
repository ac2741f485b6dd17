/* The key subcommands that make, show, rewrap and destroy key files.  Each returns false with e filled, or with c->misused set (usage). */
#ifndef NG_PROXY_CLI_KEYFILE_H
#define NG_PROXY_CLI_KEYFILE_H

#include "proxy/cli_secret.h"

struct key_command {
	struct arena arena;
	const char *path; /* the argument that is no option, or NULL */
	const char *output, *store, *from_store, *confirm;
	struct key_context context; /* as given; NULL where not */
	struct cli_passphrase current, fresh;
	bool fresh_given, open, with_kek, misused;
};

/* Reads the options; argv[0] is the subcommand's name.  The arena is left to the caller.  False: wrong usage. */
MUST_CHECK bool key_command_read(int argc, char **argv, struct key_command *c);

MUST_CHECK bool key_generate(struct key_command *c, struct error *e);
MUST_CHECK bool key_import(struct key_command *c, struct error *e);
MUST_CHECK bool key_export(struct key_command *c, struct error *e);
MUST_CHECK bool key_rotate(struct key_command *c, struct error *e);
MUST_CHECK bool key_rewrap(struct key_command *c, struct error *e);
MUST_CHECK bool key_show(struct key_command *c, struct error *e);
MUST_CHECK bool key_destroy(struct key_command *c, struct error *e);

#endif
