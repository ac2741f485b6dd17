/* What the upstream counts for sums whose bound is found privately: units by the magnitude of their sums (mechanisms/clip.h). */
#include "planner/block_parts.h"

void emit_clipped_total(struct emit *m, const struct aggregate *g, size_t number)
{
	struct clip c = { 0 };

	clip_bounds(g->cap, &c);
	wr_str(&m->w, "NULLIF(pg_catalog.concat_ws(','");
	for (size_t i = 0; i < c.steps; i++) {
		char filter[96];
		(void)snprintf(filter, sizeof(filter), " FILTER (WHERE g.b%zu OPERATOR(pg_catalog.=) %zu)", number, i);
		wr_fmt(&m->w, ", '%zu:' OPERATOR(pg_catalog.||) NULLIF(pg_catalog.count(*)%s, 0)::pg_catalog.text OPERATOR(pg_catalog.||) ':'"
			      " OPERATOR(pg_catalog.||) pg_catalog.sum(g.p%zu)%s::pg_catalog.text OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||) ",
		       i, filter, number, filter);
		if (g->lo < 0)
			wr_fmt(&m->w, "pg_catalog.sum(pg_catalog.sign(g.p%zu))%s::pg_catalog.text", number, filter);
		else /* beyond the first bound none is 0 */
			wr_fmt(&m->w, "pg_catalog.count(*)%s::pg_catalog.text", filter);
	}
	wr_str(&m->w, "), '')");
}

void emit_clip_buckets(struct emit *m, const struct block *b)
{
	for (size_t i = 0; i < b->n_aggregates; i++) {
		const struct aggregate *g = &b->aggregates[i];
		struct clip c = { 0 };
		struct wr bounds;
		if (!g->clipped || g->shared > 0)
			continue;
		clip_bounds(g->cap, &c);
		wr_init(&bounds, m->arena, 4096);
		for (size_t j = 0; j + 1 < c.steps; j++) {
			wr_str(&bounds, j ? "," : "{");
			number_put_i128(&bounds, clip_bound(&c, j) + 1);
		}
		wr_str(&bounds, c.steps > 1 ? "}" : "{}");
		m->no_memory = m->no_memory || !wr_ok(&bounds);
		wr_fmt(&m->w, ", pg_catalog.width_bucket(pg_catalog.abs(q.p%zu), ", i + 1);
		emit_param(m, wr_text(&bounds), "numeric[]");
		wr_fmt(&m->w, ") AS b%zu", i + 1);
	}
}

bool block_has_clipped(const struct block *b)
{
	bool found = false;

	for (size_t i = 0; i < b->n_aggregates; i++)
		found = found || (b->aggregates[i].clipped && b->aggregates[i].shared == 0);
	return found;
}
