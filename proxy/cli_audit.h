/* The audit subcommands.  argv[0] is the subcommand's name; each returns the exit status. */
#ifndef NG_PROXY_CLI_AUDIT_H
#define NG_PROXY_CLI_AUDIT_H

#include "base/arena.h"
#include "base/error.h"

int cli_audit(int argc, char **argv);

int audit_command_verify(int argc, char **argv);
int audit_command_export(int argc, char **argv);
int audit_command_tail(int argc, char **argv);

/* The usage of them all, on stderr; EXIT_USAGE. */
int audit_usage(void);

/* The log's directory: `dir` itself, or what the policy file names, in the arena.  *records (or NULL) is the policy's checkpoint.records, else untouched. */
MUST_CHECK bool audit_directory(struct arena *a, const char *policy, const char *dir, const char **out, int64_t *records, struct error *e);
/* noisegate audit privacy (docs/privacy-audit.md): 0 within the claims, 1 a claim is exceeded, 2 usage, 5 not (all) audited. */
int cli_audit_privacy(int argc, char **argv);

#endif
