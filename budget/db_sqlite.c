#include "budget/db.h"

#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 30000, STATEMENTS_MAX = 32 };

struct sqlite_db {
	struct db base;
	sqlite3 *handle;
	size_t n;
	sqlite3_stmt *prepared[STATEMENTS_MAX];
};

static struct sqlite_db *of(struct db *d)
{
	return (struct sqlite_db *)(void *)d; /* base is its first member */
}

/* Also when the file that processes share the -wal's index in cannot grow: SQLite calls that an input error. */
static bool disk_full(sqlite3 *handle)
{
	int code = sqlite3_extended_errcode(handle);

	return (code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE || (code == SQLITE_IOERR_WRITE && sqlite3_system_errno(handle) == ENOSPC);
}

static bool failed(struct sqlite_db *s, struct error *e)
{
	int code = disk_full(s->handle) ? SQLITE_FULL : sqlite3_errcode(s->handle) & 0xff;

	switch (code) {
	case SQLITE_FULL:
		fail(e, ERR_DISK_FULL, "the ledger could not be written: the disk is full");
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		fail(e, ERR_LEDGER, "the ledger is locked by another process");
		break;
	case SQLITE_READONLY:
		fail(e, ERR_LEDGER, "the ledger could not be written: it is read-only");
		break;
	default:
		fail(e, ERR_LEDGER, "the ledger could not be read or written (%s)", sqlite3_errstr(code));
	}
	return error_detail(e, "Nothing was run.");
}

static bool run(struct db *d, const char *sql, struct error *e)
{
	return sqlite3_exec(of(d)->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? true : failed(of(d), e);
}

/* Whether the file is still the one under its name: what is written to another is gone when the process ends. */
static bool in_place(struct sqlite_db *s, struct error *e)
{
	int moved = 0;

	if (sqlite3_file_control(s->handle, NULL, SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || !moved)
		return true;
	fail(e, ERR_LEDGER, "the ledger's file was moved, deleted or replaced while it was in use");
	error_detail(e, "Nothing was run.");
	return error_hint(e, "Put the file back, or stop everything that uses it and start again.");
}

static bool begin(struct db *d, bool write, struct error *e)
{
	return (!write || in_place(of(d), e)) && run(d, write ? "BEGIN IMMEDIATE" : "BEGIN", e);
}

static bool commit(struct db *d, struct error *e)
{
	return run(d, "COMMIT", e);
}

static void rollback(struct db *d)
{
	if (!sqlite3_get_autocommit(of(d)->handle))
		(void)sqlite3_exec(of(d)->handle, "ROLLBACK", NULL, NULL, NULL);
}

static int64_t row_integer(const struct db_row *r, int column)
{
	return sqlite3_column_int64(r->handle, column);
}

static const char *row_text(const struct db_row *r, int column)
{
	const char *t = (const char *)sqlite3_column_text(r->handle, column);

	return t ? t : "";
}

static bool row_blob(const struct db_row *r, int column, uint8_t *out, size_t n)
{
	if (sqlite3_column_type(r->handle, column) != SQLITE_BLOB || (size_t)sqlite3_column_bytes(r->handle, column) != n)
		return false;
	mem_copy(out, sqlite3_column_blob(r->handle, column), n);
	return true;
}

static bool bind(sqlite3_stmt *s, int index, const struct db_value *v)
{
	switch (v->type) {
	case DB_INT:
		return sqlite3_bind_int64(s, index, v->i) == SQLITE_OK;
	case DB_TEXT:
		return sqlite3_bind_text(s, index, v->p, -1, SQLITE_STATIC) == SQLITE_OK;
	case DB_BLOB:
		return sqlite3_bind_blob(s, index, v->p, (int)v->n, SQLITE_STATIC) == SQLITE_OK;
	}
	return false;
}

static sqlite3_stmt *prepared(struct sqlite_db *s, int statement)
{
	sqlite3_stmt **p = &s->prepared[statement];

	if (!*p && sqlite3_prepare_v3(s->handle, s->base.statements[statement], -1, SQLITE_PREPARE_PERSISTENT, p, NULL) != SQLITE_OK)
		*p = NULL;
	return *p;
}

static bool query(struct db *d, int statement, const struct db_value *values, size_t n, db_each *each, void *ctx, struct error *e)
{
	struct sqlite_db *s = of(d);
	sqlite3_stmt *p = prepared(s, statement);
	struct db_row row = { row_integer, row_text, row_blob, p, 0 };
	int step = SQLITE_ERROR;

	if (!p)
		return failed(s, e);
	for (size_t i = 0; i < n; i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "$%d", (int)i + 1);
		int index = sqlite3_bind_parameter_index(p, name);
		if (index > 0 && !bind(p, index, &values[i]))
			goto done;
	}
	while ((step = sqlite3_step(p)) == SQLITE_ROW) {
		if (each && !each(ctx, &row)) {
			step = SQLITE_DONE;
			break;
		}
	}
done:
	if (step != SQLITE_DONE)
		(void)failed(s, e);
	(void)sqlite3_reset(p);
	(void)sqlite3_clear_bindings(p); /* they point into the caller's memory */
	return step == SQLITE_DONE;
}

static bool sound(struct db *d, struct error *e)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(of(d)->handle, "PRAGMA integrity_check(1)", -1, &s, NULL) != SQLITE_OK)
		return failed(of(d), e);
	bool ok = sqlite3_step(s) == SQLITE_ROW && text_eq((const char *)sqlite3_column_text(s, 0), "ok");
	(void)sqlite3_finalize(s);
	return ok ? true : fail(e, ERR_LEDGER, "the integrity check fails");
}

