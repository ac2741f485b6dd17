/*
 * How the command line comes to secrets: a passphrase or PIN from a file (owner-only), a descriptor or the terminal, never from an argument; and the
 * key that stands at a path.
 */
#ifndef NG_PROXY_CLI_SECRET_H
#define NG_PROXY_CLI_SECRET_H

#include "crypto/key.h"

/* Where a passphrase comes from: the file, else the descriptor, else the terminal (asked, not shown). */
struct cli_passphrase {
	const char *file; /* NULL: none */
	int fd;           /* -1: none */
};

/* keystore_request.ask; ctx is a struct cli_passphrase. */
MUST_CHECK bool cli_ask(void *ctx, const char *what, bool confirm, char *out, size_t room, struct error *e);

/* Ready-made request: the system's randomness, cli_ask over `from`. */
struct keystore_request cli_keystore(struct arena *a, const struct rng *r, struct cli_passphrase *from);

/*
 * The key of a --key-file, plain or wrapped.  expect: what the command is about to use it for.  A wrapped one asks for its passphrase or PIN: `from`,
 * or when that is empty the file named by the environment's NOISEGATE_PASSPHRASE_FILE, else the terminal.  NOISEGATE_KEY_STORE names another way to
 * its key-encryption key.  from may be NULL.
 */
MUST_CHECK bool cli_key_load(struct arena *a, const char *path, const struct key_context *expect, const struct cli_passphrase *from,
			     struct c3r_secret *out, struct error *e);

/* "2026-11-21T07:30:00Z", now, into w. */
void cli_date(struct arena *a, struct wr *w);

#endif
