#include "mechanisms/consistent.h"

#include "base/mem.h"
#include "base/text.h"
#include "mechanisms/analytic.h"
#include "mechanisms/interval.h"
#include "mechanisms/shown.h"

#include <math.h>

enum { LEVELS = CONSISTENT_LEVELS_MAX };

/* Of memory for the time of the adjustment, about 100 bytes a row of all levels; beside the query's own. */
static const size_t work_max = (size_t)256 << 20;

/* The levels as a tree: rows by number, each with its parent's. */
struct tree {
	const struct consistent_level *levels;
	size_t n;
	struct arena *work; /* until the result is made */
	struct arena *arena; /* of the result */
	size_t rows[LEVELS];
	size_t *parent[LEVELS]; /* [level][row]: its total in the level before; NULL at level 0 */
	size_t *child[LEVELS];  /* [level][row * f + i]: its parts in the level behind; NULL at the finest */
	double parts[LEVELS];   /* f of each level but the finest */
	const char **cells[LEVELS];
};

/* One value at all levels. */
struct column {
	size_t value;
	i128 *released[LEVELS], *sums[LEVELS]; /* grid units; of the finest parts */
	double *off[LEVELS];                   /* estimate minus sums; on the way up: by the parts alone */
	i128 *step[LEVELS];                    /* the same, in whole units */
	double own[LEVELS];                    /* weight of a row's own release against its parts */
};

/* --- weights ------------------------------------------------------------------------------------------------------------------- */

/* Noise too small to have a variance in doubles is as good as none, and the weights stay finite. */
static double variance_of(const struct noise *n)
{
	const double d = noise_deviation(n);

	return d > 1e-6 ? d * d : 1e-12;
}

/* Of a row's own release in the estimate from it and from what lies below it. */
static void own_weights(const struct noise *const *noise, const double *parts, size_t n, double *own)
{
	double below = variance_of(noise[n - 1]);

	own[n - 1] = 1;
	for (size_t l = n - 1; l-- > 0;) {
		const double mine = variance_of(noise[l]), sum = parts[l] * below;
		own[l] = sum / (mine + sum);
		below = own[l] * mine;
	}
}

/* As a number of rows, how many of level k meet a row of level l at their common total in level j. */
static double meeting(const double *parts, size_t l, size_t j, size_t k)
{
	double rows = j < l && k > j ? parts[j] - 1 : 1;

	for (size_t i = j < l ? j + 1 : j; i < k; i++)
		rows *= parts[i];
	return rows;
}

void consistent_laws(const struct noise *const *noise, const double *parts, size_t n, struct consistent_law *out)
{
	double own[LEVELS], up[LEVELS][LEVELS] = { { 0 } }, w[LEVELS][LEVELS] = { { 0 } };

	own_weights(noise, parts, n, own);
	for (size_t l = n; l-- > 0;) { /* of the releases of level k below a row of level l, in what its subtree says */
		up[l][l] = own[l];
		for (size_t k = l + 1; k < n; k++)
			up[l][k] = (1 - own[l]) * up[l + 1][k];
	}
	for (size_t l = 0; l < n; l++) {
		/* w[j][k]: in the estimate, of the releases of level k that meet the row at level j; w is still that of its total, at level l - 1 */
		const double f = l > 0 ? parts[l - 1] : 1;
		for (size_t j = 0; j < l; j++) {
			for (size_t k = j; k < n; k++)
				w[j][k] = w[j][k] / f;
		}
		for (size_t k = l; k < n; k++) {
			const double shared = l > 0 ? w[l - 1][k] : 0;
			w[l][k] = l > 0 ? up[l][k] * (1 - 1 / f) + shared : up[l][k];
			if (l > 0)
				w[l - 1][k] = shared - up[l][k] / f;
		}
		out[l] = (struct consistent_law){ 0, 0 };
		for (size_t j = 0; j <= l; j++) {
			for (size_t k = j; k < n; k++) {
				const double v = variance_of(noise[k]), square = w[j][k] * w[j][k], rows = meeting(parts, l, j, k);
				out[l].variance += rows * square * v;
				/* as of continuous Laplace noise: the lattice's own v more would drown the correction where noise is below one unit */
				out[l].fourth += noise[k]->kind == NOISE_LAPLACE ? rows * square * square * 3 * v * v : 0;
			}
		}
	}
}

