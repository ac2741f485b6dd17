#include "proxy/cli_serve.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/text.h"
#include "proxy/cli.h"
#include "proxy/engine.h"
#include "proxy/server.h"
#include "proxy/upstream_check.h"
#include "proxy/usage.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct options {
	const char *policy, *ready_file;
	const char *audit; /* of --audit; NULL: the policy's */
	const char *host; /* of --listen; NULL: the policy's */
	size_t host_length;
	int port;
	enum log_level level;
};

static bool read_listen(const char *text, struct options *o)
{
	const char *colon = strrchr(text, ':');
	int64_t port;

	if (!colon || colon == text || !number_i64(colon + 1, 0, 65535, &port))
		return false;
	o->host = text;
	o->host_length = (size_t)(colon - text);
	o->port = (int)port;
	return true;
}

static bool read_level(const char *text, enum log_level *out)
{
	static const char *const names[] = { [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARNING] = "warning", [LOG_ERROR] = "error" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (text_eq(text, names[i])) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* EXIT_DONE when they can be used. */
static int read_options(int argc, char **argv, struct options *o)
{
	enum { OPT_LISTEN = 256, OPT_READY, OPT_LEVEL, OPT_AUDIT, OPT_HELP };
	static const struct option known[] = { { "config", required_argument, NULL, 'c' },	{ "listen", required_argument, NULL, OPT_LISTEN },
					       { "ready-file", required_argument, NULL, OPT_READY }, { "log-level", required_argument, NULL, OPT_LEVEL },
					       { "audit", required_argument, NULL, OPT_AUDIT }, { "help", no_argument, NULL, OPT_HELP },		{ 0 } };

	*o = (struct options){ .level = LOG_INFO };
	for (int c; (c = getopt_long(argc, argv, "c:", known, NULL)) != -1;) {
		bool ok = true;
		switch (c) {
		case 'c':
			o->policy = optarg;
			break;
		case OPT_LISTEN:
			ok = read_listen(optarg, o);
			break;
		case OPT_READY:
			o->ready_file = optarg;
			break;
		case OPT_AUDIT:
			o->audit = optarg;
			break;
		case OPT_LEVEL:
			ok = read_level(optarg, &o->level);
			break;
		default:
			ok = false;
		}
		if (!ok)
			return cli_usage(usage_serve_text);
	}
	return o->policy && optind == argc ? EXIT_DONE : cli_usage(usage_serve_text);
}

static int print_report(const char *path, const struct policy_report *report, const struct error *e)
{
	for (size_t i = 0; i < report->n && i < POLICY_ERRORS_MAX; i++) {
		const struct policy_error *p = &report->errors[i];
		(void)fprintf(stderr, "%s:%d:%d: %s\n", path, p->line, p->column, p->message);
		if (p->hint[0])
			(void)fprintf(stderr, "  hint: %s\n", p->hint);
	}
	if (report->n == 0)
		return cli_error(e);
	(void)fprintf(stderr, "noisegate: %zu errors in %s\n", report->n, path);
	return EXIT_FAILED;
}

/* systemd's readiness protocol: a datagram to the socket that NOTIFY_SOCKET names; "@" stands for the abstract name space. */
static void notify_systemd(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = path ? strlen(path) : 0;

	if (n < 2 || n >= sizeof(to.sun_path))
		return;
	mem_copy(to.sun_path, path, n);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	(void)close(fd);
}

static bool write_ready(const char *path, int port, struct error *e)
{
	struct file_out f;

	if (!path)
		return true;
	if (!file_out_open(&f, path, true, e))
		return false;
	if (fprintf(f.f, "%d\n", port) < 0) {
		file_out_abort(&f);
		return fail(e, ERR_IO, "could not write file \"%s\"", path);
	}
	return file_out_commit(&f, e);
}

/* --- signals: blocked in all threads, taken by one that does nothing else --------------------------------------------------- */

/* SIGUSR1 is for the thread alone: it is told to end. */
static sigset_t stop_signals(void)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGTERM);
	sigaddset(&s, SIGINT);
	sigaddset(&s, SIGUSR1);
	return s;
}

/* Whom to stop; NULL when there is no server (any more). */
struct stopper {
	pthread_mutex_t lock;
	pthread_t thread;
	struct server *server;
	bool done;
};

