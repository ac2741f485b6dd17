#include "budget/ledger.h"

#include "base/mem.h"
#include "base/text.h"
#include "budget/window.h"
#include "mechanisms/loss.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x4e474c31, SCHEMA_VERSION = 1, SQL_KEPT = 4000, BUSY_MS = 30000 };

struct ledger {
	pthread_mutex_t lock; /* one connection, one user at a time */
	sqlite3 *db;
	struct clock clock;
	sqlite3_stmt *insert_charge, *read_total, *write_total, *newest_window, *next_query;
};

static const char schema[] =
	"CREATE TABLE account (owner TEXT NOT NULL, relation TEXT NOT NULL, analyst TEXT NOT NULL, window_start INTEGER NOT NULL,"
	" epsilon INTEGER NOT NULL CHECK (epsilon >= 0), rho INTEGER NOT NULL CHECK (rho >= 0), delta INTEGER NOT NULL CHECK (delta >= 0),"
	" queries INTEGER NOT NULL, PRIMARY KEY (owner, relation, analyst, window_start)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE charge (id INTEGER PRIMARY KEY, query INTEGER NOT NULL, at INTEGER NOT NULL, owner TEXT NOT NULL, relation TEXT NOT NULL,"
	" analyst TEXT NOT NULL, window_start INTEGER NOT NULL, login TEXT NOT NULL, accounting TEXT NOT NULL,"
	" epsilon INTEGER NOT NULL, rho INTEGER NOT NULL, delta INTEGER NOT NULL, mechanism TEXT NOT NULL, sql TEXT NOT NULL) STRICT;"
	"CREATE INDEX charge_query ON charge (query);";

static bool sql_failed(struct ledger *l, struct error *e)
{
	int code = sqlite3_errcode(l->db) & 0xff;

	if (code == SQLITE_FULL)
		fail(e, ERR_DISK_FULL, "the ledger could not be written: the disk is full");
	else if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		fail(e, ERR_LEDGER, "the ledger is locked by another process");
	else
		fail(e, ERR_LEDGER, "the ledger could not be read or written (%s)", sqlite3_errstr(code));
	return error_detail(e, "Nothing was run.");
}

static bool run(struct ledger *l, const char *sql, struct error *e)
{
	return sqlite3_exec(l->db, sql, NULL, NULL, NULL) == SQLITE_OK ? true : sql_failed(l, e);
}

static bool query_int(struct ledger *l, const char *sql, int64_t *out, struct error *e)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(l->db, sql, -1, &s, NULL) != SQLITE_OK)
		return sql_failed(l, e);
	bool ok = sqlite3_step(s) == SQLITE_ROW;
	if (ok)
		*out = sqlite3_column_int64(s, 0);
	else
		sql_failed(l, e);
	(void)sqlite3_finalize(s);
	return ok;
}

static bool damaged(const char *path, const char *why, struct error *e)
{
	fail(e, ERR_LEDGER, "ledger \"%s\" cannot be used: %s", path, why);
	return error_hint(e, "Restore the last good copy of the file and its -wal, or move it away and agree with every data owner on what "
			     "was spent: a new ledger starts every budget from zero.");
}

/* Totals must be the sums of their charges: a file edited by hand, or torn, does not get past here. */
static bool check_file(struct ledger *l, const char *path, struct error *e)
{
	sqlite3_stmt *s;
	int64_t wrong;

	if (sqlite3_prepare_v2(l->db, "PRAGMA quick_check(1)", -1, &s, NULL) != SQLITE_OK)
		return damaged(path, "it is not a readable SQLite file", e);
	bool sound = sqlite3_step(s) == SQLITE_ROW && text_eq((const char *)sqlite3_column_text(s, 0), "ok");
	(void)sqlite3_finalize(s);
	if (!sound)
		return damaged(path, "its integrity check fails", e);
	if (!query_int(l,
		       "SELECT count(*) FROM (SELECT owner, relation, analyst, window_start, sum(epsilon) AS e, sum(rho) AS r, sum(delta) AS d FROM charge"
		       " GROUP BY 1, 2, 3, 4) AS c FULL JOIN account AS a USING (owner, relation, analyst, window_start)"
		       " WHERE c.e IS NOT a.epsilon OR c.r IS NOT a.rho OR c.d IS NOT a.delta",
		       &wrong, e))
		return damaged(path, "its tables cannot be read", e);
	return wrong == 0 ? true : damaged(path, "its totals are not the sums of its charges", e);
}

