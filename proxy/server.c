#include "proxy/server.h"

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/secret.h"
#include "proxy/loop.h"
#include "proxy/wire_limits.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SPARE_DESCRIPTORS = 512, SECRET_TEXT_MAX = 1 << 24 };

static void deadline_set(void *ctx)
{
	loop_wake(ctx);
}

/*
 * What salts of unknown users are made of: secret, and the same after a restart or in another proxy of this policy, so that a salt that
 * changes does not give a made-up user away.
 */
static bool make_mock_secret(const struct policy *p, uint8_t *out)
{
	struct wr w;
	bool good;

	wr_init_heap(&w, SECRET_TEXT_MAX);
	wr_cstr(&w, "noisegate mock authentication");
	wr_cstr(&w, p->collaboration);
	for (size_t i = 0; i < p->n_logins; i++)
		wr_cstr(&w, p->logins[i].verifier);
	good = wr_ok(&w) && hash_sha256(w.p, w.n, out);
	wr_free(&w);
	return good;
}

/* Descriptors for every connection the policy allows, as far as the hard limit goes. */
static void raise_descriptors(int connections)
{
	struct rlimit limit;
	rlim_t need = (rlim_t)connections + LOGIN_SPARE + SPARE_DESCRIPTORS;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need)
		return;
	limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > need ? need : limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < need)
		log_event(LOG_WARNING, "fewer descriptors than connections allowed", LOG_NUM("descriptors", (int64_t)limit.rlim_cur),
			  LOG_NUM("needed", (int64_t)need));
}

static bool open_parts(struct server *s, struct error *e)
{
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->epoll < 0 || s->event < 0)
		return fail(e, ERR_IO, "could not create an event queue: %s", strerror(errno));
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &s->event };
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->event, &ev) != 0)
		return fail(e, ERR_IO, "could not watch for events: %s", strerror(errno));
	s->workers = mem_alloc(s->n_workers, sizeof(struct worker));
	if (!s->workers || !cancels_open(s->host.rng, (size_t)s->host.max_connections, &s->host.cancels))
		return fail_memory(e);
	if (s->policy->tls_cert && !tls_server_open(s->policy->tls_cert, s->policy->tls_key, &s->host.tls, e))
		return false;
	return listen_open(s, e);
}

bool server_open(const struct policy *p, struct engine *g, struct server **out, struct error *e)
{
	struct server *s = mem_alloc(1, sizeof(*s));
	int workers = p->server.workers < 1 ? 1 : p->server.workers > WORKERS_MAX ? WORKERS_MAX : p->server.workers;

	if (!s)
		return fail_memory(e);
	s->policy = &p->server;
	s->epoll = s->event = -1;
	s->n_workers = (size_t)workers + 1;
	s->host = (struct session_host){ .engine = g,
					 .tls_required = p->server.tls_required,
					 .rng = random_system(),
					 .max_connections = p->server.max_connections,
					 .deadline_set = deadline_set,
					 .ctx = s };
	if (pthread_mutex_init(&s->lock, NULL) != 0 || !queue_open(&s->work) || !queue_open(&s->logins)) {
		mem_free(s);
		return fail_memory(e);
	}
	if (!make_mock_secret(p, s->host.mock_secret)) {
		server_close(s);
		return fail_memory(e);
	}
	if (!open_parts(s, e)) {
		server_close(s);
		return false;
	}
	raise_descriptors(s->host.max_connections);
	*out = s;
	return true;
}

int server_port(const struct server *s)
{
	return s->port;
}

bool server_run(struct server *s, struct error *e)
{
	bool good = true;

	(void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to sockets that may be gone */
	for (size_t i = 0; i < s->n_workers && good; i++) {
		s->workers[i].server = s;
		s->workers[i].queue = i + 1 < s->n_workers ? &s->work : &s->logins;
		good = worker_start(&s->workers[i], WORKER_STACK);
	}
	if (good) {
		log_event(LOG_INFO, "listening", LOG_TEXT("host", s->policy->listen_host), LOG_NUM("port", s->port),
			  LOG_TEXT("tls", s->host.tls ? (s->host.tls_required ? "required" : "offered") : "off"));
		loop_run(s);
	}
	queue_close(&s->work);
	queue_close(&s->logins);
	for (size_t i = 0; i < s->n_workers; i++)
		worker_join(&s->workers[i]);
	if (!good)
		return fail(e, ERR_NO_MEMORY, "could not start worker threads");
	log_event(LOG_INFO, "stopped");
	return true;
}

void server_stop(struct server *s)
{
	atomic_store(&s->stop, true);
	loop_wake(s);
}

void server_close(struct server *s)
{
	if (!s)
		return;
	listen_close(s);
	tls_server_close(s->host.tls);
	cancels_close(s->host.cancels);
	secret_wipe(s->host.mock_secret, sizeof(s->host.mock_secret));
	if (s->event >= 0)
		(void)close(s->event);
	if (s->epoll >= 0)
		(void)close(s->epoll);
	queue_free(&s->work);
	queue_free(&s->logins);
	(void)pthread_mutex_destroy(&s->lock);
	mem_free(s->workers);
	mem_free(s);
}
