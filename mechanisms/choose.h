/*
 * Laplace or Gaussian: the noise with the smaller standard deviation at the same charge, aware of every norm of what one unit can change.
 *
 * Sensitivity: v is the change of the released integer vector when all rows of one unit are added or removed; all norms are exact integers in the units
 * that are noised.  Guarantee: the returned noise, drawn independently for each coordinate, costs at most the stated terms.
 *   pure    only Laplace: b = l1 / epsilon.
 *   approx  Laplace as above (delta unused), or Gaussian: for one coordinate calibrated on the discrete law itself; for more by the zCDP
 *           conversion, as no one-dimensional shortcut is sound for the discrete law.
 *   zcdp    Gaussian: sigma^2 = l2^2 / (2 rho).  Laplace: the scale b at which the worst vector, floor(l1/linf) coordinates of linf and one of the
 *           rest, costs rho in all (its price is convex in |v_i|, so that vector is the worst).
 * Error: noise_deviation() and noise_half_width().  Source: reference B5; Canonne, Kamath, Steinke 2020; Harrison, Manurangsi 2026.
 */
#ifndef NG_MECHANISMS_CHOOSE_H
#define NG_MECHANISMS_CHOOSE_H

#include "base/error.h"
#include "base/units.h"
#include "mechanisms/noise.h"

struct sensitivity {
	u128 l0;         /* coordinates that one unit can change */
	u128 l1;         /* sum of |v_i| */
	u128 l2_squared; /* sum of v_i^2 */
	u128 linf;       /* max |v_i| */
};

enum choose_account { CHOOSE_PURE, CHOOSE_APPROX, CHOOSE_ZCDP };

struct choose_terms {
	enum choose_account account;
	struct eps epsilon; /* pure, approx */
	struct delta delta; /* approx */
	struct rho rho;     /* zcdp */
};

struct choice {
	bool has_laplace, has_gaussian;
	struct noise laplace, gaussian;
	bool gaussian_wins; /* of those that exist, the smaller deviation; Laplace on a tie */
};

/*
 * Fills norms that are 0 (unknown) and lowers those that the others imply: linf <= l1 <= l0 linf, l2^2 <= l1 linf, linf^2 <= l2^2, and so on.  l0 and linf
 * that are both unknown follow from l1 or l2.  ERR_BAD_PARAMETER when nothing bounds the vector, or a product leaves 128 bits.
 */
MUST_CHECK bool sensitivity_complete(struct sensitivity *s, struct error *e);

/* Both candidates and the better one.  ERR_BAD_PARAMETER when neither can be had within the samplers' range. */
MUST_CHECK bool choose_noise(const struct sensitivity *s, const struct choose_terms *t, struct choice *out, struct error *e);

/* The Laplace scale alone for a zCDP price, s complete: as above; b is rounded up to a fraction with denominator 2^20 or less. */
MUST_CHECK bool choose_laplace_zcdp(const struct sensitivity *s, struct rho rho, struct noise *out, struct error *e);

#endif
