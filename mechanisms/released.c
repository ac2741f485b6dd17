#include "mechanisms/released.h"

#include "base/mem.h"
#include "base/text.h"
#include "mechanisms/shown.h"

struct released {
	size_t n_rows, n_columns, cap;
	const char **cells;
	i128 *bounds; /* of each value */
	size_t n_values;
};

struct releasing {
	const struct release_spec *spec;
	const struct exact_rows *rows; /* the row at hand, or those that were kept */
	const struct rng *rng;
	struct draws draws; /* all the noise of this release */
	struct arena *arena;
	struct arena scratch; /* of the row at hand */
	struct released *out;
	struct drawn *drawn; /* of each value, for the row at hand */
	struct select_table table; /* SELECT_OPTIMAL */
	size_t *chosen;            /* RELEASE_CLIPPED: the step of each value's bound */
	i128 (*above)[CLIP_STEPS_MAX]; /* RELEASE_CLIPPED: of each value, how many sums are beyond each bound, in the rows so far; NULL: no value is clipped */
	/* rows that can be released only once all are there: they are looked up by key, or a bound follows from all of them */
	bool together;
	struct exact_rows kept;
	const char **cells; /* kept's */
	struct drawn *units; /* of each kept row: the value that selected it */
	size_t cap_kept, cap_units;
};

enum { SCRATCH_MAX = 1 << 30 };

static bool bad_cell(struct error *e)
{
	return fail(e, ERR_UPSTREAM, "the upstream could not run the query");
}

static const char *exact_cell(const struct releasing *m, size_t row, size_t column)
{
	BUG_IF(column >= m->rows->n_columns);
	return m->rows->cells[row * m->rows->n_columns + column];
}

/* The exact integer of a cell, or 0 for a group that the data does not have (row == SIZE_MAX) and for NULL. */
static bool exact_integer(const struct releasing *m, size_t row, size_t column, i128 *out, struct error *e)
{
	const char *s = row == SIZE_MAX ? NULL : exact_cell(m, row, column);

	*out = 0;
	if (!s)
		return true;
	const i128 most = (i128)1 << 120; /* far beyond any sum of clamped partials; leaves room for noise */
	return number_i128(s, -most, most, out) ? true : bad_cell(e);
}

static bool noised(struct releasing *m, size_t row, size_t column, const struct noise *noise, i128 *out, struct error *e)
{
	i128 exact, sample;

	if (!exact_integer(m, row, column, &exact, e) || !draws_sample(&m->draws, noise, &sample, e))
		return false;
	if (__builtin_add_overflow(exact, sample, out))
		return bad_cell(e);
	return true;
}

/* "index:count,index:count": what the upstream counted, NULL for nothing. */
static bool read_histogram(struct releasing *m, const char *s, struct quantile_bucket **out, size_t *n, struct error *e)
{
	size_t count = 0;

	for (const char *c = s; c && *c; c++)
		count += *c == ':';
	struct quantile_bucket *b = arena_array(&m->scratch, count ? count : 1, struct quantile_bucket);
	if (!b)
		return fail_memory(e);
	for (size_t i = 0; i < count; i++) {
		uint64_t number[2] = { 0, 0 };
		for (size_t j = 0; j < 2; j++) {
			const char *from = s;
			for (; *s >= '0' && *s <= '9'; s++) {
				if (__builtin_mul_overflow(number[j], 10, &number[j]) ||
				    __builtin_add_overflow(number[j], (uint64_t)(*s - '0'), &number[j]))
					return bad_cell(e);
			}
			if (s == from || *s != (j == 0 ? ':' : i + 1 < count ? ',' : '\0'))
				return bad_cell(e);
			s += *s != '\0';
		}
		b[i] = (struct quantile_bucket){ number[0], (i128)number[1] };
	}
	*out = b;
	*n = count;
	return count > 0 || !s || !*s ? true : bad_cell(e);
}

