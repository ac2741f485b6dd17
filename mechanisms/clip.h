/*
 * A bound on what one unit adds to a sum, found privately, for when no tight one is known.
 *
 * Inputs: per-unit (and group) sums c, integers in grid units with |c| <= cap, counted by magnitude: one pass of the upstream gives, for each of the bounds
 * 2, 3, 4, 6, 8, 12, ..., cap, how many sums lie in its bucket and what they add up to.  From that follow q(i), how many exceed bound i in magnitude, and
 * S(i), the sum of all clamped to [-bound i, bound i].
 *
 * Mechanism, in two steps.  (1) Are there enough units?  q(0) + Laplace(groups/e1) must reach `enough`; among fewer no bound could be found that is not far too
 * low, and error bars that follow from it would promise too much: then the declared cap stays.  (2) Bound i with a probability proportional to
 * exp(-e2 (q(i) + penalty i) / groups): the exponential mechanism, drawn exactly.
 *   Guarantee: e1 + e2; in zCDP the price of e1 as a pure mechanism, and e2^2/8.  One unit changes every q(i) by at most `groups`, all in the same direction (adding or removing all
 *   of its sums), so all weights change by factors within [1, e^e2], or all within [e^-e2, 1]; the logarithms of the changes of all probabilities then lie within e2 of each other, with 0
 *   among them: that is e2-DP and of range e2 (McSherry, Talwar 2007; for the range Cesar, Rogers 2020, arXiv 2004.07223).  Penalties are public.
 *   Then S(chosen) is released with the noise for a change of at most its bound in each group.
 * Not for outer joins from which one owner's rows alone may leave: there a unit's sums may move both ways.
 *
 * Error: penalty = h groups ln 2 / e2, so that each step too high has 2^-h of the chance of the one below: a bound 2^k times too high, 2k steps, has 4^-(hk); h is 1 for a price in epsilon, and 2 for one
 * in rho, which buys the choice for less.  A bound is too low only where fewer than about two penalties of sums (ten groups/epsilon) lie above it.  With bound 3/2 B at most where B is the largest sum, the noise is (3/2)/(3/4) = 2 times that of knowing B; the declared cap
 * does not matter.  (Race to the top, Dong et al. 2022, answers the largest S(i) less its penalty with L times the noise for L bounds, for L = 37 some hundred times the
 * error; the sparse vector technique overshoots by many steps in one run out of a hundred, which dominates its mean error; docs/mechanisms.md.)
 */
#ifndef NG_MECHANISMS_CLIP_H
#define NG_MECHANISMS_CLIP_H

#include "base/arena.h"
#include "base/error.h"
#include "base/random.h"
#include "base/units.h"
#include "mechanisms/noise.h"

enum { CLIP_STEPS_MAX = 97 };
#define CLIP_CAP_MAX ((i128)1 << 62)

struct clip {
	i128 cap;       /* 1 .. CLIP_CAP_MAX */
	unsigned first; /* at least 1; the bounds are 2^first, 3/2 2^first, 2 2^first, 3 2^first, ..., the last is cap */
	size_t steps;   /* bounds, 1 .. CLIP_STEPS_MAX */
	uint64_t groups;
	struct noise test;  /* of the number of units */
	i128 enough;
	struct eps choice;  /* of the exponential mechanism */
	i128 penalty;       /* for each step */
	bool gaussian;      /* the noise of the sum, and its price */
	struct eps epsilon;
	struct rho rho;
};

/* What a sum may spend: a quarter of epsilon, or a sixteenth of rho, goes to the bound.  For a unit in at most `groups` groups. */
struct clip_price {
	bool gaussian;
	struct eps epsilon;
	struct rho rho;
	uint64_t groups;
};

/* ERR_BAD_PARAMETER when the price is too small for the samplers' range at the cap. */
MUST_CHECK bool clip_plan(i128 cap, const struct clip_price *price, struct clip *out, struct error *e);

/* Only the bounds of a cap: first and steps. */
void clip_bounds(i128 cap, struct clip *out);

/* Bound i < steps. */
i128 clip_bound(const struct clip *c, size_t i);

/* The noise of a sum whose summands are at most `bound`. */
MUST_CHECK bool clip_noise(const struct clip *c, i128 bound, struct noise *out, struct error *e);

/* What the upstream counted in one group: by bucket, how many sums, their total, and how many positive less negative ones. */
struct clip_buckets {
	i128 count[CLIP_STEPS_MAX], total[CLIP_STEPS_MAX], sign[CLIP_STEPS_MAX];
};

/* "bucket:count:total:sign,..." with ascending buckets below steps; NULL: nothing.  ERR_UPSTREAM (constant text). */
MUST_CHECK bool clip_read(const struct clip *c, const char *cell, struct clip_buckets *out, struct error *e);

/* Adds to above[i], i < steps, the number of sums beyond bound i. */
MUST_CHECK bool clip_count_above(const struct clip *c, const struct clip_buckets *b, i128 above[CLIP_STEPS_MAX], struct error *e);

/* The sum of all summands clamped to bound i. */
MUST_CHECK bool clip_sum(const struct clip *c, const struct clip_buckets *b, size_t i, i128 *out, struct error *e);

/* The choice.  ERR_INTERNAL when the random source fails. */
MUST_CHECK bool clip_choose(const struct clip *c, const i128 above[CLIP_STEPS_MAX], const struct rng *r, size_t *chosen, struct error *e);

#endif
