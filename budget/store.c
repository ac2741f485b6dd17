#include "budget/store.h"

#include "base/mem.h"
#include "base/text.h"
#include "budget/store_parts.h"
#include "crypto/random.h"

#include <unistd.h>

enum { AFTER_ROWS = 500 };

#define ENTRY_COLUMNS "seq, kind, query, at, owner, relation, analyst, login, accounting, epsilon, rho, delta, mechanism, text, hash"

enum statement { HEAD, SET_HEAD, APPEND, ADD, SPENT, SPENT_TOGETHER, CONTROLS, AFTER, HISTORY, HASH_AT, WRONG_SUMS, ACCOUNTS, VERSION, VERSION_1, STATEMENTS };

static const char *const statements[STATEMENTS] = {
	[HEAD] = "SELECT id, anchored, seq, query, at, hash, total_epsilon, total_rho, total_delta, total_queries,"
		 " before_epsilon, before_rho, before_delta, before_queries FROM ledger",
	[SET_HEAD] = "UPDATE ledger SET anchored = $1, seq = $2, query = $3, at = $4, hash = $5, total_epsilon = $6, total_rho = $7, total_delta = $8,"
		     " total_queries = $9, before_epsilon = $10, before_rho = $11, before_delta = $12, before_queries = $13",
	[APPEND] = "INSERT INTO entry (" ENTRY_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
	[ADD] = "INSERT INTO account AS a VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (owner, relation, analyst, day) DO UPDATE SET"
		" epsilon = a.epsilon + excluded.epsilon, rho = a.rho + excluded.rho, delta = a.delta + excluded.delta, queries = a.queries + excluded.queries",
	[SPENT] = "SELECT epsilon, rho, delta, queries FROM account WHERE owner = $1 AND relation = $2 AND analyst = $3 AND day >= $4"
		  " UNION ALL SELECT epsilon, rho, delta, queries FROM account WHERE owner = '*' AND day >= $4",
	[SPENT_TOGETHER] = "SELECT epsilon, rho, delta, queries FROM account WHERE owner = $1 AND relation = $2 AND day >= $4"
			   " UNION ALL SELECT epsilon, rho, delta, queries FROM account WHERE owner = '*' AND day >= $4 AND CAST($3 AS text) = '*'",
	[CONTROLS] = "SELECT " ENTRY_COLUMNS " FROM entry WHERE kind <> 0 AND ((owner = $1 AND relation = $2 AND analyst IN ($3, '*')) OR relation = '*') ORDER BY seq",
	[AFTER] = "SELECT " ENTRY_COLUMNS " FROM entry WHERE seq > $1 ORDER BY seq LIMIT $2",
	[HISTORY] = "SELECT " ENTRY_COLUMNS " FROM entry WHERE (CAST($1 AS text) IS NULL OR owner = $1) AND (CAST($2 AS text) IS NULL OR analyst = $2)"
		    " AND ($3 = 0 OR kind = 0) ORDER BY seq DESC LIMIT $4",
	[HASH_AT] = "SELECT hash FROM entry WHERE seq = $1",
	[WRONG_SUMS] = "SELECT count(*) FROM (SELECT owner, relation, analyst, at / 86400000000 AS day, sum(epsilon) AS e, sum(rho) AS r, sum(delta) AS d,"
		       " sum(CASE kind WHEN 0 THEN 1 ELSE 0 END) AS q FROM entry WHERE kind IN (0, 5) GROUP BY 1, 2, 3, 4) AS c"
		       " FULL JOIN account AS a USING (owner, relation, analyst, day) WHERE c.e IS DISTINCT FROM a.epsilon OR c.r IS DISTINCT FROM a.rho"
		       " OR c.d IS DISTINCT FROM a.delta OR c.q IS DISTINCT FROM a.queries",
	[ACCOUNTS] = "SELECT owner, relation, analyst, SUM(epsilon), SUM(rho), SUM(delta), SUM(queries) FROM account WHERE owner <> '*'"
		     " GROUP BY owner, relation, analyst ORDER BY owner, relation, analyst",
	[VERSION] = "SELECT version FROM ledger",
	[VERSION_1] = "SELECT 0, 0, query, CASE WHEN at < window_start THEN window_start ELSE at END, owner, relation, analyst, login, accounting, epsilon, rho,"
		      " delta, mechanism, sql, NULL FROM v1_charge ORDER BY id",
};

_Static_assert(ENTRY_CHARGE == 0 && ENTRY_RECOVERY == 5, "the statements above name these kinds by number");

bool store_damaged(const struct store *s, const char *why, struct error *e)
{
	fail(e, ERR_LEDGER, "ledger \"%s\" cannot be used: %s", s->name, why);
	if (s->in_database)
		return error_hint(e, "Restore the last good copy of the schema, then run `noisegate budget recover`: docs/budgets.md, \"When the ledger is refused\".");
	return error_hint(e, "Restore the last good copy of the file and its -wal, then run `noisegate budget recover`: docs/budgets.md, \"When the ledger is refused\".");
}

