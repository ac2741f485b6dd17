#include "proxy/loop.h"

#include "base/clock.h"
#include "base/log.h"
#include "proxy/wire_limits.h"

#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 256 };
static const int64_t second = 1000000000;

void loop_wake(struct server *s)
{
	const uint64_t one = 1;
	ssize_t ignored = write(s->event, &one, sizeof(one));

	(void)ignored;
}

void loop_queue(struct server *s, struct session *one)
{
	queue_put(session_logging_in(one) ? &s->logins : &s->work, one);
}

static struct epoll_event interest(struct session *one, bool for_write)
{
	return (struct epoll_event){ .events = (for_write ? EPOLLOUT : EPOLLIN) | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = one };
}

bool loop_add(struct server *s, struct session *one)
{
	struct epoll_event ev = interest(one, false);

	(void)pthread_mutex_lock(&s->lock);
	one->next = s->sessions;
	one->prev = NULL;
	if (s->sessions)
		s->sessions->prev = one;
	s->sessions = one;
	s->n_sessions++;
	one->owner = OWNER_LOOP;
	bool good = epoll_ctl(s->epoll, EPOLL_CTL_ADD, one->io.fd, &ev) == 0;
	if (!good) {
		s->sessions = one->next;
		if (s->sessions)
			s->sessions->prev = NULL;
		s->n_sessions--;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return good;
}

void loop_end(struct server *s, struct session *one)
{
	(void)pthread_mutex_lock(&s->lock);
	if (one->prev)
		one->prev->next = one->next;
	else
		s->sessions = one->next;
	if (one->next)
		one->next->prev = one->prev;
	s->n_sessions--;
	bool last = s->n_sessions == 0;
	(void)pthread_mutex_unlock(&s->lock);
	session_free(one);
	if (last && atomic_load(&s->stop))
		loop_wake(s);
}

void loop_park(struct server *s, struct session *one, bool for_write)
{
	struct epoll_event ev = interest(one, for_write);

	(void)pthread_mutex_lock(&s->lock);
	one->owner = OWNER_LOOP;
	one->parked_at = clock_monotonic().nanos;
	bool good = epoll_ctl(s->epoll, EPOLL_CTL_MOD, one->io.fd, &ev) == 0;
	if (!good)
		one->owner = OWNER_WORKER;
	(void)pthread_mutex_unlock(&s->lock);
	if (!good)
		loop_end(s, one);
	else if (atomic_load(&s->stop))
		loop_wake(s); /* it came back during a drain: the sweep must see it */
}

/* The loop takes a parked session; nobody else does, so an event's session is alive. */
static void claim(struct server *s, struct session *one)
{
	(void)pthread_mutex_lock(&s->lock);
	bool mine = one->owner == OWNER_LOOP;
	if (mine)
		one->owner = OWNER_WORKER;
	(void)pthread_mutex_unlock(&s->lock);
	if (!mine)
		return;
	cancel_clear(&one->cancel); /* what was asked while nothing ran is void */
	loop_queue(s, one);
}

static bool too_long(const struct session *one, enum setting_id limit, int64_t now)
{
	int64_t ms = settings_millis(&one->settings, limit);

	return ms > 0 && now - one->parked_at > ms * 1000000;
}

static enum session_doom doom_of(const struct server *s, const struct session *one, int64_t now)
{
	if (atomic_load(&s->stop))
		return DOOM_SHUTDOWN;
	if (session_logging_in(one))
		return now - one->born > LOGIN_TIMEOUT_SECONDS * second ? DOOM_LOGIN_TIMEOUT : DOOM_NONE;
	if (one->tx == TX_BLOCK || one->tx == TX_FAILED)
		return too_long(one, SETTING_IDLE_TX_TIMEOUT, now) ? DOOM_IDLE_IN_TX : DOOM_NONE;
	return too_long(one, SETTING_IDLE_SESSION_TIMEOUT, now) ? DOOM_IDLE_SESSION : DOOM_NONE;
}

/* Takes parked sessions whose time is over out of epoll and has them told.  The login thread does it: it never waits. */
static void sweep(struct server *s, int64_t now)
{
	(void)pthread_mutex_lock(&s->lock);
	for (struct session *one = s->sessions; one; one = one->next) {
		if (one->owner != OWNER_LOOP)
			continue;
		one->doom = doom_of(s, one, now);
		if (one->doom == DOOM_NONE)
			continue;
		one->owner = OWNER_WORKER;
		(void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, one->io.fd, NULL);
		queue_put(&s->logins, one);
	}
	(void)pthread_mutex_unlock(&s->lock);
}

static void watch_listeners(struct server *s)
{
	if (s->accepting)
		return;
	s->accepting = true;
	for (size_t i = 0; i < s->n_listeners; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &s->listeners[i] };
		(void)epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listeners[i], &ev);
	}
}

/* Drain, then cancel.  The clock starts with the first call. */
static void stopping(struct server *s, int64_t now, int64_t *since)
{
	if (*since == 0) {
		*since = now;
		atomic_store(&s->host.stopping, STOPPING_DRAIN);
		listen_close(s);
		log_event(LOG_INFO, "draining", LOG_NUM("sessions", (int64_t)s->n_sessions));
	}
	if (now - *since > DRAIN_SECONDS * second) {
		atomic_store(&s->host.stopping, STOPPING_CANCEL);
		(void)pthread_mutex_lock(&s->lock);
		for (struct session *one = s->sessions; one; one = one->next)
			cancel_raise(&one->cancel, CANCEL_BY_SHUTDOWN);
		(void)pthread_mutex_unlock(&s->lock);
	}
}

static void dispatch(struct server *s, const struct epoll_event *ev)
{
	if (ev->data.ptr == &s->event) {
		uint64_t count;
		ssize_t ignored = read(s->event, &count, sizeof(count));
		(void)ignored;
		return;
	}
	for (size_t i = 0; i < LISTENERS_MAX; i++) {
		if (ev->data.ptr == &s->listeners[i]) {
			if (i < s->n_listeners)
				listen_accept(s, s->listeners[i]);
			return;
		}
	}
	claim(s, ev->data.ptr);
}

/* Cancels what ran too long; milliseconds to wait for the next event. */
static int next_wait(struct server *s, int64_t now)
{
	int64_t nearest = now + second / (atomic_load(&s->stop) ? 10 : 1);

	for (size_t i = 0; i < s->n_workers; i++) {
		int64_t deadline = worker_check_deadline(&s->workers[i], now);
		if (deadline < nearest)
			nearest = deadline;
	}
	return nearest <= now ? 1 : (int)((nearest - now) / 1000000) + 1;
}

static bool all_gone(struct server *s)
{
	(void)pthread_mutex_lock(&s->lock);
	bool none = s->n_sessions == 0;
	(void)pthread_mutex_unlock(&s->lock);
	return none;
}

void loop_run(struct server *s)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int64_t swept = 0, stop_since = 0;

	watch_listeners(s);
	for (;;) {
		int n = epoll_wait(s->epoll, events, EVENTS_AT_ONCE, next_wait(s, clock_monotonic().nanos));
		for (int i = 0; i < n; i++)
			dispatch(s, &events[i]);
		int64_t now = clock_monotonic().nanos;
		bool stop = atomic_load(&s->stop);
		if (stop)
			stopping(s, now, &stop_since);
		if (stop || now - swept >= second) {
			swept = now;
			sweep(s, now);
			if (!stop)
				watch_listeners(s);
		}
		if (stop && all_gone(s))
			return;
	}
}
