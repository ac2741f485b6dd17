#include "mechanisms/rounding.h"

#include "base/mem.h"

#include <math.h>

/* Places of the cells of a table over `part` in one over more axes. */
struct places {
	size_t n, *at;
};

/* One step: its numbers, and where they lie in the tables that it is rounded to.  A step that only helps takes its estimates from sums of table `table`. */
struct step {
	const struct lattice_step *plan;
	size_t cells, table;
	bool shown;
	i128 *base, *whole;
	double *off;
	struct places in_table, beside_table; /* !shown: its cells in the table's, and what is summed there */
	struct places own, beside;            /* first, no second: first's cells, and the rest.  derived: in first, not in itself */
	/* first and second: the axes both have, those of first alone (rows), of second alone (columns); in itself, in first, in second */
	struct places shared[3], rows[2], columns[2];
};

struct rounding {
	const struct lattice *l;
	const struct lattice_plan *plan;
	struct step *steps;
	size_t place[LATTICE_SETS_MAX]; /* the step of each table */
	/* one line or table of a step */
	struct controlled *table;
	double *x;
	i128 *out, *row_sums, *column_sums;
};

/* --- memory --------------------------------------------------------------------------------------------------------------------- */

static bool find_places(const struct lattice *l, uint32_t set, uint32_t part, struct arena *a, struct places *out)
{
	*out = (struct places){ lattice_cells(l, part), lattice_places(l, set, part, a) };
	return out->at != NULL;
}

static bool open_crossing(const struct rounding *r, struct step *s, struct arena *a)
{
	const uint32_t set = s->plan->set, first = r->steps[s->plan->first].plan->set, second = r->steps[s->plan->second].plan->set;

	BUG_IF((first | second) != set);
	return find_places(r->l, set, first & second, a, &s->shared[0]) && find_places(r->l, first, first & second, a, &s->shared[1]) &&
	       find_places(r->l, second, first & second, a, &s->shared[2]) && find_places(r->l, set, first & ~second, a, &s->rows[0]) &&
	       find_places(r->l, first, first & ~second, a, &s->rows[1]) && find_places(r->l, set, second & ~first, a, &s->columns[0]) &&
	       find_places(r->l, second, second & ~first, a, &s->columns[1]);
}

/* The table that a step shows, or the first that has all its axes. */
static void find_table(const struct rounding *r, struct step *s)
{
	s->table = LATTICE_NONE;
	for (size_t t = 0; t < r->l->n && !s->shown; t++) {
		s->shown = r->l->sets[t] == s->plan->set;
		if (s->shown || (s->table == LATTICE_NONE && (r->l->sets[t] & s->plan->set) == s->plan->set))
			s->table = t;
	}
}

/* False without memory. */
static bool open_step(const struct rounding *r, struct step *s, struct arena *a)
{
	const uint32_t set = s->plan->set, first = s->plan->first == LATTICE_NONE ? 0 : r->steps[s->plan->first].plan->set;

	s->cells = lattice_cells(r->l, set);
	find_table(r, s);
	/* a union of two sets that no table has is within a table: the one that needed it */
	BUG_IF(s->table == LATTICE_NONE);
	s->whole = arena_array(a, s->cells, i128);
	if (!s->whole)
		return false;
	if (!s->shown) {
		const uint32_t table = r->l->sets[s->table];
		s->base = arena_array(a, s->cells, i128);
		s->off = arena_array(a, s->cells, double);
		if (!s->base || !s->off || !find_places(r->l, table, set, a, &s->in_table) || !find_places(r->l, table, table & ~set, a, &s->beside_table))
			return false;
	}
	if (s->plan->first == LATTICE_NONE)
		return true;
	if (s->plan->derived)
		return find_places(r->l, first, set, a, &s->own) && find_places(r->l, first, first & ~set, a, &s->beside);
	if (s->plan->second == LATTICE_NONE)
		return find_places(r->l, set, first, a, &s->own) && find_places(r->l, set, set & ~first, a, &s->beside);
	return open_crossing(r, s, a);
}

bool rounding_open(const struct lattice *l, const struct lattice_plan *plan, struct arena *a, struct rounding **out, struct error *e)
{
	struct rounding *r = arena_new(a, struct rounding);
	size_t most = 1;

	if (!r)
		return fail_memory(e);
	*r = (struct rounding){ .l = l, .plan = plan, .steps = arena_array(a, plan->n, struct step) };
	if (!r->steps)
		return fail_memory(e);
	for (size_t i = 0; i < plan->n; i++) {
		r->steps[i].plan = &plan->steps[i];
		if (!open_step(r, &r->steps[i], a))
			return fail_memory(e);
		most = r->steps[i].cells > most ? r->steps[i].cells : most;
		for (size_t t = 0; t < l->n; t++)
			r->place[t] = l->sets[t] == plan->steps[i].set ? i : r->place[t];
	}
	r->table = controlled_new(a, most);
	r->x = arena_array(a, most, double);
	r->out = arena_array(a, most, i128);
	r->row_sums = arena_array(a, most, i128);
	r->column_sums = arena_array(a, most, i128);
	*out = r;
	return r->table && r->x && r->out && r->row_sums && r->column_sums ? true : fail_memory(e);
}

