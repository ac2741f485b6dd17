#include "mechanisms/effects.h"

#include "base/mem.h"

#define BIT(i) ((uint32_t)1 << (i))

bool effects_open(struct effects *f, const struct lattice *l, struct arena *a, struct error *e)
{
	*f = (struct effects){ .l = l };
	for (size_t t = 0; t < l->n; t++) {
		f->cells[t] = lattice_cells(l, l->sets[t]);
		f->seen[t] = arena_array(a, f->cells[t] + 1, i128);
		if (!f->seen[t])
			return fail_memory(e);
	}
	return true;
}

/* --- weights ---------------------------------------------------------------------------------------------------------------------- */

/* Noise too small to have a variance in doubles is as good as none, and the weights stay finite. */
static double variance_of(const struct noise *n)
{
	const double d = noise_deviation(n);

	return d > 1e-6 ? d * d : 1e-12;
}

/* Of what a table says of any of its effects; to be divided by the sum over all tables that have it. */
static void find_weights(const struct lattice *l, const struct noise *const *noise, double *weight)
{
	for (size_t t = 0; t < l->n; t++)
		weight[t] = 1 / (variance_of(noise[t]) * (double)lattice_cells(l, l->sets[t]));
}

/* An effect, beside those of the common axes with it: which tables have it. */
struct effect {
	uint32_t axes; /* with the common ones */
	size_t n, tables[LATTICE_SETS_MAX];
	double weight[LATTICE_SETS_MAX]; /* of each: sum 1 */
};

static void find_effect(const struct lattice *l, const double *weight, uint32_t axes, struct effect *out)
{
	double sum = 0;

	out->axes = axes;
	out->n = 0;
	for (size_t t = 0; t < l->n; t++) {
		if ((l->sets[t] & axes) != axes)
			continue;
		out->weight[out->n] = weight[t];
		out->tables[out->n++] = t;
		sum += weight[t];
	}
	for (size_t i = 0; i < out->n; i++)
		out->weight[i] /= sum;
}

/* --- estimates -------------------------------------------------------------------------------------------------------------------- */

/* Along one axis: the sum in the place of the first value, differences to the first in those of the others. */
static bool differences(i128 *cells, size_t n, size_t stride, size_t size)
{
	for (size_t block = 0; block < n; block += stride * size) {
		for (i128 *at = cells + block; at < cells + block + stride; at++) {
			i128 sum = *at;
			for (size_t j = 1; j < size; j++) {
				if (__builtin_add_overflow(sum, at[j * stride], &sum) || __builtin_sub_overflow(at[j * stride], *at, &at[j * stride]))
					return false;
			}
			*at = sum;
		}
	}
	return true;
}

/* The way back. */
static void sums(double *cells, size_t n, size_t stride, size_t size)
{
	for (size_t block = 0; block < n; block += stride * size) {
		for (double *at = cells + block; at < cells + block + stride; at++) {
			for (size_t j = 1; j < size; j++)
				*at -= at[j * stride];
			*at /= (double)size;
			for (size_t j = 1; j < size; j++)
				at[j * stride] += *at;
		}
	}
}

/* The estimate of one effect, where its tables keep it: by how much it differs from what each saw. */
static bool estimate_at(const struct effects *f, const struct effect *s, const size_t *at, double *const *off)
{
	const i128 reference = f->seen[s->tables[0]][at[0]];
	double mean = 0;

	for (size_t i = 1; i < s->n; i++) {
		i128 beyond;
		if (__builtin_sub_overflow(f->seen[s->tables[i]][at[i]], reference, &beyond))
			return false;
		mean += s->weight[i] * (double)beyond;
		off[s->tables[i]][at[i]] = -(double)beyond;
	}
	off[s->tables[0]][at[0]] = 0;
	for (size_t i = 0; i < s->n; i++)
		off[s->tables[i]][at[i]] += mean;
	return true;
}

/* All places of an effect: the common axes take all values, its own those but the first, others none but the first (the sum). */
static bool estimate_effect(const struct effects *f, const struct effect *s, uint32_t common, double *const *off)
{
	size_t axes[LATTICE_AXES_MAX], value[LATTICE_AXES_MAX], n = 0, at[LATTICE_SETS_MAX] = { 0 }, stride[LATTICE_AXES_MAX][LATTICE_SETS_MAX];

	for (size_t i = 0; i < f->l->n_axes; i++) {
		if (!(s->axes & BIT(i)))
			continue;
		value[n] = common & BIT(i) ? 0 : 1;
		for (size_t t = 0; t < s->n; t++) {
			stride[n][t] = lattice_stride(f->l, f->l->sets[s->tables[t]], i);
			at[t] += value[n] * stride[n][t];
		}
		axes[n++] = i;
	}
	for (;;) {
		size_t k = n;
		if (!estimate_at(f, s, at, off))
			return false;
		for (; k > 0 && value[k - 1] + 1 == f->l->size[axes[k - 1]]; k--) {
			const size_t least = common & BIT(axes[k - 1]) ? 0 : 1;
			for (size_t t = 0; t < s->n; t++)
				at[t] -= (value[k - 1] - least) * stride[k - 1][t];
			value[k - 1] = least;
		}
		if (k == 0)
			return true;
		value[k - 1]++;
		for (size_t t = 0; t < s->n; t++)
			at[t] += stride[k - 1][t];
	}
}