static bool migrate(struct ledger *l, const char *path, struct error *e)
{
	int64_t id, version, tables;

	if (!run(l, "BEGIN IMMEDIATE", e))
		return false;
	if (!query_int(l, "PRAGMA application_id", &id, e) || !query_int(l, "PRAGMA user_version", &version, e) ||
	    !query_int(l, "SELECT count(*) FROM sqlite_schema", &tables, e))
		goto fail;
	if (id == 0 && version == 0 && tables == 0) {
		char *pragmas = sqlite3_mprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", APPLICATION_ID, SCHEMA_VERSION);
		bool ok = pragmas && run(l, schema, e) && run(l, pragmas, e);
		sqlite3_free(pragmas);
		if (!ok)
			goto fail;
	} else if (id != APPLICATION_ID) {
		(void)damaged(path, "it is not a Noisegate ledger", e);
		goto fail;
	} else if (version != SCHEMA_VERSION) {
		(void)damaged(path, "it was written by another version of Noisegate", e);
		goto fail;
	}
	return run(l, "COMMIT", e);
fail:
	(void)sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
	return false;
}

static bool prepare_all(struct ledger *l, struct error *e)
{
	const struct {
		sqlite3_stmt **to;
		const char *sql;
	} all[] = {
		{ &l->newest_window, "SELECT coalesce(max(window_start), 0) FROM account WHERE owner = ?1 AND relation = ?2 AND analyst = ?3" },
		{ &l->read_total, "SELECT epsilon, rho, delta, queries FROM account WHERE owner = ?1 AND relation = ?2 AND analyst = ?3 AND window_start = ?4" },
		{ &l->write_total,
		  "INSERT INTO account VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1) ON CONFLICT DO UPDATE SET epsilon = epsilon + ?5, rho = rho + ?6,"
		  " delta = delta + ?7, queries = queries + 1" },
		{ &l->insert_charge, "INSERT INTO charge (owner, relation, analyst, window_start, epsilon, rho, delta, query, at, login, accounting, mechanism, sql)"
				     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)" },
		{ &l->next_query, "SELECT coalesce(max(query), 0) + 1 FROM charge" },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (sqlite3_prepare_v2(l->db, all[i].sql, -1, all[i].to, NULL) != SQLITE_OK)
			return sql_failed(l, e);
	}
	return true;
}

