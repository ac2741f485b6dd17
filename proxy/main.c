#include "base/text.h"
#include "proxy/cli.h"
#include "proxy/cli_audit.h"
#include "proxy/cli_crypto.h"
#include "proxy/cli_plan.h"
#include "proxy/cli_policy.h"
#include "proxy/cli_serve.h"
#include "proxy/usage.h"

#include <fcntl.h>
#include <getopt.h>
#include <sys/prctl.h>
#include <unistd.h>

static int print_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return fputs(usage_text, stdout) < 0 || fflush(stdout) != 0 ? EXIT_FAILED : EXIT_DONE;
}

static int print_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return puts("noisegate " NOISEGATE_VERSION) < 0 || fflush(stdout) != 0 ? EXIT_FAILED : EXIT_DONE;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "serve", cli_serve },   { "check", cli_check },       { "budget", cli_budget },     { "key", cli_key },
	{ "seal", cli_seal },     { "unseal", cli_unseal },     { "calibrate", cli_calibrate }, { "compose", cli_compose },
	{ "rules", cli_rules },   { "schema", cli_schema },     { "tokenize", cli_tokenize }, { "detokenize", cli_tokenize },
	{ "beacon", cli_beacon }, { "psi", cli_psi },
	{ "audit", cli_audit },   { "encrypt", cli_seal },      { "decrypt", cli_unseal }, /* as the AWS client calls them */
	{ "version", print_version }, { "--version", print_version },
	{ "help", print_help },   { "--help", print_help },     { "-h", print_help },
};

/* No command takes --help: what it prints as usage goes to standard output, and asking is no mistake. */
static int help_on(int (*run)(int argc, char **argv), int argc, char **argv)
{
	opterr = 0;
	if (dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
		return EXIT_FAILED;
	const int status = run(argc, argv);
	return status == EXIT_USAGE ? EXIT_DONE : status;
}

/* A file opened where standard output was closed would get what is printed.  What stands in its place takes and gives nothing. */
static void keep_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/* What was printed and could not be written was not done. */
static int printed(int status)
{
	if ((fflush(stdout) == 0 && !ferror(stdout)) || status != EXIT_DONE)
		return status;
	(void)fprintf(stderr, "noisegate: could not write to standard output\n");
	return EXIT_FAILED;
}

int main(int argc, char **argv)
{
	/* keys, passwords and exact rows pass through this memory: no core dumps, no reading by other processes, no gaining of privileges */
	keep_standard_descriptors();
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (argc < 2)
		return cli_usage(usage_text);
	if (argc == 3 && text_eq(argv[1], "help")) { /* help seal: seal --help */
		static char ask[] = "--help";
		argv[1] = argv[2];
		argv[2] = ask;
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (text_eq(argv[1], commands[i].name))
			return printed(argc > 2 && text_eq(argv[argc - 1], "--help") ? help_on(commands[i].run, argc - 1, argv + 1) :
										      commands[i].run(argc - 1, argv + 1));
	(void)fprintf(stderr, "noisegate: unknown command \"%s\"\n\n", argv[1]);
	return cli_usage(usage_text);
}
