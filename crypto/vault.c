#include "crypto/vault.h"

#include "base/mem.h"
#include "base/text.h"
#include "crypto/key.h"
#include "crypto/secret_memory.h"
#include "crypto/siv.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROUND = 16, TRIES = 200, LOOKUP = 16 };

/* Working keys, in secret memory. */
struct keys {
	uint8_t lookup[SECRET_KEY], audit[SECRET_KEY], seal[SIV_KEY];
};

enum statement { FIND_TOKEN, ADD_TOKEN, FIND_VALUE, LAST_ENTRY, ADD_ENTRY, ENTRIES, STATEMENTS };

static const char *const sql[STATEMENTS] = {
	[FIND_TOKEN] = "SELECT token FROM token WHERE domain = ?1 AND lookup = ?2",
	[ADD_TOKEN] = "INSERT OR IGNORE INTO token (domain, lookup, token, sealed) VALUES (?1, ?2, ?3, ?4)",
	[FIND_VALUE] = "SELECT sealed, lookup FROM token WHERE domain = ?1 AND token = ?2",
	[LAST_ENTRY] = "SELECT mac FROM audit ORDER BY id DESC LIMIT 1",
	[ADD_ENTRY] = "INSERT INTO audit (at, who, action, what, reason, cells, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[ENTRIES] = "SELECT id, at, who, action, what, reason, cells, mac FROM audit ORDER BY id",
};

static const char tables[] =
	"CREATE TABLE meta (version INTEGER NOT NULL, key_id TEXT NOT NULL);"
	"CREATE TABLE token (domain BLOB NOT NULL, lookup BLOB NOT NULL, token TEXT NOT NULL, sealed BLOB NOT NULL,"
	" PRIMARY KEY (domain, lookup), UNIQUE (domain, token)) WITHOUT ROWID;"
	"CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, what TEXT NOT NULL,"
	" reason TEXT NOT NULL, cells INTEGER NOT NULL, mac BLOB NOT NULL);";

struct vault {
	sqlite3 *db;
	sqlite3_stmt *st[STATEMENTS];
	struct keys *keys;
	const struct rng *rng;
	struct wr scratch; /* of values: wiped when freed */
};

static bool broken(struct vault *v, struct error *e)
{
	return fail(e, sqlite3_errcode(v->db) == SQLITE_FULL ? ERR_DISK_FULL : ERR_IO, "could not use the vault: %s", sqlite3_errmsg(v->db));
}

void vault_close(struct vault *v)
{
	if (!v)
		return;
	for (int i = 0; i < STATEMENTS; i++)
		(void)sqlite3_finalize(v->st[i]);
	(void)sqlite3_close(v->db); /* rolls back what was not committed */
	wr_free(&v->scratch);
	secret_delete(v->keys, sizeof(*v->keys));
	mem_free(v);
}

static bool derive(struct vault *v, const struct c3r_secret *key)
{
	static const char lookup[] = "noisegate vault v1 lookup", audit[] = "noisegate vault v1 audit";

	v->keys = secret_new(sizeof(*v->keys));
	return v->keys && hash_hmac(key->bytes, key->n, lookup, sizeof(lookup) - 1, v->keys->lookup) &&
	       hash_hmac(key->bytes, key->n, audit, sizeof(audit) - 1, v->keys->audit) &&
	       siv_derive(key->bytes, key->n, "noisegate vault v1 seal", v->keys->seal);
}

static bool run(struct vault *v, const char *text, struct error *e)
{
	return sqlite3_exec(v->db, text, NULL, NULL, NULL) == SQLITE_OK || broken(v, e);
}

