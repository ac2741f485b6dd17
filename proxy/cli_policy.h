/* noisegate check, budget: argv[0] is the subcommand; returns the exit status (0 done, 1 failed, 2 usage). */
#ifndef NG_PROXY_CLI_POLICY_H
#define NG_PROXY_CLI_POLICY_H

int cli_check(int argc, char **argv);
int cli_budget(int argc, char **argv);

#endif
