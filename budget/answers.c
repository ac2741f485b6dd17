#include "budget/answers.h"

#include "base/mem.h"
#include "base/wait.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x4e474131, SCHEMA_VERSION = 1, BUSY_MS = 5000, POLL_NANOS = 50 * 1000 * 1000 };

/* Somebody is asking this question now. */
struct asking {
	struct asking *next;
	struct answer_key key;
	struct wall_time at;
};

struct answers {
	pthread_mutex_t lock; /* one connection, one user at a time */
	pthread_cond_t ended;
	sqlite3 *db;
	sqlite3_stmt *read, *write, *total, *shrink;
	struct clock clock;
	int64_t micros; /* time to live; 0: for ever */
	uint64_t most;
	struct asking *asking;
};

static const char *const schema =
	"CREATE TABLE answer (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, at INTEGER NOT NULL, hash BLOB NOT NULL, body BLOB NOT NULL) STRICT;"
	"CREATE TABLE size (bytes INTEGER NOT NULL) STRICT; INSERT INTO size VALUES (0);"
	"CREATE TRIGGER more AFTER INSERT ON answer BEGIN UPDATE size SET bytes = bytes + length(NEW.body); END;"
	"CREATE TRIGGER less AFTER DELETE ON answer BEGIN UPDATE size SET bytes = bytes - length(OLD.body); END;";

/* --- the file ------------------------------------------------------------------------------------------------------------------- */

static bool unusable(const char *path, const char *why, struct error *e)
{
	fail(e, ERR_CONFIG, "the file of answers \"%s\" cannot be used: %s", path, why);
	return error_hint(e, "Move it away: its answers will be asked, and charged, again when they are next wanted.");
}

static bool run(struct answers *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool query_int(struct answers *s, const char *sql, int64_t *out)
{
	sqlite3_stmt *q;

	if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK)
		return false;
	bool ok = sqlite3_step(q) == SQLITE_ROW;
	*out = ok ? sqlite3_column_int64(q, 0) : 0;
	(void)sqlite3_finalize(q);
	return ok;
}

static bool migrate(struct answers *s, const char *path, struct error *e)
{
	int64_t id, version, tables;
	char pragmas[100];

	if (!run(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = ON; BEGIN IMMEDIATE") ||
	    !query_int(s, "PRAGMA application_id", &id) || !query_int(s, "PRAGMA user_version", &version) ||
	    !query_int(s, "SELECT count(*) FROM sqlite_schema", &tables))
		return unusable(path, "it is not a readable SQLite file, or it cannot be written", e);
	(void)snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id = %d; PRAGMA user_version = %d;", APPLICATION_ID, SCHEMA_VERSION);
	if (id == 0 && version == 0 && tables == 0 && run(s, schema) && run(s, pragmas))
		id = APPLICATION_ID, version = SCHEMA_VERSION;
	if (id != APPLICATION_ID || version != SCHEMA_VERSION)
		return unusable(path, "it was not written by this version of Noisegate", e);
	return run(s, "COMMIT") ? true : unusable(path, "it could not be written", e);
}

static bool prepare_all(struct answers *s)
{
	const struct {
		sqlite3_stmt **to;
		const char *sql;
	} all[] = {
		{ &s->read, "SELECT at, hash, body FROM answer WHERE digest = ?1" },
		{ &s->write, "INSERT OR REPLACE INTO answer (digest, at, hash, body) VALUES (?1, ?2, ?3, ?4)" },
		{ &s->total, "SELECT bytes FROM size" },
		{ &s->shrink, "DELETE FROM answer WHERE id IN (SELECT id FROM answer ORDER BY id LIMIT 1)" },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (sqlite3_prepare_v2(s->db, all[i].sql, -1, all[i].to, NULL) != SQLITE_OK)
			return false;
	}
	return true;
}

bool answers_open(const char *path, uint64_t bytes, int64_t millis, const struct clock *clock, struct answers **out, struct error *e)
{
	struct answers *s = mem_alloc(1, sizeof(*s));

	if (!s)
		return fail_memory(e);
	*s = (struct answers){ .clock = *clock, .micros = millis * 1000, .most = bytes };
	(void)pthread_mutex_init(&s->lock, NULL);
	wait_init(&s->ended);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* SQLite would create it with the umask's mode */
	if (fd >= 0)
		(void)close(fd);
	bool ok = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK;
	if (!ok)
		ok = unusable(path, sqlite3_errmsg(s->db), e);
	else if (sqlite3_busy_timeout(s->db, BUSY_MS) != SQLITE_OK || !migrate(s, path, e))
		ok = false;
	else if (!run(s, "PRAGMA recursive_triggers = ON") || !prepare_all(s)) /* REPLACE fires the trigger of DELETE only so */
		ok = unusable(path, "its tables cannot be read", e);
	if (!ok) {
		answers_close(s);
		return false;
	}
	*out = s;
	return true;
}

void answers_close(struct answers *s)
{
	if (!s)
		return;
	sqlite3_stmt *all[] = { s->read, s->write, s->total, s->shrink };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		(void)sqlite3_finalize(all[i]);
	(void)sqlite3_close(s->db);
	(void)pthread_cond_destroy(&s->ended);
	(void)pthread_mutex_destroy(&s->lock);
	mem_free(s);
}

/* --- one answer ------------------------------------------------------------------------------------------------------------------- */

static bool fresh(const struct answers *s, int64_t at)
{
	int64_t age = clock_now(&s->clock).micros - at;

	return age >= 0 && (s->micros == 0 || age < s->micros);
}

static bool decode(const uint8_t *body, size_t n_body, struct arena *a, const struct released **out, size_t n)
{
	struct rd in = rd_of(body, n_body);

	if (rd_u64(&in) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!released_get(&in, a, &out[i]))
			return false;
	}
	return rd_end(&in);
}