static bool open_file(const char *path, bool create, struct store *s, struct error *e)
{
	bool made = false;
	struct wr w;

	if (create && access(path, F_OK) != 0) {
		uint8_t id[LEDGER_ID_SIZE];
		struct rng rng = random_system();
		if (!rng.fill(rng.ctx, id, sizeof(id)))
			return fail(e, ERR_LEDGER, "the ledger could not be created: no random bytes");
		wr_init_heap(&w, 1 << 16);
		store_schema_sqlite(&w, id);
		bool ok = wr_ok(&w) ? db_sqlite_create(path, wr_text(&w), &made, e) : fail_memory(e);
		wr_free(&w);
		if (!ok)
			return false;
	}
	s->name = mem_strdup(path);
	return s->name ? db_sqlite_open(path, statements, STATEMENTS, &s->db, e) : fail_memory(e);
}

static bool open_database(const struct policy_ledger *where, struct store *s, struct error *e)
{
	s->in_database = true;
	s->name = mem_strdup(where->schema);
	return s->name ? db_postgres_open(where, statements, STATEMENTS, &s->db, e) : fail_memory(e);
}

bool store_open(const struct policy_ledger *where, const char *path, struct store *out, struct error *e)
{
	*out = (struct store){ 0 };
	if (where->postgres ? open_database(where, out, e) && store_migrate_postgres(out, where, e)
			    : open_file(path, true, out, e) && store_migrate_sqlite(out, e))
		return true;
	store_close(out);
	return false;
}

bool store_open_again(const struct policy_ledger *where, const char *path, struct store *out, struct error *e)
{
	*out = (struct store){ 0 };
	if (where->postgres ? open_database(where, out, e) : open_file(path, false, out, e))
		return true;
	store_close(out);
	return false;
}

void store_close(struct store *s)
{
	if (s->db)
		s->db->ops->close(s->db);
	mem_free(s->name);
	*s = (struct store){ 0 };
}

static bool ask(struct store *s, enum statement which, const struct db_value *values, size_t n, db_each *each, void *ctx, struct error *e)
{
	return s->db->ops->query(s->db, which, values, n, each, ctx, e);
}

static struct spent read_spent(const struct db_row *r, int first)
{
	return (struct spent){ { (uint64_t)r->integer(r, first) }, { (uint64_t)r->integer(r, first + 1) }, { (uint64_t)r->integer(r, first + 2) },
			       r->integer(r, first + 3) };
}

struct heading {
	struct head *head;
	bool found;
};

static bool read_head(void *ctx, const struct db_row *r)
{
	struct heading *h = ctx;
	struct head *to = h->head;

	h->found = !h->found && r->blob(r, 0, to->id, LEDGER_ID_SIZE) && r->blob(r, 5, to->hash, SHA256_SIZE);
	to->anchored = r->integer(r, 1) != 0;
	to->seq = r->integer(r, 2);
	to->query = r->integer(r, 3);
	to->at.micros = r->integer(r, 4);
	to->total = read_spent(r, 6);
	to->before = read_spent(r, 10);
	return true;
}

bool store_head(struct store *s, struct head *out, struct error *e)
{
	struct heading h = { out, false };

	*out = (struct head){ 0 };
	if (!ask(s, HEAD, NULL, 0, read_head, &h, e))
		return false;
	return h.found ? true : store_damaged(s, "the head of its chain cannot be read", e);
}

bool store_set_head(struct store *s, const struct head *h, struct error *e)
{
	const struct db_value v[] = { DB_I(h->anchored), DB_I(h->seq), DB_I(h->query), DB_I(h->at.micros), DB_B(h->hash, SHA256_SIZE),
				      DB_I((int64_t)h->total.epsilon.pico), DB_I((int64_t)h->total.rho.pico), DB_I((int64_t)h->total.delta.atto), DB_I(h->total.queries),
				      DB_I((int64_t)h->before.epsilon.pico), DB_I((int64_t)h->before.rho.pico), DB_I((int64_t)h->before.delta.atto), DB_I(h->before.queries) };

	return ask(s, SET_HEAD, v, ARRAY_LEN(v), NULL, NULL, e);
}

bool store_append(struct store *s, const struct entry *x, struct error *e)
{
	const struct db_value v[] = { DB_I(x->seq), DB_I(x->kind), DB_I(x->query), DB_I(x->at.micros), DB_T(x->key.owner), DB_T(x->key.relation),
				      DB_T(x->key.analyst), DB_T(x->login), DB_T(x->accounting), DB_I((int64_t)x->epsilon.pico), DB_I((int64_t)x->rho.pico),
				      DB_I((int64_t)x->delta.atto), DB_T(x->mechanism), DB_T(x->text), DB_B(x->hash, SHA256_SIZE) };

	return ask(s, APPEND, v, ARRAY_LEN(v), NULL, NULL, e);
}

bool store_add(struct store *s, const struct account_key *key, int64_t day, const struct spent *more, struct error *e)
{
	const struct db_value v[] = { DB_T(key->owner), DB_T(key->relation), DB_T(key->analyst), DB_I(day), DB_I((int64_t)more->epsilon.pico),
				      DB_I((int64_t)more->rho.pico), DB_I((int64_t)more->delta.atto), DB_I(more->queries) };

	return ask(s, ADD, v, ARRAY_LEN(v), NULL, NULL, e);
}

