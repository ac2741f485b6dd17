#include "mechanisms/consistent.h"

#include "base/text.h"
#include "mechanisms/analytic.h"
#include "mechanisms/effects.h"
#include "mechanisms/interval.h"
#include "mechanisms/rounding.h"
#include "mechanisms/shown.h"

#include <math.h>

enum { SETS = CONSISTENT_SETS_MAX, KEYS = CONSISTENT_KEYS_MAX };

/* Of memory for the time of the adjustment, beside the query's own: enough for CONSISTENT_CELLS_MAX. */
static const size_t work_max = (size_t)400 << 20;

struct tables {
	const struct consistent_set *sets;
	size_t n;
	struct arena *work;  /* until the result is made */
	struct arena *arena; /* of the result */
	struct lattice lattice;
	struct lattice_plan plan;
	struct effects effects;
	struct rounding *rounding;
	size_t rows[SETS];
	size_t *place[SETS];  /* of each row: its cell in the lattice's table */
	const char **shown[SETS];
	/* one value, in grid units, by cells */
	size_t value;
	i128 *released[SETS], *whole[SETS];
	double *off[SETS]; /* estimate minus released */
};

static bool is_set(const struct lattice *l, uint32_t set)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->sets[i] == set)
			return true;
	}
	return false;
}

bool consistent_possible(const struct lattice *l)
{
	struct lattice_plan plan;
	size_t cells = 0;

	if (!lattice_plan(l, &plan))
		return false;
	for (size_t i = 0; i < l->n + plan.n; i++) {
		const uint32_t set = i < l->n ? l->sets[i] : plan.steps[i - l->n].set;
		if ((i < l->n || !is_set(l, set)) && __builtin_add_overflow(cells, lattice_cells(l, set), &cells))
			return false;
	}
	return cells <= CONSISTENT_CELLS_MAX;
}

/* --- rows as cells -------------------------------------------------------------------------------------------------------------- */

/* Where an axis' values were first seen: rows `stride` apart of one set show them one after another. */
struct axis {
	const struct released *released;
	size_t key, stride;
};

/* How many values a key has, of rows that have every combination, the last key fastest. */
static size_t count_values(const struct released *r, size_t key, size_t stride)
{
	size_t n = 1;

	while (n * stride < released_rows(r) && !text_eq(released_cell(r, n * stride, key), released_cell(r, 0, key)))
		n++;
	return n;
}

/* Adds a set to the lattice.  False when its rows are not those of the axes. */
static bool read_set(struct tables *t, size_t set, struct axis *axes, size_t *strides)
{
	const struct consistent_set *s = &t->sets[set];
	size_t stride = 1;

	for (size_t i = s->spec->n_keys; i-- > 0;) {
		const size_t axis = s->keys[i], size = count_values(s->released, i, stride);
		BUG_IF(axis >= KEYS || (t->lattice.sets[set] >> axis) & 1);
		if (!axes[axis].released) {
			axes[axis] = (struct axis){ s->released, i, stride };
			t->lattice.size[axis] = size;
		}
		if (t->lattice.size[axis] != size)
			return false;
		t->lattice.sets[set] |= (uint32_t)1 << axis;
		strides[i] = stride;
		stride *= size;
	}
	return stride == t->rows[set];
}

/* The cell of each row; false when a key has another value there. */
static bool place_rows(struct tables *t, size_t set, const struct axis *axes, const size_t *strides)
{
	const struct consistent_set *s = &t->sets[set];

	for (size_t row = 0; row < t->rows[set]; row++) {
		t->place[set][row] = 0;
		for (size_t i = 0; i < s->spec->n_keys; i++) {
			const struct axis *x = &axes[s->keys[i]];
			const size_t value = row / strides[i] % t->lattice.size[s->keys[i]];
			if (!text_eq(released_cell(s->released, row, i), released_cell(x->released, value * x->stride, x->key)))
				return false;
			t->place[set][row] += value * lattice_stride(&t->lattice, t->lattice.sets[set], s->keys[i]);
		}
	}
	return true;
}