/* --- the tree -------------------------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t x)
{
	h = (h ^ x) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static uint64_t hash_text(uint64_t h, const char *s)
{
	for (s = s ? s : "\1"; *s; s++)
		h = mix(h, (unsigned char)*s);
	return mix(h, 0x100);
}

/* The keys that level l has, in a row of level l or (below) of the level behind it. */
static const char *key_at(const struct tree *t, size_t l, bool below, size_t row, size_t key)
{
	const struct consistent_level *at = &t->levels[l];

	return released_cell(below ? t->levels[l + 1].released : at->released, row, below ? at->from[key] : key);
}

static uint64_t hash_keys(const struct tree *t, size_t l, bool below, size_t row)
{
	uint64_t h = 1;

	for (size_t i = 0; i < t->levels[l].spec->n_keys; i++)
		h = hash_text(h, key_at(t, l, below, row, i));
	return h;
}

static bool same_keys(const struct tree *t, size_t l, size_t total, size_t part)
{
	for (size_t i = 0; i < t->levels[l].spec->n_keys; i++) {
		if (!text_eq(key_at(t, l, false, total, i), key_at(t, l, true, part, i)))
			return false;
	}
	return true;
}

/* Finds the total of every row of level l + 1.  *regular: all are there, each with as many parts. */
static bool link_level(struct tree *t, size_t l, bool *regular, struct error *e)
{
	const size_t totals = t->rows[l], rows = t->rows[l + 1], f = totals ? rows / totals : 0;
	size_t mask = 16;

	*regular = f > 0 && f * totals == rows;
	while (mask < totals * 2)
		mask *= 2;
	size_t *slots = arena_array(t->work, mask, size_t), *parts = arena_array(t->work, totals + 1, size_t);
	t->parent[l + 1] = arena_array(t->work, rows + 1, size_t);
	t->child[l] = arena_array(t->work, rows + 1, size_t);
	if (!slots || !parts || !t->parent[l + 1] || !t->child[l])
		return fail_memory(e);
	mask--;
	for (size_t i = 0; i < totals; i++) {
		size_t at = hash_keys(t, l, false, i) & mask;
		while (slots[at])
			at = (at + 1) & mask;
		slots[at] = i + 1;
	}
	for (size_t i = 0; i < rows && *regular; i++) {
		size_t at = hash_keys(t, l, true, i) & mask;
		while (slots[at] && !same_keys(t, l, slots[at] - 1, i))
			at = (at + 1) & mask;
		*regular = slots[at] && parts[slots[at] - 1] < f;
		if (!*regular)
			continue;
		const size_t total = slots[at] - 1;
		t->parent[l + 1][i] = total;
		t->child[l][total * f + parts[total]++] = i;
	}
	t->parts[l] = (double)f;
	return true;
}

static bool link_levels(struct tree *t, bool *regular, struct error *e)
{
	*regular = true;
	for (size_t l = 0; l < t->n; l++)
		t->rows[l] = released_rows(t->levels[l].released);
	for (size_t l = 0; l + 1 < t->n && *regular; l++) {
		if (!link_level(t, l, regular, e))
			return false;
	}
	return true;
}

/* --- one value ------------------------------------------------------------------------------------------------------------------- */

static const struct release_value *value_at(const struct tree *t, size_t l, size_t value)
{
	return &t->levels[l].spec->values[value];
}

