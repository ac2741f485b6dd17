#include "planner/explain.h"

#include <stdarg.h>

struct lines {
	struct arena *arena;
	const char **items;
	size_t n, cap;
	bool failed;
};

PRINTF_LIKE(2, 3) static void add(struct lines *l, const char *fmt, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, fmt);
	int n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n >= 0)
		text = arena_alloc(l->arena, (size_t)n + 1, 1);
	if (text) {
		va_start(args, fmt);
		(void)vsnprintf(text, (size_t)n + 1, fmt, args);
		va_end(args);
	}
	const char **grown = arena_grow(l->arena, l->items, l->n, &l->cap, sizeof(*grown));
	if (!text || !grown) {
		l->failed = true;
		return;
	}
	l->items = grown;
	l->items[l->n++] = text;
}

static const char *scale_text(struct arena *a, const struct noise *n)
{
	struct wr w;

	wr_init(&w, a, 256);
	wr_str(&w, n->kind == NOISE_LAPLACE ? "scale " : "variance ");
	wr_fmt(&w, "%.6g", (double)n->num / (double)n->den);
	return wr_text(&w);
}

static void explain_value(struct lines *l, const struct plan_settings *s, const struct plan_block *b, size_t i)
{
	const struct plan_column *c = &b->columns[b->spec.n_keys + i];
	const struct release_value *v = &b->spec.values[i];

	if (!c->noised) {
		add(l, "  %s: exact", c->label);
		return;
	}
	if (v->shared > 0) {
		add(l, "  %s: from the noised figures of %s, at no further cost", c->label, b->columns[b->spec.n_keys + v->shared - 1].label);
		return;
	}
	if (v->kind == RELEASE_MOMENT) {
		add(l, "  %s: %zu noised moments of bounded values (count: %s); the interval depends on them: ask noise_low and noise_high", c->label, v->n_parts,
		    scale_text(l->arena, &v->noise));
		return;
	}
	if (v->kind == RELEASE_QUANTILE) {
		add(l, "  %s: a tree of noised counts over %llu values (%s a node), %zu rank%s for one charge; the interval depends on them", c->label,
		    (unsigned long long)v->tree.buckets, scale_text(l->arena, &v->noise), v->n_ranks, v->n_ranks == 1 ? "" : "s");
		return;
	}
	if (v->kind == RELEASE_CLIPPED) {
		const double most = (double)v->clip.cap, unit = decimal_double(v->grid);
		add(l, "  %s: what one unit adds is bounded privately, out of %s of its price, by one of %zu bounds from %.6g to %.6g; expected ±%.4g times that bound (%g%%)",
		    c->label, v->clip.gaussian ? "a sixteenth" : "a quarter", v->clip.steps, (double)clip_bound(&v->clip, 0) * unit, most * unit, noise_half_width(&v->noise, s->confidence) / most, s->confidence * 100);
		add(l, "    among fewer than about %.0f units none is found and %.6g holds; SET noisegate.bounds = 'policy' takes the declared bounds", (double)v->clip.enough,
		    most * unit);
		return;
	}
	if (v->kind == RELEASE_AVG) {
		add(l, "  %s: noised count (%s) and noised centred sum (%s); the interval depends on the noised count", c->label,
		    scale_text(l->arena, &v->noise), scale_text(l->arena, &v->noise_sum));
		return;
	}
	struct wr w;
	wr_init(&w, l->arena, 64);
	number_put_i128(&w, c->linf);
	add(l, "  %s: %s%s, expected ±%.6g (%g%%), one unit moves a group by at most %s grid units of %g", c->label,
	    v->joint.bound != 0 ? "correlated, " : "", scale_text(l->arena, &v->noise), c->half_width, s->confidence * 100, wr_text(&w), decimal_double(v->grid));
}

