#include "mechanisms/quantile.h"

#include "mechanisms/analytic.h"
#include "mechanisms/interval.h"

#include <math.h>

/* Ranks and positions within a node are fixed-point fractions with this one; with counts of at most 2^58 and 64 children products fit 128 bits. */
#define ONE ((uint64_t)1 << 62)
#define FOURTH(v) ((v) * (v) * (v) * (v))
#define WEIGHT_MAX ((i128)1 << 58)

/* A visited node: its children's noised counts, public from here on. */
struct node {
	struct node *next; /* of those visited, newest first */
	unsigned level;
	uint64_t index;
	uint64_t first, size; /* buckets of the first child on; of each child */
	unsigned n;           /* children within the grid */
	i128 counts[QUANTILE_BRANCHING_MAX];      /* noised */
	uint64_t weights[QUANTILE_BRANCHING_MAX]; /* the estimates' */
	uint64_t total;                           /* of the weights */
};

struct tree {
	const struct quantile_grid *grid;
	const struct quantile_bucket *histogram;
	const i128 *before; /* SECRET: rows in histogram[0 .. i) */
	size_t n;
	const struct noise *noise;
	struct draws *draws;
	struct arena *arena;
	struct node *visited;
	unsigned levels;
	i128 total; /* noised rows */
};

static bool bad_grid(const struct quantile_grid *g, struct error *e)
{
	if (g->buckets >= 1 && g->buckets <= QUANTILE_BUCKETS_MAX && g->branching >= 2 && g->branching <= QUANTILE_BRANCHING_MAX)
		return false;
	fail(e, ERR_BAD_PARAMETER, "a quantile's grid is out of range");
	error_hint(e, "Declare bounds and a grid that make at most 2^60 steps.");
	return true;
}

unsigned quantile_levels(const struct quantile_grid *g)
{
	unsigned levels = 1;

	for (u128 reach = g->branching; reach < g->buckets; reach *= g->branching)
		levels++;
	return levels;
}

bool quantile_sensitivity(const struct quantile_grid *g, uint64_t rows, struct sensitivity *out, struct error *e)
{
	if (bad_grid(g, e))
		return false;
	if (rows == 0 || rows > (uint64_t)1 << 56)
		return fail(e, ERR_BAD_PARAMETER, "a unit's number of rows is out of range");
	u128 levels = quantile_levels(g), c = rows;
	*out = (struct sensitivity){ .l0 = levels * c, .l1 = levels * c, .l2_squared = levels * c * c, .linf = c };
	return true;
}

/* Exact rows in buckets [from, to).  SECRET. */
static i128 rows_between(const struct tree *t, uint64_t from, uint64_t to)
{
	size_t at[2];

	for (int side = 0; side < 2; side++) {
		uint64_t bound = side ? to : from;
		size_t lo = 0, hi = t->n; /* the first entry with index >= bound */
		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;
			if (t->histogram[mid].index < bound)
				lo = mid + 1;
			else
				hi = mid;
		}
		at[side] = lo;
	}
	return t->before[at[1]] - t->before[at[0]];
}

/*
 * From noised counts to weights.  A child within three deviations of nothing is taken as empty, unless all those children together hold clearly more
 * than their noise: an empty stretch must not draw the extreme ranks to it, and a flat one must not vanish.
 */
static void weigh(struct node *x, double deviation)
{
	const i128 *counts = x->counts;
	double small_sum = 0, small = 0;

	for (unsigned i = 0; i < x->n; i++) {
		if ((double)counts[i] < 3 * deviation) {
			small_sum += (double)counts[i];
			small += 1;
		}
	}
	bool drop = small_sum <= 3 * deviation * sqrt(small);
	for (unsigned i = 0; i < x->n; i++) {
		i128 c = counts[i] < 0 || (drop && (double)counts[i] < 3 * deviation) ? 0 : counts[i];
		x->weights[i] = (uint64_t)(c > WEIGHT_MAX ? WEIGHT_MAX : c);
		x->total += x->weights[i];
	}
}

