#include "mechanisms/clip.h"

#include "mechanisms/bits.h"
#include "mechanisms/calibrate.h"
#include "mechanisms/loss.h"

#include <math.h>

/*
 * Of a sum's price the bound takes one part in BOUND_SHARE (of rho, which grows with the square of the noise it saves, one in BOUND_SHARE_RHO), and of that the test of
 * enough units one in TEST_SHARE; it allows for so many scales of its noise.  Each step up halves a bound's chance so often.
 */
enum { BOUND_SHARE = 4, BOUND_SHARE_RHO = 16, TEST_SHARE = 4, ENOUGH_SCALES = 3, HALVINGS = 1, HALVINGS_RHO = 2 };

/* One try in CLIP_STEPS_MAX keeps at least: so many in vain have a probability below 2^-1000, and the source is not random. */
enum { TRIES_MAX = 100000 };

/* 2^n and halfway to the next, in turn, not minding the cap. */
static i128 ladder(unsigned first, size_t i)
{
	const i128 power = (i128)1 << (first + i / 2);

	return i % 2 ? power + power / 2 : power;
}

static size_t steps_to(unsigned first, i128 cap)
{
	size_t n = 1;

	while (ladder(first, n - 1) < cap)
		n++;
	return n;
}

void clip_bounds(i128 cap, struct clip *out)
{
	BUG_IF(cap < 1 || cap > CLIP_CAP_MAX);
	out->cap = cap;
	out->first = 1;
	while ((out->steps = steps_to(out->first, cap)) > CLIP_STEPS_MAX)
		out->first++;
}

i128 clip_bound(const struct clip *c, size_t i)
{
	BUG_IF(i >= c->steps);
	return i + 1 == c->steps ? c->cap : ladder(c->first, i);
}

bool clip_noise(const struct clip *c, i128 bound, struct noise *out, struct error *e)
{
	u128 l1, l2;

	if (__builtin_mul_overflow((u128)bound, (u128)c->groups, &l1) || __builtin_mul_overflow(l1, (u128)bound, &l2))
		return fail(e, ERR_BAD_PARAMETER, "the sensitivity is too large");
	return c->gaussian ? calibrate_gaussian(l2, c->rho, out, e) : calibrate_laplace(l1, c->epsilon, out, e);
}

bool clip_plan(i128 cap, const struct clip_price *price, struct clip *out, struct error *e)
{
	struct clip c = { .groups = price->groups, .gaussian = price->gaussian };
	const struct eps share = { price->epsilon.pico / BOUND_SHARE };
	const struct rho share_rho = { price->rho.pico / BOUND_SHARE_RHO };
	struct eps test = { share.pico / TEST_SHARE };
	struct noise most;

	clip_bounds(cap, &c);
	c.rho.pico = price->rho.pico - share_rho.pico;
	c.epsilon.pico = price->epsilon.pico - share.pico;
	c.choice.pico = share.pico - test.pico;
	if (price->gaussian) {
		test = loss_pure_of_rho((struct rho){ share_rho.pico / TEST_SHARE });
		c.choice = loss_range_of_rho((struct rho){ share_rho.pico - share_rho.pico / TEST_SHARE });
	}
	if (c.choice.pico == 0)
		return fail(e, ERR_BAD_PARAMETER, "epsilon is too small to find a bound for a sum");
	if (!calibrate_laplace(price->groups, test, &c.test, e) || !clip_noise(&c, cap, &most, e))
		return false;
	c.penalty = (i128)ceil((price->gaussian ? HALVINGS_RHO : HALVINGS) * log(2) * (double)price->groups / eps_double(c.choice));
	c.enough = c.penalty * (i128)c.steps + (i128)(ENOUGH_SCALES * c.test.num / c.test.den);
	*out = c;
	return true;
}

/* --- what the upstream counted ---------------------------------------------------------------------------------------------------- */

static bool bad_cell(struct error *e)
{
	return fail(e, ERR_UPSTREAM, "the upstream could not run the query");
}

