#include "mechanisms/lattice.h"

#define BIT(i) ((uint32_t)1 << (i))

/* Sets that steps may be made of; more are given up, so that planning stays short. */
enum { FAMILY_MAX = 64 };

struct family {
	size_t n;
	uint32_t at[FAMILY_MAX + 1];
};

uint32_t lattice_common(const struct lattice *l)
{
	uint32_t common = l->sets[0];

	for (size_t i = 1; i < l->n; i++)
		common &= l->sets[i];
	return common;
}

size_t lattice_cells(const struct lattice *l, uint32_t set)
{
	size_t cells = 1;

	for (size_t i = 0; i < l->n_axes; i++) {
		if ((set & BIT(i)) && __builtin_mul_overflow(cells, l->size[i], &cells))
			return SIZE_MAX;
	}
	return cells;
}

size_t lattice_stride(const struct lattice *l, uint32_t set, size_t axis)
{
	return lattice_cells(l, set & ~(BIT(axis) | (BIT(axis) - 1)));
}

size_t *lattice_places(const struct lattice *l, uint32_t set, uint32_t part, struct arena *a)
{
	size_t *places = arena_array(a, lattice_cells(l, part), size_t), n = 1;

	/* axis by axis, the last one first: what is there once more for each further value */
	for (size_t i = l->n_axes; i-- > 0 && places;) {
		if (!(part & BIT(i)))
			continue;
		const size_t stride = lattice_stride(l, set, i);
		for (size_t j = 1; j < l->size[i]; j++) {
			for (size_t k = 0; k < n; k++)
				places[j * n + k] = places[k] + j * stride;
		}
		n *= l->size[i];
	}
	return places;
}

/* --- the order of rounding ---------------------------------------------------------------------------------------------------- */

static size_t count_bits(uint32_t set)
{
	return (size_t)__builtin_popcount(set);
}

static bool contains(uint32_t set, uint32_t part)
{
	return (set & part) == part;
}

static size_t find(const struct family *f, uint32_t set)
{
	size_t i = 0;

	while (i < f->n && f->at[i] != set)
		i++;
	return i;
}

static void add(struct family *f, uint32_t set)
{
	if (f->n <= FAMILY_MAX && find(f, set) == f->n)
		f->at[f->n++] = set;
}

static void add_intersections(struct family *f)
{
	for (size_t i = 0; i < f->n; i++) {
		for (size_t j = 0; j < i; j++)
			add(f, f->at[i] & f->at[j]);
	}
}

/* The largest proper subsets of a set in the family. */
static size_t largest_below(const struct family *f, uint32_t set, uint32_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		bool largest = f->at[i] != set && contains(set, f->at[i]);
		for (size_t j = 0; j < f->n && largest; j++)
			largest = f->at[j] == f->at[i] || f->at[j] == set || !contains(set, f->at[j]) || !contains(f->at[j], f->at[i]);
		if (largest)
			out[n++] = f->at[i];
	}
	return n;
}

enum shape { SHAPE_PLAIN, SHAPE_GREW, SHAPE_TANGLED };

/* Plain: a set that two others make up, or one, or none.  Else adds the union of two that are less than it, if there are such. */
static enum shape settle(struct family *f, uint32_t set)
{
	uint32_t below[FAMILY_MAX + 1];
	const size_t n = largest_below(f, set, below);

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			if ((below[i] | below[j]) != set) {
				add(f, below[i] | below[j]);
				return SHAPE_GREW;
			}
		}
	}
	return n > 2 ? SHAPE_TANGLED : SHAPE_PLAIN;
}

/* Closed under intersection, every set plain: then margins on any other member follow from those on the largest below.  False: it does not come to that. */
static bool settle_all(struct family *f)
{
	for (size_t i = 0; i < f->n;) {
		add_intersections(f);
		const enum shape shape = settle(f, f->at[i]);
		if (shape == SHAPE_TANGLED || f->n > FAMILY_MAX)
			return false;
		i = shape == SHAPE_GREW ? 0 : i + 1;
	}
	return true;
}

static void plan_plain(const struct family *f, struct lattice_plan *out)
{
	struct family sorted = { .n = 0 };

	for (size_t bits = 0; bits <= LATTICE_AXES_MAX; bits++) {
		for (size_t i = 0; i < f->n; i++) {
			if (count_bits(f->at[i]) == bits)
				add(&sorted, f->at[i]);
		}
	}
	out->n = sorted.n;
	for (size_t i = 0; i < sorted.n; i++) {
		uint32_t below[FAMILY_MAX + 1];
		const size_t n = largest_below(&sorted, sorted.at[i], below);
		out->steps[i] = (struct lattice_step){ .set = sorted.at[i], .first = n > 0 ? find(&sorted, below[0]) : LATTICE_NONE,
						       .second = n > 1 ? find(&sorted, below[1]) : LATTICE_NONE };
	}
}

/* --- sets that have no such order --------------------------------------------------------------------------------------------- */

static void sort_axes(const struct lattice *l, uint32_t set, size_t *axes)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_axes; i++) {
		size_t at = n;
		if (!(set & BIT(i)))
			continue;
		for (; at > 0 && l->size[axes[at - 1]] > l->size[i]; at--)
			axes[at] = axes[at - 1];
		axes[at] = i;
		n++;
	}
}

/* The step of the j shortest axes and the k-th, j <= k; that of no more than the common axes is step 0. */
static size_t spine_step(size_t j, size_t k)
{
	return 1 + k * (k + 1) / 2 + j;
}

/*
 * The table with all axes is rounded to two margins, each without one of the two longest axes, which are rounded in the same way; all others are sums of its
 * cells.  So what is derived is summed over short axes.
 */
static void plan_spine(const struct lattice *l, uint32_t all, struct lattice_plan *out)
{
	const uint32_t common = lattice_common(l);
	const size_t n = count_bits(all & ~common);
	size_t axes[LATTICE_AXES_MAX] = { 0 };

	sort_axes(l, all & ~common, axes);
	out->steps[0] = (struct lattice_step){ .set = common, .first = LATTICE_NONE, .second = LATTICE_NONE };
	out->n = 1;
	for (size_t k = 0; k < n; k++) {
		uint32_t before = common;
		for (size_t j = 0; j <= k; before |= BIT(axes[j]), j++)
			out->steps[out->n++] = (struct lattice_step){ .set = before | BIT(axes[k]), .first = j > 0 ? spine_step(j - 1, j - 1) : 0,
								      .second = j > 0 ? spine_step(j - 1, k) : LATTICE_NONE };
	}
	const size_t finest = out->n - 1;
	for (size_t i = 0; i < l->n; i++) {
		size_t at = 0;
		while (at < out->n && out->steps[at].set != l->sets[i])
			at++;
		if (at == out->n)
			out->steps[out->n++] = (struct lattice_step){ .set = l->sets[i], .first = finest, .second = LATTICE_NONE, .derived = true };
	}
}

bool lattice_plan(const struct lattice *l, struct lattice_plan *out)
{
	struct family f = { .n = 0 };
	uint32_t all = 0;

	for (size_t i = 0; i < l->n; i++) {
		add(&f, l->sets[i]);
		all |= l->sets[i];
	}
	const bool finest = find(&f, all) < f.n;
	*out = (struct lattice_plan){ .n = 0 };
	if (settle_all(&f))
		plan_plain(&f, out);
	else if (finest)
		plan_spine(l, all, out);
	return out->n > 0;
}
