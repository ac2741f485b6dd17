/*
 * From a bound block to its plan: how contributions are bounded, which mechanism, which scales.
 *
 * Sensitivity, per released value, for adding or removing all rows of one unit: linf in each of at most `groups` groups, so l1 = groups * linf and
 * l2^2 = groups * linf^2.  The block's epsilon (rho) is split equally over its noised parts; AVG is one part, halved between its count and its sum; counts and sums
 * may pool theirs (joint_choose).
 */
#include "planner/block_parts.h"

#include "mechanisms/calibrate.h"
#include "mechanisms/loss.h"
#include "planner/overlap.h"

static u128 absolute(i128 v)
{
	return v < 0 ? (u128)0 - (u128)v : (u128)v;
}

bool part_noise(const struct part_price *p, u128 linf, unsigned share_of_part, struct noise *out, struct error *e)
{
	u128 l1, l2;
	struct eps epsilon = { p->epsilon.pico / share_of_part };
	struct rho rho = { p->rho.pico / share_of_part };

	if (__builtin_mul_overflow(linf, (u128)p->groups, &l1) || __builtin_mul_overflow(l1, linf, &l2)) {
		fail(e, ERR_TOO_COMPLEX, "the sensitivity of this query is too large");
		error_rule(e, "contribution");
		return error_hint(e, "Narrow the bounds, or join fewer tables.");
	}
	return p->gaussian ? calibrate_gaussian(l2, rho, out, e) : calibrate_laplace(l1, epsilon, out, e);
}

/* All that mechanisms/choose needs to know of one part. */
static struct choose_terms part_terms(const struct part_price *p)
{
	return p->gaussian ? (struct choose_terms){ .account = CHOOSE_ZCDP, .rho = p->rho }
			   : (struct choose_terms){ .account = CHOOSE_PURE, .epsilon = p->epsilon };
}

static bool moment_noise(const struct block *b, const struct aggregate *g, const struct part_price *p, struct release_value *v, struct error *e)
{
	const struct choose_terms terms = part_terms(p);
	uint64_t rows = (uint64_t)b->max_rows * (b->owner_moves ? 2 : 1);

	v->moment_bounds = (struct moments_bounds){ .lo_x = g->lo, .hi_x = g->hi, .lo_y = g->lo_y, .hi_y = g->hi_y, .grid_x = g->grid, .grid_y = g->grid_y };
	v->n_parts = g->n_parts;
	if (!moments_calibrate(&v->moment_bounds, v->n_parts, rows, p->groups, &terms, v->parts, e)) {
		error_rule(e, "contribution");
		return error_hint(e, "Narrow the bounds, or spend more.");
	}
	v->noise = v->parts[0].noise;
	return true;
}

static bool quantile_noise(struct block *b, const struct aggregate *g, size_t index, const struct part_price *p, struct release_value *v, struct error *e)
{
	const struct quantile_grid tree = { .buckets = (uint64_t)(g->hi - g->lo) + 1, .branching = p->gaussian ? 8 : 16 };
	struct decimal *ranks = arena_array(b->planning->arena, b->n_aggregates, struct decimal);
	const u128 rows = (u128)b->max_rows * (b->owner_moves ? 2 : 1);
	u128 l1, l2;

	if (!ranks)
		return fail_memory(e);
	for (size_t i = 0; i < b->n_aggregates; i++) {
		struct aggregate *other = &b->aggregates[i];
		if (i != index && other->shared != index + 1)
			continue;
		other->rank_at = v->n_ranks;
		ranks[v->n_ranks++] = other->rank;
	}
	v->tree = tree;
	v->ranks = ranks;
	u128 levels = quantile_levels(&tree);
	if (__builtin_mul_overflow(rows * levels, (u128)p->groups, &l1) || __builtin_mul_overflow(l1, rows, &l2)) {
		fail(e, ERR_TOO_COMPLEX, "the sensitivity of this query is too large");
		return error_rule(e, "contribution");
	}
	return p->gaussian ? calibrate_gaussian(l2, p->rho, &v->noise, e) : calibrate_laplace(l1, p->epsilon, &v->noise, e);
}

