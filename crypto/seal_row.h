/*
 * Rows sealed by several threads: what all of them share and only read, what each has for itself, and the jobs that go between them and the thread that
 * reads and writes.  Nothing here knows of files.
 */
#ifndef NG_CRYPTO_SEAL_ROW_H
#define NG_CRYPTO_SEAL_ROW_H

#include "crypto/batch.h"
#include "crypto/native.h"
#include "crypto/seal.h"

/* What is known of a target column besides its schema. */
struct seal_target {
	size_t position; /* of its source among the fields */
	size_t longest;  /* longest encoded value of the C3R format (one more than its bytes), for padding to the maximum */
	size_t padded;   /* C3R: encoded bytes of every value; native: their least value bytes.  0: not padded */
};

/* Read-only while threads run. */
struct seal_plan {
	const struct schema *schema;
	const struct seal_settings *settings;
	const struct rng *rng; /* must serve several threads */
	const struct c3r_secret *secret;
	const char *collaboration, *in_name;
	struct seal_target *targets; /* one per schema column */
	struct csv_null null;
	const char *null_text;       /* a NULL as it is read back */
	struct secret_key root;      /* C3R */
	uint8_t file[NATIVE_FILE];   /* native: this file's number */
	uint8_t names[SHA256_SIZE];  /* native: digest of the header */
	bool note_seen; /* duplicates are refused, so fingerprints are handed back */
};

/* A fingerprint by the bytes it is sorted by; all NULLs of a column are equal. */
struct seal_seen {
	uint8_t key[32];
	int64_t line;
};

struct seal_job {
	struct batch in;
	struct wr out; /* the sealed lines, one behind the other */
	struct {
		uint8_t nonce[32];
		size_t n; /* bytes in out */
	} rows[BATCH_ROWS];
	struct wr seen; /* struct seal_seen */
	size_t n;       /* rows sealed; fewer than in.n: error says why */
	struct error error;
	bool handed; /* was full once: to be cleared before it is filled again */
};

struct seal_job *seal_job_new(void); /* NULL without memory */
void seal_job_free(struct seal_job *j);

/* A thread's own keys and contexts. */
struct sealer;
MUST_CHECK bool sealer_new(struct sealer **out, const struct seal_plan *plan, struct error *e);
void sealer_free(struct sealer *s); /* wipes; NULL is fine */

/* Seals job->in: a crew_work. */
void seal_job_run(void *sealer, void *job);

#endif