static bool add_row(void *ctx, const struct db_row *r)
{
	const struct spent more = read_spent(r, 0);

	spent_add(ctx, &more);
	return true;
}

bool store_spent(struct store *s, const struct account_key *key, int64_t from_day, struct spent *out, struct error *e)
{
	const struct db_value v[] = { DB_T(key->owner), DB_T(key->relation), DB_T(key->analyst), DB_I(from_day) };

	*out = (struct spent){ 0 };
	return ask(s, text_eq(key->analyst, ACCOUNT_ALL) ? SPENT_TOGETHER : SPENT, v, ARRAY_LEN(v), add_row, out, e);
}

struct listing {
	entry_each *each;
	void *ctx;
	bool whole;    /* every row could be read */
	bool unhashed; /* rows of version 1 */
};

static bool read_entry(void *ctx, const struct db_row *r)
{
	struct listing *l = ctx;
	struct entry x = { .seq = r->integer(r, 0), .kind = (enum entry_kind)r->integer(r, 1), .query = r->integer(r, 2), .at = { r->integer(r, 3) },
			   .key = { r->text(r, 4), r->text(r, 5), r->text(r, 6) }, .login = r->text(r, 7), .accounting = r->text(r, 8),
			   .epsilon = { (uint64_t)r->integer(r, 9) }, .rho = { (uint64_t)r->integer(r, 10) }, .delta = { (uint64_t)r->integer(r, 11) },
			   .mechanism = r->text(r, 12), .text = r->text(r, 13) };

	l->whole = l->whole && (l->unhashed || r->blob(r, 14, x.hash, SHA256_SIZE));
	return l->whole && l->each(l->ctx, &x);
}

static bool list(struct store *s, enum statement which, const struct db_value *v, size_t n, entry_each *each, void *ctx, struct error *e)
{
	struct listing l = { each, ctx, true, which == VERSION_1 };

	if (!ask(s, which, v, n, read_entry, &l, e))
		return false;
	return l.whole ? true : store_damaged(s, "an entry has no hash", e);
}

bool store_controls(struct store *s, const struct account_key *key, entry_each *each, void *ctx, struct error *e)
{
	const struct db_value v[] = { DB_T(key->owner), DB_T(key->relation), DB_T(key->analyst) };

	return list(s, CONTROLS, v, ARRAY_LEN(v), each, ctx, e);
}

bool store_after(struct store *s, int64_t seq, entry_each *each, void *ctx, struct error *e)
{
	const struct db_value v[] = { DB_I(seq), DB_I(AFTER_ROWS) };

	return list(s, AFTER, v, ARRAY_LEN(v), each, ctx, e);
}

bool store_history(struct store *s, const char *owner, const char *analyst, bool charges_only, int64_t limit, entry_each *each, void *ctx, struct error *e)
{
	const struct db_value v[] = { DB_T(owner), DB_T(analyst), DB_I(charges_only), DB_I(limit) };

	return list(s, HISTORY, v, ARRAY_LEN(v), each, ctx, e);
}

struct finding {
	uint8_t *hash;
	bool found;
};

static bool read_hash(void *ctx, const struct db_row *r)
{
	struct finding *f = ctx;

	f->found = r->blob(r, 0, f->hash, SHA256_SIZE);
	return true;
}

bool store_hash_at(struct store *s, int64_t seq, bool *found, uint8_t hash[SHA256_SIZE], struct error *e)
{
	const struct db_value v[] = { DB_I(seq) };
	struct finding f = { hash, false };

	if (!ask(s, HASH_AT, v, ARRAY_LEN(v), read_hash, &f, e))
		return false;
	*found = f.found;
	return true;
}

static bool read_count(void *ctx, const struct db_row *r)
{
	int64_t *to = ctx;

	*to = r->integer(r, 0);
	return true;
}

bool store_wrong_sums(struct store *s, int64_t *wrong, struct error *e)
{
	*wrong = -1;
	return ask(s, WRONG_SUMS, NULL, 0, read_count, wrong, e);
}

struct naming {
	account_each *each;
	void *ctx;
};

static bool read_key(void *ctx, const struct db_row *r)
{
	const struct naming *n = ctx;
	const struct account_key key = { r->text(r, 0), r->text(r, 1), r->text(r, 2) };
	const struct spent spent = read_spent(r, 3);

	return n->each(n->ctx, &key, &spent);
}

bool store_accounts(struct store *s, account_each *each, void *ctx, struct error *e)
{
	struct naming n = { each, ctx };

	return ask(s, ACCOUNTS, NULL, 0, read_key, &n, e);
}

bool store_version(struct store *s, int64_t *version, struct error *e)
{
	*version = 0;
	return ask(s, VERSION, NULL, 0, read_count, version, e);
}

bool store_version_1(struct store *s, entry_each *each, void *ctx, struct error *e)
{
	return list(s, VERSION_1, NULL, 0, each, ctx, e);
}