bool ledger_open(const char *path, const struct clock *clock, struct ledger **out, struct error *e)
{
	struct ledger *l = mem_alloc(1, sizeof(*l));

	if (!l)
		return fail_memory(e);
	l->clock = *clock;
	(void)pthread_mutex_init(&l->lock, NULL);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* SQLite would create it with the umask's mode */
	if (fd >= 0)
		(void)close(fd);
	if (sqlite3_open_v2(path, &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		fail(e, ERR_LEDGER, "could not open ledger \"%s\": %s", path, sqlite3_errmsg(l->db));
		goto fail;
	}
	(void)sqlite3_busy_timeout(l->db, BUSY_MS);
	(void)sqlite3_extended_result_codes(l->db, 1);
	if (!run(l, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;", e)) {
		(void)damaged(path, "it is not a readable SQLite file", e);
		goto fail;
	}
	if (!migrate(l, path, e) || !check_file(l, path, e) || !prepare_all(l, e))
		goto fail;
	*out = l;
	return true;
fail:
	ledger_close(l);
	return false;
}

void ledger_close(struct ledger *l)
{
	if (!l)
		return;
	sqlite3_stmt *all[] = { l->insert_charge, l->read_total, l->write_total, l->newest_window, l->next_query };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		(void)sqlite3_finalize(all[i]);
	(void)sqlite3_close(l->db);
	(void)pthread_mutex_destroy(&l->lock);
	mem_free(l);
}

/* Binds ?1..?3 (owner, schema.table, analyst). */
static bool bind_account(sqlite3_stmt *s, const struct policy_budget *b)
{
	char relation[130];

	(void)sqlite3_reset(s);
	(void)sqlite3_clear_bindings(s);
	(void)snprintf(relation, sizeof(relation), "%s.%s", b->schema, b->table);
	return sqlite3_bind_text(s, 1, b->owner, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
	       sqlite3_bind_text(s, 2, relation, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
	       sqlite3_bind_text(s, 3, b->analyst, -1, SQLITE_TRANSIENT) == SQLITE_OK;
}

/* The window in force; when the clock went backwards, the newest that was ever charged (invariant 5). */
static bool current_window(struct ledger *l, const struct policy_budget *b, struct window *w, struct error *e)
{
	*w = window_at(b->refresh, clock_now(&l->clock));
	if (!bind_account(l->newest_window, b) || sqlite3_step(l->newest_window) != SQLITE_ROW)
		return sql_failed(l, e);
	int64_t newest = sqlite3_column_int64(l->newest_window, 0);
	(void)sqlite3_reset(l->newest_window);
	if (newest > w->start.micros) {
		*w = window_at(b->refresh, (struct wall_time){ newest });
		w->start.micros = newest; /* charged under another refresh rule: stays in force until that window ends */
	}
	return true;
}

/* Spent in a window, and the limits in the account's currency (ledger.h says which). */
static bool read_state(struct ledger *l, const struct policy_budget *b, const struct window *w, struct account_state *out, struct error *e)
{
	struct eps spent = { 0 };

	*out = (struct account_state){ .window_start = w->start, .window_end = w->end, .delta_limit = b->delta };
	if (!bind_account(l->read_total, b) || sqlite3_bind_int64(l->read_total, 4, w->start.micros) != SQLITE_OK)
		return sql_failed(l, e);
	int step = sqlite3_step(l->read_total);
	if (step == SQLITE_ROW) {
		spent.pico = (uint64_t)sqlite3_column_int64(l->read_total, 0);
		out->rho.pico = (uint64_t)sqlite3_column_int64(l->read_total, 1);
		out->delta.atto = (uint64_t)sqlite3_column_int64(l->read_total, 2);
		out->queries = sqlite3_column_int64(l->read_total, 3);
	}
	(void)sqlite3_reset(l->read_total);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		return sql_failed(l, e);
	out->epsilon = spent;
	if (b->accounting == ACCOUNTING_PURE) {
		/* charges made while the account was zCDP have no pure price: they keep it closed */
		out->epsilon_reported = out->rho.pico > 0 ? b->epsilon : spent;
	} else {
		struct delta half = { b->delta.atto / 2 };
		struct rho earlier = { 0 };
		out->delta_limit = half;
		if (!loss_rho_limit(b->epsilon, half, &out->rho_limit))
			out->rho_limit.pico = 0;
		/* charges made while the account was pure count at the price of a pure mechanism of that total */
		if (spent.pico > 0 && (!loss_rho_of_pure(spent, &earlier) || !rho_add(out->rho, earlier, &out->rho)))
			out->rho = out->rho_limit;
		if (!eps_round_up(loss_eps_of_rho(out->rho, half), &out->epsilon_reported))
			out->epsilon_reported = b->epsilon;
	}
	bool left = out->epsilon_reported.pico < b->epsilon.pico;
	out->epsilon_remaining.pico = left ? b->epsilon.pico - out->epsilon_reported.pico : 0;
	return true;
}

static bool exhausted(const struct policy_budget *b, const struct account_state *s, const struct charge *c, struct error *e)
{
	struct wr w;
	char end[WALL_TEXT];

	fail(e, ERR_BUDGET, "privacy budget of %s.%s for analyst \"%s\" is exhausted", b->schema, b->table, b->analyst);
	error_rule(e, "budget");
	wr_init_heap(&w, 400);
	wr_str(&w, "limit epsilon ");
	eps_put(&w, b->epsilon);
	wr_fmt(&w, ", spent %.6g, left %.6g; this query asks ", eps_double(s->epsilon_reported), eps_double(s->epsilon_remaining));
	if (b->accounting == ACCOUNTING_PURE)
		wr_fmt(&w, "epsilon %.6g", eps_double(c->epsilon));
	else
		wr_fmt(&w, "rho %.6g of the %.6g left", rho_double(c->rho),
		       s->rho_limit.pico > s->rho.pico ? rho_double(s->rho_limit) - rho_double(s->rho) : 0.0);
	if (c->delta.atto > 0)
		wr_fmt(&w, " and delta %.3g of the %.3g left", delta_double(c->delta), delta_double(s->delta_limit) - delta_double(s->delta));
	error_detail(e, "%s.", wr_text(&w));
	wr_free(&w);
	if (s->window_end.micros == 0)
		return error_hint(e, "Ask \"%s\" for more budget, or repeat the question with a smaller noisegate.epsilon.", b->owner);
	wall_text(s->window_end, end);
	end[10] = '\0';
	return error_hint(e, "A new window opens on %s; a smaller noisegate.epsilon may still fit.", end);
}

static bool fits(const struct policy_budget *b, const struct account_state *s, const struct charge *c)
{
	struct delta delta;
	struct eps eps;
	struct rho rho;

	if (!delta_add(s->delta, c->delta, &delta) || delta.atto > s->delta_limit.atto)
		return false;
	if (b->accounting == ACCOUNTING_PURE)
		return s->rho.pico == 0 && eps_add(s->epsilon, c->epsilon, &eps) && eps.pico <= b->epsilon.pico;
	return rho_add(s->rho, c->rho, &rho) && rho.pico <= s->rho_limit.pico;
}

static bool write_charge(struct ledger *l, const struct charge *c, const struct window *w, int64_t query, const struct ledger_entry *entry,
			 struct error *e)
{
	bool pure = c->budget->accounting != ACCOUNTING_ZCDP;
	sqlite3_stmt *both[] = { l->write_total, l->insert_charge };
	size_t length = strlen(entry->sql);
	bool ok = true;

	if (length > SQL_KEPT) {
		length = SQL_KEPT;
		while (length > 0 && ((unsigned char)entry->sql[length] & 0xC0) == 0x80)
			length--;
	}
	for (size_t i = 0; i < ARRAY_LEN(both); i++)
		ok = ok && bind_account(both[i], c->budget) && sqlite3_bind_int64(both[i], 4, w->start.micros) == SQLITE_OK &&
		     sqlite3_bind_int64(both[i], 5, pure ? (int64_t)c->epsilon.pico : 0) == SQLITE_OK &&
		     sqlite3_bind_int64(both[i], 6, pure ? 0 : (int64_t)c->rho.pico) == SQLITE_OK &&
		     sqlite3_bind_int64(both[i], 7, (int64_t)c->delta.atto) == SQLITE_OK;
	sqlite3_stmt *s = l->insert_charge;
	ok = ok && sqlite3_bind_int64(s, 8, query) == SQLITE_OK && sqlite3_bind_int64(s, 9, clock_now(&l->clock).micros) == SQLITE_OK &&
	     sqlite3_bind_text(s, 10, entry->user, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
	     sqlite3_bind_text(s, 11, pure ? "pure" : "zcdp", -1, SQLITE_STATIC) == SQLITE_OK &&
	     sqlite3_bind_text(s, 12, c->mechanism, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
	     sqlite3_bind_text(s, 13, entry->sql, (int)length, SQLITE_TRANSIENT) == SQLITE_OK;
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		ok = ok && sqlite3_step(both[i]) == SQLITE_DONE;
		if (!ok)
			sql_failed(l, e);
		(void)sqlite3_reset(both[i]);
		if (!ok)
			return false;
	}
	return true;
}

static bool charge_locked(struct ledger *l, const struct charges *charges, const struct ledger_entry *entry, int64_t *query_id,
			  struct error *e)
{
	if (!run(l, "BEGIN IMMEDIATE", e))
		return false;
	if (sqlite3_step(l->next_query) != SQLITE_ROW) {
		sql_failed(l, e);
		goto fail;
	}
	int64_t query = sqlite3_column_int64(l->next_query, 0);
	(void)sqlite3_reset(l->next_query);
	for (size_t i = 0; i < charges->n; i++) {
		const struct charge *c = &charges->items[i];
		struct account_state s;
		struct window w;
		if (!current_window(l, c->budget, &w, e) || !read_state(l, c->budget, &w, &s, e))
			goto fail;
		if (!fits(c->budget, &s, c)) {
			(void)exhausted(c->budget, &s, c, e);
			goto fail;
		}
		if (!write_charge(l, c, &w, query, entry, e))
			goto fail;
	}
	if (!run(l, "COMMIT", e))
		goto fail;
	*query_id = query;
	return true;
fail:
	(void)sqlite3_reset(l->next_query);
	(void)sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
	return false;
}

bool ledger_charge(struct ledger *l, const struct charges *charges, const struct ledger_entry *entry, int64_t *query_id, struct error *e)
{
	(void)pthread_mutex_lock(&l->lock);
	bool ok = charge_locked(l, charges, entry, query_id, e);
	(void)pthread_mutex_unlock(&l->lock);
	return ok;
}

bool ledger_state(struct ledger *l, const struct policy_budget *b, struct account_state *out, struct error *e)
{
	struct window w;

	(void)pthread_mutex_lock(&l->lock);
	bool ok = current_window(l, b, &w, e) && read_state(l, b, &w, out, e);
	(void)pthread_mutex_unlock(&l->lock);
	return ok;
}

static const char *text_at(sqlite3_stmt *s, int column)
{
	const char *t = (const char *)sqlite3_column_text(s, column);

	return t ? t : "";
}

bool ledger_history(struct ledger *l, const char *owner, const char *analyst, int64_t limit,
		    bool (*each)(void *ctx, const struct history_row *row), void *ctx, struct error *e)
{
	static const char sql[] = "SELECT query, at, owner, relation, analyst, login, sql, mechanism, accounting, epsilon, rho, delta FROM charge"
				  " WHERE (?1 IS NULL OR owner = ?1) AND (?2 IS NULL OR analyst = ?2) ORDER BY id DESC LIMIT ?3";
	sqlite3_stmt *s = NULL;
	int step = SQLITE_ERROR;

	(void)pthread_mutex_lock(&l->lock);
	if (sqlite3_prepare_v2(l->db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_bind_text(s, 1, owner, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
	    sqlite3_bind_text(s, 2, analyst, -1, SQLITE_TRANSIENT) == SQLITE_OK && sqlite3_bind_int64(s, 3, limit) == SQLITE_OK) {
		while ((step = sqlite3_step(s)) == SQLITE_ROW) {
			const struct history_row row = {
				.query_id = sqlite3_column_int64(s, 0), .at = { sqlite3_column_int64(s, 1) },
				.owner = text_at(s, 2), .table = text_at(s, 3), .analyst = text_at(s, 4), .user = text_at(s, 5),
				.sql = text_at(s, 6), .mechanism = text_at(s, 7), .accounting = text_at(s, 8),
				.epsilon = { (uint64_t)sqlite3_column_int64(s, 9) }, .rho = { (uint64_t)sqlite3_column_int64(s, 10) },
				.delta = { (uint64_t)sqlite3_column_int64(s, 11) },
			};
			if (!each(ctx, &row)) {
				step = SQLITE_DONE;
				break;
			}
		}
	}
	bool ok = step == SQLITE_DONE ? true : sql_failed(l, e);
	(void)sqlite3_finalize(s);
	(void)pthread_mutex_unlock(&l->lock);
	return ok;
}
