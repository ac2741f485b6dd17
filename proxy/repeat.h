/*
 * Repeats are free: the same question of the same member is answered with what was released to it before, while its data is declared unchanged.
 *
 * A question is its plan, not its text: the statements that go upstream with their parameters, the noise, the domains and the thresholds of every noised block, and
 * what each account would pay.  White space, aliases, output columns, ORDER BY, HAVING and everything else that is evaluated over released rows make no
 * other question.  now() is a parameter, so it makes another question each time it differs; current_date, once a day.
 *
 * What must hold:
 * (1) Whatever changes the law of a released row changes the digest: epsilon, delta, mechanism, bounds, grids, contribution, source relation, parameters,
 *     the time zone, the upstream, the analyst (whose accounts paid), and the confidence where an interval is released.
 * (2) Rows without noise are never kept: they are read again.
 * (3) The version is read before the question is asked, over public tables only.
 */
#ifndef NG_PROXY_REPEAT_H
#define NG_PROXY_REPEAT_H

#include "budget/answers.h"
#include "proxy/engine.h"

/* One plan of one statement, between repeat_begin and repeat_end. */
struct repeat {
	struct answers *answers; /* NULL: nothing to keep */
	struct answer_key key;
	bool found;              /* released[] of the noised blocks are filled in */
	uint8_t version[SHA256_SIZE]; /* of the data, read once a statement */
	const struct released **noised; /* room for one a noised block */
	size_t n;
};

/* True when the policy's version query, if there is one, reads public tables only; ERR_CONFIG otherwise.  Needs no upstream. */
MUST_CHECK bool repeat_check(const struct policy *p, struct error *e);

/*
 * Looks the plan up, waiting while another session asks the same.  released: one a block.  False: *e, and nothing to end.  Fills *out; when nothing was
 * found the caller asks, and calls repeat_end.  before: of an earlier plan of the same statement, or NULL: then a connection may be held, and nothing here
 * waits for another session or takes another connection.
 */
MUST_CHECK bool repeat_begin(struct engine *g, const struct session_view *v, const struct plan *plan, struct arena *a,
			     const struct repeat *before, const struct released **released, struct repeat *out, struct error *e);

/* released NULL: it failed, or must not be given again.  Harmless when there is nothing to end. */
void repeat_end(struct repeat *r, const struct plan *plan, const struct released *const *released);

/* True when asking the plan now would be free. */
MUST_CHECK bool repeat_known(struct engine *g, const struct session_view *v, const struct plan *plan, struct arena *a);

#endif
