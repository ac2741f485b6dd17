/* noisegate budget show, history: tables for people, JSON for machines. */
#include "base/text.h"
#include "proxy/cli_budget.h"

enum { LINE_MAX_BYTES = 1 << 20 };

static void put_string(struct wr *w, const char *name, const char *value)
{
	wr_fmt(w, ",\"%s\":", name);
	wr_json(w, value);
}

static void put_eps(struct wr *w, const char *name, struct eps v)
{
	wr_fmt(w, ",\"%s\":", name);
	eps_put(w, v);
}

static void put_rho(struct wr *w, const char *name, struct rho v)
{
	wr_fmt(w, ",\"%s\":", name);
	rho_put(w, v);
}

static void put_delta(struct wr *w, const char *name, struct delta v)
{
	wr_fmt(w, ",\"%s\":", name);
	delta_put(w, v);
}

static void show_json(struct wr *w, const struct policy_budget *b, const struct account_state *s, const char *table, const char *end)
{
	wr_str(w, "{\"owner\":");
	wr_json(w, b->owner);
	put_string(w, "table", table);
	put_string(w, "analyst", b->analyst);
	put_string(w, "accounting", accounting_name(b->accounting));
	put_eps(w, "epsilon_limit", s->epsilon_limit);
	put_eps(w, "epsilon_spent", s->epsilon_reported);
	put_eps(w, "epsilon_remaining", s->epsilon_remaining);
	put_rho(w, "rho_spent", s->rho);
	put_rho(w, "rho_limit", s->rho_limit);
	put_delta(w, "delta_spent", s->delta);
	put_delta(w, "delta_limit", s->delta_limit);
	wr_fmt(w, ",\"queries\":%lld,\"frozen\":%s", (long long)s->queries, s->frozen ? "true" : "false");
	put_string(w, "refresh", end);
	wr_str(w, ",\"in_policy\":true}");
}

static void show_line(struct wr *w, const struct policy_budget *b, const struct account_state *s, const char *table, const char *end)
{
	wr_fmt(w, "%-28s %-14s %-6s %9.4g %9.4f %9.4f %7lld  %.10s%s", table, b->analyst, accounting_name(b->accounting), eps_double(s->epsilon_limit),
	       eps_double(s->epsilon_reported), eps_double(s->epsilon_remaining), (long long)s->queries, end,
	       s->frozen ? "  frozen" : s->closed ? "  closed: spent under zcdp" : "");
}

/* Accounts that the policy does not name: of a table, owner or analyst that was renamed or removed. */
struct unnamed {
	const struct policy *policy;
	bool json, any, ok;
};

static bool is_named(const struct policy *p, const struct account_key *key)
{
	char relation[160];

	for (size_t i = 0; i < p->n_budgets; i++) {
		const struct policy_budget *b = &p->budgets[i];
		(void)snprintf(relation, sizeof(relation), "%s.%s", b->schema, b->table);
		if (text_eq(b->owner, key->owner) && text_eq(relation, key->relation) && text_eq(b->analyst, key->analyst))
			return true;
	}
	return false;
}

static bool show_unnamed(void *ctx, const struct account_key *key, const struct spent *spent)
{
	struct unnamed *u = ctx;
	struct wr w;

	if (is_named(u->policy, key))
		return true;
	wr_init_heap(&w, LINE_MAX_BYTES);
	if (u->json) {
		wr_str(&w, u->any ? ",\n {\"owner\":" : "[{\"owner\":");
		wr_json(&w, key->owner);
		put_string(&w, "table", key->relation);
		put_string(&w, "analyst", key->analyst);
		put_eps(&w, "epsilon_spent", spent->epsilon);
		put_rho(&w, "rho_spent", spent->rho);
		put_delta(&w, "delta_spent", spent->delta);
		wr_fmt(&w, ",\"queries\":%lld,\"in_policy\":false}", (long long)spent->queries);
	} else {
		wr_fmt(&w, "%-28s %-14s not in the policy (owner %s): %lld queries, epsilon %.6g, rho %.6g, delta %.3g in all\n", key->relation, key->analyst, key->owner,
		       (long long)spent->queries, eps_double(spent->epsilon), rho_double(spent->rho), delta_double(spent->delta));
	}
	u->ok = wr_ok(&w);
	(void)printf("%s", wr_text(&w));
	wr_free(&w);
	u->any = true;
	return u->ok;
}

