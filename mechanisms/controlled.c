#include "mechanisms/controlled.h"

#include <math.h>

#define ONE ((int64_t)1 << 32) /* fractions of cells are in its parts */
#define NOT_ON_PATH SIZE_MAX

struct controlled {
	size_t rows, columns;
	int64_t *fraction;               /* of each cell, 0 to ONE */
	double *row_move, *column_move;
	size_t *row_first, *row_second;  /* no cell before first, nor between first and second, is a fraction */
	size_t *column_first, *column_second;
	size_t *row_at, *column_at;      /* how long the path was when it came there, or NOT_ON_PATH */
	size_t *path, length;            /* cells, from a row to a column, to a row, ... */
};

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t coins_next(struct coins *c)
{
	uint64_t z = c->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static bool is_small(double x)
{
	return fabs(x) < 0x1p61; /* false for NaN */
}

bool controlled_line(const double *x, size_t n, i128 total, struct coins *c, i128 *out)
{
	double sum = 0;
	i128 before = 0;

	for (size_t i = 0; i < n; i++)
		sum += x[i];
	const double move = ((double)total - sum) / (double)n;
	if (!is_small((double)total) || !is_small(sum))
		return false;
	sum = (double)(coins_next(c) >> 11) * 0x1p-53;
	for (size_t i = 0; i < n; i++) {
		sum += x[i] + move;
		if (!is_small(sum))
			return false;
		const i128 now = i + 1 == n ? total : (i128)floor(sum);
		out[i] = now - before;
		before = now;
	}
	return true;
}

/* --- tables ------------------------------------------------------------------------------------------------------------------------- */

struct controlled *controlled_new(struct arena *a, size_t cells)
{
	struct controlled *t = arena_new(a, struct controlled);

	if (!t)
		return NULL;
	t->fraction = arena_array(a, cells + 1, int64_t);
	t->row_move = arena_array(a, cells + 1, double);
	t->column_move = arena_array(a, cells + 1, double);
	size_t **lists[] = { &t->row_first, &t->row_second, &t->column_first, &t->column_second, &t->row_at, &t->column_at };
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		*lists[i] = arena_array(a, cells + 1, size_t);
		if (!*lists[i])
			return NULL;
	}
	t->path = arena_array(a, 2 * cells + 4, size_t);
	return t->fraction && t->row_move && t->column_move && t->path ? t : NULL;
}

/* How far each row and column is to move to its sum. */
static bool find_moves(struct controlled *t, const double *x, const i128 *row_sums, const i128 *column_sums)
{
	const double rows = (double)t->rows, columns = (double)t->columns;
	double all = 0;

	for (size_t j = 0; j < t->columns; j++)
		t->column_move[j] = (double)column_sums[j];
	for (size_t i = 0; i < t->rows; i++) {
		t->row_move[i] = (double)row_sums[i];
		for (size_t j = 0; j < t->columns; j++) {
			const double cell = x[i * t->columns + j];
			if (!is_small(cell))
				return false;
			t->row_move[i] -= cell;
			t->column_move[j] -= cell;
		}
		all += t->row_move[i];
	}
	for (size_t i = 0; i < t->rows; i++)
		t->row_move[i] = (t->row_move[i] - all / rows) / columns;
	for (size_t j = 0; j < t->columns; j++)
		t->column_move[j] = t->column_move[j] / rows;
	return true;
}

/* Cells in parts of ONE, with exactly the sums asked for: what the doubles miss goes to the first row and column. */
static bool move_cells(const struct controlled *t, const double *x, const i128 *row_sums, const i128 *column_sums, i128 *out)
{
	for (size_t i = 0; i < t->rows; i++) {
		i128 rest = row_sums[i] * ONE;
		for (size_t j = 0; j < t->columns; j++) {
			const double cell = x[i * t->columns + j] + t->row_move[i] + t->column_move[j];
			if (!is_small(cell))
				return false;
			out[i * t->columns + j] = (i128)(cell * (double)ONE);
			rest -= out[i * t->columns + j];
		}
		out[i * t->columns] += rest;
	}
	for (size_t j = 1; j < t->columns; j++) {
		i128 rest = column_sums[j] * ONE;
		for (size_t i = 0; i < t->rows; i++)
			rest -= out[i * t->columns + j];
		out[j] += rest;
		out[0] -= rest;
	}
	return true;
}

