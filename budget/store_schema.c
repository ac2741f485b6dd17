#include "base/text.h"
#include "budget/append.h"
#include "budget/store_parts.h"
#include "crypto/random.h"

enum { APPLICATION_ID = 0x4e474c31, SCHEMA_VERSION = 2 };

/* %s stands for: integers, byte strings, and the end of a table, which the two databases spell differently. */
static void put_tables(struct wr *w, const char *integer, const char *blob, const char *end)
{
	wr_fmt(w,
	       "CREATE TABLE ledger (one %s PRIMARY KEY CHECK (one = 1), version %s NOT NULL, id %s NOT NULL, anchored %s NOT NULL, seq %s NOT NULL, query %s NOT NULL,"
	       " at %s NOT NULL, hash %s NOT NULL,",
	       integer, integer, blob, integer, integer, integer, integer, blob);
	wr_fmt(w, " total_epsilon %s NOT NULL, total_rho %s NOT NULL, total_delta %s NOT NULL, total_queries %s NOT NULL,", integer, integer, integer, integer);
	wr_fmt(w, " before_epsilon %s NOT NULL, before_rho %s NOT NULL, before_delta %s NOT NULL, before_queries %s NOT NULL)%s;", integer, integer, integer, integer, end);
	wr_fmt(w,
	       "CREATE TABLE entry (seq %s PRIMARY KEY, kind %s NOT NULL, query %s NOT NULL, at %s NOT NULL, owner TEXT NOT NULL, relation TEXT NOT NULL, analyst TEXT NOT NULL,"
	       " login TEXT NOT NULL, accounting TEXT NOT NULL, epsilon %s NOT NULL CHECK (epsilon >= 0), rho %s NOT NULL CHECK (rho >= 0), delta %s NOT NULL CHECK (delta >= 0),"
	       " mechanism TEXT NOT NULL, text TEXT NOT NULL, hash %s NOT NULL)%s;",
	       integer, integer, integer, integer, integer, integer, integer, blob, end);
	wr_str(w, "CREATE INDEX entry_control ON entry (seq) WHERE kind <> 0;");
	wr_fmt(w,
	       "CREATE TABLE account (owner TEXT NOT NULL, relation TEXT NOT NULL, analyst TEXT NOT NULL, day %s NOT NULL, epsilon %s NOT NULL, rho %s NOT NULL,"
	       " delta %s NOT NULL, queries %s NOT NULL, PRIMARY KEY (owner, relation, analyst, day))%s;",
	       integer, integer, integer, integer, integer, end);
}

static void put_bytes(struct wr *w, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		wr_fmt(w, "%02x", p[i]);
}

/* The only row of table ledger; bytes are written between `open` and `close`. */
static void put_first_head(struct wr *w, const uint8_t id[LEDGER_ID_SIZE], const char *open, const char *close)
{
	uint8_t hash[SHA256_SIZE];

	w->bad = w->bad || !chain_start(id, hash);
	wr_fmt(w, "INSERT INTO ledger VALUES (1, %d, %s", SCHEMA_VERSION, open);
	put_bytes(w, id, LEDGER_ID_SIZE);
	wr_fmt(w, "%s, 0, 0, 0, 0, %s", close, open);
	put_bytes(w, hash, SHA256_SIZE);
	wr_fmt(w, "%s, 0, 0, 0, 0, 0, 0, 0, 0);", close);
}

static void put_sqlite(struct wr *w, const uint8_t id[LEDGER_ID_SIZE])
{
	put_tables(w, "INTEGER", "BLOB", " STRICT");
	put_first_head(w, id, "x'", "'");
	wr_fmt(w, "PRAGMA application_id = %d; PRAGMA user_version = %d;", APPLICATION_ID, SCHEMA_VERSION);
}

void store_schema_sqlite(struct wr *w, const uint8_t id[LEDGER_ID_SIZE])
{
	wr_str(w, "BEGIN IMMEDIATE;");
	put_sqlite(w, id);
	wr_str(w, "COMMIT;");
}

struct copying {
	struct store *store;
	struct head *head;
	struct error *e;
	bool ok;
};

static bool copy_entry(void *ctx, const struct entry *old)
{
	struct copying *c = ctx;
	struct entry x = *old;

	c->ok = append_entry(c->store, c->head, &x, c->e);
	c->head->query = x.query;
	return c->ok;
}

