/*
 * Who may cancel what: the cancel keys of all sessions, and CancelRequest.  Thread-safe.  What must hold: a request behaves the same whatever it
 * names (no answer, one look-up), so it tells nothing about which sessions exist; a storm of requests is cut off by rate.
 */
#ifndef NG_PROXY_CANCEL_H
#define NG_PROXY_CANCEL_H

#include "base/random.h"
#include "proxy/wire_in.h"
#include "proxy/wire_limits.h"

#include <stdatomic.h>

struct cancels;

enum cancel_reason { CANCEL_NONE, CANCEL_BY_USER, CANCEL_BY_TIMEOUT, CANCEL_BY_SHUTDOWN };

/* Part of a session. */
struct cancel_entry {
	struct cancel_entry *next; /* within its bucket */
	uint32_t pid;              /* 0: not registered */
	uint8_t key[WIRE_KEY_MAX];
	size_t key_length;
	atomic_bool cancelled; /* what the engine watches */
	atomic_int reason;     /* the first enum cancel_reason since the last clear */
};

/* Keys are drawn from rng.  sessions: about how many at most. */
MUST_CHECK bool cancels_open(struct rng rng, size_t sessions, struct cancels **out);
void cancels_close(struct cancels *c);

/* Draws pid (unique, random, positive) and a key of key_length bytes (4 or 32). */
MUST_CHECK bool cancels_add(struct cancels *c, struct cancel_entry *entry, size_t key_length);
void cancels_remove(struct cancels *c, struct cancel_entry *entry); /* harmless when not registered */

void cancels_request(struct cancels *c, const struct cancel_msg *m);

void cancel_raise(struct cancel_entry *entry, enum cancel_reason reason);
void cancel_clear(struct cancel_entry *entry);

#endif