/* Stops the server once; false when the thread shall end. */
static bool on_signal(struct stopper *s, int got, bool first)
{
	pthread_mutex_lock(&s->lock);
	bool done = s->done;
	if (got != SIGUSR1 && first) {
		log_event(LOG_INFO, "stopping", LOG_NUM("signal", got));
		notify_systemd("STOPPING=1");
		if (s->server)
			server_stop(s->server);
	}
	pthread_mutex_unlock(&s->lock);
	if (got != SIGUSR1 && !first)
		_exit(EXIT_FAILED); /* at once; the sidecar dies with us, its directory is removed at the next start */
	return !done;
}

static void *wait_for_stop(void *arg)
{
	struct stopper *stopper = arg;
	sigset_t s = stop_signals();
	bool first = true;
	int got;

	while (sigwait(&s, &got) == 0 && on_signal(stopper, got, first))
		first = first && got == SIGUSR1;
	return NULL;
}

static bool stopper_start(struct stopper *s, struct server *server, struct error *e)
{
	pthread_mutex_init(&s->lock, NULL);
	s->server = server;
	s->done = false;
	if (pthread_create(&s->thread, NULL, wait_for_stop, s) == 0)
		return true;
	pthread_mutex_destroy(&s->lock);
	return fail_memory(e);
}

static void stopper_forget(struct stopper *s)
{
	pthread_mutex_lock(&s->lock);
	s->server = NULL;
	pthread_mutex_unlock(&s->lock);
}

static void stopper_end(struct stopper *s)
{
	pthread_mutex_lock(&s->lock);
	s->done = true;
	pthread_mutex_unlock(&s->lock);
	(void)pthread_kill(s->thread, SIGUSR1);
	(void)pthread_join(s->thread, NULL);
	pthread_mutex_destroy(&s->lock);
}

/* --- serving ------------------------------------------------------------------------------------------------------------------- */

/* An upstream that does not match the policy is refused at once; one that cannot be asked now may be back when a query comes. */
static bool check_upstream(const struct policy *p, struct error *e)
{
	if (upstream_check(p, e))
		return true;
	if (e->code == ERR_CONFIG)
		return false;
	log_error("upstream could not be checked against the policy", e);
	return true;
}

static bool announce(const struct policy *p, int port, const struct options *o, struct error *e)
{
	if (!write_ready(o->ready_file, port, e))
		return false;
	(void)printf("noisegate: serving \"%s\" on %s:%d\n", p->collaboration, p->server.listen_host, port);
	(void)fflush(stdout);
	notify_systemd("READY=1");
	return true;
}

static bool run_server(const struct policy *p, struct engine *g, const struct options *o, struct error *e)
{
	struct server *server = NULL;
	struct stopper stopper;

	if (!server_open(p, g, &server, e)) {
		engine_close(g);
		return false;
	}
	if (!stopper_start(&stopper, server, e)) {
		server_close(server);
		engine_close(g);
		return false;
	}
	bool ok = announce(p, server_port(server), o, e) && server_run(server, e);
	stopper_forget(&stopper);
	server_close(server);
	engine_close(g); /* a second signal still ends it at once */
	stopper_end(&stopper);
	return ok;
}

static bool serve(struct snapshot *s, const struct options *o, struct error *e)
{
	struct policy *p = arena_new(&s->arena, struct policy);
	struct engine *g = NULL;

	if (!p)
		return fail_memory(e);
	*p = *s->policy;
	if (o->host) {
		p->server.listen_host = arena_copy(&s->arena, o->host, o->host_length);
		p->server.listen_port = o->port;
		if (!p->server.listen_host)
			return fail_memory(e);
	}
	if (o->audit) {
		p->audit.path = o->audit;
		p->audit.checkpoint_file = arena_printf(&s->arena, "%s/checkpoint", o->audit);
		if (!p->audit.checkpoint_file)
			return fail_memory(e);
	}
	s->policy = p;
	log_setup(o->level, p->server.log_json);
	if (!check_upstream(p, e) || !engine_open(s, &g, e))
		return false;
	return run_server(p, g, o, e); /* closes the engine */
}

int cli_serve(int argc, char **argv)
{
	static struct policy_report report; /* too large for a stack */
	struct options o;
	struct error e = ERROR_INIT;
	sigset_t s = stop_signals();
	int usage = read_options(argc, argv, &o);

	if (usage != EXIT_DONE)
		return usage;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* a file at its limit is a full disk, not an end */
	(void)pthread_sigmask(SIG_BLOCK, &s, NULL);
	struct snapshot *policy = snapshot_load(o.policy, &report, &e);
	if (!policy)
		return print_report(o.policy, &report, &e);
	bool ok = serve(policy, &o, &e);
	snapshot_drop(policy);
	return ok ? EXIT_DONE : cli_error(&e);
}