static size_t fan(const struct tree *t, size_t l)
{
	return (size_t)t->parts[l];
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

static bool allocate(const struct tree *t, struct column *c)
{
	for (size_t l = 0; l < t->n; l++) {
		c->released[l] = arena_array(t->work, t->rows[l] + 1, i128);
		c->sums[l] = arena_array(t->work, t->rows[l] + 1, i128);
		c->step[l] = arena_array(t->work, t->rows[l] + 1, i128);
		c->off[l] = arena_array(t->work, t->rows[l] + 1, double);
		if (!c->released[l] || !c->sums[l] || !c->step[l] || !c->off[l])
			return false;
	}
	return true;
}

/* The released numbers, and what the finest level says of each total.  False: the value stays as it is. */
static bool read_column(const struct tree *t, struct column *c)
{
	const struct decimal grid = value_at(t, 0, c->value)->grid;

	for (size_t l = t->n; l-- > 0;) {
		const struct release_value *v = value_at(t, l, c->value);
		for (size_t i = 0; l > 0 && i < t->rows[l - 1]; i++)
			c->sums[l - 1][i] = 0;
		for (size_t i = 0; l + 1 == t->n && i < t->rows[l]; i++)
			c->off[l][i] = 0;
		if (v->grid.digits != grid.digits || v->grid.scale != grid.scale)
			return false;
		for (size_t i = 0; i < t->rows[l]; i++) {
			if (!read_units(v, released_cell(t->levels[l].released, i, t->levels[l].spec->n_keys + c->value), &c->released[l][i]))
				return false;
			if (l + 1 == t->n)
				c->sums[l][i] = c->released[l][i];
			if (l > 0 && __builtin_add_overflow(c->sums[l - 1][t->parent[l][i]], c->sums[l][i], &c->sums[l - 1][t->parent[l][i]]))
				return false;
		}
	}
	return true;
}

/* The pass up: what a row and all below it say; then down: what the others say too is shared equally among the parts. */
static void estimate(const struct tree *t, struct column *c)
{
	for (size_t l = t->n - 1; l-- > 0;) {
		for (size_t i = 0; i < t->rows[l]; i++) {
			double below = 0;
			for (size_t j = 0; j < fan(t, l); j++)
				below += c->off[l + 1][t->child[l][i * fan(t, l) + j]];
			c->off[l][i] = c->own[l] * (double)(c->released[l][i] - c->sums[l][i]) + (1 - c->own[l]) * below;
		}
	}
	for (size_t l = 0; l + 1 < t->n; l++) {
		for (size_t i = 0; i < t->rows[l]; i++) {
			const size_t *parts = &t->child[l][i * fan(t, l)];
			double below = 0;
			for (size_t j = 0; j < fan(t, l); j++)
				below += c->off[l + 1][parts[j]];
			for (size_t j = 0; j < fan(t, l); j++)
				c->off[l + 1][parts[j]] += (c->off[l][i] - below) / t->parts[l];
		}
	}
}

/* In [0, 1), by what was released for a total and its parts. */
static double fair(const struct tree *t, const struct column *c, size_t l, size_t row)
{
	uint64_t h = mix(2, (uint64_t)c->released[l][row]);

	for (size_t j = 0; j < fan(t, l); j++)
		h = mix(h, (uint64_t)c->released[l + 1][t->child[l][row * fan(t, l) + j]]);
	return (double)(mix(mix(h, 3), 4) >> 11) * 0x1p-53;
}

/*
 * Whole units.  The total is rounded first; along its parts the running sum of estimates is rounded down from a fair start, so that each part is off by less than
 * one unit, rounds up with the probability that its fraction says, and all of them give the total.
 */
static bool round_off(const struct tree *t, struct column *c)
{
	for (size_t i = 0; i < t->rows[0]; i++) {
		if (!(fabs(c->off[0][i]) < 0x1p62))
			return false;
		c->step[0][i] = llround(c->off[0][i]);
	}
	for (size_t l = 0; l + 1 < t->n; l++) {
		for (size_t i = 0; i < t->rows[l]; i++) {
			const double rest = ((double)c->step[l][i] - c->off[l][i]) / t->parts[l], start = fair(t, c, l, i);
			double sum = start;
			i128 before = 0;
			for (size_t j = 0; j < fan(t, l); j++) {
				const size_t part = t->child[l][i * fan(t, l) + j];
				sum += c->off[l + 1][part] + rest;
				if (!(fabs(sum) < 0x1p62))
					return false;
				const i128 now = j + 1 == fan(t, l) ? c->step[l][i] : (i128)floor(sum);
				c->step[l + 1][part] = now - before;
				before = now;
			}
		}
	}
	return true;
}

/* The text of a row's value or of an end of its interval, half of which is given.  NULL: it does not fit its type. */
static const char *text_at(const struct tree *t, const struct column *c, size_t l, size_t row, const struct release_value *v, double half)
{
	const i128 value = c->step[l][row];
	i128 step = value, units;

	if (v->end == END_LOW && fabs(c->off[l][row] - half) < 0x1p62)
		step = (i128)ceil(c->off[l][row] - half);
	if (v->end == END_HIGH && fabs(c->off[l][row] + half) < 0x1p62)
		step = (i128)floor(c->off[l][row] + half);
	step = (v->end == END_LOW && step > value) || (v->end == END_HIGH && step < value) ? value : step;
	if (__builtin_add_overflow(c->sums[l][row], step, &units) || (v->end == END_VALUE && !in_range(v, units)))
		return NULL;
	return shown_units(t->arena, v, units);
}

/* Texts of the value and of all that show its draw.  False: it stays as it is. */
static bool write_column(struct tree *t, const struct column *c, const double *half)
{
	for (size_t l = 0; l < t->n; l++) {
		const struct release_spec *s = t->levels[l].spec;
		const size_t width = released_columns(t->levels[l].released);
		for (size_t v = c->value; v < s->n_values; v++) {
			if (v != c->value && s->values[v].shared != c->value + 1)
				continue;
			for (size_t i = 0; i < t->rows[l]; i++) {
				const char *text = text_at(t, c, l, i, &s->values[v], half[l]);
				if (!text)
					return false;
				t->cells[l][i * width + s->n_keys + v] = text;
			}
		}
	}
	return true;
}

static bool copy_cells(struct tree *t, struct error *e)
{
	for (size_t l = 0; l < t->n; l++) {
		const size_t width = released_columns(t->levels[l].released);
		t->cells[l] = arena_array(t->arena, t->rows[l] * width + 1, const char *);
		if (!t->cells[l])
			return fail_memory(e);
		for (size_t i = 0; i < t->rows[l] * width; i++)
			t->cells[l][i] = released_cell(t->levels[l].released, i / width, i % width);
	}
	return true;
}

/* False: the value stays as it was released; its cells are to be put back. */
static bool adjust(struct tree *t, struct column *c)
{
	const struct noise *noise[LEVELS];
	struct consistent_law laws[LEVELS];
	double half[LEVELS];

	for (size_t l = 0; l < t->n; l++)
		noise[l] = &value_at(t, l, c->value)->noise;
	own_weights(noise, t->parts, t->n, c->own);
	consistent_laws(noise, t->parts, t->n, laws);
	const double confidence = t->levels[0].spec->confidence, z = confidence > 0 && confidence < 1 ? analytic_normal_half_width(confidence) : 0;
	for (size_t l = 0; l < t->n; l++)
		half[l] = interval_widened(z, laws[l].variance, laws[l].fourth);
	if (!read_column(t, c))
		return false;
	estimate(t, c);
	return round_off(t, c) && write_column(t, c, half);
}

/* The cells of a value that was given up half way are those that were released. */
static void put_back(struct tree *t, size_t value)
{
	for (size_t l = 0; l < t->n; l++) {
		const struct release_spec *s = t->levels[l].spec;
		const size_t width = released_columns(t->levels[l].released);
		for (size_t v = value; v < s->n_values; v++) {
			for (size_t i = 0; i < t->rows[l] && (v == value || s->values[v].shared == value + 1); i++)
				t->cells[l][i * width + s->n_keys + v] = released_cell(t->levels[l].released, i, s->n_keys + v);
		}
	}
}

static bool adjust_all(struct tree *t, const bool *additive, struct error *e)
{
	const struct release_spec *s = t->levels[0].spec;
	struct column c = { 0 };
	bool regular;

	if (!link_levels(t, &regular, e) || !copy_cells(t, e))
		return false;
	if (!allocate(t, &c))
		return fail_memory(e);
	for (c.value = 0; regular && c.value < s->n_values; c.value++) {
		if (!additive[c.value] || s->values[c.value].shared > 0)
			continue;
		for (size_t l = 0; l < t->n; l++)
			BUG_IF(value_at(t, l, c.value)->kind != RELEASE_COUNT && value_at(t, l, c.value)->kind != RELEASE_SUM);
		if (!adjust(t, &c))
			put_back(t, c.value);
	}
	return true;
}

bool consistent_make(const struct consistent_level *levels, size_t n, const bool *additive, struct arena *a, const struct released **out,
		     struct error *e)
{
	struct arena work;
	struct tree t = { .levels = levels, .n = n, .work = &work, .arena = a };

	BUG_IF(n < 2 || n > LEVELS);
	arena_init(&work, work_max);
	bool ok = adjust_all(&t, additive, e);
	arena_reset(&work);
	for (size_t l = 0; l < n && ok; l++)
		ok = released_with(levels[l].released, t.cells[l], a, &out[l], e);
	return ok;
}
