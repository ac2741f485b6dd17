/* noisegate audit: argv[0] is the subcommand; returns the exit status. */
#ifndef NG_PROXY_CLI_AUDIT_H
#define NG_PROXY_CLI_AUDIT_H

int cli_audit(int argc, char **argv);

/* noisegate audit privacy (docs/privacy-audit.md): 0 within the claims, 1 a claim is exceeded, 2 usage, 5 not (all) audited. */
int cli_audit_privacy(int argc, char **argv);

#endif
