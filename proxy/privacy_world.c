#include "proxy/privacy_world.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "budget/account.h"
#include "crypto/random.h"
#include "crypto/scram.h"
#include "policies/snapshot.h"
#include "proxy/privacy_server.h"
#include "proxy/server.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

/* One side: the engine over its database, and the listener in front of it. */
struct front {
	struct snapshot *policy;
	struct engine *engine;
	struct server *server;
	pthread_t thread;
	bool runs;
	PGconn *database;
};

struct world {
	struct scratch postgres;
	char home[128]; /* of the ledgers */
	unsigned renewed;
	char password[33];
	struct front fronts[SIDES];
};

static const char *const databases[SIDES] = { [SIDE_PRESENT] = "present", [SIDE_ABSENT] = "absent" };

/* --- the policy, with its surroundings replaced ------------------------------------------------------------------------------------- */

static const struct policy_login *make_logins(struct world *w, struct arena *a, const struct policy *p, size_t *n, struct error *e)
{
	struct policy_login *logins = arena_array(a, p->n_members + 1, struct policy_login);
	const struct rng random = random_system();
	struct wr verifier;

	wr_init(&verifier, a, 1024);
	if (!logins || !scram_verifier_make(w->password, &random, &verifier, e)) {
		fail_memory(e);
		return NULL;
	}
	*n = 0;
	for (size_t i = 0; i < p->n_members; i++) {
		char *user = arena_printf(a, "auditor_%zu", i);
		if (!user || !wr_ok(&verifier)) {
			fail_memory(e);
			return NULL;
		}
		logins[(*n)++] = (struct policy_login){ .user = user, .member = p->members[i].name, .verifier = wr_text(&verifier) };
	}
	return logins;
}

/* Limits of what may be asked are the policy's; limits of how often, and of delta, would end an audit early. */
static const struct policy_budget *make_budgets(struct arena *a, const struct policy *p)
{
	struct policy_budget *budgets = arena_array(a, p->n_budgets + 1, struct policy_budget);

	for (size_t i = 0; budgets && i < p->n_budgets; i++) {
		struct policy_budget *b = &budgets[i];
		*b = p->budgets[i];
		b->epsilon.pico = ACCOUNT_EPSILON_MAX;
		b->refresh = REFRESH_NONE;
		if (b->delta.atto > 0) {
			b->delta.atto = ACCOUNT_DELTA_MAX;
			b->query_max_delta.atto = WORLD_DELTA_MAX;
		}
	}
	return budgets;
}

static bool make_policy(struct world *w, enum world_side side, struct error *e)
{
	struct snapshot *s = w->fronts[side].policy;
	struct policy *p = arena_new(&s->arena, struct policy);

	if (!p)
		return fail_memory(e);
	*p = *s->policy;
	p->ledger_path = arena_printf(&s->arena, "%s/%s.ledger", w->home, databases[side]);
	const char *dsn = arena_printf(&s->arena, "host=%s port=5432 user=" SCRATCH_USER " dbname=%s", w->postgres.home.socket_dir, databases[side]);
	p->ledger = (struct policy_ledger){ 0 }; /* a file, without an anchor */
	p->answers = (struct policy_answers){ 0 }; /* every answer is drawn, and leaves when it is ready */
	p->audit.path = arena_printf(&s->arena, "%s/%s.audit", w->home, databases[side]);
	p->audit.checkpoint_file = arena_printf(&s->arena, "%s/%s.audit/checkpoint", w->home, databases[side]);
	p->audit.sign_key = NULL;
	p->upstream = (struct policy_upstream){ .dsn = dsn, .connections = 6, .statement_timeout_ms = 60000 };
	p->server.listen_host = "127.0.0.1";
	p->server.listen_port = 0;
	p->server.tls_cert = p->server.tls_key = NULL;
	p->server.tls_required = false;
	p->server.workers = 6;
	p->server.max_connections = 50;
	p->logins = make_logins(w, &s->arena, s->policy, &p->n_logins, e);
	p->budgets = make_budgets(&s->arena, s->policy);
	if (!p->logins)
		return false;
	if (!p->ledger_path || !p->audit.path || !p->audit.checkpoint_file || !dsn || !p->budgets)
		return fail_memory(e);
	s->policy = p;
	return true;
}

/* --- starting ------------------------------------------------------------------------------------------------------------------------ */

static void random_text(char *out, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const struct rng random = random_system();
	uint8_t bytes[32] = { 0 };

	BUG_IF(n > sizeof(bytes) || !rng_fill(&random, bytes, n));
	for (size_t i = 0; i < n; i++)
		out[i] = digits[bytes[i] & 15];
	out[n] = '\0';
}

/* Charges are durable: where memory poses as a disk they are also fast. */
static bool make_home(struct world *w, struct error *e)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(w->home, sizeof(w->home), "/dev/shm/noisegate-audit-%d-XXXXXX", (int)getpid());
	if (mkdtemp(w->home))
		return true;
	tmp = tmp && *tmp == '/' ? tmp : "/tmp";
	if (snprintf(w->home, sizeof(w->home), "%s/noisegate-audit-%d-XXXXXX", tmp, (int)getpid()) < (int)sizeof(w->home) && mkdtemp(w->home))
		return true;
	w->home[0] = '\0';
	return fail(e, ERR_IO, "could not make a directory for the ledgers of the audit");
}

static bool open_database(struct world *w, const char *name, PGconn **out, struct error *e)
{
	const char *const keywords[] = { "host", "port", "user", "dbname", "client_encoding", NULL };
	const char *const values[] = { w->postgres.home.socket_dir, "5432", SCRATCH_USER, name, "UTF8", NULL };

	*out = PQconnectdbParams(keywords, values, 0);
	return PQstatus(*out) == CONNECTION_OK || fail(e, ERR_WRONG_STATE, "could not connect to the private PostgreSQL: %s", PQerrorMessage(*out));
}

