#include "proxy/sidecar_server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/sidecar_schema.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	START_MS = 30000,       /* for a server to answer */
	STOP_FAST_MS = 3000,    /* after SIGINT, then SIGQUIT */
	STOP_QUIT_MS = 3000,    /* then SIGKILL */
	RESTARTS_MAX = 20,      /* in a row without a life of a minute between */
	SCHEMA_MS = 60000
};

enum phase { PHASE_STARTING, PHASE_READY, PHASE_FAILED, PHASE_GONE };

struct sidecar_server {
	const struct policy *policy;
	struct sidecar_home home;
	struct sidecar_events events;
	int max_connections;
	char database[SIDECAR_NAME_MAX], version[64];
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	enum phase phase;
	pid_t pid; /* 0: none.  Reaped under the lock, so that a signal cannot meet a stranger */
	bool stopping;
	struct error error; /* of PHASE_FAILED */
};

static void set_phase(struct sidecar_server *s, enum phase phase)
{
	pthread_mutex_lock(&s->lock);
	s->phase = phase;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static bool is_stopping(struct sidecar_server *s)
{
	pthread_mutex_lock(&s->lock);
	bool stopping = s->stopping;
	pthread_mutex_unlock(&s->lock);
	return stopping;
}

static void sleep_ms(int ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&t, NULL);
}

/* Starts a program unless we are stopping already. */
static bool start(struct sidecar_server *s, char *const argv[], struct error *e)
{
	pthread_mutex_lock(&s->lock);
	s->pid = s->stopping ? 0 : sidecar_spawn(&s->home, argv);
	pid_t pid = s->pid;
	pthread_mutex_unlock(&s->lock);
	return pid != 0 || fail(e, ERR_WRONG_STATE, "could not start \"%s\"", argv[0]);
}

/* Blocks until the child has ended; its status. */
static int reap(struct sidecar_server *s)
{
	siginfo_t ignored;
	int status = 0;

	while (waitid(P_PID, (id_t)s->pid, &ignored, WEXITED | WNOWAIT) != 0 && errno == EINTR)
		;
	pthread_mutex_lock(&s->lock);
	(void)waitpid(s->pid, &status, 0);
	s->pid = 0;
	pthread_mutex_unlock(&s->lock);
	return status;
}

static bool fail_start(struct sidecar_server *s, const char *what, struct error *e)
{
	char words[300];

	sidecar_home_last_words(&s->home, words, sizeof(words));
	fail(e, ERR_WRONG_STATE, "could not start the catalog sidecar: %s", what);
	if (words[0])
		error_detail(e, "It said: %s", words);
	return error_hint(e, "server.sidecar_bin must name a directory with initdb and postgres of PostgreSQL 15 (Debian package postgresql-15).");
}

static bool make_cluster(struct sidecar_server *s, struct error *e)
{
	char program[512], data[112];
	char user[] = "--username=" SIDECAR_SUPERUSER, auth[] = "--auth=trust", locale[] = "--locale=C.UTF-8", encoding[] = "--encoding=UTF8",
	     nosync[] = "--no-sync", quiet[] = "--no-instructions";

	snprintf(data, sizeof(data), "--pgdata=%s", s->home.data);
	if (snprintf(program, sizeof(program), "%s/initdb", s->policy->server.sidecar_bin) >= (int)sizeof(program))
		return fail(e, ERR_CONFIG, "server.sidecar_bin is too long");
	char *argv[] = { program, data, user, auth, locale, encoding, nosync, quiet, NULL };
	if (!start(s, argv, e))
		return false;
	int status = reap(s);
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0) || fail_start(s, "initdb failed", e);
}

/*
 * FATAL messages are logged, as they say why a start failed; errors, statements and durations are not, so that no analyst's text and no released value
 * is written.  Only what the server does between processes could be in the log.
 */
