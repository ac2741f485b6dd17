#include "proxy/cli_audit.h"

#include "base/text.h"
#include "proxy/cli.h"

static const char usage[] = "usage: noisegate audit privacy -c POLICY.yaml [--minutes N] [--json]\n";

int cli_audit(int argc, char **argv)
{
	if (argc > 1 && text_eq(argv[1], "privacy"))
		return cli_audit_privacy(argc - 1, argv + 1);
	return cli_usage(usage);
}