/* Version 1 had charges without a chain, and totals by window: the charges become the chain's first entries. */
static bool from_version_1(struct store *s, struct error *e)
{
	uint8_t id[LEDGER_ID_SIZE];
	struct rng rng = random_system();
	struct head head = { 0 };
	struct wr w;

	if (!rng.fill(rng.ctx, id, sizeof(id)))
		return fail(e, ERR_LEDGER, "the ledger could not be brought up to date: no random bytes");
	wr_init_heap(&w, 1 << 16);
	wr_str(&w, "DROP INDEX charge_query; ALTER TABLE account RENAME TO v1_account; ALTER TABLE charge RENAME TO v1_charge;");
	put_sqlite(&w, id);
	bool ok = wr_ok(&w) ? s->db->ops->run(s->db, wr_text(&w), e) : fail_memory(e);
	wr_free(&w);
	if (!ok || !store_head(s, &head, e))
		return false;
	struct copying c = { s, &head, e, true };
	if (!store_version_1(s, copy_entry, &c, e) || !c.ok)
		return false;
	head.before = head.total;
	return store_set_head(s, &head, e) && s->db->ops->run(s->db, "DROP TABLE v1_charge; DROP TABLE v1_account;", e);
}

static bool check_version(const struct store *s, int64_t version, struct error *e)
{
	if (version == SCHEMA_VERSION)
		return true;
	if (version < SCHEMA_VERSION)
		return store_damaged(s, "its schema version is unknown", e);
	fail(e, ERR_LEDGER, "ledger \"%s\" cannot be used: it was written by a newer version of Noisegate (schema %lld, this one knows %d)", s->name, (long long)version,
	     SCHEMA_VERSION);
	return error_hint(e, "Run the newer noisegate: what it spent must not be forgotten.");
}

bool store_migrate_sqlite(struct store *s, struct error *e)
{
	int64_t application, version;

	if (!s->db->ops->begin(s->db, true, e))
		return false;
	bool ok = db_sqlite_version(s->db, &application, &version, e);
	if (ok && application != APPLICATION_ID)
		ok = store_damaged(s, "it is not a Noisegate ledger", e);
	if (ok && version == 1)
		ok = from_version_1(s, e) && db_sqlite_version(s->db, &application, &version, e);
	ok = ok && check_version(s, version, e) && s->db->ops->commit(s->db, e);
	if (!ok)
		s->db->ops->rollback(s->db);
	return ok;
}

static bool make_postgres(struct store *s, const struct policy_ledger *where, struct error *e)
{
	uint8_t id[LEDGER_ID_SIZE];
	struct rng rng = random_system();
	struct wr w;

	if (!rng.fill(rng.ctx, id, sizeof(id)))
		return fail(e, ERR_LEDGER, "the ledger could not be created: no random bytes");
	wr_init_heap(&w, 1 << 16);
	/* one maker at a time; who comes second finds the table and leaves */
	wr_str(&w, "BEGIN; SELECT pg_advisory_xact_lock(5641132911); DO $make$ BEGIN IF to_regclass(");
	struct wr name;
	wr_init_heap(&name, 1 << 10);
	wr_sql_name(&name, where->schema);
	wr_str(&name, ".ledger");
	wr_sql_literal(&w, wr_text(&name));
	w.bad = w.bad || !wr_ok(&name);
	wr_free(&name);
	wr_str(&w, ") IS NULL THEN CREATE SCHEMA IF NOT EXISTS ");
	wr_sql_name(&w, where->schema);
	wr_str(&w, "; ");
	put_tables(&w, "bigint", "bytea", "");
	put_first_head(&w, id, "'\\x", "'");
	wr_str(&w, " END IF; END $make$; COMMIT");
	bool ok = wr_ok(&w) ? s->db->ops->run(s->db, wr_text(&w), e) : fail_memory(e);
	wr_free(&w);
	if (!ok)
		s->db->ops->rollback(s->db);
	return ok;
}

bool store_migrate_postgres(struct store *s, const struct policy_ledger *where, struct error *e)
{
	int64_t version;

	if (!make_postgres(s, where, e)) {
		fail(e, ERR_LEDGER, "the ledger's tables could not be made or found in schema \"%s\"", where->schema);
		return error_hint(e, "Let the ledger's role create the schema once, or give it a schema of its own.");
	}
	return store_version(s, &version, e) && check_version(s, version, e);
}
