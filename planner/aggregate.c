/* Aggregate calls of a block: what each one is, what it needs, and which of them share one noised draw. */
#include "planner/block_parts.h"

#include "base/mem.h"
#include "base/text.h"
#include "planner/post.h"

typedef PgQuery__Node Node;

enum { AGGREGATES_MAX = 64 };

/* Widest bounds of an argument whose squares are summed, in grid units: sums of squares stay far below 2^120. */
#define MOMENT_WIDTH_MAX ((i128)1 << 30)

static bool refuse(const struct block *b, int location, struct error *e, const char *rule, const char *message, const char *hint)
{
	fail(e, ERR_RULE, "%s", message);
	error_rule(e, rule);
	error_hint(e, "%s", hint);
	return planning_at(b->planning, location, e);
}

/* --- the table: the next aggregate is one row --------------------------------------------------------------------------------- */

enum result_type { RESULT_INT8, RESULT_SUM, RESULT_MEAN, RESULT_FLOAT8, RESULT_SAME };

struct aggregate_row {
	const char *name;
	enum aggregate_kind kind;
	size_t n_args;
	enum result_type result;
	enum moment what;    /* MOMENT */
	struct decimal rank; /* QUANTILE without WITHIN GROUP */
	bool within_group;
};

static const struct aggregate_row rows[] = {
	{ .name = "count", .kind = AGGREGATE_COUNT, .n_args = 1, .result = RESULT_INT8 },
	{ .name = "sum", .kind = AGGREGATE_SUM, .n_args = 1, .result = RESULT_SUM },
	{ .name = "avg", .kind = AGGREGATE_AVG, .n_args = 1, .result = RESULT_MEAN },
	{ .name = "min", .kind = AGGREGATE_QUANTILE, .n_args = 1, .result = RESULT_SAME, .rank = { 1, 2 } },
	{ .name = "max", .kind = AGGREGATE_QUANTILE, .n_args = 1, .result = RESULT_SAME, .rank = { 99, 2 } },
	{ .name = "percentile_cont", .kind = AGGREGATE_QUANTILE, .n_args = 1, .result = RESULT_FLOAT8, .within_group = true },
	{ .name = "percentile_disc", .kind = AGGREGATE_QUANTILE, .n_args = 1, .result = RESULT_SAME, .within_group = true },
	{ .name = "variance", .kind = AGGREGATE_MOMENT, .n_args = 1, .result = RESULT_MEAN, .what = MOMENT_VAR_SAMP },
	{ .name = "var_samp", .kind = AGGREGATE_MOMENT, .n_args = 1, .result = RESULT_MEAN, .what = MOMENT_VAR_SAMP },
	{ .name = "var_pop", .kind = AGGREGATE_MOMENT, .n_args = 1, .result = RESULT_MEAN, .what = MOMENT_VAR_POP },
	{ .name = "stddev", .kind = AGGREGATE_MOMENT, .n_args = 1, .result = RESULT_MEAN, .what = MOMENT_STDDEV_SAMP },
	{ .name = "stddev_samp", .kind = AGGREGATE_MOMENT, .n_args = 1, .result = RESULT_MEAN, .what = MOMENT_STDDEV_SAMP },
	{ .name = "stddev_pop", .kind = AGGREGATE_MOMENT, .n_args = 1, .result = RESULT_MEAN, .what = MOMENT_STDDEV_POP },
	{ .name = "covar_pop", .kind = AGGREGATE_MOMENT, .n_args = 2, .result = RESULT_FLOAT8, .what = MOMENT_COVAR_POP },
	{ .name = "covar_samp", .kind = AGGREGATE_MOMENT, .n_args = 2, .result = RESULT_FLOAT8, .what = MOMENT_COVAR_SAMP },
	{ .name = "corr", .kind = AGGREGATE_MOMENT, .n_args = 2, .result = RESULT_FLOAT8, .what = MOMENT_CORR },
	{ .name = "regr_slope", .kind = AGGREGATE_MOMENT, .n_args = 2, .result = RESULT_FLOAT8, .what = MOMENT_SLOPE },
	{ .name = "regr_intercept", .kind = AGGREGATE_MOMENT, .n_args = 2, .result = RESULT_FLOAT8, .what = MOMENT_INTERCEPT },
	{ .name = "regr_r2", .kind = AGGREGATE_MOMENT, .n_args = 2, .result = RESULT_FLOAT8, .what = MOMENT_R2 },
	{ .name = "regr_sxx", .kind = AGGREGATE_MOMENT, .n_args = 2, .result = RESULT_FLOAT8, .what = MOMENT_SXX },
	{ .name = "regr_syy", .kind = AGGREGATE_MOMENT, .n_args = 2, .result = RESULT_FLOAT8, .what = MOMENT_SYY },
	{ .name = "regr_sxy", .kind = AGGREGATE_MOMENT, .n_args = 2, .result = RESULT_FLOAT8, .what = MOMENT_SXY },
	{ .name = "regr_avgx", .kind = AGGREGATE_MOMENT, .n_args = 2, .result = RESULT_FLOAT8, .what = MOMENT_MEAN },
	{ .name = "regr_avgy", .kind = AGGREGATE_MOMENT, .n_args = 2, .result = RESULT_FLOAT8, .what = MOMENT_MEAN_Y },
	{ .name = "regr_count", .kind = AGGREGATE_MOMENT, .n_args = 2, .result = RESULT_INT8, .what = MOMENT_COUNT },
};

