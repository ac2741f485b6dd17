/*
 * YAML to policy, strict: unknown keys, wrong types, dangling references and impossible numbers are errors with line and column; all
 * of them in one run.
 */
#ifndef NG_POLICIES_LOAD_H
#define NG_POLICIES_LOAD_H

#include "base/arena.h"
#include "base/error.h"
#include "policies/policy.h"

struct policy_error {
	int line, column; /* from 1 */
	char message[240];
	char hint[160]; /* "" when none */
};

enum { POLICY_ERRORS_MAX = 200 };

struct policy_report {
	struct policy_error errors[POLICY_ERRORS_MAX]; /* in file order */
	size_t n;                                      /* found; those beyond POLICY_ERRORS_MAX are counted, not kept */
	struct policy_error warnings[POLICY_ERRORS_MAX];
	size_t n_warnings;
};

/*
 * Parses text (n bytes).  directory resolves relative paths.  True: *out lives in the arena.  False: report holds every error found, and
 * *e the first ("FILE:line:column: ..." with name as FILE, and how many more).
 */
MUST_CHECK bool policy_parse(struct arena *a, const char *name, const char *directory, const char *text, size_t n,
			     const struct policy **out, struct policy_report *report, struct error *e);

/* Reads and parses a file (at most 4 MiB). */
MUST_CHECK bool policy_load(struct arena *a, const char *path, const struct policy **out, struct policy_report *report,
			    struct error *e);

#endif
