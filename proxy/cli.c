#include "proxy/cli.h"

#include <stdio.h>

int cli_error(const struct error *e)
{
	(void)fprintf(stderr, "noisegate: %s\n", e->message);
	if (e->detail[0])
		(void)fprintf(stderr, "  detail: %s\n", e->detail);
	if (e->hint[0])
		(void)fprintf(stderr, "  hint: %s\n", e->hint);
	if (e->code == ERR_KEY_REFUSED)
		return EXIT_KEY_REFUSED;
	return e->code == ERR_KEY_DESTROYED ? EXIT_KEY_DESTROYED : EXIT_FAILED;
}

int cli_usage(const char *text)
{
	(void)fputs(text, stderr);
	return EXIT_USAGE;
}
