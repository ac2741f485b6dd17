/* Sets of keys, the order of rounding, estimates by effects against plain least squares, and tables that agree. */
#include "mechanisms/effects.h"
#include "mechanisms/rounding.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

enum { AXES = 5, A = 1, B = 2, C = 4, D = 8 };

static struct lattice lattice_of(const uint32_t *sets, size_t n, const size_t *sizes)
{
	struct lattice l = { .n_axes = AXES, .n = n };

	for (size_t i = 0; i < n; i++)
		l.sets[i] = sets[i];
	for (size_t i = 0; i < AXES; i++)
		l.size[i] = sizes[i];
	return l;
}

static size_t derived_steps(const struct lattice_plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->steps[i].derived;
	return n;
}

static const struct {
	const char *name;
	size_t n;
	uint32_t sets[16];
	int derived; /* -1: cannot be made to agree */
} plans[] = {
	{ "ROLLUP (a, b, c)", 4, { A | B | C, A | B, A, 0 }, 0 },
	{ "CUBE (a, b)", 4, { A | B, A, B, 0 }, 0 },
	{ "a twice", 2, { A, A }, 0 },
	{ "(a), (b)", 2, { A, B }, 0 },
	{ "a, CUBE (b, c)", 4, { A | B | C, A | B, A | C, A }, 0 },
	{ "(a), (b), (c), (d) and all", 5, { A, B, C, D, A | B | C | D }, 0 },
	{ "all pairs of three", 3, { A | B, B | C, A | C }, 0 },
	{ "all pairs of three, and less", 7, { A | B, B | C, A | C, A, B, C, 0 }, 0 },
	{ "a path of pairs, and all", 4, { A | B, B | C, C | D, A | B | C | D }, 0 },
	{ "CUBE (a, b, c)", 8, { 7, 6, 5, 4, 3, 2, 1, 0 }, 1 },
	{ "all triples of four", 4, { A | B | C, A | B | D, A | C | D, B | C | D }, -1 },
	{ "all triples of four, and all", 5, { A | B | C, A | B | D, A | C | D, B | C | D, A | B | C | D }, 2 },
};

Test(lattice, plans_derive_tables_only_where_keys_cross_in_threes)
{
	const size_t sizes[AXES] = { 4, 2, 5, 3, 1 };

	for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
		const struct lattice l = lattice_of(plans[i].sets, plans[i].n, sizes);
		struct lattice_plan p;
		const bool ok = lattice_plan(&l, &p);
		cr_expect(ok == (plans[i].derived >= 0), "%s", plans[i].name);
		cr_expect(!ok || derived_steps(&p) == (size_t)plans[i].derived, "%s: %zu", plans[i].name, derived_steps(&p));
		for (size_t j = 0; ok && j < p.n; j++)
			cr_expect(!p.steps[j].derived || plans[i].derived != 1 || p.steps[j].set == (A | C), "%s: not the sums over the shortest key", plans[i].name);
	}
}

/* --- least squares, written down again as a system of equations over all cells ------------------------------------------------------- */

enum { FULL_MAX = 64 };

static size_t cell_of(const struct lattice *l, uint32_t set, size_t full)
{
	size_t at = 0, rest = full;

	for (size_t i = l->n_axes; i-- > 0; rest /= l->size[i])
		at += (set >> i) & 1 ? rest % l->size[i] * lattice_stride(l, set, i) : 0;
	return at;
}

/* inverse: of sum over tables of X' X / v, with a trace on the diagonal for what no table tells apart; Gauss and Jordan.  n cells. */
static void invert(const struct lattice *l, const double *v, size_t n, long double inverse[FULL_MAX][FULL_MAX])
{
	static long double m[FULL_MAX][2 * FULL_MAX];

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++) {
			m[i][j] = i == j ? 1e-10L : 0;
			m[i][n + j] = i == j;
			for (size_t t = 0; t < l->n; t++)
				m[i][j] += cell_of(l, l->sets[t], i) == cell_of(l, l->sets[t], j) ? 1 / (long double)v[t] : 0;
		}
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 2 * n; j-- > i;)
			m[i][j] /= m[i][i];
		for (size_t k = 0; k < n; k++) {
			const long double x = m[k][i];
			for (size_t j = i; k != i && j < 2 * n; j++)
				m[k][j] -= x * m[i][j];
		}
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++)
			inverse[i][j] = m[i][n + j];
	}
}

