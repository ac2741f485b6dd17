#include "proxy/session.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/units.h"
#include "proxy/auth.h"
#include "proxy/transaction.h"
#include "proxy/wire_limits.h"
#include "proxy/wire_out.h"

#include <time.h>

#define TO(s) (1u << (s))

static const uint32_t next_ok[SESSION_STATES] = {
	[SESSION_FIRST] = TO(SESSION_HANDSHAKE) | TO(SESSION_STARTUP) | TO(SESSION_CLOSED),
	[SESSION_HANDSHAKE] = TO(SESSION_STARTUP) | TO(SESSION_CLOSED),
	[SESSION_STARTUP] = TO(SESSION_HANDSHAKE) | TO(SESSION_SASL_INITIAL) | TO(SESSION_CLOSED),
	[SESSION_SASL_INITIAL] = TO(SESSION_SASL_FINAL) | TO(SESSION_CLOSED),
	[SESSION_SASL_FINAL] = TO(SESSION_READY) | TO(SESSION_CLOSED),
	[SESSION_READY] = TO(SESSION_SKIP) | TO(SESSION_CLOSED),
	[SESSION_SKIP] = TO(SESSION_READY) | TO(SESSION_CLOSED),
	[SESSION_CLOSED] = 0,
};
_Static_assert(SESSION_STATES <= 32, "next_ok is a 32-bit mask");

bool session_may_move(enum session_state from, enum session_state to)
{
	return (next_ok[from] & TO(to)) != 0;
}

void session_move(struct session *s, enum session_state to)
{
	BUG_IF(!session_may_move(s->state, to));
	s->state = to;
}

bool session_logging_in(const struct session *s)
{
	return s->state < SESSION_READY;
}

struct session *session_new(struct session_host *host, int fd, const char *peer, uint64_t id)
{
	struct session *s = mem_alloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->host = host;
	s->io.fd = fd;
	s->id = id;
	s->owner = OWNER_WORKER;
	s->born = s->parked_at = clock_monotonic().nanos;
	settings_init(&s->settings);
	(void)snprintf(s->peer, sizeof(s->peer), "%s", peer);
	return s;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	cancels_remove(s->host->cancels, &s->cancel);
	stream_close(&s->io);
	auth_free(s->auth);
	tx_forget(s);
	portals_free(&s->portals);
	settings_free(&s->settings);
	mem_free(s->in.p);
	if (s->slot)
		atomic_fetch_sub(&s->host->logged_in, 1);
	if (s->served)
		log_event(LOG_INFO, "session closed", LOG_NUM("session", (int64_t)s->id), LOG_TEXT("user", s->user));
	mem_free(s->user);
	mem_free(s->member);
	mem_free(s);
}

bool session_flush(struct session *s)
{
	struct wr *out = s->out;

	if (!wr_ok(out) || (!s->broken && out->n > 0 && !stream_write(&s->io, out->p, out->n, WRITE_TIMEOUT_SECONDS)))
		s->broken = true;
	wr_clear(out);
	return !s->broken;
}

void session_fatal(struct session *s, const struct error *e)
{
	out_error(s->out, "FATAL", e, 0);
	session_move(s, SESSION_CLOSED);
}

static int level(const char *name)
{
	return text_starts(name, "debug") ? 0 : text_eq(name, "log") ? 1 : text_eq_nocase(name, "notice") ? 2 : text_eq_nocase(name, "warning") ? 3 : 4;
}

void session_notice(struct session *s, const struct notice *n)
{
	if (level(n->severity) >= level(settings_get(&s->settings, SETTING_CLIENT_MIN_MESSAGES)))
		out_notice(s->out, n);
}

void session_warn(struct session *s, enum err_code code, const char *message)
{
	const struct notice n = { .severity = "WARNING", .sqlstate = error_sqlstate(code), .message = message };

	session_notice(s, &n);
}

void session_ready(struct session *s)
{
	uint64_t changed = settings_take_changes(&s->settings);

	for (size_t i = 0; i < SETTING_COUNT && changed; i++) {
		enum setting_id id = (enum setting_id)i;
		if ((changed >> i & 1) && (setting_flags(id) & SETTING_REPORT))
			out_parameter(s->out, setting_name(id), settings_get(&s->settings, id));
	}
	out_ready(s->out, tx_status(s));
	cancel_clear(&s->cancel); /* a late CancelRequest must not hit the next statement */
}

/* --- what the engine sees ------------------------------------------------------------------------------------------------ */

static struct eps epsilon_of(const struct settings *st)
{
	struct decimal d;
	struct eps v = { 0 };

	if (decimal_parse(settings_get(st, SETTING_NG_EPSILON), &d) && !eps_from_decimal(d, &v))
		v.pico = 0;
	return v;
}

/* The error that is wanted: a number, or a percentage as a share. */
static struct decimal error_of(const struct settings *st, bool *percent)
{
	const char *value = settings_get(st, SETTING_NG_ERROR);
	char number[64];
	struct decimal d;

	*percent = strchr(value, '%') != NULL;
	(void)snprintf(number, sizeof(number), "%.*s", (int)strcspn(value, "%"), value);
	if (!decimal_parse(number, &d))
		return (struct decimal){ 0 };
	d.scale += *percent ? 2 : 0;
	return d;
}

