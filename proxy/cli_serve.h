/* noisegate serve: argv[0] is the subcommand; returns the exit status (0 done, 1 failed, 2 usage). */
#ifndef NG_PROXY_CLI_SERVE_H
#define NG_PROXY_CLI_SERVE_H

int cli_serve(int argc, char **argv);

#endif
