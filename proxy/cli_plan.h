/* noisegate calibrate, compose: argv[0] is the subcommand; return the exit status (0 done, 1 refused figures or file, 2 usage). */
#ifndef NG_PROXY_CLI_PLAN_H
#define NG_PROXY_CLI_PLAN_H

#include "base/arena.h"
#include "base/error.h"
#include "mechanisms/compose.h"

int cli_calibrate(int argc, char **argv);
int cli_compose(int argc, char **argv);

/* noisegate rules explain */
int cli_rules(int argc, char **argv);

enum { COMPOSE_FILE_MAX = 4 << 20, COMPOSE_ENTRIES_MAX = 20000 };

/*
 * Reads a list of mechanisms from n bytes of text: JSON or YAML (a list of maps, or a map with "mechanisms" and optionally "delta"), or lines of
 * "MECHANISM key=value ...", # for comments.  docs/mechanisms.md lists the keys.  *delta is untouched unless the text gives one.
 * ERR_CONFIG with name and line when it cannot be read.
 */
MUST_CHECK bool mechanism_list_read(struct arena *a, const char *name, const char *text, size_t n, struct use **uses, size_t *count,
				    struct delta *delta, struct error *e);

#endif
