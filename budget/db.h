/*
 * One connection to a database that keeps the ledger: prepared statements by number, values by type.  It knows no table; budget/store.c knows the tables and
 * no database.  Not for two threads at a time.
 *
 * Statements are written once for both databases: parameters are $1, $2, ...; what differs (types, locks) stays in the implementations.
 */
#ifndef NG_BUDGET_DB_H
#define NG_BUDGET_DB_H

#include "base/compiler.h"
#include "base/error.h"
#include "policies/policy.h"

enum db_type { DB_INT, DB_TEXT, DB_BLOB };

struct db_value {
	enum db_type type;
	int64_t i;
	const void *p; /* TEXT: zero-terminated, NULL is SQL NULL; BLOB: n bytes */
	size_t n;
};

#define DB_I(v) ((struct db_value){ .type = DB_INT, .i = (v) })
#define DB_T(v) ((struct db_value){ .type = DB_TEXT, .p = (v) })
#define DB_B(v, size) ((struct db_value){ .type = DB_BLOB, .p = (v), .n = (size) })

struct db;

/* The row at hand, valid inside the callback. */
struct db_row {
	int64_t (*integer)(const struct db_row *r, int column); /* 0 for NULL */
	const char *(*text)(const struct db_row *r, int column); /* "" for NULL */
	bool (*blob)(const struct db_row *r, int column, uint8_t *out, size_t n); /* false: not exactly n bytes */
	void *handle;
	int at;
};

typedef bool db_each(void *ctx, const struct db_row *row); /* false stops; that is no error */

struct db_ops {
	bool (*begin)(struct db *d, bool write, struct error *e); /* write: nobody else writes until commit; else one consistent view */
	bool (*commit)(struct db *d, struct error *e);
	void (*rollback)(struct db *d); /* harmless without a transaction */
	bool (*run)(struct db *d, const char *sql, struct error *e); /* several statements, no parameters, no rows */
	bool (*query)(struct db *d, int statement, const struct db_value *values, size_t n, db_each *each, void *ctx, struct error *e);
	bool (*sound)(struct db *d, struct error *e); /* the database's own integrity check, when it has one */
	void (*close)(struct db *d);
};

struct db {
	const struct db_ops *ops;
	const char *const *statements; /* by number */
	bool again; /* the last failure was a conflict with another proxy: the transaction may be tried again */
};

/*
 * An existing SQLite file, in WAL mode with synchronous=FULL: what is committed is on disk.  ERR_LEDGER when it is missing, empty, read-only or no SQLite file.
 */
MUST_CHECK bool db_sqlite_open(const char *path, const char *const *statements, size_t n, struct db **out, struct error *e);

/* Header figures that SQLite keeps: whose file it is, and its schema version. */
MUST_CHECK bool db_sqlite_version(struct db *d, int64_t *application, int64_t *version, struct error *e);

/*
 * Makes a new file with this SQL, complete under its name or not there at all; mode 0600.  *made is false when another process was faster (its file stays).
 */
MUST_CHECK bool db_sqlite_create(const char *path, const char *sql, bool *made, struct error *e);

/* A PostgreSQL database; the tables are in the schema (store.c makes it).  Reconnects by itself between transactions. */
MUST_CHECK bool db_postgres_open(const struct policy_ledger *where, const char *const *statements, size_t n, struct db **out, struct error *e);

#endif