static void explain_block(struct lines *l, const struct plan_settings *s, const struct plan_block *b, size_t number)
{
	add(l, "Protected query %zu", number + 1);
	for (size_t i = 0; i < b->n_tables; i++)
		add(l, "  table %s.%s: rule %s of \"%s\"", b->tables[i]->schema, b->tables[i]->name, table_rule_name(b->tables[i]->rule),
		    b->tables[i]->owner);
	if (b->figures.unit) {
		add(l, "  privacy unit: %s; at most %lld rows a group and %lld groups of one unit count (%s)", b->figures.unit,
		    (long long)b->figures.max_rows, (long long)b->figures.max_groups, b->figures.bounding);
		if (b->figures.owner_moves)
			add(l, "  owners: the rows of one owner alone may leave; groups count twice and sums for the whole width of their bounds");
		add(l, "  mechanism: %s; epsilon %.6g%s", b->figures.mechanism,
		    eps_double(b->figures.epsilon), b->figures.epsilon.pico == 0 ? " (priced in rho)" : "");
		if (b->figures.rho.pico > 0)
			add(l, "  rho of a zCDP account: %.6g", rho_double(b->figures.rho));
	}
	if (b->overlap)
		add(l, "  overlap: released only if a noised count (%s) of units shared by the owners reaches %lld, as \"%s\" asks for %s.%s; counted by: %s",
		    scale_text(l->arena, &b->overlap->spec.values[0].noise), (long long)b->overlap->table->overlap, b->overlap->table->owner, b->overlap->table->schema,
		    b->overlap->table->name, b->overlap->sql);
	add(l, "  groups: %s", b->figures.selection);
	if (b->spec.joint.members > 0)
		add(l, "  correlated noise: %zu counts and sums of one sign share a noised count of units (%s), which lowers the error of each at the same price", b->spec.joint.members,
		    scale_text(l->arena, &b->spec.joint.units));
	for (size_t i = 0; i < b->spec.n_values; i++)
		explain_value(l, s, b, i);
	add(l, "  upstream: %s", b->sql);
}

static void explain_hierarchy(struct lines *l, const struct plan *plan, const struct plan_hierarchy *h)
{
	const struct plan_block *one = &plan->blocks[h->first];
	struct wr numbers, labels;
	bool some = false;

	wr_init(&numbers, l->arena, 512);
	wr_init(&labels, l->arena, 1 << 16);
	for (size_t i = 0; i < h->n; i++)
		wr_fmt(&numbers, "%s%zu", i == 0 ? "" : i + 1 == h->n ? " and " : ", ", h->first + i + 1);
	for (size_t i = 0; i < one->spec.n_values; i++) {
		if (!h->additive[i] || one->spec.values[i].shared > 0)
			continue;
		wr_fmt(&labels, "%s%s", some ? ", " : "", one->columns[one->spec.n_keys + i].label);
		some = true;
	}
	l->failed = l->failed || !wr_ok(&numbers) || !wr_ok(&labels);
	if (!l->failed)
		add(l, "Totals: protected queries %s count the same rows; by least squares over all of them each total of %s is the sum of its rows, and variances are below those above",
		    wr_text(&numbers), wr_text(&labels));
}

static void explain_charges(struct lines *l, const struct plan *plan)
{
	struct wr w;

	for (size_t i = 0; i < plan->n_charges; i++) {
		const struct plan_charge *c = &plan->charges[i];
		wr_init(&w, l->arena, 256);
		if (c->budget->accounting != ACCOUNTING_ZCDP) {
			wr_str(&w, "epsilon ");
			eps_put(&w, c->epsilon);
		} else {
			wr_str(&w, "rho ");
			rho_put(&w, c->rho);
		}
		if (c->delta.atto > 0) {
			wr_str(&w, ", delta ");
			delta_put(&w, c->delta);
		}
		add(l, "Charge to %s.%s: %s, %s accounting", c->budget->schema, c->budget->table, wr_text(&w), accounting_name(c->budget->accounting));
	}
	if (plan->n_charges == 0)
		add(l, "Charge: none");
}

bool explain_plan(struct arena *a, const struct plan_settings *s, struct plan *plan, struct error *e)
{
	struct lines l = { .arena = a };

	for (size_t i = 0; i < plan->n_blocks; i++)
		explain_block(&l, s, &plan->blocks[i], i);
	for (size_t i = 0; i < plan->n_hierarchies; i++)
		explain_hierarchy(&l, plan, &plan->hierarchies[i]);
	if (plan->kind == PLAN_SIDECAR)
		add(&l, "Answered by the sidecar: no protected data is read");
	else if (plan->n_outputs == 0)
		add(&l, "Post-processing: %s", plan->sidecar_sql);
	if (plan->kind == PLAN_BLOCKS && plan->accuracy)
		add(&l, "Accuracy first: %s", plan->accuracy);
	if (plan->kind == PLAN_BLOCKS)
		explain_charges(&l, plan);
	plan->explain_lines = l.items;
	plan->n_explain_lines = l.n;
	return l.failed ? fail_memory(e) : true;
}