static enum bounds_choice bounds_of(const struct settings *st)
{
	const char *v = settings_get(st, SETTING_NG_BOUNDS);

	return text_eq(v, "policy") ? BOUNDS_POLICY : text_eq(v, "private") ? BOUNDS_PRIVATE : BOUNDS_AUTO;
}

static struct delta delta_of(const struct settings *st)
{
	struct decimal d;
	struct delta v = { 0 };

	if (decimal_parse(settings_get(st, SETTING_NG_DELTA), &d) && !delta_from_decimal(d, &v))
		v.atto = 0;
	return v;
}

static double confidence_of(const struct settings *st)
{
	struct decimal d;

	return decimal_parse(settings_get(st, SETTING_NG_CONFIDENCE), &d) ? decimal_double(d) : 0.95;
}

static enum noise_choice mechanism_of(const struct settings *st)
{
	const char *m = settings_get(st, SETTING_NG_MECHANISM);

	return text_eq(m, "laplace") ? MECHANISM_LAPLACE : text_eq(m, "gaussian") ? MECHANISM_GAUSSIAN : MECHANISM_AUTO;
}

/* The wall clock, for now() in queries. */
static int64_t now_micros(void)
{
	struct timespec t;

	return clock_gettime(CLOCK_REALTIME, &t) == 0 ? (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 : 0;
}

bool session_view_make(struct session *s, struct session_view *out, struct error *e)
{
	const struct settings *st = &s->settings;
	const char **names = arena_array(s->arena, SETTING_COUNT, const char *);
	const char **values = arena_array(s->arena, SETTING_COUNT, const char *);
	struct session_view v = { .user = s->user, .analyst = s->member, .cancelled = &s->cancel.cancelled };

	if (!names || !values || !settings_path(st, s->arena, &v.plan.search_path, &v.plan.n_search_path))
		return fail_memory(e);
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (setting_flags((enum setting_id)i) & SETTING_MIRROR) {
			names[v.n_gucs] = setting_name((enum setting_id)i);
			values[v.n_gucs++] = settings_get(st, (enum setting_id)i);
		}
	}
	v.guc_names = names;
	v.guc_values = values;
	v.plan.analyst = s->member;
	v.plan.timezone = settings_get(st, SETTING_TIMEZONE);
	v.plan.epsilon = epsilon_of(st);
	v.plan.delta = delta_of(st);
	v.plan.error = error_of(st, &v.plan.error_percent);
	v.plan.mechanism = mechanism_of(st);
	v.plan.bounds = bounds_of(st);
	v.plan.confidence = confidence_of(st);
	v.plan.now_micros = now_micros();
	v.notices = text_eq(settings_get(st, SETTING_NG_NOTICES), "on");
	v.receipts = text_eq(settings_get(st, SETTING_NG_RECEIPTS), "on");
	*out = v;
	return true;
}

/* The engine says that it was cancelled; only the session knows by whom.  Without a reason of ours the engine gave up by itself, in its own words. */
static bool cancelled(struct session *s, struct error *e)
{
	switch ((enum cancel_reason)atomic_load(&s->cancel.reason)) {
	case CANCEL_BY_USER:
		return fail(e, ERR_CANCELLED, "canceling statement due to user request");
	case CANCEL_BY_TIMEOUT:
		return fail(e, ERR_CANCELLED, "canceling statement due to statement timeout");
	case CANCEL_BY_SHUTDOWN:
		return fail(e, ERR_CANCELLED, "canceling statement because the proxy is shutting down");
	case CANCEL_NONE:
		break;
	}
	return false;
}

static void deadline_begin(struct session *s)
{
	int64_t ms = settings_millis(&s->settings, SETTING_STATEMENT_TIMEOUT);

	if (ms > 0) {
		atomic_store(&s->deadline, clock_monotonic().nanos + ms * 1000000);
		s->host->deadline_set(s->host->ctx);
	}
	if (atomic_load(&s->host->stopping) == STOPPING_CANCEL)
		cancel_raise(&s->cancel, CANCEL_BY_SHUTDOWN);
}

/* The timeout ended with its statement: it must not be remembered for the next one.  A user's request stays until ReadyForQuery. */
static void deadline_end(struct session *s)
{
	atomic_store(&s->deadline, 0);
	if (atomic_load(&s->cancel.reason) == CANCEL_BY_TIMEOUT)
		cancel_clear(&s->cancel);
}

bool session_run_query(struct session *s, const struct query_call *q, struct arena *a, struct result *out, struct error *e)
{
	struct session_view view;

	if (!session_view_make(s, &view, e))
		return false;
	deadline_begin(s);
	bool good = engine_run(s->host->engine, &view, q->sql, q->params, q->n_params, q->formats, q->n_formats, a, out, e);
	if (!good && e->code == ERR_CANCELLED)
		(void)cancelled(s, e);
	deadline_end(s);
	return good;
}

bool session_describe_query(struct session *s, const char *sql, const uint32_t *oids, size_t n_oids, struct arena *a,
			    struct description *out, struct error *e)
{
	struct session_view view;

	return session_view_make(s, &view, e) && engine_describe(s->host->engine, &view, sql, oids, n_oids, a, out, e);
}