/* An integer up to `end`, which is stepped over; 0 ends the text. */
static bool read_integer(const char **s, char end, i128 *out)
{
	const bool negative = **s == '-';
	i128 v = 0;

	*s += negative;
	const char *from = *s;
	for (; **s >= '0' && **s <= '9'; (*s)++) {
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, **s - '0', &v))
			return false;
	}
	if (*s == from || **s != end)
		return false;
	*s += end != '\0';
	*out = negative ? -v : v;
	return true;
}

bool clip_read(const struct clip *c, const char *cell, struct clip_buckets *out, struct error *e)
{
	const i128 most = (i128)1 << 100;
	i128 before = -1;

	*out = (struct clip_buckets){ 0 };
	for (const char *s = cell; s && *s;) {
		i128 bucket, count, total, sign;
		if (!read_integer(&s, ':', &bucket) || !read_integer(&s, ':', &count) || !read_integer(&s, ':', &total))
			return bad_cell(e);
		const bool last = strchr(s, ',') == NULL;
		if (!read_integer(&s, last ? '\0' : ',', &sign) || (!last && *s == '\0') || bucket <= before || bucket >= (i128)c->steps)
			return bad_cell(e);
		const i128 reach = clip_bound(c, (size_t)bucket);
		if (count < 1 || count > (i128)1 << 40 || total > most || total < -most || sign > count || sign < -count || total > count * reach || total < -count * reach)
			return bad_cell(e);
		out->count[bucket] = count;
		out->total[bucket] = total;
		out->sign[bucket] = sign;
		before = bucket;
	}
	return true;
}

bool clip_count_above(const struct clip *c, const struct clip_buckets *b, i128 above[CLIP_STEPS_MAX], struct error *e)
{
	i128 beyond = 0;

	for (size_t i = c->steps; i-- > 0; beyond += b->count[i]) {
		if (__builtin_add_overflow(above[i], beyond, &above[i]))
			return bad_cell(e);
	}
	return true;
}

bool clip_sum(const struct clip *c, const struct clip_buckets *b, size_t i, i128 *out, struct error *e)
{
	const i128 bound = clip_bound(c, i);
	i128 sum = 0;

	for (size_t j = 0; j < c->steps; j++) {
		i128 more = b->total[j];
		if ((j > i && __builtin_mul_overflow(b->sign[j], bound, &more)) || __builtin_add_overflow(sum, more, &sum))
			return bad_cell(e);
	}
	*out = sum;
	return true;
}

/* --- the choice --------------------------------------------------------------------------------------------------------------------- */

/* Whether a bound whose score is `excess` above the least is kept: with probability exp(-choice excess / groups).  An exponent beyond 2^128 is taken as 2^128. */
static bool keep(const struct clip *c, u128 excess, struct bits *b, bool *kept)
{
	u128 exponent;

	if (__builtin_mul_overflow(excess, (u128)c->choice.pico, &exponent))
		exponent = ~(u128)0;
	return bits_bernoulli_exp(b, exponent, (u128)c->groups * EPS_ONE, kept);
}

/* Proposed uniformly and kept with the weight relative to the best's, until one is. */
static bool draw_step(const struct clip *c, const i128 *scores, i128 least, struct bits *b, size_t *out)
{
	for (int tries = 0; tries < TRIES_MAX; tries++) {
		u128 i;
		bool kept;
		if (!bits_below(b, c->steps, &i) || !keep(c, (u128)(scores[i] - least), b, &kept))
			return false;
		if (kept) {
			*out = (size_t)i;
			return true;
		}
	}
	return false;
}

bool clip_choose(const struct clip *c, const i128 above[CLIP_STEPS_MAX], const struct rng *r, size_t *chosen, struct error *e)
{
	i128 scores[CLIP_STEPS_MAX], noise, least = 0;
	struct bits b;

	*chosen = c->steps - 1;
	if (!noise_sample(&c->test, r, &noise, e))
		return false;
	if (above[0] + noise < c->enough)
		return true;
	for (size_t i = 0; i < c->steps; i++) {
		scores[i] = above[i] + c->penalty * (i128)i;
		least = i == 0 || scores[i] < least ? scores[i] : least;
	}
	bits_begin(&b, r);
	const bool ok = draw_step(c, scores, least, &b, chosen);
	bits_end(&b);
	return ok || fail(e, ERR_INTERNAL, "the random source failed");
}