static bool draw_quantiles(struct releasing *m, size_t row, const struct release_value *v, struct drawn *d, struct error *e)
{
	struct quantile_bucket *histogram = NULL;
	size_t n = 0;

	d->quantiles = arena_array(&m->scratch, v->n_ranks, struct quantile);
	if (!d->quantiles)
		return fail_memory(e);
	return read_histogram(m, row == SIZE_MAX ? NULL : exact_cell(m, row, v->column), &histogram, &n, e) &&
	       quantile_release(&v->tree, histogram, n, &v->noise, &m->draws, &m->scratch, v->ranks, v->n_ranks, m->spec->confidence, d->quantiles,
				NULL, e);
}

static bool draw_moments(struct releasing *m, size_t row, const struct release_value *v, struct drawn *d, struct error *e)
{
	i128 plain[MOMENT_PARTS] = { 0 };

	for (size_t i = 0; i < v->n_parts; i++) {
		if (!exact_integer(m, row, v->column + i, &plain[i], e))
			return false;
	}
	return moments_release(&v->moment_bounds, v->n_parts, plain, v->parts, &m->draws, &d->moments, e);
}

/* Bounds are found over all rows at once: what a unit adds is bounded alike everywhere, and small groups need not find one by themselves. */
static bool count_above(struct releasing *m, struct error *e)
{
	const struct release_spec *s = m->spec;

	for (size_t i = 0; m->above && i < s->n_values; i++) {
		const struct release_value *v = &s->values[i];
		struct clip_buckets b;
		if (v->kind != RELEASE_CLIPPED || v->shared > 0)
			continue;
		if (!clip_read(&v->clip, exact_cell(m, 0, v->column), &b, e) || !clip_count_above(&v->clip, &b, m->above[i], e))
			return false;
	}
	return true;
}

static bool choose_bounds(struct releasing *m, struct error *e)
{
	const struct release_spec *s = m->spec;

	for (size_t i = 0; m->above && i < s->n_values; i++) {
		const struct release_value *v = &s->values[i];
		if (v->kind != RELEASE_CLIPPED || v->shared > 0)
			continue;
		if (!clip_choose(&v->clip, m->above[i], m->rng, &m->chosen[i], e))
			return false;
		m->out->bounds[i] = clip_bound(&v->clip, m->chosen[i]);
	}
	return true;
}

static bool draw_clipped(struct releasing *m, size_t row, size_t value, struct drawn *d, struct error *e)
{
	const struct release_value *v = &m->spec->values[value];
	struct clip_buckets b;
	i128 exact, sample;

	if (!clip_read(&v->clip, row == SIZE_MAX ? NULL : exact_cell(m, row, v->column), &b, e) || !clip_sum(&v->clip, &b, m->chosen[value], &exact, e) ||
	    !clip_noise(&v->clip, m->out->bounds[value], &d->noise, e) || !draws_coin(&m->draws, &d->coin, e) ||
	    !draws_sample(&m->draws, &d->noise, &sample, e))
		return false;
	return __builtin_add_overflow(exact, sample, &d->x) ? bad_cell(e) : true;
}

/* An exact integer that was brought onto the joint part's lattice, and its noise. */
static bool add_noise(struct releasing *m, const struct noise *noise, i128 exact, i128 *out, struct error *e)
{
	i128 sample;

	if (!draws_sample(&m->draws, noise, &sample, e))
		return false;
	return __builtin_add_overflow(exact, sample, out) ? bad_cell(e) : true;
}

/* All members of the joint part, for one row: each sees the same noised count of units. */
static bool draw_joint(struct releasing *m, size_t row, struct error *e)
{
	const struct release_spec *s = m->spec;
	i128 units, shared, exact, z;

	if (!exact_integer(m, row, s->joint.column, &units, e))
		return false;
	if (!joint_units(units, &shared))
		return bad_cell(e);
	if (!add_noise(m, &s->joint.units, shared, &shared, e))
		return false;
	for (size_t i = 0; i < s->n_values; i++) {
		const struct release_value *v = &s->values[i];
		struct drawn *d = &m->drawn[i];
		if (v->joint.bound == 0)
			continue;
		if (!draws_coin(&m->draws, &d->coin, e) || !exact_integer(m, row, v->column, &exact, e))
			return false;
		if (!joint_mix(&v->joint, exact, units, &z))
			return bad_cell(e);
		if (!add_noise(m, &v->joint.noise, z, &z, e))
			return false;
		if (!joint_recover(&v->joint, z, shared, &d->x))
			return bad_cell(e);
	}
	return true;
}

