/* Rows opened by several threads: the counterpart of crypto/seal_row.h. */
#ifndef NG_CRYPTO_UNSEAL_ROW_H
#define NG_CRYPTO_UNSEAL_ROW_H

#include "crypto/batch.h"
#include "crypto/hash.h"
#include "crypto/native.h"
#include "crypto/seal.h"

/* Read-only while threads run. */
struct unseal_plan {
	const struct unseal_settings *settings;
	const struct c3r_secret *secret;
	const char *collaboration, *in_name;
	char **names; /* the header */
	size_t n;
	size_t tag;   /* the column of the rows' tags; n: there is none */
	uint8_t digest[SHA256_SIZE]; /* of the other columns' names */
	struct csv_null null;
	struct secret_key root; /* C3R */
};

struct unseal_job {
	struct batch in;
	struct wr out;
	struct native_place places[BATCH_ROWS]; /* of the rows, when there are tags */
	size_t n; /* rows opened; fewer than in.n: error says why */
	size_t opened; /* cells, and tags that fit */
	struct error error;
	bool handed; /* was full once: to be cleared before it is filled again */
};

struct unseal_job *unseal_job_new(void); /* NULL without memory */
void unseal_job_free(struct unseal_job *j); /* wipes */

/* A thread's own keys and contexts. */
struct unsealer;
MUST_CHECK bool unsealer_new(struct unsealer **out, const struct unseal_plan *plan, struct error *e);
void unsealer_free(struct unsealer *u); /* wipes; NULL is fine */

/* Opens job->in: a crew_work. */
void unseal_job_run(void *unsealer, void *job);

#endif