static const struct aggregate_row *find_row(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (text_eq(rows[i].name, name))
			return &rows[i];
	}
	return NULL;
}

static enum sql_type result_type(const struct aggregate_row *row, enum sql_type arg)
{
	switch (row->result) {
	case RESULT_INT8:
		return TYPE_INT8;
	case RESULT_SUM:
		return arg == TYPE_FLOAT8 ? TYPE_FLOAT8 : arg == TYPE_INT2 || arg == TYPE_INT4 ? TYPE_INT8 : TYPE_NUMERIC;
	case RESULT_MEAN:
		return arg == TYPE_FLOAT8 ? TYPE_FLOAT8 : TYPE_NUMERIC;
	case RESULT_FLOAT8:
		return TYPE_FLOAT8;
	case RESULT_SAME:
		return arg;
	}
	return arg;
}

/* --- bounds -------------------------------------------------------------------------------------------------------------------- */

/* Bounds of an argument in grid units.  A grid finer than `width` units between the bounds is made coarser. */
static bool take_bounds(const struct block *b, const struct expr *x, const char *function, int location, i128 width, struct decimal *grid,
			i128 *lo, i128 *hi, struct error *e)
{
	const struct range *r = &x->range;
	const i128 most = (i128)1 << 53;

	if (!r->known) {
		const char *label = block_label(x);
		fail(e, ERR_RULE, "%s needs bounds on \"%s\"", function, label);
		error_rule(e, "bounds");
		error_detail(e, "Noise is scaled to the largest contribution that one person could make, and nothing in the policy or the query limits it.");
		error_hint(e, "Write bounds into the query, such as %s(least(greatest(%s, 0), 100)), or ask the owner to declare them.", function, label);
		return planning_at(b->planning, location, e);
	}
	*grid = type_is_integer(x->type) ? (struct decimal){ 1, 0 } : r->grid;
	if (grid->digits <= 0)
		grid->digits = 1;
	for (;;) {
		bool fits = decimal_ceil_div(r->lo, *grid, lo) && decimal_floor_div(r->hi, *grid, hi);
		if (!fits || *lo > *hi || *lo < -most || *hi > most) {
			fail(e, ERR_RULE, "the bounds of \"%s\" are too wide for its grid", block_label(x));
			error_rule(e, "bounds");
			error_hint(e, "Clamp it: %s(least(greatest(x, 0), 100)).", function);
			return planning_at(b->planning, location, e);
		}
		if (*hi - *lo <= width)
			return true;
		grid->digits *= 2;
	}
}

/* What one unit may add to a sum, in the sum's own unit, from which on its bound is found privately unless the analyst says otherwise. */
static const double wide_sum = 1e6;

/* Wider bounds than this many grid units of one unit are as good as none: the samplers hold noise for no more. */
#define WIDEST_SUM ((i128)1 << 48)

static double widest(const struct block *b, const struct aggregate *g)
{
	const i128 reach = -g->lo > g->hi ? -g->lo : g->hi;

	return (double)reach * (double)b->max_rows * decimal_double(g->grid);
}