static bool value_noise(struct block *b, size_t index, const struct part_price *p, struct release_value *v, struct plan_column *c, struct error *e)
{
	const struct aggregate *g = &b->aggregates[index];
	const u128 rows = (u128)b->max_rows;
	u128 linf = g->kind == AGGREGATE_UNITS ? 1 : rows;
	u128 reach = absolute(g->lo) > absolute(g->hi) ? absolute(g->lo) : absolute(g->hi);

	if (b->owner_moves && g->lo < 0 && g->hi > 0)
		reach = absolute(g->lo) + absolute(g->hi);
	if (g->kind == AGGREGATE_SUM)
		linf = g->clipped ? (u128)g->cap : rows * reach;
	if (linf == 0)
		linf = 1; /* bounds [0, 0]: still noised */
	c->linf = (i128)linf;
	if (g->kind == AGGREGATE_MOMENT)
		return moment_noise(b, g, p, v, e);
	if (g->kind == AGGREGATE_QUANTILE)
		return quantile_noise(b, g, index, p, v, e);
	if (g->clipped) {
		const struct clip_price price = { .gaussian = p->gaussian, .epsilon = p->epsilon, .rho = p->rho, .groups = p->groups };
		return clip_plan((i128)linf, &price, &v->clip, e) && clip_noise(&v->clip, v->clip.cap, &v->noise, e);
	}
	if (g->kind != AGGREGATE_AVG)
		return part_noise(p, linf, 1, &v->noise, e);
	u128 spread = rows * (u128)(g->hi - g->lo) * (b->owner_moves ? 2 : 1);

	c->linf_sum = (i128)spread;
	return part_noise(p, rows, 2, &v->noise, e) && part_noise(p, spread ? spread : 1, 2, &v->noise_sum, e);
}

static enum release_kind kind_of(const struct aggregate *g)
{
	switch (g->kind) {
	case AGGREGATE_SUM:
		return g->clipped ? RELEASE_CLIPPED : RELEASE_SUM;
	case AGGREGATE_AVG:
		return RELEASE_AVG;
	case AGGREGATE_MOMENT:
		return RELEASE_MOMENT;
	case AGGREGATE_QUANTILE:
		return RELEASE_QUANTILE;
	default:
		return RELEASE_COUNT;
	}
}

/* How many columns of the upstream an aggregate reads. */
static size_t width_of(const struct block *b, const struct aggregate *g)
{
	if (g->shared > 0)
		return 0;
	if (!b->dp)
		return 1;
	return g->kind == AGGREGATE_AVG ? 2 : g->kind == AGGREGATE_MOMENT ? g->n_parts : 1;
}

static enum release_format format_of(const struct aggregate *g)
{
	if (type_is_integer(g->type))
		return FORMAT_INT8;
	return g->kind == AGGREGATE_MOMENT && g->type == TYPE_FLOAT8 ? FORMAT_FLOAT8 : FORMAT_DECIMAL;
}

static bool make_values(struct block *b, const struct part_price *p, size_t first, struct release_value *values, struct plan_column *columns,
			struct error *e)
{
	size_t column = first;

	for (size_t i = 0; i < b->n_aggregates; i++) {
		const struct aggregate *g = &b->aggregates[i];
		struct release_value *v = &values[i];
		struct plan_column *c = &columns[b->n_keys + i];
		*v = (struct release_value){ .column = column, .grid = g->grid, .lo = g->lo, .hi = g->hi, .end = g->end, .shared = g->shared, .what = g->what };
		*c = (struct plan_column){ .name = g->name, .type = g->type, .label = g->label, .noised = b->dp };
		column += width_of(b, g);
		if (!b->dp) {
			v->kind = RELEASE_EXACT;
			v->format = FORMAT_ASIS;
			continue;
		}
		v->kind = kind_of(g);
		v->format = format_of(g);
		v->extra_scale = v->kind == RELEASE_AVG || v->kind == RELEASE_MOMENT ? 6 : 0;
		if (g->shared > 0) { /* its own figures are those of the draw */
			const struct release_value *from = &values[g->shared - 1];
			v->column = from->column;
			v->noise = from->noise;
			v->noise_sum = from->noise_sum;
			v->clip = from->clip;
			v->rank = g->rank_at;
			*c = columns[b->n_keys + g->shared - 1];
			c->name = g->name;
			c->type = g->type;
			c->label = g->label;
			continue;
		}
		if (!value_noise(b, i, p, v, c, e))
			return false;
		v->rank = g->rank_at;
		c->noise = v->noise;
		if (v->kind == RELEASE_COUNT || v->kind == RELEASE_SUM)
			c->half_width = noise_half_width(&v->noise, b->planning->settings->confidence) * decimal_double(g->grid);
	}
	return true;
}

