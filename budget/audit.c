#include "budget/audit_state.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool disk_full(int why)
{
	return why == ENOSPC || why == EDQUOT || why == EFBIG;
}

bool audit_write_failed(int why, struct error *e)
{
	if (disk_full(why)) {
		(void)fail(e, ERR_DISK_FULL, "the audit log cannot be written: the disk is full");
		return error_hint(e, "Queries are refused until there is room. Catalogs and noisegate.budget still answer.");
	}
	(void)fail(e, ERR_AUDIT, "the audit log cannot be written: %s", strerror(why));
	return error_hint(e, "Queries are refused until the cause is removed and the proxy restarted.");
}

bool audit_sync_dir(const char *dir, struct error *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	int why = errno;

	if (fd >= 0)
		(void)close(fd);
	return ok || audit_write_failed(why, e);
}

static bool write_all(int fd, const uint8_t *p, size_t n, uint64_t at)
{
	while (n > 0) {
		ssize_t k = pwrite(fd, p, n, (off_t)at);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		p += k;
		n -= (size_t)k;
		at += (size_t)k;
	}
	return true;
}

/* A file with its header, on disk; -1 when it cannot be had. */
static int header_file(const char *path, const struct audit_header *h, struct error *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), why = errno;
	struct wr w;

	if (fd >= 0) {
		wr_init_heap(&w, AUDIT_HEADER);
		audit_header_put(&w, h);
		bool ok = wr_ok(&w) && write_all(fd, w.p, w.n, 0) && fsync(fd) == 0;
		why = errno;
		wr_free(&w);
		if (ok)
			return fd;
		(void)close(fd);
		(void)unlink(path);
	}
	(void)audit_write_failed(why, e);
	return -1;
}

/* It comes to its name with its header in it: who reads the log meanwhile never sees half of one. */
bool audit_segment_make(struct audit *a, uint64_t segment, const struct audit_header *h, int *out, struct error *e)
{
	char path[AUDIT_PATH_MAX], fresh[AUDIT_PATH_MAX];

	if (!audit_segment_path(a->dir, segment, path, e) || !audit_file_path(a->dir, "next", fresh, e))
		return false;
	(void)unlink(fresh); /* of a crash */
	int fd = header_file(fresh, h, e);
	if (fd < 0)
		return false;
	bool named = link(fresh, path) == 0, ok = named || audit_write_failed(errno, e); /* never over a segment that is there */
	(void)unlink(fresh);
	ok = ok && audit_sync_dir(a->dir, e);
	if (!ok) {
		(void)close(fd);
		if (named)
			(void)unlink(path);
		return false;
	}
	*out = fd;
	return true;
}

/* --- appending ------------------------------------------------------------------------------------------------------------------------ */

void audit_note_answer(struct audit *a, const struct audit_record *r)
{
	const uint64_t entry = audit_find_number(r, AUDIT_FIELD_LEDGER_ENTRY);
	struct audit_answer made = { .query = audit_find_number(r, AUDIT_FIELD_LEDGER_QUERY), .mark = { .sequence = r->sequence } };

	a->noted = entry ? entry : a->noted;
	a->charged = made.query > a->charged ? made.query : a->charged;
	if (r->event != AUDIT_ANSWERED || made.query == 0)
		return;
	if (made.query < a->answers[made.query % AUDIT_ANSWERS].query) /* older segments are read last */
		return;
	made.statement = audit_find_number(r, AUDIT_FIELD_STATEMENT);
	mem_copy(made.mark.hash, r->hash, SHA256_SIZE);
	a->answers[made.query % AUDIT_ANSWERS] = made;
}

static bool broken(const struct audit *a, struct error *e)
{
	return audit_write_failed(a->broken, e);
}

static void set_broken(struct audit *a, int why)
{
	a->broken = why ? why : EIO;
	log_event(LOG_ERROR, "audit log cannot be written any more", LOG_TEXT("why", strerror(a->broken)));
}

