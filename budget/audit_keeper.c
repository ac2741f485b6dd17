/* Checkpoints, and the thread that takes them and syncs what nobody waits for. */
#include "budget/audit_state.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/wait.h"

#include <errno.h>

static bool write_checkpoint(const struct audit *a, const struct wr *text, struct error *e)
{
	struct file_out out;

	if (!file_out_open(&out, a->checkpoint_file, true, e))
		return false;
	if (fwrite(text->p, 1, text->n, out.f) != text->n) {
		int why = errno;
		file_out_abort(&out);
		return audit_write_failed(why, e);
	}
	return file_out_commit(&out, e);
}

/* The text of a checkpoint over the last record; with a key it becomes a record itself. */
static bool take(struct audit *a, struct wr *text, uint64_t *sequence, struct error *e)
{
	struct audit_place place = { .sequence = 0 };
	struct wr fields;

	if (!audit_make_room(a, e))
		return false;
	place.sequence = a->last;
	mem_copy(place.log_id, a->log_id, AUDIT_ID);
	mem_copy(place.hash, a->before, SHA256_SIZE);
	if (!audit_checkpoint_put(text, &place, clock_now(&a->clock), a->key))
		return fail(e, ERR_CRYPTO, "could not sign a checkpoint of the audit log");
	bool ok = true;
	if (a->key) {
		wr_init_heap(&fields, 2 * AUDIT_CHECKPOINT_MAX);
		audit_put_text(&fields, AUDIT_FIELD_CHECKPOINT, wr_text(text));
		ok = audit_append_locked(a, AUDIT_CHECKPOINT, &fields, e);
		wr_free(&fields);
	}
	a->checkpointed = a->last;
	a->checkpoint_time = clock_monotonic().nanos;
	*sequence = a->last;
	return ok;
}

bool audit_checkpoint_now(struct audit *a, struct error *e)
{
	uint64_t sequence = 0;
	struct wr text;

	wr_init_heap(&text, AUDIT_CHECKPOINT_MAX);
	pthread_mutex_lock(&a->lock);
	bool ok = take(a, &text, &sequence, e);
	pthread_mutex_unlock(&a->lock);
	/* the file must never be ahead of the log: after a power failure it would look like a cut */
	ok = ok && audit_commit(a, sequence, e) && write_checkpoint(a, &text, e);
	wr_free(&text);
	return ok;
}

/* With the lock. */
static bool checkpoint_due(const struct audit *a)
{
	uint64_t records = a->last - a->checkpointed;

	return !a->broken && records > 0 &&
	       (records >= (uint64_t)a->policy.checkpoint_records ||
		clock_monotonic().nanos - a->checkpoint_time >= a->policy.checkpoint_seconds * INT64_C(1000000000));
}

static void *keep(void *arg)
{
	struct audit *a = arg;
	struct error e;
	bool failed = false;

	pthread_mutex_lock(&a->lock);
	for (;;) {
		if (!a->stop && !(checkpoint_due(a) && !failed))
			wait_nanos(&a->wake, &a->lock, INT64_C(1000000000));
		if (a->stop)
			break;
		bool due = checkpoint_due(a), lag = a->durable < a->last && !a->broken;
		uint64_t last = a->last;
		void (*news)(void *ctx) = a->news;
		pthread_mutex_unlock(&a->lock);
		e = ERROR_INIT;
		if (news)
			news(a->news_ctx);
		bool ok = due ? audit_checkpoint_now(a, &e) : !lag || audit_commit(a, last, &e);
		if (!ok && !failed)
			log_error("audit log", &e);
		pthread_mutex_lock(&a->lock);
		failed = !ok;
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

void audit_watch(struct audit *a, void (*news)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&a->lock);
	a->news = news;
	a->news_ctx = ctx;
	pthread_mutex_unlock(&a->lock);
}

bool audit_keeper_start(struct audit *a, struct error *e)
{
	a->keeper_runs = pthread_create(&a->keeper, NULL, keep, a) == 0;
	return a->keeper_runs || fail_memory(e);
}

void audit_keeper_stop(struct audit *a)
{
	if (!a->keeper_runs)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
	(void)pthread_join(a->keeper, NULL);
	a->keeper_runs = false;
}