static bool make_domains(const struct block *b, struct plan_block *out, struct error *e)
{
	struct arena *a = b->planning->arena;
	const char *const **domains = arena_array(a, b->n_keys ? b->n_keys : 1, const char *const *);
	size_t *counts = arena_array(a, b->n_keys ? b->n_keys : 1, size_t);

	if (!domains || !counts)
		return fail_memory(e);
	for (size_t i = 0; i < b->n_keys; i++) {
		domains[i] = b->keys[i].domain;
		counts[i] = b->keys[i].n_domain;
	}
	out->spec.domains = domains;
	out->spec.n_domain = counts;
	struct plan_domain *asked = arena_array(a, b->n_keys ? b->n_keys : 1, struct plan_domain);
	if (!asked)
		return fail_memory(e);
	for (size_t i = 0; i < b->n_keys; i++) {
		if (!b->keys[i].asked)
			continue;
		if (!block_domain_sql(b, &b->keys[i], &asked[i], e))
			return false;
		out->domains = asked;
	}
	return true;
}

static bool feeds(const struct expr *x, const struct scan *s)
{
	if (x->kind == EXPR_COLUMN && x->scan == s)
		return true;
	for (size_t i = 0; i < x->n_args; i++) {
		if (feeds(x->args[i], s))
			return true;
	}
	return false;
}

static bool reads(const struct expr *x, const struct scan *s, size_t column)
{
	bool found = x->kind == EXPR_COLUMN && x->scan == s && x->column == column;

	for (size_t i = 0; !found && i < x->n_args; i++)
		found = reads(x->args[i], s, column);
	return found;
}

/* max_groups in force: the product over the protected tables that feed the keys; over all of them when a public table does. */
static bool choose_max_groups(struct block *b, struct error *e)
{
	const int64_t most = b->max_groups; /* of all tables together: proven smaller where the unit is unique */
	bool public_feeds = false;

	for (size_t i = 0; i < b->rel.n_scans; i++) {
		for (size_t k = 0; k < b->n_keys; k++)
			public_feeds = public_feeds || (b->rel.scans[i]->table->rule == RULE_PUBLIC && feeds(b->keys[k].expr, b->rel.scans[i]));
	}
	b->max_groups = 1;
	for (size_t i = 0; i < b->rel.n_scans; i++) {
		const struct scan *s = b->rel.scans[i];
		bool counts = public_feeds;
		for (size_t k = 0; k < b->n_keys; k++)
			counts = counts || feeds(b->keys[k].expr, s);
		if (s->table->rule != RULE_DIFFERENTIAL_PRIVACY || !counts)
			continue;
		if (__builtin_mul_overflow(b->max_groups, s->table->max_groups, &b->max_groups) || b->max_groups > INT32_MAX) {
			fail(e, ERR_TOO_COMPLEX, "these group keys let one person reach too many groups");
			error_rule(e, "contribution");
			return error_hint(e, "Group by columns of fewer tables.");
		}
	}
	if (b->max_groups > most)
		b->max_groups = most;
	return true;
}

/* A mechanism that every touched account can pay. */
static bool choose_mechanism(const struct block *b, const struct block_share *share, bool *gaussian, struct error *e)
{
	enum noise_choice wish = b->planning->settings->mechanism;

	if (wish == MECHANISM_GAUSSIAN && !share->all_zcdp && !share->converts) {
		fail(e, ERR_RULE, "Gaussian noise cannot be paid from a budget with pure accounting, nor from approx accounting without delta");
		error_rule(e, "mechanism");
		return error_hint(e, "SET noisegate.mechanism = 'auto'.");
	}
	*gaussian = (share->all_zcdp && wish != MECHANISM_LAPLACE) || wish == MECHANISM_GAUSSIAN;
	return true;
}

/*
 * An approx account pays Gaussian noise as (epsilon, half of the query's delta): the rho that converts to it.  The other half is left for group selection.
 * The rho of any zCDP account that is touched too stays the price that was quoted, which is not below it.
 */
static bool convert_gaussian(struct block_share *share, struct rho *total, struct error *e)
{
	struct rho limit;

	share->delta.atto /= 2;
	if (!loss_rho_limit(share->epsilon, share->delta, &limit))
		return fail(e, ERR_BAD_PARAMETER, "epsilon and delta must be above 0");
	if (limit.pico < total->pico)
		*total = limit;
	return true;
}