static bool start_server(struct sidecar_server *s, struct error *e)
{
	static const char *const settings[] = {
		"listen_addresses=", "unix_socket_permissions=0700", "port=5432", "ssl=off", "fsync=off", "full_page_writes=off", "synchronous_commit=off",
		"wal_level=minimal", "max_wal_senders=0", "max_worker_processes=0", "max_parallel_workers=0", "max_parallel_workers_per_gather=0",
		"max_logical_replication_workers=0", "autovacuum=off", "track_activities=off", "track_counts=off", "jit=off", "shared_buffers=16MB",
		"dynamic_shared_memory_type=mmap", "checkpoint_timeout=1d", "max_prepared_transactions=0", "logging_collector=off",
		"log_destination=stderr", "log_min_messages=fatal", "log_min_error_statement=panic", "log_statement=none",
		"log_min_duration_statement=-1", "log_connections=off", "log_disconnections=off", "log_checkpoints=off", "lc_messages=C",
		"default_transaction_read_only=on", "statement_timeout=30s", "work_mem=16MB", "temp_file_limit=256MB", "hash_mem_multiplier=1",
		"TimeZone=UTC", "log_timezone=UTC", "DateStyle=ISO, MDY", "restart_after_crash=on", "max_stack_depth=2MB",
	};
	char program[512], connections[40], sockets[128], options[ARRAY_LEN(settings)][64], dash_c[] = "-c", dash_d[] = "-D";
	char *argv[2 * ARRAY_LEN(settings) + 8];
	size_t n = 0;

	if (snprintf(program, sizeof(program), "%s/postgres", s->policy->server.sidecar_bin) >= (int)sizeof(program))
		return fail(e, ERR_CONFIG, "server.sidecar_bin is too long");
	snprintf(connections, sizeof(connections), "max_connections=%d", s->max_connections + 5);
	snprintf(sockets, sizeof(sockets), "unix_socket_directories=%s", s->home.socket_dir);
	argv[n++] = program;
	argv[n++] = dash_d;
	argv[n++] = s->home.data;
	argv[n++] = dash_c;
	argv[n++] = connections;
	argv[n++] = dash_c;
	argv[n++] = sockets;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		snprintf(options[i], sizeof(options[i]), "%s", settings[i]);
		argv[n++] = dash_c;
		argv[n++] = options[i];
	}
	argv[n] = NULL;
	return start(s, argv, e);
}

static enum talk connect_as(struct sidecar_server *s, const char *role, const char *database, const char *options,
			    const struct patience *p, PGconn **out, struct talk_error *te)
{
	const char *const keywords[] = { "host", "port", "user", "dbname", "options", "client_encoding", "sslmode", "gssencmode", NULL };
	const char *const values[] = { s->home.socket_dir, "5432", role, database, options, "UTF8", "disable", "disable", NULL };

	return talk_connect(keywords, values, false, p, out, te);
}

static bool child_ended(struct sidecar_server *s)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

static bool wait_answering(struct sidecar_server *s, struct error *e)
{
	struct patience p = { .timeout_ms = 2000 };
	struct talk_error te;
	PGconn *pg;

	for (int waited = 0; waited < START_MS; waited += 20) {
		if (child_ended(s))
			return fail_start(s, "the server ended at once", e);
		if (is_stopping(s))
			return fail(e, ERR_SHUTDOWN, "the proxy is shutting down");
		if (connect_as(s, SIDECAR_SUPERUSER, "postgres", "", &p, &pg, &te) == TALK_OK) {
			snprintf(s->version, sizeof(s->version), "%s", PQparameterStatus(pg, "server_version"));
			PQfinish(pg);
			return true;
		}
		sleep_ms(20);
	}
	return fail_start(s, "the server does not answer", e);
}

/* Runs texts in one connection of the superuser, who may write. */
static bool run_texts(struct sidecar_server *s, const char *database, const char *const *texts, size_t n, struct error *e)
{
	struct patience p = { .timeout_ms = SCHEMA_MS };
	struct talk_error te;
	PGconn *pg;

	if (connect_as(s, SIDECAR_SUPERUSER, database, "-c default_transaction_read_only=off -c statement_timeout=0", &p, &pg, &te) != TALK_OK)
		return fail_start(s, "the server does not answer", e);
	bool ok = true;
	for (size_t i = 0; ok && i < n; i++) {
		te = (struct talk_error){ 0 };
		if (talk_exec(pg, texts[i], &p, &te) != TALK_OK) {
			ok = fail(e, ERR_WRONG_STATE, "could not build the sidecar's catalog: %s", te.message);
			if (te.detail[0])
				error_detail(e, "%s", te.detail);
		}
	}
	PQfinish(pg);
	return ok;
}

static bool build_mirror(struct sidecar_server *s, struct error *e)
{
	struct wr roles, database, mirror;
	bool ok = false;

	wr_init_heap(&roles, (size_t)1 << 24);
	wr_init_heap(&database, 1 << 12);
	wr_init_heap(&mirror, (size_t)1 << 26);
	sidecar_roles_sql(&roles, s->policy);
	sidecar_database_sql(&database, s->policy);
	sidecar_mirror_sql(&mirror, s->policy);
	if (!wr_ok(&roles) || !wr_ok(&database) || !wr_ok(&mirror)) {
		fail_memory(e);
		goto out;
	}
	const char *first[] = { wr_text(&roles), wr_text(&database) };
	const char *second[] = { wr_text(&mirror), sidecar_hardening_sql() };
	ok = run_texts(s, "postgres", first, ARRAY_LEN(first), e) && run_texts(s, s->database, second, ARRAY_LEN(second), e);
out:
	wr_free(&roles);
	wr_free(&database);
	wr_free(&mirror);
	return ok;
}