/* Tables and owner of a new vault; of an old one, whether it is of this version and key. */
static bool belongs(struct vault *v, const char *id, bool fresh, struct error *e)
{
	sqlite3_stmt *st = NULL;
	bool ok = !fresh || run(v, tables, e);

	if (!ok)
		return false;
	if (sqlite3_prepare_v2(v->db, fresh ? "INSERT INTO meta VALUES (1, ?1)" : "SELECT version, key_id FROM meta", -1, &st, NULL) != SQLITE_OK) {
		fail(e, ERR_IO, "this file is not a vault: %s", sqlite3_errmsg(v->db));
		return false;
	}
	if (fresh) {
		ok = sqlite3_bind_text(st, 1, id, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(st) == SQLITE_DONE;
		ok = ok || broken(v, e);
	} else if (sqlite3_step(st) != SQLITE_ROW || sqlite3_column_int(st, 0) != 1) {
		ok = fail(e, ERR_IO, "this file is not a vault of version 1");
	} else if (!text_eq((const char *)sqlite3_column_text(st, 1), id)) {
		ok = fail(e, ERR_KEY_REFUSED, "the vault belongs to key %s, not %s", (const char *)sqlite3_column_text(st, 1), id);
	}
	(void)sqlite3_finalize(st);
	return ok;
}

/* A file that others may read is refused; *fresh: it was made now, empty. */
static bool file_ready(const char *path, bool create, bool *fresh, struct error *e)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);

	if (fd < 0 || fstat(fd, &st) != 0) {
		int why = errno;
		if (fd >= 0)
			(void)close(fd);
		return fail(e, ERR_IO, "could not open vault \"%s\": %s", path, strerror(why));
	}
	(void)close(fd);
	*fresh = st.st_size == 0;
	if (*fresh && !create)
		return fail(e, ERR_IO, "vault \"%s\" is empty", path);
	if (!S_ISREG(st.st_mode) || (st.st_mode & 077)) {
		fail(e, ERR_CRYPTO, "vault \"%s\" can be read by others", path);
		return error_hint(e, "Run: chmod 600 %s", path);
	}
	return true;
}

bool vault_open(const char *path, const struct c3r_secret *key, bool create, const struct rng *r, struct vault **out, struct error *e)
{
	struct vault *v = mem_alloc(1, sizeof(*v));
	char id[KEY_ID_TEXT];
	bool fresh = false;

	if (!v)
		return fail_memory(e);
	v->rng = r;
	wr_init_heap(&v->scratch, 2 * VAULT_VALUE_MAX + 4096);
	bool ok = file_ready(path, create, &fresh, e) && ((derive(v, key) && key_id(key, id)) || fail(e, ERR_CRYPTO, "could not derive the vault's keys")) &&
		  (sqlite3_open_v2(path, &v->db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK || broken(v, e));
	if (ok) {
		(void)sqlite3_busy_timeout(v->db, 30000);
		/* a journal that is deleted and synced; memory for temporary results, so that nothing else is written */
		ok = run(v, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;"
			 "PRAGMA secure_delete=ON; BEGIN IMMEDIATE", e) && belongs(v, id, fresh, e);
	}
	for (int i = 0; ok && i < STATEMENTS; i++)
		ok = sqlite3_prepare_v3(v->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &v->st[i], NULL) == SQLITE_OK || broken(v, e);
	if (ok)
		*out = v;
	else
		vault_close(v);
	return ok;
}

bool vault_commit(struct vault *v, struct error *e)
{
	return run(v, "COMMIT; BEGIN IMMEDIATE", e);
}

/* HMAC of parts, each with its length before it, so that no two lists of parts look alike. */
static bool mac_parts(struct vault *v, const uint8_t *key, const struct rd *parts, size_t n, uint8_t out[SHA256_SIZE])
{
	wr_clear(&v->scratch);
	for (size_t i = 0; i < n; i++) {
		wr_u32(&v->scratch, (uint32_t)parts[i].left);
		wr_put(&v->scratch, parts[i].p, parts[i].left);
	}
	return wr_ok(&v->scratch) && hash_hmac(key, SECRET_KEY, v->scratch.p, v->scratch.n, out);
}

static bool places(struct vault *v, const char *domain, const char *value, size_t n, uint8_t at_domain[SHA256_SIZE], uint8_t at_value[SHA256_SIZE],
		   struct error *e)
{
	const struct rd parts[] = { rd_of("d", 1), rd_of(domain, strlen(domain)), rd_of(value, n) };

	return (mac_parts(v, v->keys->lookup, parts, 2, at_domain) && mac_parts(v, v->keys->lookup, parts, 3, at_value)) ||
	       fail(e, ERR_CRYPTO, "could not look the value up");
}

/* A uniform number below `below` (at most 64). */
static bool uniform(const struct rng *r, unsigned below, unsigned *out)
{
	uint8_t b;

	do {
		if (!rng_fill(r, &b, 1))
			return false;
	} while (b >= 256 / below * below);
	*out = b % below;
	return true;
}

static bool token_like(struct vault *v, const char *value, size_t n, struct wr *token, struct error *e)
{
	unsigned k;
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		char c = value[i], first = c >= '0' && c <= '9' ? '0' : c >= 'a' && c <= 'z' ? 'a' : c >= 'A' && c <= 'Z' ? 'A' : '\0';
		if ((unsigned char)c > 126)
			return fail(e, ERR_CRYPTO, "a token of the value's form can be made for ASCII values only");
		if (first && !uniform(v->rng, first == '0' ? 10 : 26, &k))
			return fail(e, ERR_CRYPTO, "the random source failed");
		any = any || first;
		wr_u8(token, first ? (uint8_t)(first + (char)k) : (uint8_t)c);
	}
	return any || fail(e, ERR_CRYPTO, "the value has no letter or digit, so its form would be the value");
}

