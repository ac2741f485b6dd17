#include "proxy/usage.h"

const char usage_text[] =
	"usage: noisegate COMMAND ...\n"
	"\n"
	"A differential-privacy query proxy for SQL collaborations.\n"
	"\n"
	"  serve -c POLICY          run the proxy (serve --help: options)\n"
	"  check POLICY             validate a policy, all errors at once\n"
	"  budget show|history      what has been spent of the budgets\n"
	"  audit verify|export|tail the audit log: check it, print it; audit keygen\n"
	"  key generate|show|...    collaboration keys and login passwords\n"
	"  seal, unseal             seal the columns of a CSV file, and open them again\n"
	"  schema IN.csv            propose a sealing schema for a CSV file\n"
	"  tokenize, detokenize     random tokens for the values of a CSV file, from an encrypted vault\n"
	"  beacon VALUE             the search term of a value in sealed data; beacon columns\n"
	"  psi serve|join           how many values two files share, for parties without a common key\n"
	"  calibrate                scale, threshold and interval for a guarantee, as JSON\n"
	"  compose FILE|-           what a list of mechanisms costs in all, as JSON\n"
	"  version                  print the version\n"
	"  help                     print this\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage, 3 a key was refused, 4 it was destroyed.\n";

const char usage_serve_text[] =
	"usage: noisegate serve -c POLICY [--listen HOST:PORT] [--audit DIR] [--ready-file FILE] [--log-level debug|info|warning|error]\n"
	"\n"
	"Serves the collaboration of a policy until SIGTERM or SIGINT; a second signal ends it at once.\n"
	"\n"
	"  -c, --config POLICY      the policy file\n"
	"  --listen HOST:PORT       instead of the policy's server.listen; port 0: any free one\n"
	"  --audit DIR              instead of the policy's audit.path: of several proxies of a policy each needs a log of its own\n"
	"  --ready-file FILE        write the port there when ready\n"
	"  --log-level LEVEL        least level to log (info)\n";