static bool draw(struct releasing *m, size_t row, size_t value, struct drawn *d, struct error *e)
{
	const struct release_value *v = &m->spec->values[value];

	if (v->joint.bound != 0)
		return true; /* by draw_joint() */
	if (v->kind == RELEASE_CLIPPED)
		return draw_clipped(m, row, value, d, e);
	if (v->kind == RELEASE_MOMENT)
		return draw_moments(m, row, v, d, e);
	if (v->kind == RELEASE_QUANTILE)
		return draw_quantiles(m, row, v, d, e);
	return draws_coin(&m->draws, &d->coin, e) && noised(m, row, v->column, &v->noise, &d->x, e) &&
	       (v->kind != RELEASE_AVG || noised(m, row, v->column + 1, &v->noise_sum, &d->sum, e));
}

static bool release_one(struct releasing *m, size_t row, size_t value, const char **out, struct error *e)
{
	const struct release_value *v = &m->spec->values[value];

	if (v->kind == RELEASE_EXACT) {
		*out = row == SIZE_MAX ? NULL : exact_cell(m, row, v->column);
		if (*out && !(*out = arena_strdup(m->arena, *out)))
			return fail_memory(e);
		return true;
	}
	const bool drawn = m->spec->selection == SELECT_THRESHOLD && m->spec->units_value == value + 1; /* to select the row */
	if (v->shared == 0 && !drawn && !draw(m, row, value, &m->drawn[value], e))
		return false;
	const size_t source = v->shared == 0 ? value : v->shared - 1;
	return shown_text(m->arena, v, &m->spec->values[source], &m->drawn[source], m->spec->confidence, out) ? true : bad_cell(e);
}

static bool too_many(struct error *e)
{
	fail(e, ERR_TOO_COMPLEX, "the result would have more than %d rows", RELEASE_ROWS_MAX);
	return error_hint(e, "Group by fewer or coarser keys.");
}

/* Appends a row: keys given, values from an exact row or, for an empty public group, from zeros. */
static bool add_row(struct releasing *m, const char *const *keys, size_t row, struct error *e)
{
	struct released *r = m->out;

	if (r->n_rows == RELEASE_ROWS_MAX)
		return too_many(e);
	if (r->n_rows == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 16;
		const char **cells = arena_alloc(m->arena, cap * (r->n_columns ? r->n_columns : 1), sizeof(*cells));
		if (!cells)
			return fail_memory(e);
		mem_copy(cells, r->cells, r->n_rows * r->n_columns * sizeof(*cells));
		r->cells = cells;
		r->cap = cap;
	}
	const char **to = r->cells + r->n_rows * r->n_columns;
	BUG_IF(!keys && m->spec->n_keys > 0);
	for (size_t i = 0; i < m->spec->n_keys; i++) {
		to[i] = keys[i] ? arena_strdup(m->arena, keys[i]) : NULL;
		if (keys[i] && !to[i])
			return fail_memory(e);
	}
	if (m->spec->joint.members > 0 && !draw_joint(m, row, e))
		return false;
	for (size_t i = 0; i < m->spec->n_values; i++) {
		if (!release_one(m, row, i, &to[m->spec->n_keys + i], e))
			return false;
	}
	r->n_rows++;
	arena_reset(&m->scratch);
	return true;
}

static bool keys_equal(const char *const *a, const char *const *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!text_eq(a[i], b[i]))
			return false;
	}
	return true;
}

static uint64_t hash_keys(const char *const *keys, size_t n)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < n; i++) {
		for (const char *s = keys[i] ? keys[i] : "\1"; *s; s++)
			h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
		h = (h ^ 0xff) * UINT64_C(1099511628211);
	}
	return h;
}

