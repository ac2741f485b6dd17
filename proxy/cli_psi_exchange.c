#include "proxy/cli_psi_exchange.h"

#include "base/mem.h"
#include "mechanisms/calibrate.h"

enum { CHUNK = 2048, HELLO = 65, READY = 0, RESULT = 8 };

static const uint8_t magic[8] = { 'N', 'G', 'P', 'S', 'I', 0, 0, 1 }; /* and version */

bool psi_prepare(struct psi_exchange *x, const struct psi_values *values, struct error *e)
{
	struct psi_list l = { .session = &x->mine.session, .values = values, .bound = x->mine.bound };
	struct shifted dummies;

	if (values->n > x->mine.bound) {
		(void)fail(e, ERR_BAD_PARAMETER, "the set has more than %lu distinct values, the bound that the peer is told", (unsigned long)x->mine.bound);
		return error_hint(e, "Choose a bound that the set will not reach in the next months: a changed bound tells the peer that it grew.");
	}
	if (x->mine.role == PSI_JOIN) {
		if (!shifted_calibrate(x->mine.epsilon, x->mine.delta, PSI_DUMMIES_MAX / 2, &dummies, e) ||
		    !shifted_sample(&dummies, x->rng, &x->chosen, e))
			return false;
		x->mine.shift = (uint32_t)dummies.shift;
		l.dummies = 2 * dummies.shift;
		l.chosen = x->chosen;
	}
	x->n_points = l.bound + l.dummies;
	x->points = mem_alloc(x->n_points, PSI_POINT);
	if (!x->points)
		return fail_memory(e);
	return (psi_exponent(x->rng, &x->exponent) || fail(e, ERR_CRYPTO, "could not draw an exponent")) &&
	       psi_list_make(&l, x->rng, &x->exponent, x->points, e);
}

void psi_exchange_free(struct psi_exchange *x)
{
	mem_free(x->points);
	x->points = NULL;
	secret_wipe(&x->exponent, sizeof(x->exponent));
	secret_wipe(&x->chosen, sizeof(x->chosen));
}

/* --- terms --- */

static bool send_hello(const struct psi_exchange *x, struct psi_channel *c, struct error *e)
{
	struct wr w;

	wr_init_heap(&w, HELLO);
	wr_put(&w, magic, sizeof(magic));
	wr_u8(&w, (uint8_t)x->mine.role);
	wr_put(&w, x->mine.session.digest, SHA256_SIZE);
	wr_u32(&w, x->mine.bound);
	wr_u32(&w, x->mine.shift);
	wr_u64(&w, x->mine.epsilon.pico);
	wr_u64(&w, x->mine.delta.atto);
	BUG_IF(wr_ok(&w) && w.n != HELLO);
	bool ok = wr_ok(&w) ? psi_send(c, PSI_HELLO, w.p, w.n, e) : fail_memory(e);
	wr_free(&w);
	return ok;
}

static bool check_terms(const struct psi_exchange *x, struct error *e)
{
	const struct psi_terms *p = &x->peer;

	if (p->role == x->mine.role)
		return fail(e, ERR_PROTOCOL, "both sides %s: one must serve and the other join", p->role == PSI_JOIN ? "join" : "serve");
	if (!mem_equal(p->session.digest, x->mine.session.digest, SHA256_SIZE)) {
		(void)fail(e, ERR_PROTOCOL, "the peer named another session");
		return error_hint(e, "Both sides must give the same --session; without it, it is the collaboration of the policy.");
	}
	if (p->bound == 0 || p->bound > PSI_SET_MAX)
		return fail(e, ERR_PROTOCOL, "the peer's bound %lu is not from 1 to %d", (unsigned long)p->bound, (int)PSI_SET_MAX);
	if (p->epsilon.pico == 0 || p->epsilon.pico > UNIT_MAX || p->delta.atto >= DELTA_ONE)
		return fail(e, ERR_PROTOCOL, "the peer's epsilon or delta is out of range");
	if (p->role == PSI_JOIN ? p->shift == 0 || p->shift > PSI_DUMMIES_MAX / 2 : p->shift != 0)
		return fail(e, ERR_PROTOCOL, "the peer's number of dummies is out of range");
	return true;
}