static bool describe(struct block *b, const struct part_price *p, bool ranked, size_t product, struct plan_block *out, struct error *e)
{
	struct arena *a = b->planning->arena;
	const char *selection = "no groups";

	out->figures.unit = b->unit_name;
	out->figures.owner_moves = b->owner_moves;
	out->figures.max_rows = b->max_rows;
	out->figures.max_groups = (int64_t)p->groups;
	out->figures.bounding = ranked ? "per-unit clamp, sampled groups" : "per-unit clamp";
	out->figures.mechanism = p->gaussian ? "discrete Gaussian" : "discrete Laplace";
	if (out->spec.selection != SELECT_ALL) {
		selection = selection_text(a, out);
	} else if (out->domains) {
		selection = "public domain, read from public tables: every group appears";
	} else if (b->n_keys > 0) {
		selection = arena_printf(a, "public domain of %zu groups: every one appears", product);
	}
	out->figures.selection = selection;
	return selection ? true : fail_memory(e);
}

/* In how many groups one unit counts, at most, and whether its groups are sampled for that.  known: there are no groups but `product` public ones. */
static uint64_t groups_of_unit(const struct block *b, bool known, size_t product, bool *ranked)
{
	const uint64_t all = product ? product : 1, most = (uint64_t)b->max_groups;

	*ranked = false;
	if (b->n_keys == 0)
		return 1;
	*ranked = !(known && product <= (size_t)b->max_groups);
	const uint64_t groups = *ranked ? most : all;
	if (!b->owner_moves)
		return groups;
	/* a unit's rows may leave as many groups as they enter */
	return known && 2 * groups > product ? all : 2 * groups;
}

/* The draws that share the price; 1 when there is none. */
static uint64_t count_parts(const struct block *b, bool all_public)
{
	uint64_t parts = !all_public && selection_units_value(b) == 0; /* whether a group is shown costs, unless it follows from a count that is shown */

	for (size_t i = 0; i < b->n_aggregates; i++)
		parts += b->aggregates[i].shared == 0;
	parts += b->floor != NULL;
	return parts ? parts : 1;
}

static bool close_private(struct block *b, const struct block_share *whole, struct release_value *values, struct plan_column *columns,
			  struct plan_block *out, struct error *e)
{
	struct part_price p = { 0 };
	struct block_share mine = *whole, *share = &mine;
	struct rho total = { 0 };
	size_t product = 1;
	bool asked, ranked;
	const bool all_public = block_all_public(b, &product, &asked);

	if (!choose_max_groups(b, e) || !choose_mechanism(b, share, &p.gaussian, e))
		return false;
	if (all_public && product > RELEASE_ROWS_MAX) {
		fail(e, ERR_TOO_COMPLEX, "the public domains of the group keys have more than %d combinations", RELEASE_ROWS_MAX);
		error_rule(e, "group selection");
		return error_hint(e, "Group by fewer columns, or restrict them with WHERE column IN (...).");
	}
	p.groups = groups_of_unit(b, all_public && !asked, product, &ranked);
	const uint64_t parts = count_parts(b, all_public);
	p.epsilon.pico = share->epsilon.pico / parts;
	if (!loss_rho_of_pure(share->epsilon, &total)) {
		fail(e, ERR_BAD_PARAMETER, "epsilon is out of range");
		return error_hint(e, "Choose a smaller noisegate.epsilon.");
	}
	const bool converted = p.gaussian && !share->all_zcdp;
	if (converted && !convert_gaussian(share, &total, e))
		return false;
	p.rho.pico = total.pico / parts;
	out->spec.private_noise = true;
	out->spec.confidence = b->planning->settings->confidence;
	out->spec.selection = SELECT_ALL;
	if (!make_values(b, &p, b->n_keys + !all_public, values, columns, e) || !joint_choose(b, &p, !all_public, values, columns, &out->spec.joint, e) ||
	    (!all_public && !selection_choose(b, share->delta, &p, out, e)))
		return false;
	if (all_public && !make_domains(b, out, e))
		return false;
	struct part_price once = p;
	struct noise count;
	once.groups = 1;
	if (b->floor && (!part_noise(&once, 1, 1, &count, e) || !overlap_emit(b, &count, out, e)))
		return false;
	bool draws = b->n_aggregates > 0 || !all_public || b->floor; /* keys of public domains alone reveal nothing */
	if (draws && (!p.gaussian || converted))
		out->figures.epsilon = share->epsilon;
	if (draws)
		out->figures.rho = total;
	if (!describe(b, &p, ranked, product, out, e))
		return false;
	if (draws && converted)
		out->figures.delta.atto += whole->delta.atto - share->delta.atto;
	return block_emit(b, ranked, !all_public || out->spec.joint.members > 0, out, e);
}