/* The last segment is full: syncs it and goes on in the next.  Nobody may be syncing: that file must not be closed. */
static bool rotate(struct audit *a, struct error *e)
{
	struct audit_header h = { .first = a->last + 1 };
	int fd = -1;

	if (fdatasync(a->fd) != 0) {
		set_broken(a, errno);
		return broken(a, e);
	}
	a->durable = a->last;
	pthread_cond_broadcast(&a->synced);
	mem_copy(h.log_id, a->log_id, AUDIT_ID);
	mem_copy(h.before, a->before, SHA256_SIZE);
	if (!audit_segment_make(a, a->segment + 1, &h, &fd, e))
		return false;
	(void)close(a->fd);
	a->fd = fd;
	a->segment++;
	a->size = AUDIT_HEADER;
	return true;
}

static bool is_full(const struct audit *a)
{
	return a->size >= (uint64_t)a->policy.segment_bytes && a->size > AUDIT_HEADER;
}

bool audit_make_room(struct audit *a, struct error *e)
{
	while (is_full(a) && a->syncing)
		pthread_cond_wait(&a->synced, &a->lock); /* meanwhile another may have gone on in a new segment, or failed */
	if (a->broken)
		return broken(a, e);
	return !is_full(a) || rotate(a, e);
}

/* The record in a->record: the 32 bytes before it, which are already in the file, then itself.  False without memory. */
static bool encode(struct audit *a, enum audit_event event, const struct wr *fields, uint8_t hash[SHA256_SIZE])
{
	struct wr *w = &a->record;
	size_t n = AUDIT_BODY_MIN + fields->n;

	wr_clear(w);
	wr_put(w, a->before, SHA256_SIZE);
	wr_u32(w, (uint32_t)n);
	wr_u8(w, (uint8_t)event);
	wr_u64(w, a->last + 1);
	wr_u64(w, (uint64_t)clock_now(&a->clock).micros);
	wr_put(w, fields->p, fields->n);
	if (!wr_ok(w) || !hash_sha256(w->p, w->n, hash))
		return false;
	wr_put(w, hash, SHA256_SIZE);
	return wr_ok(w);
}

bool audit_append_locked(struct audit *a, enum audit_event event, const struct wr *fields, struct error *e)
{
	uint8_t hash[SHA256_SIZE];
	struct audit_record r;

	if (!wr_ok(fields) || fields->n > AUDIT_BODY_MAX - AUDIT_BODY_MIN)
		return fail(e, ERR_TOO_COMPLEX, "the statement is too long for the audit log");
	if (!audit_make_room(a, e))
		return false;
	if (!encode(a, event, fields, hash))
		return fail_memory(e);
	const uint8_t *p = a->record.p + SHA256_SIZE;
	size_t n = a->record.n - SHA256_SIZE;
	BUG_IF(!audit_body_read(p + 4, n - 4 - SHA256_SIZE, &r)); /* our own fields are out of order */
	if (!write_all(a->fd, p, n, a->size)) {
		int why = errno;
		if (ftruncate(a->fd, (off_t)a->size) != 0 || !disk_full(why))
			set_broken(a, why);
		return audit_write_failed(why, e);
	}
	a->size += n;
	a->last++;
	mem_copy(a->before, hash, SHA256_SIZE);
	mem_copy(r.hash, hash, SHA256_SIZE);
	audit_note_answer(a, &r);
	if (a->last - a->checkpointed == (uint64_t)a->policy.checkpoint_records)
		pthread_cond_signal(&a->wake);
	return true;
}

bool audit_append(struct audit *a, enum audit_event event, const struct wr *fields, struct audit_mark *mark, struct error *e)
{
	pthread_mutex_lock(&a->lock);
	bool ok = audit_append_locked(a, event, fields, e);
	if (ok && mark) {
		mark->sequence = a->last;
		mem_copy(mark->hash, a->before, SHA256_SIZE);
	}
	pthread_mutex_unlock(&a->lock);
	return ok;
}