static bool receive_hello(struct psi_exchange *x, struct psi_channel *c, struct error *e)
{
	uint8_t text[HELLO];

	if (!psi_receive(c, PSI_HELLO, text, sizeof(text), e))
		return false;
	struct rd r = rd_of(text, sizeof(text));
	const uint8_t *m = rd_take(&r, sizeof(magic));
	const uint8_t role = rd_u8(&r);
	mem_copy(x->peer.session.digest, rd_take(&r, SHA256_SIZE), SHA256_SIZE); /* psi_receive gave them all */
	x->peer.bound = rd_u32(&r);
	x->peer.shift = rd_u32(&r);
	x->peer.epsilon.pico = rd_u64(&r);
	x->peer.delta.atto = rd_u64(&r);
	if (!rd_end(&r) || !mem_equal(m, magic, sizeof(magic)) || (role != PSI_SERVE && role != PSI_JOIN))
		return fail(e, ERR_PROTOCOL, "the peer speaks another protocol, or another version of this one");
	x->peer.role = role == PSI_SERVE ? PSI_SERVE : PSI_JOIN;
	return check_terms(x, e) && calibrate_laplace(1, x->peer.epsilon, &x->peer_noise, e);
}

static bool agree(struct psi_exchange *x, struct psi_channel *c, struct error *e)
{
	const bool joins = x->mine.role == PSI_JOIN;

	if (joins && !send_hello(x, c, e))
		return false;
	if (!receive_hello(x, c, e)) {
		psi_refuse(c, PSI_REFUSE_TERMS);
		return false;
	}
	if (joins)
		return psi_send(c, PSI_READY, "", READY, e);
	return send_hello(x, c, e) && psi_receive(c, PSI_READY, NULL, READY, e);
}

static bool charge(struct psi_exchange *x, struct psi_channel *c, struct error *e)
{
	if (x->charge(x->ctx, e))
		return true;
	psi_refuse(c, e->code == ERR_BUDGET ? PSI_REFUSE_BUDGET : PSI_REFUSE_FAILED);
	return false;
}

/* --- lists --- */

static bool send_points(struct psi_channel *c, enum psi_frame type, uint8_t (*points)[PSI_POINT], size_t n, struct error *e)
{
	for (size_t at = 0; at < n; at += CHUNK) {
		size_t k = n - at < CHUNK ? n - at : CHUNK;
		if (!psi_send(c, type, points[at], k * PSI_POINT, e))
			return false;
	}
	return true;
}

static bool send_dummies(const struct psi_exchange *x, struct psi_channel *c, struct error *e)
{
	const size_t n = 2 * (size_t)x->peer.shift;
	uint8_t (*points)[PSI_POINT] = mem_alloc(CHUNK, PSI_POINT);
	bool ok = points || fail_memory(e);

	for (size_t at = 0; ok && at < n; at += CHUNK) {
		size_t k = n - at < CHUNK ? n - at : CHUNK;
		ok = psi_dummies_make(&x->mine.session, at, k, &x->exponent, points, e) && psi_send(c, PSI_DUMMIES, points, k * PSI_POINT, e);
	}
	mem_free(points);
	return ok;
}

/* Reads n points and makes their tags as they come: work and transport overlap, and no side is silent for long. */
static bool receive_points(const struct psi_exchange *x, struct psi_channel *c, enum psi_frame type, size_t n, struct psi_tag *tags, struct error *e)
{
	uint8_t (*points)[PSI_POINT] = mem_alloc(CHUNK, PSI_POINT);
	bool ok = points || fail_memory(e);

	for (size_t at = 0; ok && at < n; at += CHUNK) {
		size_t k = n - at < CHUNK ? n - at : CHUNK;
		ok = psi_receive(c, type, points, k * PSI_POINT, e) &&
		     psi_tags_make((const uint8_t(*)[PSI_POINT])points, k, &x->exponent, tags + at, e);
	}
	mem_free(points);
	return ok;
}

static bool send_tags(struct psi_channel *c, const struct psi_tag *tags, size_t n, struct error *e)
{
	bool ok = true;
	struct wr w;

	wr_init_heap(&w, (size_t)CHUNK * PSI_TAG);
	for (size_t at = 0; ok && at < n; at++) {
		wr_u64(&w, tags[at].high);
		wr_u64(&w, tags[at].low);
		if ((at + 1) % CHUNK != 0 && at + 1 < n)
			continue;
		ok = wr_ok(&w) ? psi_send(c, PSI_TAGS, w.p, w.n, e) : fail_memory(e);
		wr_clear(&w);
	}
	wr_free(&w);
	return ok;
}