static bool token_random(struct vault *v, struct wr *token, struct error *e)
{
	static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
	unsigned k;

	wr_str(token, "tok_");
	for (int i = 0; i < VAULT_TOKEN - 4; i++) {
		if (!uniform(v->rng, 32, &k))
			return fail(e, ERR_CRYPTO, "the random source failed");
		wr_u8(token, (uint8_t)alphabet[k]);
	}
	return true;
}

/* What a sealed value is bound to: its whole row. */
static bool row_of(struct wr *bound, const uint8_t *at_domain, const void *at_value, const char *token, size_t n)
{
	wr_clear(bound);
	wr_put(bound, at_domain, LOOKUP);
	wr_put(bound, at_value, LOOKUP);
	wr_put(bound, token, n);
	return wr_ok(bound);
}

/* value with its length before it and zeros up to a multiple of ROUND */
static bool seal_value(struct vault *v, const struct wr *bound, const char *value, size_t n, struct wr *sealed)
{
	wr_clear(&v->scratch);
	wr_u32(&v->scratch, (uint32_t)n);
	wr_put(&v->scratch, value, n);
	while (v->scratch.n % ROUND)
		wr_u8(&v->scratch, 0);
	uint8_t *out = mem_alloc(v->scratch.n + SIV_TAG, 1);
	bool ok = out && wr_ok(&v->scratch) && siv_seal(v->keys->seal, bound->p, bound->n, v->scratch.p, v->scratch.n, out);
	wr_clear(sealed);
	if (ok)
		wr_put(sealed, out, v->scratch.n + SIV_TAG);
	mem_free(out);
	return ok && wr_ok(sealed);
}

static bool add(struct vault *v, const uint8_t *at_domain, const uint8_t *at_value, const struct wr *token, const struct wr *sealed, bool *added,
		struct error *e)
{
	sqlite3_stmt *st = v->st[ADD_TOKEN];
	bool ok = sqlite3_bind_blob(st, 1, at_domain, LOOKUP, SQLITE_STATIC) == SQLITE_OK &&
		  sqlite3_bind_blob(st, 2, at_value, LOOKUP, SQLITE_STATIC) == SQLITE_OK &&
		  sqlite3_bind_text(st, 3, wr_text(token), (int)token->n, SQLITE_STATIC) == SQLITE_OK &&
		  sqlite3_bind_blob(st, 4, sealed->p, (int)sealed->n, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(st) == SQLITE_DONE;

	*added = ok && sqlite3_changes(v->db) == 1;
	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
	return ok || broken(v, e);
}

/* A token that the domain does not have yet. */
static bool make(struct vault *v, const uint8_t *at_domain, const uint8_t *at_value, const char *value, size_t n, bool keep, struct wr *out,
		 struct error *e)
{
	struct wr token, sealed, bound;
	bool added = false, ok = true;