/* Bounds of a sum: given ones, or such as only keep the numbers small while a private one is found. */
static bool sum_bounds(struct block *b, struct aggregate *g, int location, struct error *e)
{
	const enum bounds_choice choice = b->planning->settings->bounds;
	const bool known = g->arg->range.known, possible = choice != BOUNDS_POLICY && !b->owner_moves;

	if (known || !possible) {
		if (!take_bounds(b, g->arg, g->function, location, (i128)1 << 54, &g->grid, &g->lo, &g->hi, e))
			return false;
		g->clipped = possible && (choice == BOUNDS_PRIVATE || widest(b, g) >= wide_sum);
		const i128 most = (i128)b->max_rows * (-g->lo > g->hi ? -g->lo : g->hi); /* below 2^20 2^53 */
		g->cap = most < 1 ? 1 : most < WIDEST_SUM ? most : WIDEST_SUM;
		return true;
	}
	g->grid = type_is_integer(g->arg->type) ? (struct decimal){ 1, 0 } : g->arg->range.grid.digits > 0 ? g->arg->range.grid : (struct decimal){ 1, 2 };
	g->cap = g->hi = WIDEST_SUM;
	g->lo = -g->hi;
	g->clipped = true;
	return true;
}

static bool bind_bounds(struct block *b, struct aggregate *g, int location, struct error *e)
{
	const bool moment = g->kind == AGGREGATE_MOMENT;
	const i128 width = moment ? MOMENT_WIDTH_MAX : (i128)1 << 54;

	if (!b->dp || (g->kind != AGGREGATE_SUM && g->kind != AGGREGATE_AVG && g->kind != AGGREGATE_QUANTILE && !moment))
		return true;
	if (g->kind == AGGREGATE_SUM)
		return sum_bounds(b, g, location, e);
	if (!take_bounds(b, g->arg, g->function, location, width, &g->grid, &g->lo, &g->hi, e))
		return false;
	return !g->arg_y || take_bounds(b, g->arg_y, g->function, location, width, &g->grid_y, &g->lo_y, &g->hi_y, e);
}

/* --- reading a call -------------------------------------------------------------------------------------------------------------- */

static bool is_unit(const struct block *b, const struct expr *x)
{
	return b->dp && x && unit_is_column(x);
}

static bool refuse_form(const struct block *b, const PgQuery__FuncCall *f, struct error *e)
{
	return refuse(b, f->location, e, "aggregates", "this form of aggregate is not supported over protected rows",
		      "Use it without DISTINCT, ORDER BY or further arguments; percentiles as percentile_cont(0.5) WITHIN GROUP (ORDER BY x).");
}

static bool check_form(const struct block *b, const PgQuery__FuncCall *f, const struct aggregate_row *row, struct error *e)
{
	bool count = text_eq(row->name, "count");
	bool qualified = f->n_funcname == 2 && text_eq(f->funcname[0]->string->sval, "pg_catalog");

	if ((f->n_funcname > 1 && !qualified) || f->func_variadic || (f->agg_distinct && !count && (b->dp || !text_eq(row->name, "sum"))) || f->agg_within_group != row->within_group ||
	    f->n_agg_order != (row->within_group ? 1 : 0) || f->n_args > row->n_args || (!count && f->n_args != row->n_args))
		return refuse_form(b, f, e);
	return true;
}

/* The fraction of a percentile: a constant in [0, 1]. */
static bool read_rank(const struct binder *binder, const struct block *b, const Node *n, struct aggregate *g, struct error *e)
{
	static const struct decimal zero = { 0, 0 }, one = { 1, 0 };
	struct expr *x;
	int low, high;

	if (n->node_case == PG_QUERY__NODE__NODE_A_ARRAY_EXPR)
		return refuse(b, n->a_array_expr->location, e, "aggregates", "a percentile takes one fraction over protected rows",
			      "Write several percentiles as several columns: they share one charge.");
	if (!bind_expr(binder, n, &x, e) || !bind_as(binder, x, TYPE_NUMERIC, e))
		return false;
	if (x->kind == EXPR_UNKNOWN_PARAM) {
		g->rank = (struct decimal){ 5, 1 };
		return true;
	}
	if (x->kind == EXPR_CONST && x->text && decimal_parse(x->text, &g->rank) && decimal_compare(g->rank, zero, &low) && low >= 0 &&
	    decimal_compare(g->rank, one, &high) && high <= 0)
		return true;
	return refuse(b, x->location, e, "aggregates", "a percentile's fraction is a constant between 0 and 1",
		      "Write percentile_cont(0.5) WITHIN GROUP (ORDER BY x); several fractions as several columns: they share one charge.");
}