static void split_cells(struct controlled *t, i128 *cells)
{
	for (size_t i = 0; i < t->rows * t->columns; i++) {
		int64_t fraction = (int64_t)(cells[i] % ONE);
		fraction += fraction < 0 ? ONE : 0;
		cells[i] = (cells[i] - fraction) / ONE;
		t->fraction[i] = fraction;
	}
	for (size_t i = 0; i < t->rows; i++) {
		t->row_first[i] = t->row_second[i] = 0;
		t->row_at[i] = NOT_ON_PATH;
	}
	for (size_t j = 0; j < t->columns; j++) {
		t->column_first[j] = t->column_second[j] = 0;
		t->column_at[j] = NOT_ON_PATH;
	}
}

/* The first fraction of a line but the one at `but`; n: there is none.  Cells become whole and stay so: what was passed is never looked at again. */
static size_t next_fraction(const int64_t *line, size_t n, size_t stride, size_t but, size_t *first, size_t *second)
{
	while (*first < n && line[*first * stride] % ONE == 0)
		++*first;
	if (*first != but || *first == n)
		return *first;
	*second = *second > *first ? *second : *first + 1;
	while (*second < n && line[*second * stride] % ONE == 0)
		++*second;
	return *second;
}

static size_t next_column(struct controlled *t, size_t row, size_t but)
{
	return next_fraction(&t->fraction[row * t->columns], t->columns, 1, but, &t->row_first[row], &t->row_second[row]);
}

static size_t next_row(struct controlled *t, size_t column, size_t but)
{
	return next_fraction(&t->fraction[column], t->rows, t->columns, but, &t->column_first[column], &t->column_second[column]);
}

/* The cycle that the path ends with, from `from` on: up or down by as much as its cells can, so that the mean change is 0. */
static void cancel(struct controlled *t, size_t from, struct coins *c)
{
	int64_t up = ONE, down = ONE;

	for (size_t i = from; i < t->length; i++) {
		const int64_t fraction = t->fraction[t->path[i]], above = ONE - fraction;
		const bool raised = (i - from) % 2 == 0;
		up = (raised ? above : fraction) < up ? (raised ? above : fraction) : up;
		down = (raised ? fraction : above) < down ? (raised ? fraction : above) : down;
	}
	const int64_t by = coins_next(c) % (uint64_t)(up + down) < (uint64_t)down ? up : -down;
	for (size_t i = from; i < t->length; i++)
		t->fraction[t->path[i]] += (i - from) % 2 == 0 ? by : -by;
}

/* Takes the path back to where it was `length` long; the row or column there stays on it. */
static void shorten(struct controlled *t, size_t length)
{
	for (size_t i = length; i < t->length; i++) {
		const size_t row = t->path[i] / t->columns, column = t->path[i] % t->columns;
		if (i % 2 == 0 && t->column_at[column] > length)
			t->column_at[column] = NOT_ON_PATH;
		if (i % 2 == 1 && t->row_at[row] > length)
			t->row_at[row] = NOT_ON_PATH;
	}
	t->length = length;
}

/* Makes all cells whole that a path from this row meets until the row itself is whole. */
static void round_from(struct controlled *t, size_t row, struct coins *c)
{
	t->length = 0;
	t->row_at[row] = 0;
	for (;;) {
		const bool in_row = t->length % 2 == 0;
		const size_t last = t->length > 0 ? t->path[t->length - 1] : 0, here_row = t->length > 0 ? last / t->columns : row, here_column = last % t->columns;
		const size_t next = in_row ? next_column(t, here_row, t->length > 0 ? here_column : NOT_ON_PATH) : next_row(t, here_column, here_row);
		if (t->length == 0 && next == t->columns)
			break;
		BUG_IF(next == (in_row ? t->columns : t->rows)); /* a line of whole sum with one fraction */
		t->path[t->length++] = in_row ? here_row * t->columns + next : next * t->columns + here_column;
		size_t *at = in_row ? &t->column_at[next] : &t->row_at[next];
		if (*at == NOT_ON_PATH) {
			*at = t->length;
			continue;
		}
		const size_t from = *at;
		cancel(t, from, c);
		shorten(t, from);
	}
	t->row_at[row] = NOT_ON_PATH;
}

bool controlled_table(struct controlled *t, const double *x, size_t rows, size_t columns, const i128 *row_sums, const i128 *column_sums,
		      struct coins *c, i128 *out)
{
	t->rows = rows;
	t->columns = columns;
	for (size_t i = 0; i < rows + columns; i++) {
		if (!is_small((double)(i < rows ? row_sums[i] : column_sums[i - rows])))
			return false;
	}
	if (!find_moves(t, x, row_sums, column_sums) || !move_cells(t, x, row_sums, column_sums, out))
		return false;
	split_cells(t, out);
	for (size_t i = 0; i < rows; i++)
		round_from(t, i, c);
	for (size_t i = 0; i < rows * columns; i++)
		out[i] += t->fraction[i] / ONE;
	return true;
}