static void close_db(struct db *d)
{
	struct sqlite_db *s = of(d);

	for (size_t i = 0; i < s->n; i++)
		(void)sqlite3_finalize(s->prepared[i]);
	(void)sqlite3_close(s->handle);
	mem_free(s);
}

static const struct db_ops ops = { begin, commit, rollback, run, query, sound, close_db };

static bool cannot(const char *path, const char *why, struct error *e)
{
	fail(e, ERR_LEDGER, "ledger \"%s\" cannot be used: %s", path, why);
	return error_hint(e, "Restore the last good copy of the file and its -wal, then run `noisegate budget recover`: docs/budgets.md, \"When the ledger is refused\".");
}

/*
 * What SQLite would silently take for an empty database, or open for reading only.  The file is not opened for it: closing any descriptor of a file gives up
 * all locks that the process has on it, those of other SQLite connections included.
 */
static bool check_file(const char *path, struct error *e)
{
	struct stat st;

	if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) != 0 || stat(path, &st) != 0) {
		fail(e, ERR_LEDGER, "could not open ledger \"%s\": %s", path, strerror(errno));
		return error_hint(e, "The account that runs noisegate must be able to read and write the file and its directory.");
	}
	if (!S_ISREG(st.st_mode))
		return cannot(path, "it is not a regular file", e);
	return st.st_size > 0 ? true : cannot(path, "it is empty, and a ledger never is", e);
}

