/* Rounding with given sums: exact, near, and in favour of no cell. */
#include "mechanisms/controlled.h"

#include <criterion/criterion.h>
#include <math.h>

enum { CELLS = 600 };

static double fraction(struct coins *c)
{
	return (double)(coins_next(c) >> 11) * 0x1p-53;
}

/* Random numbers, and sums that are theirs rounded: what a margin that was rounded before asks for. */
static void make_table(struct coins *c, size_t rows, size_t columns, double scale, double *x, i128 *row_sums, i128 *column_sums)
{
	i128 all = 0, other = 0;

	for (size_t i = 0; i < rows * columns; i++)
		x[i] = (fraction(c) - 0.5) * scale;
	for (size_t i = 0; i < rows; i++) {
		double sum = 0;
		for (size_t j = 0; j < columns; j++)
			sum += x[i * columns + j];
		row_sums[i] = (i128)floor(sum + fraction(c));
		all += row_sums[i];
	}
	for (size_t j = 0; j < columns; j++) {
		double sum = 0;
		for (size_t i = 0; i < rows; i++)
			sum += x[i * columns + j];
		column_sums[j] = (i128)floor(sum + fraction(c));
		other += column_sums[j];
	}
	column_sums[0] += all - other;
}

Test(controlled, tables_have_the_sums_asked_for_and_cells_next_to_their_moved_estimates)
{
	static const size_t shapes[][2] = { { 1, 1 }, { 1, 7 }, { 9, 1 }, { 2, 2 }, { 3, 3 }, { 2, 50 }, { 20, 30 }, { 30, 20 } };
	static double x[CELLS];
	static i128 rows[CELLS], columns[CELLS], out[CELLS];
	struct coins c = { 11 };
	struct arena a;

	arena_init(&a, 1 << 22);
	struct controlled *t = controlled_new(&a, CELLS);
	cr_assert(t);
	for (size_t s = 0; s < ARRAY_LEN(shapes) * 200; s++) {
		const size_t m = shapes[s % 8][0], n = shapes[s % 8][1];
		double row_move[CELLS], column_move[CELLS] = { 0 }, all = 0;
		make_table(&c, m, n, s % 3 == 0 ? 1 : s % 3 == 1 ? 100 : 1e9, x, rows, columns);
		cr_assert(controlled_table(t, x, m, n, rows, columns, &c, out));
		for (size_t j = 0; j < n; j++) {
			i128 sum = 0;
			for (size_t i = 0; i < m; i++)
				sum += out[i * n + j];
			cr_expect(sum == columns[j], "%zu x %zu, column %zu", m, n, j);
		}
		for (size_t i = 0; i < m; i++) {
			i128 sum = 0;
			row_move[i] = (double)rows[i];
			for (size_t j = 0; j < n; j++) {
				sum += out[i * n + j];
				row_move[i] -= x[i * n + j];
				column_move[j] += (double)columns[j] / (double)m - x[i * n + j];
			}
			cr_expect(sum == rows[i], "%zu x %zu, row %zu", m, n, i);
			all += row_move[i];
		}
		for (size_t j = 0; j < n; j++) {
			column_move[j] = (double)columns[j];
			for (size_t i = 0; i < m; i++)
				column_move[j] -= x[i * n + j];
			for (size_t i = 0; i < m; i++) {
				const double moved = x[i * n + j] + row_move[i] / (double)n + column_move[j] / (double)m - all / (double)(m * n);
				cr_expect(fabs((double)out[i * n + j] - moved) < 1 + 1e-4, "%zu x %zu: %g for %g", m, n, (double)out[i * n + j], moved);
			}
		}
	}
	arena_reset(&a);
}

Test(controlled, whole_numbers_with_the_right_sums_stay)
{
	const double x[] = { 3, -4, 5, 1e15, 0, -1 };
	const i128 rows[] = { 4, 999999999999999 }, columns[] = { 1000000000000003, -4, 4 };
	struct coins c = { 1 };
	struct arena a;
	i128 out[6];

	arena_init(&a, 1 << 16);
	struct controlled *t = controlled_new(&a, 6);
	cr_assert(t && controlled_table(t, x, 2, 3, rows, columns, &c, out));
	for (size_t i = 0; i < 6; i++)
		cr_expect(out[i] == (i128)x[i], "%zu", i);
	cr_assert(controlled_line(x, 3, 4, &c, out));
	for (size_t i = 0; i < 3; i++)
		cr_expect(out[i] == (i128)x[i], "%zu", i);
	arena_reset(&a);
}

Test(controlled, cells_go_up_as_often_as_their_fractions_say)
{
	/* rows sum to 1, 1, 2 and columns to 2, 1, 1; the second table is moved first: its cells are not whole in the sum */
	static const double tables[2][9] = { { .7, .2, .1, .5, .25, .25, .8, .55, .65 }, { .6, .2, .1, .5, .25, .35, .8, .55, .65 } };
	const i128 rows[] = { 1, 1, 2 }, columns[] = { 2, 1, 1 };
	enum { RUNS = 200000 };
	struct arena a;
	i128 out[9];

	arena_init(&a, 1 << 16);
	struct controlled *t = controlled_new(&a, 9);
	cr_assert(t);
	for (size_t k = 0; k < 2; k++) {
		double mean[9] = { 0 }, row_move[3], column_move[3];
		for (size_t i = 0; i < 3; i++) {
			row_move[i] = (double)rows[i] - tables[k][3 * i] - tables[k][3 * i + 1] - tables[k][3 * i + 2];
			column_move[i] = (double)columns[i] - tables[k][i] - tables[k][i + 3] - tables[k][i + 6];
		}
		const double all = row_move[0] + row_move[1] + row_move[2];
		for (uint64_t run = 0; run < RUNS; run++) {
			struct coins c = { run * 1000003 };
			cr_assert(controlled_table(t, tables[k], 3, 3, rows, columns, &c, out));
			for (size_t i = 0; i < 9; i++)
				mean[i] += (double)out[i] / RUNS;
		}
		for (size_t i = 0; i < 9; i++) {
			const double want = tables[k][i] + row_move[i / 3] / 3 + column_move[i % 3] / 3 - all / 9;
			cr_expect(fabs(mean[i] - want) < 6 * 0.5 / sqrt(RUNS), "table %zu, cell %zu: %g, not %g", k, i, mean[i], want);
		}
	}
	arena_reset(&a);
}

Test(controlled, numbers_too_large_to_have_fractions_are_refused)
{
	const double large[] = { 0x1p61, 0 }, nan[] = { NAN, 0 }, fine[] = { 1, 2 };
	const i128 rows[] = { 3 }, columns[] = { 1, 2 }, far[] = { (i128)1 << 62 }, far_columns[] = { (i128)1 << 62, 0 };
	struct coins c = { 1 };
	struct arena a;
	i128 out[2];

	arena_init(&a, 1 << 16);
	struct controlled *t = controlled_new(&a, 2);
	cr_assert(t);
	cr_expect(controlled_table(t, fine, 1, 2, rows, columns, &c, out));
	cr_expect(!controlled_table(t, large, 1, 2, rows, columns, &c, out));
	cr_expect(!controlled_table(t, nan, 1, 2, rows, columns, &c, out));
	cr_expect(!controlled_table(t, fine, 1, 2, far, far_columns, &c, out));
	cr_expect(controlled_line(fine, 2, 3, &c, out));
	cr_expect(!controlled_line(large, 2, 3, &c, out));
	cr_expect(!controlled_line(nan, 2, 3, &c, out));
	cr_expect(!controlled_line(fine, 2, far[0], &c, out));
	arena_reset(&a);
}