/* --- steps -------------------------------------------------------------------------------------------------------------------------- */

static bool add_to(i128 *sum, i128 x)
{
	return !__builtin_add_overflow(*sum, x, sum);
}

static bool take_from(i128 *sum, i128 x)
{
	return !__builtin_sub_overflow(*sum, x, sum);
}

/* Sums of a table's estimates. */
static bool sum_estimates(struct step *s, const i128 *base, const double *off)
{
	for (size_t i = 0; i < s->cells; i++) {
		s->base[i] = 0;
		s->off[i] = 0;
		for (size_t j = 0; j < s->beside_table.n; j++) {
			const size_t from = s->in_table.at[i] + s->beside_table.at[j];
			s->off[i] += off[from];
			if (!add_to(&s->base[i], base[from]))
				return false;
		}
	}
	return true;
}

static bool round_alone(const struct step *s)
{
	for (size_t i = 0; i < s->cells; i++) {
		if (!(fabs(s->off[i]) < 0x1p61) || __builtin_add_overflow(s->base[i], (i128)llround(s->off[i]), &s->whole[i]))
			return false;
	}
	return true;
}

static bool round_lines(const struct rounding *r, const struct step *s, const i128 *first, struct coins *c)
{
	for (size_t i = 0; i < s->own.n; i++) {
		i128 total = first[i];
		for (size_t j = 0; j < s->beside.n; j++) {
			const size_t at = s->own.at[i] + s->beside.at[j];
			r->x[j] = s->off[at];
			if (!take_from(&total, s->base[at]))
				return false;
		}
		if (!controlled_line(r->x, s->beside.n, total, c, r->out))
			return false;
		for (size_t j = 0; j < s->beside.n; j++) {
			const size_t at = s->own.at[i] + s->beside.at[j];
			if (__builtin_add_overflow(s->base[at], r->out[j], &s->whole[at]))
				return false;
		}
	}
	return true;
}

/* One table of rows and columns, at a place of the axes that first and second share. */
static bool round_table(const struct rounding *r, const struct step *s, size_t shared, struct coins *c)
{
	const i128 *first = r->steps[s->plan->first].whole, *second = r->steps[s->plan->second].whole;
	const size_t rows = s->rows[0].n, columns = s->columns[0].n;

	for (size_t j = 0; j < columns; j++)
		r->column_sums[j] = second[s->shared[2].at[shared] + s->columns[1].at[j]];
	for (size_t i = 0; i < rows; i++) {
		r->row_sums[i] = first[s->shared[1].at[shared] + s->rows[1].at[i]];
		for (size_t j = 0; j < columns; j++) {
			const size_t at = s->shared[0].at[shared] + s->rows[0].at[i] + s->columns[0].at[j];
			r->x[i * columns + j] = s->off[at];
			if (!take_from(&r->row_sums[i], s->base[at]) || !take_from(&r->column_sums[j], s->base[at]))
				return false;
		}
	}
	if (!controlled_table(r->table, r->x, rows, columns, r->row_sums, r->column_sums, c, r->out))
		return false;
	for (size_t i = 0; i < rows; i++) {
		for (size_t j = 0; j < columns; j++) {
			const size_t at = s->shared[0].at[shared] + s->rows[0].at[i] + s->columns[0].at[j];
			if (__builtin_add_overflow(s->base[at], r->out[i * columns + j], &s->whole[at]))
				return false;
		}
	}
	return true;
}

static bool sum_cells(const struct step *s, const i128 *first)
{
	for (size_t i = 0; i < s->cells; i++) {
		s->whole[i] = 0;
		for (size_t j = 0; j < s->beside.n; j++) {
			if (!add_to(&s->whole[i], first[s->own.at[i] + s->beside.at[j]]))
				return false;
		}
	}
	return true;
}

static bool run_step(const struct rounding *r, const struct step *s, struct coins *c)
{
	if (s->plan->first == LATTICE_NONE)
		return round_alone(s);
	const i128 *first = r->steps[s->plan->first].whole;
	if (s->plan->derived)
		return sum_cells(s, first);
	if (s->plan->second == LATTICE_NONE)
		return round_lines(r, s, first, c);
	for (size_t i = 0; i < s->shared[0].n; i++) {
		if (!round_table(r, s, i, c))
			return false;
	}
	return true;
}

bool rounding_run(struct rounding *r, i128 *const *base, double *const *off, struct coins *c, i128 *const *whole)
{
	for (size_t i = 0; i < r->plan->n; i++) {
		struct step *s = &r->steps[i];
		if (s->shown) {
			s->base = base[s->table];
			s->off = off[s->table];
		} else if (!sum_estimates(s, base[s->table], off[s->table])) {
			return false;
		}
		if (!run_step(r, s, c))
			return false;
	}
	for (size_t t = 0; t < r->l->n; t++)
		mem_copy(whole[t], r->steps[r->place[t]].whole, r->steps[r->place[t]].cells * sizeof(i128));
	return true;
}