/* --- on disk: whoever comes first syncs for all that wait -------------------------------------------------------------------------------- */

/* Whether the segment is still the file under its name: what is on disk in a file that was deleted or moved away is no evidence. */
static bool in_place(const struct audit *a, uint64_t segment, int fd)
{
	char path[AUDIT_PATH_MAX];
	struct stat open_one, named;
	struct error ignored;

	return audit_segment_path(a->dir, segment, path, &ignored) && fstat(fd, &open_one) == 0 && stat(path, &named) == 0 &&
	       open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

static void sync_once(struct audit *a)
{
	uint64_t up_to = a->last, segment = a->segment;
	int fd = a->fd;

	a->syncing = true;
	pthread_mutex_unlock(&a->lock);
	int why = fdatasync(fd) != 0 ? errno ? errno : EIO : in_place(a, segment, fd) ? 0 : ENOENT;
	pthread_mutex_lock(&a->lock);
	a->syncing = false;
	if (why)
		set_broken(a, why);
	else if (a->durable < up_to)
		a->durable = up_to;
	pthread_cond_broadcast(&a->synced);
}

uint64_t audit_noted(struct audit *a)
{
	pthread_mutex_lock(&a->lock);
	uint64_t noted = a->noted;
	pthread_mutex_unlock(&a->lock);
	return noted;
}

uint64_t audit_charged(struct audit *a)
{
	pthread_mutex_lock(&a->lock);
	uint64_t charged = a->charged;
	pthread_mutex_unlock(&a->lock);
	return charged;
}

bool audit_commit(struct audit *a, uint64_t sequence, struct error *e)
{
	pthread_mutex_lock(&a->lock);
	while (a->durable < sequence && !a->broken) {
		if (a->syncing)
			pthread_cond_wait(&a->synced, &a->lock);
		else
			sync_once(a);
	}
	bool ok = a->durable >= sequence || broken(a, e);
	pthread_mutex_unlock(&a->lock);
	return ok;
}

/* --- receipts ------------------------------------------------------------------------------------------------------------------------------ */

bool audit_salt(const struct audit *a, uint64_t statement, uint8_t out[AUDIT_SALT])
{
	uint8_t mac[SHA256_SIZE];
	struct wr w;

	wr_init_heap(&w, 128);
	wr_cstr(&w, "noisegate audit salt v1");
	wr_put(&w, a->log_id, AUDIT_ID);
	wr_u64(&w, statement);
	bool ok = wr_ok(&w) && hash_hmac(a->secret, AUDIT_SECRET, w.p, w.n, mac);
	wr_free(&w);
	if (ok)
		mem_copy(out, mac, AUDIT_SALT);
	return ok;
}

bool audit_receipt(const struct audit *a, const struct audit_mark *answer, uint64_t statement, bool sign, char out[AUDIT_RECEIPT_MAX],
		   struct error *e)
{
	struct audit_place place = { .sequence = answer->sequence };
	uint8_t salt[AUDIT_SALT];
	struct wr w;

	mem_copy(place.log_id, a->log_id, AUDIT_ID);
	mem_copy(place.hash, answer->hash, SHA256_SIZE);
	wr_init_heap(&w, AUDIT_RECEIPT_MAX - 1);
	bool ok = audit_salt(a, statement, salt) && audit_receipt_put(&w, &place, salt, sign ? a->key : NULL);
	if (ok)
		mem_copy(out, wr_text(&w), w.n + 1);
	wr_free(&w);
	return ok || fail(e, ERR_CRYPTO, "could not make a receipt");
}

bool audit_receipt_of_query(struct audit *a, uint64_t query, char out[AUDIT_RECEIPT_MAX], struct error *e)
{
	pthread_mutex_lock(&a->lock);
	const struct audit_answer at = a->answers[query % AUDIT_ANSWERS];
	pthread_mutex_unlock(&a->lock);
	out[0] = '\0';
	return query == 0 || at.query != query || audit_receipt(a, &at.mark, at.statement, false, out, e);
}