/* Open addressing over the exact rows, by their keys. */
struct index {
	size_t *slots; /* row + 1, 0 empty */
	size_t mask;
};

static bool index_rows(struct releasing *m, struct index *x, struct error *e)
{
	size_t size = 16;

	while (size < m->rows->n_rows * 2)
		size *= 2;
	x->mask = size - 1;
	x->slots = arena_array(m->arena, size, size_t);
	if (!x->slots)
		return fail_memory(e);
	for (size_t i = 0; i < m->rows->n_rows; i++) {
		size_t at = hash_keys(m->rows->cells + i * m->rows->n_columns, m->spec->n_keys) & x->mask;
		while (x->slots[at])
			at = (at + 1) & x->mask;
		x->slots[at] = i + 1;
	}
	return true;
}

static size_t find_row(const struct releasing *m, const struct index *x, const char *const *keys)
{
	for (size_t at = hash_keys(keys, m->spec->n_keys) & x->mask; x->slots[at]; at = (at + 1) & x->mask) {
		size_t row = x->slots[at] - 1;
		if (keys_equal(m->rows->cells + row * m->rows->n_columns, keys, m->spec->n_keys))
			return row;
	}
	return SIZE_MAX;
}

/* A value twice in a domain would answer the same group twice, with noise that averages out: our planner never does that. */
static bool domain_is_distinct(struct releasing *m, const char *const *domain, size_t n, struct error *e)
{
	const struct exact_rows rows = { .n_rows = n, .n_columns = 1, .cells = domain };
	const struct release_spec one = { .n_keys = 1 };
	struct releasing as_rows = { .spec = &one, .rows = &rows, .arena = m->arena };
	struct index x;

	if (!index_rows(&as_rows, &x, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (find_row(&as_rows, &x, &domain[i]) != i)
			return fail(e, ERR_INTERNAL, "a public domain names a value twice");
	}
	return true;
}

/* Every combination of the public domains, the last key fastest. */
static bool release_domains(struct releasing *m, struct error *e)
{
	const struct release_spec *s = m->spec;
	size_t *at = arena_array(m->arena, s->n_keys, size_t), product = 1;
	const char **keys = arena_array(m->arena, s->n_keys, const char *);
	struct index index;

	if (!at || !keys)
		return fail_memory(e);
	for (size_t i = 0; i < s->n_keys; i++) {
		if (__builtin_mul_overflow(product, s->n_domain[i], &product))
			return too_many(e);
		if (!domain_is_distinct(m, s->domains[i], s->n_domain[i], e))
			return false;
	}
	if (product > RELEASE_ROWS_MAX)
		return too_many(e);
	if (!index_rows(m, &index, e))
		return false;
	for (; product > 0; product--) {
		for (size_t i = 0; i < s->n_keys; i++)
			keys[i] = s->domains[i][at[i]];
		if (!add_row(m, keys, find_row(m, &index, keys), e))
			return false;
		for (size_t i = s->n_keys; i > 0 && ++at[i - 1] == s->n_domain[i - 1]; i--)
			at[i - 1] = 0;
	}
	return true;
}

/* The noised count of a row's units: of a value that is shown, or drawn for this alone. */
static bool noised_units(struct releasing *m, size_t row, i128 *out, struct error *e)
{
	const struct release_spec *s = m->spec;

	if (s->units_value == 0)
		return noised(m, row, s->units_column, &s->units_noise, out, e);
	struct drawn *d = &m->drawn[s->units_value - 1];
	if (!draw(m, row, s->units_value - 1, d, e))
		return false;
	*out = d->x;
	return true;
}

static bool row_selected(struct releasing *m, size_t row, bool *keep, struct error *e)
{
	const struct release_spec *s = m->spec;
	i128 n, units;

	*keep = true;
	for (size_t i = 0; i < s->n_minimums; i++) {
		if (!exact_integer(m, row, s->minimums[i].column, &n, e))
			return false;
		*keep = *keep && n >= s->minimums[i].minimum;
	}
	if (s->selection == SELECT_MINIMUM)
		return true;
	if (!exact_integer(m, row, s->units_column, &units, e))
		return false;
	if (s->selection == SELECT_OPTIMAL)
		return select_draw(&s->law, &m->table, units, m->rng, keep, e);
	if (!noised_units(m, row, &n, e))
		return false;
	*keep = select_keeps(units, n, s->threshold, s->minimum_units);
	return true;
}

/* A joint part has as many members as its noise is for, and no value that is noised for something else too. */
static void check_joint(const struct release_spec *s)
{
	size_t members = 0;

	for (size_t i = 0; i < s->n_values; i++) {
		const struct release_value *v = &s->values[i];
		if (v->joint.bound == 0)
			continue;
		members++;
		BUG_IF(v->shared > 0 || (v->kind != RELEASE_COUNT && v->kind != RELEASE_SUM) || v->joint.noise.kind != NOISE_GAUSSIAN);
	}
	BUG_IF(members != s->joint.members || members == 1 || (members > 0 && (s->units_value > 0 || s->joint.units.kind != NOISE_GAUSSIAN)));
}

/* What only our own planner could get wrong. */
static void check_spec(const struct release_spec *s)
{
	const bool groups = s->selection == SELECT_THRESHOLD || s->selection == SELECT_OPTIMAL;

	BUG_IF(s->private_noise == (s->selection == SELECT_MINIMUM) || (s->private_noise && s->n_minimums > 0));
	BUG_IF(groups && (s->minimum_units < 1 || s->units_value > s->n_values));
	BUG_IF(s->selection == SELECT_OPTIMAL && s->law.minimum != s->minimum_units);
	BUG_IF(groups && s->units_value > 0 && (s->values[s->units_value - 1].kind != RELEASE_COUNT || s->values[s->units_value - 1].shared > 0));
	check_joint(s);
	for (size_t i = 0; i < s->n_values; i++) {
		const struct release_value *v = &s->values[i];
		BUG_IF(s->private_noise == (v->kind == RELEASE_EXACT));
		BUG_IF(v->kind != RELEASE_EXACT && v->grid.digits < 1);
		BUG_IF(v->format == FORMAT_INT8 && (v->kind == RELEASE_AVG || (v->grid.scale != 0 && v->kind != RELEASE_MOMENT)));
		BUG_IF(v->kind == RELEASE_CLIPPED && (v->clip.steps < 1 || v->clip.steps > CLIP_STEPS_MAX));
		BUG_IF(v->extra_scale < 0 || v->extra_scale > 12 || (v->kind == RELEASE_AVG && v->lo > v->hi));
		BUG_IF(v->shared > i || (v->shared > 0 && (s->values[v->shared - 1].kind != v->kind || s->values[v->shared - 1].shared > 0)));
		BUG_IF((v->end != END_VALUE || v->kind == RELEASE_QUANTILE) && !(s->confidence > 0 && s->confidence < 1));
	}
}

/* The upstream gave every column that the release reads. */
static bool wide_enough(const struct release_spec *s, size_t n_columns)
{
	size_t need = s->n_keys;

	for (size_t i = 0; i < s->n_values; i++) {
		const struct release_value *v = &s->values[i];
		size_t last = v->column + (v->kind == RELEASE_AVG ? 2 : v->kind == RELEASE_MOMENT && v->shared == 0 ? v->n_parts : 1);
		need = last > need ? last : need;
	}
	for (size_t i = 0; i < s->n_minimums; i++)
		need = s->minimums[i].column >= need ? s->minimums[i].column + 1 : need;
	if ((s->selection == SELECT_THRESHOLD || s->selection == SELECT_OPTIMAL) && s->units_column >= need)
		need = s->units_column + 1;
	if (s->joint.members > 0 && s->joint.column >= need)
		need = s->joint.column + 1;
	return n_columns >= need;
}

/* --- row by row ----------------------------------------------------------------------------------------------------------------------- */

static bool has_clipped(const struct release_spec *s)
{
	bool found = false;

	for (size_t i = 0; i < s->n_values; i++)
		found = found || s->values[i].kind == RELEASE_CLIPPED;
	return found;
}

/* What a release holds beside its arena's memory. */
static void let_go(void *releasing)
{
	struct releasing *m = releasing;

	if (m->rng)
		draws_end(&m->draws);
	m->rng = NULL;
	arena_reset(&m->scratch);
}

bool release_begin(const struct release_spec *spec, const struct rng *r, struct arena *a, struct releasing **out, struct error *e)
{
	struct releasing *m = arena_new(a, struct releasing);
	const bool clipped = has_clipped(spec);

	check_spec(spec);
	if (!m)
		return fail_memory(e);
	*m = (struct releasing){ .spec = spec, .arena = a, .together = spec->selection == SELECT_ALL || clipped };
	arena_init(&m->scratch, SCRATCH_MAX);
	if (!arena_on_reset(a, let_go, m)) /* also of one that is given up */
		return fail_memory(e);
	m->out = arena_new(a, struct released);
	m->drawn = arena_array(a, spec->n_values + 1, struct drawn);
	m->chosen = arena_array(a, spec->n_values + 1, size_t);
	if (clipped)
		m->above = arena_alloc(a, spec->n_values, sizeof(*m->above));
	if (!m->out || !m->drawn || !m->chosen || (clipped && !m->above))
		return fail_memory(e);
	m->out->bounds = arena_array(a, spec->n_values + 1, i128);
	if (!m->out->bounds)
		return fail_memory(e);
	m->out->n_values = spec->n_values;
	m->out->n_columns = spec->n_keys + spec->n_values;
	if (spec->selection == SELECT_OPTIMAL && !select_table_make(&spec->law, a, &m->table, e))
		return false;
	draws_begin(&m->draws, r);
	m->rng = r;
	*out = m;
	return true;
}

static bool keep_row(struct releasing *m, const char *const *cells, size_t n, struct error *e)
{
	const size_t units = m->spec->units_value, row = m->kept.n_rows;

	if (row > 0 && n != m->kept.n_columns)
		return bad_cell(e);
	for (size_t i = 0; i < n; i++) {
		m->cells = arena_grow(m->arena, m->cells, row * n + i, &m->cap_kept, sizeof(*m->cells));
		if (!m->cells)
			return fail_memory(e);
		m->cells[row * n + i] = cells[i] ? arena_strdup(m->arena, cells[i]) : NULL;
		if (cells[i] && !m->cells[row * n + i])
			return fail_memory(e);
	}
	m->units = arena_grow(m->arena, m->units, row, &m->cap_units, sizeof(*m->units));
	if (!m->units)
		return fail_memory(e);
	m->units[row] = m->drawn[units > 0 ? units - 1 : 0];
	m->kept = (struct exact_rows){ row + 1, n, m->cells };
	return true;
}

/* A row of a group that is not shown leaves nothing behind: what a release may take up depends on what it shows. */
static bool take_row(struct releasing *m, const char *const *cells, size_t n, struct error *e)
{
	bool keep = true;

	if (!wide_enough(m->spec, n))
		return bad_cell(e);
	if (!count_above(m, e) || (m->spec->selection != SELECT_ALL && !row_selected(m, 0, &keep, e)))
		return false;
	return !keep || (m->together ? keep_row(m, cells, n, e) : add_row(m, cells, 0, e));
}

bool release_row(struct releasing *m, const char *const *cells, size_t n, struct error *e)
{
	const struct exact_rows one = { 1, n, cells };

	m->rows = &one;
	bool ok = take_row(m, cells, n, e);
	m->rows = NULL;
	arena_reset(&m->scratch);
	return ok;
}

/* Groups that were selected before, with the draw that selected them. */
static bool release_kept(struct releasing *m, struct error *e)
{
	const size_t units = m->spec->units_value;

	for (size_t row = 0; row < m->kept.n_rows; row++) {
		m->drawn[units > 0 ? units - 1 : 0] = m->units[row];
		if (!add_row(m, m->kept.cells + row * m->kept.n_columns, row, e))
			return false;
	}
	return true;
}

bool release_end(struct releasing *m, const struct released **out, struct error *e)
{
	const bool all = m->spec->selection == SELECT_ALL;
	bool ok = true;

	m->rows = &m->kept;
	if (m->together)
		ok = choose_bounds(m, e) && (!all ? release_kept(m, e) : m->spec->n_keys > 0 ? release_domains(m, e)
										      : add_row(m, NULL, m->kept.n_rows > 0 ? 0 : SIZE_MAX, e));
	let_go(m);
	if (ok)
		*out = m->out;
	return ok;
}

bool release_make(const struct release_spec *spec, const struct exact_rows *rows, const struct rng *r, struct arena *a,
		  const struct released **out, struct error *e)
{
	struct releasing *m;

	if (!release_begin(spec, r, a, &m, e))
		return false;
	for (size_t row = 0; row < rows->n_rows; row++) {
		if (!release_row(m, rows->cells + row * rows->n_columns, rows->n_columns, e))
			return false;
	}
	return release_end(m, out, e);
}

void released_put(const struct released *r, struct wr *w)
{
	wr_u64(w, r->n_rows);
	wr_u64(w, r->n_columns);
	for (size_t i = 0; i < r->n_rows * r->n_columns; i++) {
		wr_u8(w, r->cells[i] != NULL);
		if (r->cells[i])
			wr_cstr(w, r->cells[i]);
	}
	wr_u64(w, r->n_values);
	for (size_t i = 0; i < r->n_values; i++) {
		wr_u64(w, (uint64_t)((u128)r->bounds[i] >> 64));
		wr_u64(w, (uint64_t)(u128)r->bounds[i]);
	}
}

static bool get_bounds(struct rd *in, struct arena *a, struct released *r)
{
	uint64_t n = rd_u64(in);

	if (in->bad || n > r->n_columns)
		return false;
	r->n_values = n;
	r->bounds = arena_array(a, n + 1, i128);
	for (size_t i = 0; r->bounds && i < n; i++) {
		u128 high = rd_u64(in);
		r->bounds[i] = (i128)(high << 64 | rd_u64(in));
	}
	return r->bounds && !in->bad;
}

bool released_get(struct rd *in, struct arena *a, const struct released **out)
{
	uint64_t rows = rd_u64(in), columns = rd_u64(in), n;
	struct released *r = arena_new(a, struct released);

	/* a cell has at least its first byte: no size is believed that the bytes cannot hold */
	if (!r || in->bad || __builtin_mul_overflow(rows, columns, &n) || n > in->left || rows > RELEASE_ROWS_MAX)
		return false;
	const char **cells = arena_array(a, n ? n : 1, const char *);
	if (!cells)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (rd_u8(in) == 0)
			continue;
		cells[i] = arena_strdup(a, rd_cstr(in));
		if (!cells[i])
			return false;
	}
	*r = (struct released){ .n_rows = rows, .n_columns = columns, .cap = rows, .cells = cells };
	if (in->bad || !get_bounds(in, a, r))
		return false;
	*out = r;
	return true;
}

bool released_with(const struct released *r, const char **cells, struct arena *a, const struct released **out, struct error *e)
{
	struct released *made = arena_new(a, struct released);

	if (!made)
		return fail_memory(e);
	*made = *r;
	made->cells = cells;
	made->cap = r->n_rows;
	*out = made;
	return true;
}

size_t released_rows(const struct released *r)
{
	return r->n_rows;
}

size_t released_columns(const struct released *r)
{
	return r->n_columns;
}

const char *released_cell(const struct released *r, size_t row, size_t column)
{
	BUG_IF(row >= r->n_rows || column >= r->n_columns);
	return r->cells[row * r->n_columns + column];
}

i128 released_bound(const struct released *r, size_t value)
{
	BUG_IF(value >= r->n_values);
	return r->bounds[value];
}