	wr_init_heap(&token, VAULT_VALUE_MAX);
	wr_init_heap(&sealed, VAULT_VALUE_MAX + 64);
	wr_init_heap(&bound, VAULT_VALUE_MAX + 64);
	for (int i = 0; ok && !added && i < TRIES; i++) {
		wr_clear(&token);
		ok = (keep ? token_like(v, value, n, &token, e) : token_random(v, &token, e)) && (wr_ok(&token) || fail_memory(e)) &&
		     ((row_of(&bound, at_domain, at_value, wr_text(&token), token.n) && seal_value(v, &bound, value, n, &sealed)) ||
		      fail(e, ERR_CRYPTO, "could not seal a value")) &&
		     add(v, at_domain, at_value, &token, &sealed, &added, e);
	}
	if (ok && !added) {
		fail(e, ERR_CRYPTO, "no free token of the value's form was found in %d tries", TRIES);
		ok = error_hint(e, "Short values have few tokens of their form: leave keepLength out for this column.");
	}
	if (ok)
		wr_put(out, token.p, token.n);
	wr_free(&token);
	wr_free(&sealed);
	wr_free(&bound);
	return ok;
}

bool vault_token(struct vault *v, const char *domain, const char *value, size_t n, bool keep, struct wr *out, struct error *e)
{
	uint8_t at_domain[SHA256_SIZE], at_value[SHA256_SIZE];
	sqlite3_stmt *st = v->st[FIND_TOKEN];

	if (n > VAULT_VALUE_MAX - ROUND)
		return fail(e, ERR_CRYPTO, "a value has more than %d bytes", VAULT_VALUE_MAX - ROUND);
	if (!places(v, domain, value, n, at_domain, at_value, e))
		return false;
	bool ok = sqlite3_bind_blob(st, 1, at_domain, LOOKUP, SQLITE_STATIC) == SQLITE_OK &&
		  sqlite3_bind_blob(st, 2, at_value, LOOKUP, SQLITE_STATIC) == SQLITE_OK;
	int step = ok ? sqlite3_step(st) : SQLITE_ERROR;
	if (step == SQLITE_ROW)
		wr_put(out, sqlite3_column_text(st, 0), (size_t)sqlite3_column_bytes(st, 0));
	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		return broken(v, e);
	return step == SQLITE_ROW || make(v, at_domain, at_value, value, n, keep, out, e);
}

static bool open_value(struct vault *v, const struct wr *bound, const uint8_t *sealed, size_t n, struct wr *out)
{
	uint8_t *plain = n > SIV_TAG ? mem_alloc(n, 1) : NULL;
	bool ok = plain && wr_ok(bound) && siv_open(v->keys->seal, bound->p, bound->n, sealed, n - SIV_TAG, plain);

	if (ok) {
		struct rd in = rd_of(plain, n - SIV_TAG);
		uint32_t length = rd_u32(&in);
		const uint8_t *value = rd_take(&in, length);
		ok = !in.bad;
		if (ok)
			wr_put(out, value, length);
	}
	if (plain)
		secret_wipe(plain, n);
	mem_free(plain);
	return ok;
}

bool vault_value(struct vault *v, const char *domain, const char *token, size_t n, struct wr *out, bool *found, struct error *e)
{
	uint8_t at_domain[SHA256_SIZE], unused[SHA256_SIZE];
	sqlite3_stmt *st = v->st[FIND_VALUE];
	struct wr bound;

	if (!places(v, domain, "", 0, at_domain, unused, e))
		return false;
	bool ok = sqlite3_bind_blob(st, 1, at_domain, LOOKUP, SQLITE_STATIC) == SQLITE_OK &&
		  sqlite3_bind_text(st, 2, token, (int)n, SQLITE_STATIC) == SQLITE_OK;
	int step = ok ? sqlite3_step(st) : SQLITE_ERROR;
	*found = step == SQLITE_ROW;
	ok = *found || step == SQLITE_DONE || broken(v, e);
	if (*found) {
		wr_init_heap(&bound, VAULT_VALUE_MAX + 64);
		ok = (sqlite3_column_bytes(st, 1) == LOOKUP && row_of(&bound, at_domain, sqlite3_column_blob(st, 1), token, n) &&
		      open_value(v, &bound, sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0), out)) ||
		     fail(e, ERR_CRYPTO, "the vault was changed: the value of a token does not open");
		wr_free(&bound);
	}
	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
	return ok;
}