/* Every effect that several tables have, at the first of them; one of an axis with a single value is 0. */
static bool estimate_effects(const struct effects *f, const double *weight, double *const *off)
{
	const struct lattice *l = f->l;
	const uint32_t common = lattice_common(l);
	uint32_t single = 0;
	struct effect s;

	for (size_t i = 0; i < l->n_axes; i++)
		single |= l->size[i] == 1 ? BIT(i) : 0;
	for (size_t t = 0; t < l->n; t++) {
		const uint32_t own = l->sets[t] & ~common & ~single;
		for (uint32_t axes = own;; axes = (axes - 1) & own) {
			find_effect(l, weight, axes | common, &s);
			if (s.n > 1 && s.tables[0] == t && !estimate_effect(f, &s, common, off))
				return false;
			if (axes == 0)
				break;
		}
	}
	return true;
}

bool effects_estimate(struct effects *f, const struct noise *const *noise, i128 *const *released, double *const *off)
{
	const struct lattice *l = f->l;
	const uint32_t common = lattice_common(l);
	double weight[LATTICE_SETS_MAX];

	find_weights(l, noise, weight);
	for (size_t t = 0; t < l->n; t++) {
		mem_copy(f->seen[t], released[t], f->cells[t] * sizeof(i128));
		for (size_t i = 0; i < f->cells[t]; i++)
			off[t][i] = 0;
		for (size_t i = 0; i < l->n_axes; i++) {
			if ((l->sets[t] & ~common & BIT(i)) && !differences(f->seen[t], f->cells[t], lattice_stride(l, l->sets[t], i), l->size[i]))
				return false;
		}
	}
	if (!estimate_effects(f, weight, off))
		return false;
	for (size_t t = 0; t < l->n; t++) {
		for (size_t i = 0; i < l->n_axes; i++) {
			if (l->sets[t] & ~common & BIT(i))
				sums(off[t], f->cells[t], lattice_stride(l, l->sets[t], i), l->size[i]);
		}
	}
	return true;
}

/* --- laws --------------------------------------------------------------------------------------------------------------------------- */

/*
 * In the estimate of a cell of table t, the weight of a cell of table r depends on where the two are equal alone.  w[E], for a subset E of the axes both have
 * (pressed together: bit j is the j-th of them): that of cells equal in E and different in the rest.  A factor for each axis: an effect that has it gives 1 - 1/K
 * or -1/K, one that has it not 1/K.
 */
static void pattern_weights(const struct lattice *l, const double *weight, size_t t, size_t r, double *w)
{
	const uint32_t common = lattice_common(l), both = l->sets[t] & l->sets[r] & ~common;
	double rest = 1;
	size_t n = 0;

	for (uint32_t axes = 0;; axes = (axes - both) & both, n++) {
		struct effect s;
		find_effect(l, weight, axes | common, &s);
		w[n] = 0;
		for (size_t i = 0; i < s.n; i++)
			w[n] = s.tables[i] == r ? s.weight[i] : w[n];
		if (axes == both)
			break;
	}
	n++;
	size_t step = 1;
	for (size_t i = 0; i < l->n_axes; i++) {
		const double k = (double)l->size[i];
		if (l->sets[t] & ~l->sets[r] & BIT(i))
			rest /= k;
		if (!(both & BIT(i)))
			continue;
		for (size_t j = 0; j < n; j++) {
			if (j & step)
				continue;
			const double without = w[j], with = w[j + step];
			w[j] = (without - with) / k;
			w[j + step] = without / k + with * (1 - 1 / k);
		}
		step *= 2;
	}
	for (size_t j = 0; j < n; j++)
		w[j] *= rest;
}

/* How many cells of table r are equal to a cell of table t in the pattern's axes, in the common ones, and in no other that both have. */
static double pattern_cells(const struct lattice *l, size_t t, size_t r, size_t pattern)
{
	const uint32_t common = lattice_common(l), both = l->sets[t] & l->sets[r] & ~common;
	double cells = 1;

	for (size_t i = 0; i < l->n_axes; i++) {
		if (l->sets[r] & ~l->sets[t] & BIT(i))
			cells *= (double)l->size[i];
		if (!(both & BIT(i)))
			continue;
		cells *= pattern & 1 ? 1 : (double)l->size[i] - 1;
		pattern >>= 1;
	}
	return cells;
}

bool effects_laws(const struct lattice *l, const struct noise *const *noise, struct arena *a, struct effects_law *out, struct error *e)
{
	double weight[LATTICE_SETS_MAX], *w;
	size_t most = 1;

	find_weights(l, noise, weight);
	for (size_t t = 0; t < l->n; t++) {
		const size_t patterns = (size_t)1 << __builtin_popcount(l->sets[t] & ~lattice_common(l));
		most = patterns > most ? patterns : most;
	}
	w = arena_array(a, most, double);
	if (!w)
		return fail_memory(e);
	for (size_t t = 0; t < l->n; t++) {
		out[t] = (struct effects_law){ 0, 0 };
		for (size_t r = 0; r < l->n; r++) {
			const double v = variance_of(noise[r]);
			const size_t patterns = (size_t)1 << __builtin_popcount(l->sets[t] & l->sets[r] & ~lattice_common(l));
			pattern_weights(l, weight, t, r, w);
			for (size_t i = 0; i < patterns; i++) {
				const double cells = pattern_cells(l, t, r, i), square = w[i] * w[i];
				out[t].variance += cells * square * v;
				/* as of continuous Laplace noise: the lattice's own v more would drown the correction where noise is below one unit */
				out[t].fourth += noise[r]->kind == NOISE_LAPLACE ? cells * square * square * 3 * v * v : 0;
			}
		}
	}
	return true;
}
