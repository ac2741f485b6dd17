/*
 * Totals of a list of mechanism uses under every accounting method.
 *
 * "Filter" methods hold for an analyst who chooses each query after seeing the last answer (reference B12): pure (sum of epsilons), approx (sums of both),
 * zcdp (sum of exact rho prices, deltas as approximate zCDP, converted once).  The others hold only for a list fixed in advance and are information:
 * a budget must never be enforced by them.  Each total is an upper bound (rounded up).
 */
#ifndef NG_MECHANISMS_COMPOSE_H
#define NG_MECHANISMS_COMPOSE_H

#include "base/error.h"
#include "base/units.h"

enum use_kind {
	USE_PURE,          /* any epsilon-DP mechanism */
	USE_APPROX,        /* any (epsilon, delta)-DP mechanism, group selection included */
	USE_BOUNDED_RANGE, /* epsilon-bounded-range (exponential mechanism): epsilon-DP, epsilon^2/8-zCDP (Cesar, Rogers 2020, arXiv 2004.07223) */
	USE_LAPLACE,       /* Laplace noise, epsilon-DP for a change by `steps` of its lattice (0: continuous) */
	USE_GAUSSIAN,      /* Gaussian noise of a known rho = (l2 sensitivity / sigma)^2 / 2 */
	USE_ZCDP           /* any (delta-approximate) rho-zCDP mechanism */
};

struct use {
	enum use_kind kind;
	uint64_t count;     /* at least 1, at most USES_MAX */
	struct eps epsilon; /* all but GAUSSIAN and ZCDP: above 0 */
	struct delta delta; /* APPROX; ZCDP: may be 0 */
	struct rho rho;     /* GAUSSIAN, ZCDP: above 0; filled by compose_price for all others */
	uint64_t steps;     /* LAPLACE */
};

#define USES_MAX UINT64_C(1000000000)

struct total {
	bool defined;       /* the list has a total under this method at this delta */
	struct eps epsilon; /* rounded up */
	double order;       /* rdp: the Renyi order that gives it */
};

struct totals {
	uint64_t uses;
	struct eps epsilon; /* sum over those that have one */
	struct delta delta; /* sum of the mechanisms' own deltas */
	struct rho rho;
	struct total pure;     /* filter; delta 0 */
	struct total approx;   /* filter; Gaussian and zCDP uses share what the deltas leave of the target, equally; without them its delta is the sum */
	struct total zcdp;     /* filter */
	struct total advanced; /* fixed list: Kairouz, Oh, Viswanath 2015 (arXiv 1311.0776), Theorem 3.3 for one (epsilon, delta), 3.5 otherwise */
	struct total rdp;      /* fixed list: best Renyi order of the mechanisms' own curves */
	struct total gdp;      /* Gaussian uses only (continuous law): exact */
};

/* The zCDP price of one use.  ERR_BAD_PARAMETER beyond the unit's range. */
MUST_CHECK bool compose_price(struct use *u, struct error *e);

/* Totals at the target delta (0: only what needs none).  ERR_BAD_PARAMETER when a sum leaves the units' range. */
MUST_CHECK bool compose_total(struct use *uses, size_t n, struct delta target, struct totals *out, struct error *e);

#endif