/* *regular: every set has all combinations of the same values of its keys, and they can be made to agree. */
static bool read_sets(struct tables *t, bool *regular, struct error *e)
{
	struct axis axes[KEYS] = { { 0 } };
	size_t strides[SETS][KEYS];

	*regular = true;
	t->lattice = (struct lattice){ .n = t->n, .n_axes = KEYS };
	for (size_t i = 0; i < KEYS; i++)
		t->lattice.size[i] = 1;
	for (size_t i = 0; i < t->n && *regular; i++) {
		t->rows[i] = released_rows(t->sets[i].released);
		*regular = t->rows[i] > 0 && read_set(t, i, axes, strides[i]);
	}
	*regular = *regular && consistent_possible(&t->lattice) && lattice_plan(&t->lattice, &t->plan);
	for (size_t i = 0; i < t->n && *regular; i++) {
		t->place[i] = arena_array(t->work, t->rows[i], size_t);
		if (!t->place[i])
			return fail_memory(e);
		*regular = place_rows(t, i, axes, strides[i]);
	}
	return true;
}

static bool open_tables(struct tables *t, struct error *e)
{
	for (size_t i = 0; i < t->n; i++) {
		t->released[i] = arena_array(t->work, t->rows[i], i128);
		t->whole[i] = arena_array(t->work, t->rows[i], i128);
		t->off[i] = arena_array(t->work, t->rows[i], double);
		if (!t->released[i] || !t->whole[i] || !t->off[i])
			return fail_memory(e);
	}
	return effects_open(&t->effects, &t->lattice, t->work, e) && rounding_open(&t->lattice, &t->plan, t->work, &t->rounding, e);
}

/* --- one value ------------------------------------------------------------------------------------------------------------------- */

static const struct release_value *value_at(const struct tables *t, size_t set, size_t value)
{
	return &t->sets[set].spec->values[value];
}

/* False for a number at the end of its type: what was noised lies beyond it. */
static bool in_range(const struct release_value *v, i128 units)
{
	i128 digits;

	return !__builtin_mul_overflow(units, v->grid.digits, &digits) && (v->format != FORMAT_INT8 || (digits > INT64_MIN && digits < INT64_MAX));
}

static bool read_units(const struct release_value *v, const char *cell, i128 *out)
{
	struct decimal d;
	i128 digits;

	if (!cell || !decimal_parse(cell, &d) || !decimal_rescale(d, v->grid.scale, &digits) || digits % v->grid.digits != 0)
		return false;
	*out = digits / v->grid.digits;
	return in_range(v, *out);
}

/* False: the value stays as it is. */
static bool read_value(const struct tables *t, struct coins *coins)
{
	const struct decimal grid = value_at(t, 0, t->value)->grid;

	coins->state = t->value;
	for (size_t i = 0; i < t->n; i++) {
		const struct release_value *v = value_at(t, i, t->value);
		if (v->grid.digits != grid.digits || v->grid.scale != grid.scale)
			return false;
		for (size_t row = 0; row < t->rows[i]; row++) {
			i128 *to = &t->released[i][t->place[i][row]];
			if (!read_units(v, released_cell(t->sets[i].released, row, t->sets[i].spec->n_keys + t->value), to))
				return false;
			coins->state ^= (uint64_t)*to;
			coins->state = coins_next(coins);
		}
	}
	return true;
}

/* The text of a row's value or of an end of its interval, half of which is given.  NULL: it does not fit its type. */
static const char *text_at(const struct tables *t, size_t set, size_t cell, const struct release_value *v, double half)
{
	const double off = t->off[set][cell];
	const i128 value = t->whole[set][cell] - t->released[set][cell];
	i128 step = value, units;

	if (v->end == END_LOW && fabs(off - half) < 0x1p62)
		step = (i128)ceil(off - half);
	if (v->end == END_HIGH && fabs(off + half) < 0x1p62)
		step = (i128)floor(off + half);
	step = (v->end == END_LOW && step > value) || (v->end == END_HIGH && step < value) ? value : step;
	if (__builtin_add_overflow(t->released[set][cell], step, &units) || (v->end == END_VALUE && !in_range(v, units)))
		return NULL;
	return shown_units(t->arena, v, units);
}

