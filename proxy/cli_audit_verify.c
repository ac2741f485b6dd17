/* noisegate audit verify: offline, with nothing but the log and what others hold of it. */
#include "base/file.h"
#include "base/number.h"
#include "base/text.h"
#include "budget/audit_verify.h"
#include "proxy/cli.h"
#include "proxy/cli_audit.h"

#include <getopt.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WHILE_SIGNING = 1000 /* records that a busy proxy writes meanwhile */, KEYS_MAX = 64, CLAIMS_MAX = 100000, RECEIPTS_BYTES_MAX = 64 << 20, NAMES_MAX = 256 };

struct options {
	const char *policy, *dir;
	const char *keys[NAMES_MAX], *checkpoints[NAMES_MAX], *receipts[NAMES_MAX], *files[NAMES_MAX];
	size_t n_keys, n_checkpoints, n_receipts, n_files;
	int64_t unsigned_max; /* 0: from the policy */
	bool json;
};

static bool add(const char **list, size_t *n, const char *what)
{
	if (*n == NAMES_MAX)
		return false;
	list[(*n)++] = what;
	return true;
}

static bool read_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = { { "config", required_argument, NULL, 'c' },  { "public-key", required_argument, NULL, 'k' },
					       { "checkpoint", required_argument, NULL, 'p' }, { "receipt", required_argument, NULL, 'r' },
					       { "receipts", required_argument, NULL, 'R' }, { "unsigned", required_argument, NULL, 'u' }, { "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 } };
	bool ok = true;

	*o = (struct options){ .json = false };
	optind = 1;
	for (int id; ok && (id = getopt_long(argc, argv, "c:", known, NULL)) != -1;) {
		if (id == 'c')
			o->policy = optarg;
		else if (id == 'k')
			ok = add(o->keys, &o->n_keys, optarg);
		else if (id == 'p')
			ok = add(o->checkpoints, &o->n_checkpoints, optarg);
		else if (id == 'r')
			ok = add(o->receipts, &o->n_receipts, optarg);
		else if (id == 'R')
			ok = add(o->files, &o->n_files, optarg);
		else if (id == 'u')
			ok = number_i64(optarg, 1, INT64_MAX, &o->unsigned_max);
		else if (id == 'j')
			o->json = true;
		else
			ok = false;
	}
	o->dir = optind < argc ? argv[optind++] : NULL;
	return ok && optind == argc && !o->policy != !o->dir && o->n_keys <= KEYS_MAX;
}

/* --- the evidence ------------------------------------------------------------------------------------------------------------------- */

struct collected {
	struct arena arena;
	uint8_t keys[KEYS_MAX][SIGN_PUBLIC];
	struct audit_evidence evidence;
	size_t cap;
};

static struct audit_claim *claim_new(struct collected *c, struct error *e)
{
	struct audit_evidence *v = &c->evidence;
	struct audit_claim *grown = v->n_claims < CLAIMS_MAX ? arena_grow(&c->arena, v->claims, v->n_claims, &c->cap, sizeof(*v->claims)) : NULL;

	if (!grown) {
		(void)fail(e, ERR_NO_MEMORY, "too many receipts");
		return NULL;
	}
	v->claims = grown;
	return &grown[v->n_claims++];
}

static bool add_checkpoint(struct collected *c, const char *path, struct error *e)
{
	struct audit_claim *claim = claim_new(c, e);
	char *text;
	size_t n;

	return claim && file_read(&c->arena, path, AUDIT_CHECKPOINT_MAX, &text, &n, e) &&
	       audit_claim_checkpoint(path, text, &c->evidence, claim, e);
}

static bool add_receipt(struct collected *c, const char *text, struct error *e)
{
	struct audit_claim *claim = claim_new(c, e);

	return claim && audit_claim_receipt(text, &c->evidence, claim, e);
}

/* A file with one receipt a line; empty lines are skipped. */
static bool add_receipts(struct collected *c, const char *path, struct error *e)
{
	char *text;
	size_t n;

	if (!file_read(&c->arena, path, RECEIPTS_BYTES_MAX, &text, &n, e))
		return false;
	for (char *line = text, *end; *line; line = end) {
		size_t length = strcspn(line, "\n");
		end = line + length + (line[length] == '\n');
		line[length] = '\0';
		if (length > 0 && !add_receipt(c, line, e))
			return false;
	}
	return true;
}

/* The checkpoint that the proxy keeps beside its log, when it is there. */
static bool add_own(struct collected *c, const char *dir, struct error *e)
{
	char path[AUDIT_PATH_MAX];
	struct stat st;

	if (!audit_file_path(dir, "checkpoint", path, e))
		return false;
	if (access(path, F_OK) != 0)
		return true;
	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return fail(e, ERR_AUDIT, "\"%s\" is not a regular file", path);
	const char *kept = arena_strdup(&c->arena, path);
	return kept ? add_checkpoint(c, kept, e) : fail_memory(e);
}

static bool collect(struct collected *c, const struct options *o, const char *dir, struct error *e)
{
	struct audit_evidence *v = &c->evidence;

	v->keys = (const uint8_t(*)[SIGN_PUBLIC])c->keys;
	for (size_t i = 0; i < o->n_keys; i++, v->n_keys++)
		if (!sign_public_load(o->keys[i], c->keys[i], e))
			return false;
	for (size_t i = 0; i < o->n_checkpoints; i++)
		if (!add_checkpoint(c, o->checkpoints[i], e))
			return false;
	for (size_t i = 0; i < o->n_receipts; i++)
		if (!add_receipt(c, o->receipts[i], e))
			return false;
	for (size_t i = 0; i < o->n_files; i++)
		if (!add_receipts(c, o->files[i], e))
			return false;
	return add_own(c, dir, e);
}

/* --- the verdict ----------------------------------------------------------------------------------------------------------------------- */

static void print_human(const struct audit_verdict *v, const struct audit_evidence *evidence, const char *id)
{
	char first[WALL_TEXT], last[WALL_TEXT], covered[WALL_TEXT];

	wall_text(v->signed_at, covered);
	wall_text(v->first, first);
	wall_text(v->last, last);
	(void)printf("whole: log %s, %llu records in %llu segments, %.19s to %.19s UTC\n", id, (unsigned long long)v->records,
		     (unsigned long long)v->segments, first, last);
	if (evidence->n_keys == 0)
		(void)printf("signatures: %llu, checked only against the keys that they name (give --public-key)\n", (unsigned long long)v->signatures);
	else
		(void)printf("signatures: %llu; records 1 to %llu are under one of %.19s UTC, %llu after it are not\n", (unsigned long long)v->signatures,
			     (unsigned long long)v->covered, covered, (unsigned long long)(v->records - v->covered));
	if (evidence->n_claims > 0)
		(void)printf("checkpoints and receipts: %zu, all of this log\n", evidence->n_claims);
	if (v->recovered > 0)
		(void)printf("incomplete records removed at a start: %llu\n", (unsigned long long)v->recovered);
}

static void print_json(const struct audit_verdict *v, const struct audit_evidence *evidence, const char *id)
{
	(void)printf("{\"whole\":true,\"log_id\":\"%s\",\"records\":%llu,\"segments\":%llu,\"signatures\":%llu,\"covered\":%llu,\"unsigned\":%llu,\"claims\":%zu,"
		     "\"recovered\":%llu}\n", id, (unsigned long long)v->records, (unsigned long long)v->segments,
		     (unsigned long long)v->signatures, (unsigned long long)v->covered, (unsigned long long)(v->records - v->covered), evidence->n_claims, (unsigned long long)v->recovered);
}

static void print_broken(const struct error *e)
{
	struct wr w;

	wr_init_heap(&w, 8192);
	wr_str(&w, "{\"whole\":false,\"message\":");
	wr_json(&w, e->message);
	wr_str(&w, "}");
	(void)printf("%s\n", wr_text(&w));
	wr_free(&w);
}

int audit_command_verify(int argc, char **argv)
{
	static struct collected c; /* large; once a process */
	struct audit_verdict verdict;
	struct error e = ERROR_INIT;
	struct options o;
	int64_t records = 1000; /* the policy's own default */
	const char *dir;
	struct wr id;

	if (!read_options(argc, argv, &o))
		return audit_usage();
	arena_init(&c.arena, (size_t)256 << 20);
	bool ok = audit_directory(&c.arena, o.policy, o.dir, &dir, &records, &e);
	c.evidence.unsigned_max = (uint64_t)(o.unsigned_max ? o.unsigned_max : records + WHILE_SIGNING);
	ok = ok && collect(&c, &o, dir, &e) && audit_verify(dir, &c.evidence, &verdict, &e);
	if (ok) {
		wr_init_heap(&id, 64);
		audit_put_hex(&id, verdict.log_id, AUDIT_ID);
		(o.json ? print_json : print_human)(&verdict, &c.evidence, wr_text(&id));
		wr_free(&id);
	} else if (o.json) {
		print_broken(&e);
	}
	arena_reset(&c.arena);
	if (!ok)
		return o.json ? EXIT_FAILED : cli_error(&e);
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}