/* One life of the server, from start to end.  False: it did not come up. */
static bool one_life(struct sidecar_server *s, bool first, struct error *e)
{
	if (!start_server(s, e))
		return false;
	if (!wait_answering(s, e) || (first && !build_mirror(s, e))) {
		(void)kill(s->pid, SIGQUIT);
		(void)reap(s);
		return false;
	}
	if (!first)
		s->events.renewed(s->events.ctx);
	set_phase(s, PHASE_READY);
	(void)reap(s);
	set_phase(s, PHASE_STARTING);
	return true;
}

static void *supervise(void *arg)
{
	struct sidecar_server *s = arg;
	struct error e = ERROR_INIT;
	bool first = true;

	if (make_cluster(s, &e)) {
		for (int failures = 0; failures < RESTARTS_MAX && !is_stopping(s); failures++) {
			int64_t began = clock_monotonic().nanos;
			bool lived = one_life(s, first, &e);
			if (is_stopping(s) || (first && !lived))
				break;
			first = false;
			if (clock_monotonic().nanos - began > INT64_C(60000000000))
				failures = 0;
			log_event(LOG_ERROR, "sidecar ended; starting it again", LOG_NUM("failures", failures));
			sleep_ms(failures < 3 ? 100 : 2000);
		}
	}
	pthread_mutex_lock(&s->lock);
	s->phase = s->stopping ? PHASE_GONE : PHASE_FAILED;
	s->error = e;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

bool sidecar_server_open(const struct policy *p, int max_connections, struct sidecar_events ev, struct sidecar_server **out, struct error *e)
{
	struct sidecar_server *s = mem_alloc(1, sizeof(*s));

	if (!s)
		return fail_memory(e);
	*s = (struct sidecar_server){ .policy = p, .events = ev, .max_connections = max_connections };
	sidecar_database_name(p->collaboration, s->database);
	if (!sidecar_home_make(&p->server, &s->home, e)) {
		mem_free(s);
		return false;
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	if (pthread_create(&s->thread, NULL, supervise, s) != 0) {
		sidecar_home_remove(&s->home);
		mem_free(s);
		return fail_memory(e);
	}
	pthread_mutex_lock(&s->lock);
	while (s->phase == PHASE_STARTING)
		pthread_cond_wait(&s->changed, &s->lock);
	bool ok = s->phase == PHASE_READY;
	if (!ok)
		*e = s->error;
	pthread_mutex_unlock(&s->lock);
	if (!ok) {
		sidecar_server_close(s);
		return false;
	}
	*out = s;
	return true;
}

/* Signals the server and waits until its thread has seen its end.  True when it has. */
static bool stop_with(struct sidecar_server *s, int sig, int ms)
{
	pthread_mutex_lock(&s->lock);
	if (s->pid)
		(void)kill(s->pid, sig);
	for (int waited = 0; s->phase != PHASE_GONE && s->phase != PHASE_FAILED && waited < ms; waited += 10) {
		pthread_mutex_unlock(&s->lock);
		sleep_ms(10);
		pthread_mutex_lock(&s->lock);
	}
	bool gone = s->phase == PHASE_GONE || s->phase == PHASE_FAILED;
	pthread_mutex_unlock(&s->lock);
	return gone;
}

void sidecar_server_close(struct sidecar_server *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_mutex_unlock(&s->lock);
	if (!stop_with(s, SIGINT, STOP_FAST_MS) && !stop_with(s, SIGQUIT, STOP_QUIT_MS))
		(void)stop_with(s, SIGKILL, STOP_QUIT_MS);
	pthread_join(s->thread, NULL);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	sidecar_home_remove(&s->home);
	mem_free(s);
}

const char *sidecar_server_version(const struct sidecar_server *s)
{
	return s->version;
}

static bool fail_unavailable(struct error *e)
{
	fail(e, ERR_WRONG_STATE, "the catalog sidecar is not available");
	return error_hint(e, "It is being started again; try again in a moment.");
}

bool sidecar_server_connect(struct sidecar_server *s, const char *role, const struct patience *p, PGconn **out, struct error *e)
{
	enum { ATTEMPTS = 100 };

	for (int i = 0; i < ATTEMPTS; i++) {
		struct talk_error te = { 0 };
		enum talk t = TALK_BROKEN;
		pthread_mutex_lock(&s->lock);
		enum phase phase = s->phase;
		pthread_mutex_unlock(&s->lock);
		if (phase == PHASE_READY)
			t = connect_as(s, role, s->database, "", p, out, &te);
		if (t == TALK_OK)
			return true;
		if (t == TALK_CANCELLED || (p->cancelled && atomic_load(p->cancelled)))
			return fail(e, ERR_CANCELLED, "canceling statement due to user request");
		if (phase == PHASE_FAILED || phase == PHASE_GONE || t == TALK_NO_MEMORY)
			break;
		sleep_ms(50);
	}
	return fail_unavailable(e);
}