/* The node's children, noised when first asked for and never again. */
static bool visit(struct tree *t, unsigned level, uint64_t index, const struct node **out, struct error *e)
{
	for (struct node *x = t->visited; x; x = x->next) {
		if (x->level == level && x->index == index) {
			*out = x;
			return true;
		}
	}
	struct node *x = arena_new(t->arena, struct node);
	if (!x)
		return fail_memory(e);
	u128 size = 1;
	for (unsigned i = level + 1; i < t->levels; i++)
		size *= t->grid->branching;
	*x = (struct node){ .level = level, .index = index, .size = (uint64_t)size, .first = (uint64_t)(size * t->grid->branching * index) };
	for (; x->n < t->grid->branching && (u128)x->first + size * x->n < t->grid->buckets; x->n++) {
		u128 from = x->first + size * x->n, to = from + size > t->grid->buckets ? t->grid->buckets : from + size;
		i128 sample;
		if (!draws_sample(t->draws, t->noise, &sample, e))
			return false;
		x->counts[x->n] = rows_between(t, (uint64_t)from, (uint64_t)to) + sample; /* 2^100 + 2^120 at most */
		t->total += level == 0 ? x->counts[x->n] : 0;
	}
	weigh(x, noise_deviation(t->noise));
	x->next = t->visited;
	t->visited = x;
	*out = x;
	return true;
}

/* The child in which the share `rank` of the node's weight is reached, and the share within it. */
static unsigned child_at(const struct node *x, uint64_t rank, uint64_t *within)
{
	u128 position = (u128)rank * x->total, before = 0;
	unsigned chosen = 0;

	for (unsigned i = 0; i < x->n; i++) {
		if (x->weights[i] == 0)
			continue;
		u128 after = before + (u128)x->weights[i] * ONE;
		chosen = i;
		*within = position >= after ? ONE : (uint64_t)((position - before) / x->weights[i]);
		if (position <= after && position > 0) /* at the end of a child: in it; the very start: in the first that is not empty */
			break;
		if (position == 0) {
			*within = 0;
			break;
		}
		before = after;
	}
	return chosen;
}

/* The bucket of a node whose inside the noise hides: as if the rows lay evenly. */
static uint64_t within_hidden(const struct tree *t, const struct node *x, uint64_t rank)
{
	u128 size = (u128)x->size * x->n, most = t->grid->buckets - x->first;

	size = size > most ? most : size;
	u128 step = size * rank / ONE;
	return x->first + (uint64_t)(step < size ? step : size - 1);
}

static bool walk(struct tree *t, uint64_t rank, uint64_t *bucket, struct error *e)
{
	uint64_t index = 0;

	for (unsigned level = 0; level < t->levels; level++) {
		const struct node *x;
		uint64_t within = 0;
		if (!visit(t, level, index, &x, e))
			return false;
		if (x->total == 0) {
			index = within_hidden(t, x, rank);
			break;
		}
		unsigned chosen = child_at(x, rank, &within);
		index = index * t->grid->branching + chosen;
		rank = within;
	}
	*bucket = index;
	return true;
}

static bool prepare(struct tree *t, struct error *e)
{
	i128 *before = arena_array(t->arena, t->n + 1, i128);

	if (!before)
		return fail_memory(e);
	for (size_t i = 0; i < t->n; i++) {
		const struct quantile_bucket *b = &t->histogram[i];
		bool sound = b->index < t->grid->buckets && (i == 0 || b->index > b[-1].index) && b->count >= 0 && b->count <= (i128)1 << 100;
		if (!sound || before[i] + b->count > (i128)1 << 100)
			return fail(e, ERR_UPSTREAM, "the upstream could not run the query");
		before[i + 1] = before[i] + b->count;
	}
	t->before = before;
	t->levels = quantile_levels(t->grid);
	return true;
}

static bool fixed_point(struct decimal d, uint64_t *rank)
{
	i128 v;

	if (d.digits < 0 || d.scale > 18)
		return false;
	u128 whole = 1;
	for (int i = 0; i < d.scale; i++)
		whole *= 10;
	if ((u128)d.digits > whole)
		return false;
	v = (i128)((u128)d.digits * ONE / whole); /* 10^18 2^62 fits */
	*rank = (uint64_t)v;
	return true;
}

/*
 * --- intervals, by inverting a test ---------------------------------------------------------------------------------------
 *
 * For an edge x between buckets let T(x) be the estimated rows before x minus rank * (estimated rows of all).  A node's estimate is X = its noised count plus
 * its share of what its parent's estimate exceeds the siblings' counts by (equal shares; the root's is the sum of its children).  So T is a function of x alone,
 * linear in the noised counts, unbiased whatever the data, with the noises' coefficients known: with phi_l the part of the path's node at level l that lies
 * before x, counted in children's widths, and phi_0 the rank: 1 - phi_l for children before the path, -phi_l after it, phi_(l+1) - phi_l on it.
 * The true quantile is a bucket with E[T(its start)] < 0 <= E[T(its end)].  The interval's ends are where T leaves [-w(x), w(x)].
 */
struct path {
	unsigned levels;                  /* nodes on it, from the root */
	unsigned chosen[64], n[64];       /* the child taken in each, of how many */
	double before, size;              /* estimates: rows before the last node less rank * all; rows in it */
	double rank;
};

