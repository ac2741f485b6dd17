/* One turn of a session: bytes in, complete messages to their handlers, answers out. */
#include "base/log.h"
#include "base/mem.h"
#include "proxy/session.h"
#include "proxy/session_table.h"
#include "proxy/startup.h"
#include "proxy/transaction.h"
#include "proxy/wire_limits.h"
#include "proxy/wire_out.h"

static enum turn turn_of(enum io_status status)
{
	return status == IO_DONE ? TURN_MORE : status == IO_WANT_READ ? TURN_WAIT_READ : status == IO_WANT_WRITE ? TURN_WAIT_WRITE : TURN_END;
}

/* Room for at least one more byte, toward `need` unread bytes in all.  Grows as bytes arrive, not as they are announced. */
static bool make_room(struct input *in, size_t need)
{
	if (in->at > 0) {
		mem_move(in->p, in->p + in->at, in->n - in->at);
		in->n -= in->at;
		in->at = 0;
	}
	if (in->n < in->room)
		return true;
	size_t room = in->room ? in->room * 2 : WIRE_READ_CHUNK;
	if (room > need && need > in->room)
		room = need > WIRE_READ_CHUNK ? need : WIRE_READ_CHUNK;
	uint8_t *p = mem_grow(in->p, room, 1);
	if (!p)
		return false;
	in->p = p;
	in->room = room;
	return true;
}

enum turn session_fill(struct session *s, size_t need, bool exactly)
{
	struct input *in = &s->in;
	size_t got;

	if (!make_room(in, need))
		return TURN_END;
	size_t most = in->room - in->n;
	if (exactly && most > need - in->n)
		most = need - in->n;
	enum io_status status = stream_read(&s->io, in->p + in->n, most, &got);
	in->n += got;
	return turn_of(status);
}

static void drop_empty_input(struct session *s)
{
	if (s->in.p && s->in.at == s->in.n) {
		mem_wipe(s->in.p, s->in.n); /* it may have held a password proof or a literal */
		mem_free(s->in.p);
		s->in = (struct input){ .p = NULL };
	}
}

static void protocol_fatal(struct session *s, const char *why, uint8_t type)
{
	struct error e;

	if (type >= 32 && type < 127)
		(void)fail(&e, ERR_PROTOCOL, "%s (message type \"%c\")", why, type);
	else
		(void)fail(&e, ERR_PROTOCOL, "%s (message type 0x%02x)", why, type);
	log_event(LOG_WARNING, "protocol violation", LOG_NUM("session", (int64_t)s->id), LOG_TEXT("peer", s->peer), LOG_TEXT("what", why));
	session_fatal(s, &e);
}

static void log_refusal(const struct session *s, const struct error *e)
{
	/* neither message nor text: both may quote the statement */
	log_event(LOG_INFO, "statement refused", LOG_NUM("session", (int64_t)s->id), LOG_TEXT("user", s->user),
		  LOG_TEXT("sqlstate", error_sqlstate(e->code)), LOG_TEXT("rule", e->rule));
}

/* Runs a handler and does what its kind says about failure. */
static void handle(struct session *s, const struct message_rule *rule, struct rd body)
{
	struct error e = ERROR_INIT;
	bool good = rule->handle(s, body, &e);

	if (s->state == SESSION_CLOSED)
		return;
	if (!good && rule->kind == MESSAGE_LOGIN) {
		session_fatal(s, &e);
		return;
	}
	if (!good) {
		out_error(s->out, "ERROR", &e, 0);
		log_refusal(s, &e);
		tx_fail(s);
		if (rule->kind == MESSAGE_EXTENDED)
			session_move(s, SESSION_SKIP);
	}
	if (rule->kind == MESSAGE_SIMPLE) {
		tx_end_implicit(s);
		session_ready(s);
	}
}

static enum turn message_step(struct session *s, struct arena *arena)
{
	struct input *in = &s->in;
	uint8_t type = 0;
	size_t body = 0;

	switch (frame_peek(in->p + in->at, in->n - in->at, &type, &body)) {
	case FRAME_SHORT:
		return session_fill(s, 0, false);
	case FRAME_BAD:
		protocol_fatal(s, "message has a length that cannot be", in->p[in->at]);
		return TURN_END;
	case FRAME_KNOWN:
		break;
	}
	struct message_rule rule = message_rule(s->state, type);
	if (rule.kind == MESSAGE_FATAL) {
		protocol_fatal(s, "message is not expected here", type);
		return TURN_END;
	}
	if (body > rule.max) {
		protocol_fatal(s, "message is too long", type);
		return TURN_END;
	}
	if (in->n - in->at - 5 < body)
		return session_fill(s, body + 5, false);
	if (rule.kind == MESSAGE_GOODBYE) {
		session_move(s, SESSION_CLOSED);
		return TURN_END;
	}
	const uint8_t *at = in->p + in->at + 5;
	in->at += body + 5;
	if (rule.kind != MESSAGE_DISCARD)
		handle(s, &rule, rd_of(at, body));
	arena_reset(arena);
	return s->state == SESSION_CLOSED ? TURN_END : TURN_MORE;
}

static enum turn step(struct session *s, struct arena *arena)
{
	enum turn turn = s->state <= SESSION_STARTUP ? startup_step(s) : message_step(s, arena);

	if (turn == TURN_MORE && (s->broken || s->out->bad))
		return TURN_END;
	return turn;
}

enum turn session_turn(struct session *s, struct wr *out, struct arena *arena)
{
	enum turn turn = TURN_MORE;
	bool was_logging_in = session_logging_in(s);

	s->out = out;
	s->arena = arena;
	for (int i = 0; i < TURN_MESSAGES && turn == TURN_MORE; i++) {
		turn = step(s, arena);
		if (was_logging_in && !session_logging_in(s))
			break; /* from here on it belongs to the other workers */
		if (out->n >= WIRE_FLUSH_AT && !session_flush(s))
			turn = TURN_END;
	}
	/* nothing stays behind unsent; the worker's buffer goes to the next session */
	if (!session_flush(s))
		turn = TURN_END;
	arena_reset(arena);
	drop_empty_input(s);
	s->out = NULL;
	s->arena = NULL;
	return turn;
}

void session_doomed(struct session *s, struct wr *out)
{
	struct error e = ERROR_INIT;

	switch (s->doom) {
	case DOOM_NONE:
	case DOOM_LOGIN_TIMEOUT: /* PostgreSQL, too, hangs up without a word */
		return;
	case DOOM_SHUTDOWN:
		(void)fail(&e, ERR_SHUTDOWN, "terminating connection because the proxy is shutting down");
		break;
	case DOOM_IDLE_IN_TX:
		(void)fail(&e, ERR_IDLE_IN_TX, "terminating connection due to idle-in-transaction timeout");
		break;
	case DOOM_IDLE_SESSION:
		(void)fail(&e, ERR_IDLE_SESSION, "terminating connection due to idle-session timeout");
		break;
	}
	if (s->state == SESSION_HANDSHAKE)
		return;
	out_error(out, "FATAL", &e, 0);
	if (wr_ok(out))
		s->broken = !stream_write(&s->io, out->p, out->n, 0);
	wr_clear(out);
}
