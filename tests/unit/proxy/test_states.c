/* The tables: states, messages, transactions, cancel keys. */
#include "base/clock.h"
#include "base/mem.h"
#include "proxy/command.h"
#include "proxy/session_table.h"
#include "proxy/wire_limits.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>

Test(states, nothing_leaves_closed_and_everything_can_get_there)
{
	for (int from = 0; from < SESSION_STATES; from++) {
		cr_expect_not(session_may_move(SESSION_CLOSED, (enum session_state)from));
		if (from != SESSION_CLOSED)
			cr_expect(session_may_move((enum session_state)from, SESSION_CLOSED));
	}
}

Test(states, only_a_finished_exchange_becomes_ready)
{
	for (int from = 0; from < SESSION_STATES; from++) {
		bool may = session_may_move((enum session_state)from, SESSION_READY);
		cr_expect(may == (from == SESSION_SASL_FINAL || from == SESSION_SKIP), "%d", from);
	}
	cr_expect_not(session_may_move(SESSION_SASL_INITIAL, SESSION_READY));
}

Test(states, an_edge_that_is_not_declared_aborts, .signal = SIGABRT)
{
	struct session s = { .state = SESSION_SASL_INITIAL };

	session_move(&s, SESSION_READY);
}

static const char commands[] = "QFPBDECHS";

Test(states, every_pair_of_state_and_message_is_decided)
{
	for (int state = 0; state < SESSION_STATES; state++) {
		for (int type = 0; type < 256; type++) {
			struct message_rule r = message_rule((enum session_state)state, (uint8_t)type);
			bool command = type != 0 && strchr(commands, type);
			bool handled = r.kind == MESSAGE_LOGIN || r.kind == MESSAGE_SIMPLE || r.kind == MESSAGE_EXTENDED;
			cr_expect(handled == (r.handle != NULL), "state %d type %d", state, type);
			cr_expect(r.max <= WIRE_MAX_BIND);
			if (state < SESSION_SASL_INITIAL || state == SESSION_CLOSED)
				cr_expect(r.kind == MESSAGE_FATAL, "state %d type %d", state, type);
			if (state == SESSION_SASL_INITIAL || state == SESSION_SASL_FINAL)
				cr_expect(r.kind == (type == 'p' ? MESSAGE_LOGIN : type == 'X' ? MESSAGE_GOODBYE : MESSAGE_FATAL) && r.max <= WIRE_MAX_SMALL);
			if (state == SESSION_READY)
				cr_expect(handled == command, "type %c", type);
			if (state == SESSION_SKIP)
				cr_expect(handled == (type == 'S') && (!command || type == 'S' || r.kind == MESSAGE_DISCARD), "type %c", type);
		}
	}
}

Test(states, hold_is_found_only_where_it_stands)
{
	cr_expect(declare_holds("DECLARE c CURSOR WITH HOLD FOR SELECT 1"));
	cr_expect(declare_holds("declare \"c\" no scroll cursor with\n hold for select 1"));
	cr_expect_not(declare_holds("DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1"));
	cr_expect_not(declare_holds("DECLARE c CURSOR FOR WITH hold AS (SELECT 1) SELECT 1"));
	cr_expect_not(declare_holds("DECLARE \"with hold for\" CURSOR FOR SELECT 1"));
	cr_expect_not(declare_holds("DECLARE \"never closed"));
	cr_expect_not(declare_holds(""));
}

static struct statement query_of(const char *text)
{
	return (struct statement){ .kind = STATEMENT_QUERY, .text = text };
}

Test(states, portals_end_with_their_transaction_unless_held)
{
	struct portals p = { .serial = 0 };
	struct statement st = query_of("SELECT 1");
	struct portal *a, *held, *late;
	struct error e;

	cr_assert(portal_add(&p, "a", &st, &a, &e) && portal_add(&p, "held", &st, &held, &e));
	held->hold = true;
	portals_commit(&p);
	cr_expect(!portal_find(&p, "a") && portal_find(&p, "held"));
	uint64_t mark = p.serial;
	cr_assert(portal_add(&p, "late", &st, &late, &e));
	late->hold = true;
	portals_rollback(&p, mark);
	cr_expect(!portal_find(&p, "late") && portal_find(&p, "held"));
	portals_free(&p);
	cr_expect(p.n_portals == 0 && p.n_statements == 0);
}