static bool entry_mac(struct vault *v, const uint8_t before[SHA256_SIZE], const struct vault_entry *t, uint8_t out[SHA256_SIZE])
{
	uint8_t cells[8];
	const struct rd parts[] = { rd_of(before, SHA256_SIZE), rd_of(t->at, strlen(t->at)), rd_of(t->who, strlen(t->who)),
				    rd_of(t->action, strlen(t->action)), rd_of(t->what, strlen(t->what)), rd_of(t->reason, strlen(t->reason)),
				    rd_of(cells, sizeof(cells)) };

	for (int i = 0; i < 8; i++)
		cells[i] = (uint8_t)((uint64_t)t->cells >> (56 - 8 * i));
	return mac_parts(v, v->keys->audit, parts, ARRAY_LEN(parts), out);
}

bool vault_audit(struct vault *v, const struct vault_entry *t, struct error *e)
{
	uint8_t before[SHA256_SIZE] = { 0 }, mac[SHA256_SIZE];
	const char *const texts[] = { t->at, t->who, t->action, t->what, t->reason };
	sqlite3_stmt *st = v->st[LAST_ENTRY], *put = v->st[ADD_ENTRY];
	int step = sqlite3_step(st);

	if (step == SQLITE_ROW && sqlite3_column_bytes(st, 0) == SHA256_SIZE)
		mem_copy(before, sqlite3_column_blob(st, 0), SHA256_SIZE);
	(void)sqlite3_reset(st);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		return broken(v, e);
	bool ok = entry_mac(v, before, t, mac) || fail(e, ERR_CRYPTO, "could not chain the audit entry");
	for (int i = 0; ok && i < (int)ARRAY_LEN(texts); i++)
		ok = sqlite3_bind_text(put, i + 1, texts[i], -1, SQLITE_STATIC) == SQLITE_OK || broken(v, e);
	ok = ok && ((sqlite3_bind_int64(put, 6, t->cells) == SQLITE_OK && sqlite3_bind_blob(put, 7, mac, sizeof(mac), SQLITE_STATIC) == SQLITE_OK &&
		     sqlite3_step(put) == SQLITE_DONE) || broken(v, e));
	(void)sqlite3_reset(put);
	return ok;
}

bool vault_history(struct vault *v, void (*each)(void *ctx, int64_t id, const struct vault_entry *entry), void *ctx, struct error *e)
{
	uint8_t before[SHA256_SIZE] = { 0 }, mac[SHA256_SIZE];
	sqlite3_stmt *st = v->st[ENTRIES];
	bool ok = true;
	int step = SQLITE_DONE;

	for (int64_t expected = 1; ok && (step = sqlite3_step(st)) == SQLITE_ROW; expected++) {
		const char *text[5];
		for (int i = 0; i < 5; i++)
			text[i] = sqlite3_column_text(st, i + 1) ? (const char *)sqlite3_column_text(st, i + 1) : "";
		const struct vault_entry t = { .at = text[0], .who = text[1], .action = text[2], .what = text[3], .reason = text[4],
					       .cells = sqlite3_column_int64(st, 6) };
		int64_t id = sqlite3_column_int64(st, 0);
		ok = id == expected && sqlite3_column_bytes(st, 7) == SHA256_SIZE && entry_mac(v, before, &t, mac) &&
		     secret_equal(mac, sqlite3_column_blob(st, 7), SHA256_SIZE);
		if (!ok)
			ok = fail(e, ERR_CRYPTO, "the vault's audit trail was changed at entry %lld", (long long)expected);
		else
			each(ctx, id, &t);
		mem_copy(before, mac, SHA256_SIZE);
	}
	(void)sqlite3_reset(st);
	return ok && (step == SQLITE_DONE || broken(v, e));
}