/* out NULL: only whether it is there. */
static bool look_up(struct answers *s, const struct answer_key *key, struct arena *a, const struct released **out, size_t n)
{
	uint8_t hash[SHA256_SIZE];
	bool ok = false;

	if (sqlite3_bind_blob(s->read, 1, key->digest, sizeof(key->digest), SQLITE_TRANSIENT) == SQLITE_OK && sqlite3_step(s->read) == SQLITE_ROW) {
		const void *kept = sqlite3_column_blob(s->read, 1), *body = sqlite3_column_blob(s->read, 2);
		size_t size = (size_t)sqlite3_column_bytes(s->read, 2);
		ok = fresh(s, sqlite3_column_int64(s->read, 0)) && kept && body && sqlite3_column_bytes(s->read, 1) == SHA256_SIZE &&
		     hash_sha256(body, size, hash) && mem_equal(hash, kept, SHA256_SIZE) && (!out || decode(body, size, a, out, n));
	}
	(void)sqlite3_reset(s->read);
	return ok;
}

static struct asking **find_asking(struct answers *s, const struct answer_key *key)
{
	struct asking **at = &s->asking;

	while (*at && !mem_equal((*at)->key.digest, key->digest, sizeof(key->digest)))
		at = &(*at)->next;
	return at;
}

/* Waits a moment for whoever is asking; the lock is held before and after. */
static bool wait_for_end(struct answers *s, const atomic_bool *cancelled, struct error *e)
{
	if (atomic_load(cancelled))
		return fail(e, ERR_CANCELLED, "canceling statement due to user request");
	wait_nanos(&s->ended, &s->lock, POLL_NANOS);
	return true;
}

enum answer_state answers_begin(struct answers *s, const struct answer_key *key, const atomic_bool *cancelled, struct arena *a,
				const struct released **out, size_t n, struct error *e)
{
	enum answer_state state = ANSWER_FAILED;
	bool waited = true;

	(void)pthread_mutex_lock(&s->lock);
	while (waited && cancelled && *find_asking(s, key))
		waited = wait_for_end(s, cancelled, e);
	if (*find_asking(s, key)) {
		state = cancelled ? ANSWER_FAILED : ANSWER_BUSY;
	} else if (waited && look_up(s, key, a, out, n)) {
		state = ANSWER_FOUND;
	} else if (waited) {
		struct asking *x = mem_alloc(1, sizeof(*x));
		if (x) {
			*x = (struct asking){ .next = s->asking, .key = *key, .at = clock_now(&s->clock) };
			s->asking = x;
			state = ANSWER_MINE;
		} else {
			(void)fail_memory(e);
		}
	}
	(void)pthread_mutex_unlock(&s->lock);
	return state;
}

/* Writes the answer and drops the oldest ones until the rest is within the limit, in one transaction. */
static bool keep(struct answers *s, const struct asking *x, const struct wr *body)
{
	uint8_t hash[SHA256_SIZE];
	int64_t total = 0;

	if (!wr_ok(body) || body->n > s->most || !hash_sha256(body->p, body->n, hash) || !run(s, "BEGIN IMMEDIATE"))
		return false;
	bool ok = sqlite3_bind_blob(s->write, 1, x->key.digest, sizeof(x->key.digest), SQLITE_TRANSIENT) == SQLITE_OK &&
		  sqlite3_bind_int64(s->write, 2, x->at.micros) == SQLITE_OK &&
		  sqlite3_bind_blob(s->write, 3, hash, sizeof(hash), SQLITE_TRANSIENT) == SQLITE_OK &&
		  sqlite3_bind_blob(s->write, 4, body->p, (int)body->n, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(s->write) == SQLITE_DONE;
	(void)sqlite3_reset(s->write);
	(void)sqlite3_clear_bindings(s->write);
	do {
		ok = ok && sqlite3_step(s->total) == SQLITE_ROW;
		total = ok ? sqlite3_column_int64(s->total, 0) : 0;
		(void)sqlite3_reset(s->total);
		if (total <= 0 || (uint64_t)total <= s->most)
			break;
		ok = sqlite3_step(s->shrink) == SQLITE_DONE;
		(void)sqlite3_reset(s->shrink);
	} while (ok);
	if (ok && run(s, "COMMIT"))
		return true;
	(void)run(s, "ROLLBACK");
	return false;
}

bool answers_end(struct answers *s, const struct answer_key *key, const struct released *const *made, size_t n)
{
	bool kept = !made;
	struct wr body;

	wr_init_heap(&body, s->most < INT32_MAX ? s->most : INT32_MAX);
	wr_u64(&body, n);
	for (size_t i = 0; made && i < n; i++)
		released_put(made[i], &body);
	(void)pthread_mutex_lock(&s->lock);
	struct asking **at = find_asking(s, key), *x = *at;
	BUG_IF(!x);
	if (made)
		kept = keep(s, x, &body);
	*at = x->next;
	mem_free(x);
	(void)pthread_cond_broadcast(&s->ended);
	(void)pthread_mutex_unlock(&s->lock);
	wr_free(&body);
	return kept;
}

bool answers_has(struct answers *s, const struct answer_key *key)
{
	(void)pthread_mutex_lock(&s->lock);
	bool has = look_up(s, key, NULL, NULL, 0);
	(void)pthread_mutex_unlock(&s->lock);
	return has;
}