static bool need_number(const struct block *b, const struct binder *binder, struct expr *x, const char *name, int location, struct error *e)
{
	if (!bind_usable(binder, x, e) || (x->untyped && !bind_as(binder, x, TYPE_NUMERIC, e)))
		return false;
	if (sql_type_is_number(x->type))
		return true;
	fail(e, ERR_NO_FUNCTION, "function %s(%s) does not exist over protected rows", name, sql_type_name(x->type));
	error_rule(e, "types");
	error_hint(e, "%s takes numbers.", name);
	return planning_at(b->planning, location, e);
}

static bool bind_arguments(struct block *b, const PgQuery__FuncCall *f, const struct aggregate_row *row, struct aggregate *g, struct error *e)
{
	const struct binder binder = { .rel = &b->rel, .names = &b->names };
	const bool numbers = b->dp || row->kind != AGGREGATE_QUANTILE;

	if (f->agg_filter && !bind_condition(&binder, f->agg_filter, "FILTER", &g->filter, e))
		return false;
	if (row->within_group) {
		const PgQuery__SortBy *by = f->agg_order[0]->sort_by;
		if (by->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_DESC || by->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_USING)
			return refuse(b, f->location, e, "aggregates", "percentiles are taken in ascending order", "Use 1 - fraction instead of DESC.");
		return read_rank(&binder, b, f->args[0], g, e) && bind_under(&binder, g->filter, by->node, &g->arg, e) &&
		       need_number(b, &binder, g->arg, g->function, f->location, e);
	}
	if (f->n_args == 0)
		return true;
	struct expr **first = row->n_args == 2 ? &g->arg_y : &g->arg;
	if (!bind_under(&binder, g->filter, f->args[0], first, e))
		return false;
	if (row->kind == AGGREGATE_COUNT)
		return (!f->agg_distinct || bind_comparable(&binder, g->arg, e)) && bind_as(&binder, g->arg, TYPE_TEXT, e);
	if (!numbers)
		return bind_usable(&binder, g->arg, e) && bind_as(&binder, g->arg, TYPE_TEXT, e);
	if (!need_number(b, &binder, *first, g->function, f->location, e))
		return false;
	return row->n_args < 2 || (bind_under(&binder, g->filter, f->args[1], &g->arg, e) &&
				   need_number(b, &binder, g->arg, g->function, f->location, e));
}

static bool read_aggregate(struct block *b, const PgQuery__FuncCall *f, const char *name, struct aggregate *g, struct error *e)
{
	const struct aggregate_row *row = find_row(name);

	*g = (struct aggregate){ .grid = { 1, 0 }, .grid_y = { 1, 0 } };
	if (!row)
		return refuse(b, f->location, e, "aggregates", "this aggregate is not supported over protected rows",
			      "Supported: COUNT, COUNT(DISTINCT x), SUM, AVG, MIN, MAX, VAR, STDDEV, COVAR, CORR, REGR, PERCENTILE, each with FILTER.");
	g->kind = row->kind;
	g->function = row->name;
	g->what = row->what;
	g->rank = row->rank;
	if (!check_form(b, f, row, e) || !bind_arguments(b, f, row, g, e) || !block_check_again(b, e))
		return false;
	if (row->kind == AGGREGATE_COUNT && !g->arg)
		g->kind = AGGREGATE_ROWS;
	if (row->kind == AGGREGATE_COUNT && f->agg_distinct)
		g->kind = is_unit(b, g->arg) ? AGGREGATE_UNITS : AGGREGATE_DISTINCT;
	g->distinct = row->kind == AGGREGATE_SUM && f->agg_distinct;
	g->type = result_type(row, g->arg ? g->arg->type : TYPE_INT8);
	if (row->kind == AGGREGATE_MOMENT)
		g->n_parts = moments_needed(row->what);
	if (row->n_args == 2 && g->n_parts < MOMENTS_OF_PAIR)
		g->n_parts = MOMENTS_OF_PAIR; /* rows count where both are there */
	return bind_bounds(b, g, f->location, e);
}

/* --- columns --------------------------------------------------------------------------------------------------------------------- */

static bool same(const struct expr *x, const struct expr *y)
{
	return x && y ? expr_equal(x, y) : x == y;
}

static bool same_input(const struct aggregate *x, const struct aggregate *y)
{
	return x->kind == y->kind && same(x->arg, y->arg) && same(x->arg_y, y->arg_y) && same(x->filter, y->filter);
}

static bool same_aggregate(const struct aggregate *x, const struct aggregate *y)
{
	int order;

	return same_input(x, y) && x->end == y->end && x->distinct == y->distinct && text_eq(x->function, y->function) && x->type == y->type &&
	       decimal_compare(x->rank, y->rank, &order) && order == 0;
}

