#include "proxy/privacy_server.h"

#include <errno.h>
#include <libpq-fe.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_MS = 30000, STOP_MS = 5000, STEP_MS = 20 };

static bool fail_scratch(const struct scratch *s, const char *what, struct error *e)
{
	char words[300];

	sidecar_home_last_words(&s->home, words, sizeof(words));
	fail(e, ERR_WRONG_STATE, "could not start a private PostgreSQL: %s", what);
	if (words[0])
		error_detail(e, "It said: %s", words);
	return error_hint(e, "server.sidecar_bin must name a directory with initdb and postgres of PostgreSQL 15 (Debian package postgresql-15).");
}

static int reap(struct scratch *s)
{
	int status = -1;

	while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
		;
	s->pid = 0;
	return status;
}

static void pause_ms(int ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&t, NULL);
}

static bool make_cluster(struct scratch *s, const char *bin, struct error *e)
{
	char program[512], data[112];
	char user[] = "--username=" SCRATCH_USER, auth[] = "--auth=trust", locale[] = "--locale=C.UTF-8", encoding[] = "--encoding=UTF8",
	     nosync[] = "--no-sync", quiet[] = "--no-instructions";
	char *argv[] = { program, data, user, auth, locale, encoding, nosync, quiet, NULL };

	snprintf(data, sizeof(data), "--pgdata=%s", s->home.data);
	if (snprintf(program, sizeof(program), "%s/initdb", bin) >= (int)sizeof(program))
		return fail(e, ERR_CONFIG, "server.sidecar_bin is too long");
	s->pid = sidecar_spawn(&s->home, argv);
	if (s->pid == 0)
		return fail_scratch(s, "no process could be made", e);
	const int status = reap(s);
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0) || fail_scratch(s, "initdb failed", e);
}

static bool start_server(struct scratch *s, const char *bin, struct error *e)
{
	static const char *const settings[] = { "listen_addresses=", "unix_socket_permissions=0700", "port=5432", "ssl=off", "fsync=off", "full_page_writes=off",
						"synchronous_commit=off", "wal_level=minimal", "max_wal_senders=0", "max_parallel_workers=0", "autovacuum=off",
						"jit=off", "shared_buffers=64MB", "max_connections=60", "logging_collector=off", "log_min_messages=fatal" };
	char program[512], sockets[128], options[ARRAY_LEN(settings)][64], dash_c[] = "-c", dash_d[] = "-D";
	char *argv[2 * ARRAY_LEN(settings) + 6];
	size_t n = 0;

	if (snprintf(program, sizeof(program), "%s/postgres", bin) >= (int)sizeof(program))
		return fail(e, ERR_CONFIG, "server.sidecar_bin is too long");
	snprintf(sockets, sizeof(sockets), "unix_socket_directories=%s", s->home.socket_dir);
	argv[n++] = program;
	argv[n++] = dash_d;
	argv[n++] = s->home.data;
	argv[n++] = dash_c;
	argv[n++] = sockets;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		snprintf(options[i], sizeof(options[i]), "%s", settings[i]);
		argv[n++] = dash_c;
		argv[n++] = options[i];
	}
	argv[n] = NULL;
	s->pid = sidecar_spawn(&s->home, argv);
	return s->pid != 0 || fail_scratch(s, "no process could be made", e);
}

static bool answers(const struct scratch *s)
{
	const char *const keywords[] = { "host", "port", "dbname", NULL };
	const char *const values[] = { s->home.socket_dir, "5432", "postgres", NULL };

	return PQpingParams(keywords, values, 0) == PQPING_OK;
}

bool scratch_start(const struct policy_server *server, struct scratch *out, struct error *e)
{
	struct scratch s = { 0 };

	if (!sidecar_home_make(server, &s.home, e))
		return false;
	if (!make_cluster(&s, server->sidecar_bin, e) || !start_server(&s, server->sidecar_bin, e)) {
		scratch_stop(&s);
		return false;
	}
	for (int waited = 0; !answers(&s); waited += STEP_MS) {
		if (waited >= START_MS || waitpid(s.pid, NULL, WNOHANG) != 0) {
			(void)fail_scratch(&s, "it does not answer", e);
			scratch_stop(&s);
			return false;
		}
		pause_ms(STEP_MS);
	}
	*out = s;
	return true;
}

void scratch_stop(struct scratch *s)
{
	int waited = 0;

	if (s->pid) {
		(void)kill(s->pid, SIGINT);
		while (waited < STOP_MS && waitpid(s->pid, NULL, WNOHANG) == 0) {
			pause_ms(STEP_MS);
			waited += STEP_MS;
		}
		if (waited >= STOP_MS) {
			(void)kill(s->pid, SIGQUIT);
			(void)reap(s);
		}
		s->pid = 0;
	}
	if (s->home.path[0])
		sidecar_home_remove(&s->home);
}
