/* noisegate budget plan: how many queries of a price still fit, and what error each would have.  Costs nothing, reads no data. */
#include "base/text.h"
#include "mechanisms/calibrate.h"
#include "mechanisms/loss.h"
#include "proxy/cli_budget.h"

static const double CONFIDENCE = 0.95;

struct planned {
	struct eps epsilon;
	struct rho rho;
	int64_t fits, fits_grouped; /* the latter take the policy's delta a query too */
	double people, rows, grouped; /* half-widths: people, rows, rows by private groups of a person */
};

/* Queries of this price that the account, and that of all analysts together, still hold. */
static int64_t fitting(const struct policy_budget *b, const struct account_state *s, const struct account_state *all, const struct planned *at, struct delta delta)
{
	const struct charge c = { .budget = b, .epsilon = at->epsilon, .rho = at->rho, .delta = delta };
	int64_t own = account_holds(b, s, &c), together = b->together ? account_holds(b->together, all, &c) : own;

	return own < together ? own : together;
}

static bool half_width(const struct policy_budget *b, const struct planned *at, int64_t rows, int64_t groups, double *out, struct error *e)
{
	u128 linf = (u128)(uint64_t)rows, l1 = linf * (uint64_t)groups;
	struct noise n;

	if (b->accounting == ACCOUNTING_ZCDP ? !calibrate_gaussian(l1 * linf, at->rho, &n, e) : !calibrate_laplace(l1, at->epsilon, &n, e))
		return false;
	*out = noise_half_width(&n, CONFIDENCE);
	return true;
}

static bool plan_one(struct ledger *l, const struct policy_table *t, const struct policy_budget *b, struct eps epsilon, struct planned *out, struct error *e)
{
	struct planned p = { .epsilon = epsilon };
	struct account_state s, all;

	if (!loss_rho_of_pure(epsilon, &p.rho))
		return fail(e, ERR_BAD_PARAMETER, "epsilon is out of range");
	if (!ledger_state(l, b, &s, e) || (b->together && !ledger_state(l, b->together, &all, e)))
		return false;
	if (epsilon.pico <= b->query_max_epsilon.pico) {
		p.fits = fitting(b, &s, &all, &p, (struct delta){ 0 });
		p.fits_grouped = b->query_delta.atto > 0 ? fitting(b, &s, &all, &p, b->query_delta) : 0;
	}
	*out = p;
	return half_width(b, &p, 1, 1, &out->people, e) && half_width(b, &p, t->max_rows, 1, &out->rows, e) &&
	       half_width(b, &p, t->max_rows, t->max_groups, &out->grouped, e);
}

static void print_plan(const struct planned *p, bool json, bool first)
{
	struct wr w;

	wr_init_heap(&w, 1 << 12);
	if (json)
		wr_fmt(&w, "%s{\"epsilon\":%.12g,\"rho\":%.12g,\"queries\":%lld,\"queries_by_group\":%lld,\"confidence\":%g,\"people\":%.6g,\"rows\":%.6g,\"rows_by_group\":%.6g}", first ? "[" : ",\n ",
		       eps_double(p->epsilon), rho_double(p->rho), (long long)p->fits, (long long)p->fits_grouped, CONFIDENCE, p->people, p->rows, p->grouped);
	else
		wr_fmt(&w, "%9.4g %9lld %9lld %14.4g %14.4g %18.4g\n", eps_double(p->epsilon), (long long)p->fits, (long long)p->fits_grouped, p->people, p->rows, p->grouped);
	(void)printf("%s", wr_text(&w));
	wr_free(&w);
}

bool budget_plan(struct ledger *l, const struct policy *p, const struct budget_options *o, struct error *e)
{
	static const int parts[] = { 1, 2, 5, 10, 20, 50 }; /* of the largest query: a ladder to choose from */
	const struct policy_budget *b;

	if (!budget_find(p, o, &b, e))
		return false;
	const struct policy_table *t = policy_find_table(p, b->schema, b->table);
	if (!t)
		return fail(e, ERR_CONFIG, "the policy has no table %s.%s", b->schema, b->table);
	if (!o->json)
		(void)printf("%s.%s for %s, %s accounting: one count costs epsilon; expected error at %g%%, one row a person or %lld, %lld groups\n%9s %9s %9s %14s %14s %18s\n",
			     b->schema, b->table, b->analyst, accounting_name(b->accounting), CONFIDENCE * 100, (long long)t->max_rows, (long long)t->max_groups,
			     "epsilon", "queries", "by group", "people +-", "rows +-", "rows by group +-");
	for (size_t i = 0; i < (o->has_epsilon ? 1 : ARRAY_LEN(parts)); i++) {
		struct eps epsilon = o->has_epsilon ? o->epsilon : (struct eps){ b->query_max_epsilon.pico / (uint64_t)parts[i] };
		struct planned plan;
		if (!plan_one(l, t, b, epsilon, &plan, e))
			return false;
		print_plan(&plan, o->json, i == 0);
	}
	if (!o->json && o->has_epsilon && o->epsilon.pico > b->query_max_epsilon.pico)
		(void)printf("a query may cost at most epsilon %.6g: per_query.max_epsilon of the policy\n", eps_double(b->query_max_epsilon));
	if (o->json)
		(void)printf("]\n");
	return true;
}
