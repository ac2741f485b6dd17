/* What the command-line subcommands share. */
#ifndef NG_PROXY_CLI_H
#define NG_PROXY_CLI_H

#include "base/error.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_KEY_REFUSED = 3, EXIT_KEY_DESTROYED = 4 };

/* "noisegate: message", DETAIL and HINT on stderr; returns EXIT_FAILED, or the status of a key that does not open (docs/keys.md). */
int cli_error(const struct error *e);

/* Prints a usage text on stderr; returns EXIT_USAGE. */
int cli_usage(const char *text);

#endif