/* levels: how many such numbers one unit moves, of a tree of counts; 0: one. */
static void json_tree(struct wr *w, const struct noise *n, i128 linf, unsigned levels)
{
	wr_fmt(w, "{\"mechanism\":\"%s\",\"num\":\"", n->kind == NOISE_LAPLACE ? "discrete_laplace" : "discrete_gaussian");
	number_put_i128(w, (i128)n->num);
	wr_fmt(w, "\",\"den\":\"%llu\"", (unsigned long long)n->den);
	if (linf > 0) {
		wr_str(w, ",\"linf\":\"");
		number_put_i128(w, linf);
		wr_str(w, "\"");
	}
	if (levels > 0)
		wr_fmt(w, ",\"levels\":%u", levels);
	wr_str(w, "}");
}

static void json_noise(struct wr *w, const struct noise *n, i128 linf)
{
	json_tree(w, n, linf, 0);
}

/* What was drawn for a member of a joint part: its bound, and the noise on the lattice, where one unit moves it by that many times the bound. */
static void json_member(struct wr *w, const struct release_value *v)
{
	const i128 bound = v->joint.bound, reach = (bound < 0 ? -bound : bound) * JOINT_LATTICE;

	wr_str(w, "{\"bound\":\"");
	number_put_i128(w, bound);
	wr_str(w, "\",\"joint\":");
	json_noise(w, &v->joint.noise, reach);
	wr_str(w, "}");
}

static void json_selection(struct wr *w, const struct release_spec *s)
{
	if (s->selection == SELECT_OPTIMAL) {
		wr_str(w, ",\"selection\":{\"epsilon\":");
		eps_put(w, s->law.epsilon);
		wr_fmt(w, ",\"delta\":%.17g,\"minimum\":%llu}", s->law.delta, (unsigned long long)s->law.minimum);
	} else if (s->selection == SELECT_THRESHOLD) {
		if (s->units_value == 0) {
			wr_str(w, ",\"units\":");
			json_noise(w, &s->units_noise, 1);
		}
		wr_str(w, ",\"threshold\":\"");
		number_put_i128(w, s->threshold);
		wr_str(w, "\"");
	}
}

bool explain_json(struct wr *w, const struct plan_block *b)
{
	const char *separator = "";

	wr_fmt(w, "{\"groups\":%lld,\"values\":[", (long long)b->figures.max_groups);
	for (size_t i = 0; i < b->spec.n_values; i++) {
		const struct release_value *v = &b->spec.values[i];
		if (v->shared > 0)
			continue;
		wr_str(w, separator);
		separator = ",";
		for (size_t j = 1; v->kind == RELEASE_MOMENT && j < v->n_parts; j++) {
			json_noise(w, &v->parts[j].noise, (i128)v->parts[j].linf);
			wr_str(w, ",");
		}
		if (v->kind == RELEASE_CLIPPED) {
			wr_str(w, "{\"bound\":");
			json_noise(w, &v->clip.test, 1);
			wr_str(w, ",\"choice_epsilon\":");
			eps_put(w, v->clip.choice);
			wr_fmt(w, ",\"bounds\":%zu},", v->clip.steps);
		}
		if (v->joint.bound != 0)
			json_member(w, v);
		else
			json_tree(w, &v->noise, b->columns[b->spec.n_keys + i].linf, v->kind == RELEASE_QUANTILE ? quantile_levels(&v->tree) : 0);
		if (v->kind == RELEASE_AVG) {
			wr_str(w, ",");
			json_noise(w, &v->noise_sum, b->columns[b->spec.n_keys + i].linf_sum);
		}
	}
	wr_str(w, "]");
	if (b->spec.joint.members > 0) {
		wr_str(w, ",\"joint_units\":");
		json_noise(w, &b->spec.joint.units, JOINT_LATTICE);
	}
	json_selection(w, &b->spec);
	if (b->overlap) {
		wr_str(w, ",\"overlap\":");
		json_noise(w, &b->overlap->spec.values[0].noise, 1);
		wr_fmt(w, ",\"minimum\":%lld", (long long)b->overlap->table->overlap);
	}
	wr_str(w, "}");
	return wr_ok(w);
}