/* Whether a value of a set is the one at hand or shows its draw. */
static bool follows(const struct tables *t, size_t set, size_t value)
{
	return value == t->value || value_at(t, set, value)->shared == t->value + 1;
}

/* Texts of the value and of all that show its draw.  False: it stays as it is. */
static bool write_value(const struct tables *t, const double *half)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct release_spec *s = t->sets[i].spec;
		const size_t width = released_columns(t->sets[i].released);
		for (size_t v = t->value; v < s->n_values; v++) {
			for (size_t row = 0; row < t->rows[i] && follows(t, i, v); row++) {
				const char *text = text_at(t, i, t->place[i][row], &s->values[v], half[i]);
				if (!text)
					return false;
				t->shown[i][row * width + s->n_keys + v] = text;
			}
		}
	}
	return true;
}

/* The cells of a value that was given up half way are those that were released. */
static void put_back(const struct tables *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct release_spec *s = t->sets[i].spec;
		const size_t width = released_columns(t->sets[i].released);
		for (size_t v = t->value; v < s->n_values; v++) {
			for (size_t row = 0; row < t->rows[i] && follows(t, i, v); row++)
				t->shown[i][row * width + s->n_keys + v] = released_cell(t->sets[i].released, row, s->n_keys + v);
		}
	}
}

static bool adjust(struct tables *t, struct error *e)
{
	const struct noise *noise[SETS];
	struct effects_law laws[SETS];
	double half[SETS] = { 0 };
	struct coins coins;

	for (size_t i = 0; i < t->n; i++) {
		BUG_IF(value_at(t, i, t->value)->kind != RELEASE_COUNT && value_at(t, i, t->value)->kind != RELEASE_SUM);
		noise[i] = &value_at(t, i, t->value)->noise;
	}
	if (!effects_laws(&t->lattice, noise, t->work, laws, e))
		return false;
	const double confidence = t->sets[0].spec->confidence, z = confidence > 0 && confidence < 1 ? analytic_normal_half_width(confidence) : 0;
	for (size_t i = 0; i < t->n; i++)
		half[i] = interval_widened(z, laws[i].variance, laws[i].fourth);
	if (!read_value(t, &coins) || !effects_estimate(&t->effects, noise, t->released, t->off) ||
	    !rounding_run(t->rounding, t->released, t->off, &coins, t->whole) || !write_value(t, half))
		put_back(t);
	return true;
}

static bool copy_cells(struct tables *t, struct error *e)
{
	for (size_t i = 0; i < t->n; i++) {
		const size_t width = released_columns(t->sets[i].released), n = released_rows(t->sets[i].released) * width;
		t->shown[i] = arena_array(t->arena, n + 1, const char *);
		if (!t->shown[i])
			return fail_memory(e);
		for (size_t j = 0; j < n; j++)
			t->shown[i][j] = released_cell(t->sets[i].released, j / width, j % width);
	}
	return true;
}

static bool adjust_all(struct tables *t, const bool *additive, struct error *e)
{
	const struct release_spec *s = t->sets[0].spec;
	bool regular;

	if (!copy_cells(t, e) || !read_sets(t, &regular, e))
		return false;
	if (!regular)
		return true;
	if (!open_tables(t, e))
		return false;
	for (t->value = 0; t->value < s->n_values; t->value++) {
		if (additive[t->value] && s->values[t->value].shared == 0 && !adjust(t, e))
			return false;
	}
	return true;
}

bool consistent_make(const struct consistent_set *sets, size_t n, const bool *additive, struct arena *a, const struct released **out,
		     struct error *e)
{
	struct arena work;
	struct tables t = { .sets = sets, .n = n, .work = &work, .arena = a };

	BUG_IF(n < 2 || n > SETS);
	arena_init(&work, work_max);
	bool ok = adjust_all(&t, additive, e);
	arena_reset(&work);
	for (size_t i = 0; i < n && ok; i++)
		ok = released_with(sets[i].released, t.shown[i], a, &out[i], e);
	return ok;
}
