#include "proxy/auth.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "crypto/scram.h"
#include "crypto/secret.h"
#include "proxy/session_table.h"
#include "proxy/startup.h"
#include "proxy/wire_in.h"
#include "proxy/wire_limits.h"
#include "proxy/wire_out.h"

#define PLAIN "SCRAM-SHA-256"
#define PLUS "SCRAM-SHA-256-PLUS"

struct auth {
	struct scram_verifier verifier;
	bool known, plus_offered;
	struct scram scram;
};

void auth_free(struct auth *a)
{
	if (!a)
		return;
	secret_wipe(a, sizeof(*a));
	mem_free(a);
}

/* The user's verifier and member; for a user that does not exist a made-up verifier, so that the exchange looks the same. */
static bool look_up(struct session *s, struct auth *a, struct error *e)
{
	struct snapshot *snapshot = engine_policy(s->host->engine);
	const struct policy_login *login = policy_find_login(snapshot->policy, s->user);
	bool good = true;

	a->known = login && scram_verifier_parse(login->verifier, &a->verifier);
	if (a->known) {
		s->member = mem_strdup(login->member);
		good = s->member != NULL;
	} else {
		good = scram_verifier_mock(s->user, s->host->mock_secret, &a->verifier);
	}
	snapshot_drop(snapshot);
	return good || fail_memory(e);
}

bool auth_begin(struct session *s, struct error *e)
{
	size_t n = 0;

	s->auth = mem_alloc(1, sizeof(*s->auth));
	if (!s->auth)
		return fail_memory(e);
	if (!look_up(s, s->auth, e))
		return false;
	if (s->io.ssl)
		(void)tls_server_end_point(s->host->tls, &n);
	s->auth->plus_offered = n > 0; /* never over clear text: libpq takes that for an attack */
	out_auth_mechanisms(s->out, s->auth->plus_offered);
	session_move(s, SESSION_SASL_INITIAL);
	return true;
}

/* One message for every way to fail, so that it tells nothing about the user. */
static bool failed(struct session *s, struct error *e)
{
	log_event(LOG_WARNING, "authentication failed", LOG_NUM("session", (int64_t)s->id), LOG_TEXT("peer", s->peer),
		  LOG_TEXT("user", s->user));
	engine_login(s->host->engine, s->user, NULL, s->peer, false);
	if (e->code == ERR_AUTH)
		(void)fail(e, ERR_AUTH, "password authentication failed for user \"%.100s\"", s->user);
	return false;
}

bool handle_sasl_initial(struct session *s, struct rd body, struct error *e)
{
	struct sasl_initial_msg m;
	struct auth *a = s->auth;
	const uint8_t *binding = NULL;
	size_t n_binding = 0;
	struct wr answer;

	if (!sasl_initial_parse(body, &m) || !m.data) {
		(void)fail(e, ERR_PROTOCOL, "malformed SASLInitialResponse message");
		return failed(s, e);
	}
	bool plus = a->plus_offered && text_eq(m.mechanism, PLUS);
	if (!plus && !text_eq(m.mechanism, PLAIN)) {
		(void)fail(e, ERR_PROTOCOL, "client selected a SASL mechanism that was not offered");
		return failed(s, e);
	}
	if (a->plus_offered)
		binding = tls_server_end_point(s->host->tls, &n_binding);
	scram_init(&a->scram, &a->verifier, a->known, a->plus_offered, plus, binding, n_binding);
	wr_init(&answer, s->arena, WIRE_MAX_AUTH);
	if (!scram_first(&a->scram, m.data, m.length, &s->host->rng, &answer, e))
		return failed(s, e);
	if (!wr_ok(&answer))
		return fail_memory(e);
	out_auth(s->out, AUTH_SASL_CONTINUE, answer.p, answer.n);
	session_move(s, SESSION_SASL_FINAL);
	return true;
}

bool handle_sasl_response(struct session *s, struct rd body, struct error *e)
{
	struct wr answer;
	size_t n = body.left;
	const uint8_t *p = rd_take(&body, n);

	wr_init(&answer, s->arena, WIRE_MAX_AUTH);
	if (!scram_final(&s->auth->scram, p, n, &answer, e))
		return failed(s, e);
	if (!wr_ok(&answer))
		return fail_memory(e);
	out_auth(s->out, AUTH_SASL_FINAL, answer.p, answer.n);
	auth_free(s->auth);
	s->auth = NULL;
	return startup_finish(s, e);
}