/* The result is made of a column of this scan: as a key, or inside an aggregate. */
static bool shows(const struct block *b, const struct scan *s, size_t column)
{
	bool found = false;

	for (size_t i = 0; i < b->n_keys; i++)
		found = found || reads(b->keys[i].expr, s, column);
	for (size_t i = 0; i < b->n_aggregates; i++) {
		const struct aggregate *g = &b->aggregates[i];
		found = found || (g->arg && reads(g->arg, s, column)) || (g->arg_y && reads(g->arg_y, s, column));
	}
	return found;
}

/* The largest minimum that the columns of the result ask for; the constraint's own for those without another, or when none of the table's is shown. */
static int64_t minimum_of(const struct block *b, const struct scan *s, const struct output_constraint *c)
{
	int64_t most = -1;

	for (size_t column = 0; c->n_outputs > 0 && column < s->table->n_columns; column++) {
		int64_t minimum = c->minimum;
		if (!shows(b, s, column))
			continue;
		for (size_t i = 0; i < c->n_outputs; i++)
			minimum = c->outputs[i].column == column ? c->outputs[i].minimum : minimum;
		most = minimum > most ? minimum : most;
	}
	return most < 0 ? c->minimum : most;
}

/* The aggregation rule's output constraints; tables of other rules have none. */
static bool close_exact(struct block *b, struct release_value *values, struct plan_column *columns, struct plan_block *out,
			struct error *e)
{
	const struct part_price none = { .groups = 1 };
	size_t n = 0, column = b->n_keys + b->n_aggregates, filters = 0;

	for (size_t i = 0; i < b->n_aggregates; i++)
		filters += b->aggregates[i].filter != NULL;
	for (size_t i = 0; i < b->rel.n_scans; i++)
		n += b->rel.scans[i]->table->aggregation.n_constraints * (1 + filters);
	struct release_minimum *minimums = arena_array(b->planning->arena, n ? n : 1, struct release_minimum);
	if (!minimums)
		return fail_memory(e);
	n = 0;
	for (size_t i = 0; i < b->rel.n_scans; i++) {
		const struct policy_table *t = b->rel.scans[i]->table;
		for (size_t j = 0; j < t->aggregation.n_constraints; j++) {
			int64_t minimum = minimum_of(b, b->rel.scans[i], &t->aggregation.constraints[j]);
			for (size_t k = 0; k <= filters; k++) /* the row, then each FILTER, as emitted */
				minimums[n++] = (struct release_minimum){ column++, minimum };
		}
	}
	out->spec.selection = SELECT_MINIMUM;
	out->spec.minimums = minimums;
	out->spec.n_minimums = n;
	out->figures.bounding = "none: exact values";
	out->figures.mechanism = "none";
	out->figures.selection = n > 0 ? "rows below the rule's minimum counts are dropped" : "public tables: every row";
	return make_values(b, &none, b->n_keys, values, columns, e) && block_emit(b, false, false, out, e);
}

bool block_close(struct block *b, const struct block_share *share, struct plan_block *out, struct error *e)
{
	struct arena *a = b->planning->arena;
	size_t n = block_columns(b);
	struct plan_column *columns = arena_array(a, n ? n : 1, struct plan_column);
	struct release_value *values = arena_array(a, b->n_aggregates ? b->n_aggregates : 1, struct release_value);

	if (!columns || !values)
		return fail_memory(e);
	*out = (struct plan_block){ .columns = columns, .n_columns = n, .tables = b->tables, .n_tables = b->n_tables };
	for (size_t i = 0; i < b->n_keys; i++) {
		const struct key *k = &b->keys[i];
		columns[i] = (struct plan_column){ .name = k->name, .type = k->expr->type, .label = k->label };
		if (b->dp && !block_key_domain(b, &b->keys[i], e))
			return false;
	}
	out->spec.n_keys = b->n_keys;
	out->spec.values = values;
	out->spec.n_values = b->n_aggregates;
	if (b->dp && !overlap_find(b, e))
		return false;
	return b->dp ? close_private(b, share, values, columns, out, e) : close_exact(b, values, columns, out, e);
}
