/* noisegate key, seal, unseal, ...: argv[0] is the subcommand; returns the exit status (0 done, 1 failed, 2 usage, 3 key refused, 4 key destroyed). */
#ifndef NG_PROXY_CLI_CRYPTO_H
#define NG_PROXY_CLI_CRYPTO_H

int cli_key(int argc, char **argv);
int cli_seal(int argc, char **argv);
int cli_unseal(int argc, char **argv);
int cli_schema(int argc, char **argv);
int cli_tokenize(int argc, char **argv); /* and detokenize */
int cli_beacon(int argc, char **argv);
int cli_psi(int argc, char **argv);

#endif