/* Random sets of four axes; every tenth time those of the list above. */
static struct lattice random_lattice(struct coins *c, uint64_t i, size_t largest)
{
	uint32_t sets[16];
	size_t sizes[AXES] = { 1, 1, 1, 1, 1 }, n = 2 + coins_next(c) % 5;

	for (size_t j = 0; j < n; j++)
		sets[j] = coins_next(c) % 16;
	for (size_t j = 0; j < 4; j++)
		sizes[j] = 1 + coins_next(c) % largest;
	return i % 4 == 0 ? lattice_of(plans[i / 4 % ARRAY_LEN(plans)].sets, plans[i / 4 % ARRAY_LEN(plans)].n, sizes) : lattice_of(sets, n, sizes);
}

struct numbers {
	struct arena arena;
	i128 *released[LATTICE_SETS_MAX], *whole[LATTICE_SETS_MAX];
	double *off[LATTICE_SETS_MAX];
	struct noise noise[LATTICE_SETS_MAX];
	const struct noise *laws[LATTICE_SETS_MAX];
};

static void make_numbers(struct numbers *x, const struct lattice *l, struct coins *c, i128 from, uint64_t spread)
{
	arena_init(&x->arena, 64 << 20);
	for (size_t t = 0; t < l->n; t++) {
		const size_t cells = lattice_cells(l, l->sets[t]);
		x->released[t] = arena_array(&x->arena, cells, i128);
		x->whole[t] = arena_array(&x->arena, cells, i128);
		x->off[t] = arena_array(&x->arena, cells, double);
		cr_assert(x->released[t] && x->whole[t] && x->off[t]);
		x->noise[t] = (struct noise){ coins_next(c) % 2 ? NOISE_GAUSSIAN : NOISE_LAPLACE, 3 + coins_next(c) % 50, 1 };
		x->laws[t] = &x->noise[t];
		const size_t full = lattice_cells(l, (uint32_t)0x1f);
		for (size_t i = 0; i < cells; i++) /* the same of each cell of all axes, and noise */
			x->released[t][i] = from * (i128)(full / cells) + (i128)(coins_next(c) % (2 * spread + 1)) - (i128)spread;
	}
}

static double variance(const struct noise *n)
{
	return noise_deviation(n) * noise_deviation(n);
}

Test(lattice, estimates_and_their_variances_are_those_of_least_squares)
{
	static long double inverse[FULL_MAX][FULL_MAX];
	struct coins c = { 5 };
	size_t compared = 0;

	for (uint64_t run = 0; run < 300; run++) {
		const struct lattice l = random_lattice(&c, run, 4);
		const size_t full = lattice_cells(&l, (uint32_t)0x1f);
		struct effects_law law[LATTICE_SETS_MAX];
		double v[LATTICE_SETS_MAX];
		long double right[FULL_MAX] = { 0 }, cells[FULL_MAX] = { 0 };
		struct effects f;
		struct numbers x;
		struct error e;
		if (full > FULL_MAX)
			continue;
		make_numbers(&x, &l, &c, 0, 1000);
		cr_assert(effects_open(&f, &l, &x.arena, &e) && effects_estimate(&f, x.laws, x.released, x.off));
		cr_assert(effects_laws(&l, x.laws, &x.arena, law, &e));
		for (size_t t = 0; t < l.n; t++) {
			v[t] = variance(&x.noise[t]);
			for (size_t i = 0; i < full; i++)
				right[i] += (long double)x.released[t][cell_of(&l, l.sets[t], i)] / (long double)v[t];
		}
		invert(&l, v, full, inverse);
		for (size_t i = 0; i < full; i++) {
			for (size_t j = 0; j < full; j++)
				cells[i] += inverse[i][j] * right[j];
		}
		for (size_t t = 0; t < l.n; t++) {
			for (size_t at = 0; at < lattice_cells(&l, l.sets[t]); at++) {
				long double want = 0, want_variance = 0;
				for (size_t i = 0; i < full; i++) {
					want += cell_of(&l, l.sets[t], i) == at ? cells[i] : 0;
					for (size_t j = 0; j < full; j++)
						want_variance += cell_of(&l, l.sets[t], i) == at && cell_of(&l, l.sets[t], j) == at ? inverse[i][j] : 0;
				}
				const double have = (double)x.released[t][at] + x.off[t][at], least = (double)want, least_variance = (double)want_variance;
				cr_expect(fabs(have - least) < 0.01, "run %d, set %zu, cell %zu: %g, not %g", (int)run, t, at, have, least);
				cr_expect(fabs(law[t].variance / least_variance - 1) < 1e-4, "run %d, set %zu: variance %g, not %g", (int)run, t, law[t].variance, least_variance);
				compared++;
			}
			bool laplace = false;
			for (size_t r = 0; r < l.n; r++)
				laplace = laplace || x.noise[r].kind == NOISE_LAPLACE;
			cr_expect(law[t].fourth >= 0 && (laplace || law[t].fourth == 0) && law[t].fourth <= 3 * law[t].variance * law[t].variance * (1 + 1e-9));
		}
		arena_reset(&x.arena);
	}
	cr_expect(compared > 3000, "%zu", compared);
}

