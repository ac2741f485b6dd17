#include "proxy/cli_audit.h"

#include "base/file.h"
#include "base/text.h"
#include "crypto/sign.h"
#include "policies/snapshot.h"
#include "proxy/cli.h"

#include <errno.h>
#include <string.h>

static const char usage[] =
	"usage: noisegate audit verify DIR|-c POLICY [--public-key FILE]... [--checkpoint FILE]... [--receipt TEXT]... [--receipts FILE]\n"
	"                                     [--unsigned N] [--json]\n"
	"                                     checks every byte of a log: 0 it is whole, 1 it is not\n"
	"       noisegate audit export DIR|-c POLICY [--from N] [--to N]      records as JSON, one a line\n"
	"       noisegate audit tail DIR|-c POLICY [-n N] [-f] [--json]       the last records; -f: and those that come\n"
	"       noisegate audit keygen FILE                                   an Ed25519 key for audit.sign_key; FILE.pub for those who verify\n"
	"       noisegate audit privacy -c POLICY [--minutes N] [--json]      measures the guarantee from outside, on made-up neighbouring data\n";

int audit_usage(void)
{
	return cli_usage(usage);
}

bool audit_directory(struct arena *a, const char *policy, const char *dir, const char **out, int64_t *records, struct error *e)
{
	static struct policy_report report; /* large; once a process */

	if (dir) {
		*out = dir;
		return true;
	}
	struct snapshot *s = snapshot_load(policy, &report, e);
	if (!s)
		return false;
	*out = arena_strdup(a, s->policy->audit.path);
	if (records)
		*records = s->policy->audit.checkpoint_records;
	snapshot_drop(s);
	return *out || fail_memory(e);
}

static bool write_file(const char *path, const struct wr *text, struct error *e)
{
	struct file_out out;

	if (!file_out_open(&out, path, false, e))
		return false;
	if (fwrite(text->p, 1, text->n, out.f) != text->n) {
		int why = errno;
		file_out_abort(&out);
		return fail(e, ERR_IO, "could not write file \"%s\": %s", path, strerror(why));
	}
	return file_out_commit(&out, e);
}

static int keygen(int argc, char **argv)
{
	struct error e = ERROR_INIT;
	struct wr secret, open, name;

	if (argc != 2 || argv[1][0] == '-')
		return audit_usage();
	wr_init_heap(&secret, 4096);
	wr_init_heap(&open, 4096);
	wr_init_heap(&name, 8192);
	wr_fmt(&name, "%s.pub", argv[1]);
	bool ok = (wr_ok(&name) || fail_memory(&e)) && sign_generate(&secret, &open, &e) && write_file(argv[1], &secret, &e) &&
		  write_file(wr_text(&name), &open, &e);
	wr_free(&secret); /* wipes */
	wr_free(&open);
	wr_free(&name);
	if (ok)
		(void)printf("%s: keep it with the proxy\n%s.pub: give it to those who verify\n", argv[1], argv[1]);
	return ok ? EXIT_DONE : cli_error(&e);
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "verify", audit_command_verify },
	{ "export", audit_command_export },
	{ "tail", audit_command_tail },
	{ "keygen", keygen },
	{ "privacy", cli_audit_privacy },
};

int cli_audit(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++)
		if (text_eq(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	return audit_usage();
}