/* Statistics of one input show one draw: its moments, its tree of counts. */
static void share(struct block *b, struct aggregate *g)
{
	for (size_t i = 0; b->dp && i < b->n_aggregates; i++) {
		struct aggregate *other = &b->aggregates[i];
		if (other->shared > 0 || !same_input(other, g) || (g->kind != AGGREGATE_MOMENT && g->kind != AGGREGATE_QUANTILE))
			continue;
		g->shared = i + 1;
		if (g->n_parts > other->n_parts)
			other->n_parts = g->n_parts;
		return;
	}
}

static bool add_aggregate(struct block *b, const struct aggregate *g, const PgQuery__FuncCall *f, int *column, struct error *e)
{
	struct arena *a = b->planning->arena;

	for (size_t i = 0; i < b->n_aggregates; i++) {
		if (same_aggregate(&b->aggregates[i], g)) {
			*column = (int)(b->n_keys + i);
			return true;
		}
	}
	b->aggregates = arena_grow(a, b->aggregates, b->n_aggregates, &b->cap_aggregates, sizeof(*b->aggregates));
	if (!b->aggregates)
		return fail_memory(e);
	if (b->n_aggregates >= AGGREGATES_MAX) {
		fail(e, ERR_TOO_COMPLEX, "at most %d aggregates are supported in one query", AGGREGATES_MAX);
		error_rule(e, "limits");
		return error_hint(e, "Ask two queries.");
	}
	struct aggregate *new = &b->aggregates[b->n_aggregates];
	*new = *g;
	new->name = arena_printf(a, "a%zu", b->n_aggregates + 1);
	const char *ends[] = { [END_VALUE] = "", [END_LOW] = "low end of ", [END_HIGH] = "high end of " };
	new->label = arena_printf(a, "%s%s(%s%s%s%s)%s", ends[g->end], g->function, f->agg_distinct ? "distinct " : "",
				  g->arg_y ? block_label(g->arg_y) : "", g->arg_y ? ", " : "", g->arg ? block_label(g->arg) : "*",
				  g->filter ? " filtered" : "");
	if (!new->name || !new->label)
		return fail_memory(e);
	if (g->end == END_VALUE)
		share(b, new);
	*column = (int)(b->n_keys + b->n_aggregates++);
	return true;
}

bool block_aggregate(struct block *b, const PgQuery__FuncCall *f, int *column, struct error *e)
{
	const char *name = f->funcname[f->n_funcname - 1]->string->sval;
	struct aggregate g;

	return read_aggregate(b, f, name, &g, e) && block_check_aggregate(b, &g, f->location, e) && add_aggregate(b, &g, f, column, e);
}

bool block_interval_end(struct block *b, const PgQuery__FuncCall *f, int *column, struct error *e)
{
	const Node *last = f->n_funcname > 0 ? f->funcname[f->n_funcname - 1] : NULL;
	int base;

	if (!last || last->node_case != PG_QUERY__NODE__NODE_STRING)
		return false;
	bool low = text_eq(last->string->sval, "noise_low"), high = text_eq(last->string->sval, "noise_high");
	if (!low && !high)
		return false;
	const bool ours = f->n_funcname == 1 || (f->n_funcname == 2 && text_eq(f->funcname[0]->string->sval, "pg_catalog"));
	if (!ours || f->over || f->agg_filter || f->agg_distinct || f->n_agg_order || f->n_args != 1 || f->args[0]->node_case != PG_QUERY__NODE__NODE_FUNC_CALL || !post_is_aggregate(f->args[0]->func_call)) {
		(void)!refuse(b, f->location, e, "noise interval", "noise_low and noise_high take an aggregate call",
			      "Write noise_low(count(*)), noise_high(avg(x) FILTER (WHERE ...)); arithmetic goes around them.");
		return false;
	}
	const PgQuery__FuncCall *call = f->args[0]->func_call;
	if (!block_aggregate(b, call, &base, e))
		return false;
	const size_t at = (size_t)base - b->n_keys;
	struct aggregate g = b->aggregates[at];
	if (!b->dp) { /* an exact value is its own interval */
		*column = base;
		return true;
	}
	g.end = low ? END_LOW : END_HIGH;
	g.shared = g.shared > 0 ? g.shared : at + 1;
	return add_aggregate(b, &g, call, column, e);
}
