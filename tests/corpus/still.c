/*
 * Linked into a test binary only, in place of the samplers and the threshold test (ld --wrap): the noise is zero and every group passes, so that what a
 * plan computes can be compared with plain PostgreSQL.  The product has no switch for it.
 */
#include "mechanisms/clip.h"
#include "mechanisms/draws.h"
#include "mechanisms/select.h"

bool __wrap_draws_sample(struct draws *d, const struct noise *n, i128 *out, struct error *e);
bool __wrap_noise_sample(const struct noise *n, const struct rng *r, i128 *out, struct error *e);
bool __wrap_clip_choose(const struct clip *c, const i128 above[CLIP_STEPS_MAX], const struct rng *r, size_t *chosen, struct error *e);
bool __wrap_select_threshold(const struct noise *n, uint64_t groups, struct delta delta, i128 *out, struct error *e);
bool __wrap_select_draw(const struct select_law *law, const struct select_table *t, i128 units, const struct rng *r, bool *keep, struct error *e);

bool __wrap_draws_sample(struct draws *d, const struct noise *n, i128 *out, struct error *e)
{
	(void)d;
	(void)n;
	(void)e;
	*out = 0;
	return true;
}

bool __wrap_noise_sample(const struct noise *n, const struct rng *r, i128 *out, struct error *e)
{
	(void)n;
	(void)r;
	(void)e;
	*out = 0;
	return true;
}

/* The cap: nothing is clamped away. */
bool __wrap_clip_choose(const struct clip *c, const i128 above[CLIP_STEPS_MAX], const struct rng *r, size_t *chosen, struct error *e)
{
	(void)above;
	(void)r;
	(void)e;
	*chosen = c->steps - 1;
	return true;
}

bool __wrap_select_threshold(const struct noise *n, uint64_t groups, struct delta delta, i128 *out, struct error *e)
{
	(void)n;
	(void)groups;
	(void)delta;
	(void)e;
	*out = 1;
	return true;
}

bool __wrap_select_draw(const struct select_law *law, const struct select_table *t, i128 units, const struct rng *r, bool *keep, struct error *e)
{
	(void)law;
	(void)t;
	(void)r;
	(void)e;
	*keep = units >= 1;
	return true;
}
