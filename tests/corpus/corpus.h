/* The corpus's policy and accepted statements, for the grammar fuzzer and the planning benchmark.  Run from the project's root. */
#ifndef NG_TESTS_CORPUS_H
#define NG_TESTS_CORPUS_H

#include "planner/plan.h"
#include "policies/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CORPUS_MAX = 1000 };

struct corpus {
	struct arena arena;
	const struct policy *policy;
	char *sql[CORPUS_MAX];
	size_t n;
};

static const char *const corpus_path[] = { "shop", "media", "office" };

static inline struct plan_settings corpus_settings(void)
{
	return (struct plan_settings){ .analyst = "lab", .search_path = corpus_path, .n_search_path = 3, .timezone = "UTC", .confidence = 0.95,
				       .now_micros = (int64_t)1790000000 * 1000000 };
}

static inline char *corpus_slurp(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *text = calloc(1, 1 << 20);

	if (!f || !text || fread(text, 1, (1 << 20) - 1, f) == 0)
		exit(2);
	fclose(f);
	return text;
}

/* %s becomes $1, $2, ...: the statements are planned with unknown parameters of type unknown. */
static inline void corpus_open(struct corpus *c)
{
	static struct policy_report report;
	struct error e;
	char path[] = "/tmp/noisegate-corpus-policy-XXXXXX", *text = corpus_slurp("tests/corpus/policy.yaml.in"), *at;
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	for (char *from = text; (at = strstr(from, "@VERIFIER@")) || *from; from = at + 10) {
		fwrite(from, 1, at ? (size_t)(at - from) : strlen(from), f);
		if (!at)
			break;
		fputs("SCRAM-SHA-256$4096:c2FsdA==$a:b", f);
	}
	fclose(f);
	free(text);
	arena_init(&c->arena, 1 << 28);
	if (!policy_load(&c->arena, path, &c->policy, &report, &e)) {
		fprintf(stderr, "%s\n", report.n ? report.errors[0].message : e.message);
		exit(2);
	}
	unlink(path);
	text = corpus_slurp("tests/corpus/accepted.sql");
	for (char *line = strtok(text, "\n"); line && c->n < CORPUS_MAX; line = strtok(NULL, "\n")) {
		if (*line == '#' || strstr(line, "%s"))
			continue;
		char *tag = strstr(line, " @");
		if (tag && strchr("anpqi", tag[2]))
			*tag = '\0';
		c->sql[c->n++] = line;
	}
}

#endif