Test(states, names_are_taken_once_but_the_unnamed_ones_replace)
{
	struct portals p = { .serial = 0 };
	struct statement st = query_of("SELECT 1");
	struct prepared *one;
	struct portal *portal;
	struct error e;

	cr_assert(prepared_add(&p, "", &st, &one, &e) && prepared_add(&p, "", &st, &one, &e) && p.n_statements == 1);
	cr_assert(prepared_add(&p, "x", &st, &one, &e));
	cr_expect_not(prepared_add(&p, "x", &st, &one, &e));
	cr_expect(e.code == ERR_DUPLICATE_STATEMENT);
	cr_assert(portal_add(&p, "x", &st, &portal, &e));
	cr_expect_not(portal_add(&p, "x", &st, &portal, &e));
	cr_expect(e.code == ERR_DUPLICATE_CURSOR);
	portals_free(&p);
}

Test(states, portals_of_a_session_are_bounded)
{
	struct portals p = { .serial = 0 };
	struct statement st = query_of("SELECT 1");
	struct portal *one;
	struct error e;
	bool good = true;
	int n = 0;

	for (; good && n < SESSION_MAX_PORTALS + 1; n++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "p%d", n);
		good = portal_add(&p, name, &st, &one, &e);
	}
	cr_expect_not(good);
	cr_expect(p.n_portals == SESSION_MAX_PORTALS);
	portals_free(&p);
}

/* Cancel keys from a counter: distinct, and predictable for the test. */
static bool count_bytes(void *ctx, uint8_t *out, size_t n)
{
	uint8_t *next = ctx;

	for (size_t i = 0; i < n; i++)
		out[i] = (*next)++;
	return true;
}

Test(states, a_cancel_needs_pid_and_whole_key)
{
	uint8_t next = 1;
	struct cancels *c;
	struct cancel_entry entry = { .pid = 0 };

	cr_assert(cancels_open((struct rng){ count_bytes, &next }, 10, &c));
	cr_assert(cancels_add(c, &entry, 32));
	cr_expect(entry.pid != 0 && entry.pid <= INT32_MAX);
	uint8_t key[32];
	mem_copy(key, entry.key, 32);
	key[31] ^= 1;
	cancels_request(c, &(struct cancel_msg){ entry.pid, key, 32 });
	cancels_request(c, &(struct cancel_msg){ entry.pid, entry.key, 4 });
	cancels_request(c, &(struct cancel_msg){ entry.pid + 1, entry.key, 32 });
	cr_expect_not(atomic_load(&entry.cancelled));
	cancels_request(c, &(struct cancel_msg){ entry.pid, entry.key, 32 });
	cr_expect(atomic_load(&entry.cancelled) && atomic_load(&entry.reason) == CANCEL_BY_USER);
	cancel_raise(&entry, CANCEL_BY_SHUTDOWN);
	cr_expect(atomic_load(&entry.reason) == CANCEL_BY_USER, "the first reason stays");
	cancel_clear(&entry);
	cr_expect_not(atomic_load(&entry.cancelled));
	cancels_remove(c, &entry);
	cr_expect(entry.pid == 0);
	cancels_close(c);
}

Test(states, cancels_beyond_the_rate_are_dropped)
{
	uint8_t next = 1;
	struct cancels *c;
	struct cancel_entry entry = { .pid = 0 };

	cr_assert(cancels_open((struct rng){ count_bytes, &next }, 10, &c));
	cr_assert(cancels_add(c, &entry, 4));
	const struct cancel_msg wrong = { entry.pid, (const uint8_t *)"\0\0\0\0", 4 }, right = { entry.pid, entry.key, 4 };
	for (int i = 0; i < CANCELS_BURST * 20; i++)
		cancels_request(c, &wrong);
	cancels_request(c, &right);
	cr_expect_not(atomic_load(&entry.cancelled));
	cancels_remove(c, &entry);
	cancels_close(c);
}