/* --- tables that agree ---------------------------------------------------------------------------------------------------------------- */

/* The sums of two tables over what they share are the same. */
static bool agree(const struct lattice *l, const struct numbers *x, size_t t, size_t r)
{
	const uint32_t both = l->sets[t] & l->sets[r];
	static i128 sums[2][4096];
	const size_t of[] = { t, r };
	bool same = true;

	for (size_t k = 0; k < 2; k++) {
		struct arena a;
		arena_init(&a, 1 << 20);
		const size_t n = lattice_cells(l, both), m = lattice_cells(l, l->sets[of[k]] & ~both);
		const size_t *at = lattice_places(l, l->sets[of[k]], both, &a), *rest = lattice_places(l, l->sets[of[k]], l->sets[of[k]] & ~both, &a);
		cr_assert(at && rest && n <= 4096);
		for (size_t i = 0; i < n; i++) {
			sums[k][i] = 0;
			for (size_t j = 0; j < m; j++)
				sums[k][i] += x->whole[of[k]][at[i] + rest[j]];
			same = same && (k == 0 || sums[0][i] == sums[1][i]);
		}
		arena_reset(&a);
	}
	return same;
}

static bool is_derived(const struct lattice_plan *p, uint32_t set)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->steps[i].set == set && p->steps[i].derived)
			return true;
	}
	return false;
}

/* Estimates, rounds, and looks whether all agree.  largest: how far a cell that is not derived was rounded, in grid units. */
static void check_rounding(const struct lattice *l, const struct lattice_plan *p, struct numbers *x, struct coins *c, double *largest)
{
	struct rounding *r;
	struct effects f;
	struct error e;

	cr_assert(effects_open(&f, l, &x->arena, &e) && effects_estimate(&f, x->laws, x->released, x->off));
	cr_assert(rounding_open(l, p, &x->arena, &r, &e) && rounding_run(r, x->released, x->off, c, x->whole));
	for (size_t t = 0; t < l->n; t++) {
		for (size_t i = 0; i < t; i++)
			cr_expect(agree(l, x, t, i), "sets %x and %x", l->sets[t], l->sets[i]);
		for (size_t i = 0; i < lattice_cells(l, l->sets[t]) && !is_derived(p, l->sets[t]); i++)
			*largest = fmax(*largest, fabs((double)(x->whole[t][i] - x->released[t][i]) - x->off[t][i]));
	}
}

Test(lattice, every_family_of_sets_of_three_keys_agrees)
{
	const size_t sizes[AXES] = { 3, 2, 4, 1, 1 };
	struct coins c = { 9 };
	double largest = 0;

	for (uint32_t family = 1; family < 256; family++) {
		uint32_t sets[8];
		size_t n = 0;
		for (uint32_t set = 0; set < 8; set++) {
			if ((family >> set) & 1)
				sets[n++] = set;
		}
		const struct lattice l = lattice_of(sets, n, sizes);
		struct lattice_plan p;
		cr_assert(lattice_plan(&l, &p), "family %x", family);
		struct numbers x;
		make_numbers(&x, &l, &c, -1000, 300);
		check_rounding(&l, &p, &x, &c, &largest);
		arena_reset(&x.arena);
	}
	fprintf(stderr, "three keys: rounded by at most %.3f units\n", largest);
	cr_expect(largest < 2);
}

