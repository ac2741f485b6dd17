/* The corpus's policy and accepted statements, for the grammar fuzzer and the planning benchmark.  Run from the project's root. */
#ifndef NG_TESTS_CORPUS_H
#define NG_TESTS_CORPUS_H

#include "planner/plan.h"
#include "policies/load.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CORPUS_MAX = 4000 };

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

static inline void corpus_keep(struct corpus *c, const char *sql, bool wanted)
{
	if (!*sql || !wanted)
		return;
	if (c->n == CORPUS_MAX)
		exit(2); /* raise it */
	c->sql[c->n] = strdup(sql);
	if (!c->sql[c->n++])
		exit(2);
}

/* Accepted statements without parameters, each on one line (read.py documents the format). */
static inline void corpus_read(struct corpus *c, const char *path)
{
	static char sql[1 << 16];
	char *text = corpus_slurp(path), *next;
	bool accepted = false;

	sql[0] = '\0';
	for (char *line = text; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!*line) {
			corpus_keep(c, sql, accepted && !strstr(sql, "$1"));
			sql[0] = '\0';
		} else if (strncmp(line, "=> ", 3) == 0) {
			accepted = strncmp(line, "=> accept", 9) == 0;
		} else if (*line != '#') {
			if (strlen(sql) + strlen(line) + 2 > sizeof(sql))
				exit(2);
			if (*sql)
				strcat(sql, " ");
			strcat(sql, line);
		}
	}
	free(text);
}

static inline int corpus_is_file(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 7 && strcmp(d->d_name + n - 7, ".corpus") == 0;
}

static inline void corpus_read_folder(struct corpus *c)
{
	struct dirent **files;
	char path[300];
	int n = scandir("tests/corpus", &files, corpus_is_file, alphasort);

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "tests/corpus/%s", files[i]->d_name);
		corpus_read(c, path);
		free(files[i]);
	}
	if (n <= 0 || c->n == 0)
		exit(2);
	free(files);
}

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
	corpus_read_folder(c);
}

#endif