bool db_sqlite_open(const char *path, const char *const *statements, size_t n, struct db **out, struct error *e)
{
	struct sqlite_db *s;

	BUG_IF(n > STATEMENTS_MAX);
	if (!check_file(path, e))
		return false;
	s = mem_alloc(1, sizeof(*s));
	if (!s)
		return fail_memory(e);
	s->base = (struct db){ .ops = &ops, .statements = statements };
	s->n = n;
	if (sqlite3_open_v2(path, &s->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		fail(e, ERR_LEDGER, "could not open ledger \"%s\": %s", path, sqlite3_errmsg(s->handle));
		goto fail;
	}
	(void)sqlite3_busy_timeout(s->handle, BUSY_MS);
	(void)sqlite3_extended_result_codes(s->handle, 1);
	if (!run(&s->base, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;", e)) {
		int code = sqlite3_errcode(s->handle) & 0xff;
		if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
			(void)cannot(path, "it is not a readable SQLite file", e);
		else if (code == SQLITE_CANTOPEN || code == SQLITE_READONLY)
			(void)cannot(path, "its directory cannot be written", e);
		goto fail;
	}
	*out = &s->base;
	return true;
fail:
	close_db(&s->base);
	return false;
}

static bool one_int(struct sqlite_db *s, const char *sql, int64_t *out, struct error *e)
{
	sqlite3_stmt *p;

	if (sqlite3_prepare_v2(s->handle, sql, -1, &p, NULL) != SQLITE_OK)
		return failed(s, e);
	bool ok = sqlite3_step(p) == SQLITE_ROW;
	if (ok)
		*out = sqlite3_column_int64(p, 0);
	else
		(void)failed(s, e);
	(void)sqlite3_finalize(p);
	return ok;
}

bool db_sqlite_version(struct db *d, int64_t *application, int64_t *version, struct error *e)
{
	return one_int(of(d), "PRAGMA application_id", application, e) && one_int(of(d), "PRAGMA user_version", version, e);
}

/* A file of its own, complete or not there; `name` is what it will be called. */
static bool fill(const char *path, const char *name, const char *sql, struct error *e)
{
	sqlite3 *handle = NULL;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); /* SQLite would create it with the umask's mode */

	if (fd < 0) {
		fail(e, ERR_LEDGER, "could not create ledger \"%s\": %s", name, strerror(errno));
		return error_hint(e, "Its directory must be there, and the account that runs noisegate be able to write it.");
	}
	(void)close(fd);
	/* write-ahead from the start: to change a file's mode takes it for oneself alone, and several who open it at once would be turned away */
	bool ok = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
		  sqlite3_exec(handle, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", NULL, NULL, NULL) == SQLITE_OK &&
		  sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK && sqlite3_wal_checkpoint_v2(handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) == SQLITE_OK;
	if (!ok && disk_full(handle))
		fail(e, ERR_DISK_FULL, "the ledger could not be created: the disk is full");
	else if (!ok)
		fail(e, ERR_LEDGER, "could not create ledger \"%s\": %s", name, sqlite3_errmsg(handle));
	(void)sqlite3_close(handle);
	return ok;
}

/* The directory's own entry must be on disk before the first charge is said to be. */
static bool sync_directory(const char *path, struct error *e)
{
	const char *slash = strrchr(path, '/');
	char directory[4096] = ".";

	if (slash)
		(void)snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	if (!ok)
		fail(e, ERR_LEDGER, "could not write the directory of ledger \"%s\": %s", path, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return ok;
}

/* What was not finished, or is known by another name now. */
static void scrap(const char *path)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char name[4104];

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		(void)unlink(name);
	}
}

bool db_sqlite_create(const char *path, const char *sql, bool *made, struct error *e)
{
	char temporary[4096];

	*made = false;
	if ((size_t)snprintf(temporary, sizeof(temporary), "%s-wal", path) >= sizeof(temporary))
		return fail(e, ERR_LEDGER, "the ledger's path is too long");
	if (access(temporary, F_OK) == 0) /* its charges would be replayed into the new file; when another process made it, the file is there too */
		return access(path, F_OK) == 0 ? true : cannot(path, "the file is gone, and its -wal is still there", e);
	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.new-%ld", path, (long)getpid()) >= sizeof(temporary))
		return fail(e, ERR_LEDGER, "the ledger's path is too long");
	scrap(temporary); /* of a process with our number that did not get far */
	bool ok = fill(temporary, path, sql, e);
	*made = ok && link(temporary, path) == 0; /* never over a file that is there */
	if (ok && !*made && errno != EEXIST)
		ok = fail(e, ERR_LEDGER, "could not create ledger \"%s\": %s", path, strerror(errno));
	scrap(temporary);
	return ok && sync_directory(path, e);
}