/* w(x) for the edge after `children` of the children of the path's last node, which has n. */
static double edge_width(const struct tree *t, const struct path *p, unsigned n, unsigned children, double z)
{
	double inner = 0, squares = 0, fourths = 0;

	for (unsigned level = p->levels + 1; level-- > 0;) {
		bool last = level == p->levels;
		unsigned before = last ? children : p->chosen[level], all = last ? n : p->n[level], after = all - before - (last ? 0 : 1);
		double phi = level == 0 ? p->rank : (before + inner) / all, on = last ? 0 : inner - phi;
		squares += before * (1 - phi) * (1 - phi) + after * phi * phi + on * on;
		fourths += before * FOURTH(1 - phi) + after * FOURTH(phi) + FOURTH(on);
		inner = phi;
	}
	const double v = noise_deviation(t->noise) * noise_deviation(t->noise);
	return interval_widened(z, squares * v, t->noise->kind == NOISE_LAPLACE ? 3 * fourths * v * v : 0);
}

/* T at the edge after the first `children` children of x, the path's last node. */
static double edge_test(const struct path *p, const struct node *x, unsigned children)
{
	double before = 0, all = 0;

	for (unsigned i = 0; i < x->n; i++) {
		before += i < children ? (double)x->counts[i] : 0;
		all += (double)x->counts[i];
	}
	return p->before + before + (p->size - all) * children / x->n;
}

/*
 * An end of the interval, level by level: low, the bucket after the last edge with T < -w; high, the bucket before the first edge with T > w.  At the quantile's own
 * edges both fail with half of what the confidence leaves; that coarser edges are asked first, with noise of their own, changes it little (measured: bench/coverage.sh).
 */
static bool end_of_interval(struct tree *t, uint64_t rank, bool high, double z, uint64_t *bucket, struct error *e)
{
	struct path p = { .rank = (double)rank / (double)ONE };
	uint64_t index = 0;

	for (unsigned level = 0; level < t->levels; level++) {
		const struct node *x;
		if (!visit(t, level, index, &x, e))
			return false;
		if (level == 0) {
			p.size = (double)t->total;
			p.before = -p.rank * p.size;
		}
		unsigned child = high ? x->n - 1 : 0;
		for (unsigned i = 1; i < x->n; i++) {
			unsigned edge = high ? x->n - i : i; /* before this child */
			double test = edge_test(&p, x, edge), width = edge_width(t, &p, x->n, edge, z);
			if (high ? test > width : test < -width)
				child = high ? edge - 1 : edge;
		}
		double after = edge_test(&p, x, child + 1);
		p.before = edge_test(&p, x, child);
		p.size = after - p.before;
		p.chosen[level] = child;
		p.n[level] = x->n;
		p.levels = level + 1;
		index = index * t->grid->branching + child;
	}
	*bucket = index;
	return true;
}

static bool bracket(struct tree *t, uint64_t rank, double z, struct quantile *q, struct error *e)
{
	if (!end_of_interval(t, rank, false, z, &q->low, e) || !end_of_interval(t, rank, true, z, &q->high, e))
		return false;
	q->low = q->low < q->index ? q->low : q->index;
	q->high = q->high > q->index ? q->high : q->index;
	return true;
}

bool quantile_release(const struct quantile_grid *g, const struct quantile_bucket *histogram, size_t n, const struct noise *noise,
		      struct draws *d, struct arena *a, const struct decimal *ranks, size_t n_ranks, double confidence, struct quantile *out,
		      i128 *total, struct error *e)
{
	struct tree t = { .grid = g, .histogram = histogram, .n = n, .noise = noise, .draws = d, .arena = a };
	const double z = analytic_normal_half_width(confidence);
	struct quantile *found = arena_array(a, n_ranks ? n_ranks : 1, struct quantile);

	if (bad_grid(g, e) || !prepare(&t, e))
		return false;
	if (!found)
		return fail_memory(e);
	for (size_t i = 0; i < n_ranks; i++) {
		uint64_t rank;
		if (n_ranks > QUANTILE_RANKS_MAX || !fixed_point(ranks[i], &rank))
			return fail(e, ERR_BAD_PARAMETER, "a quantile's rank must be from 0 to 1, and there may be at most %d", (int)QUANTILE_RANKS_MAX);
		if (!walk(&t, rank, &found[i].index, e) || !bracket(&t, rank, z, &found[i], e))
			return false;
	}
	const struct node *root;
	if (!visit(&t, 0, 0, &root, e))
		return false;
	for (size_t i = 0; i < n_ranks; i++)
		out[i] = found[i];
	if (total)
		*total = t.total;
	return true;
}
