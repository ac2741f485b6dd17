/* What an open audit log is made of; for audit*.c only. */
#ifndef NG_BUDGET_AUDIT_STATE_H
#define NG_BUDGET_AUDIT_STATE_H

#include "budget/audit.h"

#include <pthread.h>

enum { AUDIT_ANSWERS = 4096, AUDIT_SECRET = 32 };

/* An answer, for its receipt. */
struct audit_answer {
	uint64_t query, statement; /* query 0: no answer */
	struct audit_mark mark;
};

struct audit {
	/* fixed while open */
	char *dir, *checkpoint_file;
	struct policy_audit policy;
	struct clock clock;
	struct sign_key *key; /* NULL: none */
	uint8_t log_id[AUDIT_ID], secret[AUDIT_SECRET];
	int lock_fd;

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t synced, wake;
	pthread_t keeper;
	bool keeper_runs, stop;
	void (*news)(void *ctx); /* NULL: none */
	void *news_ctx;

	int fd;
	uint64_t segment, size;  /* of the segment that is written */
	uint64_t last, durable;  /* sequence numbers; 0: none */
	uint8_t before[SHA256_SIZE];
	bool syncing;
	int broken;              /* errno; 0: good */
	struct wr record;

	uint64_t noted;          /* last ledger_entry field; 0: none */
	uint64_t charged;        /* largest ledger_query field since the segment before the last one at the start; 0: none */
	uint64_t checkpointed;
	int64_t checkpoint_time; /* monotonic nanos */

	struct audit_answer answers[AUDIT_ANSWERS]; /* by query modulo their number: the newest stay */
};

/* What a crash left, to be noted. */
struct audit_torn {
	bool there;
	uint64_t bytes;
	uint8_t hash[SHA256_SIZE];
};

/* Removes what stands after the reader's last good record (step says why it stopped) from a->fd when it is a torn one; its bytes stay in a file beside. */
MUST_CHECK bool audit_mend(struct audit *a, enum audit_step step, const struct audit_reader *r, struct audit_torn *torn, struct error *e);

/* ERR_AUDIT: the log cannot be gone on with. */
bool audit_damaged(struct error *e, const char *dir, const char *what);

/* Keeps where an answer is, if the record is one, and the last ledger_entry; under the lock, or before there are threads. */
void audit_note_answer(struct audit *a, const struct audit_record *r);

/* Makes the file of a segment, with its header, on disk; *fd is open for writing. */
MUST_CHECK bool audit_segment_make(struct audit *a, uint64_t segment, const struct audit_header *h, int *fd, struct error *e);

/* What a failed write to the log is to the outside; position of a full disk included. */
bool audit_write_failed(int why, struct error *e);

MUST_CHECK bool audit_sync_dir(const char *dir, struct error *e);

/* Appends, syncs and writes a checkpoint of all that is there (also: audit_keeper.c's thread, now and then). */
MUST_CHECK bool audit_checkpoint_now(struct audit *a, struct error *e);

/* The thread that syncs what nobody waits for, and checkpoints. */
MUST_CHECK bool audit_keeper_start(struct audit *a, struct error *e);
void audit_keeper_stop(struct audit *a);

/*
 * With the lock held.  After audit_make_room the next record needs no new segment: audit_append_locked does not wait, and no other record comes between.
 */
MUST_CHECK bool audit_make_room(struct audit *a, struct error *e);
MUST_CHECK bool audit_append_locked(struct audit *a, enum audit_event event, const struct wr *fields, struct error *e);

#endif