static bool make_databases(struct world *w, struct error *e)
{
	PGconn *pg;
	bool ok = open_database(w, "postgres", &pg, e);

	for (size_t i = 0; ok && i < SIDES; i++) {
		char sql[64];
		snprintf(sql, sizeof(sql), "CREATE DATABASE %s", databases[i]);
		PGresult *r = PQexec(pg, sql);
		ok = PQresultStatus(r) == PGRES_COMMAND_OK || fail(e, ERR_WRONG_STATE, "could not make a database: %s", PQerrorMessage(pg));
		PQclear(r);
	}
	PQfinish(pg);
	for (size_t i = 0; ok && i < SIDES; i++)
		ok = open_database(w, databases[i], &w->fronts[i].database, e);
	return ok;
}

static void *serve(void *arg)
{
	struct front *f = arg;
	struct error e = ERROR_INIT;

	if (!server_run(f->server, &e))
		log_error("the listener of an audit ended", &e);
	return NULL;
}

static bool open_front(struct world *w, enum world_side side, struct error *e)
{
	struct front *f = &w->fronts[side];

	if (!make_policy(w, side, e) || !engine_open(f->policy, &f->engine, e) || !server_open(f->policy->policy, f->engine, &f->server, e))
		return false;
	f->runs = pthread_create(&f->thread, NULL, serve, f) == 0;
	return f->runs || fail_memory(e);
}

bool world_open(const char *policy_path, struct world **out, struct error *e)
{
	static struct policy_report report; /* too large for a stack */
	struct world *w = mem_alloc(1, sizeof(*w));

	if (!w)
		return fail_memory(e);
	random_text(w->password, sizeof(w->password) - 1);
	for (size_t i = 0; i < SIDES; i++) {
		w->fronts[i].policy = snapshot_load(policy_path, &report, e);
		if (!w->fronts[i].policy)
			goto undo;
	}
	if (!make_home(w, e) || !scratch_start(&w->fronts[0].policy->policy->server, &w->postgres, e) || !make_databases(w, e))
		goto undo;
	for (size_t i = 0; i < SIDES; i++) {
		if (!open_front(w, (enum world_side)i, e))
			goto undo;
	}
	*out = w;
	return true;
undo:
	world_close(w);
	return false;
}

static void close_front(struct front *f)
{
	if (f->runs) {
		server_stop(f->server);
		(void)pthread_join(f->thread, NULL);
	}
	if (f->server)
		server_close(f->server);
	engine_close(f->engine);
	PQfinish(f->database);
	snapshot_drop(f->policy);
}

/* Of a directory, ours alone: what does not begin with these letters; directories only when there are none. */
static void empty_home(int fd, const char *but)
{
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	for (struct dirent *entry; d && (entry = readdir(d));) {
		const bool dots = text_eq(entry->d_name, ".") || text_eq(entry->d_name, "..");
		if (dots || (but && text_starts(entry->d_name, but)) || unlinkat(dirfd(d), entry->d_name, 0) == 0 || but)
			continue;
		empty_home(openat(dirfd(d), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), NULL);
		(void)unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR);
	}
	if (d)
		(void)closedir(d);
}

static int open_home(const struct world *w)
{
	return w->home[0] ? open(w->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static void remove_home(const struct world *w)
{
	empty_home(open_home(w), NULL);
	if (w->home[0])
		(void)rmdir(w->home);
}

void world_close(struct world *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < SIDES; i++)
		close_front(&w->fronts[i]);
	scratch_stop(&w->postgres);
	remove_home(w);
	mem_free(w);
}

/* --- using ------------------------------------------------------------------------------------------------------------------------------ */

const struct policy *world_policy(const struct world *w)
{
	return w->fronts[SIDE_PRESENT].policy->policy;
}

PGconn *world_database(struct world *w, enum world_side side)
{
	return w->fronts[side].database;
}

bool world_connect(struct world *w, enum world_side side, const char *member, PGconn **out, struct error *e)
{
	const struct policy *p = w->fronts[side].policy->policy;
	const char *const keywords[] = { "host", "port", "user", "password", "dbname", "sslmode", "gssencmode", "client_encoding", NULL };
	char port[16];
	const char *user = "";

	for (size_t i = 0; i < p->n_logins; i++)
		user = text_eq(p->logins[i].member, member) ? p->logins[i].user : user;
	snprintf(port, sizeof(port), "%d", server_port(w->fronts[side].server));
	const char *const values[] = { "127.0.0.1", port, user, w->password, p->collaboration, "disable", "disable", "UTF8", NULL };
	PGconn *pg = PQconnectdbParams(keywords, values, 0);
	if (PQstatus(pg) != CONNECTION_OK) {
		fail(e, ERR_WRONG_STATE, "could not log in for the audit: %s", PQerrorMessage(pg));
		PQfinish(pg);
		return false;
	}
	*out = pg;
	return true;
}

bool world_renew(struct world *w, struct error *e)
{
	char generation[32];

	snprintf(generation, sizeof(generation), "%u-", ++w->renewed);
	for (size_t i = 0; i < SIDES; i++) {
		char path[200];
		snprintf(path, sizeof(path), "%s/%s%s.ledger", w->home, generation, databases[i]);
		if (!engine_use_ledger(w->fronts[i].engine, path, e))
			return false;
	}
	empty_home(open_home(w), generation);
	return true;
}