Test(lattice, random_sets_of_large_and_small_numbers_agree_exactly)
{
	static const i128 bases[] = { 0, -1, 1000000007, ((i128)1 << 100) + 12345, -((i128)1 << 110) };
	struct coins c = { 13 };
	double largest = 0;
	size_t planned = 0;

	for (uint64_t run = 0; run < 2000; run++) {
		const struct lattice l = random_lattice(&c, run, run % 8 == 1 ? 8 : 4);
		struct lattice_plan p;
		if (!lattice_plan(&l, &p))
			continue;
		struct numbers x;
		planned++;
		make_numbers(&x, &l, &c, bases[run % ARRAY_LEN(bases)], run % 3 == 0 ? 1 : run % 3 == 1 ? 50 : 1000000);
		check_rounding(&l, &p, &x, &c, &largest);
		arena_reset(&x.arena);
	}
	fprintf(stderr, "%zu random families: rounded by at most %.3f units\n", planned, largest);
	cr_expect(planned > 1500, "%zu", planned);
	cr_expect(largest < 2);
}

Test(lattice, estimates_of_numbers_that_agree_stay)
{
	struct coins c = { 3 };

	for (uint64_t run = 0; run < 200; run++) {
		const struct lattice l = random_lattice(&c, run, 5);
		struct lattice_plan p;
		struct numbers x;
		double largest = 0;
		if (!lattice_plan(&l, &p))
			continue;
		make_numbers(&x, &l, &c, (i128)1 << 90, 0); /* no noise: every cell the same */
		check_rounding(&l, &p, &x, &c, &largest);
		for (size_t t = 0; t < l.n; t++) {
			for (size_t i = 0; i < lattice_cells(&l, l.sets[t]); i++)
				cr_expect(x.off[t][i] == 0 && x.whole[t][i] == x.released[t][i]);
		}
		arena_reset(&x.arena);
	}
}

Test(lattice, sums_beyond_128_bits_are_refused)
{
	const uint32_t sets[] = { A | B, A, B };
	const size_t sizes[AXES] = { 4, 4, 1, 1, 1 };
	const struct lattice l = lattice_of(sets, 3, sizes);
	struct coins c = { 3 };
	struct numbers x;
	struct effects f;
	struct error e;

	make_numbers(&x, &l, &c, (i128)1 << 122, 5);
	cr_assert(effects_open(&f, &l, &x.arena, &e));
	cr_expect(effects_estimate(&f, x.laws, x.released, x.off));
	for (size_t i = 0; i < 16; i++)
		x.released[0][i] = (i128)1 << 125;
	cr_expect(!effects_estimate(&f, x.laws, x.released, x.off));
	arena_reset(&x.arena);
}

Test(lattice, rounding_a_cube_of_three_keys_adds_little_and_favours_none)
{
	/* what rounding alone adds, in squared units: 1/6 where all fractions are as likely, and so much for each cell of the shortest key where a table is derived */
	enum { RUNS = 3000 };
	const uint32_t sets[] = { 7, 6, 5, 4, 3, 2, 1, 0 };
	const size_t sizes[AXES] = { 6, 3, 8, 1, 1 };
	const struct lattice l = lattice_of(sets, 8, sizes);
	double square[8] = { 0 }, bias[8] = { 0 };
	struct lattice_plan p;
	struct coins c = { 3 };

	cr_assert(lattice_plan(&l, &p));
	for (int run = 0; run < RUNS; run++) {
		struct rounding *r;
		struct effects f;
		struct numbers x;
		struct error e;
		make_numbers(&x, &l, &c, 0, 100);
		cr_assert(effects_open(&f, &l, &x.arena, &e) && effects_estimate(&f, x.laws, x.released, x.off));
		cr_assert(rounding_open(&l, &p, &x.arena, &r, &e) && rounding_run(r, x.released, x.off, &c, x.whole));
		for (size_t t = 0; t < l.n; t++) {
			const size_t cells = lattice_cells(&l, l.sets[t]);
			for (size_t i = 0; i < cells; i++) {
				const double d = (double)(x.whole[t][i] - x.released[t][i]) - x.off[t][i];
				square[t] += d * d / (double)cells / RUNS;
				bias[t] += i == cells / 2 ? d / RUNS : 0;
			}
		}
		arena_reset(&x.arena);
	}
	for (size_t t = 0; t < l.n; t++) {
		const bool derived = is_derived(&p, l.sets[t]);
		fprintf(stderr, "CUBE of 6 x 3 x 8, set %x: rounding adds %.3f%s\n", l.sets[t], square[t], derived ? " (derived)" : "");
		cr_expect(square[t] < (derived ? 3 * 0.3 : 0.3), "set %x: %g", l.sets[t], square[t]);
		cr_expect(fabs(bias[t]) < 6 * sqrt(square[t] / RUNS), "set %x: %g", l.sets[t], bias[t]);
	}
}