bool budget_show(struct ledger *l, const struct policy *p, const struct budget_options *o, struct error *e)
{
	struct wr w;
	bool ok = true;

	if (!o->json)
		(void)printf("%-28s %-14s %-6s %9s %9s %9s %7s  %s\n", "table", "analyst", "by", "limit", "spent", "left", "queries", "refreshes");
	for (size_t i = 0; ok && i < p->n_budgets; i++) {
		const struct policy_budget *b = &p->budgets[i];
		struct account_state s;
		char end[WALL_TEXT] = "never", table[160];
		if (!ledger_state(l, b, &s, e))
			return false;
		if (s.window_end.micros)
			wall_text(s.window_end, end);
		(void)snprintf(table, sizeof(table), "%s.%s", b->schema, b->table);
		wr_init_heap(&w, LINE_MAX_BYTES);
		(o->json ? show_json : show_line)(&w, b, &s, table, end);
		ok = wr_ok(&w) || fail_memory(e);
		(void)printf("%s%s%s", o->json ? (i ? ",\n " : "[") : "", wr_text(&w), o->json ? "" : "\n");
		wr_free(&w);
	}
	struct unnamed u = { .policy = p, .json = o->json, .any = p->n_budgets > 0, .ok = true };
	if (ok && (!ledger_accounts(l, show_unnamed, &u, e) || !u.ok))
		return u.ok ? false : fail_memory(e);
	if (o->json)
		(void)printf("%s]\n", u.any ? "" : "[");
	return ok;
}

struct listing {
	bool json, any, ok;
};

static void history_json(struct wr *w, const struct entry *x, const char *at)
{
	wr_fmt(w, "{\"entry\":%lld,\"kind\":\"%s\",\"query\":", (long long)x->seq, entry_kind_name(x->kind));
	if (x->kind == ENTRY_CHARGE)
		wr_fmt(w, "%lld", (long long)x->query);
	else
		wr_str(w, "null");
	put_string(w, "at", at);
	put_string(w, "owner", x->key.owner);
	put_string(w, "table", x->key.relation);
	put_string(w, "analyst", x->key.analyst);
	put_string(w, "user", x->login);
	put_string(w, "accounting", x->accounting);
	put_eps(w, "epsilon", x->epsilon);
	put_rho(w, "rho", x->rho);
	put_delta(w, "delta", x->delta);
	wr_fmt(w, ",\"mechanism\":%s", x->mechanism[0] ? x->mechanism : "null");
	put_string(w, x->kind == ENTRY_CHARGE ? "sql" : "reason", x->text);
	wr_str(w, ",\"hash\":\"");
	for (size_t i = 0; i < SHA256_SIZE; i++)
		wr_fmt(w, "%02x", x->hash[i]);
	wr_str(w, "\"}");
}

static void history_line(struct wr *w, const struct entry *x, const char *at)
{
	const bool rho = text_eq(x->accounting, "zcdp");
	const size_t width = strlen(x->login) < 10 ? 10 - strlen(x->login) : 0;

	wr_fmt(w, "%6lld  %.19s  %-8s  %-28s %-12s ", (long long)x->seq, at, entry_kind_name(x->kind), x->key.relation, x->key.analyst);
	wr_plain(w, x->login, strlen(x->login)); /* it and the text are others' words: they must not reach the terminal as commands, nor as lines of their own */
	wr_fmt(w, "%*s ", (int)width, "");
	if (x->kind == ENTRY_FREEZE || x->kind == ENTRY_UNFREEZE)
		wr_str(w, "-");
	else if (x->kind == ENTRY_LIMIT && x->epsilon.pico == 0)
		wr_str(w, "the policy's limits");
	else
		wr_fmt(w, "%s %.6g delta %.3g", rho ? "rho" : "epsilon", rho ? rho_double(x->rho) : eps_double(x->epsilon), delta_double(x->delta));
	wr_str(w, "  ");
	wr_plain(w, x->text, strlen(x->text));
}

static bool print_entry(void *ctx, const struct entry *x)
{
	struct listing *l = ctx;
	char at[WALL_TEXT];
	struct wr w;

	wall_text(x->at, at);
	wr_init_heap(&w, LINE_MAX_BYTES);
	(l->json ? history_json : history_line)(&w, x, at);
	l->ok = wr_ok(&w);
	(void)printf("%s%s%s", l->json ? (l->any ? ",\n " : "[") : "", wr_text(&w), l->json ? "" : "\n");
	wr_free(&w);
	l->any = true;
	return l->ok;
}

bool budget_history(struct ledger *l, const struct policy *p UNUSED, const struct budget_options *o, struct error *e)
{
	struct listing listing = { .json = o->json, .ok = true };

	if (!ledger_entries(l, o->owner, o->analyst, o->limit, print_entry, &listing, e))
		return false;
	if (o->json)
		(void)printf("%s]\n", listing.any ? "" : "[");
	return listing.ok || fail_memory(e);
}