static bool receive_tags(struct psi_channel *c, struct psi_tag *tags, size_t n, struct error *e)
{
	uint8_t *bytes = mem_alloc(CHUNK, PSI_TAG);
	bool ok = bytes || fail_memory(e);

	for (size_t at = 0; ok && at < n; at += CHUNK) {
		size_t k = n - at < CHUNK ? n - at : CHUNK;
		ok = psi_receive(c, PSI_TAGS, bytes, k * PSI_TAG, e);
		struct rd r = rd_of(bytes, k * PSI_TAG);
		for (size_t i = at; ok && i < at + k; i++) {
			tags[i].high = rd_u64(&r);
			tags[i].low = rd_u64(&r);
		}
	}
	mem_free(bytes);
	return ok;
}

/* --- the two sides --- */

/* The count that the joining side's dummies raise is all that is seen here; what goes out has this side's noise on top. */
static bool release(struct psi_exchange *x, struct psi_channel *c, int64_t raised, struct error *e)
{
	struct noise law;
	i128 noise;
	struct wr w;

	if (!calibrate_laplace(1, x->mine.epsilon, &law, e) || !noise_sample(&law, x->rng, &noise, e))
		return false;
	noise += raised;
	if (noise < INT64_MIN / 2 || noise > INT64_MAX / 2)
		return fail(e, ERR_OUT_OF_RANGE, "the noised count is out of range");
	wr_init_heap(&w, RESULT);
	wr_u64(&w, (uint64_t)(int64_t)noise);
	bool ok = wr_ok(&w) ? psi_send(c, PSI_RESULT, w.p, w.n, e) : fail_memory(e);
	wr_free(&w);
	x->overlap = raised - (int64_t)x->peer.shift;
	x->released = (int64_t)noise;
	return ok;
}

static bool serve(struct psi_exchange *x, struct psi_channel *c, struct error *e)
{
	const size_t dummies = 2 * (size_t)x->peer.shift, n_theirs = x->peer.bound + dummies, n_ours = x->mine.bound + dummies;

	if (!charge(x, c, e) || !send_points(c, PSI_ITEMS, x->points, x->n_points, e) || !send_dummies(x, c, e))
		return false;
	struct psi_tag *theirs = mem_alloc(n_theirs, sizeof(*theirs)), *ours = mem_alloc(n_ours, sizeof(*ours));
	bool ok = (theirs && ours) || fail_memory(e);
	ok = ok && receive_points(x, c, PSI_ITEMS, n_theirs, theirs, e) && receive_tags(c, ours, n_ours, e) && psi_tags_sort(theirs, n_theirs, e) &&
	     psi_tags_sort(ours, n_ours, e) && release(x, c, (int64_t)psi_tags_common(theirs, n_theirs, ours, n_ours), e);
	mem_free(theirs);
	mem_free(ours);
	return ok;
}

static bool join(struct psi_exchange *x, struct psi_channel *c, struct error *e)
{
	const size_t dummies = 2 * (size_t)x->mine.shift, n = x->peer.bound + dummies;
	struct psi_tag *tags = mem_alloc(n, sizeof(*tags));
	uint8_t result[RESULT];

	/* sorted, tags tell nothing of which point they belong to */
	bool ok = (tags || fail_memory(e)) && receive_points(x, c, PSI_ITEMS, x->peer.bound, tags, e) &&
		  receive_points(x, c, PSI_DUMMIES, dummies, tags + x->peer.bound, e) && psi_tags_sort(tags, n, e) && charge(x, c, e) && send_points(c, PSI_ITEMS, x->points, x->n_points, e) && send_tags(c, tags, n, e) &&
		  psi_receive(c, PSI_RESULT, result, sizeof(result), e);
	mem_free(tags);
	if (!ok)
		return false;
	struct rd r = rd_of(result, sizeof(result));
	const int64_t noised = (int64_t)rd_u64(&r);
	if (noised < INT64_MIN / 2 || noised > INT64_MAX / 2)
		return fail(e, ERR_PROTOCOL, "the peer's result is out of range");
	x->overlap = noised - (int64_t)x->chosen;
	return true;
}

bool psi_exchange(struct psi_exchange *x, struct psi_channel *c, struct error *e)
{
	if (agree(x, c, e) && (x->mine.role == PSI_JOIN ? join : serve)(x, c, e))
		return true;
	psi_refuse(c, e->code == ERR_PROTOCOL ? PSI_REFUSE_PROTOCOL : PSI_REFUSE_FAILED);
	return false;
}
